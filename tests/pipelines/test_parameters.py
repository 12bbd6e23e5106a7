"""Values that cannot work are refused before anything runs."""

from __future__ import annotations

import json

import pytest

from pipelines import parameters
from pipelines.errors import ParameterError, SettingsError
from pipelines.local import document
from pipelines.settings import Settings, validate

DECLARED = [
    {"Name": "MaeThreshold", "Type": "Float", "DefaultValue": 5.0},
    {"Name": "TrainTimeLimitSeconds", "Type": "Integer", "DefaultValue": 600},
    {"Name": "Season", "Type": "String", "DefaultValue": "winter"},
]
DEFINITION = document.parse(json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": DECLARED, "Steps": []}))


def config(**changes: object) -> Settings:
    return validate({"data": {"label": "y", "id": "id"}, "models": {"by": "s"}, **changes}, "c.yml")


def test_pairs_become_a_mapping_and_keep_later_equal_signs() -> None:
    assert parameters.read_pairs(["A=1", "B=x=y"]) == {"A": "1", "B": "x=y"}


def test_a_pair_without_an_equal_sign_is_refused() -> None:
    with pytest.raises(SettingsError, match="Name=Value"):
        parameters.read_pairs(["A"])


def test_values_are_converted_and_defaults_filled_in() -> None:
    found = parameters.check(DEFINITION, {"MaeThreshold": "7"}, config())

    assert found == {"MaeThreshold": 7.0, "TrainTimeLimitSeconds": 600, "Season": "winter"}


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"MaeThreshold": "0"}, "above 0"),
        ({"MaeThreshold": "1e12"}, "above 0"),
        ({"MaeThreshold": "-3"}, "above 0"),
        ({"Season": "win\nter"}, "Season: holds a line break or another control character"),
        ({"Season": "win\0ter"}, "Season: holds a line break or another control character"),
        ({"MaeThreshold": "nan"}, "expected Float"),
        ({"MaeThreshold": "-inf"}, "expected Float"),
        ({"MaeThreshold": float("nan")}, "expected Float"),
        ({"TrainTimeLimitSeconds": "0"}, "above 0"),
        ({"TrainTimeLimitSeconds": "100000"}, "instances.train.max_runtime"),
        ({"MaeTreshold": "3"}, "MaeThreshold"),
    ],
)
def test_a_value_that_cannot_work_is_refused(given: dict[str, str], part: str) -> None:
    with pytest.raises(ParameterError, match=part):
        parameters.check(DEFINITION, given, config())


def test_both_mistakes_are_reported_at_once() -> None:
    with pytest.raises(ParameterError) as raised:
        parameters.check(DEFINITION, {"MaeThreshold": "0", "TrainTimeLimitSeconds": "0"}, config())

    assert len(raised.value.problems) == 2


def test_going_on_takes_the_same_values_again_and_refuses_others() -> None:
    known = {"MaeThreshold": 7.0, "TrainTimeLimitSeconds": 600}

    parameters.check_same(DEFINITION, known, {"MaeThreshold": "7"})
    with pytest.raises(ParameterError, match="was started with"):
        parameters.check_same(DEFINITION, known, {"MaeThreshold": "8"})


def test_what_is_computed_from_the_raw_folder_cannot_be_set() -> None:
    with pytest.raises(SettingsError, match="--raw"):
        parameters.read_own(["TrainDataVersion=abc"])
