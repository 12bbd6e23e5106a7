// The graph of an execution's steps: a list of nodes per layer, lines between them, and the critical path.
// Where a layer has more steps than fit side by side, those of a kind are one node.
"use strict";
const page = (() => {
  const element = (tag, properties = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  };
  const set = (node, value) => { if (node.textContent !== value) node.textContent = value; };
  const setClass = (node, value) => { if (node.className !== value) node.className = value; };
  const known = (value) => value !== null && value !== undefined;
  const lasting = (seconds) => {
    if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  };
  const TONES = { Succeeded: "good", Cached: "good", Degraded: "warn", Interrupted: "bad", Failed: "bad", Stopped: "bad",
    Executing: "busy", Starting: "busy" };
  const tone = (status) => (Object.hasOwn(TONES, status) ? TONES[status] : "none");
  // Sets a name's text so that a line may end where a word in it does.
  const setName = (node, name) => {
    if (node.textContent !== name) node.replaceChildren(...name.split(/(?<=[a-z])(?=[A-Z])|(?<=[-_])/).flatMap((part, at) => (at ? [element("wbr"), part] : [part])));
  };
  return { element, set, setClass, setName, known, lasting, tone };
})();

const runGraph = (() => {
  const { element, set, setClass, setName, known, lasting, tone } = page;
  const WIDTH = 112; // pixels of a node at least
  const SVG = "http://www.w3.org/2000/svg";
  const HEADS = ["Failed", "Stopped", "Interrupted", "Executing", "Starting"]; // what is told of several steps first
  const isDone = (status) => status === "Succeeded" || status === "Cached";

  // The chain of steps that took longest together: the run could not have been shorter with any number of machines.
  const critical = (steps, needs, took) => {
    const order = steps.map((_, at) => at).sort((one, other) => steps[one][2] - steps[other][2]);
    const total = [], before = [];
    const longest = (places) => places.reduce((one, other) => (one === null || total[other] > total[one] ? other : one), null);
    for (const at of order) {
      before[at] = longest((needs[at] || []).filter((need) => known(total[need])));
      total[at] = took[at] + (before[at] === null ? 0 : total[before[at]]);
    }
    const path = new Set(), last = longest(order);
    const seconds = last === null ? 0 : total[last];
    for (let at = last; at !== null && total[at] > 0; at = before[at]) path.add(at);
    return { path, before, seconds };
  };

  // Nodes per layer: key -> the places of its steps.
  const layersOf = (steps, width) => {
    const fits = Math.max(2, Math.floor(width / WIDTH)), layers = new Map();
    steps.forEach(([, , depth, status], at) => {
      if (status !== "Skipped") (layers.get(depth) || layers.set(depth, []).get(depth)).push(at);
    });
    return [...layers.entries()].sort(([one], [other]) => one - other).map(([, places]) => {
      const nodes = new Map();
      for (const at of places) {
        const name = steps[at][0], key = places.length > fits ? name.split("-", 1)[0] : name;
        (nodes.get(key) || nodes.set(key, []).get(key)).push(at);
      }
      return nodes;
    });
  };

  const stateOf = (statuses) => {
    const head = HEADS.find((status) => statuses.includes(status));
    if (head) return head;
    if (statuses.every(isDone)) return statuses.includes("Succeeded") ? "Succeeded" : "Cached";
    return statuses.some(isDone) ? "Executing" : statuses[0];
  };
  // What a node says of its steps; `ends` are those that began in this attempt: [start, end].
  const sayNode = (steps, places, span, early) => {
    const statuses = places.map((at) => steps[at][3]), state = stateOf(statuses), ends = places.map(span).filter(Boolean);
    const time = ends.length ? lasting(Math.max(...ends.map(([, end]) => end)) - Math.min(...ends.map(([start]) => start))) : "";
    if (places.length > 1) {
      const done = statuses.filter(isDone).length, failed = statuses.filter((status) => status === "Failed").length;
      return [state, [failed ? `${failed} failed` : "", done === places.length ? `✓ ${done}` : `${done} of ${places.length}`, time].filter(Boolean).join(" · ")];
    }
    if (state === "Cached") return [state, "✓ cached"];
    if (isDone(state)) return [state, early(places[0]) ? "✓ earlier" : `✓ ${time}`];
    return [state, [state === "Failed" ? "✗ failed" : state === "Executing" ? "▶" : state.toLowerCase(), time].filter(Boolean).join(" ")];
  };

  const line = (from, to, isCritical) => {
    const [x, y] = [from.offsetLeft + from.offsetWidth / 2, from.offsetTop + from.offsetHeight];
    const [toX, toY] = [to.offsetLeft + to.offsetWidth / 2, to.offsetTop - 1], half = (y + toY) / 2;
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", `M${x} ${y}C${x} ${half} ${toX} ${half} ${toX} ${toY}m-4 -5l4 5l4 -5`);
    if (isCritical) path.setAttribute("class", "critical");
    return path;
  };

  const make = () => {
    const lines = document.createElementNS(SVG, "svg");
    lines.setAttribute("aria-hidden", "true");
    const layers = element("ol"), note = element("p", { class: "note" });
    return { whole: element("div", { class: "graph" }, lines, layers), layers, lines, note, nodes: new Map(), shape: "", drawn: "" };
  };

  const build = (view, layers, about) => {
    view.nodes.clear();
    view.layers.replaceChildren(...layers.map((nodes) => element("li", {}, element("ul", {}, ...[...nodes.entries()].map(([key, places]) => {
      const name = element("b"), words = element("span"), hint = element("span", { class: "hidden" }), box = element("li", { class: "node" }, name, hint, words);
      setName(name, places.length > 1 ? `${key} ×${places.length}` : key);
      box.title = places.length > 1 ? `${places.length} steps` : about[places[0]] || key;
      view.nodes.set(key + places[0], { box, words, hint, places });
      return box;
    })))));
  };

  // Draws the graph anew as far as it differs; returns the critical path.
  const draw = (view, { steps, needs, about, span, early, width, seconds, isOver }) => {
    const layers = layersOf(steps, width);
    const shape = JSON.stringify(layers.map((nodes) => [...nodes.entries()].map(([key, places]) => [key, places.length])));
    if (view.shape !== shape) {
      view.shape = shape;
      build(view, layers, about);
    }
    const found = critical(steps, needs, steps.map((_, at) => { const times = span(at); return times ? times[1] - times[0] : 0; }));
    const at = [];
    for (const node of view.nodes.values()) {
      const [state, words] = sayNode(steps, node.places, span, early), isCritical = node.places.some((place) => found.path.has(place));
      for (const place of node.places) at[place] = node;
      setClass(node.box, `node ${tone(state)}${isCritical ? " critical" : ""}${state === "Waiting" || state === "Not run" ? " off" : ""}`);
      set(node.words, words);
      set(node.hint, `${state}${isCritical ? ", on the critical path" : ""}: `);
    }
    const drawn = `${shape} ${[...found.path]} ${view.whole.offsetWidth} ${view.whole.offsetHeight}`;
    if (view.drawn !== drawn) {
      view.drawn = drawn;
      drawLines(view, needs, at, found);
    }
    set(view.note, found.seconds ? `◆ Critical path${isOver ? "" : " so far"}: ${lasting(found.seconds)}${known(seconds) ? ` of ${lasting(seconds)}` : ""}${isOver ? "; more machines make no run shorter than that" : ""}.` : "");
    return found.path;
  };

  const drawLines = (view, needs, at, found) => {
    const made = new Map();
    needs.forEach((places, to) => {
      for (const from of places) {
        if (!at[from] || !at[to] || at[from] === at[to]) continue;
        const key = `${at[from].places[0]} ${at[to].places[0]}`, isCritical = found.path.has(to) && found.before[to] === from;
        if (isCritical || !made.has(key)) made.set(key, line(at[from].box, at[to].box, isCritical));
      }
    });
    view.lines.replaceChildren(...made.values());
  };

  return { make, draw };
})();
