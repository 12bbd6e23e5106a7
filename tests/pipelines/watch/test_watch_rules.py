"""A marker's body means on this machine what it means on AWS."""

from __future__ import annotations

import json

import pytest
from watched_folder import CONFIG

from pipelines.errors import ParameterError
from pipelines.local import document
from pipelines.local.step import Definition
from pipelines.watch import rules
from steps.contract import DataFile


@pytest.fixture
def definition() -> Definition:
    declared = [
        {"Name": "MaeThreshold", "Type": "Float", "DefaultValue": 1e11},
        {"Name": "FallbackPolicy", "Type": "String", "DefaultValue": "all", "EnumValues": ["all", "per_model"]},
        {"Name": "RawDataUri", "Type": "String"},
    ]
    content = {"Version": "2020-12-01", "Metadata": {}, "Parameters": declared, "Steps": []}
    return document.parse(json.dumps(content))


def test_values_are_given_as_texts(definition: Definition) -> None:
    assert rules.choose(b"MaeThreshold: 12\nFallbackPolicy: per_model", definition, CONFIG) == {
        "MaeThreshold": "12.0",
        "FallbackPolicy": "per_model",
    }
    assert rules.choose(b"", definition, CONFIG) == {}


def test_every_problem_is_told_at_once(definition: Definition) -> None:
    with pytest.raises(ParameterError) as caught:
        rules.choose(b"MaeTreshold: 1\nFallbackPolicy: some\nRawDataUri: s3://x/", definition, CONFIG)

    assert len(caught.value.problems) == 3
    assert "did you mean MaeThreshold?" in str(caught.value)


def test_promised_files_are_missing_until_they_have_their_size() -> None:
    files = (DataFile("train.csv", "", 3),)

    assert rules.missing(b"files: {train.csv: 3}", "d", files) == []
    assert rules.missing(b"files: {train.csv: 4}", "d", files) == ["files: train.csv has 3 bytes, the marker says 4"]
    assert rules.missing(b"files: [trian.csv]", "d", files) == ["files: trian.csv is not in d; did you mean train.csv?"]
    assert rules.missing(b"no: [mapping", "d", files) == []
    assert rules.misread(b"no: [mapping") != ()


def test_more_bytes_than_a_marker_may_have_are_refused() -> None:
    assert rules.misread(b"#" * (rules.READ - 1)) == ()
    assert "more than" in rules.misread(b"#" * rules.READ)[0]


def test_a_marker_says_whether_all_of_the_pipeline_runs_or_it_scores_only(definition: Definition) -> None:
    assert [rules.mode_of(body) for body in (b"", b"mode: full", b"mode: predict")] == ["full", "full", "predict"]
    assert rules.choose(b"mode: predict", definition, CONFIG) == {}
    assert "did you mean predict?" in rules.misread(b"mode: predictt")[0]
