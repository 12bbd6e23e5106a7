"""Executions on AWS: what is asked of SageMaker Pipelines, read from all pages, and its errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lambda_calls import lambda_calls
from lambda_world import ENVIRONMENT, VARIABLES, LambdaWorld

from lambda_trigger import definition, links, markers
from lambda_trigger.aws_executions import SageMakerExecutions
from lambda_trigger.folders import LocalContext
from lambda_trigger.ports import ExecutionError, NewExecution, Step, invocation_of
from pipelines.settings import load
from pipelines.slices import LAMBDA, lambda_slice

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@pytest.fixture
def world() -> LambdaWorld:
    found = LambdaWorld()
    found.deploy()
    return found


@pytest.fixture
def executions(world: LambdaWorld) -> SageMakerExecutions:
    return SageMakerExecutions(world.client("sagemaker"))


def test_executions_come_newest_first_from_all_pages_and_none_from_before(
    world: LambdaWorld, executions: SageMakerExecutions
) -> None:
    arns = [world.start() for _ in range(7)]
    after = world.aws.executions[2]["CreationTime"]

    found = list(executions.recent("flights", after))

    assert [e.arn for e in found] == arns[:1:-1]
    assert found[0].id == "000000000007"
    assert found[0].started == world.aws.executions[-1]["CreationTime"]


def test_steps_come_in_the_order_of_their_beginning_with_job_and_function(
    world: LambdaWorld, executions: SageMakerExecutions
) -> None:
    arn = world.start()
    function = {"Lambda": {"Arn": "arn:aws:lambda:us-east-1:123456789012:function:flights-judge"}}
    world.aws.add_step(arn, "Judge", Metadata=function)
    job = world.aws.add_job(arn, "Infer-EWR")
    world.aws.add_step(arn, "MaeGate", Metadata={"Condition": {"Outcome": "True"}})

    assert list(executions.steps(arn)) == [
        Step("Judge", "Succeeded", function="flights-judge"),
        Step("Infer-EWR", "Failed", "ClientError: see the job", job=job),
        Step("MaeGate", "Succeeded"),
    ]


def test_who_started_an_execution_is_the_studio_user_or_else_the_role(
    world: LambdaWorld, executions: SageMakerExecutions
) -> None:
    arn = world.start()
    assert executions.describe(arn).maker == "arn:aws:sts::123456789012:assumed-role/flights-trigger/x"

    world.aws.executions[0]["CreatedBy"] = {"UserProfileName": "ann"}

    assert executions.describe(arn).maker == "ann"


def test_errors_say_what_was_being_done(world: LambdaWorld, executions: SageMakerExecutions) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/flights/execution/none"

    with pytest.raises(ExecutionError, match=r"pipeline none cannot be described: .*does not exist"):
        executions.definition("none")
    with pytest.raises(ExecutionError, match=r"the definition of .*none cannot be read"):
        executions.definition_of(arn)
    with pytest.raises(ExecutionError, match=r"steps of .*none cannot be listed"):
        list(executions.steps(arn))
    with pytest.raises(ExecutionError, match="executions of none cannot be listed"):
        list(executions.recent("none", datetime(2026, 1, 1, tzinfo=UTC)))
    with pytest.raises(ExecutionError, match="job x cannot be described"):
        executions.job("x")


GIVEN = {"RawDataUri": "s3://raw/", "TrainDataVersion": "t", "PredictDataVersion": "p"}


def asked(token: str = "t", **changes: str | None) -> NewExecution:
    values = {name: value for name, value in {**GIVEN, **changes}.items() if value is not None}
    return NewExecution("flights", "run-1", "by a test", token * 32, values)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"Seson": "x"}, "Unknown parameters"),
        ({"RawDataUri": None}, "Missing required parameters"),
        ({"MaeThreshold": "low"}, "MaeThreshold: 'low' is no Float"),
        ({"TrainTimeLimitSeconds": "1.5"}, "is no Integer"),
        ({"Holidays": "perhaps"}, "is no Boolean"),
        ({"FallbackPolicy": "none"}, "FallbackPolicy"),
        ({"Season": "x" * 1025}, "1025 characters"),
    ],
)
def test_the_stand_in_refuses_a_start_that_the_service_would_refuse(
    executions: SageMakerExecutions, changes: dict[str, str | None], problem: str
) -> None:
    with pytest.raises(ExecutionError, match=f"an execution of flights cannot be started: .*{problem}"):
        executions.start(asked(**changes))


def test_the_stand_in_knows_a_start_by_its_token_as_long_as_it_keeps_it(
    world: LambdaWorld, executions: SageMakerExecutions
) -> None:
    first = executions.start(asked("a"))

    assert executions.start(asked("a", Season="other")) == first
    assert executions.start(asked("b")) != first
    world.aws.forget_tokens()
    assert executions.start(asked("a")) != first


def test_on_one_machine_there_are_no_executions_of_the_service(world: LambdaWorld) -> None:
    ports = world.context().ports

    with pytest.raises(ExecutionError, match="this function is for AWS"):
        _ = type(ports)(ports.objects, ports.registry, ports.notifier, ports.clock).executions


def test_the_committed_definition_tells_the_trigger_all_it_needs() -> None:
    text = (GOLDEN / "flights.definition.json").read_text(encoding="utf-8")

    found = definition.parse(text)

    assert found.settings_uri.startswith("s3://flights-artifacts/flights/settings/lambda/")
    assert found.settings_uri.endswith("/settings.json")
    declared = {p.name: (p.type, p.default, p.choices) for p in found.parameters}
    assert declared["FallbackPolicy"] == ("String", "per_model", ("all", "per_model"))
    assert declared["Holidays"] == ("Boolean", True, ())
    assert declared["RawDataUri"] == ("String", None, ())
    assert found.segments["Train-EWR"] == "EWR"
    assert found.segments["InferFallback-EWR"] == "EWR"
    assert "PrepareTraining" not in found.segments


def test_the_settings_of_the_stand_in_have_the_keys_of_the_real_slice(world: LambdaWorld) -> None:
    real = lambda_slice(load(GOLDEN / "flights.yml"), (), "b")
    (uri,) = [f"s3://{bucket}/{key}" for bucket, key in world.aws.objects if f"/{LAMBDA}/" in key]

    assert world.read(uri).keys() == real.keys()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"Steps": [{}]}', '{"Steps": []}', '{"Steps": [{"Name": "a", "Type": "Lambda"}]}'],
)
def test_a_definition_that_is_not_ours_says_to_deploy_again(text: str) -> None:
    with pytest.raises(ExecutionError, match="deploy again"):
        definition.parse(text)


def test_settings_that_are_not_constant_do_not_count() -> None:
    step = {"Name": "a", "Type": "Lambda", "Arguments": {"Settings": {"Std:Join": {"Values": [{"Get": "x"}]}}}}

    with pytest.raises(ExecutionError, match="names 0 settings"):
        definition.parse(json.dumps({"Steps": [step]}))


def test_without_a_studio_domain_the_link_leads_to_the_console_and_says_where_to_click() -> None:
    assert "https://console.amazonaws.cn/sagemaker/" in links.execution_link("flights", "abc", "cn-north-1")
    assert links.log_link("job", "us-gov-west-1").startswith("https://console.amazonaws-us-gov.com/cloudwatch/")
    found = links.execution_link("flights", "abc", "eu-west-1")

    assert found == (
        "https://eu-west-1.console.aws.amazon.com/sagemaker/home?region=eu-west-1#/studio-landing "
        "(open Studio, then Pipelines, flights, abc)"
    )


def test_a_marker_is_known_by_version_else_by_sequencer_else_by_etag() -> None:
    event = LambdaWorld().event("day/go.run", "v1")
    found = event["detail"]["object"]

    def state() -> str:
        return markers.read(event, event["detail"]["bucket"]["name"])[0].state

    assert state() == "v1"
    found["version-id"] = "null"
    assert state() == "0061A0"
    del found["sequencer"]
    assert state() == "e"


def test_an_invocation_without_an_id_is_like_no_other(world: LambdaWorld) -> None:
    context = LocalContext(world.context().ports)

    assert invocation_of(context) != invocation_of(context)
    assert invocation_of(world.context("trigger", "one")) == "one"


def test_every_function_is_exercised_with_the_variables_that_it_reads() -> None:
    found = lambda_calls()

    assert found.keys() == VARIABLES.keys()
    assert all(found.values())
    assert {name for names in VARIABLES.values() for name in names} | {"AWS_REGION"} == set(ENVIRONMENT)
