"""Service limits: each one refused with a sentence that names the step and the way out."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.limits import check, check_ceiling, check_size

INLINE = 1_048_576


def processing(name: str = "Train-A", **changes: Any) -> dict[str, Any]:
    arguments = {
        "AppSpecification": {"ContainerArguments": ["--time-limit", "60"]},
        "ProcessingInputs": [{"InputName": "code"}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "model"}]},
        "Environment": {"PYTHONHASHSEED": "0"},
    }
    return {"Name": name, "Type": "Processing", "Arguments": {**arguments, **changes}}


def lambda_step(name: str = "Judge", outputs: int = 1, **arguments: Any) -> dict[str, Any]:
    names = [{"OutputName": f"Out{i}"} for i in range(outputs)]
    return {"Name": name, "Type": "Lambda", "Arguments": arguments, "OutputParameters": names}


def gate(fresh: list[Any], fallback: list[Any], conditions: list[Any] | None = None) -> dict[str, Any]:
    arguments = {"Conditions": conditions or [], "IfSteps": fresh, "ElseSteps": fallback}
    return {"Name": "MaeGate", "Type": "Condition", "Arguments": arguments}


def definition(*steps: dict[str, Any], parameters: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"Parameters": parameters or [], "Steps": list(steps)}


def arguments(*values: Any) -> dict[str, Any]:
    return {"AppSpecification": {"ContainerArguments": list(values)}}


def problem(*steps: dict[str, Any], parameters: list[dict[str, Any]] | None = None) -> str:
    found = check(definition(*steps, parameters=parameters))
    assert len(found) == 1, found
    return found[0]


def test_a_definition_within_every_limit_has_no_problem() -> None:
    step = processing(
        ProcessingInputs=[{}] * 10,
        ProcessingOutputConfig={"Outputs": [{}] * 10},
        Environment={f"K{i}": "v" * 256 for i in range(100)},
        AppSpecification={"ContainerArguments": ["x" * 256] * 100},
    )

    assert check(definition(step, lambda_step(outputs=50), gate([processing("Infer-A")], [processing("x" * 64)]))) == []


def test_steps_without_optional_parts_have_no_problem() -> None:
    bare = {"Name": "A", "Type": "Processing", "Arguments": {"AppSpecification": {}}}
    call = {"Name": "B", "Type": "Lambda", "Arguments": None}
    stop = {"Name": "C", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}

    assert check({"Steps": [bare, call, stop]}) == []


def test_more_than_10_inputs_or_outputs_are_refused() -> None:
    assert "step Train-A: 11 inputs, a job takes 10; give one S3 prefix" in problem(
        processing(ProcessingInputs=[{}] * 11)
    )
    outputs: dict[str, Any] = {"Outputs": [{}] * 11}
    assert "step Train-A: 11 outputs, a job takes 10; write several" in problem(
        processing(ProcessingOutputConfig=outputs)
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["x"] * 101, "step Train-A: 101 arguments, a job takes 100; put them into the settings slice"),
        (["ok", ""], "step Train-A: argument 2 is empty, which the service refuses; leave it out"),
        (["x" * 257], "step Train-A: argument 1 has 257 characters, a job takes 256; use the settings slice"),
        ([60], "step Train-A: argument 1 is a int; write it as a string"),
        ([None], "step Train-A: argument 1 is a NoneType; write it as a string"),
        ([["a"]], "step Train-A: argument 1 is a list; write it as a string"),
    ],
)
def test_arguments_that_a_job_refuses_are_named_by_their_position(values: list[Any], expected: str) -> None:
    assert problem(processing(**arguments(*values))) == expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({f"K{i}": "v" for i in range(101)}, "step Train-A: 101 environment entries, a job takes 100; have fewer"),
        ({"K": "v" * 257}, "step Train-A: environment K has 257 characters, the service takes 256; shorten it"),
        ({"K": 1.5}, "step Train-A: environment K is a float; write it as a string"),
    ],
)
def test_environment_entries_that_a_job_refuses_are_named_by_their_key(environment: Any, expected: str) -> None:
    assert problem(processing(Environment=environment)) == expected


@pytest.mark.parametrize("kind", ["Integer", "Float", "Boolean"])
def test_a_parameter_that_is_no_string_must_be_wrapped(kind: str) -> None:
    parameters = [{"Name": "Limit", "Type": kind}, {"Name": "Season", "Type": "String"}]
    limit, season = {"Get": "Parameters.Limit"}, {"Get": "Parameters.Season"}
    wrapped = {"Std:Join": {"On": "", "Values": [limit]}}
    sound = processing("A", **arguments("--limit", wrapped, season), Environment={"K": wrapped, "L": season})

    assert check(definition(sound, parameters=parameters)) == []
    for step in (processing(**arguments("--limit", limit)), processing(Environment={"K": limit})):
        assert f"is the {kind} parameter Limit; wrap it with text()" in problem(step, parameters=parameters)


@pytest.mark.parametrize("name", ["", "x" * 65, "Train A", "Train-日本", "Train.A"])
def test_a_step_name_that_the_service_refuses_is_shown(name: str) -> None:
    assert problem(processing(name)).startswith(f"step {name!r}: a name has 1 to 64 of A-Z a-z 0-9 - _")


def test_a_step_name_stands_once_even_across_branches() -> None:
    assert "step 'A': the name stands 2 times" in problem(processing("A"), processing("A"))
    assert "step 'A': the name stands 2 times" in problem(gate([processing("A")], [processing("A")]))


def test_more_than_50_lambda_outputs_are_refused() -> None:
    assert problem(lambda_step(outputs=51)) == "step Judge: 51 outputs, a Lambda step returns 50; split the step"


@pytest.mark.parametrize("value", [["a"], [], {"a": 1}, {"Get": "Parameters.X", "More": 1}])
def test_a_lambda_input_that_is_no_scalar_is_refused(value: Any) -> None:
    assert problem(lambda_step(Key=value)) == (
        "step Judge: input Key is not a scalar; pass flat strings and numbers, or a URI of a file"
    )


@pytest.mark.parametrize(
    "value", ["a", 1, 1.5, True, None, {"Get": "Execution.StartDateTime"}, {"Std:Join": {"On": "/", "Values": ["a"]}}]
)
def test_scalars_and_expressions_are_lambda_inputs(value: Any) -> None:
    assert check(definition(lambda_step(Key=value))) == []


def reference(name: str, target: str) -> dict[str, Any]:
    return lambda_step(name, Uri={"Get": f"Steps.{target}.OutputParameters['Out0']"})


def file_of(target: str) -> dict[str, Any]:
    return {"Std:JsonGet": {"PropertyFile": {"Get": f"Steps.{target}.PropertyFiles.E"}, "Path": "mae"}}


@pytest.mark.parametrize(
    "step",
    [
        reference("B", "Nobody"),
        {**lambda_step("B"), "DependsOn": ["Nobody"]},
        lambda_step("B", Uri={"Std:Join": {"On": "/", "Values": [{"Get": "Steps.Nobody.X"}]}}),
        lambda_step("B", Mae=file_of("Nobody")),
        {**gate([], [], [{"LeftValue": file_of("Nobody"), "RightValue": 1}]), "Name": "B"},
    ],
)
def test_a_reference_to_no_step_is_refused(step: dict[str, Any]) -> None:
    assert problem(step) == "step B: refers to step Nobody, which is not in the definition; add it"


def test_a_reference_to_another_branch_is_refused() -> None:
    across = gate([lambda_step("Infer")], [reference("PostFallback", "Infer")])
    outside = (gate([lambda_step("Infer")], []), reference("Post", "Infer"))

    assert "step PostFallback: refers to step Infer in another branch of a condition" in problem(across)
    assert "step Post: refers to step Infer in another branch of a condition" in problem(*outside)


def test_references_to_steps_before_the_gate_and_inside_a_branch_are_sound() -> None:
    steps = (lambda_step("Judge"), gate([reference("A", "Judge"), reference("B", "A")], [reference("C", "Judge")]))

    assert check(definition(*steps)) == []


def test_too_many_parameters_and_too_long_defaults_are_refused() -> None:
    many = [{"Name": f"P{i}", "Type": "String"} for i in range(201)]
    long = [{"Name": "P", "Type": "String", "DefaultValue": "x" * 1025}]

    assert problem(parameters=many) == "parameters: 201 are declared, the service takes 200; remove some"
    assert problem(parameters=long) == "parameters.P: the default has more than 1024 characters; shorten it"


def test_all_problems_are_reported_together() -> None:
    found = check(definition(processing("A B", ProcessingInputs=[{}] * 11, **arguments("")), lambda_step(outputs=51)))

    assert len(found) == 4


def test_the_step_ceiling_counts_the_steps_of_both_branches() -> None:
    steps = definition(processing("A"), gate([processing("B")], [processing("C"), processing("D")]))

    assert check_ceiling(steps, 5) == []
    assert check_ceiling(steps, 4) == [
        "the definition has 5 steps, more than step_ceiling: 4, however its models share jobs; raise step_ceiling if "
        "the account's quota allows it"
    ]


def test_the_inline_size_is_a_limit() -> None:
    assert check_size("x" * INLINE) == []
    assert check_size("x" * (INLINE + 1)) == [
        f"the definition has {INLINE + 1} characters, more than the service's {INLINE}, however its models share jobs; "
        "have fewer and shorter parameters and tags"
    ]
