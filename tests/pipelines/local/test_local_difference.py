"""What differs between two runs of a step is named part by part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.local.cachekey import Components, Content
from pipelines.local.difference import Change, compare, json_changes, say_plainly

BASE = Components(
    image="image:1",
    entrypoint=("python3", "-m", "steps.train"),
    arguments=("training", "--time-limit", "600"),
    environment={"PARAMETER_Season": "winter"},
    instances=1,
    libraries=("python 3.11.4 x86_64", "lightgbm 4.5.0"),
    inputs={"raw": Content("/opt/ml/processing/input/raw", True, False, {"north.csv": "1", "south.csv": "2"})},
    outputs={"out": "/opt/ml/processing/output/out"},
)


def with_files(**files: str) -> Components:
    named = {f"{name}.csv": digest for name, digest in files.items()}
    return replace(BASE, inputs={"raw": replace(BASE.inputs["raw"], files=named)})


def test_equal_components_have_no_difference_and_one_key() -> None:
    assert compare(BASE, replace(BASE)) == ()
    assert replace(BASE).key == BASE.key


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (with_files(north="3", south="2"), Change("input", "raw", ("north.csv",))),
        (with_files(north="1"), Change("input", "raw", ("south.csv",))),
        (with_files(north="1", south="2", west="4"), Change("input", "raw", ("west.csv",))),
        (replace(BASE, inputs={}), Change("input", "raw", ("north.csv", "south.csv"))),
        (replace(BASE, inputs={"raw": replace(BASE.inputs["raw"], sharded=True)}), Change("input", "raw", ())),
        (
            replace(BASE, arguments=("training", "--time-limit", "300")),
            Change("argument", "--time-limit", ("600 -> 300",)),
        ),
        (
            replace(BASE, arguments=("prediction", *BASE.arguments[1:])),
            Change("argument", "number 1", ("training -> prediction",)),
        ),
        (replace(BASE, arguments=(*BASE.arguments, "--fast")), Change("argument", "--fast", ("none -> ",))),
        (replace(BASE, environment={}), Change("environment", "PARAMETER_Season", ("winter -> none",))),
        (
            replace(BASE, libraries=("python 3.11.4 x86_64", "lightgbm 4.6.0")),
            Change("library", "lightgbm", ("4.5.0 -> 4.6.0",)),
        ),
        (
            replace(BASE, libraries=("python 3.12.0 x86_64", "lightgbm 4.5.0")),
            Change("library", "python", ("3.11.4 x86_64 -> 3.12.0 x86_64",)),
        ),
        (
            replace(BASE, libraries=(*BASE.libraries, "lightgbm 4.5.0")),
            Change("library", "list", ("in another order or form",)),
        ),
        (replace(BASE, image="image:2"), Change("image", "image")),
        (replace(BASE, entrypoint=("python3",)), Change("command", "command")),
        (replace(BASE, instances=2), Change("instances", "instances")),
        (replace(BASE, outputs={}), Change("output", "output")),
    ],
)
def test_each_part_that_differs_is_one_change_and_another_key(new: Components, expected: Change) -> None:
    assert compare(BASE, new) == (expected,)
    assert new.key != BASE.key


@pytest.mark.parametrize("field", ["image", "entrypoint", "arguments", "environment", "instances"])
def test_what_is_not_known_yet_is_no_difference(field: str) -> None:
    other = {"image": "x", "entrypoint": (), "arguments": (), "environment": {}, "instances": 9}

    assert compare(BASE, replace(BASE, **{field: other[field]}), {field}) == ()
    assert compare(BASE, replace(BASE, inputs={}), {"raw"}) == ()


def test_long_values_are_cut() -> None:
    (change,) = compare(BASE, replace(BASE, environment={"PARAMETER_Season": "x" * 500}))

    assert change.details == (f"winter -> {'x' * 37}...",)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 1}}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b (1 -> 2)"]),
        ({"a": 1}, {"b": 1}, ["a (removed)", "b (added)"]),
        ({"m": [{"name": "x", "seed": 0}]}, {"m": [{"name": "x", "seed": 1}]}, ["m.x.seed (0 -> 1)"]),
        (
            {"m": [{"name": "x"}, {"name": "y"}]},
            {"m": [{"name": "y"}, {"name": "z"}]},
            ["m.x (removed)", "m.z (added)"],
        ),
        ({"l": [1]}, {"l": [1, 2]}, ["l (1 entries -> 2 entries)"]),
        ({"l": [1]}, {"l": None}, ["l (1 entries -> None)"]),
        ([], 1, ["all of it (0 entries -> 1)"]),
    ],
)
def test_json_is_compared_key_by_key(old: object, new: object, expected: list[str]) -> None:
    assert list(json_changes(old, new)) == expected


def test_without_names_for_inputs_changes_are_said_plainly() -> None:
    assert say_plainly("S", (Change("input", "raw"), Change("image", "image"))) == (
        "input changed: raw; image changed: image"
    )
