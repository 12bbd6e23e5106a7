"""Status: an execution that did not succeed is mailed once, with every failed step, its reason and what to do."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from lambda_world import ARTIFACTS, PREFIX, SCORING, LambdaWorld

from lambda_trigger import failures, status
from lambda_trigger.ports import ExecutionError, NotifyError, StoreError

NOT_SENT, SENT = {"Sent": "false"}, {"Sent": "true"}
CONSOLE = "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/"


@pytest.fixture
def world() -> LambdaWorld:
    found = LambdaWorld()
    found.deploy(names=["Very Good", "JFK"])
    return found


def failed(world: LambdaWorld, outcome: str = "Failed") -> dict[str, Any]:
    """End an execution whose training of one model has failed; return its event."""
    arn = world.start()
    world.aws.add_step(arn, "NotifyStarted")
    world.aws.add_job(arn, "Train-JFK", "Succeeded")
    slug = next(m["slug"] for m in world.read(settings_uri(world))["models"] if m["name"] == "Very Good")
    world.aws.add_job(arn, f"Train-{slug}", ExitMessage="column 'delay' has 3 rows", FailureReason="AlgorithmError")
    world.aws.end_execution(arn, outcome)
    return world.aws.status_event(arn)


def settings_uri(world: LambdaWorld) -> str:
    (key,) = [key for _, key in world.aws.objects if "/settings/" in key]
    return f"{PREFIX}/{key.partition('/')[2]}"


def run(world: LambdaWorld, event: dict[str, Any], invocation: str = "") -> dict[str, str]:
    return status.handler(event, world.context("status", invocation))


def text(world: LambdaWorld) -> str:
    (message,) = world.mails
    return str(message["Message"])


def test_a_failed_execution_is_mailed_with_step_segment_reason_log_and_command(world: LambdaWorld) -> None:
    assert run(world, failed(world)) == SENT

    job = list(world.aws.jobs)[-1]
    step = job.removeprefix("pipelines-000000000001-").removesuffix("-0001")
    assert world.mails[0]["Subject"] == f"flights: run FAILED in {step} (Very Good)"
    assert text(world) == (
        f"flights: run FAILED in {step} (Very Good)\n\n"
        "execution:  000000000001\n"
        "time:       2026-11-23 09:00 UTC\n"
        "view:       https://studio-d-abc123.studio.us-east-1.sagemaker.aws"
        "/pipelines/view/flights/executions/000000000001/graph\n\n"
        f"{step} (Very Good):\n"
        "  column 'delay' has 3 rows\n"
        f"  log: {CONSOLE}$252Faws$252Fsagemaker$252FProcessingJobs$3FlogStreamNameFilter$3D{job}\n\n"
        "Run it again with:\n"
        "  python -m pipelines.run --env production --retry 000000000001\n\n"
        "Debug the step with:\n"
        f"  python -m pipelines.run --env production --fetch 000000000001 --only {step}\n"
    )


def test_the_same_event_ten_times_is_mailed_once(world: LambdaWorld) -> None:
    event = failed(world)

    assert [run(world, event) for _ in range(10)] == [SENT, *[NOT_SENT] * 9]
    assert len(world.mails) == 1


def test_an_execution_that_is_retried_and_fails_again_is_mailed_again(world: LambdaWorld) -> None:
    event = failed(world)
    arn = event["detail"]["pipelineExecutionArn"]

    run(world, event)
    assert run(world, world.aws.status_event(arn, ended="2026-11-23T11:00:00Z")) == SENT

    assert len(world.mails) == 2


@pytest.mark.parametrize(
    ("outcome", "first_line", "command"),
    [
        ("Stopped", "flights: run was STOPPED", "--retry 000000000001"),
        ("CompletedWithFailures", "flights: run COMPLETED WITH FAILURES", "--rerun 000000000001"),
    ],
)
def test_other_endings_are_named_and_can_be_run_again(
    world: LambdaWorld, outcome: str, first_line: str, command: str
) -> None:
    arn = world.start()
    world.aws.add_job(arn, "Train-JFK", "Stopped")
    world.aws.end_execution(arn, outcome)

    run(world, world.aws.status_event(arn))

    assert world.mails[0]["Subject"] == first_line
    assert "stopped while running:  Train-JFK" in text(world)
    assert f"python -m pipelines.run --env production {command}\n" in text(world)


def test_all_failed_steps_are_listed_from_all_pages(world: LambdaWorld) -> None:
    arn = world.start()
    for number in range(5):
        world.aws.add_job(arn, f"Infer-{number}", ExitMessage=f"reason {number}")
    world.aws.end_execution(arn, "Failed")

    run(world, world.aws.status_event(arn))

    assert world.mails[0]["Subject"] == "flights: run FAILED in Infer-0 and 4 more steps"
    assert all(f"Infer-{number}:\n  reason {number}\n" in text(world) for number in range(5))


def test_without_an_exit_message_the_services_reason_is_told(world: LambdaWorld) -> None:
    arn = world.start()
    world.aws.add_job(arn, "Train-JFK", FailureReason="CapacityError: no instances")
    world.aws.end_execution(arn, "Failed")

    run(world, world.aws.status_event(arn))

    assert "  CapacityError: no instances\n" in text(world)


def test_a_job_that_cannot_be_described_leaves_the_steps_own_reason(world: LambdaWorld) -> None:
    event = failed(world)
    world.aws.broken = {"DescribeProcessingJob"}

    assert run(world, event) == SENT
    assert "  ClientError: see the job\n" in text(world)


MISSING_DEFAULT = (
    "no approved default model for 1 segment: EWR.\n"
    "Approve a version of each (or register an artifact of your own: register MODEL ARTIFACT):\n"
    "  python -m pipelines.registry --env production approve EWR\n"
    "then start the run's failed steps again:\n"
    "  python -m pipelines.run --env production --retry run-1"
)


def test_a_missing_default_model_is_mailed_with_the_command_that_approves_one_first(world: LambdaWorld) -> None:
    arn = world.start()
    function = {"Lambda": {"Arn": "arn:aws:lambda:us-east-1:123456789012:function:flights-decide"}}
    error = json.dumps({"errorMessage": MISSING_DEFAULT, "errorType": "MissingDefaultError", "stackTrace": ["x"]})
    world.aws.add_step(arn, "Decide", "Failed", FailureReason=f"ClientError: {error}", Metadata=function)
    world.aws.end_execution(arn, "Failed")

    run(world, world.aws.status_event(arn))

    assert "stackTrace" not in text(world)
    assert f"log: {CONSOLE}$252Faws$252Flambda$252Fflights-decide\n" in text(world)
    assert text(world).endswith(
        "Run it again with:\n"
        "  python -m pipelines.registry --env production approve EWR\n"
        "  python -m pipelines.run --env production --retry 000000000001\n"
    )


def test_a_command_that_the_service_has_cut_is_not_offered() -> None:
    """Half of `approve Seg-12` is `approve Seg-1`, which is another model."""
    lines = "\n".join(f"  {failures.REGISTRY_COMMAND} approve Seg-{n}" for n in range(10, 13))
    whole = json.dumps({"errorMessage": f"no default\n{lines}"})

    found = failures.read_reason(whole[: whole.index("Seg-12") + 5])

    assert failures.commands_in(found) == tuple(f"{failures.REGISTRY_COMMAND} approve Seg-{n}" for n in (10, 11))
    assert found.endswith("(cut by the service; the log has all of it)")


@pytest.mark.parametrize("message", ["file C:\\data\\ of \U0001f600 is \\\\ empty", "no \U0001f600\U0001f600", "a\\b"])
def test_a_reason_that_is_cut_anywhere_is_text_that_can_be_mailed(message: str) -> None:
    whole = json.dumps({"errorMessage": f"{message}, and more of it"})

    for length in range(whole.index(message[0]), len(whole) - 3):
        found = failures.read_reason(whole[:length])
        found.encode()
        if failures.CUT in found:
            assert f"{message}, and more of it".startswith(found.removesuffix(failures.CUT))


def test_a_reason_that_is_cut_in_a_letter_beyond_ascii_is_still_read() -> None:
    whole = json.dumps({"errorMessage": "no default for 東京"})

    for length in range(len(whole) - 12, len(whole) - 2):
        assert failures.read_reason(whole[:length]).startswith("no default for")


@pytest.mark.parametrize("length", range(20, 240, 7))
def test_a_reason_that_the_service_has_cut_anywhere_is_still_read(length: int) -> None:
    whole = json.dumps({"errorMessage": MISSING_DEFAULT})

    found = failures.read_reason(whole[:length])

    kept = found.removesuffix(failures.CUT)
    assert MISSING_DEFAULT.startswith(kept)
    assert set(failures.commands_in(found)) <= set(failures.commands_in(MISSING_DEFAULT))


def test_an_execution_that_failed_before_any_step_tells_its_own_reason(world: LambdaWorld) -> None:
    arn = world.start()
    world.aws.end_execution(arn, "Failed", "Role cannot be assumed")

    run(world, world.aws.status_event(arn))

    assert world.mails[0]["Subject"] == "flights: run FAILED"
    assert "Reason:\n  Role cannot be assumed\n" in text(world)


def test_the_definition_that_the_execution_ran_is_read_not_the_deployed_one(world: LambdaWorld) -> None:
    event = failed(world)
    world.aws.deploy_pipeline("flights", {"Steps": []})

    assert run(world, event) == SENT


@pytest.mark.parametrize("current", ["Executing", "Stopping", "Succeeded"])
def test_other_states_are_not_mailed(world: LambdaWorld, current: str) -> None:
    assert run(world, failed(world, current)) == NOT_SENT
    assert world.aws.requests == []


def test_events_of_other_pipelines_and_of_other_kinds_are_ignored(world: LambdaWorld) -> None:
    other, step = failed(world), failed(world)
    other["detail"]["pipelineArn"] += "-2"
    step["detail-type"] = "SageMaker Model Building Pipeline Execution Step Status Change"

    assert [run(world, event) for event in (other, step, {})] == [NOT_SENT] * 3
    assert world.aws.requests == []


def test_a_mail_that_failed_is_sent_by_the_same_invocation_tried_again_and_by_no_other(world: LambdaWorld) -> None:
    event = failed(world)
    world.aws.broken = {"Publish"}
    with pytest.raises(NotifyError):
        run(world, event, "one")
    world.aws.broken = set()

    assert run(world, event, "two") == NOT_SENT
    assert run(world, event, "one") == SENT
    assert run(world, event, "one") == NOT_SENT


def test_a_stale_claim_is_taken_over_so_that_a_crash_loses_no_mail(world: LambdaWorld) -> None:
    event = failed(world)
    world.aws.broken = {"Publish"}
    with pytest.raises(NotifyError):
        run(world, event, "one")
    world.aws.broken = set()

    world.ahead = timedelta(seconds=49)
    assert run(world, event, "two") == NOT_SENT
    world.ahead = timedelta(seconds=60)
    assert run(world, event, "three") == SENT
    assert run(world, event, "one") == NOT_SENT


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ("PutObject", StoreError),
        ("DescribePipelineDefinitionForExecution", ExecutionError),
        ("ListPipelineExecutionSteps", ExecutionError),
        ("DescribePipelineExecution", ExecutionError),
    ],
)
def test_errors_of_aws_leave_the_handler(world: LambdaWorld, operation: str, error: type[Exception]) -> None:
    event = failed(world)
    world.aws.broken = {operation}

    with pytest.raises(error, match=operation):
        run(world, event)


def test_a_failure_is_mailed_even_where_the_settings_have_gone(world: LambdaWorld) -> None:
    event = failed(world)
    uri = settings_uri(world)
    del world.aws.objects[ARTIFACTS, uri.removeprefix(f"s3://{ARTIFACTS}/")]

    assert run(world, event) == SENT
    assert "column 'delay' has 3 rows" in text(world)
    assert "--retry 000000000001" in text(world)


def test_an_execution_that_scored_only_is_mailed_under_the_name_of_its_pipeline(world: LambdaWorld) -> None:
    arn = world.start(SCORING)
    world.aws.add_job(arn, "Infer-JFK", ExitMessage="column 'x' is missing")
    world.aws.end_execution(arn, "Failed")

    assert run(world, world.aws.status_event(arn)) == SENT

    assert world.mails[0]["Subject"] == "flights-predict: run FAILED in Infer-JFK (JFK)"
    assert f"pipelines.run --env production --retry {arn.rpartition('/')[2]}" in text(world)
