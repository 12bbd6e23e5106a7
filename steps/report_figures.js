// Charts: how all of them look, and when they are drawn. The library is text until the first chart comes into view,
// so that the page can be used before a megabyte of script has been read.

const drawn = new Map(); // element -> function that draws it, for a change of colours

const library = () => {
  if (!window.Plotly) document.head.append(element("script", {}, byId("plotly").textContent));
  return window.Plotly;
};
const axis = (title, more = {}) => ({
  title: { text: plotText(title), font: { size: 12 } }, gridcolor: colour("grid"), zerolinecolor: colour("line"),
  automargin: true, fixedrange: true, ...more,
});
const layout = (height, more = {}) => ({
  height, margin: { l: 10, r: 16, t: 8, b: 10 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
  font: { color: colour("ink"), family: "system-ui, sans-serif", size: 12 }, dragmode: false,
  legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", font: { size: 12 } },
  hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } }, ...more,
});
const options = { displayModeBar: false, displaylogo: false, responsive: true, showSendToCloud: false,
  showEditInChartStudio: false, plotlyServerURL: "", topojsonURL: "none" };
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((entry) => entry.isIntersecting)) {
    seen.unobserve(entry.target);
    setTimeout(() => entry.target.isConnected && drawn.get(entry.target)(), window.Plotly ? 0 : 60); // what is there is shown first
  }
}, { rootMargin: "200px" });

// `make` returns [traces, layout]; `text` says in words what the chart shows.
const chart = (target, text, make) => {
  target.setAttribute("role", "img");
  target.setAttribute("aria-label", text);
  drawn.set(target, () => library().react(target, ...make(), options));
  seen.observe(target);
};
const redraw = () => {
  for (const [target, draw] of drawn) if (target.isConnected && target.classList.contains("js-plotly-plot")) draw();
};
const named = (names) => axis("", {
  tickvals: names.map((_, at) => at), ticktext: names.map((name) => plotText(isolated(shorten(name, innerWidth < 640 ? 14 : 24)))),
  range: [names.length - 0.4, -0.6], showgrid: false, zeroline: false,
});
const barsHeight = (count) => Math.max(220, 90 + 30 * count);
const middles = (edges) => edges.slice(1).map((edge, at) => (edge + edges[at]) / 2);
const widths = (edges) => edges.slice(1).map((edge, at) => edge - edges[at]);

const card = (title, note, text, make, ...more) => {
  const target = element("div", { class: "chart" });
  chart(target, text, make);
  return element("section", { class: "card" }, element("h3", {}, title), element("p", { class: "note" }, note), target, ...more);
};

// Light and dark: what the system asks for until somebody chooses.

const darkness = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme || (darkness.matches ? "dark" : "light")) === "dark";
const showTheme = () => {
  byId("theme").setAttribute("aria-pressed", String(isDark()));
  redraw();
};
byId("theme").hidden = false;
byId("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  showTheme();
});
darkness.addEventListener("change", showTheme);
addEventListener("beforeprint", () => {
  document.documentElement.dataset.screen = document.documentElement.dataset.theme || "";
  document.documentElement.dataset.theme = "light";
  redraw();
});
addEventListener("afterprint", () => {
  const before = document.documentElement.dataset.screen;
  if (before) document.documentElement.dataset.theme = before;
  else delete document.documentElement.dataset.theme;
  redraw();
});
byId("theme").setAttribute("aria-pressed", String(isDark()));
