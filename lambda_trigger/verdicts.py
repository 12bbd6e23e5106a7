"""The gate's verdict on each model (`verdicts.json`): written by judge, read by the other handlers. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from steps import contract

_LATER = ("mae_low", "mae_high")
"""Figures that verdicts of earlier versions lack."""


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one model; `improvement` is in percent of the baseline's MAE.

    `mae_low` and `mae_high` are the ends of the MAE's interval, None where none was found.
    """

    name: str
    slug: str
    status: str
    accepted: bool
    ignored: bool
    mae: float | None
    baseline_mae: float | None
    improvement: float | None
    threshold: float | None
    holdout_rows: int
    reasons: tuple[str, ...]
    mae_low: float | None = None
    mae_high: float | None = None

    @property
    def rejected(self) -> bool:
        """Tell whether the gate turned this model down (a model without training rows is ignored)."""
        return not self.accepted and not self.ignored


@dataclass(frozen=True)
class Verdicts:
    """The verdicts of an execution with the rules that led to them."""

    execution: str
    threshold: float | None
    max_baseline_ratio: float | None
    min_holdout_rows: int
    models: tuple[Verdict, ...]

    @property
    def rejected(self) -> tuple[Verdict, ...]:
        """The models that the gate turned down."""
        return tuple(verdict for verdict in self.models if verdict.rejected)

    def of(self, slug: str) -> Verdict:
        """Return the verdict on the model with this slug."""
        return {verdict.slug: verdict for verdict in self.models}[slug]

    def to_json(self) -> str:
        """Return the text of `verdicts.json`."""
        document = {
            "execution": self.execution,
            "passed": not self.rejected,
            "rejected": len(self.rejected),
            "threshold": self.threshold,
            "max_baseline_ratio": self.max_baseline_ratio,
            "min_holdout_rows": self.min_holdout_rows,
            "models": {verdict.slug: {**asdict(verdict), "reasons": list(verdict.reasons)} for verdict in self.models},
        }
        return contract.to_json(document)


def parse(text: str) -> Verdicts:
    """Return the Verdicts of a `verdicts.json`."""
    found = json.loads(text)
    return Verdicts(
        execution=found["execution"],
        threshold=found["threshold"],
        max_baseline_ratio=found["max_baseline_ratio"],
        min_holdout_rows=found["min_holdout_rows"],
        models=tuple(_parse_verdict(verdict) for _, verdict in sorted(found["models"].items())),
    )


def _parse_verdict(found: Mapping[str, Any]) -> Verdict:
    values = {name: found[name] for name in Verdict.__dataclass_fields__ if name not in _LATER}
    later = {name: found.get(name) for name in _LATER}
    return Verdict(**{**values, **later, "reasons": tuple(found["reasons"])})
