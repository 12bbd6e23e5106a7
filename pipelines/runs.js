// The page of all runs: shows the index, opens an execution, and reads again what is not over.
// A page from file:// may not fetch, so data come as scripts that call runsPage with one JSON text, inserted anew with
// another query each time. Every text goes in as a text node, every link is checked to lead below this folder.
"use strict";
(() => {
  const BUSY = 1500, IDLE = 5000; // milliseconds between two looks at the disk
  const SILENT = 20; // seconds without a sign of life after which a run counts as interrupted
  const MOST_NODES = 30; // steps of the graph by name; more are counted by kind
  const MOST_FOLLOWED = 5;
  const byId = (id) => document.getElementById(id);
  const shown = new Map(); // id -> what is on the page of it
  const runs = new Map(); // id -> its run.js
  const text = new Map(); // source -> the text that came last: nothing is drawn again that is the same
  let index = { runs: [], total: 0 };

  const element = (tag, properties = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  };
  const set = (node, value) => { if (node.textContent !== value) node.textContent = value; };
  const known = (value) => value !== null && value !== undefined;
  const isId = (id) => typeof id === "string" && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id);
  const isPlace = (place) => typeof place === "string" && /^(s3|executions)\/[A-Za-z0-9._~%/-]+$/.test(place) && !place.split("/").includes("..");
  const link = (place, words, label) => (isPlace(place) ? element("a", { href: place, ...(label ? { "aria-label": label } : {}) }, words) : null);
  const now = () => Date.now() / 1000;
  const clock = (seconds) => new Date(1000 * seconds).toLocaleTimeString();
  const lasting = (seconds) => {
    if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  };
  const ago = (seconds) => {
    if (seconds < 60) return "just now";
    const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
    const [name, size] = units.find(([, size]) => seconds >= size);
    const count = Math.floor(seconds / size);
    return `${count} ${name}${count === 1 ? "" : "s"} ago`;
  };
  const TONES = { Succeeded: "good", Cached: "good", Degraded: "warn", Interrupted: "bad", Failed: "bad", Stopped: "bad",
    Executing: "busy", Starting: "busy" };
  const tone = (status) => (Object.hasOwn(TONES, status) ? TONES[status] : "none");
  const chip = (node, status) => {
    set(node, status);
    const wanted = `chip ${tone(status)}`;
    if (node.className !== wanted) node.className = wanted;
  };

  // What is known of an execution

  const GOING = ["Executing", "Waiting"];
  // The line of an execution: its own run.js is newer than the index while it runs and just after.
  const lineOf = (id) => {
    const line = index.runs.find((one) => one.id === id);
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
        load(`executions/${id}/run.js`);
        drawPanel(made);
      }
      history.replaceState(null, "", opened ? `#${id}` : location.pathname + location.search);
    });
    return made;
  };

  const models = (line) => {
    if (!known(line.passed)) return "–";
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
    if (made.status && made.status !== line.status) set(byId("said"), `${line.pipeline} ${line.id}: ${line.status}`);
    made.status = line.status;
    made.words = `${line.pipeline} ${line.id} ${line.status} ${line.cause} ${line.raw} ${line.error}`.toLowerCase();
    if (!made.panel.hidden) drawPanel(made);
  };

  // An execution's steps

  const graphOf = (steps) => {
    const used = steps.filter((step) => step[3] !== "Skipped" && step[3] !== "Not run");
    const all = used.length ? used : steps;
    const named = all.length <= MOST_NODES;
    const columns = new Map();
    for (const [name, , depth, status] of all) {
      const nodes = columns.get(depth) || columns.set(depth, new Map()).get(depth);
      const key = named ? name : name.split("-", 1)[0];
      const node = nodes.get(key) || nodes.set(key, { count: 0, done: 0, statuses: new Set() }).get(key);
      node.count += 1;
      node.done += Number(["Succeeded", "Cached"].includes(status));
      node.statuses.add(status);
    }
    return [...columns.entries()].sort(([a], [b]) => a - b).map(([, nodes]) => nodes);
  };
  const stateOf = (node) => {
    const first = ["Failed", "Stopped", "Interrupted", "Executing", "Starting"].find((status) => node.statuses.has(status));
    if (first) return first;
    if (node.done === node.count) return node.statuses.has("Succeeded") ? "Succeeded" : "Cached";
    return node.done ? "Executing" : "Waiting";
  };
  const drawGraph = (target, steps) => {
    const columns = graphOf(steps).map((nodes) => element("li", {}, element("ul", {}, ...[...nodes.entries()].map(([name, node]) => {
      const state = stateOf(node);
      const words = node.count > 1 ? `${node.done} of ${node.count} done` : state;
      return element("li", { class: `node ${tone(state)}${state === "Waiting" ? " off" : ""}` }, element("b", {}, name), words);
    }))));
    target.replaceChildren(...columns);
  };

  const makePanel = (made, count) => {
    const fault = element("p", { class: "fault bad" }), next = element("pre", { tabindex: "0", role: "group", "aria-label": "Command" });
    const facts = element("p", { class: "note" }), graph = element("ol", { class: "graph" });
    const body = element("tbody");
    const heads = [["Step"], ["State"], ["Time", "number"], ["When", "when"], ["Log"]];
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads.map(([title, kind]) => element("th", { scope: "col", ...(kind ? { class: kind } : {}) }, title)))), body);
    const rows = Array.from({ length: count }, () => {
      const cells = { name: element("th", { scope: "row" }), chip: element("span", { class: "chip" }), reason: element("small"), took: element("td", { class: "number" }),
        bar: element("i"), lane: element("div", { class: "lane", "aria-hidden": "true" }), log: element("td") };
      cells.lane.append(cells.bar);
      body.append(element("tr", {}, cells.name, element("td", {}, cells.chip, cells.reason), cells.took, element("td", { class: "when" }, cells.lane), cells.log));
      return cells;
    });
    made.panel.replaceChildren(facts, fault, next,
      element("div", {}, element("h3", {}, "Graph"), element("div", { class: "scroll", role: "region", "aria-label": "Graph of the steps", tabindex: "0" }, graph)),
      element("div", { class: "scroll", role: "region", "aria-label": "Table of the steps", tabindex: "0" }, table));
    return { fault, next, facts, graph, rows, count };
  };

  const drawPanel = (made) => {
    const run = runs.get(made.id), line = lineOf(made.id);
    if (!run) {
      set(made.panel, "The steps of this execution are not kept on this page: python -m pipelines.run --local --status " + made.id);
      made.parts = null;
      return;
    }
    if (!made.parts || made.parts.count !== run.steps.length) made.parts = makePanel(made, run.steps.length);
    const { fault, next, facts, graph, rows } = made.parts;
    set(facts, `Raw data ${line.raw}. ${progress(run)} done.`);
    const silent = line.status === "Interrupted" ? `No sign of life since ${clock(run.beat)}: the engine has ended, or the machine sleeps. ` : "";
    set(fault, silent + (line.error || ""));
    fault.hidden = !fault.textContent;
    set(next, line.next || "");
    next.hidden = !line.next;
    const steps = line.status === "Interrupted" ? run.steps.map((step) => (tone(step[3]) === "busy" ? [...step.slice(0, 3), "Interrupted", ...step.slice(4)] : step)) : run.steps;
    const key = JSON.stringify(steps.map((step) => step[3]));
    if (made.graph !== key) {
      made.graph = key;
      drawGraph(graph, steps);
    }
    drawSteps(rows, steps, isGoing(line) && line.status !== "Interrupted" ? now() : run.beat);
  };

  const drawSteps = (rows, steps, until) => {
    const starts = steps.map((step) => step[4]).filter(known);
    const end = (step) => (known(step[5]) ? step[4] + step[5] : tone(step[3]) === "busy" ? until : step[4]);
    // what was kept or taken over ran before: only steps of the newest hours share the scale
    const first = Math.min(...starts), last = Math.max(first + 0.1, ...steps.filter((step) => known(step[4])).map(end));
    steps.forEach((step, at) => {
      const [name, , , status, start, , reason, log] = step, cells = rows[at];
      set(cells.name, name);
      chip(cells.chip, status);
      set(cells.reason, reason);
      cells.reason.hidden = !reason;
      set(cells.took, known(start) ? lasting(end(step) - start) : "");
      cells.bar.hidden = !known(start);
      if (known(start)) {
        cells.lane.className = `lane ${tone(status)}`;
        cells.bar.style.left = `${(97 * (start - first)) / (last - first)}%`;
        cells.bar.style.width = `${Math.max(0.5, (97 * (end(step) - start)) / (last - first))}%`;
      }
      if (cells.place !== log) {
        cells.place = log;
        const made = link(log, "Log", `Log of ${name}`);
        cells.log.replaceChildren(...(made ? [made] : []));
      }
    });
  };

  // Search

  const filter = () => {
    const wanted = byId("search").value.trim().toLowerCase(), status = byId("status").value;
    let count = 0;
    for (const { id } of index.runs) {
      const made = shown.get(id);
      const fits = made.words.includes(wanted) && (!status || made.status === status);
      if (made.row.hidden === fits) made.row.hidden = !fits;
      count += Number(fits);
    }
    const more = index.total > index.runs.length ? ` (the newest ${index.runs.length} of ${index.total})` : "";
    set(byId("count"), `${count} of ${index.runs.length}${more}`);
    byId("empty").hidden = count > 0;
  };
  const offer = () => {
    const select = byId("status"), statuses = [...new Set([...shown.values()].map((made) => made.status))].sort();
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

  const render = () => {
    const ids = new Set(index.runs.map((line) => line.id));
    for (const [id, made] of shown) if (!ids.has(id)) { made.row.remove(); shown.delete(id); runs.delete(id); }
    index.runs.forEach((line, at) => {
      if (!shown.has(line.id)) shown.set(line.id, makeRun(line.id));
      const made = shown.get(line.id), list = byId("list");
      if (list.children[at] !== made.row) list.insertBefore(made.row, list.children[at] || null);
      draw(made);
    });
    offer();
    filter();
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
  window.runsPage = (given) => {
    const found = JSON.parse(given);
    const source = found.kind === "index" ? "index" : found.line.id;
    if (text.get(source) === given) return;
    text.set(source, given);
    if (found.kind === "index") {
      const first = !shown.size;
      index = { ...found, runs: found.runs.filter((line) => isId(line.id)) };
      render();
      if (first) reveal();
      follow();
    } else if (isId(found.line.id)) {
      runs.set(found.line.id, found);
      if (shown.has(found.line.id)) {
        draw(shown.get(found.line.id));
        offer();
        filter();
      }
    }
  };
  // Opens what the address names, or what runs.
  const reveal = () => {
    const made = shown.get(location.hash.slice(1)) || shown.get((index.runs.find((line) => GOING.includes(line.status)) || {}).id);
    if (made) made.open.click();
  };
  // Reads what is not over.
  const follow = () => {
    const going = index.runs.filter((line) => GOING.includes(line.status) || isGoing(lineOf(line.id))).slice(0, MOST_FOLLOWED);
    for (const line of going) load(`executions/${line.id}/run.js`);
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
  setInterval(() => { // times go on between two looks
    if (document.hidden) return;
    for (const line of index.runs) if (isGoing(lineOf(line.id))) draw(shown.get(line.id));
    tell();
  }, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  byId("search").addEventListener("input", filter);
  byId("status").addEventListener("change", filter);
  look();
})();
