"""What a training reports about its model (`evaluation.json`), as a frozen record; only `read` does I/O."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_trigger.ports import ObjectStore, Scalar, join_uri
from lambda_trigger.settings import Model
from steps import contract


@dataclass(frozen=True)
class Evaluation:
    """A model's evaluation on its holdout rows; a figure that is no finite number is None."""

    status: str
    reason: str | None
    mae: float | None
    baseline_mae: float | None
    holdout_rows: int
    sha256: str | None
    autogluon_version: str
    python_version: str


def parse(text: str) -> Evaluation:
    """Return the Evaluation of an `evaluation.json`."""
    found = json.loads(text)
    return Evaluation(
        status=found["status"],
        reason=found.get("reason"),
        mae=_finite(found["regression_metrics"]["mae"]["value"]),
        baseline_mae=_finite(found["baseline"]["mae"]),
        holdout_rows=int(found["holdout_rows"] or 0),
        sha256=(found.get("artifact") or {}).get("sha256"),
        autogluon_version=str(found.get("autogluon_version") or ""),
        python_version=str(found.get("python_version") or ""),
    )


def read(objects: ObjectStore, event: Mapping[str, Scalar], model: Model) -> Evaluation:
    """Read the evaluation of a model from the training output that the event names."""
    return parse(objects.read_text(uri_of(event, model)))


def uri_of(event: Mapping[str, Scalar], model: Model) -> str:
    """Return the URI of a model's `evaluation.json`."""
    return join_uri(event[contract.evaluation_key(model.slug)], model.slug, contract.EVALUATION_FILE)


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
