"""`evaluation.json`: how good a model is on rows it never saw, in SageMaker's model-quality form.

Pure: sums over batches in, one mapping out. Light on purpose (no numpy at import): Train's parent writes the
evaluation of a model that was skipped or failed without loading anything.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

from steps import contract, job
from steps.moments import Moments

if TYPE_CHECKING:
    from steps.interval import Interval
    from steps.scoring import Floats

AUTOGLUON = "autogluon.tabular"


@dataclass(frozen=True)
class Measured:
    """Errors of a model on the holdout, beside those of predicting the median label of the training rows.

    MAE and baseline are finite; RMSE is None where squares are too large for a number.
    """

    rows: int
    mae: float
    rmse: float | None
    r2: float | None
    baseline_mae: float
    mae_interval: Interval | None = None


@dataclass
class Errors:
    """Sums of errors over batches of the holdout; `baseline` is the naive prediction."""

    baseline: float
    absolute: float = 0.0
    squared: float = 0.0
    naive: float = 0.0
    labels: Moments = field(default_factory=Moments)

    def add(self, actual: Floats, predicted: Floats) -> None:
        """Add a batch of labels and predictions."""
        error = predicted - actual
        self.absolute += float(abs(error).sum())
        self.squared += float((error * error).sum())
        self.naive += float(abs(actual - self.baseline).sum())
        self.labels.add(actual)

    def result(self) -> Measured:
        """Return the errors over all rows added; R2 is None when the labels do not vary.

        Raises:
            StepError: there were no rows, or labels beyond what can be summed: they measure nothing.
        """
        rows, spread = self.labels.rows, self.labels.spread
        if not rows:
            raise job.StepError("no holdout rows to measure a model on: give it more rows")
        for figure, total in (("the MAE", self.absolute), ("the median predictor's MAE", self.naive)):
            if not math.isfinite(total):
                raise job.StepError(
                    f"{figure} on {rows:,} holdout rows is not a finite number: look for labels that are infinite or "
                    "huge, or give the label in another unit"
                )
        return Measured(
            rows=rows,
            mae=self.absolute / rows,
            rmse=_finite(math.sqrt(self.squared / rows)),
            r2=_finite(1.0 - self.squared / spread) if 0 < spread < math.inf else None,
            baseline_mae=self.naive / rows,
        )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def skipped(model: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Return the evaluation of a model without training rows: MAE 0, so that no condition stops at it."""
    return _evaluation(model, {"status": contract.SKIPPED, "reason": reason}, _metrics(0.0, None, None))


def failed(
    model: Mapping[str, Any], reason: str, rows: Mapping[str, Any], *, transient: bool = False
) -> dict[str, Any]:
    """Return the evaluation of a model that could not be trained; `rows` is its `status.json`."""
    facts = {
        "status": contract.FAILED,
        "reason": reason,
        "transient": transient,
        "train_rows": rows.get("train_rows", 0),
        "holdout_rows": rows.get("holdout_rows", 0),
    }
    return _evaluation(model, facts, _metrics(contract.FAILED_MAE, None, None))


def trained(model: Mapping[str, Any], measured: Measured, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the evaluation of a trained model.

    `facts` holds train_rows, artifact, best_model, fit_seconds and predict_rows_per_second.
    """
    found = {
        "status": contract.TRAINED,
        "holdout_rows": measured.rows,
        "baseline": {"name": "median predictor", "mae": measured.baseline_mae},
        "mae_interval": measured.mae_interval.as_json() if measured.mae_interval else None,
        **facts,
    }
    return _evaluation(model, found, _metrics(measured.mae, measured.rmse, measured.r2))


def _metrics(mae: float | None, rmse: float | None, r2: float | None) -> dict[str, Any]:
    values = {"mae": mae, "rmse": rmse, "r2": r2}
    return {name: {"value": value, "standard_deviation": None} for name, value in values.items()}


def _evaluation(model: Mapping[str, Any], facts: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    empty = {
        "reason": None,
        "transient": False,
        "baseline": {"name": "median predictor", "mae": None},
        "mae_interval": None,
        "holdout_rows": 0,
        "train_rows": 0,
        "artifact": None,
        "best_model": None,
        "fit_seconds": None,
        "predict_rows_per_second": None,
        "speed": None,
    }
    return {**empty, **facts, **header(model["name"], model["slug"]), "regression_metrics": dict(metrics)}


def header(name: str, slug: str) -> dict[str, Any]:
    """Return what evaluation and artifact both tell: format, model and the versions that load it."""
    return {
        "format": contract.FORMAT,
        "model": name,
        "slug": slug,
        "autogluon_version": autogluon_version(),
        "python_version": platform.python_version(),
    }


def autogluon_version() -> str:
    """Return the version of AutoGluon installed here, without importing it; StepError if there is none."""
    try:
        return metadata.version(AUTOGLUON)
    except metadata.PackageNotFoundError:
        raise job.StepError(f"{AUTOGLUON} is not installed here: run this step in the autogluon image") from None
