"""Inputs of PostProcess as the steps before it would have left them, made from a few numbers and a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from steps import contract, job

TRAIN_VERSION = hashlib.sha256(b"train").hexdigest()
PREDICT_VERSION = hashlib.sha256(b"predict").hexdigest()
RAW = "s3://raw/flights/"
EXECUTION = "20261122-101500-3f9a"
ARGUMENTS = (
    *("--execution", EXECUTION, "--raw", RAW),
    *("--train-version", TRAIN_VERSION, "--predict-version", PREDICT_VERSION),
)
FEATURES = (
    "dep_delay",
    "distance",
    "sched_arr_time",
    "carrier",
    "dest",
    "air_time",
    "month",
    "temp",
    "wind_speed",
    "hour",
)


@dataclass(frozen=True)
class Sample:
    """One model: who served it with how many rows, how its training went and what the gate said."""

    name: str
    slug: str
    rows: int = 400
    source: str = contract.FRESH
    mae: float | None = 10.0
    baseline: float | None = 25.0
    threshold: float | None = 20.0
    status: str = contract.TRAINED
    reasons: tuple[str, ...] = ()
    why: str = "passed the gate"
    version: int | None = None
    warnings: tuple[str, ...] = ()
    unseen: Mapping[str, float] = field(default_factory=dict)
    drift: tuple[str, ...] = ()
    features: Sequence[str] = FEATURES
    speed: Mapping[str, Any] | None = None

    @property
    def accepted(self) -> bool:
        return not self.reasons and self.status == contract.TRAINED


FLIGHTS = (
    Sample("EWR", "EWR", mae=9.87, baseline=25.4, unseen={"dest": 0.02}, warnings=("dest: 2.0% unseen categories",)),
    Sample(
        *("JFK", "JFK"),
        source=contract.DEFAULT,
        mae=31.0,
        baseline=24.1,
        reasons=("MAE 31.0 > threshold 20", "MAE 31.0 does not beat the baseline 24.1"),
        why="rejected by the gate: MAE 31.0 > threshold 20",
        version=3,
    ),
    Sample(
        *("LGA", "LGA"),
        source=contract.SKIPPED,
        mae=None,
        baseline=None,
        status=contract.FAILED,
        reasons=("AutoGluon could not train on 1 rows (ValueError)",),
        why="no approved default",
    ),
)
PASSED = (
    Sample("EWR", "EWR", rows=60_000, mae=10.41, baseline=25.43, why="every model passed the gate"),
    Sample("JFK", "JFK", rows=55_000, mae=9.62, baseline=23.31, why="every model passed the gate"),
    Sample("LGA", "LGA", rows=52_000, mae=9.98, baseline=24.37, why="every model passed the gate"),
)


def build(
    root: Path, samples: Sequence[Sample] = FLIGHTS, csv: bool = False, holdout_rows: int = 300, language: str = "en"
) -> None:
    """Write all inputs of PostProcess below `root`, the stand-in for `/opt/ml`."""
    inputs = root / "processing" / "input"
    models = [{"name": s.name, "slug": s.slug, "pooled": False} for s in samples]
    settings = {
        "pipeline": "flights",
        "label": "arr_delay",
        "id": "id",
        "csv": csv,
        "timezone": "UTC",
        "language": language,
        "models": models,
    }
    job.write_json(inputs / contract.IN_SETTINGS / contract.SETTINGS_FILE, settings)
    job.write_json(inputs / contract.IN_VERDICTS / contract.VERDICTS_FILE, verdicts(samples, holdout_rows))
    job.write_json(inputs / contract.IN_CONTRACT / contract.CONTRACT_FILE, checked(samples))
    rows = sum(sample.rows for sample in samples)
    _write_data(inputs, rows)
    owner = np.random.default_rng(1).permutation(np.repeat(np.arange(len(samples)), [s.rows for s in samples]))
    for at, sample in enumerate(samples):
        rng = np.random.default_rng(at)
        folder = inputs / contract.IN_INFERENCE / sample.slug
        label = rng.gamma(2.0, 20.0, 5000) - 30
        write_part(folder, sample, np.flatnonzero(owner == at), rng)
        job.write_json(folder / contract.INFERENCE_FILE, _inference(sample, label, rng))
        _write_training(folder / contract.TRAINING_DIR, sample, label, rng, holdout_rows)
    if any(sample.source != contract.FRESH for sample in samples):
        job.write_json(inputs / contract.IN_DECISION / "01" / contract.DECISION_FILE, _decision(samples))


def write_part(folder: Path, sample: Sample, positions: Any, rng: np.random.Generator) -> None:
    """Write a model's part; one that was skipped has none."""
    folder.mkdir(parents=True, exist_ok=True)
    if sample.source == contract.SKIPPED:
        return
    columns = {
        contract.ROW: pa.array(positions, pa.int64()),
        "id": pa.array(np.asarray(positions) + 100_000, pa.int64()),
        "prediction": rng.gamma(2.0, 20.0, len(positions)) - 30,
        "model": pa.array([sample.name] * len(positions), pa.string()),
        "source": pa.array([sample.source] * len(positions), pa.string()),
    }
    pq.write_table(pa.table(columns), folder / "part-00000.parquet")


def verdicts(samples: Sequence[Sample], holdout_rows: int = 300) -> dict[str, Any]:
    """Return what Judge would have written."""
    rejected = sum(not sample.accepted for sample in samples)
    rules = {"threshold": 20.0, "max_baseline_ratio": 1.0, "min_holdout_rows": 1}
    models = {sample.slug: _verdict(sample, holdout_rows) for sample in samples}
    return {"execution": EXECUTION, "passed": rejected == 0, "rejected": rejected, **rules, "models": models}


def checked(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return what CheckData would have written."""
    return {"notes": [], "models": {sample.slug: _checked(sample) for sample in samples}}


def _checked(sample: Sample) -> dict[str, Any]:
    columns = {
        name: {"kind": "number", "psi": 0.4 / (at + 1), "null_train": 0.02, "null_predict": 0.03, "unseen": None}
        for at, name in enumerate(sample.features)
    }
    worst = {"column": sample.features[0], "psi": 0.4} if sample.features else None
    found = {"name": sample.name, "reason": None, "columns": columns, "worst": worst, "default": None}
    return {**found, "warnings": list(sample.drift)}


def _verdict(sample: Sample, holdout_rows: int) -> dict[str, Any]:
    better = None if sample.mae is None or not sample.baseline else 100 * (1 - sample.mae / sample.baseline)
    return {
        "name": sample.name,
        "slug": sample.slug,
        "status": sample.status,
        "accepted": sample.accepted,
        "ignored": sample.status == contract.SKIPPED,
        "mae": sample.mae,
        "mae_low": sample.mae and 0.95 * sample.mae,
        "mae_high": sample.mae and 1.07 * sample.mae,
        "baseline_mae": sample.baseline,
        "improvement": better,
        "threshold": sample.threshold,
        "holdout_rows": holdout_rows if sample.mae else 0,
        "reasons": list(sample.reasons),
    }


def _write_data(inputs: Path, rows: int) -> None:
    train = {
        "version": TRAIN_VERSION,
        "raw": RAW,
        "files": [{"key": f"train-{month:02d}.csv", "rows": 27_000} for month in range(1, 10)],
        "rows": 243_000,
        "dropped_null_label": 6_813,
        "rest_rows": 0,
        "skipped_rows": 0,
        "columns": dict.fromkeys(FEATURES, "number"),
        "ignored": ["year"],
        "warnings": ["tailnum: 0.8% null"],
    }
    predict = {
        "version": PREDICT_VERSION,
        "raw": RAW,
        "files": [{"key": "predict.csv", "rows": rows}],
        "rows": rows,
        "rest_rows": 0,
        "skipped_rows": 0,
        "extra_columns": ["arr_delay"],
        "warnings": [],
        "id_type": "int64",
    }
    job.write_json(inputs / contract.IN_TRAIN_DATA / contract.DATA_FILE, train)
    job.write_json(inputs / contract.IN_PREDICT_DATA / contract.DATA_FILE, predict)


def _decision(samples: Sequence[Sample]) -> dict[str, Any]:
    models = {
        s.slug: {"name": s.name, "slug": s.slug, "source": s.source, "reason": s.why, "version": s.version}
        for s in samples
    }
    return {"execution": EXECUTION, "policy": "per_model", "models": models}


def _histogram(values: Any) -> dict[str, Any]:
    counts, edges = np.histogram(values, 20, (-40, 160))
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _inference(sample: Sample, label: Any, rng: np.random.Generator) -> dict[str, Any]:
    skipped = sample.source == contract.SKIPPED
    sha256 = None if skipped else hashlib.sha256(sample.name.encode()).hexdigest()
    found = {
        "status": contract.SKIPPED if skipped else contract.SCORED,
        "model": sample.name,
        "slug": sample.slug,
        "source": sample.source,
        "reason": sample.why,
        "package": f"arn:aws:sagemaker:eu-west-1:1:model-package/flights/{sample.version}" if sample.version else None,
        "version": sample.version,
        "artifact_sha256": sha256,
        "rows": 0 if skipped else sample.rows,
        "rows_waiting": sample.rows if skipped else 0,
        "seconds": 0.0 if skipped else round(sample.rows / 60_000 + 0.4, 2),
        "rows_per_second": None if skipped else 60_000.0,
        "warnings": list(sample.warnings),
        "unseen_categories": dict(sample.unseen),
        "null_rates": {
            name: {"train": 0.02, "predict": 0.31 if name == "wind_speed" else 0.02} for name in sample.features
        },
        "autogluon_version": "1.6.3",
    }
    prediction = {} if skipped else {"histogram": _histogram(label * 0.9 + rng.normal(0, 4, len(label)))}
    return {**found, "prediction": prediction}


def _write_training(folder: Path, sample: Sample, label: Any, rng: np.random.Generator, rows: int) -> None:
    value = contract.FAILED_MAE if sample.mae is None else sample.mae
    trained = sample.status == contract.TRAINED
    metrics = {"mae": value, "rmse": value * 1.5 if trained else None, "r2": 0.81 if trained else None}
    evaluation = {
        "status": sample.status,
        "reason": None if trained else sample.reasons[0],
        "regression_metrics": {key: {"value": v, "standard_deviation": None} for key, v in metrics.items()},
        "baseline": {"name": "median predictor", "mae": sample.baseline},
        "holdout_rows": rows,
        "train_rows": 4 * rows,
        "artifact": {
            "sha256": hashlib.sha256(sample.name.encode()).hexdigest(),
            "size": 1,
            "file": contract.MODEL_FILE,
        },
        "autogluon_version": "1.6.3",
        "python_version": "3.11.9",
        "best_model": "LightGBM" if trained else None,
        "predict_rows_per_second": 345_678.9 if trained else None,
        "speed": sample.speed,
        "fit_seconds": round(float(rng.uniform(14, 22)), 1) if trained else None,
    }
    job.write_json(folder / contract.EVALUATION_FILE, evaluation)
    job.write_json(folder / contract.PROFILE_FILE, {"label": {"histogram": _histogram(label)}})
    if sample.mae is None:
        return
    actual = rng.choice(label, rows)
    predicted = actual * 0.93 + rng.laplace(0, sample.mae, rows)
    pq.write_table(pa.table({"actual": actual, "predicted": predicted}), folder / contract.HOLDOUT_PREDICTIONS_FILE)
    weights = sorted(rng.gamma(0.6, 3.0, len(sample.features)), reverse=True)
    importances = [{"feature": name, "importance": float(w)} for name, w in zip(sample.features, weights, strict=True)]
    job.write_json(folder / contract.IMPORTANCE_FILE, importances)
    job.write_json(folder / contract.LEADERBOARD_FILE, _leaderboard(sample.mae))


def _leaderboard(mae: float) -> list[dict[str, Any]]:
    names = ("LightGBM", "CatBoost", "XGBoost")
    return [
        {
            "model": name,
            "holdout_mae": mae * (1 + 0.03 * at),
            "score_val": mae * (1.01 + 0.03 * at),
            "fit_seconds": 6.1 + 3 * at,
            "predict_seconds": 0.4 + 0.1 * at,
            "rows_per_second": 350_000.0 / 12**at,
        }
        for at, name in enumerate(names)
    ]
