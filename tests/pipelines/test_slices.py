"""Settings slices: each step gets what concerns it and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.models import ModelSpec
from pipelines.settings import Settings, validate
from pipelines.slices import infer_kind, slices, train_kind

MODELS = (ModelSpec("A a", "A-a", {"r": ("A a",)}), ModelSpec("(pooled)", "pooled", pooled=True))


def config(**changes: Any) -> Settings:
    return validate({"data": {"label": "y", "id": "id"}, "models": {"by": "r"}, **changes}, "c.yml")


def changed(**changes: Any) -> set[str]:
    """Return the kinds of slices that a change of the settings touches."""
    before, after = slices(config(), MODELS, "b"), slices(config(**changes), MODELS, "b")
    assert before.keys() == after.keys()
    return {kind for kind in before if before[kind] != after[kind]}


def test_every_step_kind_has_its_slice() -> None:
    assert set(slices(config(), MODELS, "b")) == {
        "prepare-training",
        "prepare-prediction",
        "postprocess",
        "lambda",
        "train-A-a",
        "train-pooled",
        "infer-A-a",
        "infer-pooled",
    }


@pytest.mark.parametrize(
    ("changes", "touched"),
    [
        ({"gate": {"mae": 3}}, {"lambda"}),
        ({"gate": {"min_holdout_rows": 3}}, {"lambda"}),
        ({"fallback": {"policy": "per_model"}}, {"lambda"}),
        ({"registry": {"keep": 3}}, {"lambda"}),
        ({"drift": {"psi": {"fail": 0.5}}}, {"lambda"}),
        ({"drift": {"nulls": {"warn": 0.5}}}, {"lambda", "infer-A-a", "infer-pooled"}),
        ({"timezone": "Asia/Tokyo"}, {"lambda", "postprocess"}),
        ({"language": "ja"}, {"lambda", "postprocess"}),
        ({"output": {"csv": True}}, {"postprocess"}),
        ({"training": {"presets": "best_quality"}}, {"train-A-a", "train-pooled"}),
        ({"training": {"time_limit": 60}}, set()),
        ({"data": {"label": "y", "id": "id", "predict": "new*"}}, {"prepare-prediction", "lambda"}),
        ({"data": {"label": "y", "id": "id", "train": "old*"}}, {"prepare-training", "lambda"}),
        ({"max_objects": 5}, {"lambda"}),
        ({"concurrency": "refuse"}, {"lambda"}),
        ({"instances": {"train": {"max_runtime": 9000}}}, {"lambda"}),
        ({"min_rows": 5}, set()),
        ({"parallelism": 2}, set()),
        ({"models": {"by": "r", "overrides": {"A a": {"gate": {"mae": 3}}}}}, {"lambda"}),
        ({"models": {"by": "r", "overrides": {"A a": {"training": {"seed": 3}}}}}, {"train-A-a"}),
    ],
)
def test_a_setting_touches_only_the_steps_it_concerns(changes: dict[str, Any], touched: set[str]) -> None:
    assert changed(**changes) == touched


def training(**override: Any) -> dict[str, Any]:
    base = {"presets": "good_quality", "hyperparameters": {"GBM": {}}, "infer_limit": 0.5, "seed": 1}
    overrides = {"A a": {"training": override}}
    found = config(training=base, models={"by": "r", "overrides": overrides})
    slice_of_train: dict[str, Any] = slices(found, MODELS, "b")[train_kind("A-a")]["models"][0]["training"]
    return slice_of_train


def test_an_override_changes_only_the_keys_it_sets() -> None:
    assert training(presets="best_quality", excluded_model_types=["GBM"]) == {
        "presets": "best_quality",
        "hyperparameters": {"GBM": {}},
        "excluded_model_types": ["GBM"],
        "seed": 1,
        "infer_limit": 0.5,
        "time_guard": 1.5,
    }


def test_a_floor_of_a_models_own_replaces_a_limit_that_it_takes_back() -> None:
    found = training(infer_limit=None, min_rows_per_second=5000)

    assert (found["infer_limit"], found["min_rows_per_second"]) == (None, 5000)


def test_a_floor_that_is_not_set_leaves_the_slice_as_it_was_so_that_nothing_trains_again() -> None:
    assert "min_rows_per_second" not in training()


def test_null_in_an_override_takes_back_what_may_be_null_and_follows_training_elsewhere() -> None:
    found = training(hyperparameters=None, infer_limit=None, presets=None, seed=None, excluded_model_types=None)

    assert found == {
        "presets": "good_quality",
        "hyperparameters": None,
        "excluded_model_types": ["RF", "XT"],
        "seed": 1,
        "infer_limit": None,
        "time_guard": 1.5,
    }


def test_the_lambda_slice_holds_each_model_with_its_own_threshold() -> None:
    found = config(models={"by": "r", "overrides": {"A a": {"gate": {"mae": 3}}}})

    assert slices(found, MODELS, "b")["lambda"]["models"] == [
        {"name": "A a", "slug": "A-a", "shard": None, "pooled": False, "threshold": 3.0},
        {"name": "(pooled)", "slug": "pooled", "shard": None, "pooled": True, "threshold": None},
    ]


def test_the_lambda_slice_names_the_files_of_every_model_by_role() -> None:
    models = [{"name": "A a", "where": {"r": "A a"}}, {"name": "B", "train": "b/train*", "predict": "b/predict*"}]

    assert slices(config(models=models), MODELS, "b")["lambda"]["data"] == {
        "train": ["train*", "b/train*"],
        "predict": ["predict*", "b/predict*"],
    }


@pytest.mark.parametrize("guard", [1, 1.1, 1.5, 2.7, 99.9])
@pytest.mark.parametrize("instance", [{}, {"max_runtime": 3601}, {"max_runtime": 7200}, {"max_runtime": 86_399}])
def test_the_longest_training_time_is_the_last_one_that_fits_the_jobs_runtime(
    guard: float, instance: dict[str, int]
) -> None:
    found = config(training={"time_limit": 1, "time_guard": guard}, instances={"train": instance})

    limit = slices(found, MODELS, "b")["lambda"]["max_time_limit"]

    allowed = found.max_runtime_of(found.instances.train)
    assert found.training.model_copy(update={"time_limit": limit}).longest <= allowed
    assert found.training.model_copy(update={"time_limit": limit + 1}).longest > allowed


def test_the_segment_column_is_set_only_where_segments_are_discovered() -> None:
    by_list = config(models=[{"name": "A a", "where": {"r": "A a"}}])

    assert slices(config(), MODELS, "b")["prepare-training"]["segment"] == "r"
    assert slices(by_list, MODELS, "b")["prepare-training"]["segment"] is None
    assert slices(config(), MODELS, "b")[infer_kind("A-a")]["max_runtime"] == 14_400
    assert slices(config(), MODELS, "b")[infer_kind("A-a")]["models"] == [{"name": "A a", "slug": "A-a", "ignore": []}]


def test_an_infer_step_of_the_pooled_model_does_not_warn_of_the_segments_it_is_there_for() -> None:
    found = slices(config(drift={"ignore": ["x"], "unseen": {"warn": None}}), MODELS, "b")

    assert found["infer-A-a"]["drift"] == {"unseen": None, "nulls": 0.1}
    assert found["infer-A-a"]["models"][0]["ignore"] == ["x"]
    assert found["infer-pooled"]["models"][0]["ignore"] == ["x", "r"]
