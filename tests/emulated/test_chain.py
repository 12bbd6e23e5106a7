"""From an upload to a started execution and a mail: S3, EventBridge, the real functions, SNS; SageMaker stands in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from emulated_pipeline import NAME, SCORING, Pipeline, first_start, parameters, starts, upload
from emulators import ACCOUNT, REGION, waited

from pipelines import deployment
from steps import contract

pytestmark = pytest.mark.slow


def test_data_and_a_marker_start_the_execution_with_the_versions_of_what_lies_there(pipeline: Pipeline) -> None:
    uri = upload(pipeline, "daily")
    pipeline.put("daily/x.run")
    request = first_start(pipeline, uri)
    files = pipeline.listed("daily/")
    train = [file for file in files if "train" in file.key]
    predict = [file for file in files if "predict" in file.key]

    assert request["PipelineName"] == NAME
    assert parameters(request) == {
        contract.RAW_DATA_URI: uri,
        contract.TRAIN_DATA_VERSION: contract.data_version(train),
        contract.PREDICT_DATA_VERSION: contract.data_version(predict),
    }
    for chosen in (train, predict):
        folder = f"{contract.MANIFESTS_DIR}/{contract.data_version(chosen)}"
        for name, text in contract.manifests(uri, chosen).items():
            assert json.loads(pipeline.read(f"{folder}/{name}")) == json.loads(text)
    assert len(starts(pipeline, uri)) == 1


def test_values_in_the_marker_reach_the_execution(pipeline: Pipeline) -> None:
    uri = upload(pipeline, "tuned")
    pipeline.put("tuned/go.run", "MaeThreshold: 12.5\nSeason: summer\n")
    found = parameters(first_start(pipeline, uri))

    assert (found[contract.MAE_THRESHOLD], found["Season"]) == ("12.5", "summer")


def test_a_marker_that_asks_for_scoring_starts_the_other_pipeline_on_the_files_to_predict(pipeline: Pipeline) -> None:
    uri = upload(pipeline, "scored")
    pipeline.put("scored/go.run", "mode: predict\nSeason: summer\n")
    request = first_start(pipeline, uri)
    predict = [file for file in pipeline.listed("scored/") if "predict" in file.key]

    assert request["PipelineName"] == SCORING
    assert parameters(request) == {
        contract.RAW_DATA_URI: uri,
        contract.PREDICT_DATA_VERSION: contract.data_version(predict),
        "Season": "summer",
    }


def test_data_alone_starts_nothing(pipeline: Pipeline) -> None:
    """A marker that is uploaded later elsewhere has its start, so that there was time for one here."""
    tap(pipeline, "quiet/x.run.csv")
    quiet = upload(pipeline, "quiet")
    pipeline.put("quiet/x.run.csv")
    event = waited(lambda: pipeline.received("tap"), "the event")
    uri = upload(pipeline, "after")
    pipeline.put("after/x.run")
    first_start(pipeline, uri)

    assert starts(pipeline, quiet) == []
    assert matching_rules(pipeline, event) == []


def test_the_same_event_again_starts_nothing_more(pipeline: Pipeline) -> None:
    tap(pipeline, "again/x.run")
    uri = upload(pipeline, "again")
    pipeline.put("again/x.run")
    request = first_start(pipeline, uri)
    claim = f"claims/start/{request['ClientRequestToken']}.json"
    waited(lambda: "arn:" in pipeline.read(claim), "the execution's ARN in its claim")
    claims = pipeline.keys("claims/start/")
    event = waited(lambda: pipeline.received("tap"), "the event")
    for _ in range(3):
        invoke(pipeline, pipeline.outputs.TriggerFunctionName, event)

    assert len(starts(pipeline, uri)) == 1
    assert pipeline.keys("claims/start/") == claims


def tap(pipeline: Pipeline, key: str) -> None:
    """Have the bus send the events of one object to a queue too."""
    bus, object_ = (
        pipeline.client("events"),
        {"bucket": {"name": [pipeline.outputs.RawBucketName]}, "object": {"key": [key]}},
    )
    bus.put_rule(Name="tap", EventPattern=json.dumps({"source": ["aws.s3"], "detail": object_}))
    bus.put_targets(Rule="tap", Targets=[{"Id": "tap", "Arn": pipeline.make_queue("tap")}])


def invoke(pipeline: Pipeline, function: str, event: dict[str, Any]) -> Any:
    """Call a function with an event and return its answer; an error of the function fails the test."""
    answer = pipeline.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
    body = answer["Payload"].read().decode()
    assert "FunctionError" not in answer, body
    return json.loads(body)


def test_a_marker_that_says_nonsense_starts_nothing_and_mails_what_to_change(pipeline: Pipeline) -> None:
    uri = upload(pipeline, "wrong")
    pipeline.put("wrong/x.run", "MaeTreshold: 12\n")
    mail = pipeline.mail("MaeTreshold")

    assert contract.MAE_THRESHOLD in mail["Message"]
    assert "wrong/x.run" in mail["Message"]
    assert starts(pipeline, uri) == []


def test_an_event_that_cannot_be_handled_is_tried_again_and_then_kept(pipeline: Pipeline) -> None:
    tap(pipeline, "denied/x.run")
    uri = upload(pipeline, "denied")
    denied = {"__type": "AccessDeniedException", "message": "not authorized to perform StartPipelineExecution"}
    with pipeline.recorder.answering({"StartPipelineExecution": denied}, status=400):
        pipeline.put("denied/x.run")
        event = waited(lambda: pipeline.received("tap"), "the event")
        deliver(pipeline, event)
        kept = waited(lambda: pipeline.received("failed-events"), "the event in the queue")
    asked = starts(pipeline, uri)

    assert kept["requestPayload"] == event
    assert denied["message"] in json.dumps(kept["responsePayload"])
    assert len(asked) >= 3
    assert len({request["ClientRequestToken"] for request in asked}) == 1


def test_a_failed_execution_mails_the_step_its_reason_and_the_command_to_retry(pipeline: Pipeline) -> None:
    execution = start_by_hand(pipeline)
    with pipeline.recorder.answering(failed_steps(execution)):
        deliver(pipeline, status_event(execution, "Failed"))
        mail = pipeline.mail(execution.rpartition("/")[2])
        again = invoke(pipeline, contract.function_name(NAME, "status"), status_event(execution, "Failed"))

    assert "Train-EWR" in mail["Message"]
    assert "row 7 of train.csv: arr_delay is no number" in mail["Message"]
    assert f"--retry {execution.rpartition('/')[2]}" in mail["Message"]
    assert "--env test" in mail["Message"]
    assert again == {"Sent": "false"}
    assert len(pipeline.keys("claims/status/")) == 1


def start_by_hand(pipeline: Pipeline) -> str:
    given = {contract.RAW_DATA_URI: "s3://b/f/", contract.TRAIN_DATA_VERSION: "1" * 64}
    found = pipeline.client("sagemaker").start_pipeline_execution(
        PipelineName=NAME,
        PipelineParameters=[{"Name": name, "Value": value} for name, value in given.items()],
        ClientRequestToken="by-hand".ljust(32, "-"),
    )
    return str(found["PipelineExecutionArn"])


def failed_steps(execution: str) -> dict[str, dict[str, Any]]:
    """Return the service's answers on an execution whose training of EWR failed, which moto cannot give."""
    job = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:processing-job/pipelines-{execution[-12:]}-Train-EWR-a1b2c3d4e5"
    name, at = job.rpartition("/")[2], 1795402719.0
    step = {"StepName": "Train-EWR", "StepStatus": "Failed", "StartTime": at, "EndTime": at + 60}
    return {
        "ListPipelineExecutionSteps": {
            "PipelineExecutionSteps": [
                {**step, "FailureReason": "ClientError", "Metadata": {"ProcessingJob": {"Arn": job}}}
            ]
        },
        "DescribeProcessingJob": {
            "ProcessingJobName": name,
            "ProcessingJobArn": job,
            "ProcessingJobStatus": "Failed",
            "ProcessingResources": {},
            "AppSpecification": {"ImageUri": "image"},
            "CreationTime": at,
            "ExitMessage": "row 7 of train.csv: arr_delay is no number",
        },
    }


def deliver(pipeline: Pipeline, event: dict[str, Any]) -> None:
    """Hand an event to the target of the one deployed rule that it matches, without waiting for an answer.

    So does the bus. In ministack it does not try again when the function fails, and only the service itself may put
    events of `aws.sagemaker` on it; calling the function without waiting is what Lambda itself tries again.
    """
    (rule,) = matching_rules(pipeline, event)
    targets = pipeline.client("events").list_targets_by_rule(Rule=rule)["Targets"]
    assert len(targets) == 1
    pipeline.client("lambda").invoke(
        FunctionName=targets[0]["Arn"], InvocationType="Event", Payload=json.dumps(event).encode()
    )


def matching_rules(pipeline: Pipeline, event: dict[str, Any]) -> list[str]:
    """Return the rules of the stack whose pattern an event matches, as the bus itself judges it."""
    bus = pipeline.client("events")
    patterns = {rule["Name"]: rule["EventPattern"] for rule in bus.list_rules(NamePrefix=f"{NAME}-")["Rules"]}
    text = json.dumps(event)
    return [n for n, p in patterns.items() if bus.test_event_pattern(EventPattern=p, Event=text)["Result"]]


def status_event(execution: str, status: str) -> dict[str, Any]:
    arn = execution.partition("/execution/")[0]
    return {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000001",
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Building Pipeline Execution Status Change",
        "account": ACCOUNT,
        "region": REGION,
        "time": "2026-11-23T00:10:00Z",
        "resources": [arn, execution],
        "detail": {
            "pipelineArn": arn,
            "pipelineExecutionArn": execution,
            "currentPipelineExecutionStatus": status,
            "previousPipelineExecutionStatus": "Executing",
            "executionStartTime": "2026-11-23T00:00:00Z",
            "executionEndTime": "2026-11-23T00:10:00Z",
        },
    }


def test_the_first_step_of_the_definition_mails_what_is_run(pipeline: Pipeline) -> None:
    steps = json.loads(pipeline.definition)["Steps"]
    (step,) = [step for step in steps if step["Name"] == contract.NOTIFY_STARTED]
    given = {
        "Execution.PipelineExecutionId": "started12345",
        "Execution.StartDateTime": "2026-11-23T00:00:00Z",
        f"Parameters.{contract.RAW_DATA_URI}": "s3://b/friday/",
        f"Parameters.{contract.TRAIN_DATA_VERSION}": "1" * 64,
        f"Parameters.{contract.PREDICT_DATA_VERSION}": "2" * 64,
    }
    answer = invoke(pipeline, step["FunctionArn"], {key: resolved(v, given) for key, v in step["Arguments"].items()})
    mail = pipeline.mail("started12345")

    assert answer == {"Sent": "true"}
    assert "s3://b/friday/" in mail["Message"]


def resolved(value: Any, given: dict[str, str]) -> str:
    """Return an argument of a step as the service hands it over."""
    if isinstance(value, dict) and "Get" in value:
        return given[value["Get"]]
    if isinstance(value, dict):
        return str(value["Std:Join"]["On"].join(resolved(part, given) for part in value["Std:Join"]["Values"]))
    return str(value)


@pytest.mark.parametrize("name", [*contract.LAMBDAS, *deployment.EVENT_LAMBDAS])
def test_the_package_holds_all_that_a_function_imports(pipeline: Pipeline, name: str) -> None:
    """An empty event is refused or ignored by our code, with nothing but the package and boto3 to import."""
    answer = pipeline.client("lambda").invoke(FunctionName=contract.function_name(NAME, name), Payload=b"{}")
    said = json.loads(answer["Payload"].read())

    assert said.get("errorType") != "Runtime.ImportModuleError"
    assert "No module named" not in str(said.get("errorMessage", ""))
