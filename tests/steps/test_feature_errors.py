"""Errors by the values of the features that matter most: what falls into which bin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from steps import feature_errors


def by(values: object, errors: list[float]) -> list[dict[str, object]]:
    frame = pd.DataFrame({"a": values})
    [found] = feature_errors.by_feature(frame, np.array(errors), [{"feature": "a", "importance": 1.0}])
    bins: list[dict[str, object]] = found["bins"]
    return bins


def test_numbers_fall_into_bins_of_about_as_many_rows_each() -> None:
    bins = by(np.arange(800.0), list(np.arange(800.0)))
    assert [found["rows"] for found in bins] == [100] * feature_errors.BINS
    assert (bins[0]["low"], bins[-1]["high"]) == (0.0, 799.0)
    assert bins[1]["mae"] == pytest.approx(np.arange(100, 200).mean())
    assert bins[1]["half"] == pytest.approx(1.96 * np.arange(100).std(ddof=1) / 10)


def test_few_distinct_numbers_have_a_bin_each_and_a_null_has_its_own() -> None:
    bins = by([0.0, 1.0, 1.0, np.nan], [1.0, -2.0, 4.0, 7.0])
    assert [(found.get("low"), found["rows"], found["mae"], found["bias"]) for found in bins] == [
        (0.0, 1, 1.0, 1.0),
        (1.0, 2, 3.0, 1.0),
        (None, 1, 7.0, 7.0),
    ]
    assert bins[-1]["null"] is True
    assert bins[0]["half"] is None  # too few rows for an interval


def test_frequent_categories_come_first_and_the_others_together() -> None:
    names = [name for at, name in enumerate("abcdefghij") for _ in range(20 - at)]
    bins = by(pd.Series(names, dtype="category"), [1.0] * len(names))
    assert [found.get("category") for found in bins] == [*"abcdefg", None]
    assert bins[-1]["others"] == 3
    assert sum(int(str(found["rows"])) for found in bins) == len(names)


def test_times_are_told_as_dates() -> None:
    bins = by(pd.to_datetime(["2026-01-01", "2026-02-01", None]), [1.0, 2.0, 3.0])
    assert [(found.get("low"), found.get("high")) for found in bins] == [
        ("2026-01-01", "2026-01-01"),
        ("2026-02-01", "2026-02-01"),
        (None, None),
    ]


def test_only_features_that_matter_are_told_the_most_important_first() -> None:
    frame = pd.DataFrame({name: np.arange(4.0) for name in "abcdef"})
    importances = [{"feature": name, "importance": 5.0 - at} for at, name in enumerate("fedcba")]
    found = feature_errors.by_feature(frame, np.zeros(4), [*importances[:2], {"feature": "c", "importance": None}])
    assert [one["feature"] for one in found] == ["f", "e"]
    many = feature_errors.by_feature(frame, np.zeros(4), importances)
    assert [one["feature"] for one in many] == ["f", "e", "d", "c"]


def test_a_column_of_nulls_alone_and_infinite_numbers_make_no_trouble() -> None:
    assert by([np.nan, np.nan], [1.0, 2.0]) == [{"null": True, "rows": 2, "mae": 1.5, "bias": 1.5, "half": None}]
    assert [found["rows"] for found in by([np.inf, 1.0], [1.0, 2.0])] == [1]
