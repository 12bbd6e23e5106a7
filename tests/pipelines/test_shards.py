from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines import limits, shards
from pipelines.blueprint import Blueprint
from pipelines.compile import compile_blueprint, compile_pipeline
from pipelines.models import ModelSpec, choose_models
from pipelines.settings import Settings, validate
from steps import contract


def models(*rows: int) -> tuple[ModelSpec, ...]:
    return tuple(ModelSpec(f"m{n}", f"m{n}", rows=count) for n, count in enumerate(rows))


def names(packed: tuple[ModelSpec, ...]) -> list[list[str]]:
    return [[model.name for model in shard.models] for shard in shards.group(packed)]


def config(count: int, **changes: Any) -> Settings:
    listed = [{"name": f"m{n}", "where": {"r": [f"m{n}"]}} for n in range(count)]
    return validate({"data": {"label": "y", "id": "i"}, "models": listed, **changes}, "c.yml")


def compiled(count: int, **changes: Any) -> Any:
    settings = config(count, **changes)
    return compile_pipeline(settings, choose_models(settings, None))


def all_steps(listed: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {}
    for step in listed:
        found[step["Name"]] = step
        for side in ("IfSteps", "ElseSteps"):
            found |= all_steps(step["Arguments"].get(side) or [] if step["Type"] == "Condition" else [])
    return found


def test_every_model_has_a_job_of_its_own_while_they_fit() -> None:
    packed = shards.pack(models(5, 6, 7), 3)

    assert [shard.name for shard in shards.group(packed)] == ["m0", "m1", "m2"]
    assert all(shard.alone for shard in shards.group(packed))


def test_models_are_packed_by_rows_the_largest_first() -> None:
    packed = shards.pack(models(65_536, 8_192, 8_192, 16_384, 32_768), 2)

    assert names(packed) == [["m0"], ["m4", "m3", "m1", "m2"]]
    assert [model.name for model in packed] == ["m0", "m1", "m2", "m3", "m4"]
    assert {model.shard for model in packed} == {"shard-01", "shard-02"}
    assert not any(shard.alone for shard in shards.group(packed))


def test_models_that_nobody_has_counted_are_dealt_out_evenly() -> None:
    assert [len(shard.models) for shard in shards.group(shards.pack(models(*[0] * 10), 4))] == [3, 3, 2, 2]


def test_small_models_weigh_the_same_so_that_a_few_rows_more_move_none() -> None:
    before = shards.pack(models(100, 200, 300, 4_096), 2)

    assert shards.pack(models(400, 100, 3_000, 2_000), 2) == before


def test_models_that_have_shards_keep_them() -> None:
    packed = shards.pack(models(1, 1, 1), 2)

    assert shards.pack(packed, 50) == packed
    assert shards.pack(packed, 1) == packed


def test_the_names_of_shards_sort_by_number() -> None:
    packed = shards.pack(models(*[0] * 300), 120)

    assert [shard.name for shard in shards.group(packed)][:2] == ["shard-001", "shard-002"]
    assert max(len(shard.models) for shard in shards.group(packed)) == 3


@pytest.mark.parametrize("count", [1, 3, 12])
def test_the_steps_that_are_counted_are_those_of_the_definition(count: int) -> None:
    assert len(all_steps(json.loads(compiled(count).text)["Steps"])) == shards.count_steps(count)


def test_so_many_jobs_fit_a_step_ceiling() -> None:
    assert [shards.most_jobs(ceiling) for ceiling in (1, 16, 17, 49, 50, 53, 400)] == [1, 1, 1, 11, 12, 13, 127]
    for ceiling in range(17, 500):
        jobs = shards.most_jobs(ceiling)
        assert shards.count_steps(jobs) <= ceiling < shards.count_steps(jobs + 1)


@pytest.mark.parametrize(("count", "ceiling"), [(13, 50), (30, 50), (1000, 50), (1000, 400)])
def test_any_number_of_models_compiles_within_every_limit_of_the_service(count: int, ceiling: int) -> None:
    found = compiled(count, step_ceiling=ceiling)
    definition = json.loads(found.text)

    assert found.warnings == ()
    assert not limits.check(definition)
    assert len(all_steps(definition["Steps"])) <= ceiling
    assert len(found.sent) <= limits.INLINE_CHARACTERS
    assert json.loads(found.sent) == definition
    assert sorted(m.name for shard in shards.group(found.models) for m in shard.models) == sorted(
        f"m{n}" for n in range(count)
    )


def test_fewer_jobs_are_made_where_the_definition_would_be_too_large() -> None:
    found = compiled(110, step_ceiling=400)

    assert shards.most_jobs(400) > 110
    assert len(shards.group(found.models)) < 110


def test_a_definition_that_not_even_one_job_makes_small_enough_is_refused_by_its_size() -> None:
    assert shards.fewer_jobs(models(1, 2), 10, 10) == 2
    assert shards.fewer_jobs(models(1, 2), 11, 10) == 1
    assert shards.fewer_jobs(models(1), 11, 10) == 1


def test_steps_that_somebody_has_added_leave_fewer_jobs() -> None:
    packed = shards.pack(models(*[0] * 40), 12)

    assert shards.jobs_for_steps(packed, 50, 50) == 12
    assert shards.jobs_for_steps(packed, 52, 50) == 11
    assert shards.jobs_for_steps(packed, 90, 50) == 1


def test_a_definition_with_added_steps_is_packed_anew_until_it_fits() -> None:
    """As if the graph had two steps more than we count on."""

    def add_two(blueprint: Blueprint, local: bool) -> tuple[str, tuple[str, ...]]:
        text, warnings = compile_blueprint(blueprint, local)
        definition = json.loads(text)
        steps = [{"Name": name, "Type": "Lambda", "Arguments": {}} for name in ("Audit", "Ping")]
        return json.dumps({**definition, "Steps": [*definition["Steps"], *steps]}), warnings

    settings = config(12)
    found = compile_pipeline(settings, choose_models(settings, None), compile_one=add_two)

    assert len(shards.group(found.models)) == 11


def test_the_steps_of_a_shard_take_its_folder_and_return_each_models() -> None:
    found = compiled(3, step_ceiling=17)
    steps = all_steps(json.loads(found.text)["Steps"])
    (train,) = [step for name, step in steps.items() if name.startswith("Train-")]
    inputs = {item["InputName"]: item["S3Input"] for item in train["Arguments"]["ProcessingInputs"]}

    assert train["Name"] == "Train-shard-01"
    assert inputs[contract.IN_PREPARED]["LocalPath"] == f"{contract.INPUT_ROOT}/{contract.IN_PREPARED}"
    assert inputs[contract.IN_PREPARED]["S3Uri"]["Std:Join"]["Values"][-2:] == ["shard-01", ""]
    assert "PropertyFiles" not in train
    assert train["Arguments"]["Tags"][-1] == {"Key": "segment", "Value": "shard-01"}


def test_only_judge_speaks_for_the_models_of_a_shard() -> None:
    gate = all_steps(json.loads(compiled(3, step_ceiling=17).text)["Steps"])[contract.GATE]

    (condition,) = gate["Arguments"]["Conditions"]
    assert condition["LeftValue"] == {"Get": f"Steps.{contract.JUDGE}.OutputParameters['{contract.OUT_REJECTED}']"}


def test_a_shard_gets_the_artifacts_of_its_defaults_as_a_manifest() -> None:
    steps = all_steps(json.loads(compiled(3, step_ceiling=17).text)["Steps"])

    def model_input(step: str) -> Any:
        given = steps[step]["Arguments"]["ProcessingInputs"]
        return next(item["S3Input"] for item in given if item["InputName"] == contract.IN_MODEL)

    assert model_input("InferFallback-shard-01")["S3DataType"] == "ManifestFile"
    assert model_input("Infer-shard-01")["S3DataType"] == "S3Prefix"


def test_a_job_of_several_models_may_take_as_long_as_they_do_one_after_another_on_its_cores() -> None:
    steps = all_steps(json.loads(compiled(100, step_ceiling=50).text)["Steps"])

    runtime = steps["Train-shard-01"]["Arguments"]["StoppingCondition"]["MaxRuntimeInSeconds"]

    assert runtime == 3 * 14_400  # 9 models on the 4 cores of an ml.m5.xlarge


def test_too_short_a_runtime_for_the_trainings_of_a_shard_is_told_with_what_helps() -> None:
    settings = config(100, step_ceiling=50, instances={"train": {"max_runtime": 4_000}})

    (problem,) = shards.check_runtime(settings, shards.pack(choose_models(settings, None), 12))

    assert "3 trainings follow one another" in problem
    assert "11520 s, a job ends after 4000 s" in problem
    assert not shards.check_runtime(config(12), choose_models(config(12), None))


def test_on_a_machine_of_which_nothing_is_known_all_trainings_of_a_shard_follow_one_another() -> None:
    (shard,) = shards.group(shards.pack(models(1, 1, 1, 1, 1), 1))

    assert [shards.count_waves(shard, machine) for machine in ("ml.m5.xlarge", "ml.m5.large", "ml.x9.odd")] == [2, 3, 5]
