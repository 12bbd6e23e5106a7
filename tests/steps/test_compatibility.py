"""Rows to score against a model's schema: every mismatch at once, before a row is scored."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from steps import compatibility, job

COLUMNS = [
    {"name": "dist.km", "kind": "number"},
    {"name": "carrier", "kind": "text"},
    {"name": "late", "kind": "bool"},
    {"name": "day", "kind": "datetime"},
]
GOOD = {"dist.km": pa.float64(), "carrier": pa.string(), "late": pa.float64(), "day": pa.timestamp("us")}


def test_rows_that_fit_pass_in_any_order() -> None:
    compatibility.check(COLUMNS, pa.schema(list(reversed(GOOD.items()))), "EWR")


def test_every_problem_is_told_at_once_with_the_nearest_name() -> None:
    bad = {"dist_km": pa.float64(), "carrier": pa.float64(), "late": pa.bool_(), "day": pa.string()}
    with pytest.raises(job.StepError) as caught:
        compatibility.check(COLUMNS, pa.schema(bad.items()), "EWR")
    message = str(caught.value)
    assert message.startswith("model EWR cannot score these rows: column 'dist.km' is missing (nearest is 'dist_km')")
    assert "column 'carrier' is number, the model was trained on text" in message
    assert "column 'day' is text, the model was trained on datetime" in message
    assert "late" not in message


def test_a_column_with_nothing_near_is_just_missing() -> None:
    with pytest.raises(job.StepError, match=re.escape("column 'carrier' is missing. Bring")):
        compatibility.check([{"name": "carrier", "kind": "text"}], pa.schema({"x": pa.string()}), "EWR")


def test_columns_that_the_model_does_not_know_are_listed() -> None:
    schema = pa.schema({"__row__": pa.int64(), "id": pa.string(), "new": pa.string(), **GOOD})
    assert compatibility.unknown(COLUMNS, schema, ("__row__", "id")) == ["new"]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("number", pa.int32()),
        ("number", pa.decimal128(5, 2)),
        ("bool", pa.bool_()),
        ("text", pa.dictionary(pa.int32(), pa.string())),
        ("text", pa.large_string()),
        ("datetime", pa.date32()),
    ],
)
def test_a_kind_is_known_in_each_of_its_arrow_types(kind: str, found: pa.DataType) -> None:
    assert compatibility.fits(kind, found)


def test_nested_types_fit_nothing() -> None:
    assert not any(compatibility.fits(kind, pa.list_(pa.int64())) for kind in ("number", "text", "bool", "datetime"))
