"""The error that predictions had in the end, segment by segment, against what the holdout had promised.

DuckDB joins the published predictions with the realised values, so memory does not grow with the rows; what the
verdict is of the figures is pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipelines import prediction_differences, truth
from pipelines.prediction_differences import PARTS
from pipelines.runs import Run
from pipelines.truth import TABLE, Truth
from steps import contract

REALISED_FILE = "realised.json"
WITHIN, WORSE, BETTER = "within", "worse", "better"
TOO_FEW, NO_PROMISE = "too few rows", "no promise"
VERDICTS = (WORSE, TOO_FEW, WITHIN, BETTER, NO_PROMISE)
MIN_ROWS = 30
"""Rows from which on the mean of the errors is taken for normally distributed."""
_NORMAL = 1.96
"""Standard errors to either side that hold 95 % of a normal distribution, the level of the holdout's interval."""

_ERRORS = f"""
    SELECT model, min(source), count(*), count(error), avg(abs(error)), sqrt(avg(error * error)), avg(error),
           stddev_samp(abs(error))
    FROM (
        SELECT part.model, part.source, part.prediction - {TABLE}.actual AS error
        FROM {PARTS.format("$files")} LEFT JOIN {TABLE} ON part.id = {TABLE}.id
    ) GROUP BY model ORDER BY model
"""  # noqa: S608 - made of constants
_UNPREDICTED = f"""
    SELECT count(*) FROM {TABLE} ANTI JOIN {PARTS.format("$files")} ON part.id = {TABLE}.id
"""  # noqa: S608 - made of constants


@dataclass(frozen=True)
class Errors:
    """Realised errors of a segment, in the unit of the label; None without rows. `spread` is of the absolute error.

    `rows` have a realised value, `without_truth` have none yet. `bias` is the mean of prediction minus realised value.
    """

    rows: int
    without_truth: int
    mae: float | None
    rmse: float | None
    bias: float | None
    spread: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return where the MAE lies with 95 %, by the normal approximation; None for too few rows."""
        if self.mae is None or self.spread is None or self.rows < MIN_ROWS:
            return None
        half = _NORMAL * self.spread / math.sqrt(self.rows)
        return self.mae - half, self.mae + half


@dataclass(frozen=True)
class Promise:
    """The holdout's MAE with its interval."""

    mae: float
    low: float
    high: float


@dataclass(frozen=True)
class Segment:
    """A segment: who served it, what it came to, what was promised of that model, or None."""

    served_by: str
    errors: Errors
    promise: Promise | None

    @property
    def verdict(self) -> str:
        """Return how the realised MAE stands to the promised interval."""
        return judge(self.errors, self.promise)

    def to_json(self) -> dict[str, Any]:
        """Return the segment as it stands in `realised.json`."""
        low, high = self.errors.interval or (None, None)
        figures = {**asdict(self.errors), "mae_low": low, "mae_high": high}
        promised = asdict(self.promise) if self.promise else None
        return {"verdict": self.verdict, "served_by": self.served_by, **figures, "promised": promised}


@dataclass(frozen=True)
class Realised:
    """What an execution's predictions came to; `unpredicted` rows of the file have no prediction."""

    execution: str
    actuals: str
    segments: Mapping[str, Segment]
    unpredicted: int

    def to_json(self) -> dict[str, Any]:
        """Return the content of `realised.json`."""
        return {
            "execution": self.execution,
            "actuals": self.actuals,
            "rows": sum(segment.errors.rows for segment in self.segments.values()),
            "without_truth": sum(segment.errors.without_truth for segment in self.segments.values()),
            "without_prediction": self.unpredicted,
            "segments": {name: segment.to_json() for name, segment in self.segments.items()},
        }


def judge(errors: Errors, promise: Promise | None) -> str:
    """Return the verdict on a segment.

    A MAE in the promised interval is `within`. Outside of it, it is worse or better if its own 95 % interval does not
    reach the promised one; else there are too few rows to tell it from chance.
    """
    if promise is None:
        return NO_PROMISE
    if errors.mae is None or errors.interval is None:
        return TOO_FEW
    if promise.low <= errors.mae <= promise.high:
        return WITHIN
    low, high = errors.interval
    if low > promise.high:
        return WORSE
    return BETTER if high < promise.low else TOO_FEW


def evaluate(run: Run, given: Truth) -> Realised:
    """Compare an execution's predictions with the realised values in a file.

    Raises:
        ExecutionError: the execution has published no predictions, or they are gone.
        DataError: the file cannot be used; all its problems at once.
    """
    files = run.prediction_files()
    with prediction_differences.connect(run.workspace.scratch) as connection:
        truth.load(connection, given, prediction_differences.id_type(connection, files))
        parameters = {"files": prediction_differences.names(files)}
        rows = connection.execute(_ERRORS, parameters).fetchall()
        unpredicted = connection.execute(_UNPREDICTED, parameters).fetchall()[0][0]
    models = run.result.models
    scores_only = run.origin.mode != contract.FULL
    segments = {row[0]: _segment(models.get(row[0], {}), row, scores_only) for row in rows}
    return Realised(run.execution, str(given.path), segments, unpredicted)


def _segment(model: Mapping[str, Any], row: tuple[Any, ...], scores_only: bool) -> Segment:
    _, source, predicted, known, *figures = row
    is_its_own = source == contract.FRESH or scores_only
    return Segment(source, Errors(known, predicted - known, *figures), _promise(model) if is_its_own else None)


def _promise(model: Mapping[str, Any]) -> Promise | None:
    """Return what the holdout said of a model.

    An execution that trained knows nothing of a default, which another one trained; one that scores only has the
    figures that were recorded for its defaults.
    """
    figures = [model.get(key) for key in ("mae", "mae_low", "mae_high")]
    if any(value is None for value in figures):
        return None
    return Promise(*(float(value) for value in figures if value is not None))
