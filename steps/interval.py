"""How sure the holdout's MAE is: a bootstrap interval from errors that arrive in batches, in bounded memory.

Percentile method (Efron 1979, "Bootstrap Methods: Another Look at the Jackknife", doi:10.1214/aos/1176344552). It says
how much the MAE would vary with other rows of the same kind, and only if rows are independent: rows that belong
together (one customer, one day) or a holdout by time or group vary more than it says, and it knows nothing of a
future that differs from the past. It is shown beside the MAE; the gate decides on the MAE itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from steps.scoring import Floats

LEVEL = 0.95
SAMPLES = 1_000
GROUPS = 2_000
"""Up to as many rows each is resampled by itself; of more, sums over rows this far apart are."""
METHOD = "bootstrap"
_AT_ONCE = 100
"""Samples drawn together: 100 x 2,000 positions and errors are about 3 MB."""


@dataclass(frozen=True)
class Interval:
    """Where the MAE lies with probability `level`, found from `samples` resamplings."""

    low: float
    high: float
    level: float = LEVEL
    samples: int = SAMPLES
    method: str = METHOD

    def as_json(self) -> dict[str, Any]:
        """Return the interval as it stands in `evaluation.json`."""
        return asdict(self)


class Bootstrap:
    """Sums and counts of absolute errors, by the row's position modulo GROUPS."""

    def __init__(self) -> None:
        self._rows = 0
        self._sums = np.zeros(GROUPS)
        self._counts = np.zeros(GROUPS)

    def add(self, errors: Floats) -> None:
        """Add the absolute errors of the next rows."""
        groups = (self._rows + np.arange(len(errors))) % GROUPS
        self._sums += np.bincount(groups, weights=errors, minlength=GROUPS)
        self._counts += np.bincount(groups, minlength=GROUPS)
        self._rows += len(errors)

    def interval(self, seed: int) -> Interval | None:
        """Return the interval, the same for the same rows and seed; None for fewer than two rows or no finite one."""
        if self._rows < 2:
            return None
        filled = min(self._rows, GROUPS)
        random = np.random.default_rng(seed)
        with np.errstate(over="ignore", invalid="ignore"):
            means = np.concatenate([self._resample(random, filled) for _ in range(SAMPLES // _AT_ONCE)])
            low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(float(low), float(high)) if np.isfinite([low, high]).all() else None

    def _resample(self, random: np.random.Generator, filled: int) -> Floats:
        drawn = random.integers(0, filled, (_AT_ONCE, filled))
        found: Floats = self._sums[drawn].sum(axis=1) / self._counts[drawn].sum(axis=1)
        return found
