"""What PostProcess reports of a finished run (`summary.json`), as frozen records. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steps import contract


@dataclass(frozen=True)
class ModelSummary:
    """Who served one segment, and why; `rows` were predicted, `rows_waiting` should have been and were not.

    `failure` is why its rows could not be prepared or scored, although the run went on.
    """

    name: str
    slug: str
    mae: float | None
    baseline_mae: float | None
    improvement: float | None
    threshold: float | None
    accepted: bool
    reasons: tuple[str, ...]
    served_by: str
    why: str
    rows: int
    rows_waiting: int
    model_version: int | None
    mae_low: float | None = None
    mae_high: float | None = None
    failure: str | None = None
    status: str | None = None

    @property
    def is_trained(self) -> bool:
        """Tell whether this run trained the segment: without, it has registered no version of it."""
        return self.status == contract.TRAINED

    @property
    def is_unserved(self) -> bool:
        """Tell whether rows of this segment got no prediction; a segment without rows lacks nothing."""
        return self.rows_waiting > 0 or self.failure is not None


@dataclass(frozen=True)
class Summary:
    """A finished run: rows read and predicted, and every model in the order of its name."""

    status: str
    rows: int
    predict_rows: int
    models: tuple[ModelSummary, ...]
    mode: str = contract.FULL

    @property
    def degraded(self) -> bool:
        """Tell whether a segment went without predictions."""
        return self.status == "Degraded"


def parse(text: str) -> Summary:
    """Return the Summary of a `summary.json`."""
    found = json.loads(text)
    models = tuple(_parse_model(name, model) for name, model in found["models"].items())
    mode = str(found.get("mode", contract.FULL))
    return Summary(found["status"], int(found["rows"]), int(found["predict_rows"]), models, mode)


def _parse_model(name: str, found: Mapping[str, Any]) -> ModelSummary:
    return ModelSummary(
        name=name,
        slug=found["slug"],
        mae=found["mae"],
        baseline_mae=found["baseline_mae"],
        improvement=found["improvement"],
        threshold=found["threshold"],
        accepted=bool(found["accepted"]),
        reasons=tuple(found["reasons"] or ()),
        served_by=found["served_by"],
        why=found["why"] or "",
        rows=int(found["rows"]),
        rows_waiting=int(found["rows_waiting"]),
        model_version=found["model_version"],
        mae_low=found.get("mae_low"),
        mae_high=found.get("mae_high"),
        failure=found.get("failure"),
        status=found.get("status"),
    )
