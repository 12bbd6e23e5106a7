"""`report.html`: the run as one self-contained page, verdict first, details of each model on demand.

PostProcess calls `render` with what `summary` found. The page asks for nothing outside itself: style, script, data
and the chart library are inside, and its content security policy forbids the rest. Every text is data here: Jinja
escapes it in markup, `_embedded` in JSON, and the script writes text nodes only. It publishes nothing.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import plotly.offline
import pyarrow.parquet
from markupsafe import Markup

from steps import contract, job, shift, speed, summary

_parquet: Any = pyarrow.parquet  # pyarrow has type information for a part of itself only

POINTS = 2_000
"""Points of a model's predicted-vs-actual plot; fewer per model where there are many models."""
ALL_POINTS = 150_000
"""Points of all models together, so that the page stays small with 1,000 of them."""
IMPORTANCES = 15
_NAMED = 5
_NULL_SHIFT = 0.1
"""A null rate this far from training's is worth a line."""
_FILES = 50
_SURROUNDINGS = "Add the --config, --env and --workspace that this run was started with, if any:"
_ABSENT = "–"

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Published:
    """What lies beside the report: the data set's files, and the CSV's name or None."""

    files: tuple[str, ...]
    csv: str | None


def render(run: summary.Run, found: Json, published: Published, local: bool) -> str:
    """Return the report of a run as HTML; `local` says whose commands to show, this machine's or AWS's."""
    return _template().render(
        found=found,
        tone=_tone(run),
        published=published,
        advice=_advice(run, local),
        tiles=_tiles(run, found),
        rows=[_row(model) for model in run.models],
        overview=_embedded([_overview(model) for model in run.models]),
        details=_details(run),
        data=run,
        files=[("training", run.train_data), ("prediction", run.predict_data)],
        most_files=_FILES,
        versions=_versions(run),
        artifacts=[_artifact(model) for model in run.models],
        plotly=_script(plotly.offline.get_plotlyjs()),
    )


def figure(value: float | None) -> str:
    """Return a number for people: four significant digits, thousands separated, a dash for none."""
    if value is None:
        return _ABSENT
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def interval(verdict: Json) -> str:
    """Return both ends of the MAE's interval for people, nothing where it is not known."""
    low, high = verdict.get("mae_low"), verdict.get("mae_high")
    return "" if low is None or high is None else f"{figure(low)} to {figure(high)}"


def percent(value: float | None) -> str:
    """Return a percentage with one decimal, a dash for none."""
    return _ABSENT if value is None else f"{value:,.1f}%"


def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters.update(figure=figure, percent=percent)
    environment.globals["style"] = Markup(_beside("css"))  # noqa: S704 - our own files, not data
    environment.globals["script"] = _script(_beside("js"))
    return environment.from_string(_beside("html"))


def _beside(suffix: str) -> str:
    return Path(__file__).with_suffix(f".{suffix}").read_text(encoding="utf-8")


def _script(text: str) -> Markup:
    """Return a script so that nothing in it can end its element."""
    return Markup(text.replace("</script", "<\\/script").replace("<!--", "<\\!--"))  # noqa: S704 - our own files


def _embedded(value: Any) -> Markup:
    """Return `value` as JSON that is safe inside a script element, whatever its texts hold."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - every character that means something to HTML is gone


def _tone(run: summary.Run) -> str:
    if summary.status_of(run.models) == summary.DEGRADED:
        return "bad"
    return "warn" if any(model.source == contract.DEFAULT and model.rows for model in run.models) else "good"


def _advice(run: summary.Run, local: bool) -> list[dict[str, Any]]:
    """Say what to do next, each with the commands that do it."""
    down = [m for m in summary.rejected(run.models) if _is_trained(m) and not m.waiting and m.failure is None]
    fresh = [m for m in run.models if m.source == contract.FRESH and m.verdict.get("accepted")]
    advice = _advice_on_failed([model for model in run.models if model.failure is not None], run.execution, local)
    advice += _advice_on_skipped([m for m in run.models if m.waiting and m.failure is None], local)
    if down:
        text = "Look at the rejected models below. To let one serve all the same, approve it as the default."
        advice.append({"text": f"{text} {_SURROUNDINGS}", "commands": _approvals(down, local)})
    if not advice and fresh:
        text = "Nothing needs doing. To have these models as defaults should a later run be rejected, approve them."
        advice.append({"text": f"{text} {_SURROUNDINGS}", "commands": _approvals(fresh, local)})
    return advice or [{"text": "Nothing needs doing.", "commands": []}]


def _advice_on_failed(failed: Sequence[summary.Model], execution: str, local: bool) -> list[dict[str, Any]]:
    """Say why segments failed: mended data need a new run, a job that was ended is run again from its step."""
    if not failed:
        return []
    start = f"python -m pipelines.run{' --local' * local}"
    scored = [model for model in failed if model.inference.get("failed_step") == contract.INFER]
    suffix = contract.FALLBACK * any(model.decision is not None for model in failed)
    jobs = dict.fromkeys(model.job for model in scored)
    again = [f"{start} --from {contract.INFER}{suffix}-{name} --of {execution}" for name in list(jobs)[:_NAMED]]
    text = f"Failed and left out, the others are not touched by it: {_reasons(failed)}. "
    text += "Mend the data, then start a new run"
    text += "; where nothing is wrong with the data, run the step again, and all after it." if again else "."
    return [{"text": f"{text} {_SURROUNDINGS}", "commands": [start, *again]}]


def _advice_on_skipped(skipped: Sequence[summary.Model], local: bool) -> list[dict[str, Any]]:
    """Say why segments were skipped; a default helps only where Decide looked for one."""
    start = f"python -m pipelines.run{' --local' * local}"
    decided = [model for model in skipped if model.decision is not None]
    others = [model for model in skipped if model.decision is None]
    advice = []
    if decided:
        text = f"Skipped: {_reasons(decided)}. {_mending(decided)} a default for each, then start a new run."
        advice.append({"text": f"{text} {_SURROUNDINGS}", "commands": [*_approvals(decided, local), start]})
    if others:
        text = f"Skipped: {_reasons(others)}. Give each of them what it lacks, then start a new run."
        advice.append({"text": f"{text} {_SURROUNDINGS}", "commands": [start]})
    return advice


def _mending(skipped: Sequence[summary.Model]) -> str:
    """Say what there is to do beside a default: where a training failed, a new one may do."""
    failed = any(model.evaluation.get("status") == contract.FAILED for model in skipped)
    mend = (
        "Mend the settings or the data of what failed in training (or neither, where the cause has passed), or approve"
    )
    return f"{mend if failed else 'Approve'} or register"


def _reasons(models: Sequence[summary.Model]) -> str:
    more = f" and {len(models) - _NAMED:,} more" if len(models) > _NAMED else ""
    return ", ".join(f"{m.name} ({m.why or 'no reason was given'})" for m in models[:_NAMED]) + more


def _is_trained(model: summary.Model) -> bool:
    return bool(model.evaluation.get("status") == contract.TRAINED)


def _approvals(models: Sequence[summary.Model], local: bool) -> list[str]:
    """Return the commands that give each model a default: one that did not train has nothing to approve."""
    command = f"python -m pipelines.registry{' --local' * local}"
    more = [f"# and {len(models) - _NAMED:,} more"] if len(models) > _NAMED else []
    chosen = [(_argument(m), _is_trained(m)) for m in models[:_NAMED]]
    return [f"{command} approve {n}" if ok else f"{command} register {n} MODEL.tar.gz" for n, ok in chosen] + more


def _argument(model: summary.Model) -> str:
    """Return a model's name for a shell, or its slug if the name would be an option or break the line."""
    odd = not model.name.isprintable() or model.name.startswith("-")
    return model.slug if odd else shlex.quote(model.name)


def _tiles(run: summary.Run, found: Json) -> list[tuple[str, str, str]]:
    judged = [model for model in run.models if not model.verdict.get("ignored")]
    passed = len(judged) - len(summary.rejected(run.models))
    better = [m.verdict["improvement"] for m in judged if m.verdict.get("improvement") is not None]
    seconds = sum(_seconds(model.evaluation.get("fit_seconds")) for model in run.models)
    typical = percent(float(np.median(better)) if better else None)
    return [
        ("Predictions", f"{found['rows']:,}", f"of {found['predict_rows']:,} rows to predict"),
        ("Passed the gate", f"{passed:,} of {len(judged):,}", "models"),
        ("Better than the baseline", typical, "MAE below the median predictor's, median of the models"),
        ("Training", f"{seconds:,.0f} s", "fit time, all models together"),
    ]


def _seconds(value: Any) -> float:
    return float(value or 0)


def verdict_of(model: summary.Model) -> tuple[str, str]:
    """Return the gate's word on a model, and its tone."""
    if model.verdict.get("accepted"):
        return "passed", "good"
    if model.verdict.get("ignored"):
        return "not trained", "none"
    failed = model.evaluation.get("status") == contract.FAILED
    return ("failed" if failed else "rejected"), "bad"


def _row(model: summary.Model) -> dict[str, Any]:
    """Return a line of the table: numbers as numbers, since the page sorts by them."""
    word, tone = verdict_of(model)
    verdict = model.verdict
    against = [] if tone in ("good", "none") else summary.reasons(model)
    return {
        "name": model.name,
        "verdict": word,
        "tone": tone,
        "reasons": against,
        "served": model.source if model.failure is None else contract.FAILED,
        "why": "" if model.why == "; ".join(against) else model.why,  # said once, beside the verdict
        "version": model.inference.get("version"),
        "interval": interval(verdict),
        "numbers": [
            *(verdict.get(key) for key in ("mae", "threshold", "baseline_mae")),
            verdict.get("improvement"),
            model.rows,
            verdict.get("holdout_rows"),
            model.evaluation.get("fit_seconds"),
            model.inference.get("rows_per_second"),
        ],
        "drift": shift.mark(model.checked),
    }


def _overview(model: summary.Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "tone": verdict_of(model)[1],
        "mae": model.verdict.get("mae"),
        "low": model.verdict.get("mae_low"),
        "high": model.verdict.get("mae_high"),
        "threshold": model.verdict.get("threshold"),
        "baseline": model.verdict.get("baseline_mae"),
        "fit": _seconds(model.evaluation.get("fit_seconds")),
        "infer": _seconds(model.inference.get("seconds")),
    }


def _details(run: summary.Run) -> list[Markup]:
    points = min(POINTS, max(50, ALL_POINTS // max(1, len(run.models))))
    return [_embedded(_detail(model, points)) for model in run.models]


def _detail(model: summary.Model, points: int) -> dict[str, Any]:
    """Return what the page shows of a model on demand; a part that training did not make is empty."""
    training = model.folder / contract.TRAINING_DIR
    label = (_optional(training / contract.PROFILE_FILE) or {}).get("label") or {}
    return {
        "name": model.name,
        "source": model.source,
        "notes": _notes(model),
        "facts": _facts(model),
        "holdout": _holdout(training / contract.HOLDOUT_PREDICTIONS_FILE, points),
        "importances": _importances(_optional(training / contract.IMPORTANCE_FILE)),
        "leaderboard": list(_optional(training / contract.LEADERBOARD_FILE) or ()),
        "chosen": model.evaluation.get("best_model"),
        "floor": (model.evaluation.get("speed") or {}).get("floor"),
        "prediction": _histogram((model.inference.get("prediction") or {}).get("histogram")),
        "label": _histogram(label.get("histogram")),
        "unseen": sorted((model.inference.get("unseen_categories") or {}).items(), key=lambda item: -item[1]),
        "drift": shift.table(model.checked),
        "nulls": _null_shifts(model.inference.get("null_rates") or {}),
    }


def _optional(path: Path) -> Any:
    return job.read_json(path) if path.is_file() else None


def _notes(model: summary.Model) -> list[str]:
    notes = [] if verdict_of(model)[1] in ("good", "none") else summary.reasons(model)
    if model.failure is not None:
        notes.append(f"Failed: {model.failure}")
    if model.waiting:
        notes.append(f"{model.waiting:,} rows to predict have no prediction")
    if model.source == contract.DEFAULT:
        notes.append("The registered default served this segment; what is shown of the holdout is this run's model")
    given = (model.checked.get("warnings"), model.inference.get("warnings"))
    warnings = [*speed.warnings(model.evaluation), *(warning for found in given for warning in found or ())]
    return [*notes, *dict.fromkeys(str(warning) for warning in warnings)]


def _facts(model: summary.Model) -> list[tuple[str, str]]:
    metrics = model.evaluation.get("regression_metrics") or {}
    measured = {key: (metrics.get(key) or {}).get("value") if _is_trained(model) else None for key in ("rmse", "r2")}
    return [
        ("Best model", str(model.evaluation.get("best_model") or _ABSENT)),
        ("MAE, 95% interval", interval(model.verdict) or _ABSENT),
        ("RMSE", figure(measured["rmse"])),
        ("R²", figure(measured["r2"])),
        ("Training rows", figure(model.evaluation.get("train_rows"))),
        ("Holdout rows/s", figure(model.evaluation.get("predict_rows_per_second"))),
        ("Inference", f"{figure(model.inference.get('seconds'))} s"),
        ("Default version", figure(model.inference.get("version"))),
        *((name, figure(value)) for name, value in (model.evaluation.get("custom_metrics") or {}).items()),
    ]


def _holdout(path: Path, points: int) -> dict[str, Any] | None:
    """Return points of predicted against actual, and the residuals' histogram over all rows there are."""
    if not path.is_file():
        return None
    table = _parquet.read_table(path, columns=["actual", "predicted"])
    actual, predicted = (table.column(name).to_numpy().astype(np.float64) for name in ("actual", "predicted"))
    known = np.isfinite(actual) & np.isfinite(predicted)
    actual, predicted = actual[known], predicted[known]
    if not len(actual):
        return None
    residuals = predicted - actual
    chosen = np.arange(len(actual))
    if len(actual) > points:
        chosen = np.sort(np.random.default_rng(0).choice(len(actual), points, replace=False))
    low, middle, high = np.quantile(residuals, [0.05, 0.5, 0.95])
    return {
        "rows": len(actual),
        "actual": _short(actual[chosen]),
        "predicted": _short(predicted[chosen]),
        "residuals": _binned(residuals),
        "quantiles": _short([low, middle, high]),
    }


def _binned(values: Any) -> dict[str, Any]:
    """Return a histogram whose end bins take the tails, so that one outlier does not squash it."""
    low, high = np.quantile(values, [0.005, 0.995])
    edges = np.linspace(low, high, 41) if high > low else np.array([low - 0.5, low + 0.5])
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return {"edges": _short(edges), "counts": counts.tolist()}


def _short(values: Any) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


def _histogram(found: Json | None) -> dict[str, Any] | None:
    if not found or not sum(found["counts"]):
        return None
    return {"edges": list(found["edges"]), "counts": list(found["counts"])}


def _importances(found: Any) -> list[tuple[str, float]]:
    """Return the features that matter most; `found` is a list of objects, or a mapping by feature."""
    items = found.items() if isinstance(found, Mapping) else [(item["feature"], item) for item in found or ()]
    pairs = [(str(name), item["importance"] if isinstance(item, Mapping) else item) for name, item in items]
    known = [(name, float(value)) for name, value in pairs if value is not None]
    return sorted(known, key=lambda pair: (-pair[1], pair[0]))[:IMPORTANCES]


def _null_shifts(rates: Mapping[str, Json]) -> list[tuple[str, float, float]]:
    moved = [(name, float(r.get("train") or 0), float(r.get("predict") or 0)) for name, r in rates.items()]
    moved = [item for item in moved if abs(item[2] - item[1]) >= _NULL_SHIFT]
    return sorted(moved, key=lambda item: (-abs(item[2] - item[1]), item[0]))


def _versions(run: summary.Run) -> list[tuple[str, str]]:
    def found(key: str) -> str:
        return ", ".join(sorted({str(m.evaluation[key]) for m in run.models if m.evaluation.get(key)})) or _ABSENT

    return [("AutoGluon", found("autogluon_version")), ("Python of the training", found("python_version"))]


def _artifact(model: summary.Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "served": model.source,
        "version": model.inference.get("version"),
        "package": model.inference.get("package"),
        "sha256": model.inference.get("artifact_sha256"),
        "trained": (model.evaluation.get("artifact") or {}).get("sha256"),
        "autogluon": model.inference.get("autogluon_version"),
    }
