"""A floor of rows per second: what AutoGluon is asked for, what counts as missed, and what is said then."""

from __future__ import annotations

from typing import Any

import pytest

from steps import speed


def never() -> float:
    raise AssertionError("measured again without need")


@pytest.mark.parametrize(
    ("training", "floor"),
    [
        ({"infer_limit": None}, None),
        ({"infer_limit": 0.001}, 1000.0),
        ({"infer_limit": None, "min_rows_per_second": 50_000}, 50_000.0),
    ],
)
def test_the_floor_is_that_of_the_settings_in_either_unit(training: dict[str, Any], floor: float | None) -> None:
    assert speed.floor_of(training) == floor


def test_autogluon_is_asked_for_seconds_per_row_in_batches_of_ten_thousand() -> None:
    found = speed.fit_arguments({"infer_limit": None, "min_rows_per_second": 50_000})
    assert found == {"infer_limit": 1 / 50_000, "infer_limit_batch_size": 10_000}
    assert speed.fit_arguments({"infer_limit": 0.003})["infer_limit"] == 0.003


def test_autogluon_is_asked_for_nothing_without_a_floor() -> None:
    assert speed.fit_arguments({"infer_limit": None}) == {}


def test_a_model_that_reaches_the_floor_on_the_holdout_is_not_measured_again() -> None:
    found = speed.against_floor(1000.0, 1234.56, never)
    assert found == {"floor": 1000.0, "rows_per_second": 1234.6, "met": True}


@pytest.mark.parametrize(("again", "rate", "met"), [(1500.0, 1500.0, True), (700.0, 800.0, False)])
def test_a_rate_below_the_floor_is_measured_once_more_and_the_better_counts(
    again: float, rate: float, met: bool
) -> None:
    found = speed.against_floor(1000.0, 800.0, lambda: again)
    assert found == {"floor": 1000.0, "rows_per_second": rate, "met": met}


def test_nothing_is_measured_or_told_without_a_floor() -> None:
    assert speed.against_floor(None, 800.0, never) is None
    assert speed.warnings({"speed": None}) == speed.warnings({}) == []


def test_a_missed_floor_is_told_with_both_rates_and_what_to_change() -> None:
    fact = {"floor": 50_000.0, "rows_per_second": 2000.4, "met": False}
    [said] = speed.warnings({"best_model": "WeightedEnsemble_L2", "speed": fact})
    assert said.startswith("WeightedEnsemble_L2 scores 2,000 rows/s, the settings ask for 50,000:")
    assert "lower training.min_rows_per_second" in said
    assert speed.warnings({"best_model": "x", "speed": {**fact, "met": True}}) == []
