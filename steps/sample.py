"""A bounded sample of one model's rows, the same for the same rows, and the points that stand for a column's numbers.

Whether a row is kept depends on its position among the model's rows alone, so that the training rows and the rows to
predict are sampled without knowing of each other, chunk by chunk in bounded memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steps import contract

POINTS = 200
"""Points of a column, each standing for an equal share of its rows."""

Floats = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.uint64]


class RowSample:
    """The rows of lowest rank, at most `contract.SAMPLE_ROWS`, of the columns that hold numbers."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = list(columns)
        self._rows = 0
        self._ranks: Ranks = np.empty(0, np.uint64)
        self._values: Floats = np.empty((0, len(self.columns)))

    def add(self, table: pa.Table) -> None:
        """Add a chunk of the model's rows."""
        ranks = rank(self._rows, table.num_rows)
        self._rows += table.num_rows
        if not self.columns or not table.num_rows:
            return
        full = len(self._ranks) == contract.SAMPLE_ROWS
        chosen = np.flatnonzero(ranks < self._ranks[-1]) if full else np.arange(len(ranks))
        if len(chosen) > contract.SAMPLE_ROWS:  # reading the values is what takes time
            chosen = np.sort(np.argpartition(ranks, contract.SAMPLE_ROWS)[: contract.SAMPLE_ROWS])
        kept = np.column_stack([_numbers(table.column(name), chosen) for name in self.columns])
        ranks, values = np.concatenate([self._ranks, ranks[chosen]]), np.concatenate([self._values, kept])
        order = np.argsort(ranks)[: contract.SAMPLE_ROWS]
        self._ranks, self._values = ranks[order], values[order]

    def points(self, column: str) -> list[float]:
        """Return POINTS values of a column in order, each for an equal share of its rows; none without a value."""
        values = self._values[:, self.columns.index(column)]
        return points(values[np.isfinite(values)])


def rank(first: int, count: int) -> Ranks:
    """Return a random-looking number for each position from `first` on, no two alike (SplitMix64's mixing)."""
    mixed = np.arange(first, first + count, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def points(values: Floats) -> list[float]:
    """Return POINTS of the values in order, each one that is there, to nine significant digits."""
    if not len(values):
        return []
    found = np.quantile(values, (np.arange(POINTS) + 0.5) / POINTS, method="inverted_cdf")
    return [float(f"{value:.9g}") for value in found]


def _numbers(values: Any, chosen: npt.NDArray[np.intp]) -> Floats:
    """Return the values at the chosen positions, NaN where there is none."""
    numbers: Floats = values.take(pa.array(chosen)).to_numpy().astype(np.float64)
    return numbers
