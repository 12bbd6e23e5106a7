"""Parameters, expressions and conditions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_definitions import compare, definition_text, join, json_get, output_of, parameter_ref, processing, result_of

from pipelines.errors import ExecutionError, ParameterError
from pipelines.local.document import parse
from pipelines.local.expression import parse_path
from pipelines.local.record import StepRecord
from pipelines.local.values import Scope, evaluate, parameter_values, resolve, resolve_text

DECLARED = [
    {"Name": "Uri", "Type": "String"},
    {"Name": "Count", "Type": "Integer", "DefaultValue": 5},
    {"Name": "Limit", "Type": "Float", "DefaultValue": 1.5},
    {"Name": "Flag", "Type": "Boolean", "DefaultValue": False},
    {"Name": "Policy", "Type": "String", "DefaultValue": "all", "EnumValues": ["all", "per_model"]},
]
TRAIN = processing(
    "Train", outputs=["ev"], PropertyFiles=[{"PropertyFileName": "E", "OutputName": "ev", "FilePath": "e.json"}]
)
DEFINITION = parse(definition_text([TRAIN], DECLARED))


def scope(document: Any = None) -> Scope:
    records = {"Train": StepRecord("Train", "Processing", "Succeeded", outputs={"ev": "s3://b/ev/"}, results={"R": 3})}
    files = {"s3://b/ev/e.json": document}
    return Scope(
        {"Limit": 1.5, "Flag": True, "Name": "x"},
        {"PipelineExecutionId": "run"},
        {step.name: step for step in DEFINITION.steps},
        records,
        files.__getitem__,
    )


GATE = compare("LessThanOrEqualTo", json_get("Train", "E", "regression_metrics.mae.value"), 20.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "nothing at the path"),
        ('{"regression_metrics": null}', "nothing at the path"),
        ('{"regression_metrics": {"mae": {}}}', "nothing at the path"),
        ('{"regression_metrics": {"mae": {"value": null}}}', "no text, number or boolean"),
        ('{"regression_metrics": {"mae": {"value": [1]}}}', "no text, number or boolean"),
        ('{"regression_metrics": {"mae": {"value": "12"}}}', "cannot compare a text with a number"),
        ('{"regression_metrics": {"mae": {"value": true}}}', "cannot compare a boolean with a number"),
        ('{"regression_metrics": {"mae": {"value": NaN}}}', "has nan at the path"),
        ('{"regression_metrics": {"mae": {"value": -Infinity}}}', "has -inf at the path"),
        ('{"regression_metrics": {"mae": {"value": -1e999}}}', "has -inf at the path"),
        ("[]", "nothing at the path"),
        ("3", "nothing at the path"),
    ],
)
def test_a_gate_whose_mae_is_no_finite_number_fails_its_step_and_never_passes(text: str, said: str) -> None:
    with pytest.raises(ExecutionError, match=said):
        evaluate(GATE, scope(json.loads(text)))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", float("nan"), float("inf"), "1e999"])
def test_a_parameter_is_a_finite_number(value: Any) -> None:
    with pytest.raises(ParameterError, match=r"'Limit' is .* expected Float"):
        parameter_values(DEFINITION, {"Uri": "x", "Limit": value})


def test_texts_of_a_command_line_become_the_declared_types() -> None:
    given_values = {"Uri": "s3://x/", "Count": "7", "Limit": "2", "Flag": "True", "Policy": "per_model"}
    found = parameter_values(DEFINITION, given_values)
    assert found == {"Uri": "s3://x/", "Count": 7, "Limit": 2.0, "Flag": True, "Policy": "per_model"}
    assert isinstance(found["Limit"], float)


def test_defaults_stand_in_for_what_is_not_given() -> None:
    assert parameter_values(DEFINITION, {"Uri": "x"})["Count"] == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Count", "1.5"),
        ("Count", 1.5),
        ("Count", True),
        ("Limit", "nan"),
        ("Limit", "inf"),
        ("Limit", "x"),
        ("Flag", "1"),
        ("Uri", 5),
        ("Policy", "none"),
        ("Uri", "x" * 1025),
        ("Urii", "x"),
        ("Limit", [1]),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(ParameterError, match=name):
        parameter_values(DEFINITION, {"Uri": "x", name: value})


def test_every_wrong_parameter_is_reported_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        parameter_values(DEFINITION, {"Cout": 1, "Limit": "x"})
    assert len(caught.value.problems) == 3
    assert "'Cout' is not declared; did you mean 'Count'?" in str(caught.value)
    assert "'Uri' has no default" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        (parameter_ref("Limit"), 1.5),
        ({"Get": "Execution.PipelineExecutionId"}, "run"),
        (output_of("Train", "ev"), "s3://b/ev/"),
        (result_of("Train", "R"), 3),
        (join("a", join("b", parameter_ref("Limit"), on="-"), parameter_ref("Flag")), "a/b-1.5/true"),
        (json_get("Train", "E", "m.mae.value"), 4.5),
        (json_get("Train", "E", "list[1]['a b']"), "deep"),
        ({"Std:JsonGet": {"S3Uri": join("s3://b", "ev", "e.json"), "Path": "m.mae.value"}}, 4.5),
    ],
)
def test_an_expression_has_the_value_that_the_service_would_give_it(value: Any, expected: Any) -> None:
    document = {"m": {"mae": {"value": 4.5}}, "list": [0, {"a b": "deep"}]}
    assert resolve(value, scope(document)) == expected


@pytest.mark.parametrize("document", [{}, [], {"m": None}, {"m": {"mae": [1]}}, {"m": {"mae": None}}, 5])
def test_a_property_file_without_the_value_is_an_error_that_names_file_and_path(document: Any) -> None:
    with pytest.raises(ExecutionError, match=r"s3://b/ev/e.json has .* 'm.mae'"):
        resolve(json_get("Train", "E", "m.mae"), scope(document))


def test_a_number_where_a_text_is_needed_is_an_error() -> None:
    with pytest.raises(ExecutionError, match="expected a text"):
        resolve_text(result_of("Train", "R"), scope(), "ContainerArguments")


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (compare("Equals", "a", "a"), True),
        (compare("Equals", 1, 1.0), True),
        (compare("GreaterThan", 2, 1), True),
        (compare("GreaterThan", 1, 1), False),
        (compare("GreaterThanOrEqualTo", 1, 1), True),
        (compare("LessThan", 1, 1), False),
        (compare("LessThanOrEqualTo", parameter_ref("Limit"), 1.5), True),
        ({"Type": "In", "QueryValue": "b", "Values": ["a", "b"]}, True),
        ({"Type": "In", "QueryValue": "c", "Values": ["a", "b"]}, False),
        ({"Type": "Not", "Condition": compare("Equals", 1, 1)}, False),
        ({"Type": "Or", "Conditions": [compare("Equals", 1, 2), compare("Equals", 1, 1)]}, True),
        ({"Type": "Or", "Conditions": [compare("Equals", 1, 2)]}, False),
    ],
)
def test_a_condition_holds_or_not(test: dict, expected: bool) -> None:
    assert evaluate(test, scope()) is expected


@pytest.mark.parametrize("pair", [("1", 1), (True, 1), ("a", False)])
def test_values_of_different_kinds_are_not_compared(pair: tuple[Any, Any]) -> None:
    for kind in ("Equals", "LessThan"):
        with pytest.raises(ExecutionError, match="cannot compare"):
            evaluate(compare(kind, *pair), scope())


KEYS = st.text("abc é", min_size=1)


@given(st.lists(st.integers(0, 99) | KEYS, min_size=1))
def test_a_bracketed_path_gives_back_its_parts(parts: list[int | str]) -> None:
    text = "".join(f"[{part}]" if isinstance(part, int) else f"['{part}']" for part in parts)
    assert parse_path("$" + text) == tuple(parts)
    assert json.loads(json.dumps(parts)) == list(parse_path(text) or ())
