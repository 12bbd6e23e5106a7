"""`registry refresh` over a deployed pipeline: one step of it runs again, and what it leaves is registered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from operator_calls import ARTIFACTS, Operator

MODEL = "0"


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path).deploy()


def statuses(operator: Operator) -> dict[int, str]:
    return {p["ModelPackageVersion"]: p["ModelApprovalStatus"] for p in operator.aws.packages}


def test_the_train_step_alone_runs_again_and_what_it_leaves_is_registered(operator: Operator) -> None:
    execution = operator.prepare(MODEL)
    operator.version(MODEL, "Approved", execution=execution, autogluon_version="1.2.0", python_version="3.10.2")
    operator.while_asleep.append(lambda: operator.train(MODEL))

    code, out, err = operator.registry("refresh", MODEL, "--json")

    (row,) = json.loads(out)
    assert code == 0, (row, err)
    assert (row["version"], row["old_mae"], row["new_mae"], row["status"]) == (2, 12.5, 10.0, "Approved")
    started = operator.aws.executions[-1]
    assert started["SelectiveExecutionConfig"]["SelectedSteps"] == [{"StepName": "Train-0"}]
    assert started["SelectiveExecutionConfig"]["SourcePipelineExecutionArn"].endswith(execution)
    assert started["parameters"] == operator.aws.executions[-2]["parameters"]
    made = operator.aws.packages[-1]
    container = made["InferenceSpecification"]["Containers"][0]
    assert made["CustomerMetadataProperties"]["refreshed_from"] == "1"
    assert container["Image"] == "image", "that of the deployed step"
    assert operator.aws.objects[ARTIFACTS, container["ModelDataUrl"].removeprefix(f"s3://{ARTIFACTS}/")]


def test_an_execution_that_fails_is_told_with_the_command_that_shows_it(operator: Operator) -> None:
    operator.version(MODEL, "Approved", execution=operator.prepare(MODEL))
    operator.while_asleep.append(
        lambda: operator.aws.end_execution(operator.aws.executions[-1]["PipelineExecutionArn"], "Failed")
    )

    code, out, _ = operator.registry("refresh", MODEL)

    assert code == 1
    assert "could not be trained again: execution 000000000002 is Failed; see python -m pipelines.run" in out
    assert "--status 000000000002" in out
    assert statuses(operator) == {1: "Approved"}


def test_data_that_retention_has_removed_start_nothing(operator: Operator) -> None:
    operator.version(MODEL, "Approved", execution=operator.prepare(MODEL))
    for key in [key for key in operator.aws.objects if key[1].endswith("status.json")]:
        del operator.aws.objects[key]

    code, out, _ = operator.registry("refresh", MODEL)

    assert code == 1
    assert "(what PrepareTraining made in execution 000000000001 is gone); train on today's with: python -m" in out
    assert len(operator.aws.executions) == 1


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"execution": "abc"}, "(execution abc is not known any more); train on today's with: python -m pipelines.run"),
        ({"execution": ""}, "(it was registered by hand, without an execution)"),
    ],
)
def test_a_version_without_its_execution_starts_nothing(
    operator: Operator, metadata: dict[str, str], said: str
) -> None:
    operator.version(MODEL, "Approved", **metadata)

    code, out, _ = operator.registry("refresh", MODEL)

    assert code == 1
    assert said in out
    assert operator.aws.executions == []


def test_a_model_that_the_deployed_pipeline_does_not_train_is_refused(operator: Operator) -> None:
    operator.version("1", "Approved", execution=operator.prepare("1"))

    code, out, _ = operator.registry("refresh", "1")

    assert code == 1
    assert "the deployed pipeline has no step Train-1; did you mean 'Train-0'?" in out
