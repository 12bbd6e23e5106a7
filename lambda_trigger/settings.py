"""The settings slice of the Lambda code, read from JSON into frozen records.

`pipelines.definition` writes the slice from validated settings; nothing is checked again here, and nothing
has a default: a missing key is a mistake of the definition and raises KeyError.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from lambda_trigger.ports import ModelGroup
from steps import contract


@dataclass(frozen=True)
class Model:
    """One model of the pipeline; `threshold` is a MAE threshold of its own."""

    name: str
    slug: str
    threshold: float | None


@dataclass(frozen=True)
class Gate:
    """The relative rule of the gate and the holdout rows below which no MAE counts."""

    max_baseline_ratio: float | None
    min_holdout_rows: int


@dataclass(frozen=True)
class Settings:
    """What judge, decide, register and notify need to know."""

    pipeline: str
    models: tuple[Model, ...]
    gate: Gate
    on_missing_default: str
    keep: int
    approval: str
    timezone: str
    latest: str

    def group(self, model: Model) -> ModelGroup:
        """Return the registry group of a model."""
        return ModelGroup(contract.group_name(self.pipeline, model.slug), self.pipeline, model.name)


def parse(text: str) -> Settings:
    """Return the Settings of a slice's JSON text."""
    found = json.loads(text)
    gate = found["gate"]
    return Settings(
        pipeline=found["pipeline"],
        models=tuple(Model(m["name"], m["slug"], m["threshold"]) for m in found["models"]),
        gate=Gate(gate["max_baseline_ratio"], gate["min_holdout_rows"]),
        on_missing_default=found["fallback"]["on_missing_default"],
        keep=found["registry"]["keep"],
        approval=found["registry"]["approval"],
        timezone=found["timezone"],
        latest=found["latest"],
    )
