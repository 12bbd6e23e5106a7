"""Following an execution on AWS: every step shown, patience with the service, and the end that it comes to."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from fake_executions import MORNING
from operator_calls import ARTIFACTS, RAW, Operator

from pipelines.aws.executions import StepState
from pipelines.following import LONGEST, PATIENCE, POLL, transitions
from pipelines.local.record import StepEvent
from steps import contract

FOLLOW = ("--status", "--last", "--follow")


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path).deploy()


def state(name: str, status: str, ended: float | None = None, *, cached: bool = False) -> StepState:
    return StepState(name, status, 100.0, ended, cached, "why" if status == "Failed" else "", None, None)


def shown(known: dict[str, StepEvent], *steps: StepState) -> list[tuple[str, str, float]]:
    return [(event.step, event.status, event.at) for event in transitions(known, steps)]


def test_a_step_that_began_and_ended_between_two_polls_shows_both() -> None:
    assert shown({}, state("A", "Succeeded", 130.0)) == [("A", "Executing", 100.0), ("A", "Succeeded", 130.0)]


def test_a_step_that_has_not_changed_is_not_shown_again() -> None:
    known = {event.step: event for event in transitions({}, [state("A", "Executing")])}

    assert shown(known, state("A", "Executing"), state("B", "Starting")) == [("B", "Executing", 100.0)]


def test_a_result_that_was_taken_over_is_cached() -> None:
    assert shown({}, state("A", "Succeeded", 100.0, cached=True))[-1] == ("A", "Cached", 100.0)


def test_a_step_that_is_tried_again_is_shown_again() -> None:
    known = {event.step: event for event in transitions({}, [state("A", "Failed", 120.0)])}

    assert shown(known, state("A", "Executing")) == [("A", "Executing", 100.0)]


def test_a_start_is_followed_to_its_end_and_shows_what_came_of_it(operator: Operator) -> None:
    def succeed() -> None:
        arn = operator.aws.executions[-1]["PipelineExecutionArn"]
        operator.aws.add_step(arn, contract.PREPARE_TRAINING, CacheHitResult={"SourcePipelineExecutionArn": arn})
        operator.aws.add_step(arn, "Train-0", EndTime=MORNING + timedelta(seconds=65))
        operator.end(arn)

    operator.while_asleep.append(succeed)

    code, out, err = operator.cli("--raw", f"s3://{RAW}/day/", "--follow")

    assert code == 0
    assert operator.pauses == [POLL]
    assert "execution 000000000001: 3 steps" in err
    assert "Cached" in err
    assert "Train-0" in err
    assert "東京" in out
    assert "Succeeded in" in out
    assert f"s3://{ARTIFACTS}/Flights/executions/000000000001/predictions/report.html" in out
    assert "console.aws.amazon.com" in out


def test_a_retry_is_not_taken_for_over_because_it_had_failed(operator: Operator) -> None:
    """The service may need a moment until it shows the execution as running again."""
    arn = operator.start()
    operator.end(arn, "Failed")
    operator.while_asleep += [lambda: None, lambda: operator.end(arn)]

    code, _, _ = operator.cli("--retry", "--last", "--follow")

    assert code == 0
    assert operator.pauses == [POLL, POLL]


def test_a_degraded_run_exits_with_3_and_says_so_as_json(operator: Operator) -> None:
    operator.end(operator.start(), degraded=True)

    code, out, _ = operator.cli(*FOLLOW, "--json")

    found = json.loads(out)
    assert (code, found["status"]) == (3, "Degraded")
    assert found["models"]["東京"]["served_by"] == "fresh"
    assert found["predictions"].endswith("/predictions/predictions/")
    assert found["gate"]["threshold"] == 20.0


@pytest.mark.parametrize("status", ["Failed", "Stopped", "CompletedWithFailures"])
def test_every_other_end_exits_with_1_and_names_the_command_to_go_on(operator: Operator, status: str) -> None:
    arn = operator.start()
    operator.while_asleep += [
        lambda: operator.aws.end_execution(arn, "Stopping"),
        lambda: operator.aws.end_execution(arn, status),
    ]

    code, out, _ = operator.cli(*FOLLOW)

    assert code == 1
    assert f"{status} in" in out
    assert "--retry 000000000001" in out


def test_a_failed_job_is_shown_with_its_own_words_and_its_log(operator: Operator) -> None:
    arn = operator.start()
    job = operator.aws.add_job(arn, "Train-0", ExitMessage="column 'x' is missing")
    operator.end(arn, "Failed")

    code, out, err = operator.cli(*FOLLOW)

    assert code == 1
    assert "error: Train-0: column 'x' is missing" in out
    assert "Train-0" in err
    assert job in out
    assert "go on with: python -m pipelines.run" in out


def test_a_job_without_words_of_its_own_is_shown_with_the_services(operator: Operator) -> None:
    arn = operator.start()
    operator.aws.add_job(arn, "Train-0")
    function = "arn:aws:lambda:us-east-1:123456789012:function:Flights-judge"
    operator.aws.add_step(arn, "Judge", "Failed", FailureReason="no verdict", Metadata={"Lambda": {"Arn": function}})
    operator.end(arn, "Failed")

    out = operator.cli(*FOLLOW)[1]

    assert "Train-0: ClientError: see the job; Judge: no verdict" in out
    assert "Flights-judge" in out


def test_an_execution_that_failed_without_a_step_gives_its_own_reason(operator: Operator) -> None:
    operator.aws.end_execution(operator.start(), "Failed", "the role cannot be assumed")

    assert "error: the role cannot be assumed" in operator.cli(*FOLLOW)[1]


def test_after_bad_data_a_new_run_is_proposed_and_not_a_retry(operator: Operator) -> None:
    """The manifest of the old one names the files as they were."""
    arn = operator.start()
    operator.aws.add_job(arn, contract.PREPARE_TRAINING, ExitMessage="no label")
    operator.end(arn, "Failed")

    out = operator.cli(*FOLLOW)[1]

    assert f"--raw s3://{RAW}/day/" in out
    assert "--retry" not in out


def test_an_execution_that_was_turned_down_shows_judges_verdicts(operator: Operator) -> None:
    arn = operator.start()
    model = {"name": "EWR", "mae": 31.0, "threshold": 20.0, "accepted": False, "reasons": ["MAE 31 > threshold 20"]}
    operator.judge(arn, {"passed": False, "models": {"EWR": model}})
    operator.end(arn, "Failed")

    assert "MAE 31 > threshold 20" in operator.cli(*FOLLOW)[1]


def test_a_poll_is_one_call_for_the_status_and_one_list_of_steps(operator: Operator) -> None:
    arn = operator.start()
    operator.aws.page = 100
    for number in range(60):
        operator.aws.add_step(arn, f"Step-{number}", "Executing")
    operator.while_asleep += [lambda: None, lambda: operator.aws.end_execution(arn, "Stopped")]

    operator.cli(*FOLLOW)

    names = [operation for operation, _ in operator.aws.calls]
    assert names.count("ListPipelineExecutionSteps") == 3
    assert names.count("DescribePipelineExecution") == 3


def test_steps_beyond_the_first_page_are_shown(operator: Operator) -> None:
    arn = operator.start()
    for number in range(7):
        operator.aws.add_step(arn, f"Step-{number}")
    operator.end(arn, "Stopped")

    err = operator.cli(*FOLLOW)[2]

    assert all(f"Step-{number}" in err for number in range(7))


def test_throttling_makes_it_wait_longer_and_then_recover(operator: Operator) -> None:
    arn = operator.start()
    operator.aws.failing["ListPipelineExecutionSteps"] = ["ThrottlingException"] * 3
    operator.while_asleep += [lambda: None] * 5 + [lambda: operator.end(arn)]

    code, _, _ = operator.cli(*FOLLOW)

    assert code == 0
    assert operator.pauses == [2 * POLL, 4 * POLL, 8 * POLL, 4 * POLL, 2 * POLL, POLL]


def test_a_service_that_never_answers_is_given_up_but_the_execution_goes_on(operator: Operator) -> None:
    operator.start()
    operator.aws.failing["ListPipelineExecutionSteps"] = ["ServiceUnavailable"] * 100
    operator.while_asleep += [lambda: None] * 100

    code, _, err = operator.cli(*FOLLOW)

    assert code == 2
    assert len(operator.pauses) == PATIENCE
    assert max(operator.pauses) == LONGEST
    assert "the execution goes on" in err


def test_an_answer_that_no_patience_mends_ends_the_following_at_once(operator: Operator) -> None:
    operator.start()
    operator.aws.failing["ListPipelineExecutionSteps"] = ["ExpiredTokenException"]

    code, _, err = operator.cli(*FOLLOW)

    assert (code, operator.pauses) == (2, [])
    assert "the credentials have expired" in err
    assert "--status 000000000001 --follow" in err


def test_ctrl_c_leaves_the_execution_running_and_says_how_to_go_on(operator: Operator) -> None:
    operator.start()

    def press() -> None:
        raise KeyboardInterrupt

    operator.while_asleep.append(press)

    code, _, err = operator.cli(*FOLLOW)

    assert code == 1
    assert "the execution goes on" in err
    assert "--status 000000000001 --follow" in err
    assert "--stop 000000000001" in err
    assert operator.aws.executions[0]["PipelineExecutionStatus"] == "Executing"


def test_status_shows_steps_and_how_to_follow_without_waiting(operator: Operator) -> None:
    arn = operator.start()
    operator.aws.add_step(arn, contract.PREPARE_TRAINING, "Executing")

    code, out, _ = operator.cli("--status")

    assert (code, operator.pauses) == (0, [])
    assert out.splitlines()[1].split()[:2] == ["PrepareTraining", "Executing"]
    assert "Executing for" in out
    assert "follow it with: python -m pipelines.run" in out


def test_a_retried_step_that_stands_twice_is_told_by_its_last_state(operator: Operator) -> None:
    arn = operator.start()
    operator.aws.add_job(arn, "Train-0", ExitMessage="memory")
    operator.aws.add_job(arn, "Train-0", "Succeeded")
    operator.end(arn)

    found = json.loads(operator.cli(*FOLLOW, "--json")[1])

    assert (found["status"], found["error"]) == ("Succeeded", None)
    assert found["steps"]["Train-0"]["status"] == "Succeeded"


def test_files_that_expired_leave_an_execution_without_models(operator: Operator) -> None:
    operator.end(operator.start())
    for place in [place for place in operator.aws.objects if place[0] == ARTIFACTS]:
        del operator.aws.objects[place]

    found = json.loads(operator.cli("--status", "--json")[1])

    assert (found["status"], found["models"]) == ("Succeeded", {})


def test_a_definition_that_this_version_cannot_read_is_followed_all_the_same(operator: Operator) -> None:
    arn = operator.start()
    operator.aws.executions[0]["definition"] = json.dumps({"Version": "2020-12-01", "Steps": [{"Type": "ForEach"}]})
    operator.aws.add_step(arn, "Other")
    operator.end(arn)

    code, _, err = operator.cli(*FOLLOW)

    assert code == 0
    assert "Other" in err


def test_how_long_it_will_take_is_told_by_the_last_executions_that_succeeded(operator: Operator) -> None:
    before = operator.start()
    for name in (contract.PREPARE_TRAINING, "Train-0", contract.POSTPROCESS):
        operator.aws.add_step(before, name, EndTime=MORNING + timedelta(seconds=600))
    operator.end(before)
    arn = operator.start()
    job = {"ProcessingJob": {"Arn": "arn:aws:sagemaker:us-east-1:123456789012:processing-job/j"}}
    operator.aws.add_step(arn, contract.PREPARE_TRAINING, "Executing", Metadata=job)
    operator.while_asleep.append(lambda: operator.end(arn))

    err = operator.cli(*FOLLOW)[2]

    assert " left, by what its steps took before" in err


def test_only_warnings_and_the_result_are_shown_where_that_is_wanted(operator: Operator) -> None:
    arn = operator.start()
    operator.aws.add_step(arn, "Train-0")
    operator.end(arn)

    code, out, err = operator.cli(*FOLLOW, "--log-level", "warning")

    assert (code, err) == (0, "")
    assert "Succeeded in" in out
