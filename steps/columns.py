"""Columns of a pandas frame that somebody else made, as the Arrow columns that prepared rows have.

The kind of a column follows from its values, never from what pandas calls them: a column without any value has no
kind in this frame. Nothing is guessed: what is neither number, truth value, time nor text is a problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from steps import contract, schema


@dataclass(frozen=True)
class Found:
    """A column's values, its kind (None without any value), and what is wrong with it, or nothing."""

    values: Any
    kind: str | None
    problem: str = ""


def read(series: pd.Series[Any]) -> Found:
    """Return a column of a frame; a category counts as its text."""
    try:
        return _read(series)
    except (ValueError, TypeError, OverflowError) as error:  # what a library says may hold a cell
        return Found(None, None, f"holds values that cannot be kept ({type(error).__name__})")


def _read(series: pd.Series[Any]) -> Found:
    if series.isna().all():
        return Found(pa.nulls(len(series)), None)
    if isinstance(series.dtype, pd.CategoricalDtype):
        texts = series.cat.rename_categories([str(category) for category in series.cat.categories])
        return _settle(texts.astype(object), schema.TEXT)
    kind = _kind_of(series)
    return _settle(series, kind) if kind else Found(None, None, f"holds values of type {_types(series)}")


def _kind_of(series: pd.Series[Any]) -> str | None:
    if isinstance(series.dtype, np.dtype) and series.dtype == object:
        return _kind_of_objects(series.dropna())
    checks = {
        schema.BOOL: pd.api.types.is_bool_dtype,
        schema.NUMBER: _is_real,
        schema.DATETIME: pd.api.types.is_datetime64_any_dtype,
        schema.TEXT: pd.api.types.is_string_dtype,
    }
    return next((kind for kind, check in checks.items() if check(series.dtype)), None)


def _is_real(dtype: Any) -> bool:
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)


def _kind_of_objects(filled: pd.Series[Any]) -> str | None:
    inferred = pd.api.types.infer_dtype(filled, skipna=True)
    return {
        "string": schema.TEXT,
        "boolean": schema.BOOL,
        "integer": schema.NUMBER,
        "floating": schema.NUMBER,
        "mixed-integer-float": schema.NUMBER,
        "decimal": schema.NUMBER,
        "datetime": schema.DATETIME,
        "datetime64": schema.DATETIME,
        "date": schema.DATETIME,
    }.get(inferred)


def _settle(series: pd.Series[Any], kind: str) -> Found:
    if kind == schema.TEXT:
        return Found(pa.array(series, pa.string(), from_pandas=True), kind)
    if kind == schema.DATETIME:
        times = pd.to_datetime(series, utc=True).dt.tz_localize(None).astype("datetime64[us]")
        return Found(pa.array(times, pa.timestamp("us"), from_pandas=True), kind)
    numbers = _numbers(series)
    infinite = int(np.isinf(numbers).sum())
    problem = f"has {infinite:,} infinite values; make them None, or a number" if infinite else ""
    return Found(pa.array(numbers, from_pandas=True), kind, problem)


def _numbers(series: pd.Series[Any]) -> Any:
    """Return numbers and truth values as float64, NaN where there is none."""
    if series.dtype == object:
        return series.where(series.notna(), np.nan).astype(np.float64).to_numpy()
    return series.to_numpy(dtype=np.float64, na_value=np.nan)


def _types(series: pd.Series[Any]) -> str:
    if series.dtype != object:
        return str(series.dtype)
    return ", ".join(sorted({type(value).__name__ for value in series.dropna()}))


def names(frame: pd.DataFrame) -> Iterator[str]:
    """Yield what is wrong with the names of a frame's columns."""
    odd = [name for name in frame.columns if not isinstance(name, str) or not name]
    if odd:
        yield f"returned {len(odd)} columns whose names are no text; name every column"
    if any(str(name).startswith(contract.ROW) for name in frame.columns):
        yield f"returned a column whose name begins with {contract.ROW}, which is used already; rename it"
    twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
    if twice:
        yield f"returned columns twice: {', '.join(map(repr, twice))}; name every column once"
