"""What the page shows of one model on demand, from the files beside its predictions.

A part that training did not make is empty. Sizes are bounded, so that the page stays small with 1,000 models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet

from steps import contract, job, report_columns, report_table, shift, speed, summary
from steps.language import Language
from steps.report_advice import is_trained
from steps.report_figures import ABSENT, Json, figure, interval, short

_parquet: Any = pyarrow.parquet  # pyarrow has type information for a part of itself only

POINTS = 2_000
"""Points of a model's predicted-vs-actual plot; fewer per model where there are many models."""
ALL_POINTS = 150_000
"""Points of all models together, so that the page stays small with 1,000 of them."""
IMPORTANCES = 15
_NULL_SHIFT = 0.1
"""A null rate this far from training's is worth a line."""


def details(models: Sequence[summary.Model], say: Language) -> list[dict[str, Any]]:
    """Return the details of each model."""
    points = min(POINTS, max(50, ALL_POINTS // max(1, len(models))))
    return [detail(model, points, say) for model in models]


def detail(model: summary.Model, points: int, say: Language) -> dict[str, Any]:
    """Return what the page shows of a model; its holdout by at most so many points."""
    training = model.folder / contract.TRAINING_DIR
    trained = _optional(training / contract.PROFILE_FILE) or {}
    asked = _optional(model.folder / contract.PROFILE_FILE) or {}
    drift = shift.table(model.checked, say)
    return {
        "name": model.name,
        "source": model.source,
        "notes": _notes(model, say),
        "facts": _facts(model, say),
        "holdout": _holdout(training / contract.HOLDOUT_PREDICTIONS_FILE, points),
        "errors": report_columns.errors(_optional(training / contract.FEATURE_ERRORS_FILE)),
        "importances": _importances(_optional(training / contract.IMPORTANCE_FILE)),
        "leaderboard": list(_optional(training / contract.LEADERBOARD_FILE) or ()),
        "chosen": model.evaluation.get("best_model"),
        "floor": (model.evaluation.get("speed") or {}).get("floor"),
        "prediction": _histogram((model.inference.get("prediction") or {}).get("histogram")),
        "label": _histogram((trained.get("label") or {}).get("histogram")),
        "unseen": sorted((model.inference.get("unseen_categories") or {}).items(), key=lambda item: -item[1]),
        "drift": drift,
        "shifts": report_columns.shifts([column[0] for column in drift["columns"]], trained, asked),
        "nulls": _null_shifts(model.inference.get("null_rates") or {}),
    }


def _optional(path: Path) -> Any:
    return job.read_json(path) if path.is_file() else None


def _notes(model: summary.Model, say: Language) -> list[str]:
    notes = [say.quote(reason) for reason in report_table.against(model)]
    if model.failure is not None:
        notes.append(say("Failed: {reason}", reason=say.quote(model.failure)))
    if model.waiting:
        notes.append(say("{count} rows to predict have no prediction", count=f"{model.waiting:,}"))
    if model.source == contract.DEFAULT and model.evaluation:
        notes.append(
            say("The registered default served this segment; what is shown of the holdout is this run's model")
        )
    given = (model.checked.get("warnings"), model.inference.get("warnings"))
    warnings = [*speed.warnings(model.evaluation), *(warning for found in given for warning in found or ())]
    return [*notes, *dict.fromkeys(say.quote(str(warning)) for warning in warnings)]


def _facts(model: summary.Model, say: Language) -> list[tuple[str, str]]:
    metrics = model.evaluation.get("regression_metrics") or {}
    measured = {key: (metrics.get(key) or {}).get("value") if is_trained(model) else None for key in ("rmse", "r2")}
    return [
        (say("Best model"), str(model.evaluation.get("best_model") or ABSENT)),
        (say("MAE, 95% interval"), interval(model.verdict, say) or ABSENT),
        ("RMSE", figure(measured["rmse"])),
        ("R²", figure(measured["r2"])),
        *((name, figure(value)) for name, value in report_table.metrics_of(model).items()),
        (say("Training rows"), figure(model.evaluation.get("train_rows"))),
        (say("Holdout rows/s"), figure(model.evaluation.get("predict_rows_per_second"))),
        (say("Inference"), say("{seconds} s", seconds=figure(model.inference.get("seconds")))),
        (say("Default version"), figure(model.inference.get("version"))),
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
        "actual": short(actual[chosen]),
        "predicted": short(predicted[chosen]),
        "residuals": _binned(residuals),
        "quantiles": short([low, middle, high]),
    }


def _binned(values: Any) -> dict[str, Any]:
    """Return a histogram whose end bins take the tails, so that one outlier does not squash it."""
    low, high = np.quantile(values, [0.005, 0.995])
    edges = np.linspace(low, high, 41) if high > low else np.array([low - 0.5, low + 0.5])
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return {"edges": short(edges), "counts": counts.tolist()}


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
