"""The compiled definition: golden file, shape, references, and that every name in it comes from the contract."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.compile import Compiled, choose, compile_pipeline
from pipelines.models import ModelSpec
from pipelines.settings import Settings, load, validate
from steps import contract as c

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CONFIG = GOLDEN / "flights.yml"
DEFINITION = GOLDEN / "flights.definition.json"
CODE_ADDRESS = re.compile(r"/(code/[a-z]+|settings/postprocess)/[0-9a-f]{64}")
"""Addresses that change with the code: PostProcess is told the sha256 of every step's."""

LAMBDA_KEYS = {
    *(c.KEY_KIND, c.KEY_EXECUTION, c.KEY_SETTINGS, c.KEY_THRESHOLD, c.KEY_POLICY, c.KEY_OUTPUT, c.KEY_VERDICTS),
    *(
        c.KEY_TRAIN,
        c.KEY_CONTRACT,
        c.KEY_PREDICT,
        c.KEY_FIRST,
        c.KEY_IMAGE,
        c.KEY_REGISTRY,
        c.KEY_PREDICTIONS,
        c.KEY_STARTED,
    ),
    *(c.RAW_DATA_URI, c.TRAIN_DATA_VERSION, c.PREDICT_DATA_VERSION),
}
LAMBDA_OUTPUTS = {
    *(c.OUT_CONTRACT, c.OUT_WARNINGS, c.OUT_REJECTED, c.OUT_VERDICTS, c.OUT_DECISION, c.OUT_DECISIONS),
    *(c.OUT_REGISTERED, c.OUT_SENT),
}
INPUTS = {
    *(c.IN_CODE, c.IN_SETTINGS, c.IN_RAW, c.IN_MANIFEST, c.IN_SCHEMA, c.IN_PREPARED, c.IN_PREDICT, c.IN_MODEL),
    c.IN_PARTS,
    *(c.IN_EVALUATION, c.IN_DECISION, c.IN_VERDICTS, c.IN_INFERENCE, c.IN_TRAIN_DATA, c.IN_PREDICT_DATA),
    c.IN_CONTRACT,
}
OUTPUTS = {c.OUT_TRAIN, c.OUT_SCHEMA, c.OUT_PREDICT, c.OUT_PARTS, c.OUT_MODEL, c.OUT_EVALUATION, c.OUT_PREDICTIONS}

Step = dict[str, Any]


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load(CONFIG)


@pytest.fixture(scope="module")
def models(settings: Settings) -> tuple[ModelSpec, ...]:
    return choose(settings, CONFIG, None, frozen=True)


@pytest.fixture(scope="module")
def compiled(settings: Settings, models: tuple[ModelSpec, ...]) -> Compiled:
    return compile_pipeline(settings, models)


@pytest.fixture(scope="module")
def definition(compiled: Compiled) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(compiled.text)
    return parsed


@pytest.fixture(scope="module")
def steps(definition: dict[str, Any]) -> dict[str, Step]:
    return {step["Name"]: step for step in walk(definition["Steps"])}


def walk(steps: list[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        if step["Type"] == "Condition":
            yield from walk(step["Arguments"]["IfSteps"] + step["Arguments"]["ElseSteps"])


def of_type(steps: dict[str, Step], kind: str) -> list[Step]:
    return [step for step in steps.values() if step["Type"] == kind]


def own_part(step: Step) -> Step:
    """Return a step without the steps of its branches."""
    if step["Type"] != "Condition":
        return step
    return {**step, "Arguments": {"Conditions": step["Arguments"]["Conditions"]}}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "Get" in value:
            yield value["Get"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def listed(models_: int, **changes: Any) -> Settings:
    names = [f"M{i:02d}" for i in range(models_)]
    document = {
        "data": {"label": "y", "id": "id"},
        "models": [{"name": name, "where": {"s": name}} for name in names],
        "rest": "skip",
        **changes,
    }
    return validate(document, "c.yml")


def test_the_definition_is_the_golden_file(compiled: Compiled) -> None:
    """The difference in this file is the review of a change; write it anew with GOLDEN=write in the environment."""
    found = CODE_ADDRESS.sub(r"/\1/<sha256>", compiled.text)
    if os.environ.get("GOLDEN") == "write":
        DEFINITION.write_text(found, encoding="utf-8")

    assert found == DEFINITION.read_text(encoding="utf-8")


def test_compiling_twice_gives_the_same_bytes(
    settings: Settings, models: tuple[ModelSpec, ...], compiled: Compiled
) -> None:
    again = compile_pipeline(settings, models)

    assert (again.text, again.sha256) == (compiled.text, compiled.sha256)
    assert compiled.text == json.dumps(json.loads(compiled.text), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def test_every_bundle_of_the_definition_is_delivered_with_it(compiled: Compiled) -> None:
    named = set(re.findall(r's3://[^"]+/(?:code|settings)/[^"/]+/[0-9a-f]{64}', compiled.text))

    assert named
    assert named <= {bundle.uri for bundle in compiled.bundles}


def test_no_null_key_stands_at_the_top(definition: dict[str, Any]) -> None:
    assert [key for key, value in definition.items() if value is None] == []


def test_n_models_make_3n_and_14_steps(steps: dict[str, Step], models: tuple[ModelSpec, ...]) -> None:
    slugs = [model.slug for model in models]
    assert slugs == ["C-all", "EWR", "pooled"]
    expected = [
        *(c.NOTIFY_STARTED, c.PREPARE_TRAINING, c.PREPARE_PREDICTION, c.CHECK_DATA),
        *(f"{c.TRAIN}-{slug}" for slug in slugs),
        *(c.JUDGE, c.NOTIFY_TRAINED, c.GATE),
        *(f"{c.INFER}-{slug}" for slug in slugs),
        *(c.POSTPROCESS, c.NOTIFY_FINISHED, c.REGISTER_MODELS),
        *(c.REGISTER_MODELS + c.FALLBACK, c.DECIDE),
        *(f"{c.INFER}{c.FALLBACK}-{slug}" for slug in slugs),
        *(c.POSTPROCESS + c.FALLBACK, c.NOTIFY_FINISHED + c.FALLBACK),
    ]

    assert list(steps) == expected
    assert len(steps) == 3 * len(models) + 14


def test_parameters_have_the_types_and_defaults_of_the_config(definition: dict[str, Any]) -> None:
    found = {p["Name"]: (p["Type"], p.get("DefaultValue")) for p in definition["Parameters"]}

    assert found == {
        c.RAW_DATA_URI: ("String", None),
        c.TRAIN_DATA_VERSION: ("String", None),
        c.PREDICT_DATA_VERSION: ("String", None),
        c.MAE_THRESHOLD: ("Float", 20.0),
        c.FALLBACK_POLICY: ("String", "per_model"),
        c.TRAIN_TIME_LIMIT: ("Integer", 900),
        "Discount": ("Float", 0.5),
        "Holidays": ("Boolean", True),
        "Season": ("String", "winter"),
        "Year": ("Integer", 2013),
    }


def test_falsy_defaults_of_user_parameters_are_kept() -> None:
    document = {**listed(1).model_dump(), "parameters": {"A": "", "B": False, "C": 0, "D": 0.0}}
    settings = validate(document, "c.yml")
    found = json.loads(compile_pipeline(settings, choose(settings, CONFIG, None, frozen=True)).text)["Parameters"]

    assert {p["Name"]: p["DefaultValue"] for p in found[6:]} == {"A": "", "B": False, "C": 0, "D": 0.0}


def test_without_an_absolute_rule_the_threshold_is_out_of_reach() -> None:
    settings = listed(1)
    found = json.loads(compile_pipeline(settings, choose(settings, CONFIG, None, frozen=True)).text)

    threshold = next(p for p in found["Parameters"] if p["Name"] == c.MAE_THRESHOLD)
    assert threshold["DefaultValue"] == c.UNLIMITED_MAE


def test_user_parameters_reach_every_processing_step_as_text(steps: dict[str, Step]) -> None:
    expected = {
        f"{c.PARAMETER_PREFIX}{name}": {"Std:Join": {"On": "", "Values": [{"Get": f"Parameters.{name}"}]}}
        for name in ("Discount", "Holidays", "Season", "Year")
    }
    for step in of_type(steps, "Processing"):
        environment = step["Arguments"]["Environment"]
        assert {k: v for k, v in environment.items() if k.startswith(c.PARAMETER_PREFIX)} == expected
        assert (environment["PYTHONPATH"], environment["PYTHONHASHSEED"]) == (f"{c.INPUT_ROOT}/{c.IN_CODE}", "0")


def test_the_mae_threshold_reaches_neither_prepare_nor_train(steps: dict[str, Step]) -> None:
    using = {name for name, step in steps.items() if f"Parameters.{c.MAE_THRESHOLD}" in set(references(own_part(step)))}

    assert using == {c.JUDGE, c.GATE}


def test_a_threshold_of_a_models_own_stands_in_its_condition(steps: dict[str, Step]) -> None:
    conditions = steps[c.GATE]["Arguments"]["Conditions"]

    assert [condition["RightValue"] for condition in conditions] == [
        {"Get": f"Parameters.{c.MAE_THRESHOLD}"},
        15.0,
        {"Get": f"Parameters.{c.MAE_THRESHOLD}"},
        0,
    ]
    assert {condition["Type"] for condition in conditions} == {"LessThanOrEqualTo"}
    assert all(condition["LeftValue"]["Std:JsonGet"]["Path"] == c.MAE_PATH for condition in conditions[:-1])


def offered(step: Step) -> set[str]:
    """Return the property references that a step's results can be had by."""
    outputs = step["Arguments"].get("ProcessingOutputConfig", {}).get("Outputs", [])
    uris = (f"ProcessingOutputConfig.Outputs['{o['OutputName']}'].S3Output.S3Uri" for o in outputs)
    values = (f"OutputParameters['{o['OutputName']}']" for o in step.get("OutputParameters", []))
    files = (f"PropertyFiles.{f['PropertyFileName']}" for f in step.get("PropertyFiles", []))
    return {f"Steps.{step['Name']}.{path}" for path in (*uris, *values, *files)}


def test_every_reference_and_dependency_resolves(definition: dict[str, Any], steps: dict[str, Step]) -> None:
    known = {f"Parameters.{parameter['Name']}" for parameter in definition["Parameters"]}
    known |= {"Execution.PipelineExecutionId", "Execution.StartDateTime"}
    known |= {path for step in steps.values() for path in offered(step)}

    for step in steps.values():
        assert set(references(own_part(step))) <= known
        assert set(step.get("DependsOn", [])) <= set(steps)


def test_property_files_lie_in_declared_outputs(steps: dict[str, Step], models: tuple[ModelSpec, ...]) -> None:
    for model in models:
        step = steps[f"{c.TRAIN}-{model.slug}"]
        assert step["PropertyFiles"] == [
            {
                "PropertyFileName": f"Evaluation-{model.slug}",
                "OutputName": c.OUT_EVALUATION,
                "FilePath": f"{model.slug}/{c.EVALUATION_FILE}",
            }
        ]


def test_local_paths_and_outputs_of_jobs_come_from_the_contract(steps: dict[str, Step]) -> None:
    for step in of_type(steps, "Processing"):
        for item in step["Arguments"]["ProcessingInputs"]:
            name, path = item["InputName"], item["S3Input"]["LocalPath"]
            assert name in INPUTS
            assert path == f"{c.INPUT_ROOT}/{name}" or path.startswith(f"{c.INPUT_ROOT}/{name}/")
        for item in step["Arguments"]["ProcessingOutputConfig"]["Outputs"]:
            assert item["OutputName"] in OUTPUTS
            assert item["S3Output"]["LocalPath"] == f"{c.OUTPUT_ROOT}/{item['OutputName']}"


def test_keys_and_outputs_of_lambdas_come_from_the_contract(
    steps: dict[str, Step], models: tuple[ModelSpec, ...]
) -> None:
    per_model = {key(model.slug) for model in models for key in (c.model_key, c.evaluation_key)}
    decided = {name for position in range(len(models)) for name in c.decide_outputs(position)}
    functions = {c.function_name("flights", name) for name in c.LAMBDAS}
    for step in of_type(steps, "Lambda"):
        assert set(step["Arguments"]) <= LAMBDA_KEYS | per_model
        assert {output["OutputName"] for output in step["OutputParameters"]} <= LAMBDA_OUTPUTS | decided
        assert step["FunctionArn"].rpartition(":")[2] in functions
        assert step["FunctionArn"].startswith("arn:aws:lambda:ap-northeast-1:123456789012:function:")


def test_every_output_uri_contains_the_execution_id(steps: dict[str, Step]) -> None:
    for step in of_type(steps, "Processing"):
        for item in step["Arguments"]["ProcessingOutputConfig"]["Outputs"]:
            assert {"Get": "Execution.PipelineExecutionId"} in item["S3Output"]["S3Uri"]["Std:Join"]["Values"]


def test_preparing_and_training_are_cached_and_nothing_else(steps: dict[str, Step]) -> None:
    cached = {name for name, step in steps.items() if step.get("CacheConfig", {}).get("Enabled")}

    assert cached == {c.PREPARE_TRAINING, c.PREPARE_PREDICTION, "Train-C-all", "Train-EWR", "Train-pooled"}
    assert steps["Train-EWR"]["CacheConfig"]["ExpireAfter"] == "P14D"


def test_no_cached_steps_input_names_the_execution(steps: dict[str, Step]) -> None:
    for step in steps.values():
        if step.get("CacheConfig", {}).get("Enabled"):
            arguments = {k: v for k, v in step["Arguments"].items() if k != "ProcessingOutputConfig"}
            assert not [r for r in references(arguments) if r.startswith("Execution.")]


def test_training_that_isolates_transient_failures_is_not_cached() -> None:
    document = {**listed(1).model_dump(), "training": {"on_transient_failure": "isolate"}}
    settings = validate(document, "c.yml")
    text = compile_pipeline(settings, choose(settings, CONFIG, None, frozen=True)).text

    train = next(step for step in walk(json.loads(text)["Steps"]) if step["Name"] == "Train-M00")
    assert "CacheConfig" not in train


def test_every_job_has_retries_network_key_and_tags(steps: dict[str, Step]) -> None:
    for step in of_type(steps, "Processing"):
        arguments = step["Arguments"]
        assert step["RetryPolicies"]
        assert arguments["NetworkConfig"]["EnableNetworkIsolation"] is True
        assert arguments["NetworkConfig"]["EnableInterContainerTrafficEncryption"] is True
        assert arguments["NetworkConfig"]["VpcConfig"] == {
            "SecurityGroupIds": ["sg-0a"],
            "Subnets": ["subnet-0a", "subnet-0b"],
        }
        assert ":key/" in arguments["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"]
        assert ":key/" in arguments["ProcessingOutputConfig"]["KmsKeyId"]
        tags = {tag["Key"]: tag["Value"] for tag in arguments["Tags"]}
        assert tags.items() >= {"pipeline": "flights", "team": "delays", "cost-center": "42"}.items()
        assert ("segment" in tags) == step["Name"].startswith((c.TRAIN, c.INFER))


def test_every_step_is_named_and_described_for_studio(steps: dict[str, Step]) -> None:
    for step in steps.values():
        assert step["DisplayName"] == step["Name"]
        assert 10 < len(step["Description"]) <= 3072
    assert "C (all)" in steps["Train-C-all"]["Description"]


def test_each_tail_waits_for_all_of_its_infer_steps(steps: dict[str, Step]) -> None:
    for suffix in ("", c.FALLBACK):
        infers = {name for name in steps if name.startswith(f"{c.INFER}{suffix}-")}
        assert len(infers) == 3
        assert set(steps[c.POSTPROCESS + suffix]["DependsOn"]) == infers


def test_the_fallback_runs_in_the_image_and_on_the_model_that_decide_returns(steps: dict[str, Step]) -> None:
    for position, slug in enumerate(["C-all", "EWR", "pooled"]):
        arguments = steps[f"{c.INFER}{c.FALLBACK}-{slug}"]["Arguments"]
        model, image = c.decide_outputs(position)
        uris = {item["InputName"]: item["S3Input"]["S3Uri"] for item in arguments["ProcessingInputs"]}
        assert uris[c.IN_MODEL] == {"Get": f"Steps.{c.DECIDE}.OutputParameters['{model}']"}
        assert arguments["AppSpecification"]["ImageUri"] == {"Get": f"Steps.{c.DECIDE}.OutputParameters['{image}']"}


def test_decide_is_split_where_its_outputs_exceed_what_a_lambda_returns() -> None:
    settings = listed(c.DECIDE_WIDTH + 1, step_ceiling=100)
    found = compile_pipeline(settings, choose(settings, CONFIG, None, frozen=True))
    steps = {step["Name"]: step for step in walk(json.loads(found.text)["Steps"])}

    assert len(steps) == 3 * (c.DECIDE_WIDTH + 1) + 15
    first, second = steps[c.DECIDE], steps[f"{c.DECIDE}-2"]
    assert (first["Arguments"][c.KEY_FIRST], second["Arguments"][c.KEY_FIRST]) == (0, c.DECIDE_WIDTH)
    assert [len(step["OutputParameters"]) for step in (first, second)] == [50, 4]
    last = steps[f"{c.INFER}{c.FALLBACK}-M{c.DECIDE_WIDTH:02d}"]["Arguments"]
    assert f"Steps.{c.DECIDE}-2.OutputParameters['Model00']" in set(references(last))


def test_one_instance_scores_the_rows_of_a_model_and_is_given_all_parts(steps: dict[str, Step]) -> None:
    assert {placed(step) for step in inferring(steps)} == {(1, "FullyReplicated", "FullyReplicated")}


@pytest.mark.parametrize("ceiling", [50, 17], ids=["a job for each model", "a job for all"])
def test_several_instances_share_out_the_parts_and_nothing_else(ceiling: int) -> None:
    settings = listed(2, instances={"infer": {"count": 3}}, step_ceiling=ceiling)
    found = compile_pipeline(settings, choose(settings, CONFIG, None, frozen=True))
    steps = {step["Name"]: step for step in walk(json.loads(found.text)["Steps"])}

    assert {placed(step) for step in inferring(steps)} == {(3, "ShardedByS3Key", "FullyReplicated")}
    others = [step for step in of_type(steps, "Processing") if step not in inferring(steps)]
    assert {placed(step)[0] for step in others} == {1}


def inferring(steps: dict[str, Step]) -> list[Step]:
    return [step for step in of_type(steps, "Processing") if step["Name"].startswith(c.INFER)]


def placed(step: Step) -> tuple[int, str, str]:
    """Return a job's instances, and how they get the parts and all other inputs."""
    given = {
        item["InputName"]: item["S3Input"]["S3DataDistributionType"] for item in step["Arguments"]["ProcessingInputs"]
    }
    parts = given.pop(c.IN_PARTS, "")
    (others,) = set(given.values())
    return step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"], parts, others


def test_an_input_prefix_ends_where_no_longer_name_can_begin(steps: dict[str, Step]) -> None:
    """S3Prefix takes every key that begins so: `train/1` would take `train/10/...` too."""
    folders = ("prepared", "predict", "parts", "manifest", "model")
    uris = [
        (name, given["InputName"], given["S3Input"]["S3Uri"])
        for name, step in steps.items()
        if step["Type"] == "Processing"
        for given in step["Arguments"]["ProcessingInputs"]
        if given["InputName"] in folders and "Std:Join" in given["S3Input"]["S3Uri"]
    ]

    assert uris
    assert [row for row in uris if row[2]["Std:Join"]["Values"][-1] != ""] == []


def test_nothing_is_trained_before_the_data_are_checked(steps: dict[str, Step], models: tuple[ModelSpec, ...]) -> None:
    check = steps[c.CHECK_DATA]

    assert {f"{c.TRAIN}-{model.slug}" for model in models} == {
        name for name, step in steps.items() if c.CHECK_DATA in step.get("DependsOn", [])
    }
    prepared = {path.split(".")[1] for path in references(check["Arguments"]) if path.startswith("Steps.")}
    assert prepared == {c.PREPARE_TRAINING, c.PREPARE_PREDICTION}


def test_what_the_check_takes_does_not_grow_with_the_models(steps: dict[str, Step]) -> None:
    assert set(steps[c.CHECK_DATA]["Arguments"]) == {
        *(c.KEY_EXECUTION, c.KEY_SETTINGS, c.KEY_TRAIN, c.KEY_PREDICT, c.KEY_OUTPUT)
    }
