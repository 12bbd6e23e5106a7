from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lambda_cases import RUN, Desk, evaluation

from lambda_trigger import judge, verdicts
from lambda_trigger.evaluation import parse
from lambda_trigger.ports import StoreError
from lambda_trigger.settings import Gate, Model
from lambda_trigger.verdicts import Verdict, Verdicts

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


def test_a_mae_below_zero_is_rejected() -> None:
    assert verdict(mae=-1.0).reasons == ("MAE is -1, and no error is below 0",)


@pytest.mark.parametrize("rows", [None, -1, 7.5, 100.0, "100", True, float("nan"), [100]])
def test_holdout_rows_that_are_no_count_are_rejected(rows: Any) -> None:
    found = verdict(holdout_rows=rows)

    assert (found.holdout_rows, found.reasons) == (0, ("no count of holdout rows, at least 5 required",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is no JSON"),
        ('{"status": "trained"', "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("9" * 5_000, "it is no JSON"),
        ("[]", "it is no JSON object"),
        ("null", "it is no JSON object"),
        ("{}", "its status is none of trained, failed, skipped"),
        ('{"status": ["trained"]}', "its status is none of trained, failed, skipped"),
        ('{"status": "Trained"}', "its status is none of trained, failed, skipped"),
    ],
)
def test_an_evaluation_that_cannot_be_read_is_a_rejected_model_with_the_reason(text: str, said: str) -> None:
    found = judge.judge_model(EWR, parse(text), 20.0, Gate(1.0, 5))

    assert (found.rejected, found.mae, found.status) == (True, None, "failed")
    assert found.reasons == (f"evaluation.json cannot be read: {said}; train this model again",)


@pytest.mark.parametrize("missing", ["regression_metrics", "baseline", "holdout_rows", "artifact", "reason"])
def test_a_trained_model_without_a_part_of_its_evaluation_does_not_stop_the_judge(missing: str) -> None:
    whole = evaluation()
    for wrong in ({key: value for key, value in whole.items() if key != missing}, {**whole, missing: "x"}):
        found = judge.judge_model(EWR, parse(json.dumps(wrong)), 20.0, Gate(1.0, 5))

        assert found.accepted is (missing in ("artifact", "reason"))


def test_a_mae_with_hundreds_of_digits_is_no_number() -> None:
    assert verdict(mae=10**400).reasons == ("MAE is not a finite number",)


@pytest.mark.parametrize("threshold", ["nan", float("nan"), float("inf"), -1.0, 0, 1e12, True, "", "twenty", 10**400])
def test_a_threshold_that_no_mae_can_be_compared_with_is_refused(threshold: Any, desk: Desk) -> None:
    desk.configure(names=["EWR"])
    desk.train("EWR", mae=1.0)

    with pytest.raises(judge.ThresholdError, match="expected a number above 0 and below 1e12"):
        judge.handler(desk.event(["EWR"], Threshold=threshold, Output=f"{RUN}/judge"), desk.context)

    assert not desk.ports.objects.exists(f"{RUN}/judge/verdicts.json")


def test_a_models_own_threshold_of_nan_is_refused() -> None:
    with pytest.raises(judge.ThresholdError):
        verdict(20.0, model=Model("EWR", "EWR", float("nan")), mae=1.0)


def test_the_interval_of_the_mae_goes_along_and_decides_nothing() -> None:
    found = verdict(20.0, mae=19.0, mae_interval={"low": 17.5, "high": 21.5, "level": 0.95})

    assert (found.accepted, found.mae_low, found.mae_high) == (True, 17.5, 21.5)


@pytest.mark.parametrize(
    "interval",
    [None, [], "x", {}, {"low": 1.0}, {"low": 2.0, "high": 1.0}, {"low": -1, "high": 1}, {"low": 1, "high": "2"}],
)
def test_an_interval_that_is_none_is_left_out(interval: Any) -> None:
    found = verdict(20.0, mae=19.0, mae_interval=interval)

    assert (found.accepted, found.mae_low, found.mae_high) == (True, None, None)


def test_verdicts_of_an_earlier_version_are_read_without_an_interval() -> None:
    written = json.loads(Verdicts("x", 20.0, 1.0, 5, (verdict(mae=12.0),)).to_json())
    for key in ("mae_low", "mae_high"):
        del written["models"]["EWR"][key]

    found = verdicts.parse(json.dumps(written)).of("EWR")

    assert (found.mae, found.mae_low, found.mae_high) == (12.0, None, None)


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


@pytest.mark.parametrize(
    ("content", "said"), [(b"\xff\xfe{", "it is no UTF-8 text"), (b" " * 1_000_001, "it has more than 1,000,000 bytes")]
)
def test_a_file_that_is_no_evaluation_is_rejected_and_the_others_are_judged(
    desk: Desk, content: bytes, said: str
) -> None:
    desk.configure(names=["EWR", "JFK"])
    desk.train("EWR")
    desk.train("JFK")
    path = desk.resolve(f"{RUN}/EWR/evaluation/EWR/evaluation.json")
    path.write_bytes(content)

    found = judge.handler(desk.event(["EWR", "JFK"], Threshold=20.0, Output=f"{RUN}/judge"), desk.context)

    written = desk.read(f"{RUN}/judge/verdicts.json")["models"]
    assert found["Rejected"] == 1
    assert written["EWR"]["reasons"] == [f"evaluation.json cannot be read: {said}; train this model again"]
    assert written["JFK"]["accepted"] is True


def test_an_evaluation_that_is_not_there_fails_the_step_because_it_says_nothing_of_the_model(desk: Desk) -> None:
    desk.configure(names=["EWR", "JFK"])
    desk.train("EWR")

    with pytest.raises(StoreError, match=r"JFK/evaluation\.json: no such object"):
        judge.handler(desk.event(["EWR", "JFK"], Threshold=20.0, Output=f"{RUN}/judge"), desk.context)

    assert not desk.ports.objects.exists(f"{RUN}/judge/verdicts.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIGURES = st.one_of(st.floats(0, 100), st.floats(), st.integers(-1, 10**6), st.sampled_from([1e-308, 5e-324, 1e308]))
PARTS = {
    "status": st.just("trained") | st.sampled_from(["failed", "skipped", "trained "]) | JSON,
    "reason": st.none() | JSON,
    "regression_metrics": st.builds(lambda mae: {"mae": {"value": mae}}, FIGURES | JSON) | JSON,
    "baseline": st.builds(lambda mae: {"mae": mae}, FIGURES | JSON) | JSON,
    "holdout_rows": st.integers(0, 100) | JSON,
    "mae_interval": st.builds(lambda low, high: {"low": low, "high": high}, FIGURES, FIGURES) | JSON,
    "artifact": st.just({"sha256": "a" * 64}) | JSON,
}
EVALUATIONS = st.one_of(st.fixed_dictionaries({}, optional=PARTS), st.fixed_dictionaries(PARTS), JSON)
GATES = st.builds(Gate, st.none() | st.just(1.0) | st.floats(1e-3, 10), st.integers(1, 50))
THRESHOLDS = st.floats(0, 1e12, exclude_min=True, exclude_max=True) | st.floats(1, 100)


def number(value: Any) -> float | None:
    """Return a finite number, or None for whatever else JSON may hold."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1.7976931348623157e308
    return float(value) if fits and math.isfinite(value) else None


def deserves(found: Any, threshold: float, gate: Gate) -> bool:
    """Tell whether an evaluation satisfies every rule, written down a second time and otherwise."""
    try:
        mae = number(found["regression_metrics"]["mae"]["value"])
        rows, status = found["holdout_rows"], found["status"]
    except (KeyError, TypeError, IndexError):
        return False
    if status != "trained" or mae is None or mae < 0 or type(rows) is not int or rows < gate.min_holdout_rows:
        return False
    if threshold < 1e11 and mae > threshold:
        return False
    if gate.max_baseline_ratio is None:
        return True
    baseline = found.get("baseline")
    naive = number(baseline.get("mae")) if isinstance(baseline, dict) else None
    if naive is None or naive <= 0:
        return False
    return mae < naive if gate.max_baseline_ratio == 1.0 else mae <= gate.max_baseline_ratio * naive


@settings(max_examples=300, deadline=None)
@given(EVALUATIONS, THRESHOLDS, GATES)
def test_whatever_an_evaluation_holds_a_model_is_accepted_only_by_every_rule(
    found: Any, threshold: float, gate: Gate
) -> None:
    judged = judge.judge_model(EWR, parse(json.dumps(found)), threshold, gate)

    assert judged.accepted is deserves(found, threshold, gate)
    assert judged.accepted is (not judged.reasons)
    assert not (judged.accepted and judged.ignored)
    written = Verdicts("x", None, gate.max_baseline_ratio, gate.min_holdout_rows, (judged,)).to_json()
    assert verdicts.parse(written).of("EWR") == judged


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_whatever_text_stands_in_place_of_an_evaluation_it_is_rejected(text: str) -> None:
    assert judge.judge_model(EWR, parse(text), 20.0, Gate(1.0, 5)).rejected
