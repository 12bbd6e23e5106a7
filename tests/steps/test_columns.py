"""Columns that a hook made, by kind."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps import columns

DAY = datetime.datetime(2026, 1, 2)
UNKEPT = "holds values that cannot be kept"


@pytest.mark.parametrize(
    ("values", "kind", "found"),
    [
        ([1, 2], "number", [1.0, 2.0]),
        (pd.array([1, None], "Int64"), "number", [1.0, None]),
        (np.array([1.5, np.nan], np.float32), "number", [1.5, None]),
        (pd.Series([1, None, 2.5], dtype=object), "number", [1.0, None, 2.5]),
        (pd.Series([Decimal("1.5"), None], dtype=object), "number", [1.5, None]),
        ([True, False], "bool", [1.0, 0.0]),
        (pd.array([True, None], "boolean"), "bool", [1.0, None]),
        (pd.Series([True, None], dtype=object), "bool", [1.0, None]),
        (["a", None], "text", ["a", None]),
        (pd.array(["", None], "string"), "text", ["", None]),
        (pd.Categorical(["a", None]), "text", ["a", None]),
        (pd.Categorical([3, None, 4]), "text", ["3", None, "4"]),
        (pd.cut(pd.Series([1, 9]), [0, 5, 10]), "text", ["(0, 5]", "(5, 10]"]),
        (pd.to_datetime(["2026-01-02", None]), "datetime", [DAY, None]),
        (pd.to_datetime(["2026-01-02T09:00:00+09:00"]), "datetime", [DAY]),
        (pd.Series([DAY.date(), None], dtype=object), "datetime", [DAY, None]),
        ([None, None], None, [None, None]),
        ([np.nan], None, [None]),
        (pd.Categorical([None]), None, [None]),
    ],
)
def test_a_column_has_the_kind_of_its_values(values: Any, kind: str | None, found: list[Any]) -> None:
    read = columns.read(pd.Series(values))

    assert (read.kind, read.values.to_pylist(), read.problem) == (kind, found, "")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([1.0, np.inf, -np.inf], "has 2 infinite values; make them None, or a number"),
        ([[1], [2]], "holds values of type list"),
        (["a", 1], "holds values of type int, str"),
        (pd.to_timedelta([1], "s"), "holds values of type timedelta64[ns]"),
        ([1j], "holds values of type complex128"),
        (pd.Series([datetime.datetime(9999, 12, 31)], dtype=object), f"{UNKEPT} (OutOfBoundsDatetime)"),
        (pd.Categorical([1, "1"]), f"{UNKEPT} (ValueError)"),
        (["\ud800"], f"{UNKEPT} (UnicodeEncodeError)"),
        (pd.Series([10**400], dtype=object), f"{UNKEPT} (OverflowError)"),
    ],
)
def test_a_column_that_no_model_takes_is_told(values: Any, problem: str) -> None:
    assert columns.read(pd.Series(values)).problem == problem


def test_names_of_columns_are_texts_and_there_once() -> None:
    frame = pd.DataFrame([[1, 2, 3, 4]], columns=["a", "a", 3, "__row__2"])

    assert list(columns.names(frame)) == [
        "returned 1 columns whose names are no text; name every column",
        "returned a column whose name begins with __row__, which is used already; rename it",
        "returned columns twice: 'a'; name every column once",
    ]
    assert list(columns.names(pd.DataFrame({"a": [1]}))) == []
