"""Settings slices: the part of the settings that one kind of step reads, as JSON. Pure.

A step gets its slice and nothing more, so that changing a setting touches only the steps it concerns: the MAE threshold
is in no slice of Train, the prediction glob in none of PrepareTraining.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.models import ModelSpec
from pipelines.settings import Segments, Settings, Training
from steps import contract

PREPARE_TRAINING = "prepare-training"
PREPARE_PREDICTION = "prepare-prediction"
INFER = "infer"
POSTPROCESS = "postprocess"
LAMBDA = "lambda"
NULLABLE = ("hyperparameters", "infer_limit")
"""Keys that a model may set to null, against `training`; in the others null means: as in `training`."""


def train_kind(slug: str) -> str:
    """Return the kind of the slice that the Train step of one model reads."""
    return f"train-{slug}"


def infer_kind(slug: str) -> str:
    """Return the kind of the slice that an Infer step of one model reads."""
    return f"{INFER}-{slug}"


def slices(settings: Settings, models: tuple[ModelSpec, ...], bucket: str) -> Mapping[str, Any]:
    """Return every settings slice of a pipeline by kind."""
    fixed = {
        PREPARE_TRAINING: prepare_training(settings, models),
        PREPARE_PREDICTION: prepare_prediction(settings, models),
        POSTPROCESS: postprocess(settings, models),
        LAMBDA: lambda_slice(settings, models, bucket),
    }
    train = {train_kind(model.slug): train_slice(settings, model) for model in models}
    infer = {infer_kind(model.slug): infer_slice(settings, model) for model in models}
    return {**fixed, **train, **infer}


def prepare_training(settings: Settings, models: tuple[ModelSpec, ...]) -> dict[str, Any]:
    """Return what PrepareTraining reads."""
    data = settings.data
    return {
        **_prepare(settings, models),
        "glob": list(data.train),
        "time": data.time,
        "drop": list(data.drop),
        "categories": list(data.categories),
        "holdout": data.holdout.model_dump(),
        "seed": settings.training.seed,
        "max_null_label_fraction": data.max_null_label_fraction,
    }


def prepare_prediction(settings: Settings, models: tuple[ModelSpec, ...]) -> dict[str, Any]:
    """Return what PreparePrediction reads."""
    return {**_prepare(settings, models), "glob": list(settings.data.predict)}


def _prepare(settings: Settings, models: tuple[ModelSpec, ...]) -> dict[str, Any]:
    return {
        "pipeline": settings.pipeline.name,
        "label": settings.data.label,
        "id": settings.data.id,
        "delimiter": settings.data.delimiter,
        "segment": segment_column(settings),
        "rest": settings.rest,
        "models": [model.to_json() for model in models],
    }


def segment_column(settings: Settings) -> str | None:
    """Return the column whose values are the segments, or None for an explicit list."""
    return settings.models.by if isinstance(settings.models, Segments) else None


def train_slice(settings: Settings, model: ModelSpec) -> dict[str, Any]:
    """Return what the Train step of one model reads; the time limit is a pipeline parameter instead."""
    return {
        "label": settings.data.label,
        "id": settings.data.id,
        "categories": list(settings.data.categories),
        "on_transient_failure": settings.training.on_transient_failure,
        "models": [
            {
                "name": model.name,
                "slug": model.slug,
                "pooled": model.pooled,
                "training": _training(settings, model.name),
            }
        ],
    }


def _training(settings: Settings, name: str) -> dict[str, Any]:
    base = settings.training.model_dump(exclude={"time_limit", "on_transient_failure"})
    override = settings.override_of(name)
    given = override.training.model_dump(exclude_unset=True) if override else {}
    own = {key: value for key, value in given.items() if value is not None or key in NULLABLE}
    merged = Training.model_validate({**base, **own}).model_dump(exclude={"time_limit", "on_transient_failure"})
    return {**merged, "excluded_model_types": list(merged["excluded_model_types"])}


def infer_slice(settings: Settings, model: ModelSpec) -> dict[str, Any]:
    """Return what an Infer step of one model reads."""
    return {
        "label": settings.data.label,
        "id": settings.data.id,
        "batch_rows": 65_536,
        "models": [{"name": model.name, "slug": model.slug}],
    }


def postprocess(settings: Settings, models: tuple[ModelSpec, ...]) -> dict[str, Any]:
    """Return what PostProcess reads."""
    return {
        "pipeline": settings.pipeline.name,
        "label": settings.data.label,
        "id": settings.data.id,
        "csv": settings.output.csv,
        "timezone": settings.timezone,
        "models": [{"name": m.name, "slug": m.slug, "pooled": m.pooled} for m in models],
    }


def lambda_slice(settings: Settings, models: tuple[ModelSpec, ...], bucket: str) -> dict[str, Any]:
    """Return what the Lambda functions read."""
    return {
        "pipeline": settings.pipeline.name,
        "bucket": bucket,
        "latest": f"s3://{bucket}/{settings.pipeline.name}/{contract.PREDICTIONS_DIR}/{contract.LATEST_FILE}",
        "gate": settings.gate.model_dump(),
        "fallback": settings.fallback.model_dump(),
        "registry": settings.registry.model_dump(),
        "timezone": settings.timezone,
        "models": [
            {"name": m.name, "slug": m.slug, "pooled": m.pooled, "threshold": settings.threshold_of(m.name)}
            for m in models
        ],
    }
