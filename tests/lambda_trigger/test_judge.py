from __future__ import annotations

import json
from typing import Any

import pytest
from lambda_cases import RUN, Desk, evaluation

from lambda_trigger import judge
from lambda_trigger.evaluation import parse
from lambda_trigger.settings import Gate, Model
from lambda_trigger.verdicts import Verdict

EWR = Model("EWR", "EWR", None)


def verdict(threshold: float = 20.0, *, model: Model = EWR, ratio: float | None = 1.0, **found: Any) -> Verdict:
    return judge.judge_model(model, parse(json.dumps(evaluation(**found))), threshold, Gate(ratio, 5))


def test_a_model_within_threshold_and_below_the_baseline_is_accepted_with_its_improvement() -> None:
    found = verdict(mae=12.0, baseline=30.0)

    assert (found.accepted, found.reasons, found.improvement) == (True, (), pytest.approx(60.0))


def test_a_mae_equal_to_the_threshold_is_accepted() -> None:
    assert verdict(20.0, mae=20.0).accepted


def test_a_mae_above_the_threshold_is_rejected_with_both_numbers() -> None:
    found = verdict(20.0, mae=31.2, baseline=90)

    assert found.reasons == ("MAE 31.2 > threshold 20",)
    assert found.rejected


def test_a_mae_barely_above_the_threshold_is_shown_with_enough_digits() -> None:
    assert verdict(20.0, mae=20.000000001).reasons == ("MAE 20.000000001 > threshold 20.0",)


def test_a_models_own_threshold_stands_in_for_the_parameter() -> None:
    own = Model("EWR", "EWR", 5.0)

    assert verdict(20.0, model=own, mae=6.0).reasons == ("MAE 6 > threshold 5",)
    assert verdict(0.001, model=own, mae=4.0).accepted


def test_a_threshold_of_1e11_means_that_the_relative_rule_alone_decides() -> None:
    found = verdict(1e11, mae=1e6, baseline=2e6)

    assert (found.accepted, found.threshold) == (True, None)


def test_a_mae_equal_to_the_baseline_is_rejected_at_ratio_one() -> None:
    assert verdict(100, mae=30.0, baseline=30.0).reasons == ("MAE 30 >= baseline 30",)


def test_another_ratio_limits_the_mae_to_that_share_of_the_baseline() -> None:
    assert verdict(100, mae=15.0, baseline=30.0, ratio=0.5).accepted
    assert verdict(100, mae=15.5, baseline=30.0, ratio=0.5).reasons == ("MAE 15.5 > 15 (0.5 x baseline 30)",)


@pytest.mark.parametrize("baseline", [0.0, None, float("nan"), float("inf"), -1.0, True])
def test_a_baseline_that_shows_nothing_fails_closed(baseline: Any) -> None:
    found = verdict(100, mae=1.0, baseline=baseline)

    assert found.rejected
    assert "baseline" in found.reasons[0]


def test_without_the_relative_rule_the_baseline_does_not_matter() -> None:
    assert verdict(100, mae=1.0, baseline=0.0, ratio=None).accepted


@pytest.mark.parametrize("mae", [float("nan"), float("inf"), None, "12", True])
def test_a_mae_that_is_no_finite_number_is_rejected(mae: Any) -> None:
    found = verdict(mae=mae)

    assert (found.mae, found.reasons) == (None, ("MAE is not a finite number",))


def test_too_few_holdout_rows_are_rejected() -> None:
    assert verdict(holdout_rows=4).reasons == ("4 holdout rows, at least 5 required",)


def test_all_reasons_are_listed_together() -> None:
    found = verdict(20.0, mae=40.0, baseline=30.0, holdout_rows=1)

    assert found.reasons == (
        "1 holdout rows, at least 5 required",
        "MAE 40 > threshold 20",
        "MAE 40 >= baseline 30",
    )


def test_a_failed_training_is_rejected_with_its_own_reason_and_no_figure() -> None:
    found = verdict(1e11, status="failed", reason="too few rows: 1", mae=1e12, baseline=None, artifact=None)

    assert (found.rejected, found.mae, found.reasons) == (True, None, ("too few rows: 1",))


def test_a_segment_without_training_rows_is_ignored() -> None:
    found = verdict(status="skipped", reason=None, mae=0, baseline=None, artifact=None, holdout_rows=0)

    assert (found.ignored, found.accepted, found.rejected) == (True, False, False)


def test_the_handler_counts_rejected_models_and_writes_the_verdicts(desk: Desk) -> None:
    desk.configure(thresholds={"LGA": 3.0})
    desk.train("EWR", mae=31.0, baseline=40.0)
    desk.train("JFK", mae=10.0)
    desk.train("LGA", mae=5.0)
    event = desk.event(["EWR", "JFK", "LGA"], Threshold=20.0, Output=f"{RUN}/judge")

    found = judge.handler(event, desk.context)

    assert found == {"Rejected": 2, "VerdictsUri": f"{RUN}/judge/verdicts.json"}
    written = desk.read(f"{RUN}/judge/verdicts.json")
    assert (written["passed"], written["rejected"], written["threshold"]) == (False, 2, 20.0)
    assert written["models"]["LGA"]["reasons"] == ["MAE 5 > threshold 3"]
    assert written["models"]["JFK"]["accepted"] is True


def test_verdicts_hold_no_number_that_json_lacks(desk: Desk) -> None:
    desk.configure(names=["EWR"])
    desk.train("EWR", mae=float("nan"), baseline=float("inf"))

    judge.handler(desk.event(["EWR"], Threshold=1e11, Output=f"{RUN}/judge"), desk.context)

    text = desk.ports.objects.read_text(f"{RUN}/judge/verdicts.json")
    assert "NaN" not in text
    assert "Infinity" not in text
