"""How large a model's errors are over the values of the features that matter most, on a sample of the holdout.

A number falls into bins of about equally many rows, a text into its most frequent categories; a null has a bin of its
own. Each bin tells rows, MAE and bias, and what the MAE is uncertain by. Small on purpose: it travels with the model's
other training files to the report.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from steps.scoring import Floats

FEATURES = 4
BINS = 8
LONGEST = 64
"""Characters of a category that are kept."""
_NORMAL = 1.96
"""Standard errors to either side that hold 95 % of a normal distribution."""
_ENOUGH = 30
"""Rows from which on a mean is taken for normally distributed."""


def by_feature(sample: pd.DataFrame, errors: Floats, importances: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the errors (predicted minus actual, one per row of `sample`) by the features that matter most.

    `importances` has the most important feature first, as `measurement.importances` returns them.
    """
    mattering = [entry["feature"] for entry in importances if (entry["importance"] or 0) > 0]
    return [_feature(name, sample[name], errors) for name in mattering[:FEATURES] if name in sample]


def _feature(name: str, values: Any, errors: Floats) -> dict[str, Any]:
    if pd.api.types.is_datetime64_any_dtype(values):
        kind, bins = "time", _time_bins(values, errors)
    elif pd.api.types.is_numeric_dtype(values):
        kind, bins = "number", _number_bins(values.to_numpy(np.float64), errors)
    else:
        kind, bins = "text", _text_bins(values.astype("object"), errors)
    nulls = values.isna().to_numpy()
    missing = [{"null": True, **_measure(errors[nulls])}] if nulls.any() else []
    return {"feature": name, "kind": kind, "bins": [*bins, *missing]}


def _measure(errors: Floats) -> dict[str, Any]:
    """Return rows, MAE and bias of a bin, and half of the MAE's 95 % interval, None for few rows."""
    absolute = np.abs(errors)
    rows = len(errors)
    half = _NORMAL * float(absolute.std(ddof=1)) / math.sqrt(rows) if rows >= _ENOUGH else None
    return {"rows": rows, "mae": float(absolute.mean()), "bias": float(errors.mean()), "half": half}


def _ranges(values: Floats) -> Iterator[tuple[float, float, Any]]:
    """Yield least and largest value of each bin, and which values are in it; few distinct values have a bin each."""
    known = values[np.isfinite(values)]
    if not len(known):
        return
    distinct = np.unique(known)
    if len(distinct) <= BINS:
        edges = distinct
    else:
        edges = np.unique(np.quantile(known, np.arange(BINS) / BINS, method="higher"))
    places = np.searchsorted(edges, values, side="right")
    for at in range(1, len(edges) + 1):
        inside = np.isfinite(values) & (places == at)
        if inside.any():
            yield float(values[inside].min()), float(values[inside].max()), inside


def _number_bins(values: Floats, errors: Floats) -> list[dict[str, Any]]:
    return [{"low": low, "high": high, **_measure(errors[inside])} for low, high, inside in _ranges(values)]


def _time_bins(values: Any, errors: Floats) -> list[dict[str, Any]]:
    """Return bins of time, their ends as dates."""
    numbers = values.to_numpy("datetime64[s]").astype(np.float64)
    numbers[values.isna().to_numpy()] = np.nan
    return [
        {"low": _date(low), "high": _date(high), **_measure(errors[inside])} for low, high, inside in _ranges(numbers)
    ]


def _date(seconds: float) -> str:
    return str(np.datetime64(int(seconds), "s"))[:10]


def _text_bins(values: Any, errors: Floats) -> list[dict[str, Any]]:
    """Return the most frequent categories, the larger first, and all others together."""
    counts = values.value_counts()
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    named = [category for category, _ in ordered[: BINS if len(ordered) <= BINS else BINS - 1]]
    found = [{"category": str(name)[:LONGEST], **_measure(errors[(values == name).to_numpy(bool)])} for name in named]
    others = (~values.isin(named) & values.notna()).to_numpy()
    if others.any():
        found.append({"others": len(ordered) - len(named), **_measure(errors[others])})
    return found
