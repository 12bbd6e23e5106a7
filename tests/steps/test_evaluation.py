"""Errors summed over batches equal those over all rows, and every status has its form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import contract, evaluation, job
from steps.evaluation import Errors
from steps.interval import Interval
from steps.moments import Moments

EWR = {"name": "C (all)", "slug": "C-all"}
NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60)


def value(found: dict[str, Any], path: str = contract.MAE_PATH) -> Any:
    node: Any = found
    for key in path.split("."):
        node = node[key]
    return node


@settings(max_examples=50)
@given(NUMBERS, st.integers(1, 59), st.floats(-1e9, 1e9))
def test_moments_of_batches_are_those_of_all_values(numbers: list[float], cut: int, shift: float) -> None:
    values = np.asarray(numbers) + shift
    found = Moments()
    for part in (values[:cut], values[cut:], values[:0]):
        found.add(part)
    assert found.rows == len(values)
    assert found.mean == pytest.approx(values.mean(), rel=1e-9, abs=1e-6)
    assert found.deviation == pytest.approx(values.std(ddof=1), rel=1e-6, abs=1e-3)


def test_errors_of_batches_are_those_of_all_rows() -> None:
    random = np.random.default_rng(0)
    actual = random.normal(1e6, 3, 1000)
    predicted = actual + random.normal(0, 1, 1000)
    errors = Errors(baseline=1e6)
    for first in range(0, 1000, 300):
        errors.add(actual[first : first + 300], predicted[first : first + 300])
    found = errors.result()
    assert found.rows == 1000
    assert found.mae == pytest.approx(np.abs(predicted - actual).mean())
    assert found.rmse == pytest.approx(np.sqrt(((predicted - actual) ** 2).mean()))
    assert found.baseline_mae == pytest.approx(np.abs(actual - 1e6).mean())
    residual, total = ((predicted - actual) ** 2).sum(), ((actual - actual.mean()) ** 2).sum()
    assert found.r2 == pytest.approx(1 - residual / total)


def test_a_constant_label_has_no_r2_and_a_baseline_of_zero() -> None:
    errors = Errors(baseline=5.0)
    errors.add(np.full(3, 5.0), np.full(3, 6.0))
    found = errors.result()
    assert (found.r2, found.baseline_mae, found.mae) == (None, 0.0, 1.0)


@pytest.mark.parametrize(
    ("actual", "predicted", "baseline", "figure"),
    [
        ([np.inf, 1.0], [1.0, 1.0], 0.0, "the MAE on 2 holdout rows"),
        ([1e308, 1e308], [-1e308, -1e308], 1e308, "the MAE on 2 holdout rows"),
        ([1.0, 1.0], [1.0, 2.0], np.nan, "the median predictor's MAE on 2 holdout rows"),
        ([1.0, 1.0], [1.0, 2.0], np.inf, "the median predictor's MAE on 2 holdout rows"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_errors_that_are_no_finite_number_are_refused(
    actual: list[float], predicted: list[float], baseline: float, figure: str
) -> None:
    errors = Errors(baseline)
    errors.add(np.array(actual), np.array(predicted))
    with pytest.raises(job.StepError, match=f"{figure} is not a finite number"):
        errors.result()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_squares_too_large_for_a_number_leave_out_rmse_and_r2_only() -> None:
    errors = Errors(baseline=0.0)
    for sign in (1, -1):  # the second batch merges means and spreads that are out of range when squared
        errors.add(np.array([1e200, 2e200]) * sign, np.array([0.0, 0.0]))
    found = errors.result()
    assert (found.mae, found.rmse, found.r2) == (pytest.approx(1.5e200), None, None)
    assert contract.to_json(evaluation.trained(EWR, found, {}))


def test_no_rows_measure_nothing() -> None:
    with pytest.raises(job.StepError, match="no holdout rows"):
        Errors(baseline=0.0).result()


def test_an_evaluation_has_sagemakers_form_with_the_mae_where_conditions_look() -> None:
    errors = Errors(baseline=0.0)
    errors.add(np.array([1.0, 2.0]), np.array([2.0, 2.0]))
    facts = {"train_rows": 7, "artifact": {"sha256": "0", "size": 1, "file": "model.tar.gz"}, "best_model": "GBM"}
    found = evaluation.trained(EWR, errors.result(), facts)
    assert value(found) == 0.5
    assert found["regression_metrics"]["mae"] == {"value": 0.5, "standard_deviation": None}
    assert (found["status"], found["transient"], found["reason"]) == ("trained", False, None)
    assert (found["model"], found["slug"], found["format"]) == ("C (all)", "C-all", contract.FORMAT)
    assert found["baseline"] == {"name": "median predictor", "mae": 1.5}
    assert (found["holdout_rows"], found["train_rows"]) == (2, 7)
    assert found["mae_interval"] is None
    assert contract.to_json(found)


def test_an_evaluation_tells_the_interval_of_its_mae() -> None:
    errors = Errors(baseline=0.0)
    errors.add(np.array([1.0, 2.0]), np.array([2.0, 2.0]))
    found = evaluation.trained(EWR, replace(errors.result(), mae_interval=Interval(0.25, 0.75)), {})
    assert found["mae_interval"] == {"low": 0.25, "high": 0.75, "level": 0.95, "samples": 1000, "method": "bootstrap"}


def test_failed_and_skipped_have_the_same_keys_as_trained() -> None:
    errors = Errors(baseline=0.0)
    errors.add(np.array([1.0, 2.0]), np.array([2.0, 2.0]))
    trained = evaluation.trained(EWR, errors.result(), {})
    failed = evaluation.failed(EWR, "too few rows", {"train_rows": 1, "holdout_rows": 0}, transient=True)
    skipped = evaluation.skipped(EWR, "no training rows")
    assert failed.keys() == skipped.keys() == trained.keys()
    assert value(failed) == contract.FAILED_MAE
    assert value(failed, "regression_metrics.rmse.value") is None
    assert (failed["transient"], failed["train_rows"], failed["reason"]) == (True, 1, "too few rows")
    assert (value(skipped), skipped["artifact"]) == (0.0, None)


def test_the_installed_autogluon_is_known_without_importing_it() -> None:
    assert evaluation.autogluon_version().count(".") >= 2
