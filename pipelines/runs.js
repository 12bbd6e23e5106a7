// The page of all runs: shows the index, opens an execution, and reads again what is not over.
// A page from file:// may not fetch, so data come as scripts that call runsPage with one JSON text, inserted anew with
// another query each time. Every text goes in as a text node, every link is checked to lead below this folder.
"use strict";
(() => {
  const BUSY = 1500, IDLE = 5000; // milliseconds between two looks at the disk
  const SILENT = 20; // seconds without a sign of life after which a run counts as interrupted
  const MOST_FOLLOWED = 5;
  const PART = 100; // executions, and steps of one, that are shown at one time
  const MOST_SAID = 240; // characters of a reason in the table; above it stands whole, as in the log
  const { element, set, setClass, setName, known, lasting, tone } = page;
  const byId = (id) => document.getElementById(id);
  const shown = new Map(); // id -> what is on the page of it
  const runs = new Map(); // id -> its run.js
  const told = new Map(); // id -> the status that was announced last
  const text = new Map(); // source -> the text that came last: nothing is drawn again that is the same
  let index = { runs: [], total: 0 };
  let lines = new Map(); // id -> its line in the index
  let most = PART;

  const isId = (id) => typeof id === "string" && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id);
  const isPlace = (place) => typeof place === "string" && /^(s3|executions)\/[A-Za-z0-9._~%/-]+$/.test(place) && !place.split("/").includes("..");
  const link = (place, words, label) => (isPlace(place) ? element("a", { href: place, ...(label ? { "aria-label": label } : {}) }, words) : null);
  const now = () => Date.now() / 1000;
  const clock = (seconds) => new Date(1000 * seconds).toLocaleTimeString();
  const ago = (seconds) => {
    if (seconds < 60) return "just now";
    const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
    const [name, size] = units.find(([, size]) => seconds >= size);
    const count = Math.floor(seconds / size);
    return `${count} ${name}${count === 1 ? "" : "s"} ago`;
  };
  const chip = (node, status) => {
    set(node, status);
    setClass(node, `chip ${tone(status)}`);
  };

  // What is known of an execution

  const GOING = ["Executing", "Waiting"];
  // The line of an execution: its own run.js is newer than the index while it runs and just after.
  const lineOf = (id) => {
    const line = lines.get(id);
    const run = runs.get(id);
    const newest = run && line && GOING.includes(line.status) ? run.line : line;
    if (newest && GOING.includes(newest.status) && run && now() - run.beat > SILENT) return { ...newest, status: "Interrupted", going: true };
    return newest;
  };
  const isGoing = (line) => GOING.includes(line.status) || line.going === true;
  const seconds = (line) => {
    if (known(line.seconds)) return line.seconds;
    if (!known(line.since)) return null;
    const run = runs.get(line.id);
    return (line.status === "Interrupted" && run ? run.beat : now()) - line.since;
  };

  // The list

  const makeRun = (id) => {
    const open = element("button", { type: "button", class: "open", "aria-expanded": "false", "aria-controls": `panel-${id}` });
    const panel = element("div", { class: "panel", id: `panel-${id}`, role: "region", "aria-label": `Steps of ${id}` });
    panel.hidden = true;
    const cells = { name: element("small", { class: "under" }), chip: element("span", { class: "chip" }), started: element("div"), ago: element("small"),
      took: element("div", { class: "number" }), models: element("div"), threshold: element("small"), places: element("div", { class: "places" }), steps: element("small") };
    const row = element("div", { class: "run" },
      element("div", { class: "sum" },
        element("div", {}, open, cells.name),
        element("div", { class: "state" }, cells.chip, cells.steps),
        element("div", {}, cells.started, cells.ago),
        cells.took,
        cells.models,
        cells.places),
      panel);
    const made = { id, row, open, panel, cells, drawn: "", status: null };
    open.addEventListener("click", () => {
      const opened = open.getAttribute("aria-expanded") !== "true";
      open.setAttribute("aria-expanded", String(opened));
      panel.hidden = !opened;
      if (opened) {
        loadRun(id);
        drawPanel(made);
      }
      history.replaceState(null, "", opened ? `#${id}` : location.pathname + location.search);
    });
    return made;
  };

  const models = (line) => {
    if (!known(line.passed)) return "";
    return [line.passed ? `${line.passed} passed` : "", line.rejected ? `${line.rejected} rejected` : ""].filter(Boolean).join(", ") || "none";
  };
  const progress = (run) => {
    const counted = run.steps.filter((step) => step[3] !== "Skipped");
    return `${counted.filter((step) => ["Succeeded", "Cached"].includes(step[3])).length} of ${counted.length} steps`;
  };

  const draw = (made) => {
    const line = lineOf(made.id);
    const { cells } = made, run = runs.get(made.id), began = Date.parse(line.started) / 1000, took = seconds(line);
    set(made.open, line.pipeline);
    set(cells.name, `${line.id} · ${line.cause}`);
    chip(cells.chip, line.status);
    set(cells.steps, isGoing(line) && run ? progress(run) : "");
    set(cells.started, new Date(1000 * began).toLocaleString());
    set(cells.ago, ago(now() - began));
    set(cells.took, known(took) ? lasting(took) : "–");
    set(cells.models, models(line));
    const places = JSON.stringify([line.report, line.predictions]);
    if (made.places !== places) {
      made.places = places;
      const links = [link(line.report, "Report", `Report of ${line.id}`), link(line.predictions, "Predictions", `Predictions of ${line.id}`)];
      cells.places.replaceChildren(...links.filter(Boolean));
    }
    setClass(made.row, `run ${tone(line.status)}-run`);
    if (!made.panel.hidden) drawPanel(made);
  };

  // An execution's steps

  const SHOWN = { // what the table of steps shows
    used: ["all but skipped", (step) => step[3] !== "Skipped"],
    all: ["all", () => true],
    bad: ["failed", (step) => tone(step[3]) === "bad"],
    busy: ["running", (step) => tone(step[3]) === "busy"],
    good: ["done", (step) => tone(step[3]) === "good"],
    none: ["not begun", (step) => step[3] === "Waiting" || step[3] === "Not run"],
    critical: ["critical path", (_, isCritical) => isCritical],
  };

  const makePanel = (made) => {
    const fault = element("p", { class: "fault bad" }), next = element("pre", { tabindex: "0", role: "group", "aria-label": "Command" });
    const facts = element("p", { class: "note" }), graph = runGraph.make(), body = element("tbody"), count = element("p", { class: "note" });
    const heads = [["Step"], ["State"], ["Time", "number"], ["When", "when"], ["Log"]];
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads.map(([title, kind]) => element("th", { scope: "col", ...(kind ? { class: kind } : {}) }, title)))), body);
    const search = element("input", { type: "search", autocomplete: "off", placeholder: "step, reason" });
    const only = element("select", {}, ...Object.entries(SHOWN).map(([value, [words]]) => element("option", { value }, words)));
    const more = element("button", { type: "button", class: "more" });
    const side = element("div", { class: "scroll", role: "region", "aria-label": "Graph of the steps", tabindex: "0" }, graph.whole);
    const parts = { fault, next, facts, graph, side, body, search, only, count, more, rows: new Map(), most: PART, listed: "" };
    for (const [control, kind] of [[search, "input"], [only, "change"]]) control.addEventListener(kind, () => { parts.most = PART; drawPanel(made); });
    more.addEventListener("click", () => { parts.most += PART; drawPanel(made); });
    made.panel.replaceChildren(facts, fault, next, element("div", { class: "halves" },
      element("div", { class: "half" }, element("h3", {}, "Graph"), side, graph.note),
      element("div", {},
        element("div", { class: "bar" }, element("h3", {}, "Steps"), element("label", {}, "Find ", search), element("label", {}, "Show ", only), count),
        table, more)));
    return parts;
  };

  const makeStep = () => {
    const cells = { name: element("span"), about: element("small"), mark: element("span", { class: "mark", title: "on the critical path" }, "◆", element("span", { class: "hidden" }, " on the critical path")),
      chip: element("span", { class: "chip" }), reason: element("small"), took: element("td", { class: "number" }),
      bar: element("i"), lane: element("div", { class: "lane", "aria-hidden": "true" }), when: element("td", { class: "when" }), log: element("td", { class: "log" }) };
    cells.lane.append(cells.bar);
    cells.when.append(cells.lane);
    cells.row = element("tr", {}, element("th", { scope: "row" }, cells.name, " ", cells.mark, cells.about), element("td", { class: "state" }, cells.chip, cells.reason), cells.took, cells.when, cells.log);
    return cells;
  };

  const drawPanel = (made) => {
    const run = runs.get(made.id), line = lineOf(made.id);
    if (!run) {
      set(made.panel, "The steps of this execution are not kept on this page: python -m pipelines.run --local --status " + made.id);
      made.parts = null;
      return;
    }
    if (!made.parts) made.parts = makePanel(made);
    const { fault, next, facts, graph, side } = made.parts;
    const steps = line.status === "Interrupted" ? run.steps.map((step) => (tone(step[3]) === "busy" ? [...step.slice(0, 3), "Interrupted", ...step.slice(4)] : step)) : run.steps;
    const early = (at) => known(line.since) && known(steps[at][4]) && known(steps[at][5]) && steps[at][4] + steps[at][5] < line.since - 0.5;
    const kept = steps.filter((_, at) => early(at)).length;
    set(facts, `Raw data ${line.raw}. ${progress(run)} done${kept ? `, ${kept} of them in an earlier run` : ""}.`);
    const silent = line.status === "Interrupted" ? `No sign of life since ${clock(run.beat)}: the engine has ended, or the machine sleeps. ` : "";
    set(fault, silent + (line.error || ""));
    fault.hidden = !fault.textContent;
    set(next, line.next || "");
    next.hidden = !line.next;
    const until = isGoing(line) && line.status !== "Interrupted" ? now() : run.beat;
    const span = (at) => {
      const [, , , status, start, took] = steps[at];
      if (!known(start) || status === "Skipped" || early(at)) return null;
      return [start, known(took) ? start + took : tone(status) === "busy" || status === "Interrupted" ? Math.max(start, until) : start];
    };
    const about = run.about || [];
    const path = runGraph.draw(graph, { steps, needs: run.needs || [], about, span, early, width: side.clientWidth, seconds: seconds(line), isOver: !isGoing(line) });
    drawSteps(made.parts, { steps, about, span, early, path });
  };

  // The places of the steps that the table shows.
  const listSteps = ({ search, only, count, more, most }, steps, about, path) => {
    const wanted = search.value.trim().toLowerCase(), [, fits] = SHOWN[only.value];
    const found = steps.map((_, at) => at).filter((at) => fits(steps[at], path.has(at)) && `${steps[at][0]} ${about[at]} ${steps[at][6]}`.toLowerCase().includes(wanted));
    const listed = found.slice(0, most);
    set(count, `${listed.length} of ${steps.length}`);
    more.hidden = found.length <= most;
    set(more, `Show ${Math.min(PART, found.length - most)} more`);
    return listed;
  };

  const drawSteps = (parts, { steps, about, span, early, path }) => {
    const listed = listSteps(parts, steps, about, path), key = listed.join();
    for (const at of listed) if (!parts.rows.has(at)) parts.rows.set(at, makeStep());
    if (parts.listed !== key) {
      parts.listed = key;
      parts.body.replaceChildren(...listed.map((at) => parts.rows.get(at).row));
    }
    const spans = steps.map((_, at) => span(at)).filter(Boolean);
    const first = Math.min(...spans.map(([start]) => start)), last = Math.max(first + 0.1, ...spans.map(([, end]) => end));
    for (const at of listed) drawStep(parts.rows.get(at), steps[at], { about: about[at], span: span(at), first, last, isEarly: early(at), isCritical: path.has(at) });
  };

  const drawStep = (cells, [name, , , status, start, took, reason, log], { about, span, first, last, isEarly, isCritical }) => {
    setName(cells.name, name);
    set(cells.about, about || "");
    cells.mark.hidden = !isCritical;
    chip(cells.chip, status);
    set(cells.reason, isEarly ? `earlier: ${new Date(1000 * start).toLocaleString()}` : reason.length > MOST_SAID ? `${reason.slice(0, MOST_SAID)} ...` : reason);
    cells.reason.hidden = !cells.reason.textContent;
    set(cells.took, span ? lasting(span[1] - span[0]) : isEarly ? lasting(took) : "");
    cells.lane.hidden = !span;
    if (span) {
      setClass(cells.lane, `lane ${tone(status)}`);
      cells.bar.style.left = `${(97 * (span[0] - first)) / (last - first)}%`;
      cells.bar.style.width = `${Math.max(0.5, (97 * (span[1] - span[0])) / (last - first))}%`;
    }
    if (cells.place !== log) {
      cells.place = log;
      const made = link(log, "Log", `Log of ${name}`);
      cells.log.replaceChildren(...(made ? [made] : []));
    }
  };

  // Search

  const statusOf = (id) => lineOf(id).status;
  const wordsOf = (line) => `${line.pipeline} ${line.id} ${line.status} ${line.cause} ${line.raw} ${line.error}`.toLowerCase();
  // The executions that fit, newest first.
  const wanted = () => {
    const words = byId("search").value.trim().toLowerCase(), status = byId("status").value;
    return index.runs.map((line) => lineOf(line.id)).filter((line) => (!status || line.status === status) && wordsOf(line).includes(words)).map((line) => line.id);
  };
  const list = () => {
    const found = wanted(), ids = found.slice(0, most), kept = new Set(ids), target = byId("list");
    for (const [id, made] of shown) if (!kept.has(id)) made.row.remove();
    ids.forEach((id, at) => {
      if (!shown.has(id)) shown.set(id, makeRun(id));
      const made = shown.get(id);
      if (target.children[at] !== made.row) target.insertBefore(made.row, target.children[at] || null);
      draw(made);
    });
    const more = index.total > index.runs.length ? ` (the newest ${index.runs.length} of ${index.total})` : "";
    set(byId("count"), `${found.length} of ${index.runs.length}${more}`);
    byId("empty").hidden = found.length > 0;
    set(byId("empty"), index.runs.length ? "No execution fits." : "Nothing to show yet.");
    byId("more").hidden = found.length <= most;
    set(byId("more"), `Show ${Math.min(PART, found.length - most)} more`);
  };
  const offer = () => {
    const select = byId("status"), statuses = [...new Set(index.runs.map((line) => statusOf(line.id)))].sort();
    if ([...select.options].slice(1).map((option) => option.value).join() === statuses.join()) return;
    const kept = select.value;
    select.replaceChildren(select.options[0], ...statuses.map((status) => element("option", { value: status }, status)));
    select.value = statuses.includes(kept) ? kept : "";
  };

  const tell = () => {
    const going = index.runs.map((line) => lineOf(line.id)).filter((line) => GOING.includes(line.status));
    document.title = going.length ? `${going[0].status}: ${going[0].pipeline}` : "Runs";
    set(byId("now"), going.length ? "Something is running; this page follows by itself." : "All executions of this workspace, newest first.");
  };

  // Says to those who do not see it what became of an execution.
  const announce = (line) => {
    if (told.has(line.id) && told.get(line.id) !== line.status) set(byId("said"), `${line.pipeline} ${line.id}: ${line.status}`);
    told.set(line.id, line.status);
  };
  const render = () => {
    for (const [id, made] of shown) if (!lines.has(id)) { made.row.remove(); shown.delete(id); runs.delete(id); }
    for (const id of lines.keys()) announce(lineOf(id));
    offer();
    list();
    tell();
  };

  // Reading

  let serial = 0;
  const load = (source) => {
    const script = element("script", { src: `${source}?t=${Date.now()}-${(serial += 1)}` });
    script.addEventListener("load", () => script.remove());
    script.addEventListener("error", () => script.remove()); // it is not there yet, or has been removed
    document.head.append(script);
  };
  const loadRun = (id) => { if (lines.get(id).steps !== false) load(`executions/${id}/run.js`); };
  window.runsPage = (given) => {
    const found = JSON.parse(given);
    const source = found.kind === "index" ? "index" : found.line.id;
    if (text.get(source) === given) return;
    text.set(source, given);
    if (found.kind === "index") {
      const first = !shown.size;
      index = { ...found, runs: found.runs.filter((line) => isId(line.id)) };
      lines = new Map(index.runs.map((line) => [line.id, line]));
      render();
      if (first) reveal();
      follow();
    } else if (isId(found.line.id)) {
      runs.set(found.line.id, found);
      if (lines.has(found.line.id)) {
        announce(lineOf(found.line.id));
        offer();
        list();
      }
    }
  };
  // Opens what the address names, or what runs.
  const reveal = () => {
    const named = index.runs.findIndex((line) => line.id === location.hash.slice(1));
    if (named >= most) {
      most = named + 1;
      list();
    }
    const made = shown.get((index.runs[named] || index.runs.find((line) => GOING.includes(line.status)) || {}).id);
    if (!made) return;
    made.open.click();
    if (named >= 0) made.row.scrollIntoView();
  };
  // Reads what is not over.
  const follow = () => {
    const going = index.runs.filter((line) => GOING.includes(line.status) || isGoing(lineOf(line.id))).slice(0, MOST_FOLLOWED);
    for (const line of going) loadRun(line.id);
    return going.length > 0;
  };
  let timer = null;
  const look = () => {
    clearTimeout(timer);
    let busy = false;
    if (!document.hidden) {
      load("runs-index.js");
      busy = follow();
    }
    timer = setTimeout(look, busy ? BUSY : IDLE);
  };
  let ticks = 0;
  setInterval(() => { // times go on between two looks
    if (document.hidden) return;
    ticks += 1;
    const every = ticks % 30 === 0; // how long ago something was
    for (const [id, made] of shown) if (made.row.isConnected && (every || isGoing(lineOf(id)))) draw(made);
    tell();
  }, 1000);
  const redraw = () => { for (const made of shown.values()) if (!made.panel.hidden && made.row.isConnected) drawPanel(made); };
  window.addEventListener("resize", redraw);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  const filter = () => { most = PART; list(); };
  byId("search").addEventListener("input", filter);
  byId("status").addEventListener("change", filter);
  byId("more").addEventListener("click", () => { most += PART; list(); });
  look();
})();
