"""How the rows to score differ from those of training, counted batch by batch in bounded memory.

Null rates and unseen categories against the artifact's schema, and the distribution of the predictions on the bins
of the training label. It judges nothing but two plain limits (`drift` in the settings); it holds counts, never a cell's
value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from steps.moments import Moments

if TYPE_CHECKING:
    from steps.scoring import Floats

# pyarrow has type information for a part of itself only
pc: Any = pyarrow.compute

BINS = 20


@dataclass(frozen=True)
class Limits:
    """Beyond which share of unseen categories and change of a null rate to warn (None: never), but for `ignore`."""

    unseen: float | None = 0.01
    nulls: float | None = 0.1
    ignore: frozenset[str] = frozenset()

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Limits:
        """Read the part `drift` of the settings slice."""
        return cls(found["unseen"], found["nulls"], frozenset(found["ignore"]))

    def to_json(self) -> dict[str, Any]:
        """Return them as they are read."""
        return {"unseen": self.unseen, "nulls": self.nulls, "ignore": sorted(self.ignore)}


class Rates:
    """Counts of nulls and of categories that training did not see, per column."""

    def __init__(self, columns: Sequence[Mapping[str, Any]], limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._trained = {column["name"]: column["null_rate"] for column in columns}
        self._known = {c["name"]: pa.array(c["categories"], pa.string()) for c in columns if c.get("categories")}
        self._nulls = dict.fromkeys(self._trained, 0)
        self._unseen = dict.fromkeys(self._known, 0)
        self._rows = 0

    def add(self, batch: Any) -> None:
        """Count one record batch."""
        self._rows += batch.num_rows
        for name in self._nulls:
            self._nulls[name] += batch.column(name).null_count
        for name, known in self._known.items():
            values = batch.column(name).cast(pa.string())
            seen = pc.sum(pc.is_in(values, value_set=known)).as_py() or 0
            self._unseen[name] += batch.num_rows - values.null_count - seen

    def counts(self) -> dict[str, Any]:
        """Return what was counted, as JSON: rates cannot be added, counts can."""
        counted = {"rows": self._rows, "nulls": self._nulls, "unseen": self._unseen}
        return {**counted, "trained": self._trained, "limits": self._limits.to_json()}

    @classmethod
    def of_counts(cls, counts: Sequence[Mapping[str, Any]]) -> Rates:
        """Return the rates of all rows that were counted apart, against one model and with the same limits."""
        found = cls([], Limits.from_json(counts[0]["limits"]))
        found._trained = dict(counts[0]["trained"])
        found._rows = sum(each["rows"] for each in counts)
        found._nulls, found._unseen = (
            {name: sum(each[kind][name] for each in counts) for name in counts[0][kind]} for kind in ("nulls", "unseen")
        )
        return found

    def unseen(self) -> dict[str, float]:
        """Return the share of rows whose category training did not see, for columns that have such rows."""
        return {name: count / self._rows for name, count in sorted(self._unseen.items()) if count}

    def nulls(self) -> dict[str, dict[str, float | None]]:
        """Return the null rate of each column in training and here; nothing without rows."""
        if not self._rows:
            return {}
        return {
            name: {"train": self._trained[name], "predict": count / self._rows}
            for name, count in sorted(self._nulls.items())
        }

    def warnings(self) -> list[str]:
        """Return a sentence for each column beyond the limits."""
        unseen = [
            f"column {name!r}: {rate:.1%} of the rows have a category that training did not see"
            for name, rate in self.unseen().items()
            if name not in self._limits.ignore and self._limits.unseen is not None and rate > self._limits.unseen
        ]
        nulls = [
            f"column {name!r}: {rates['predict']:.1%} of the rows are null, in training {rates['train']:.1%}"
            for name, rates in self.nulls().items()
            if name not in self._limits.ignore and _apart(rates["train"], rates["predict"], self._limits.nulls)
        ]
        return unseen + nulls


def _apart(train: float | None, predict: float | None, limit: float | None) -> bool:
    return train is not None and predict is not None and limit is not None and abs(predict - train) > limit


@dataclass
class Distribution:
    """Mean, spread, range and histogram of the predictions; without `edges` the first batch sets them."""

    edges: Floats | None = None
    moments: Moments = field(default_factory=Moments)
    low: float = math.inf
    high: float = -math.inf
    counts: Any = field(default_factory=lambda: np.zeros(BINS, dtype=np.int64))

    @classmethod
    def over(cls, edges: Iterable[float] | None) -> Distribution:
        """Return an empty distribution over the bins `edges`, unless they span nothing."""
        bins = np.asarray([] if edges is None else list(edges), dtype=np.float64)
        if len(bins) < 2 or not bins[-1] > bins[0]:
            return cls()
        return cls(edges=bins, counts=np.zeros(len(bins) - 1, dtype=np.int64))

    def add(self, values: Floats) -> None:
        """Add a batch of predictions; what lies outside the bins counts in the first or last."""
        if not len(values):
            return
        if self.edges is None:
            self.edges = np.histogram_bin_edges(values, BINS)
        self.count(values)
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        self.moments.add(values)

    def count(self, values: Floats) -> None:
        """Add predictions to the bins alone, which are there."""
        assert self.edges is not None  # noqa: S101 - `add` has set them
        inside = np.clip(values, self.edges[0], self.edges[-1])
        self.counts = self.counts + np.histogram(inside, self.edges)[0]

    def counted(self) -> dict[str, Any]:
        """Return what was counted, as JSON that `of_counted` reads; of at least one row."""
        assert self.edges is not None  # noqa: S101 - rows have set them
        moments = {"rows": self.moments.rows, "mean": self.moments.mean, "spread": self.moments.spread}
        return {
            "edges": self.edges.tolist(),
            "counts": self.counts.tolist(),
            "min": self.low,
            "max": self.high,
            **moments,
        }

    @classmethod
    def of_counted(cls, found: Mapping[str, Any]) -> Distribution:
        """Return the distribution that was counted elsewhere."""
        moments = Moments(found["rows"], found["mean"], found["spread"])
        return cls(np.asarray(found["edges"]), moments, found["min"], found["max"], np.asarray(found["counts"]))

    def merge(self, other: Distribution) -> None:
        """Add predictions that were counted on the same bins."""
        self.counts = self.counts + other.counts
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.moments.merge(other.moments)

    def to_json(self) -> dict[str, Any]:
        """Return the distribution as in `inference.json`; nulls without rows."""
        if self.edges is None or not self.moments.rows:
            return {"mean": None, "std": None, "min": None, "max": None, "histogram": {"edges": [], "counts": []}}
        return {
            "mean": self.moments.mean,
            "std": self.moments.deviation,
            "min": self.low,
            "max": self.high,
            "histogram": {"edges": self.edges.tolist(), "counts": self.counts.tolist()},
        }
