// The report's behaviour: sort, search, open a model, draw charts when they come into view.
// Every text from the data goes in as a text node, or through plotText() into Plotly, which reads some markup.
"use strict";
(() => {
  const MOST_BARS = 40;
  const WIDE_SPREAD = 20; // times; beyond it one axis of plain MAE shows the largest model only
  const byId = (id) => document.getElementById(id);
  const read = (id) => JSON.parse(byId(id).textContent);
  const overview = read("overview");
  const body = byId("table").tBodies[0];
  const rows = [...body.rows];
  const details = new Map(); // row -> its detail row
  const drawn = new Map(); // element -> function that draws it, for a change of colours

  const element = (tag, properties = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  };
  const known = (value) => value !== null && value !== undefined;
  const formats = [new Intl.NumberFormat("en", { maximumSignificantDigits: 4 }), new Intl.NumberFormat("en", { maximumFractionDigits: 0 })];
  const figure = (value) => (known(value) ? formats[Math.abs(value) >= 1000 ? 1 : 0].format(value) : "–");
  const percent = (value) => `${figure(100 * value)}%`;
  const shorten = (text, most) => ([...text].length > most ? [...text].slice(0, most - 1).join("") + "…" : text);
  const plotText = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  // Charts -------------------------------------------------------------------------------------------------

  const axis = (title, more = {}) => ({
    title: { text: title, font: { size: 12 } }, gridcolor: colour("grid"), zerolinecolor: colour("line"),
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
      drawn.get(entry.target)();
    }
  }, { rootMargin: "200px" });

  // `make` returns [traces, layout]; `text` says in words what the chart shows.
  const chart = (target, text, make) => {
    target.setAttribute("role", "img");
    target.setAttribute("aria-label", text);
    drawn.set(target, () => Plotly.react(target, ...make(), options));
    seen.observe(target);
  };
  const named = (models) => axis("", {
    tickvals: models.map((_, at) => at), ticktext: models.map((model) => plotText(shorten(model.name, 24))),
    range: [models.length - 0.4, -0.6], showgrid: false, zeroline: false,
  });
  const barsHeight = (models) => Math.max(220, 90 + 30 * models.length);
  const worst = (models, measure) => {
    if (models.length <= MOST_BARS) return models;
    return [...models].sort((a, b) => measure(b) - measure(a)).slice(0, MOST_BARS);
  };
  const only = (shown, all, which) =>
    shown.length < all.length ? `The ${shown.length} of ${figure(all.length)} models ${which}; the table has all.` : "";

  const drawErrors = () => {
    const measured = overview.filter((model) => known(model.mae));
    const share = (model) => (model.baseline > 0 ? model.mae / model.baseline : Infinity);
    const shown = worst(measured, share);
    const relative = document.querySelector("#scale :checked").value === "share";
    const scaled = (model, value) => {
      if (!known(value)) return null;
      if (!relative) return value;
      return model.baseline > 0 ? (100 * value) / model.baseline : null;
    };
    const places = shown.map((_, at) => at);
    const names = shown.map((model) => plotText(model.name));
    const mark = (name, key, symbol, ink) => ({
      type: "scatter", mode: "markers", name, y: places, x: shown.map((model) => scaled(model, model[key])), text: names,
      marker: { symbol, color: colour(ink), size: 13, line: { width: 3, color: colour(ink) } },
      hovertemplate: `%{text}<br>${name} %{x:.4~g}<extra></extra>`,
    });
    const arm = (model, key) => (known(model[key]) && scaled(model, model.mae) !== null ? Math.abs(scaled(model, model[key]) - scaled(model, model.mae)) : 0);
    const bars = {
      type: "bar", orientation: "h", name: "MAE",
      error_x: { type: "data", symmetric: false, array: shown.map((model) => arm(model, "high")), arrayminus: shown.map((model) => arm(model, "low")),
        color: colour("ink"), thickness: 1.5, width: 3, visible: shown.some((model) => known(model.high)) }, y: places, x: shown.map((model) => scaled(model, model.mae)), text: names,
      textposition: "none", hovertemplate: "%{text}<br>MAE %{x:.4~g}<extra></extra>", width: 0.6,
      marker: { color: shown.map((model) => colour(model.tone === "bad" ? "bar-bad" : "bar")) },
    };
    const missing = overview.length - measured.length;
    byId("mae-note").textContent = [
      "Bar: MAE on held-out rows with its 95% interval (bootstrap over rows), red where the gate rejected it. Shorter is better.",
      only(shown, measured, "nearest to or beyond their baseline"),
      missing ? `${figure(missing)} without a measured MAE.` : "",
    ].join(" ");
    const words = shown.slice(0, 10).map((model) =>
      `${model.name} ${figure(model.mae)}, threshold ${figure(model.threshold)}, baseline ${figure(model.baseline)}`);
    chart(byId("mae"), `MAE per model. ${words.join("; ")}. All values are in the table of models.`, () => [
      [bars, mark("threshold", "threshold", "line-ns-open", "limit"), mark("baseline", "baseline", "diamond-open", "baseline")]
        .filter((trace) => trace.x.some(known)),
      layout(barsHeight(shown), { yaxis: named(shown), xaxis: axis(relative ? "MAE in % of the baseline's" : "MAE", { rangemode: "tozero" }) }),
    ]);
  };

  const drawTimes = () => {
    const total = (model) => model.fit + model.infer;
    const shown = worst(overview, total);
    const stack = (name, key, ink) => ({
      type: "bar", orientation: "h", name, y: shown.map((_, at) => at), x: shown.map((model) => model[key]),
      text: shown.map((model) => plotText(model.name)), textposition: "none", width: 0.6, marker: { color: colour(ink) },
      hovertemplate: `%{text}<br>${name} %{x:.3~g} s<extra></extra>`,
    });
    const sum = (key) => figure(overview.reduce((all, model) => all + model[key], 0));
    const text = `Seconds to fit and to predict: ${sum("fit")} and ${sum("infer")}, all models together.`;
    byId("time-note").textContent = `${text} ${only(shown, overview, "that took longest")}`;
    chart(byId("time"), text, () => [
      [stack("fit", "fit", "bar"), stack("inference", "infer", "second")],
      layout(barsHeight(shown), { barmode: "stack", legend: { ...layout().legend, traceorder: "normal" }, yaxis: named(shown), xaxis: axis("seconds") }),
    ]);
  };

  const middles = (edges) => edges.slice(1).map((edge, at) => (edge + edges[at]) / 2);
  const widths = (edges) => edges.slice(1).map((edge, at) => edge - edges[at]);

  const predictedChart = (holdout) => {
    const all = [...holdout.actual, ...holdout.predicted];
    const ends = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
    return [
      [
        { type: "scatter", mode: "markers", x: holdout.actual, y: holdout.predicted, name: "row",
          marker: { color: colour("bar"), size: 5, opacity: 0.45 }, hovertemplate: "actual %{x:.4~g}<br>predicted %{y:.4~g}<extra></extra>" },
        { type: "scatter", mode: "lines", x: ends, y: ends, line: { color: colour("baseline"), dash: "dash", width: 1.5 }, hoverinfo: "skip" },
      ],
      layout(300, { showlegend: false, xaxis: axis("actual"), yaxis: axis("predicted") }),
    ];
  };
  const residualChart = (bins) => [
    [{ type: "bar", x: middles(bins.edges), y: bins.counts, width: widths(bins.edges), marker: { color: colour("bar") },
      hovertemplate: "%{x:.3~g}<br>%{y} rows<extra></extra>" }],
    layout(300, { bargap: 0.05, xaxis: axis("predicted − actual"), yaxis: axis("rows") }),
  ];
  const importanceChart = (pairs) => [
    [{ type: "bar", orientation: "h", x: pairs.map((pair) => pair[1]), y: pairs.map((_, at) => at), width: 0.65,
      text: pairs.map((pair) => plotText(pair[0])), textposition: "none", marker: { color: colour("bar") },
      hovertemplate: "%{text}<br>%{x:.4~g}<extra></extra>" }],
    layout(Math.max(300, 60 + 20 * pairs.length), { yaxis: named(pairs.map((pair) => ({ name: pair[0] }))), xaxis: axis("MAE added when shuffled") }),
  ];
  const speedChart = (lines, chosen, floor) => {
    const named = (line) => plotText(line.model);
    const dots = (name, shown, ink, symbol, size) => ({
      type: "scatter", mode: "markers+text", name, x: shown.map((line) => line.rows_per_second), y: shown.map((line) => line.holdout_mae),
      text: shown.map((line) => plotText(shorten(line.model, 22))), textposition: "top center", textfont: { size: 11 }, cliponaxis: false,
      customdata: shown.map(named), marker: { color: colour(ink), symbol, size, line: { width: 1, color: colour("ink") } },
      hovertemplate: "%{customdata}<br>%{x:,.4~r} rows/s<br>MAE %{y:.4~g}<extra></extra>",
    });
    const traces = [dots("tried", lines.filter((line) => line.model !== chosen), "bar", "circle", 9),
      dots("chosen", lines.filter((line) => line.model === chosen), "second", "star", 15)];
    const rates = [...lines.map((line) => line.rows_per_second), ...(known(floor) ? [floor] : [])].map(Math.log10);
    const [low, high] = [rates.reduce((a, b) => Math.min(a, b)), rates.reduce((a, b) => Math.max(a, b))];
    const room = Math.max(0.3, 0.15 * (high - low));
    const decades = Array.from({ length: Math.ceil(high + room) - Math.floor(low - room) + 1 }, (_, at) => 10 ** (Math.floor(low - room) + at));
    const ticks = decades.flatMap((decade) => (high - low > 1.2 ? [decade] : [decade, 2 * decade, 5 * decade]));
    const errors = lines.map((line) => line.holdout_mae);
    const [least, most] = [errors.reduce((a, b) => Math.min(a, b)), errors.reduce((a, b) => Math.max(a, b))];
    const gap = (most - least) || Math.abs(most) || 1; // the names above the dots need room too
    const line = { type: "line", x0: floor, x1: floor, y0: 0, y1: 1, yref: "paper", line: { color: colour("limit"), width: 1.5, dash: "dash" } };
    const label = { x: Math.log10(floor), y: 1, yref: "paper", text: "floor", showarrow: false, xanchor: "left", yanchor: "top", font: { color: colour("limit") } };
    return [traces.filter((trace) => trace.x.length), layout(300, {
      margin: { l: 10, r: 16, t: 24, b: 10 }, xaxis: axis("rows per second", { type: "log", range: [low - room, high + room], tickvals: ticks, ticktext: ticks.map(figure) }),
      yaxis: axis("holdout MAE", { range: [least - 0.15 * gap, most + 0.25 * gap] }), ...(known(floor) ? { shapes: [line], annotations: [label] } : {}),
    })];
  };
  // Where nearly all of the rows are: one far outlier would squash the rest of the axis.
  const bulk = ({ edges, counts }) => {
    const total = counts.reduce((a, b) => a + b, 0);
    let before = 0;
    const inside = counts.map((count) => {
      const after = before + count;
      const wanted = after > 0.002 * total && before < 0.998 * total;
      before = after;
      return wanted;
    });
    return [edges[inside.indexOf(true)], edges[inside.lastIndexOf(true) + 1]];
  };
  const distributionChart = (label, prediction) => {
    const line = (bins, name, ink, fill) => {
      const total = bins.counts.reduce((a, b) => a + b, 0);
      const density = widths(bins.edges).map((width, at) => (width > 0 ? bins.counts[at] / total / width : null));
      return { type: "scatter", mode: "lines", name, x: bins.edges, y: [...density, density[density.length - 1]],
        line: { shape: "hv", color: colour(ink), width: 2 }, fill: fill ? "tozeroy" : "none",
        hovertemplate: `${name}<br>%{x:.4~g}<extra></extra>` };
    };
    const lines = [label && line(label, "labels in training", "second", false), prediction && line(prediction, "predictions", "bar", true)];
    const ranges = [label, prediction].filter(Boolean).map(bulk);
    const range = [Math.min(...ranges.map((ends) => ends[0])), Math.max(...ranges.map((ends) => ends[1]))];
    return [lines.filter(Boolean), layout(300, { xaxis: axis("value", { range }), yaxis: axis("density", { showticklabels: false, rangemode: "tozero" }) })];
  };

  // A model's detail -----------------------------------------------------------------------------------------

  const card = (title, note, text, make) => {
    const target = element("div", { class: "chart" });
    chart(target, text, make);
    return element("section", { class: "card" }, element("h3", {}, title), element("p", { class: "note" }, note), target);
  };
  const table = (title, heads, lines, note = "") => element("section", { class: "card" }, element("h3", {}, title),
    note ? element("p", { class: "note" }, note) : null,
    element("div", { class: "scroll", role: "region", "aria-label": title, tabindex: "0" },
      element("table", { class: "plain" },
        element("thead", {}, element("tr", {}, ...heads.map((head, at) => element("th", { scope: "col", class: at ? "number" : "" }, head)))),
        element("tbody", {}, ...lines.map((line) => element("tr", {}, ...line.map((cell, at) => element("td", { class: at ? "number" : "" }, cell))))))));

  const charts = (detail) => {
    const { holdout, importances, label, prediction, chosen, floor } = detail;
    const made = [];
    if (holdout) {
      const some = holdout.actual.length < holdout.rows ? `${figure(holdout.actual.length)} of ${figure(holdout.rows)} rows, drawn at random` : `${figure(holdout.rows)} rows`;
      const [low, middle, high] = holdout.quantiles.map(figure);
      made.push(card("Predicted and actual, holdout", `${some}; on the dashed line a prediction is exact`,
        `Scatter of predicted against actual values of ${some} of the holdout.`, () => predictedChart(holdout)));
      made.push(card("Residuals, holdout", `Median ${middle}; 90% lie between ${low} and ${high}. End bars hold the tails.`,
        `Histogram of predicted minus actual: median ${middle}, 90% between ${low} and ${high}.`, () => residualChart(holdout.residuals)));
    }
    if (importances.length) {
      made.push(card("Importances", `The ${importances.length} features that matter most`,
        `Importances: ${importances.slice(0, 5).map(([name, value]) => `${name} ${figure(value)}`).join(", ")}.`, () => importanceChart(importances)));
    }
    const timed = detail.leaderboard.filter((line) => line.rows_per_second > 0 && known(line.holdout_mae));
    if (timed.length > 1) {
      const words = timed.slice(0, 8).map((line) => `${line.model}${line.model === chosen ? " (chosen)" : ""} ${figure(line.holdout_mae)} at ${figure(line.rows_per_second)} rows/s`);
      const bound = known(floor) ? ` The dashed line is the floor, ${figure(floor)} rows/s.` : "";
      made.push(card("Accuracy and inference speed", `Lower is more accurate, further right is faster. Timed on ${known(timed[0].holdout_rows) ? `${figure(timed[0].holdout_rows)} ` : ""}holdout rows, with what one call and loading the model cost: on few rows all look slow.${bound}`,
        `Holdout MAE against rows per second of the models tried: ${words.join("; ")}.${bound} All are in the leaderboard.`, () => speedChart(timed, chosen, floor)));
    }
    if (label || prediction) {
      made.push(card("Predictions and training labels", "Should look alike if the data to predict resemble those of the training",
        "Distribution of the predictions beside that of the labels in training.", () => distributionChart(label, prediction)));
    }
    return made.length ? element("div", { class: "charts" }, ...made) : null;
  };
  const leaderboard = (lines, chosen) => !lines.length ? null : table("Leaderboard",
    ["Model", "Holdout MAE", "Validation MAE", "Fit s", "Predict s", "Rows/s"],
    lines.map((line) => [line.model + (line.model === chosen ? " (chosen)" : ""),
      ...["holdout_mae", "score_val", "fit_seconds", "predict_seconds", "rows_per_second"].map((key) => figure(line[key]))]));

  const drift = ({ columns, note }) => (!columns.length && !note ? null : table("Drift, training rows to rows to predict",
    ["Column", "PSI", "Null in training", "Null to predict", "Unseen categories"],
    columns.map(([name, psi, ...rates]) => [name, figure(psi), ...rates.map((rate) => (known(rate) ? percent(rate) : "–"))]), note));

  const panel = (detail) => element("div", { class: "panel", role: "region", "aria-label": `Details of ${detail.name}` },
    element("dl", { class: "facts" }, ...detail.facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
    detail.notes.length ? element("ul", { class: "warnings" }, ...detail.notes.map((note) => element("li", {}, note))) : null,
    charts(detail),
    leaderboard(detail.leaderboard, detail.chosen),
    drift(detail.drift),
    detail.unseen.length ? table("Categories that training never saw", ["Column", "Share of rows"], detail.unseen.map(([name, rate]) => [name, percent(rate)])) : null,
    detail.nulls.length ? table("Null rates far from training's", ["Column", "Training", "To predict"], detail.nulls.map(([name, a, b]) => [name, percent(a), percent(b)])) : null);

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

  // Sort and search ------------------------------------------------------------------------------------------

  const place = () => body.append(...rows.flatMap((row) => (details.has(row) ? [row, details.get(row)] : [row])));
  const sort = (head, at) => {
    const descending = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const sign = descending ? -1 : 1;
    const text = head.dataset.kind === "text";
    const key = new Map(rows.map((row) => [row, text ? row.cells[at].textContent.trim() : row.cells[at].dataset.value]));
    const collator = new Intl.Collator(undefined, { numeric: true });
    rows.sort((a, b) => {
      const [left, right] = [key.get(a), key.get(b)];
      if (left === "" || right === "") return (left === "") - (right === ""); // what has no value stays last
      return sign * (text ? collator.compare(left, right) : left - right);
    });
    place();
  };
  const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const filter = () => {
    const wanted = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const served = byId("served").value;
    let shown = 0;
    for (const row of rows) {
      row.hidden = !(wanted.every((word) => words.get(row).includes(word)) && (!served || row.dataset.served === served));
      shown += row.hidden ? 0 : 1;
      if (details.has(row)) details.get(row).hidden = row.hidden || row.querySelector(".open").getAttribute("aria-expanded") !== "true";
    }
    byId("count").textContent = shown === rows.length ? `${figure(shown)} in all` : `${figure(shown)} of ${figure(rows.length)}`;
  };
  const measure = () => {
    const scroll = document.querySelector("#models .scroll");
    const inset = parseFloat(getComputedStyle(scroll).paddingLeft) * 2;
    byId("table").style.setProperty("--seen", `${scroll.clientWidth - inset}px`);
  };

  [...byId("table").tHead.rows[0].cells].forEach((head, at) => {
    const button = element("button", { type: "button" }, head.textContent);
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
  window.addEventListener("resize", measure);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const [target, draw] of drawn) if (target.isConnected && target.classList.contains("js-plotly-plot")) draw();
  });

  const errors = overview.map((model) => model.mae).filter((mae) => mae > 0);
  const spread = errors.length ? errors.reduce((a, b) => Math.max(a, b)) / errors.reduce((a, b) => Math.min(a, b)) : 1;
  document.querySelector(`#scale [value="${spread > WIDE_SPREAD ? "share" : "mae"}"]`).checked = true;
  measure();
  filter();
  drawErrors();
  drawTimes();
})();
