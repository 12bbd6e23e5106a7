from __future__ import annotations

import json
import statistics

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import contract
from steps.profile import NumberSummary, Profile, histogram
from steps.schema import Column

FLOATS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30)


@given(FLOATS, st.integers(1, 29))
@settings(max_examples=50, deadline=None)
def test_mean_and_deviation_do_not_depend_on_the_chunks(values, cut):
    summary = NumberSummary()
    summary.add(np.array(values[:cut]))
    summary.add(np.array(values[cut:]))

    found = summary.to_json()

    assert found["mean"] == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert found["std"] == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-6)
    assert (found["min"], found["max"]) == (min(values), max(values))


def test_numbers_beyond_a_double_are_null_instead_of_infinite():
    summary = NumberSummary()
    summary.add(np.array([1.7e308, -1.7e308]))
    summary.add(np.array([1.7e308]))

    assert contract.to_json(summary.to_json())
    assert summary.to_json()["std"] is None
    assert histogram(np.array([1.7e308, -1.7e308]))["counts"] == []


def many_texts(label: str | None) -> Profile:
    profile = Profile([Column("x", "text")], label)
    for start, end in ((0, 600), (500, 1100)):
        profile.add(pa.table({"x": [str(n) for n in range(start, end)], "y": [0.0] * (end - start)}))
    return profile


def test_text_of_too_many_values_has_neither_categories_nor_top():
    profile = many_texts("y")

    assert profile.columns[0].to_column().categories is None
    assert profile.columns_json() == {"x": {"kind": "text", "null_rate": 0.0}}


@pytest.mark.parametrize(("label", "counted"), [("y", 100), (None, 150)])
def test_of_training_rows_no_value_is_counted_once_there_are_too_many(label, counted):
    profile = many_texts(label)
    profile.add(pa.table({"x": [f"more {n}" for n in range(50)], "y": [0.0] * 50}))

    assert profile.columns[0]._others == counted
    assert profile.columns[0].rows == 1250


def test_rows_to_predict_keep_the_categories_that_came_first_and_count_the_rows_of_the_others():
    profile = many_texts(None)

    found = profile.columns_json()["x"]

    assert profile.columns[0].to_column().categories is None
    assert "top" not in found
    assert found["counts"] == {str(n): 1 + (500 <= n < 600) for n in range(1000)}
    assert found["others"] == 100


@given(st.lists(st.sampled_from("abcdef"), max_size=40), st.integers(0, 40))
@settings(max_examples=50, deadline=None)
def test_categories_are_counted_whatever_the_chunks(values, cut):
    profile = Profile([Column("x", "text")])
    for part in (values[:cut], values[cut:]):
        profile.add(pa.table({"x": pa.array(part, pa.string())}))

    assert profile.columns_json()["x"]["counts"] == {value: values.count(value) for value in set(values)}


def test_long_texts_are_compared_by_their_digest_so_that_profiles_stay_small():
    profile = Profile([Column("x", "text")])
    profile.add(pa.table({"x": ["a" * 5_000, "a" * 5_000, "b" * 5_000, "short"]}))

    found = profile.columns_json()["x"]["counts"]

    assert sorted(found.values()) == [1, 1, 2]
    assert "short" in found
    assert all(len(name) <= 64 for name in found)


def test_the_top_categories_are_ordered_by_count_and_name():
    profile = Profile([Column("x", "text")])
    profile.add(pa.table({"x": ["b", "a", "c", "c", None]}))

    assert list(profile.columns_json()["x"]["top"].items()) == [("c", 2), ("a", 1), ("b", 1)]
    assert profile.columns[0].to_column().categories == ("a", "b", "c")


def test_times_have_a_range():
    profile = Profile([Column("x", "datetime")])
    profile.add(pa.table({"x": pa.array([3, None, 1], pa.timestamp("us"))}))
    profile.add(pa.table({"x": pa.array([None], pa.timestamp("us"))}))

    assert profile.columns_json()["x"]["min"] == "1970-01-01T00:00:00.000001"
    assert profile.columns_json()["x"]["max"] == "1970-01-01T00:00:00.000003"


def test_a_model_without_rows_has_a_profile_of_nulls():
    profile = Profile([Column("x", "number"), Column("z", "datetime")], "y")

    assert profile.label_json()["mean"] is None
    assert profile.label_json()["histogram"] == {"edges": [], "counts": []}
    assert json.loads(contract.to_json(profile.columns_json()))["x"]["null_rate"] == 0.0


def test_a_constant_label_has_a_histogram_of_one_filled_bin():
    found = histogram(np.array([5.0, 5.0]))

    assert len(found["edges"]) == 21
    assert sum(found["counts"]) == 2
