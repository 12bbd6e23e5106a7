"""Each processing step's request against botocore's CreateProcessingJob: types, ranges, patterns and enumerations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from pipelines.compile import choose, compile_pipeline
from pipelines.settings import Settings, load, validate

CONFIG = Path(__file__).resolve().parents[1] / "golden" / "flights.yml"
DEFAULTS = {
    "data": {"label": "y", "id": "id"},
    "models": [{"name": "x" * 100, "where": {"s": "x"}}, {"name": "日本", "where": {"s": "日本"}}],
    "pipeline": {"name": "p" * 40},
}
JAVA_CLASSES = {r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": r"\s"}


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
    if "Image" in path:
        return "123456789012.dkr.ecr.us-east-1.amazonaws.com/autogluon@sha256:" + "0" * 64
    if path == "Parameters.RawDataUri" or path.startswith("Steps."):
        return "s3://bucket/pipeline/folder"
    assert path.startswith("Parameters."), path
    return "0" * 64


def problems(shape: Any, value: Any, place: str = "") -> Iterator[str]:
    """Yield what botocore's own validator leaves to the service: maxima, patterns and enumerations."""
    bounds = shape.metadata
    if shape.type_name == "structure":
        for key, item in value.items():
            yield from problems(shape.members[key], item, f"{place}.{key}")
    elif shape.type_name == "list":
        yield from too_many(place, len(value), bounds)
        for i, item in enumerate(value):
            yield from problems(shape.member, item, f"{place}[{i}]")
    elif shape.type_name == "map":
        yield from too_many(place, len(value), bounds)
        for key, item in value.items():
            yield from problems(shape.key, key, f"{place} key {key}")
            yield from problems(shape.value, item, f"{place}.{key}")
    elif shape.type_name == "string":
        yield from wrong_text(place, value, bounds)
    elif shape.type_name in ("integer", "long"):
        yield from too_many(place, value, bounds)


def too_many(place: str, number: int, bounds: dict[str, Any]) -> Iterator[str]:
    if "max" in bounds and number > bounds["max"]:
        yield f"{place}: {number} is more than {bounds['max']}"


def wrong_text(place: str, value: str, bounds: dict[str, Any]) -> Iterator[str]:
    yield from too_many(place, len(value), bounds)
    if "enum" in bounds and value not in bounds["enum"]:
        yield f"{place}: {value} is none of the {len(bounds['enum'])} legal values"
    pattern = bounds.get("pattern", "")
    for java, python in JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    if pattern and not re.fullmatch(pattern, value):
        yield f"{place}: {value} does not match {bounds['pattern']}"


@pytest.mark.parametrize("name", ["golden", "defaults"])
def test_every_job_is_a_request_that_the_service_model_accepts(shape: Any, name: str) -> None:
    settings = load(CONFIG) if name == "golden" else validate(DEFAULTS, "defaults")
    checked = 0
    for step, request in jobs(settings):
        report = ParamValidator().validate(request, shape)
        assert not report.has_errors(), f"{step}: {report.generate_report()}"
        assert list(problems(shape, request, step)) == []
        checked += 1
    assert checked == 4 + 3 * 3


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ProcessingInputs": [{"InputName": "x"}] * 11}, ".ProcessingInputs: 11 is more than 10"),
        ({"RoleArn": "arn:aws:iam::1:role/x"}, ".RoleArn: arn:aws:iam::1:role/x does not match"),
        ({"Environment": {"A-B": "x"}}, ".Environment key A-B: A-B does not match"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 10**6}}, ".StoppingCondition.MaxRuntimeInSeconds: 1000000 is"),
        ({"ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.x"}}}, "is none of the"),
    ],
)
def test_this_files_own_check_finds_what_botocores_does_not(shape: Any, change: Any, problem: str) -> None:
    assert any(problem in found for found in problems(shape, change))
