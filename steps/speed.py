"""How fast a model scores, against the floor that the settings may give: `training.min_rows_per_second`.

AutoGluon takes the floor as `infer_limit`, in seconds per row: it then builds no ensemble that is slower and chooses
the best of the models that are fast enough. Where none is, it silently takes the best of the fastest, and its clock
runs while other work does. So what was chosen is timed again on the holdout, and a floor that was missed is told.
Light: PostProcess reads with it what Train found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

BATCH_ROWS = 10_000
"""Rows of the batches by which AutoGluon times models; a smaller batch measures what one call costs."""


def floor_of(training: Mapping[str, Any]) -> float | None:
    """Return the rows per second that a model's settings ask for, or None; `infer_limit` asks in seconds per row."""
    floor, limit = training.get("min_rows_per_second"), training["infer_limit"]
    if floor is None and limit is not None:
        return 1.0 / float(limit)
    return None if floor is None else float(floor)


def fit_arguments(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return what AutoGluon's fit is told of the floor; nothing without one."""
    floor = floor_of(training)
    if floor is None:
        return {}
    return {"infer_limit": training["infer_limit"] or 1.0 / floor, "infer_limit_batch_size": BATCH_ROWS}


def against_floor(floor: float | None, holdout_rate: float, again: Callable[[], float]) -> dict[str, Any] | None:
    """Return `speed` of `evaluation.json`: the floor, the rows per second measured, and whether they reach it.

    A rate below the floor may be that of a small holdout or of a busy machine: `again` measures once more.
    """
    if floor is None:
        return None
    rate = holdout_rate if holdout_rate >= floor else max(holdout_rate, again())
    return {"floor": floor, "rows_per_second": round(rate, 1), "met": rate >= floor}


def warnings(evaluation: Mapping[str, Any]) -> list[str]:
    """Return a sentence if a model is slower than the settings ask for."""
    found = evaluation.get("speed")
    if not found or found["met"]:
        return []
    return [
        f"{evaluation.get('best_model')} scores {found['rows_per_second']:,.0f} rows/s, the settings ask for "
        f"{found['floor']:,.0f}: none that was tried reaches that by AutoGluon's clock, or its clock and this one "
        "differ; lower training.min_rows_per_second, or give faster models in training.hyperparameters"
    ]
