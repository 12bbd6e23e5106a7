"""Schemas of any columns: they survive JSON, and a model scores exactly the rows that have what it was trained on."""

from __future__ import annotations

import json
import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import compatibility, contract
from steps.job import StepError
from steps.schema import Column, ModelColumn, ModelSchema, Schema

TYPES = {"number": pa.float64(), "bool": pa.int8(), "datetime": pa.timestamp("us"), "text": pa.string()}
KINDS = st.sampled_from(sorted(TYPES))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
SHARES = st.floats(0, 1)
COLUMNS = st.lists(
    st.builds(ModelColumn, NAMES, KINDS, SHARES, st.none() | st.lists(NAMES, max_size=4).map(tuple)),
    min_size=1,
    max_size=6,
    unique_by=lambda column: column.name,
)


@given(NAMES, NAMES, st.none() | NAMES, COLUMNS, st.lists(NAMES, max_size=3))
@settings(max_examples=50)
def test_any_schema_survives_json(label, key, segment, columns, ignored):
    own = ModelSchema("モデル", "slug", label, key, segment, tuple(columns), tuple(ignored))
    of_all = Schema(tuple(Column(c.name, c.kind) for c in columns), label, key, segment, {"slug": True})

    assert ModelSchema.from_json(json.loads(contract.to_json(own.to_json()))) == own
    assert Schema.from_json(json.loads(contract.to_json(of_all.to_json()))) == of_all


def entries(columns):
    return ModelSchema("m", "m", "y", "id", None, tuple(columns), ()).to_json()["columns"]


def rows(columns, extra=(), seed=0):
    fields = [pa.field(c.name, TYPES[c.kind]) for c in columns] + [pa.field(f"extra {n}", pa.string()) for n in extra]
    random.Random(seed).shuffle(fields)
    return pa.schema(fields)


@given(COLUMNS, st.integers(0, 3), st.integers(0, 99))
@settings(max_examples=50)
def test_order_and_extra_columns_do_not_matter(columns, extra, seed):
    there = rows(columns, range(extra), seed)

    compatibility.check(entries(columns), there, "m")

    unknown = compatibility.unknown(entries(columns), there, [])
    assert sorted(unknown) == sorted(f"extra {n}" for n in range(extra))


@given(COLUMNS, st.data())
@settings(max_examples=50)
def test_every_missing_column_is_named(columns, data):
    gone = data.draw(st.lists(st.sampled_from(columns), min_size=1, unique_by=lambda column: column.name))
    there = rows([column for column in columns if column not in gone])

    with pytest.raises(StepError) as caught:
        compatibility.check(entries(columns), there, "m")

    assert [c.name for c in gone if f"column {c.name!r} is missing" not in str(caught.value)] == []


@given(COLUMNS, st.data())
@settings(max_examples=50)
def test_a_column_of_another_kind_is_named(columns, data):
    changed = data.draw(st.sampled_from(columns))
    others = [kind for kind in TYPES if not compatibility.fits(changed.kind, TYPES[kind])]
    other = ModelColumn(changed.name, data.draw(st.sampled_from(others)), 0.0, None)
    there = rows([other if column is changed else column for column in columns])

    with pytest.raises(StepError) as caught:
        compatibility.check(entries(columns), there, "m")

    assert f"column {changed.name!r} is " in str(caught.value)
    assert f"the model was trained on {changed.kind}" in str(caught.value)
