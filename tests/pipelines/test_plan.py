"""The plan: segments, models and steps before anything is spent."""

from __future__ import annotations

import json
from typing import Any

from pipelines import shards
from pipelines.cost import Bill
from pipelines.cost import Line as Charge
from pipelines.local.forecast import Forecast
from pipelines.models import Census, Segment, choose_models
from pipelines.plan import Line, Plan, draw, render, warnings
from pipelines.settings import validate

STEP = {"Name": "A", "Type": "Processing", "Arguments": {}}
GATE = {"Name": "G", "Type": "Condition", "Arguments": {"IfSteps": [STEP], "ElseSteps": [STEP, STEP]}}
COST = Bill((Charge("train", "ml.m5.xlarge", 1, 4.0, None, None),), "USD")
DEFINITION = json.dumps({"Steps": [STEP, GATE]})


def plan(census: Census, **changes: Any) -> Plan:
    settings = validate({"data": {"label": "y", "id": "id"}, "models": {"by": "r"}, "min_rows": 10, **changes}, "c")
    return draw(settings, choose_models(settings, census), census, DEFINITION)


def test_a_plan_says_for_each_segment_which_model_it_gets() -> None:
    census = Census((Segment("C (all)", 50, 5), Segment("small", 3, 1), Segment("new", 0, 2)), Segment("", 1, 0))
    found = plan(census)

    assert found.lines == (
        Line("C (all)", "C-all", 50, 5, "own"),
        Line("small", "-", 3, 1, "pooled (pooled)"),
        Line("new", "-", 0, 2, "pooled (pooled)"),
        Line("(empty)", "-", 1, 0, "pooled (pooled)"),
    )
    assert (found.models, found.steps, found.step_ceiling) == (2, 5, 50)


def test_rows_without_a_model_are_shown_with_what_becomes_of_them() -> None:
    found = plan(Census((Segment("a", 50, 5), Segment("b", 1, 1)), Segment("", 0, 0)), rest="skip")

    assert [line.model for line in found.lines] == ["own", "skip"]


def test_columns_that_the_prediction_files_lack_are_warned_of() -> None:
    (warning,) = warnings(Census((Segment("a", 5, 5),), Segment("", 0, 0), ("column 'x' is not in 'p.csv'",)))

    assert warning == "column 'x' is not in 'p.csv'. The run will fail, unless the column is empty in training"


def test_listed_models_are_planned_by_name() -> None:
    listed = [{"name": "A", "where": {"r": "a"}}, {"name": "B", "where": {"r": "b"}}]
    found = plan(Census((Segment("A", 5, 5), Segment("B", 0, 0)), Segment("", 0, 3)), models=listed)

    assert [(line.segment, line.model) for line in found.lines] == [
        ("A", "own"),
        ("B", "own"),
        ("(no model)", "pooled (pooled)"),
    ]


def test_a_plan_is_shown_as_a_table_that_says_nothing_was_run() -> None:
    text = render(plan(Census((Segment("a", 50, 5),), Segment("", 0, 0))), COST, as_json=False)

    assert text.splitlines() == [
        "segment  slug  train rows  predict rows  model",
        "a        a             50             5  own",
        "",
        "1 models, 5 steps in the definition (step_ceiling 50)",
        "",
        "on AWS  machine       steps  instance-hours at most",
        "train   ml.m5.xlarge      1                    4.00",
        "all                       1                    4.00",
        "at most: every job runs until it is stopped (max_runtime), none is taken from the cache",
        "nothing was run",
    ]


def test_a_plan_of_models_that_share_jobs_names_their_shards() -> None:
    census = Census((Segment("a", 50, 5), Segment("b", 50, 5)), Segment("", 3, 0))
    settings = validate({"data": {"label": "y", "id": "id"}, "models": {"by": "r"}, "min_rows": 10}, "c")
    packed = shards.pack(choose_models(settings, census), 2)

    lines = render(draw(settings, packed, census, DEFINITION), COST, as_json=False).splitlines()

    assert lines[:4] == [
        "segment  slug  train rows  predict rows  model            shard",
        "a        a             50             5  own              shard-01",
        "b        b             50             5  own              shard-02",
        "(empty)  -              3             0  pooled (pooled)  shard-01",
    ]
    assert lines[5].startswith("3 models in 2 jobs, 5 steps")


def test_a_plan_is_one_json_object_on_one_line() -> None:
    text = render(plan(Census((Segment("日本", 50, 5),), Segment("", 0, 0))), COST, as_json=True)

    assert text.count("\n") == 1
    assert json.loads(text)["lines"][0]["segment"] == "日本"
    assert json.loads(text)["cost"]["all"]["hours_at_most"] == 4
    assert "日本" in text


def test_a_plan_that_explains_says_for_each_step_why_it_would_run() -> None:
    drawn = plan(Census((Segment("a", 50, 5),), Segment("", 0, 0)))
    forecasts = [Forecast("A", "Processing", "always")]

    assert render(drawn, COST, as_json=False, forecasts=forecasts).splitlines()[-5:] == [
        "",
        "step  cache  why",
        "A     runs   always runs: caching is off for this step",
        "",
        "nothing was run",
    ]
    assert json.loads(render(drawn, COST, as_json=True, forecasts=forecasts))["explain"][0]["outcome"] == "always"
    assert "explain" not in json.loads(render(drawn, COST, as_json=True))


def test_a_plan_of_a_run_that_scores_only_says_which_version_serves_each_segment() -> None:
    census = Census((Segment("a", 0, 5), Segment("new", 0, 2)), Segment("", 0, 0))
    known = Census((Segment("a", 50, 5), Segment("new", 0, 2)), Segment("", 0, 0))
    settings = validate({"data": {"label": "y", "id": "id"}, "models": {"by": "r"}, "min_rows": 10}, "c")
    served = {"a": "default v3, MAE 2.5", "(pooled)": "default v1, MAE 4"}

    found = draw(settings, choose_models(settings, known), census, DEFINITION, served)

    assert [line.model for line in found.lines] == ["default v3, MAE 2.5", "pooled, default v1, MAE 4"]
    shown = render(found, COST, as_json=False).splitlines()
    assert shown[0].split() == ["segment", "slug", "predict", "rows", "model"]
    assert "2 models, which score only, 5 steps" in "\n".join(shown)
    assert json.loads(render(found, COST, as_json=True))["mode"] == "predict"
