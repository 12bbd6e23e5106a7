"""What a training reports about its model (`evaluation.json`), as a frozen record; only `read` does I/O.

Nothing that the file may say makes reading it fail: what is no usable figure is None, and of what cannot be read at
all a failed training with the reason is made, so that the gate turns that model down and judges the others. A file
that is not there is another matter (a StoreError that fails the step, and `--retry` tries again): a lost connection
or a missing permission says nothing about a model, and must not send its segment to another one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_trigger.ports import ObjectStore, Scalar, StoreError, join_uri
from lambda_trigger.settings import Model
from steps import contract

MOST_BYTES = 1_000_000
"""Far more than Train writes."""
_STATUSES = (contract.TRAINED, contract.FAILED, contract.SKIPPED)
_DIGEST = re.compile(r"[0-9A-Za-z]{1,128}")
"""What may become a part of an artifact's key."""


@dataclass(frozen=True)
class Evaluation:
    """A model's evaluation on its holdout rows; a figure that is no finite number, or no count of rows, is None."""

    status: str
    reason: str | None
    mae: float | None
    baseline_mae: float | None
    holdout_rows: int | None
    sha256: str | None
    autogluon_version: str
    python_version: str
    mae_low: float | None = None
    mae_high: float | None = None


def parse(text: str) -> Evaluation:
    """Return the Evaluation of an `evaluation.json`, a failed one with the reason where it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return _unreadable("it is no JSON")
    if not isinstance(found, dict):
        return _unreadable("it is no JSON object")
    status = found.get("status")
    if status not in _STATUSES:
        return _unreadable(f"its status is none of {', '.join(_STATUSES)}")
    low, high = _interval(_within(found, "mae_interval"))
    return Evaluation(
        status=status,
        reason=_text(found.get("reason")) or None,
        mae=_finite(_within(_within(_within(found, "regression_metrics"), "mae"), "value")),
        baseline_mae=_finite(_within(_within(found, "baseline"), "mae")),
        holdout_rows=_count(found.get("holdout_rows")),
        sha256=_digest(_within(_within(found, "artifact"), "sha256")),
        autogluon_version=_text(found.get("autogluon_version")),
        python_version=_text(found.get("python_version")),
        mae_low=low,
        mae_high=high,
    )


def read(objects: ObjectStore, event: Mapping[str, Scalar], model: Model) -> Evaluation:
    """Read the evaluation of a model from the training output that the event names.

    Raises:
        StoreError: it is not there, or cannot be got.
    """
    uri = uri_of(event, model)
    content = objects.read_start(uri, MOST_BYTES + 1)
    if content is None:
        raise StoreError(f"{uri}: no such object")
    if len(content) > MOST_BYTES:
        return _unreadable(f"it has more than {MOST_BYTES:,} bytes")
    try:
        return parse(content.decode("utf-8"))
    except UnicodeDecodeError:
        return _unreadable("it is no UTF-8 text")


def uri_of(event: Mapping[str, Scalar], model: Model) -> str:
    """Return the URI of a model's `evaluation.json`."""
    return join_uri(event[contract.evaluation_key(model.unit)], model.slug, contract.EVALUATION_FILE)


def _unreadable(problem: str) -> Evaluation:
    reason = f"{contract.EVALUATION_FILE} cannot be read: {problem}; train this model again"
    return Evaluation(contract.FAILED, reason, None, None, None, None, "", "")


def _within(found: Any, key: str) -> Any:
    return found.get(key) if isinstance(found, dict) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return number if math.isfinite(number) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _digest(value: Any) -> str | None:
    return value if isinstance(value, str) and _DIGEST.fullmatch(value) else None


def _interval(found: Any) -> tuple[float | None, float | None]:
    """Return both ends of an interval, or neither: earlier versions wrote none."""
    low, high = _finite(_within(found, "low")), _finite(_within(found, "high"))
    return (low, high) if low is not None and high is not None and 0 <= low <= high else (None, None)
