"""The difference of two definitions, in the words of their author."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.definition_diff import difference, step_names

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "flights.definition.json"


@pytest.fixture
def definition() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


@pytest.fixture
def changed(definition: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(definition)


def step(definition: dict[str, Any], name: str) -> dict[str, Any]:
    return next(step for step in definition["Steps"] if step["Name"] == name)


def test_equal_definitions_do_not_differ(definition: dict[str, Any], changed: dict[str, Any]) -> None:
    found = difference(definition, changed)

    assert found.empty
    assert found.lines() == []


def test_everything_is_added_where_nothing_is_deployed(definition: dict[str, Any]) -> None:
    found = difference(None, definition)

    assert found.added == step_names(definition)
    assert "InferFallback-EWR" in found.added
    assert not found.empty


def test_steps_that_changed_alike_are_named_together(definition: dict[str, Any], changed: dict[str, Any]) -> None:
    for name in ("Train-EWR", "Train-pooled"):
        arguments = step(changed, name)["Arguments"]
        arguments["AppSpecification"]["ImageUri"] = f"registry/flights-autogluon@sha256:{'a' * 64}"
        next(i for i in arguments["ProcessingInputs"] if i["InputName"] == "code")["S3Input"]["S3Uri"] = "s3://b/c"

    lines = difference(definition, changed).lines()

    assert lines == [f"~ Train-EWR, Train-pooled: image {'2' * 12} -> {'a' * 12}, code"]


def test_settings_instance_and_schedule_of_a_step_are_told_apart(
    definition: dict[str, Any], changed: dict[str, Any]
) -> None:
    train = step(changed, "Train-EWR")
    train["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceType"] = "ml.m5.large"
    train["CacheConfig"]["ExpireAfter"] = "P1D"
    step(changed, "Judge")["Arguments"]["Settings"] = "s3://b/other"

    found = difference(definition, changed)

    assert found.changed == {
        "Train-EWR": ("instance ml.m5.4xlarge -> ml.m5.large", "CacheConfig"),
        "Judge": ("settings",),
    }


def test_a_step_inside_of_a_branch_is_not_a_change_of_the_gate(
    definition: dict[str, Any], changed: dict[str, Any]
) -> None:
    branch = step(changed, "MaeGate")["Arguments"]["IfSteps"]
    removed = branch.pop()["Name"]

    found = difference(definition, changed)

    assert found.removed == (removed,)
    assert found.changed == {}


def test_parameters_are_shown_with_type_and_default(definition: dict[str, Any], changed: dict[str, Any]) -> None:
    changed["Parameters"] = [p for p in changed["Parameters"] if p["Name"] != "Season"]
    next(p for p in changed["Parameters"] if p["Name"] == "MaeThreshold")["DefaultValue"] = 25

    assert difference(definition, changed).lines() == [
        "~ parameter MaeThreshold: Float = 20.0 -> Float = 25",
        "~ parameter Season: String = winter -> none",
    ]
