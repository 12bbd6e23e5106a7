"""The settings slice of the Lambda code, read from JSON into frozen records.

`pipelines.definition` writes the slice from validated settings; nothing is checked again here, and nothing has a
default but the language, which slices of earlier versions lack: a missing key is a mistake of the definition and raises
KeyError.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_trigger.languages import language_of
from lambda_trigger.ports import ModelGroup
from steps import contract
from steps.language import ENGLISH, Language


@dataclass(frozen=True)
class Model:
    """One model of the pipeline; `threshold` is a MAE threshold of its own, `shard` names the job it shares, if any."""

    name: str
    slug: str
    threshold: float | None
    pooled: bool = False
    shard: str | None = None

    @property
    def unit(self) -> str:
        """Return what names the steps that serve this model: its shard, or its own slug."""
        return self.shard or self.slug

    @property
    def prepared(self) -> str:
        """Return the folder of its rows below an output of the prepare steps."""
        return contract.prepared_folder(self.slug, self.shard)


@dataclass(frozen=True)
class Gate:
    """The relative rule of the gate and the holdout rows below which no MAE counts."""

    max_baseline_ratio: float | None
    min_holdout_rows: int


@dataclass(frozen=True)
class Limit:
    """From where on a measure of drift is a warning, and from where on the run fails; None for never."""

    warn: float | None
    fail: float | None


@dataclass(frozen=True)
class Drift:
    """What the rows to predict may differ by; `segment` is the column whose values are the segments."""

    unseen: Limit
    nulls: Limit
    psi: Limit
    ignore: tuple[str, ...]
    default: str
    segment: str | None


@dataclass(frozen=True)
class Start:
    """What the trigger needs to know: globs of the raw files by role, and what a start may not exceed."""

    globs: Mapping[str, tuple[str, ...]]
    max_objects: int
    concurrency: str
    max_time_limit: int


@dataclass(frozen=True)
class Settings:
    """What the functions need to know."""

    pipeline: str
    bucket: str
    models: tuple[Model, ...]
    gate: Gate
    drift: Drift
    on_missing_default: str
    keep: int
    approval: str
    timezone: str
    latest: str
    start: Start
    language: Language = ENGLISH

    @property
    def prefix(self) -> str:
        """Return where everything of this pipeline lies."""
        return f"s3://{self.bucket}/{self.pipeline}"

    def name_of(self, slug: str) -> str:
        """Return the name that people know a model by, from its slug."""
        return next((model.name for model in self.models if model.slug == slug), slug)

    def group(self, model: Model) -> ModelGroup:
        """Return the registry group of a model."""
        return ModelGroup(contract.group_name(self.pipeline, model.slug), self.pipeline, model.name)


def parse(text: str) -> Settings:
    """Return the Settings of a slice's JSON text."""
    found = json.loads(text)
    gate = found["gate"]
    return Settings(
        pipeline=found["pipeline"],
        bucket=found["bucket"],
        models=tuple(Model(m["name"], m["slug"], m["threshold"], m["pooled"], m.get("shard")) for m in found["models"]),
        gate=Gate(gate["max_baseline_ratio"], gate["min_holdout_rows"]),
        drift=_parse_drift(found["drift"], found["segment"]),
        on_missing_default=found["fallback"]["on_missing_default"],
        keep=found["registry"]["keep"],
        approval=found["registry"]["approval"],
        timezone=found["timezone"],
        latest=found["latest"],
        start=Start(
            globs={role: tuple(globs) for role, globs in found["data"].items()},
            max_objects=found["max_objects"],
            concurrency=found["concurrency"],
            max_time_limit=found["max_time_limit"],
        ),
        language=language_of(found.get("language", ENGLISH.code)),
    )


def _parse_drift(found: Mapping[str, Any], segment: str | None) -> Drift:
    unseen, nulls, psi = (Limit(**found[measure]) for measure in ("unseen", "nulls", "psi"))
    return Drift(unseen, nulls, psi, tuple(found["ignore"]), found["default"], segment)
