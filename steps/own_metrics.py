"""Figures of a user's own on the holdout: the `metrics` hook, called once with all held-out rows of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from steps import contract, hooknames
from steps.hooks import Context, Hooks

if TYPE_CHECKING:
    from steps.scoring import Floats

MOST = 50
"""Figures of a model: people read them in the report."""
LONGEST = 100
"""Characters of a figure's name."""


@dataclass
class Gathered:
    """Labels and predictions of the holdout, batch by batch; 16 bytes a row."""

    actual: list[Floats] = field(default_factory=list)
    predicted: list[Floats] = field(default_factory=list)

    def add(self, actual: Floats, predicted: Floats) -> None:
        """Add a batch."""
        self.actual.append(actual)
        self.predicted.append(predicted)


def compute(hooks: Hooks, context: Context, gathered: Gathered) -> dict[str, float]:
    """Return the figures by name, in the order of the names.

    Raises:
        HookError: the hook raised, or returned what is no mapping of names to finite numbers.
    """
    actual, predicted = np.concatenate(gathered.actual), np.concatenate(gathered.predicted)
    found = hooks.call(hooknames.METRICS, actual, predicted, context=context)
    if not isinstance(found, Mapping):
        raise hooks.error(hooknames.METRICS, f"returned {type(found).__name__}; return a dict of names and numbers")
    if len(found) > MOST:
        raise hooks.error(hooknames.METRICS, f"returned {len(found):,} figures; return at most {MOST}")
    problems = [problem for name, value in found.items() if (problem := _problem(name, value))]
    if problems:
        raise hooks.error(hooknames.METRICS, f"returned {'; '.join(problems)}")
    return {name: float(found[name]) for name in sorted(found)}


def _problem(name: Any, value: Any) -> str:
    """Return what is wrong with a figure, or nothing."""
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST or contract.escape_controls(name) != name:
        return f"a name that is no text of 1 to {LONGEST} characters; name every figure"
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return f"{name!r} of type {type(value).__name__}; return a number"
    return "" if math.isfinite(value) else f"{name!r} that is no finite number ({float(value)}); leave it out then"
