"""Statistics of one model's columns, gathered while its rows are written, chunk by chunk in bounded memory.

Chunks depend on the model's own rows only, so the same rows give the same bytes whatever the other segments hold and
however many threads there are. Holds no cell but category names, ranges and points of numbers and the label's
distribution. CheckData compares the profile of a model's training rows with that of its rows to predict.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from steps import schema
from steps.sample import RowSample
from steps.schema import Column, ModelColumn

pc: Any = pyarrow.compute  # pyarrow has type information for a part of itself only

BINS = 20
TOP = 20
LONGEST = 64
"""Characters of a category that stands for itself."""

Floats = npt.NDArray[np.float64]


class NumberSummary:
    """Rows, mean, standard deviation and range of numbers that arrive in chunks (Chan's merging of variances)."""

    def __init__(self) -> None:
        self._rows = 0
        self._mean = 0.0
        self._spread = 0.0
        self._range: tuple[float, float] | None = None

    def add(self, values: Floats) -> None:
        """Add the non-null values of a chunk."""
        if not len(values):
            return
        with np.errstate(over="ignore", invalid="ignore"):
            self._merge(len(values), float(values.mean()), float(values.var()) * len(values))
        low, high = float(values.min()), float(values.max())
        self._range = (min(self._range[0], low), max(self._range[1], high)) if self._range else (low, high)

    def _merge(self, rows: int, mean: float, spread: float) -> None:
        total = self._rows + rows
        difference = mean - self._mean
        # difference * difference rather than a power, which raises for numbers near the largest double
        self._spread += spread + difference * difference * self._rows * rows / total
        self._mean += difference * rows / total
        self._rows = total

    def to_json(self) -> dict[str, float | None]:
        """Return mean, std (of a sample; 0 for one row), min and max; null without rows or beyond a double."""
        if self._range is None:
            return {"mean": None, "std": None, "min": None, "max": None}
        std = math.sqrt(self._spread / (self._rows - 1)) if self._rows > 1 else 0.0
        found = {"mean": self._mean, "std": std, "min": self._range[0], "max": self._range[1]}
        return {name: value if math.isfinite(value) else None for name, value in found.items()}


class ColumnSummary:
    """Null rate of a column, and by its kind the summary of its numbers, its categories or its range of time.

    One that `gives_up` counts no categories any more once there are too many.
    """

    def __init__(self, column: Column, gives_up: bool = False) -> None:
        self.column = column
        self._gives_up = gives_up
        self.rows = 0
        self.nulls = 0
        self._numbers = NumberSummary()
        self._counts: Counter[str] = Counter()
        self._others = 0
        self._times: list[Any] = []

    def add(self, values: pa.ChunkedArray) -> None:
        """Add a chunk of the column."""
        self.rows += len(values)
        self.nulls += values.null_count
        values = values.drop_null()
        if self.column.kind == schema.TEXT:
            self._count(values)
        elif self.column.kind == schema.DATETIME:
            times = values.to_numpy()
            found = [*self._times, times.min(), times.max()] if len(times) else self._times
            self._times = [min(found), max(found)] if found else []
        else:
            self._numbers.add(values.to_numpy())

    def _count(self, values: pa.ChunkedArray) -> None:
        """Count categories; of a column of too many only those that came first, the rows of the others together."""
        if self._gives_up and self._others:
            return
        found = values.value_counts()
        known = pc.is_in(found.field("values"), value_set=pa.array(list(self._counts), pa.string())).to_numpy(False)
        new = np.flatnonzero(~known)[: schema.CATEGORY_LIMIT - len(self._counts)]
        kept = found.take(pa.array(np.concatenate([np.flatnonzero(known), new]))).to_pylist()
        self._counts.update({entry["values"]: entry["counts"] for entry in kept})
        self._others += len(values) - sum(entry["counts"] for entry in kept)

    @property
    def null_rate(self) -> float:
        """Return the share of rows without a value; 0 without rows."""
        return self.nulls / self.rows if self.rows else 0.0

    def to_column(self) -> ModelColumn:
        """Return the column as the model's schema lists it."""
        is_listed = self.column.kind == schema.TEXT and not self._others
        categories = tuple(sorted(self._counts)) if is_listed else None
        return ModelColumn(self.column.name, self.column.kind, self.null_rate, categories)

    def to_json(self) -> dict[str, Any]:
        """Return the column's entry in `profile.json`."""
        found: dict[str, Any] = {"kind": self.column.kind, "null_rate": self.null_rate}
        if self.column.kind == schema.DATETIME:
            low, high = (str(self._times[0]), str(self._times[1])) if self._times else (None, None)
            return {**found, "min": low, "max": high}
        if self.column.kind != schema.TEXT:
            return {**found, **self._numbers.to_json()}
        return {**found, **self._categories_json()}

    def _categories_json(self) -> dict[str, Any]:
        if self._gives_up and self._others:
            return {}
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        top = {} if self._others else {"top": dict(ordered[:TOP])}
        counts = {_key(category): rows for category, rows in self._counts.items()}
        return {**top, "counts": counts, "others": self._others}


def _key(category: str) -> str:
    """Return what stands for a category where profiles are compared: CheckData reads those of 1,000 models."""
    return category if len(category) <= LONGEST else hashlib.sha256(category.encode()).hexdigest()


class Profile:
    """Summaries of all feature columns of one model, and of its label where there is one.

    Only rows to predict keep the counts of a text column of too many categories: they are compared with the
    categories of training, which has none of such a column.
    """

    def __init__(self, columns: Sequence[Column], label: str | None = None) -> None:
        self._label = label
        self._labels: list[Floats] = []
        self.columns = [ColumnSummary(column, gives_up=label is not None) for column in columns]
        self._sample = RowSample([c.name for c in columns if c.kind in (schema.NUMBER, schema.BOOL)])

    def add(self, table: pa.Table) -> None:
        """Add a chunk of the model's rows."""
        for summary in self.columns:
            summary.add(table.column(summary.column.name))
        self._sample.add(table)
        if self._label is not None:
            self._labels.append(table.column(self._label).to_numpy())

    def columns_json(self) -> dict[str, Any]:
        """Return the entry of each column, by name."""
        return {summary.column.name: self._column_json(summary) for summary in self.columns}

    def _column_json(self, summary: ColumnSummary) -> dict[str, Any]:
        found = summary.to_json()
        if summary.column.name in self._sample.columns:
            return {**found, "points": self._sample.points(summary.column.name)}
        return found

    def label_json(self) -> dict[str, Any]:
        """Return the label's distribution; nulls without rows."""
        values = np.concatenate(self._labels) if self._labels else np.empty(0)
        summary = NumberSummary()
        summary.add(values)
        median = float(np.median(values)) if len(values) else None
        return {**summary.to_json(), "median": median, "histogram": histogram(values)}


def histogram(values: Floats) -> dict[str, Any]:
    """Return the edges and counts of BINS bins of equal width over the values' range."""
    with np.errstate(over="ignore", invalid="ignore"):
        wide = len(values) and not math.isfinite(float(values.max() - values.min()))
    if wide or not len(values):
        return {"edges": [], "counts": []}
    counts, edges = np.histogram(values, bins=BINS)
    return {"edges": [float(edge) for edge in edges], "counts": [int(count) for count in counts]}
