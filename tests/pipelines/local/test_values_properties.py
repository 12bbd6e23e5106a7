"""Expressions over any values: they have the value that a plain model of the service's functions gives them."""

from __future__ import annotations

import json
import operator
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from local_definitions import compare, json_get, output_of, parameter_ref, result_of
from test_local_values import scope

from pipelines.errors import ExecutionError
from pipelines.local.expression import check
from pipelines.local.values import as_text, evaluate, resolve, resolve_text

KNOWN = {
    json.dumps(parameter_ref("Limit")): 1.5,
    json.dumps(parameter_ref("Flag")): True,
    json.dumps(parameter_ref("Name")): "x",
    json.dumps({"Get": "Execution.PipelineExecutionId"}): "run",
    json.dumps(output_of("Train", "ev")): "s3://b/ev/",
    json.dumps(result_of("Train", "R")): 3,
}
SCALARS = st.text(max_size=6) | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = SCALARS | st.sampled_from(sorted(KNOWN)).map(json.loads)
JOINS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda on, parts: {"Std:Join": {"On": on, "Values": parts}}, st.text(max_size=2), st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)
KINDS = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}


def model(value: Any) -> Any:
    """Return what an expression stands for, as simply as can be said."""
    if not isinstance(value, dict):
        return value
    if "Get" in value:
        return KNOWN[json.dumps(value)]
    join = value["Std:Join"]
    return join["On"].join(text(model(part)) for part in join["Values"])


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@given(JOINS)
@settings(max_examples=100)
def test_joins_and_references_have_the_value_of_the_model(value: Any) -> None:
    assert list(check(value)) == []
    assert resolve(value, scope()) == model(value)


@given(SCALARS)
@settings(max_examples=50)
def test_a_value_in_a_join_is_its_text_or_its_json(value: Any) -> None:
    written = as_text(value)

    assert written == value if isinstance(value, str) else json.loads(written) == value
    assert written in ("true", "false") if isinstance(value, bool) else True


@given(JOINS)
@settings(max_examples=50)
def test_where_a_text_is_asked_for_it_is_a_text_or_an_error(value: Any) -> None:
    if isinstance(model(value), str):
        assert resolve_text(value, scope(), "ImageUri") == model(value)
    else:
        with pytest.raises(ExecutionError, match="ImageUri is a"):
            resolve_text(value, scope(), "ImageUri")


@given(st.sampled_from(sorted(KINDS)), LEAVES, LEAVES)
@settings(max_examples=100)
def test_a_comparison_holds_as_numbers_and_texts_compare(kind: str, left: Any, right: Any) -> None:
    one, two = model(left), model(right)
    families = [isinstance(v, str) + 2 * isinstance(v, bool) for v in (one, two)]
    test = compare(kind, left, right)

    if families[0] != families[1]:
        with pytest.raises(ExecutionError, match="cannot compare"):
            evaluate(test, scope())
    else:
        assert evaluate(test, scope()) is KINDS[kind](one, two)
        assert evaluate({"Type": "Not", "Condition": test}, scope()) is not KINDS[kind](one, two)


@given(st.lists(st.booleans(), min_size=1, max_size=5))
@settings(max_examples=30)
def test_or_holds_where_any_of_its_conditions_does(truths: list[bool]) -> None:
    parts = [compare("Equals", 1, 1 if truth else 2) for truth in truths]

    assert evaluate({"Type": "Or", "Conditions": parts}, scope()) is any(truths)


@given(SCALARS, st.lists(SCALARS, max_size=4))
@settings(max_examples=50)
def test_in_holds_where_an_equal_value_stands_in_the_list(query: Any, values: list[Any]) -> None:
    assume(all(isinstance(v, str) == isinstance(query, str) for v in values))
    assume(all(isinstance(v, bool) == isinstance(query, bool) for v in values))

    assert evaluate({"Type": "In", "QueryValue": query, "Values": values}, scope()) is (query in values)


DOCUMENTS = st.recursive(
    SCALARS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
PATHS = st.lists(st.sampled_from(["a", "b", "c", 0, 1, 2]), min_size=1, max_size=4)


@given(DOCUMENTS, PATHS)
@example("abc", [0])
@settings(max_examples=100)
def test_a_path_leads_to_the_scalar_that_stands_there_or_to_an_error(document: Any, path: list[str | int]) -> None:
    written = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    expected: Any = document
    for part in path:
        inside = isinstance(expected, dict) if isinstance(part, str) else isinstance(expected, list)
        there = inside and (part in expected if isinstance(part, str) else part < len(expected))
        expected = expected[part] if there else None
        if expected is None:
            break
    reference = json_get("Train", "E", written)

    if isinstance(expected, str | int | float):
        assert resolve(reference, scope(document)) == expected
    else:
        with pytest.raises(ExecutionError, match=r"s3://b/ev/e\.json has "):
            resolve(reference, scope(document))
