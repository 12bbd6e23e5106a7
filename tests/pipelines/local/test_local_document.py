"""What the engine refuses to run, and that it says so before anything starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from local_definitions import (
    Json,
    compare,
    condition,
    definition_text,
    join,
    json_get,
    lambda_step,
    output_of,
    parameter_ref,
    processing,
    result_of,
)

from pipelines.errors import DefinitionError
from pipelines.local.document import parse
from pipelines.local.schedule import build_graph, core_shares

EVALUATION = {"PropertyFileName": "E", "OutputName": "ev", "FilePath": "e.json"}
TRAIN = processing("Train", outputs=["ev"], PropertyFiles=[EVALUATION])


def problems(*steps: Json, **keys: object) -> tuple[str, ...]:
    with pytest.raises(DefinitionError) as caught:
        parse(definition_text(list(steps), **keys))
    return caught.value.problems


def gate(*conditions: Json) -> Json:
    return condition("Gate", list(conditions), [], [])


def with_input(**changes: object) -> Json:
    return processing("A", inputs={"in": {"S3Uri": "s3://bucket/x", **changes}})


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"Name": "A", "Type": "Training", "Arguments": {}}, "unknown step type 'Training'"),
        ({"Name": "A", "Type": "Procesing", "Arguments": {}}, "did you mean 'Processing'?"),
        ({**processing("A"), "Cache": {}}, "does not know the key 'Cache'; did you mean 'CacheConfig'?"),
        (processing("A b"), "the name of a step"),
        (processing("A", DependsOn=["B"]), "DependsOn names 'B', which is no step"),
        (processing("A", DependsOn=[{"Step": "B", "Trigger": "Any"}]), "DependsOn holds a trigger"),
        (processing("A", DependsOn=["A"]), "steps wait for each other: 'A' -> 'A'"),
        (processing("A", arguments=[{"Get": "Steps.B.Nothing"}]), "cannot resolve Get 'Steps.B.Nothing'"),
        (processing("A", arguments=[parameter_ref("P")]), "the parameter 'P', which is not declared"),
        (processing("A", arguments=[output_of("B", "out")]), "names 'B', which is no step"),
        (processing("A", arguments=[5]), "ContainerArguments[0] is 5, expected a text"),
        (processing("A", environment={"X": ["a"]}), "Environment X: found a list"),
        (processing("A", arguments=[{"Std:Split": {}}]), "unknown function 'Std:Split'"),
        (processing("A", arguments=[{"Get": "Execution.CurrentDateTime"}]), "does not know Execution.CurrentDateTime"),
        (processing("A", arguments=[join("a", {"Std:Upper": "b"})]), "unknown function 'Std:Upper'"),
        (processing("A", arguments=[{"Std:Join": {"On": "/"}}]), "Std:Join needs a list of Values"),
        (lambda_step("A", "f", {"x": [1]}), "input 'x': found a list"),
        (lambda_step("A", "f", outputs={"x": "Json"}), "OutputType is 'Json'"),
        (gate({"Type": "Matches", "LeftValue": 1, "RightValue": 1}), "unknown condition 'Matches'"),
        (gate({"Type": "Or", "Conditions": [{"Type": "Equal"}]}), "did you mean 'Equals'?"),
        (gate(compare("Equals", None, 1)), "null where one text"),
        (gate(), "found no list of conditions"),
        (condition("G", [compare("Equals", 1, 1)], [gate(compare("Equals", 1, 1))], []), "does not nest them"),
        (with_input(S3InputMode="Pipe"), "S3InputMode is 'Pipe'"),
        (with_input(S3DataType="Augmented"), "S3DataType is 'Augmented'"),
        (with_input(S3CompressionType="Gzip"), "S3CompressionType is 'Gzip'"),
        (with_input(S3DataDistributionType="Random"), "S3DataDistributionType is 'Random'"),
        (with_input(LocalPath="/etc/x"), "expected a folder below /opt/ml"),
        (with_input(LocalPath="/opt/ml/../x"), "expected a folder below /opt/ml"),
        (with_input(LocalPath=""), "expected a folder below /opt/ml"),
        (with_input(Mode="x"), "does not know the key 'Mode'"),
    ],
)
def test_what_the_engine_does_not_know_is_refused(step: Json, message: str) -> None:
    assert any(message in problem for problem in problems(step))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (output_of("Train", "evv"), "the output 'evv', which 'Train' does not have; did you mean 'ev'?"),
        (result_of("Train", "x"), "the result 'x', which 'Train' does not have"),
        (json_get("Train", "F", "a"), "the property file 'F', which 'Train' does not have"),
        (json_get("Train", "E", "a..b"), "'a..b' is no path"),
        ({"Std:JsonGet": {"PropertyFile": "E", "Path": "a"}}, "PropertyFile is not of the form"),
        ({"Get": "Steps.Train.PropertyFiles.E"}, "cannot resolve Get"),
        ({"Std:JsonGet": {"Path": "a"}}, "needs Path and either"),
    ],
)
def test_a_dangling_reference_is_refused(reference: Json, message: str) -> None:
    assert any(message in problem for problem in problems(TRAIN, gate(compare("Equals", reference, 1))))


def test_all_problems_are_reported_together_with_the_step_they_are_in() -> None:
    found = problems(processing("A", DependsOn=["X"]), processing("A"), processing("B", arguments=[parameter_ref("P")]))
    assert len(found) == 3
    assert found[0] == "definition: 2 steps are called 'A'; names have to be unique"
    assert found[-1].startswith("step 'B': ")


def test_a_number_where_the_service_takes_texts_is_refused() -> None:
    declared = [{"Name": "P", "Type": "Integer", "DefaultValue": 1}]
    found = problems(processing("A", arguments=[parameter_ref("P")]), Parameters=declared)
    assert "Integer parameter 'P', expected a text; use to_string()" in found[0]


def test_a_circle_of_steps_is_refused() -> None:
    found = problems(processing("A", DependsOn=["B"]), processing("B", arguments=[output_of("A", "x")], outputs=["x"]))
    assert any("which 'A' does not have" in problem for problem in found)
    circle = problems(processing("A", DependsOn=["B"]), processing("B", DependsOn=["A"]))
    assert circle == ("definition: steps wait for each other: 'A' -> 'B' -> 'A'",) or "wait for each other" in circle[0]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"Version": "2019"}', '{"Steps": 5}', '{"Steps": [5]}', '{"x": NaN}'])
def test_what_is_no_definition_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError):
        parse(text)


def test_null_keys_and_an_experiment_are_nothing_that_changes_the_run() -> None:
    text = definition_text([], MlflowConfig=None, PipelineExperimentConfig={"TrialName": {"Get": "x"}}, Metadata={})
    assert parse(text).steps == ()


def test_a_definition_of_the_sdk_is_read_whole() -> None:
    definition = parse(Path(__file__).with_name("sdk_definition.json").read_text(encoding="utf-8"))
    graph = build_graph(definition)
    assert list(graph.steps) == ["Prep", "Train-m1", "Judge", "Gate", "Infer", "F"]
    assert graph.needs["Gate"] == {"Train-m1", "Judge"}
    assert graph.needs["Infer"] == {"Judge", "Gate"}
    assert graph.steps["Prep"].cache
    assert graph.steps["Prep"].display_name == "Prep it"
    assert [policy.kinds[0] for policy in graph.steps["Prep"].retry_policies] == [
        "Step.SERVICE_FAULT",
        "SageMaker.CAPACITY_ERROR",
    ]
    assert graph.steps["Train-m1"].job.inputs[0].sharded
    assert core_shares(graph, 4, None) == {"Prep": 4, "Train-m1": 4, "Infer": 4}


def test_parallelism_is_read_from_the_definition() -> None:
    assert parse(definition_text([], ParallelismConfiguration={"MaxParallelExecutionSteps": 3})).parallelism == 3


def test_core_shares_follow_from_the_graph_alone() -> None:
    fan = [processing(f"T{n}", DependsOn=["Prep"]) for n in range(3)]
    branches = condition("G", [compare("Equals", 1, 1)], [processing("Y")], [processing("N"), processing("M")])
    graph = build_graph(parse(json.dumps({"Version": "2020-12-01", "Steps": [processing("Prep"), *fan, branches]})))
    assert core_shares(graph, 8, None) == {"Prep": 8, "T0": 2, "T1": 2, "T2": 2, "Y": 8, "N": 4, "M": 4}
    assert [core_shares(graph, 8, 2)[name] for name in ("T0", "T1", "T2")] == [8, 4, 4]
    assert core_shares(graph, 4, None)["T0"] == 1


@pytest.mark.parametrize(
    ("steps", "cores", "shares"),
    [
        (3, 2, [2, 1, 1]),
        (5, 4, [4, 1, 1, 1, 1]),
        (6, 4, [2, 2, 1, 1, 1, 1]),
        (7, 4, [1] * 7),
        (12, 2, [1] * 12),
        (2, 1, [1, 1]),
    ],
)
def test_steps_that_fill_no_wave_of_their_own_come_first_with_all_cores_between_them(
    steps: int, cores: int, shares: list[int]
) -> None:
    fan = [processing(f"T{n}") for n in range(steps)]
    graph = build_graph(parse(json.dumps({"Version": "2020-12-01", "Steps": fan})))
    assert list(core_shares(graph, cores, None).values()) == shares
