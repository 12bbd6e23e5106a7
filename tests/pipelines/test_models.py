"""Which models an execution has: own, pooled and rest, overrides, and the lock file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import DataError, SettingsError
from pipelines.models import Census, ModelSpec, Segment, choose_models, dump_lock, lock_path, read_lock
from pipelines.settings import Settings, validate
from steps import contract


def config(**changes: Any) -> Settings:
    minimal = {"data": {"label": "y", "id": "id"}, "models": {"by": "region"}, "min_rows": 10}
    return validate({**minimal, **changes}, "c.yml")


def listed(*names: str, **changes: Any) -> Settings:
    return config(models=[{"name": name, "where": {"region": name}} for name in names], **changes)


def census(*segments: tuple[str, int, int], unmatched: tuple[int, int] = (0, 0)) -> Census:
    return Census(tuple(Segment(*segment) for segment in segments), Segment("", *unmatched))


def names(models: tuple[ModelSpec, ...]) -> list[str]:
    return [model.name for model in models]


def test_each_segment_with_enough_rows_gets_a_model_of_its_own_in_the_order_of_names() -> None:
    models = choose_models(config(), census(("b", 10, 5), ("a", 99, 0)))

    assert names(models) == ["a", "b"]
    assert [model.where for model in models] == [{"region": ("a",)}, {"region": ("b",)}]
    assert not any(model.pooled for model in models)


@pytest.mark.parametrize(
    "found",
    [
        census(("a", 50, 5), ("small", 9, 0)),
        census(("a", 50, 5), ("unseen", 0, 3)),
        census(("a", 50, 5), unmatched=(1, 0)),
        census(("a", 50, 5), unmatched=(0, 1)),
    ],
    ids=["small", "unseen", "null in training", "null in prediction"],
)
def test_small_unseen_and_null_segments_bring_the_pooled_model_last(found: Census) -> None:
    models = choose_models(config(), found)

    assert names(models) == ["a", contract.POOLED_NAME]
    assert models[-1] == ModelSpec(contract.POOLED_NAME, "pooled", pooled=True)


def test_without_a_pooled_model_the_rest_gets_none() -> None:
    found = census(("a", 50, 5), ("small", 1, 1), unmatched=(5, 5))

    assert names(choose_models(config(rest="skip"), found, always_pooled=True)) == ["a"]


def test_a_rest_that_must_not_be_is_refused_with_its_rows() -> None:
    found = census(("a", 50, 5), ("small", 1, 1), unmatched=(5, 5))

    with pytest.raises(DataError, match="6 rows to train on and 6 rows to predict"):
        choose_models(config(rest="fail"), found)
    assert names(choose_models(config(rest="fail"), census(("a", 50, 5)))) == ["a"]


def test_a_definition_that_outlives_its_data_always_has_the_pooled_model() -> None:
    found = census(("a", 50, 5))

    assert names(choose_models(config(), found)) == ["a"]
    assert names(choose_models(config(), found, always_pooled=True)) == ["a", contract.POOLED_NAME]


def test_without_any_segment_the_pooled_model_stands_alone() -> None:
    assert names(choose_models(config(), census(unmatched=(100, 5)))) == [contract.POOLED_NAME]
    assert names(choose_models(config(), census(("small", 3, 3)))) == [contract.POOLED_NAME]


@pytest.mark.parametrize("found", [census(), census(("small", 3, 3))])
def test_no_segment_and_no_pooled_model_is_an_error_that_names_both_settings(found: Census) -> None:
    with pytest.raises(DataError, match=r"min_rows \(10\).*rest is 'skip'; lower min_rows, or set rest: pooled"):
        choose_models(config(rest="skip"), found)


def test_undiscovered_segments_are_an_error_that_names_the_ways_out() -> None:
    with pytest.raises(SettingsError, match=r"models\.by: the segments of 'region' are not known.*--raw.*--lock"):
        choose_models(config(), None)


def test_an_override_of_an_unknown_segment_is_refused_with_those_there_are() -> None:
    changed = config(models={"by": "region", "overrides": {"x": {}, "a": {}, contract.POOLED_NAME: {}, "small": {}}})

    with pytest.raises(SettingsError) as caught:
        choose_models(changed, census(("a", 50, 5), ("b", 50, 5), ("small", 1, 0)))
    assert caught.value.problems == (
        "models.overrides: no model is called 'small'; there are a, b",
        "models.overrides: no model is called 'x'; there are a, b",
    )


def test_a_segment_with_the_name_of_the_pooled_model_is_refused() -> None:
    with pytest.raises(DataError, match="rename the segment in the data"):
        choose_models(config(), census((contract.POOLED_NAME, 50, 5)))


def test_listed_models_keep_the_order_of_the_config_and_need_no_data() -> None:
    assert names(choose_models(listed("b", "a"), None)) == ["b", "a"]


def test_listed_models_get_a_pooled_one_only_for_rows_of_no_model() -> None:
    counted = census(("b", 5, 5), ("a", 0, 0))
    rest = census(("b", 5, 5), ("a", 0, 0), unmatched=(0, 2))

    assert names(choose_models(listed("b", "a"), counted)) == ["b", "a"]
    assert names(choose_models(listed("b", "a"), rest)) == ["b", "a", contract.POOLED_NAME]
    assert names(choose_models(listed("b", "a", rest="skip"), rest)) == ["b", "a"]


def test_a_listed_model_carries_its_filter_and_globs_to_the_steps() -> None:
    model = {"name": "N", "where": {"r": ["1", "2"]}, "train": "n/train*", "predict": ["n/p*", "n/q*"]}
    (chosen,) = choose_models(config(models=[model]), None)

    assert chosen.to_json() == {
        "name": "N",
        "slug": "N",
        "shard": None,
        "where": {"r": ["1", "2"]},
        "train": ["n/train*"],
        "predict": ["n/p*", "n/q*"],
        "pooled": False,
    }


def test_a_model_called_pooled_and_the_pooled_model_have_different_slugs() -> None:
    models = choose_models(config(), census(("pooled", 50, 5), ("POOLED", 50, 5), unmatched=(1, 1)))

    assert len({model.slug.lower() for model in models}) == 3


def test_a_census_is_read_from_what_the_discovery_prints() -> None:
    segments = {
        "segments": [{"value": "a", "train_rows": 3, "predict_rows": 2}],
        "null": {"train_rows": 1, "predict_rows": 0},
        "models": [],
        "unmatched": {"train_rows": 7, "predict_rows": 7},
    }
    by_list = {
        "segments": [],
        "models": [{"name": "M", "train_rows": 3, "predict_rows": 2}],
        "unmatched": {"train_rows": 4, "predict_rows": 5},
    }

    assert Census.from_json(segments) == census(("a", 3, 2), unmatched=(1, 0))
    assert Census.from_json(by_list) == census(("M", 3, 2), unmatched=(4, 5))


def test_a_column_of_nulls_has_no_segment_but_its_rows_count() -> None:
    found = {"segments": [], "null": {"train_rows": 40, "predict_rows": 3}}

    assert Census.from_json(found) == census(unmatched=(40, 3))


def test_the_lock_lies_beside_the_config_and_names_the_pipeline(tmp_path: Path) -> None:
    assert lock_path(tmp_path / "c.yml", "flights") == tmp_path / "flights.segments.lock.yml"


def test_the_lock_says_how_it_is_written() -> None:
    text = dump_lock(config(), census(("a", 50, 5), ("small", 1, 1)))

    assert text.startswith("# Segments of the pipeline, frozen for AWS. Written by: python -m pipelines.compile")
    assert text.endswith("\ncolumn: region\nsegments:\n- a\npooled: true\n")


def test_the_lock_holds_the_rounded_rows_of_large_segments_by_which_shards_are_balanced(tmp_path: Path) -> None:
    path = tmp_path / "lock.yml"
    path.write_text(dump_lock(config(), census(("a", 70_000, 5_000), ("b", 50, 5))))

    assert path.read_text().endswith("\nrows:\n  a: 131072\n  (pooled): 131072\n")
    assert [model.rows for model in read_lock(config(), path)] == [131_072, 16, 131_072]


def test_a_few_rows_more_leave_the_lock_as_it_is() -> None:
    assert dump_lock(config(), census(("a", 70_000, 5_000))) == dump_lock(config(), census(("a", 90_123, 9_000)))


def test_a_pooled_model_has_the_rows_of_all() -> None:
    found = choose_models(config(), census(("a", 5_000, 0), ("b", 9_000, 0), unmatched=(10, 0)))

    assert [model.rows for model in found] == [8_192, 16_384, 16_384]


SEGMENTS = st.text(min_size=1, max_size=8).filter(
    lambda name: name != contract.POOLED_NAME and contract.escape_controls(name) == name
)


@given(values=st.lists(SEGMENTS, unique=True, max_size=6))
@settings(max_examples=40, deadline=None)
def test_a_lock_gives_the_models_back_whatever_the_segments_are_called(
    tmp_path_factory: pytest.TempPathFactory, values: list[str]
) -> None:
    found = census(*((value, 50, 1) for value in values))
    path = tmp_path_factory.mktemp("lock") / "p.segments.lock.yml"
    path.write_text(dump_lock(config(), found), encoding="utf-8")

    assert read_lock(config(), path) == choose_models(config(), found, always_pooled=True)


@pytest.mark.parametrize("value", ["EWR\r", "two\nlines", "\x1b[2J", "tab\there", "\u202eRWE", "\x00"])
def test_a_segment_with_a_control_character_is_refused_by_column_and_count_and_never_quoted(value: str) -> None:
    with pytest.raises(DataError) as caught:
        choose_models(config(), census((value, 50, 1), ("JFK", 50, 1)), always_pooled=True)

    assert "column 'region': 1 of its 2 segments hold a line break or another control character" in str(caught.value)
    assert value not in str(caught.value)


def test_a_segment_with_a_control_character_and_too_few_rows_is_the_rest_as_ever() -> None:
    found = choose_models(config(), census(("EWR\r", 2, 1), ("JFK", 50, 1)))

    assert [model.name for model in found] == ["JFK", contract.POOLED_NAME]


def test_segments_that_look_like_other_yaml_values_survive_the_lock(tmp_path: Path) -> None:
    values = ["007", "NA", "no", "null", "1e3", "2024-01-01", "~", "C (all)", "日本", " a "]
    path = tmp_path / "lock.yml"
    path.write_text(dump_lock(config(), census(*((value, 50, 1) for value in values))), encoding="utf-8")

    assert names(read_lock(config(), path)) == [*sorted(values), contract.POOLED_NAME]


def test_a_missing_lock_says_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no lock file; write it with: python -m pipelines\.compile --raw"):
        read_lock(config(), tmp_path / "lock.yml")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("column: origin\nsegments: [a]\n", "was not written for models.by 'region'"),
        ("column: region\nsegments: a\n", "was not written for models.by 'region'"),
        ("column: region\nsegments: [007, a]\n", "expected different texts, each in quotes"),
        ("column: region\nsegments: [a, a]\n", "expected different texts, each in quotes"),
        ("column: region\nsegments: [a]\nrows: {b: 5}\n", "rows: expected a number of rows for some of the segments"),
        ("column: region\nsegments: [a]\nrows: {a: many}\n", "rows: expected a number of rows"),
        ("column: region\nsegments: [a]\nrows: [5]\n", "rows: expected a number of rows"),
        ("[a]\n", "expected a mapping"),
        ("column: [\n", "not valid YAML"),
    ],
)
def test_a_lock_that_was_edited_into_something_else_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "lock.yml"
    path.write_text(text)

    with pytest.raises(SettingsError) as caught:
        read_lock(config(), path)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)


def test_models_can_be_kept_in_a_set() -> None:
    one, other = (choose_models(config(), census((name, 50, 5))) for name in ("a", "b"))

    assert len({one, choose_models(config(), census(("a", 50, 5))), other}) == 2


def test_a_listed_model_with_rows_to_predict_and_none_to_train_on_needs_the_pooled_model() -> None:
    listed = [{"name": "a", "where": {"s": "a"}}, {"name": "b", "where": {"s": "b"}}]
    config = validate({"data": {"label": "y", "id": "id"}, "models": listed}, "c")
    census = Census((Segment("a", 50, 5), Segment("b", 0, 5)), Segment("", 0, 0))

    assert [model.pooled for model in choose_models(config, census)] == [False, False, True]
