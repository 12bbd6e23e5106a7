// The table of models: sort, search, open a model. The last part of the script: it starts the page.

const body = byId("table").tBodies[0];
const rows = [...body.rows];
const details = new Map(); // row -> its detail row

const toggle = (row) => {
  const button = row.querySelector(".open");
  const opens = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(opens));
  if (opens && !details.has(row)) {
    const id = `panel-${row.dataset.index}`;
    const made = element("tr", { class: "detail", id }, element("td", { colspan: row.cells.length }, panel(read(`detail-${row.dataset.index}`))));
    details.set(row, made);
    button.setAttribute("aria-controls", id);
    row.after(made);
  }
  details.get(row).hidden = !opens;
};

const collator = new Intl.Collator(document.documentElement.lang, { numeric: true });
const sort = (head, at) => {
  const descending = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const sign = descending ? -1 : 1;
  const text = head.dataset.kind === "text";
  const key = new Map(rows.map((row) => [row, text ? row.cells[at].textContent.trim() : row.cells[at].dataset.value]));
  rows.sort((a, b) => {
    const [left, right] = [key.get(a), key.get(b)];
    if (left === "" || right === "") return (left === "") - (right === ""); // what has no value stays last
    return sign * (text ? collator.compare(left, right) : left - right);
  });
  body.append(...rows.flatMap((row) => (details.has(row) ? [row, details.get(row)] : [row])));
};

const words = new Map(); // row -> what is searched in it
const filter = () => {
  const wanted = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const served = byId("served").value;
  if (wanted.length && !words.size) for (const row of rows) words.set(row, row.textContent.toLowerCase());
  let shown = 0;
  for (const row of rows) {
    const hidden = !(wanted.every((word) => words.get(row).includes(word)) && (!served || row.dataset.served === served));
    if (row.hidden !== hidden) row.hidden = hidden;
    shown += hidden ? 0 : 1;
    if (details.has(row)) details.get(row).hidden = hidden || row.querySelector(".open").getAttribute("aria-expanded") !== "true";
  }
  byId("more").hidden = !isCut() || shown <= CUT;
  byId("count").textContent = shown === rows.length
    ? say("{count} in all", { count: figure(shown) })
    : say("{shown} of {all}", { shown: figure(shown), all: figure(rows.length) });
};

// Of many rows those that the reader has not come to are not laid out: that is most of what a long table costs.
const CUT = 150; // as in the style
const isCut = () => byId("table").classList.contains("cut");
const uncut = () => {
  byId("table").classList.remove("cut");
  byId("more").hidden = true;
};
new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && uncut()).observe(byId("more"));
byId("more").querySelector("button").addEventListener("click", uncut);

const measure = () => {
  const scroll = document.querySelector("#models .scroll");
  const inset = parseFloat(getComputedStyle(scroll).paddingLeft) * 2;
  byId("table").style.setProperty("--seen", `${scroll.clientWidth - inset}px`);
};

[...byId("table").tHead.rows[0].cells].forEach((head, at) => {
  const button = element("button", { type: "button" }, ...head.childNodes);
  button.addEventListener("click", () => sort(head, at));
  head.replaceChildren(button);
});
body.addEventListener("click", (event) => {
  const button = event.target.closest(".open");
  if (button) toggle(button.closest("tr"));
});
byId("search").addEventListener("input", filter);
byId("served").addEventListener("change", filter);
byId("scale").addEventListener("change", drawErrors);
addEventListener("resize", measure);

const errors = overview.map((model) => model.mae).filter((mae) => mae > 0);
const spread = errors.length ? most(errors) / least(errors) : 1;
document.querySelector(`#scale [value="${spread > WIDE_SPREAD ? "share" : "mae"}"]`).checked = true;
measure();
filter();
drawRealised();
drawErrors();
drawTimes();
