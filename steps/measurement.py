"""How good a fitted predictor is: the holdout scored in batches, a leaderboard and permutation importances.

The holdout can be larger than memory, models can be slow and data wide: everything beyond the errors themselves works
on a seeded sample whose size fits a budget of seconds. It trains nothing and packs nothing.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from steps import contract, failure, feature_errors, job, scoring, speed
from steps.evaluation import Errors, Measured
from steps.interval import Bootstrap

log = logging.getLogger(__name__)

pq: Any = pyarrow.parquet  # has no type information

BATCH_ROWS = 65_536
PREDICTION_ROWS = 20_000
"""Holdout rows whose predictions are kept for the report's plots."""
SAMPLE_ROWS = 5_000
"""Holdout rows on which every model of the leaderboard is scored."""
IMPORTANCE_ROWS = 1_000
IMPORTANCE_SHUFFLES = 3
DETAIL_SECONDS = 2.0
DETAIL_SHARE = 0.1
"""Leaderboard and importances may each take this share of the time to fit, or DETAIL_SECONDS if that is more."""


@dataclass(frozen=True)
class Holdout:
    """The rows that a model never saw: their files, the features and label, and a seed for samples."""

    parts: tuple[Path, ...]
    columns: tuple[str, ...]
    label: str
    id: str | None
    categories: tuple[str, ...]
    model: str
    seed: int
    watch: Callable[[scoring.Floats, scoring.Floats], None] | None = None
    """Is given labels and predictions of each batch."""


@dataclass(frozen=True)
class Measurement:
    """Errors on the whole holdout; predictions and rows (features and label) of samples.

    `sample_errors` is predicted minus actual of each row of `sample`.
    """

    errors: Measured
    rows_per_second: float
    predictions: Any
    sample: pd.DataFrame
    label: str
    sample_errors: scoring.Floats


@dataclass(frozen=True)
class _Scored:
    """One batch of the holdout: where it begins, its rows, labels and predictions, seconds to predict."""

    first: int
    batch: Any
    actual: scoring.Floats
    predicted: scoring.Floats
    seconds: float


def measure(predictor: scoring.Predictor, holdout: Holdout, baseline: float) -> Measurement:
    """Score the holdout in batches; memory does not grow with it.

    Raises:
        StepError: the predictor cannot score these rows, or its errors are no finite number.
    """
    rows = scoring.count_rows(holdout.parts)
    kept = choose(rows, PREDICTION_ROWS, holdout.seed)
    sampled = choose(rows, SAMPLE_ROWS, holdout.seed + 1)
    errors, bootstrap, seconds = Errors(baseline), Bootstrap(), 0.0
    predictions, samples, sample_errors = [], [], []
    for scored in _scored(predictor, holdout):
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is told by the sums
            errors.add(scored.actual, scored.predicted)
            bootstrap.add(abs(scored.predicted - scored.actual))
            sample_errors.append((scored.predicted - scored.actual)[_within(scored, sampled)])
        if holdout.watch:
            holdout.watch(scored.actual, scored.predicted)
        seconds += scored.seconds
        predictions.append(_predictions(scored, kept, holdout))
        samples.append(_taken(scored, sampled).select([*holdout.columns, holdout.label]))
    total = replace(errors.result(), mae_interval=bootstrap.interval(holdout.seed))
    table = pa.concat_tables(samples)
    return Measurement(
        errors=total,
        rows_per_second=rows / max(seconds, 1e-9),
        predictions=pa.concat_tables(predictions),
        sample=scoring.frame(table, [*holdout.columns, holdout.label], holdout.categories),
        label=holdout.label,
        sample_errors=np.concatenate(sample_errors),
    )


def choose(rows: int, most: int, seed: int) -> Any:
    """Return the sorted positions of at most `most` of `rows` rows, the same for the same seed."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _scored(predictor: scoring.Predictor, holdout: Holdout) -> Iterator[_Scored]:
    names = pq.read_schema(holdout.parts[0]).names if holdout.parts else []
    wanted = dict.fromkeys((holdout.id or holdout.label, *holdout.columns, holdout.label))
    needed = [name for name in wanted if name in names]
    first = 0
    for batch in scoring.batches(holdout.parts, needed, BATCH_ROWS):
        data = scoring.frame(batch, holdout.columns, holdout.categories)
        started = time.perf_counter()
        predicted = scoring.predict(predictor, data, holdout.model)
        seconds = time.perf_counter() - started
        actual = np.asarray(batch.column(holdout.label).cast(pa.float64()))
        yield _Scored(first, batch, actual, predicted, seconds)
        first += len(data)


def _within(scored: _Scored, positions: Any) -> Any:
    low, high = np.searchsorted(positions, [scored.first, scored.first + len(scored.actual)])
    return positions[low:high] - scored.first


def _taken(scored: _Scored, positions: Any) -> Any:
    return pa.Table.from_batches([scored.batch]).take(_within(scored, positions))


def _predictions(scored: _Scored, kept: Any, holdout: Holdout) -> Any:
    inside = _within(scored, kept)
    columns = {"actual": pa.array(scored.actual[inside]), "predicted": pa.array(scored.predicted[inside])}
    if holdout.id and holdout.id in scored.batch.schema.names and holdout.id not in columns:
        columns = {holdout.id: scored.batch.column(holdout.id).take(pa.array(inside)), **columns}
    return pa.table(columns)


def write_details(predictor: Any, measured: Measurement, fit_seconds: float, folder: Path) -> None:
    """Write leaderboard, importances, errors by feature and holdout predictions; what cannot be made stays empty."""
    pq.write_table(measured.predictions, folder / contract.HOLDOUT_PREDICTIONS_FILE)
    board = _optional("leaderboard", lambda: leaderboard(predictor, measured, fit_seconds))
    job.write_json(folder / contract.LEADERBOARD_FILE, board)
    found = _optional("importances", lambda: importances(predictor, measured, fit_seconds))
    job.write_json(folder / contract.IMPORTANCE_FILE, found)
    errors = _optional("errors by feature", lambda: _errors_by_feature(measured, found))
    job.write_json(folder / contract.FEATURE_ERRORS_FILE, errors)


def _errors_by_feature(measured: Measurement, importances: list[dict[str, Any]]) -> list[dict[str, Any]]:
    features = measured.sample.drop(columns=measured.label)
    return feature_errors.by_feature(features, measured.sample_errors, importances)


def _optional(what: str, make: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return what `make` gives, or nothing: a report without a chart beats a model lost for one."""
    try:
        return make()
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - seam to AutoGluon, whose messages quote cells
        log.warning("no %s (%s: %s)", what, failure.name(error), failure.frames(error))
        return []


def leaderboard(predictor: Any, measured: Measurement, fit_seconds: float) -> list[dict[str, Any]]:
    """Return every model that was tried, best on the holdout sample first; MAE is positive, smaller is better."""
    rows = affordable_rows(measured, fit_seconds, SAMPLE_ROWS)
    board = predictor.leaderboard(measured.sample.head(rows))
    found = [
        {
            "model": str(row["model"]),
            "score_val": _number(-row["score_val"]),
            "fit_seconds": _number(row["fit_time"]),
            "predict_seconds": _number(row["pred_time_test"]),
            "rows_per_second": _rate(min(rows, len(measured.sample)), _number(row["pred_time_test"])),
            "holdout_mae": _number(-row["score_test"]),
            "holdout_rows": min(rows, len(measured.sample)),
        }
        for row in board.to_dict("records")
    ]
    return sorted(found, key=lambda entry: (entry["holdout_mae"] is None, entry["holdout_mae"], entry["model"]))


def _rate(rows: int, seconds: float | None) -> float | None:
    return round(rows / seconds, 1) if seconds else None


def batch_rate(predictor: scoring.Predictor, measured: Measurement, fit_seconds: float) -> float:
    """Return rows per second in a batch as AutoGluon times it, of the sample's rows again and again.

    A model too slow for the budget of seconds gets a smaller batch.
    """
    rows = affordable_rows(measured, fit_seconds, speed.BATCH_ROWS)
    features = measured.sample.drop(columns=measured.label)
    batch = features.iloc[np.resize(np.arange(len(features)), rows)].reset_index(drop=True)
    started = time.perf_counter()
    predictor.predict(batch)
    return rows / max(time.perf_counter() - started, 1e-9)


def importances(predictor: Any, measured: Measurement, fit_seconds: float) -> list[dict[str, Any]]:
    """Return by how much MAE grows when a feature is shuffled, most important first.

    One shuffle is one prediction per row and feature, so wide data and slow models get fewer rows and shuffles.
    """
    features = max(1, measured.sample.shape[1] - 1)
    most = affordable_rows(measured, fit_seconds, IMPORTANCE_ROWS * IMPORTANCE_SHUFFLES * features)
    rows = max(1, min(IMPORTANCE_ROWS, len(measured.sample), most // features))
    shuffles = max(1, min(IMPORTANCE_SHUFFLES, most // (rows * features)))
    found = predictor.feature_importance(
        measured.sample,
        subsample_size=rows,
        num_shuffle_sets=shuffles,
        include_confidence_band=False,
        silent=True,
    )
    entries = [
        {"feature": str(name), "importance": _number(row["importance"]), "standard_deviation": _number(row["stddev"])}
        for name, row in found.to_dict("index").items()
    ]
    return sorted(entries, key=lambda entry: (-(entry["importance"] or 0.0), entry["feature"]))


def affordable_rows(measured: Measurement, fit_seconds: float, most: int) -> int:
    """Return how many rows the deployed model scores within the budget, at most `most` and at least one."""
    seconds = max(DETAIL_SECONDS, DETAIL_SHARE * fit_seconds)
    return max(1, min(most, int(seconds * measured.rows_per_second)))


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
