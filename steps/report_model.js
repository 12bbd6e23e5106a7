// The details of one model: its charts and tables, made when it is opened.

const predictedChart = (holdout) => {
  const all = [...holdout.actual, ...holdout.predicted];
  const ends = [least(all), most(all)];
  return [
    [
      { type: "scatter", mode: "markers", x: holdout.actual, y: holdout.predicted, name: say("row"),
        marker: { color: colour("bar"), size: 5, opacity: 0.45 }, hovertemplate: `${say("actual")} %{x:.4~g}<br>${say("predicted")} %{y:.4~g}<extra></extra>` },
      { type: "scatter", mode: "lines", x: ends, y: ends, line: { color: colour("baseline"), dash: "dash", width: 1.5 }, hoverinfo: "skip" },
    ],
    layout(300, { showlegend: false, xaxis: axis(say("actual")), yaxis: axis(say("predicted")) }),
  ];
};
const residualChart = (bins) => [
  [{ type: "bar", x: middles(bins.edges), y: bins.counts, width: widths(bins.edges), marker: { color: colour("bar") },
    hovertemplate: `%{x:.3~g}<br>${say("rows")} %{y}<extra></extra>` }],
  layout(300, { bargap: 0.05, xaxis: axis(say("predicted − actual")), yaxis: axis(say("rows")) }),
];
const importanceChart = (pairs) => [
  [{ type: "bar", orientation: "h", x: pairs.map((pair) => pair[1]), y: pairs.map((_, at) => at), width: 0.65,
    text: pairs.map((pair) => plotText(isolated(pair[0]))), textposition: "none", marker: { color: colour("bar") },
    hovertemplate: "%{text}<br>%{x:.4~g}<extra></extra>" }],
  layout(Math.max(300, 60 + 20 * pairs.length), { yaxis: named(pairs.map((pair) => pair[0])), xaxis: axis(say("MAE added when shuffled")) }),
];
const speedChart = (lines, chosen, floor) => {
  const dots = (name, shown, ink, symbol, size) => ({
    type: "scatter", mode: "markers+text", name, x: shown.map((line) => line.rows_per_second), y: shown.map((line) => line.holdout_mae),
    text: shown.map((line) => plotText(shorten(line.model, 22))), textposition: "top center", textfont: { size: 11 }, cliponaxis: false,
    customdata: shown.map((line) => plotText(isolated(line.model))), marker: { color: colour(ink), symbol, size, line: { width: 1, color: colour("ink") } },
    hovertemplate: `%{customdata}<br>${say("rows/s")} %{x:,.4~r}<br>MAE %{y:.4~g}<extra></extra>`,
  });
  const traces = [dots(say("tried"), lines.filter((line) => line.model !== chosen), "bar", "circle", 9),
    dots(say("chosen"), lines.filter((line) => line.model === chosen), "second", "star", 15)];
  const rates = [...lines.map((line) => line.rows_per_second), ...(known(floor) ? [floor] : [])].map(Math.log10);
  const [low, high] = [least(rates), most(rates)];
  const room = Math.max(0.3, 0.15 * (high - low));
  const decades = Array.from({ length: Math.ceil(high + room) - Math.floor(low - room) + 1 }, (_, at) => 10 ** (Math.floor(low - room) + at));
  const ticks = decades.flatMap((decade) => (high - low > 1.2 ? [decade] : [decade, 2 * decade, 5 * decade]));
  const errors = lines.map((line) => line.holdout_mae);
  const [lowest, highest] = [least(errors), most(errors)];
  const gap = (highest - lowest) || Math.abs(highest) || 1; // the names above the dots need room too
  const line = { type: "line", x0: floor, x1: floor, y0: 0, y1: 1, yref: "paper", line: { color: colour("limit"), width: 1.5, dash: "dash" } };
  const label = { x: Math.log10(floor), y: 1, yref: "paper", text: plotText(say("floor")), showarrow: false, xanchor: "left", yanchor: "top", font: { color: colour("limit") } };
  return [traces.filter((trace) => trace.x.length), layout(300, {
    margin: { l: 10, r: 16, t: 24, b: 10 }, xaxis: axis(say("rows per second"), { type: "log", range: [low - room, high + room], tickvals: ticks, ticktext: ticks.map(figure) }),
    yaxis: axis(say("holdout MAE"), { range: [lowest - 0.15 * gap, highest + 0.25 * gap] }), ...(known(floor) ? { shapes: [line], annotations: [label] } : {}),
  })];
};
// Where nearly all of the rows are: one far outlier would squash the rest of the axis.
const bulk = ({ edges, counts }) => {
  const total = sum(counts);
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
    const total = sum(bins.counts);
    const density = widths(bins.edges).map((width, at) => (width > 0 ? bins.counts[at] / total / width : null));
    return { type: "scatter", mode: "lines", name, x: bins.edges, y: [...density, density[density.length - 1]],
      line: { shape: "hv", color: colour(ink), width: 2 }, fill: fill ? "tozeroy" : "none",
      hovertemplate: `${name}<br>%{x:.4~g}<extra></extra>` };
  };
  const lines = [label && line(label, say("labels in training"), "second", false), prediction && line(prediction, say("predictions"), "bar", true)];
  const ranges = [label, prediction].filter(Boolean).map(bulk);
  const range = [Math.min(...ranges.map((ends) => ends[0])), Math.max(...ranges.map((ends) => ends[1]))];
  return [lines.filter(Boolean), layout(300, { xaxis: axis(say("value"), { range }), yaxis: axis(say("density"), { showticklabels: false, rangemode: "tozero" }) })];
};

// Errors by the values of a feature

const binName = (bin) => {
  if (bin.null) return say("no value");
  if (known(bin.others)) return say("{count} others", { count: figure(bin.others) });
  if (known(bin.category)) return bin.category;
  const [low, high] = [bin.low, bin.high].map((end) => (typeof end === "number" ? figure(end) : end));
  return low === high ? low : say("{low} to {high}", { low, high });
};
const errorsChart = (bins, whole) => {
  const places = bins.map((_, at) => at);
  const bars = { type: "bar", orientation: "h", y: places, x: bins.map((bin) => bin.mae), width: 0.65, marker: { color: colour("bar") },
    error_x: { type: "data", array: bins.map((bin) => bin.half || 0), color: colour("ink"), thickness: 1.5, width: 3 },
    text: bins.map((bin) => plotText(isolated(binName(bin)))), textposition: "none", customdata: bins.map((bin) => [figure(bin.rows), figure(bin.bias)]),
    hovertemplate: `%{text}<br>MAE %{x:.4~g}<br>${say("rows")} %{customdata[0]}<br>${say("bias")} %{customdata[1]}<extra></extra>` };
  const line = { type: "line", x0: whole, x1: whole, y0: 0, y1: 1, yref: "paper", line: { color: colour("limit"), width: 1.5, dash: "dash" } };
  return [[bars], layout(Math.max(200, 60 + 28 * bins.length), { showlegend: false, shapes: [line], yaxis: named(bins.map(binName)), xaxis: axis("MAE", { rangemode: "tozero" }) })];
};
const errorsCard = ({ feature, bins }) => {
  const whole = sum(bins.map((bin) => bin.rows * bin.mae)) / sum(bins.map((bin) => bin.rows));
  const title = say("Error by {feature}", { feature: isolated(feature) });
  const worst = bins.reduce((a, b) => (b.mae > a.mae ? b : a));
  const note = say("Largest at {bin}: MAE {mae} on {rows} rows. The dashed line is the MAE of all {all} rows sampled.",
    { bin: isolated(binName(worst)), mae: figure(worst.mae), rows: figure(worst.rows), all: figure(sum(bins.map((bin) => bin.rows))) });
  const words = bins.map((bin) => say("{bin} {mae}", { bin: isolated(binName(bin)), mae: figure(bin.mae) }));
  const figures = element("details", {}, element("summary", {}, say("As a table")),
    bareTable(title, [feature, say("Rows"), "MAE", "±", say("Bias")], bins.map((bin) => [binName(bin), figure(bin.rows), figure(bin.mae), figure(bin.half), figure(bin.bias)])));
  return card(title, note, say("MAE by {feature}: {bins}.", { feature: isolated(feature), bins: words.join("; ") }), () => errorsChart(bins, whole), figures);
};

// Training rows beside rows to predict

const SIDES = [["training", "second"], ["predict", "bar"]];
const sideName = (side) => (side === "training" ? say("training") : say("to predict"));
const boxes = (shift) => [
  SIDES.map(([side, ink], at) => {
    const [low, first, middle, third, high] = shift[side];
    return { type: "box", orientation: "h", name: plotText(sideName(side)), y: [at], x: undefined, lowerfence: [low], q1: [first], median: [middle], q3: [third], upperfence: [high],
      line: { color: colour(ink), width: 2 }, fillcolor: "rgba(128,128,128,0.15)", width: 0.5, hoverinfo: "x" };
  }),
  layout(170, { showlegend: false, yaxis: named(SIDES.map(([side]) => sideName(side))), xaxis: axis("") }),
];
const shares = (shift) => [
  SIDES.map(([side, ink]) => ({ type: "bar", orientation: "h", name: plotText(sideName(side)), y: shift.categories.map((_, at) => at), x: shift[side].map((share) => 100 * share),
    text: shift.categories.map((name) => plotText(isolated(name))), textposition: "none", marker: { color: colour(ink) }, hovertemplate: `%{text}<br>${plotText(sideName(side))} %{x:.3~g}%<extra></extra>` })),
  layout(70 + 36 * shift.categories.length, { barmode: "group", yaxis: named(shift.categories), xaxis: axis(say("% of rows"), { rangemode: "tozero" }) }),
];
const shiftCard = (shift) => {
  const title = isolated(shift.name);
  if (shift.categories) {
    const words = shift.categories.map((name, at) => say("{category} {training} and {predict}", { category: isolated(name), training: percent(shift.training[at]), predict: percent(shift.predict[at]) }));
    return card(title, say("Share of rows by category"), say("Share of rows in training and to predict: {categories}.", { categories: words.join("; ") }), () => shares(shift));
  }
  const [before, after] = SIDES.map(([side]) => shift[side].map(figure));
  return card(title, say("Median {before} in training, {after} to predict", { before: before[2], after: after[2] }),
    say("From 5% to 95% of the rows: {low} to {high} in training, {from} to {to} to predict; medians {before} and {after}.",
      { low: before[0], high: before[4], from: after[0], to: after[4], before: before[2], after: after[2] }), () => boxes(shift));
};

// A model's detail

const qualityCharts = (detail) => {
  const { holdout, importances } = detail;
  const made = [];
  if (holdout) {
    const all = figure(holdout.rows);
    const some = holdout.actual.length < holdout.rows ? say("{some} of {all} rows, drawn at random", { some: figure(holdout.actual.length), all }) : say("{all} rows", { all });
    const [low, middle, high] = holdout.quantiles.map(figure);
    made.push(card(say("Predicted and actual, holdout"), say("{rows}; on the dashed line a prediction is exact", { rows: some }),
      say("Scatter of predicted against actual values of the holdout: {rows}.", { rows: some }), () => predictedChart(holdout)));
    made.push(card(say("Residuals, holdout"), say("Median {middle}; 90% lie between {low} and {high}. End bars hold the tails.", { low, middle, high }),
      say("Histogram of predicted minus actual: median {middle}, 90% between {low} and {high}.", { low, middle, high }), () => residualChart(holdout.residuals)));
  }
  if (importances.length) {
    made.push(card(say("Importances"), say("Features that matter most: {count}", { count: importances.length }),
      say("Importances: {features}.", { features: importances.slice(0, 5).map(([name, value]) => `${isolated(name)} ${figure(value)}`).join(", ") }), () => importanceChart(importances)));
  }
  return made;
};
const speedCard = ({ leaderboard, chosen, floor }) => {
  const timed = leaderboard.filter((line) => line.rows_per_second > 0 && known(line.holdout_mae));
  if (timed.length < 2) return [];
  const words = timed.slice(0, 8).map((line) => (line.model === chosen
    ? say("{model} (chosen) {mae} at {rate} rows/s", { model: line.model, mae: figure(line.holdout_mae), rate: figure(line.rows_per_second) })
    : say("{model} {mae} at {rate} rows/s", { model: line.model, mae: figure(line.holdout_mae), rate: figure(line.rows_per_second) })));
  const note = [
    say("Lower is more accurate, further right is faster."),
    known(timed[0].holdout_rows) ? say("Timed on {rows} holdout rows, with what one call and loading the model cost: on few rows all look slow.", { rows: figure(timed[0].holdout_rows) }) : "",
    known(floor) ? say("The dashed line is the floor, {floor} rows/s.", { floor: figure(floor) }) : "",
  ].filter(Boolean).join(" ");
  return [card(say("Accuracy and inference speed"), note,
    say("Holdout MAE against rows per second of the models tried: {models}. All are in the leaderboard.", { models: words.join("; ") }), () => speedChart(timed, chosen, floor))];
};
const labelCard = ({ label, prediction }) => (label || prediction
  ? [card(say("Predictions and training labels"), say("Should look alike if the data to predict resemble those of the training"),
    say("Distribution of the predictions beside that of the labels in training."), () => distributionChart(label, prediction))] : []);
const group = (title, note, cards) => (cards.length ? element("section", {}, title ? element("h3", { class: "group" }, title) : null, note ? element("p", { class: "note" }, note) : null, element("div", { class: "charts" }, ...cards)) : null);

const leaderboardTable = (lines, chosen) => (!lines.length ? null : table(say("Leaderboard"),
  ["Model", "Holdout MAE", "Validation MAE", "Fit s", "Predict s", "Rows/s"].map((head) => say(head)),
  lines.map((line) => [line.model === chosen ? say("{model} (chosen)", { model: line.model }) : line.model,
    ...["holdout_mae", "score_val", "fit_seconds", "predict_seconds", "rows_per_second"].map((key) => figure(line[key]))])));
const driftTable = ({ columns, note }) => (!columns.length && !note ? null : table(say("Drift, training rows to rows to predict"),
  ["Column", "PSI", "Null in training", "Null to predict", "Unseen categories"].map((head) => say(head)),
  columns.map(([name, psi, ...rates]) => [name, figure(psi), ...rates.map(percent)]), note));

const panel = (detail) => element("div", { class: "panel", role: "region", "aria-label": say("Details of {model}", { model: isolated(detail.name) }) },
  element("dl", { class: "facts" }, ...detail.facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
  detail.notes.length ? element("ul", { class: "warnings" }, ...detail.notes.map((note) => element("li", {}, note))) : null,
  group("", "", [...qualityCharts(detail), ...speedCard(detail), ...labelCard(detail)]),
  group(say("Error by the features that matter most"), say("MAE on a sample of the holdout, by values of a feature, with its 95% interval: where the model is good and where it is not."), detail.errors.map(errorsCard)),
  leaderboardTable(detail.leaderboard, detail.chosen),
  driftTable(detail.drift),
  group(say("Columns that moved most"), say("Of a number the box holds the middle half of the rows, the line 90% of them."), detail.shifts.map(shiftCard)),
  detail.unseen.length ? table(say("Categories that training never saw"), [say("Column"), say("Share of rows")], detail.unseen.map(([name, rate]) => [name, percent(rate)])) : null,
  detail.nulls.length ? table(say("Null rates far from training's"), [say("Column"), say("Training"), say("To predict")], detail.nulls.map(([name, before, after]) => [name, percent(before), percent(after)])) : null);
