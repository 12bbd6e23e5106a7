"""Mean and spread of numbers that arrive in batches.

Pure and light (no numpy at import). Merging is by Chan, Golub and LeVeque, stable for values far from zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steps.scoring import Floats


@dataclass
class Moments:
    """Rows, mean and summed squared deviations of all values added."""

    rows: int = 0
    mean: float = 0.0
    spread: float = 0.0

    def add(self, values: Floats) -> None:
        """Add a batch of values."""
        rows = len(values)
        if not rows:
            return
        mean = float(values.mean())
        self.merge(Moments(rows, mean, float(((values - mean) ** 2).sum())))

    def merge(self, other: Moments) -> None:
        """Add the values of which others are the moments."""
        if not other.rows:
            return
        total = self.rows + other.rows
        difference = other.mean - self.mean
        self.spread += other.spread + difference * difference * self.rows * other.rows / total
        self.mean += difference * other.rows / total
        self.rows = total

    @property
    def deviation(self) -> float:
        """Return the sample standard deviation; 0 for a single value."""
        return float((self.spread / max(1, self.rows - 1)) ** 0.5)
