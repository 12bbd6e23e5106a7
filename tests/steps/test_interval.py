"""The interval of a MAE: repeatable, bounded, and as wide as the errors' spread says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from steps import interval
from steps.interval import Bootstrap, Interval


def interval_of(errors: Any, seed: int = 0, batch: int = 65_536) -> Interval | None:
    found = Bootstrap()
    for first in range(0, len(errors), batch):
        found.add(np.asarray(errors[first : first + batch], dtype=np.float64))
    return found.interval(seed)


def ends(found: Interval | None) -> tuple[float, float]:
    assert found is not None
    return found.low, found.high


def laplace(rows: int) -> Any:
    return np.abs(np.random.default_rng(5).laplace(0, 10, rows))


@pytest.mark.parametrize("rows", [50, interval.GROUPS, 10 * interval.GROUPS + 7])
def test_it_is_about_as_wide_as_the_normal_approximation_says(rows: int) -> None:
    errors = laplace(rows)
    low, high = ends(interval_of(errors))
    assert low < errors.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * errors.std() / np.sqrt(rows), rel=0.15)


def test_it_covers_the_true_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    found = [ends(interval_of(random.exponential(10, 200))) for _ in range(200)]
    assert 180 <= sum(low <= 10 <= high for low, high in found) <= 198  # 95 % of 200 is 190


def test_few_rows_are_resampled_one_by_one() -> None:
    assert interval_of([1.0, 3.0]) == Interval(1.0, 3.0)


def test_equal_errors_leave_no_width() -> None:
    assert interval_of([2.0] * 40) == Interval(2.0, 2.0)


@pytest.mark.parametrize("errors", [[], [3.0]])
def test_fewer_than_two_rows_have_none(errors: list[float]) -> None:
    assert interval_of(errors) is None


def test_what_is_no_finite_number_has_none() -> None:
    assert interval_of([1.0, np.inf, 2.0]) is None
    assert interval_of([1.7e308] * 3) is None


def test_batches_and_repetition_change_nothing_and_another_seed_little() -> None:
    errors = laplace(5_000)
    whole = interval_of(errors)
    assert whole == interval_of(errors)
    assert ends(interval_of(errors, batch=999)) == pytest.approx(ends(whole), rel=1e-12)
    assert interval_of(errors, seed=1) != whole
    assert ends(interval_of(errors, seed=1)) == pytest.approx(ends(whole), rel=0.02)
