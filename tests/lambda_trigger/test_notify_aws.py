"""The mails on AWS: who started the run, what its data are, where to look; a failure is counted and goes no further."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from lambda_world import PREFIX, LambdaWorld, evaluation

from lambda_trigger import judge, notify, trigger
from steps import contract

VIEW = "https://studio-d-abc123.studio.us-east-1.sagemaker.aws/pipelines/view/flights/executions/000000000001/graph"


@pytest.fixture
def world() -> LambdaWorld:
    return LambdaWorld()


def event(kind: str, settings: str, **more: Any) -> dict[str, Any]:
    return {"Kind": kind, "Execution": "000000000001", "Settings": settings, "Started": "2026-11-23T09:00:00Z", **more}


def triggered(world: LambdaWorld) -> dict[str, Any]:
    """Start a run by a marker; return the event of its first mail."""
    settings = world.deploy()
    world.put_data(train=b"x" * 1_234_567)
    trigger.handler(world.put("day/go.run"), world.context("trigger"))
    values = world.aws.executions[0]["parameters"]
    names = (contract.RAW_DATA_URI, contract.TRAIN_DATA_VERSION, contract.PREDICT_DATA_VERSION)
    return event("started", settings, **{name: values[name] for name in names})


def test_the_started_mail_tells_who_and_what_data_and_where_to_look(world: LambdaWorld) -> None:
    asked = triggered(world)

    assert notify.handler(asked, world.context("notify")) == {"Sent": "true"}

    assert world.mails[0]["Subject"] == "flights: run 000000000001 started"
    assert world.mails[0]["Message"] == (
        "flights: run started with 3 models (EWR, JFK, LGA)\n\n"
        "execution:        000000000001\n"
        "time:             2026-11-23 09:00 UTC\n"
        f"name:             {world.aws.executions[0]['PipelineExecutionDisplayName']}\n"
        "started by:       arn:aws:sts::123456789012:assumed-role/flights-trigger/x\n"
        "asked for:        started by s3://flights-raw-123456789012-us-east-1/day/go.run\n"
        "raw data:         s3://flights-raw-123456789012-us-east-1/day/\n"
        f"training data:    1 file, 1.23 MB, version {asked['TrainDataVersion']}\n"
        f"prediction data:  1 file, 4 bytes, version {asked['PredictDataVersion']}\n"
        f"view:             {VIEW}\n"
    )


@pytest.mark.parametrize("broken", ["ListPipelineExecutions", "DescribePipelineExecution"])
def test_who_started_a_run_is_left_out_where_it_cannot_be_found(world: LambdaWorld, broken: str) -> None:
    asked = triggered(world)
    world.aws.broken = {broken}

    assert notify.handler(asked, world.context("notify")) == {"Sent": "true"}
    assert "started by" not in world.mails[0]["Message"]
    assert VIEW in world.mails[0]["Message"]


def test_files_are_not_counted_where_the_manifest_is_not_there(world: LambdaWorld) -> None:
    asked = event("started", world.deploy(), TrainDataVersion="abc", PredictDataVersion="def")

    assert notify.handler(asked, world.context("notify")) == {"Sent": "true"}
    assert "training data:    abc\n" in world.mails[0]["Message"]


def test_the_trained_and_the_finished_mail_have_the_link(world: LambdaWorld) -> None:
    settings, run = world.deploy(names=["EWR"]), f"{PREFIX}/executions/000000000001"
    world.write(f"{run}/train/EWR/evaluation/EWR/evaluation.json", evaluation())
    world.write(f"{run}/predictions/summary.json", {"status": "Succeeded", "rows": 1, "predict_rows": 1, "models": {}})
    asked = event("judged", settings, Threshold=20.0, Output=f"{run}/judge")
    judge.handler({**asked, "Evaluation-EWR": f"{run}/train/EWR/evaluation"}, world.context("judge"))

    for kind in ("trained", "finished"):
        more = {"Verdicts": f"{run}/judge/verdicts.json", "Predictions": f"{run}/predictions"}
        assert notify.handler(event(kind, settings, **more), world.context("notify")) == {"Sent": "true"}

    assert [VIEW in message["Message"] for message in world.mails] == [True, True]
    assert world.read(f"{PREFIX}/predictions/latest.json")["started"] == "2026-11-23T09:00:00+00:00"


@dataclass(frozen=True)
class Unreachable:
    """An SNS that cannot be reached, as boto3 says it."""

    def publish(self, **given: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://sns")


@pytest.mark.parametrize("failure", ["denied", "unreachable", "no settings"])
def test_a_mail_that_fails_is_counted_and_never_fails_the_run(
    world: LambdaWorld, failure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = event("started", world.deploy())
    if failure == "denied":
        world.aws.broken = {"Publish"}
    if failure == "unreachable":
        world.clients["sns"] = Unreachable()
    if failure == "no settings":
        world.aws.broken = {"GetObject"}

    assert notify.handler(asked, world.context("notify")) == {"Sent": "false"}

    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert found["MailsNotSent"] == 1
    assert found["Pipeline"] == "flights"
    assert found["_aws"] == {
        "Timestamp": 1_795_424_400_000,
        "CloudWatchMetrics": [
            {
                "Namespace": "SegmentPipeline",
                "Dimensions": [["Pipeline"]],
                "Metrics": [{"Name": "MailsNotSent", "Unit": "Count"}],
            }
        ],
    }


def test_a_bug_in_a_mail_never_fails_a_run_on_aws_and_is_counted(world: LambdaWorld, capsys, caplog) -> None:
    settings = world.deploy()
    world.write(settings, "{ no JSON")

    assert notify.handler(event("started", settings), world.context("notify")) == {"Sent": "false"}
    assert "MailsNotSent" in capsys.readouterr().out
    assert "Traceback" in caplog.text
