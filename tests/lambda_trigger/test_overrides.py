"""Bodies of markers: whatever they hold, the answer is values and problems, never a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_executions import _checked_values
from hypothesis import given
from hypothesis import strategies as st
from lambda_world import definition

from lambda_trigger import overrides
from lambda_trigger.definition import parse
from lambda_trigger.overrides import Limits

DEFINITION = definition("s3://b/settings/settings.json")
LIMITS = Limits(parse(json.dumps(DEFINITION)).parameters, 2360)
NAMES = st.sampled_from(["MaeThreshold", "FallbackPolicy", "TrainTimeLimitSeconds", "Season", "Holidays"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(["all", "12", "1e3", "TRUE", "900"]),
)
COMPUTED = {"RawDataUri": "s3://raw/", "TrainDataVersion": "t", "PredictDataVersion": "p"}


@given(st.one_of(st.binary(), st.text(alphabet="ab:{}[]&*!- \n\"'0?|>#%@`,").map(str.encode)))
def test_no_body_makes_the_reader_raise(content: bytes) -> None:
    body, problems = overrides.read(content)

    overrides.check(body.values, LIMITS)
    assert all(problem and len(problem) < 500 for problem in problems)


@given(st.dictionaries(NAMES, VALUES))
def test_what_is_accepted_is_accepted_by_a_strict_service_too(values: dict[str, Any]) -> None:
    texts, problems = overrides.check(values, LIMITS)

    if not problems:
        assert texts.keys() == values.keys()
        _checked_values(DEFINITION, {**COMPUTED, **texts})


@pytest.mark.parametrize(
    "body",
    [
        *("MaeThreshold: .nan", "MaeThreshold: .inf", "MaeThreshold: -1", "MaeThreshold: 0", "MaeThreshold: nan"),
        *(
            '{"MaeThreshold": NaN}',
            '{"MaeThreshold": -Infinity}',
            '{"MaeThreshold": 1e999}',
            '{"MaeThreshold": "1e12"}',
        ),
        *("MaeThreshold: yes", "MaeThreshold:", "MaeThreshold: [5]"),
    ],
)
def test_a_threshold_that_no_mae_can_be_compared_with_is_refused(body: str) -> None:
    read, problems = overrides.read(body.encode())

    assert not problems
    _, problems = overrides.check(read.values, LIMITS)
    assert len(problems) == 1
    assert problems[0].startswith("MaeThreshold: ")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("MaeThreshold", 12, "12.0"),
        ("MaeThreshold", "1e3", "1000.0"),
        ("TrainTimeLimitSeconds", "900", "900"),
        ("Holidays", False, "false"),
        ("Holidays", "True", "true"),
        ("Season", "", ""),
        ("Season", "12", "12"),
        ("FallbackPolicy", "per_model", "per_model"),
    ],
)
def test_values_become_texts_of_their_declared_type(name: str, value: Any, text: str) -> None:
    assert overrides.check({name: value}, LIMITS) == ({name: text}, [])


def test_numbers_are_decimal_as_people_write_them() -> None:
    body, problems = overrides.read(b"TrainTimeLimitSeconds: 0600\nMaeThreshold: 012.50\nfiles: {a.csv: 0644}")
    values, wrong = overrides.check(body.values, LIMITS)

    assert (problems, wrong) == ([], [])
    assert values["TrainTimeLimitSeconds"] == "600"
    assert values["MaeThreshold"] == "12.5"
    assert body.files == {"a.csv": 644}


@pytest.mark.parametrize("content", [b"", b" \n", b"\t\n", b"\xef\xbb\xbf", b"# nothing\n"])
def test_a_body_of_nothing_but_blanks_is_empty(content: bytes) -> None:
    assert overrides.read(content) == (overrides.Body(), [])
