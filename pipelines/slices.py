"""Settings slices: the part of the settings that one kind of step reads, as JSON. Pure.

A step gets its slice and nothing more, so that changing a setting touches only the steps it concerns: the MAE threshold
is in no slice of Train, the prediction glob in none of PrepareTraining.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines import shards
from pipelines.custom_code import CustomCode
from pipelines.models import ModelSpec
from pipelines.settings import Segments, Settings
from pipelines.shards import Shard
from steps import contract

PREPARE_TRAINING = "prepare-training"
PREPARE_PREDICTION = "prepare-prediction"
INFER = "infer"
POSTPROCESS = "postprocess"
LAMBDA = "lambda"
LINEAGE = "lineage"
"""Key of the slice of PostProcess that tells the report where everything came from."""
ROLES = ("train", "predict")
"""What raw files are for; `data` has globs for each."""


def train_kind(unit: str) -> str:
    """Return the kind of the slice that the Train step of one model or shard reads."""
    return f"train-{unit}"


def infer_kind(unit: str) -> str:
    """Return the kind of the slice that an Infer step of one model or shard reads."""
    return f"{INFER}-{unit}"


def slices(
    settings: Settings,
    models: tuple[ModelSpec, ...],
    bucket: str,
    custom: CustomCode | None = None,
    lineage: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Return every settings slice of a pipeline by kind; those of steps that call hooks of `custom` name them.

    `lineage` goes to PostProcess, which no cache knows.
    """

    def code_of(module: str, **more: Any) -> dict[str, Any]:
        found = custom.slice_of(module, settings.parameters) if custom else {}
        return {**found, **more} if found else {}

    fixed = {
        PREPARE_TRAINING: prepare_training(settings, models) | code_of("prepare"),
        PREPARE_PREDICTION: prepare_prediction(settings, models) | code_of("prepare", seed=settings.training.seed),
        POSTPROCESS: postprocess(settings, models)
        | code_of("postprocess", seed=settings.training.seed)
        | ({LINEAGE: dict(lineage)} if lineage else {}),
        LAMBDA: lambda_slice(settings, models, bucket),
    }
    jobs = shards.group(models)
    train = {train_kind(shard.name): train_slice(settings, shard) | code_of("train") for shard in jobs}
    infer = {infer_kind(shard.name): infer_slice(settings, shard) for shard in jobs}
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
        "on_segment_failure": settings.on_segment_failure,
        "models": [model.to_json() for model in models],
    }


def segment_column(settings: Settings) -> str | None:
    """Return the column whose values are the segments, or None for an explicit list."""
    return settings.models.by if isinstance(settings.models, Segments) else None


def train_slice(settings: Settings, shard: Shard) -> dict[str, Any]:
    """Return what the Train step of these models reads; the time limit is a pipeline parameter instead."""
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
            for model in shard.models
        ],
    }


def _training(settings: Settings, name: str) -> dict[str, Any]:
    found = settings.training_of(name).model_dump(exclude={"time_limit", "on_transient_failure"})
    if found["min_rows_per_second"] is None:
        del found["min_rows_per_second"]  # a key that is not set trains nothing again
    return {**found, "excluded_model_types": list(found["excluded_model_types"])}


def infer_slice(settings: Settings, shard: Shard) -> dict[str, Any]:
    """Return what an Infer step of these models reads."""
    return {
        "label": settings.data.label,
        "id": settings.data.id,
        "batch_rows": 32_768,
        "max_runtime": settings.max_runtime_of(settings.instances.infer),
        "drift": {
            "unseen": settings.drift.unseen.warn,
            "nulls": settings.drift.nulls.warn,
        },
        "on_segment_failure": settings.on_segment_failure,
        "models": [
            {"name": model.name, "slug": model.slug, "ignore": list(_not_compared(settings, model))}
            for model in shard.models
        ],
    }


def _not_compared(settings: Settings, model: ModelSpec) -> tuple[str, ...]:
    """Return the columns whose drift means nothing: a pooled model's segments to predict are others by design."""
    segment = segment_column(settings)
    return (*settings.drift.ignore, *((segment,) if segment and model.pooled else ()))


def postprocess(settings: Settings, models: tuple[ModelSpec, ...]) -> dict[str, Any]:
    """Return what PostProcess reads."""
    return {
        "pipeline": settings.pipeline.name,
        "label": settings.data.label,
        "id": settings.data.id,
        "csv": settings.output.csv,
        "timezone": settings.timezone,
        "language": settings.language,
        "models": [{"name": m.name, "slug": m.slug, "pooled": m.pooled, "job": m.unit} for m in models],
    }


def lineage(settings: Settings, code: Mapping[str, str], images: Mapping[str, str]) -> dict[str, Any]:
    """Return what the report tells of a definition: sha256 of each step's code, images and settings.

    Addresses of people are left out, and of listed models what is not set.
    """
    told = settings.model_dump(mode="json", exclude={"notifications"}, exclude_none=True)
    told["models"] = settings.model_dump(mode="json", include={"models"}, exclude_unset=True)["models"]
    return {"code": dict(code), "images": dict(images), "settings": told}


def lambda_slice(settings: Settings, models: tuple[ModelSpec, ...], bucket: str) -> dict[str, Any]:
    """Return what the Lambda functions read."""
    return {
        "pipeline": settings.pipeline.name,
        "bucket": bucket,
        "latest": f"s3://{bucket}/{settings.pipeline.name}/{contract.PREDICTIONS_DIR}/{contract.LATEST_FILE}",
        "gate": settings.gate.model_dump(),
        "segment": segment_column(settings),
        "drift": {**settings.drift.model_dump(), "ignore": list(settings.drift.ignore)},
        "fallback": settings.fallback.model_dump(),
        "registry": settings.registry.model_dump(),
        "timezone": settings.timezone,
        "language": settings.language,
        "data": {role: list(data_globs(settings, role)) for role in ROLES},
        "max_objects": settings.max_objects,
        "concurrency": settings.concurrency,
        "max_time_limit": max_time_limit(settings, shards.most_waves(settings, models)),
        "models": [
            {
                "name": m.name,
                "slug": m.slug,
                "shard": m.shard,
                "pooled": m.pooled,
                "threshold": settings.threshold_of(m.name),
            }
            for m in models
        ],
    }


def data_globs(settings: Settings, role: str) -> tuple[str, ...]:
    """Return the globs that name all raw files of a role, `train` or `predict`: the common ones and models' own."""
    common: tuple[str, ...] = getattr(settings.data, role)
    if isinstance(settings.models, Segments):
        return common
    own = [glob for model in settings.models for glob in getattr(model, role) or ()]
    needs_common = any(getattr(model, role) is None for model in settings.models)
    return tuple(dict.fromkeys([*(common if needs_common else ()), *own]))


def max_time_limit(settings: Settings, waves: int = 1) -> int:
    """Return the longest training time for which a job ends by its own guards before the service stops it.

    `waves` tells how many trainings follow one another in it.
    """
    allowed = settings.max_runtime_of(settings.instances.train, waves) / waves
    estimate = int((allowed / 4 - 60) / settings.training.time_guard)
    fitting = [limit for limit in (estimate + 1, estimate, estimate - 1) if _longest(settings, limit) <= allowed]
    return max(0, *fitting)


def _longest(settings: Settings, time_limit: int) -> int:
    return settings.training.model_copy(update={"time_limit": time_limit}).longest
