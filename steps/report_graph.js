// What is shown of all models together: errors, times, and what came true.

const MOST_BARS = 40;
const WIDE_SPREAD = 20; // times; beyond it one axis of plain MAE shows the largest model only
const overview = read("overview");

const worst = (models, measure) => {
  if (models.length <= MOST_BARS) return models;
  return [...models].sort((a, b) => measure(b) - measure(a)).slice(0, MOST_BARS);
};

const drawErrors = () => {
  const measured = overview.filter((model) => known(model.mae));
  byId("mae-card").hidden = !measured.length;
  if (!measured.length) return;
  const share = (model) => (model.baseline > 0 ? model.mae / model.baseline : Infinity);
  const shown = worst(measured, share);
  const relative = document.querySelector("#scale :checked").value === "share";
  const scaled = (model, value) => {
    if (!known(value)) return null;
    if (!relative) return value;
    return model.baseline > 0 ? (100 * value) / model.baseline : null;
  };
  const places = shown.map((_, at) => at);
  const names = shown.map((model) => plotText(isolated(model.name)));
  const mark = (name, key, symbol, ink) => ({
    type: "scatter", mode: "markers", name: plotText(name), y: places, x: shown.map((model) => scaled(model, model[key])), text: names,
    marker: { symbol, color: colour(ink), size: 13, line: { width: 3, color: colour(ink) } },
    hovertemplate: `%{text}<br>${plotText(name)} %{x:.4~g}<extra></extra>`,
  });
  const arm = (model, key) => (known(model[key]) && scaled(model, model.mae) !== null ? Math.abs(scaled(model, model[key]) - scaled(model, model.mae)) : 0);
  const bars = () => ({
    type: "bar", orientation: "h", name: "MAE",
    error_x: { type: "data", symmetric: false, array: shown.map((model) => arm(model, "high")), arrayminus: shown.map((model) => arm(model, "low")),
      color: colour("ink"), thickness: 1.5, width: 3, visible: shown.some((model) => known(model.high)) },
    y: places, x: shown.map((model) => scaled(model, model.mae)), text: names,
    textposition: "none", hovertemplate: "%{text}<br>MAE %{x:.4~g}<extra></extra>", width: 0.6,
    marker: { color: shown.map((model) => colour(model.tone === "bad" ? "bar-bad" : "bar")) },
  });
  const missing = overview.length - measured.length;
  byId("mae-note").textContent = [
    say("Bar: MAE on held-out rows with its 95% interval (bootstrap over rows), red where the gate rejected it. Shorter is better."),
    shown.length < measured.length ? say("Shown are the {shown} of {all} models nearest to or beyond their baseline; the table has all.", { shown: shown.length, all: figure(measured.length) }) : "",
    missing ? say("Models without a measured MAE: {count}.", { count: figure(missing) }) : "",
  ].filter(Boolean).join(" ");
  const words = shown.slice(0, 10).map((model) =>
    say("{model} {mae}, threshold {threshold}, baseline {baseline}", { model: isolated(model.name), mae: figure(model.mae), threshold: figure(model.threshold), baseline: figure(model.baseline) }));
  chart(byId("mae"), say("MAE per model. {models}. All values are in the table of models.", { models: words.join("; ") }), () => [
    [bars(), mark(say("threshold"), "threshold", "line-ns-open", "limit"), mark(say("baseline"), "baseline", "diamond-open", "baseline")]
      .filter((trace) => trace.x.some(known)),
    layout(barsHeight(shown.length), { yaxis: named(shown.map((model) => model.name)),
      xaxis: axis(relative ? say("MAE in % of the baseline's") : "MAE", { rangemode: "tozero" }) }),
  ]);
};

const drawTimes = () => {
  const shown = worst(overview, (model) => model.fit + model.infer);
  const stack = (name, key, ink) => ({
    type: "bar", orientation: "h", name: plotText(name), y: shown.map((_, at) => at), x: shown.map((model) => model[key]),
    text: shown.map((model) => plotText(isolated(model.name))), textposition: "none", width: 0.6, marker: { color: colour(ink) },
    hovertemplate: `%{text}<br>${plotText(name)} %{x:.3~g} s<extra></extra>`,
  });
  const text = say("Seconds to fit and to predict, all models together: {fit} and {infer}.",
    { fit: figure(sum(overview.map((model) => model.fit))), infer: figure(sum(overview.map((model) => model.infer))) });
  const cut = shown.length < overview.length ? say("Shown are the {shown} of {all} models that took longest.", { shown: shown.length, all: figure(overview.length) }) : "";
  byId("time-note").textContent = [text, cut].filter(Boolean).join(" ");
  const worked = overview.some((model) => model.fit);
  chart(byId("time"), text, () => [
    [...(worked ? [stack(say("fit"), "fit", "bar")] : []), stack(say("inference"), "infer", "second")],
    layout(barsHeight(shown.length), { barmode: "stack", legend: { ...layout().legend, traceorder: "normal" }, showlegend: true,
      yaxis: named(shown.map((model) => model.name)), xaxis: axis(say("seconds")) }),
  ]);
};

// What came true: `pipelines.evaluate` puts realised.json into its slot of the page.

const VERDICTS = { worse: "bad", "too few rows": "none", within: "good", better: "good", "no promise": "none" };
const drawRealised = () => {
  const found = read("realised");
  if (!found) return;
  const order = Object.keys(VERDICTS);
  const segments = Object.entries(found.segments).sort(([, a], [, b]) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
  const ends = (low, high) => (known(low) && known(high) ? say("{low} to {high}", { low: figure(low), high: figure(high) }) : "–");
  const counts = order.map((verdict) => [verdict, segments.filter(([, one]) => one.verdict === verdict).length]).filter(([, count]) => count);
  const lines = segments.map(([name, one]) => [
    name,
    element("span", { class: `chip ${VERDICTS[one.verdict] || "none"}` }, say(one.verdict)),
    figure(one.mae), ends(one.mae_low, one.mae_high),
    figure(one.promised && one.promised.mae), one.promised ? ends(one.promised.low, one.promised.high) : "–",
    figure(one.bias), figure(one.rmse), figure(one.rows), figure(one.without_truth),
  ]);
  const heads = ["Model", "Verdict", "Realised MAE", "95% interval", "Promised MAE", "95% interval", "Bias", "RMSE", "Rows", "Without truth"];
  byId("came-true").append(
    element("p", {}, ...counts.flatMap(([verdict, count]) => [element("span", { class: `chip ${VERDICTS[verdict]}` }, say("{verdict}: {count}", { verdict: say(verdict), count: figure(count) })), " "])),
    element("p", { class: "note" }, say("The error once the truth was known, against the interval that the holdout had promised. Compared {rows} rows; {missing} have no truth yet, {unpredicted} rows of the file no prediction. Bias is the mean of prediction minus truth.",
      { rows: figure(found.rows), missing: figure(found.without_truth), unpredicted: figure(found.without_prediction) })),
    bareTable(say("What came true"), heads.map((head) => say(head)), lines));
  byId("came-true").hidden = false;
};
