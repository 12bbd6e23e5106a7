"""Each processing step's request against botocore's CreateProcessingJob: types, ranges, patterns and enumerations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from request_shapes import violations

from pipelines.compile import choose, compile_pipeline
from pipelines.settings import Settings, load, validate

CONFIG = Path(__file__).resolve().parents[1] / "golden" / "flights.yml"
DEFAULTS = {
    "data": {"label": "y", "id": "id"},
    "models": [{"name": "x" * 100, "where": {"s": "x"}}, {"name": "日本", "where": {"s": "日本"}}],
    "pipeline": {"name": "p" * 40},
}


@pytest.fixture(scope="module")
def shape() -> Any:
    model = botocore.session.get_session().get_service_model("sagemaker")
    found = model.operation_model("CreateProcessingJob").input_shape
    assert found is not None
    return found


def jobs(settings: Settings) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each processing step's name with the request that the service makes of it."""
    text = compile_pipeline(settings, choose(settings, CONFIG, None, frozen=True)).text
    for step in walk(json.loads(text)["Steps"]):
        if step["Type"] == "Processing":
            name = f"pipelines-a1b2c3d4e5f6-{step['Name']}"[:50].rstrip("-") + "-x1y2z3w4q5"
            yield step["Name"], {"ProcessingJobName": name, **concrete(step["Arguments"])}


def walk(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        yield step
        if step["Type"] == "Condition":
            yield from walk(step["Arguments"]["IfSteps"] + step["Arguments"]["ElseSteps"])


def concrete(value: Any) -> Any:
    """Return a value with each pipeline expression replaced by what it could be in an execution."""
    if isinstance(value, list):
        return [concrete(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "Get" in value:
        return resolved(value["Get"])
    if "Std:Join" in value:
        return value["Std:Join"]["On"].join(concrete(value["Std:Join"]["Values"]))
    return {key: concrete(item) for key, item in value.items()}


def resolved(path: str) -> str:
    if path == "Execution.PipelineExecutionId":
        return "a1b2c3d4e5f6"
    if path == "Execution.StartDateTime":
        return "2026-11-26T20:00:00.000Z"
    if "Image" in path:
        return "123456789012.dkr.ecr.us-east-1.amazonaws.com/autogluon@sha256:" + "0" * 64
    if path == "Parameters.RawDataUri" or path.startswith("Steps."):
        return "s3://bucket/pipeline/folder"
    assert path.startswith("Parameters."), path
    return "0" * 64


@pytest.mark.parametrize("name", ["golden", "defaults"])
def test_every_job_is_a_request_that_the_service_model_accepts(shape: Any, name: str) -> None:
    settings = load(CONFIG) if name == "golden" else validate(DEFAULTS, "defaults")
    checked = 0
    for step, request in jobs(settings):
        report = ParamValidator().validate(request, shape)
        assert not report.has_errors(), f"{step}: {report.generate_report()}"
        assert list(violations(shape, request, step)) == []
        checked += 1
    assert checked == 4 + 3 * 3


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ProcessingInputs": [{"InputName": "x"}] * 11}, ".ProcessingInputs: 11 items, allowed are 0 to 10"),
        ({"RoleArn": "arn:aws:iam::1:role/x"}, "'arn:aws:iam::1:role/x' does not match"),
        ({"Environment": {"A-B": "x"}}, ".Environment key A-B: 'A-B' does not match"),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 10**6}},
            ".MaxRuntimeInSeconds: 1000000, allowed are 1 to 777600",
        ),
        ({"ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.x"}}}, "'ml.x' is not in the enum"),
    ],
)
def test_bounds_patterns_and_enumerations_are_checked_beyond_botocore(shape: Any, change: Any, problem: str) -> None:
    assert any(problem in found for found in violations(shape, change))
