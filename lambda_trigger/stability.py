"""How a model's rows to predict differ from its training rows, by column, from the profiles of both. Pure.

The measure of a shifted distribution is the population stability index, PSI = sum of (p - q) ln(p / q) over bins with
the shares p of the rows to predict and q of the training rows. Bins are the deciles of the training rows (a value that
makes up a tenth of them has a bin of its own) or the categories, and null; rare and unseen categories share a bin,
because a sample of rare ones never holds them all. Each count gets a half added, so that an empty bin is no infinity.

By rule of thumb 0.1 is a small shift and 0.25 a large one (N. Siddiqi, Credit Risk Scorecards, 2006). Samples of one
population have a PSI as well: about (1/n + 1/m) times a chi-square of one degree of freedom less than bins
(B. Yurdakul, Statistical Properties of Population Stability Index, 2018). So a PSI counts only beyond the 99 % point
of that, `noise`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any

from steps import contract

MEASURE = "PSI"
CERTAINTY = 0.99
BINS = 10
SMALLEST = 5
"""Rows that a category has to be expected to have in the smaller sample for a bin of its own (Cochran's rule)."""

Json = Mapping[str, Any]
Pairs = Sequence[tuple[float, float]]
"""Rows of each bin: in training, to predict."""


@dataclass(frozen=True)
class ColumnDrift:
    """What became of one column; None where a figure means nothing for its kind."""

    kind: str
    psi: float | None
    noise: float | None
    null_train: float
    null_predict: float
    unseen: float | None

    @property
    def null_shift(self) -> float:
        """Return by how much the share of nulls has changed."""
        return abs(self.null_predict - self.null_train)

    @property
    def certain_psi(self) -> float | None:
        """Return the PSI unless samples of this size may have it by chance."""
        return self.psi if self.psi is not None and self.noise is not None and self.psi > self.noise else None


def compare(training: Json, prediction: Json, left_out: Iterable[str] = ()) -> dict[str, ColumnDrift]:
    """Return the drift of each column that both profiles have, by name; nothing where one has no rows."""
    if not training["rows"] or not prediction["rows"]:
        return {}
    names = sorted(set(training["columns"]) & set(prediction["columns"]) - set(left_out))
    sizes = training["rows"], prediction["rows"]
    return {name: _compare_column(training["columns"][name], prediction["columns"][name], sizes) for name in names}


def _compare_column(train: Json, predict: Json, sizes: tuple[int, int]) -> ColumnDrift:
    pairs: Pairs | None = None
    unseen = None
    if "points" in train and "points" in predict:
        sizes = min(sizes[0], contract.SAMPLE_ROWS), min(sizes[1], contract.SAMPLE_ROWS)
        pairs = _number_bins(train, predict, sizes)
    elif "counts" in train and "counts" in predict:
        strangers = _unseen_rows(train["counts"], predict)
        unseen = strangers / sizes[1]
        pairs = _category_bins(train, predict, sizes, strangers)
    psi, noise = (None, None) if pairs is None else (measure(pairs), chance(len(pairs), *sizes))
    return ColumnDrift(train["kind"], psi, noise, train["null_rate"], predict["null_rate"], unseen)


def measure(pairs: Pairs) -> float:
    """Return the PSI of bins that hold rows on at least one side; 0 for a single bin."""
    added = 0.5
    totals = [sum(side) + added * len(pairs) for side in zip(*pairs, strict=True)]
    shares = [((q + added) / totals[0], (p + added) / totals[1]) for q, p in pairs]
    return math.fsum((p - q) * math.log(p / q) for q, p in shares)


def chance(bins: int, train: int, predict: int) -> float:
    """Return the PSI that two samples of one population stay below in 99 of 100 cases."""
    return chi_square(max(1, bins - 1)) * (1 / train + 1 / predict)


def chi_square(freedom: int) -> float:
    """Return the 99 % point of a chi-square distribution (Wilson and Hilferty's approximation)."""
    share = 2 / (9 * freedom)
    cube = 1 - share + NormalDist().inv_cdf(CERTAINTY) * math.sqrt(share)
    return float(freedom * cube**3)


def _number_bins(train: Json, predict: Json, sizes: tuple[int, int]) -> Pairs:
    edges = _edges(train["points"])
    sides = [
        _spread(side["points"], edges, size * (1 - side["null_rate"]))
        for side, size in zip((train, predict), sizes, strict=True)
    ]
    nulls = train["null_rate"] * sizes[0], predict["null_rate"] * sizes[1]
    return _filled([*zip(*sides, strict=True), nulls])


def _edges(points: Sequence[float]) -> list[float]:
    """Return the upper edges of the bins but for the last: the deciles, and what is just below a frequent value."""
    deciles = [points[len(points) * part // BINS - 1] for part in range(1, BINS)] if points else []
    frequent = [value for value, count in Counter(deciles).items() if count > 1]
    return sorted({*deciles, *(math.nextafter(value, -math.inf) for value in frequent)})


def _spread(points: Sequence[float], edges: Sequence[float], rows: float) -> list[float]:
    """Return how many of `rows` fall into each bin, as far as the points tell."""
    below = [0, *(bisect_right(points, edge) for edge in edges), len(points)]
    return [rows * (high - low) / max(1, len(points)) for low, high in pairwise(below)]


def _unseen_rows(known: Mapping[str, int], predict: Json) -> int:
    """Return the rows whose category training did not see; beyond the categories that a profile counts, all."""
    strangers = sum(rows for category, rows in predict["counts"].items() if category not in known)
    return int(strangers + predict["others"])


def _category_bins(train: Json, predict: Json, sizes: tuple[int, int], unseen: int) -> Pairs:
    """Return a bin per category of training, one for all that are rare or unseen, and one for null."""
    pairs = [(rows, predict["counts"].get(category, 0)) for category, rows in sorted(train["counts"].items())]
    least = SMALLEST * sum(sizes) / min(sizes)
    rare = [pair for pair in pairs if sum(pair) < least]
    common: list[tuple[float, float]] = [pair for pair in pairs if sum(pair) >= least]
    nulls = train["null_rate"] * sizes[0], predict["null_rate"] * sizes[1]
    return _filled([*common, (sum(q for q, _ in rare), sum(p for _, p in rare) + unseen), nulls])


def _filled(pairs: Pairs) -> Pairs:
    return [pair for pair in pairs if any(pair)]
