"""The pipeline that scores only: its golden file, and that its steps are those of the whole one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from test_definition import CODE_ADDRESS, CONFIG, GOLDEN, listed

from pipelines import limits
from pipelines.compile import Compiled, choose, compile_pipeline
from pipelines.settings import load
from steps import contract as c

DEFINITION = GOLDEN / "flights-predict.definition.json"


def compiled(mode: str) -> Compiled:
    settings = load(CONFIG)
    return compile_pipeline(settings, choose(settings, CONFIG, None, frozen=True), mode=mode)


@pytest.fixture(scope="module")
def scoring() -> Compiled:
    return compiled(c.PREDICT_MODE)


@pytest.fixture(scope="module")
def whole() -> Compiled:
    return compiled(c.FULL)


def steps_of(found: Compiled) -> dict[str, dict[str, Any]]:
    everything = json.loads(found.text)["Steps"]
    inside = [s for step in everything for side in ("IfSteps", "ElseSteps") for s in step["Arguments"].get(side, [])]
    return {step["Name"]: step for step in [*everything, *inside]}


def test_the_definition_is_the_golden_file(scoring: Compiled) -> None:
    """The difference in this file is the review of a change; write it anew with GOLDEN=write in the environment."""
    found = CODE_ADDRESS.sub(r"/\1/<sha256>", scoring.text)
    if os.environ.get("GOLDEN") == "write":
        DEFINITION.write_text(found, encoding="utf-8")

    assert found == DEFINITION.read_text(encoding="utf-8")


def test_it_trains_judges_and_registers_nothing(scoring: Compiled) -> None:
    assert list(steps_of(scoring)) == [
        *(c.NOTIFY_STARTED, c.CHOOSE_DEFAULTS, c.PREPARE_PREDICTION, c.DECIDE, c.CHECK_DATA),
        *(f"{c.INFER}-{slug}" for slug in ("C-all", "EWR", "pooled")),
        *(c.POSTPROCESS, c.NOTIFY_FINISHED),
    ]


def test_its_parameters_are_those_of_the_data_to_predict_and_the_users_own(scoring: Compiled) -> None:
    names = [parameter["Name"] for parameter in json.loads(scoring.text)["Parameters"]]

    assert names == [c.RAW_DATA_URI, c.PREDICT_DATA_VERSION, "Discount", "Holidays", "Season", "Year"]


@pytest.mark.parametrize("name", [c.PREPARE_PREDICTION, f"{c.INFER}-EWR", c.POSTPROCESS])
def test_its_jobs_run_the_code_and_settings_of_the_whole_pipeline(
    name: str, scoring: Compiled, whole: Compiled
) -> None:
    def code(found: Compiled) -> dict[str, str]:
        inputs = steps_of(found)[name]["Arguments"]["ProcessingInputs"]
        taken = {given["InputName"]: given["S3Input"]["S3Uri"] for given in inputs}
        return {key: taken[key] for key in (c.IN_CODE, c.IN_SETTINGS)}

    assert code(scoring) == code(whole)


def test_nothing_is_scored_before_the_rows_are_known_to_fit_the_defaults(scoring: Compiled) -> None:
    steps = steps_of(scoring)

    assert steps[c.CHECK_DATA]["DependsOn"] == [c.DECIDE]
    assert {tuple(step["DependsOn"]) for name, step in steps.items() if name.startswith(c.INFER)} == {(c.CHECK_DATA,)}


def test_it_needs_no_bundle_that_the_whole_pipeline_does_not_need(scoring: Compiled, whole: Compiled) -> None:
    assert {bundle.uri for bundle in scoring.bundles} == {bundle.uri for bundle in whole.bundles}


def test_models_that_share_jobs_in_the_whole_pipeline_share_the_same_ones_here() -> None:
    settings = listed(40)
    packed = compile_pipeline(settings, choose(settings, Path("c.yml"), None, frozen=True)).models

    found = compile_pipeline(settings, packed, mode=c.PREDICT_MODE)

    assert found.models == packed
    assert limits.check(json.loads(found.text)) == []
    assert not any(name.endswith(c.FALLBACK) for name in steps_of(found))
