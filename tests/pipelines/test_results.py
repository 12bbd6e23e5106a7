"""An outcome and its files become the result that the CLI prints."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from local_outcomes import origin, published, workspace

from pipelines import results
from pipelines.local.engine import StepRecord

MODEL = {
    "name": "東京",
    "mae": 10.0,
    "mae_low": 9.51,
    "mae_high": 10.62,
    "baseline_mae": 25.0,
    "threshold": 20.0,
    "improvement": 60.0,
    "accepted": True,
    "reasons": [],
    "served_by": "default",
    "rows": 7,
    "model_version": 3,
}
SUMMARY = {"status": "Succeeded", "models": {"東京": MODEL}}
VERDICTS = {"passed": True, "models": {"slug": {**MODEL, "accepted": False, "reasons": ["MAE 31 > threshold 20"]}}}


def test_a_published_execution_gives_models_paths_and_exit_code_0(tmp_path: Path) -> None:
    result = results.collect(workspace(tmp_path), origin(), published(tmp_path, SUMMARY, VERDICTS))

    assert (result.status, result.exit_code) == ("Succeeded", 0)
    assert result.predictions == str(tmp_path / "s3/b/out/predictions")
    assert result.report == str(tmp_path / "s3/b/out/report.html")
    assert result.gate == {"passed": True, "threshold": 20.0}
    assert result.models["東京"]["served_by"] == "default"
    assert result.models["東京"]["model_version"] == 3


def test_a_degraded_summary_gives_exit_code_3(tmp_path: Path) -> None:
    outcome = published(tmp_path, {**SUMMARY, "status": "Degraded"}, VERDICTS)

    assert results.collect(workspace(tmp_path), origin(), outcome).exit_code == 3


def test_a_failed_execution_gives_reason_log_and_verdicts_but_no_predictions(tmp_path: Path) -> None:
    failed = StepRecord("Decide", "Lambda", "Failed", reason="no default for 東京", log="executions/e1/log.txt")
    outcome = replace(published(tmp_path, None, VERDICTS), status="Failed", failed=(failed,))

    result = results.collect(workspace(tmp_path), origin(), outcome)

    assert (result.status, result.exit_code, result.predictions) == ("Failed", 1, None)
    assert result.error == "Decide: no default for 東京"
    assert result.logs == (str(tmp_path / "executions/e1/log.txt"),)
    assert result.models["東京"]["served_by"] is None


def test_an_execution_without_judge_and_postprocess_still_has_a_result(tmp_path: Path) -> None:
    result = results.collect(workspace(tmp_path), origin(), published(tmp_path, None, None))

    assert (result.status, result.models, result.predictions) == ("Succeeded", {}, None)


def test_json_is_one_line_that_reads_back(tmp_path: Path) -> None:
    result = results.collect(workspace(tmp_path), origin(), published(tmp_path, SUMMARY, VERDICTS))

    text = results.as_json(result)

    assert text.count("\n") == 1
    assert json.loads(text)["models"]["東京"]["mae"] == 10.0


def test_the_table_shows_the_version_of_a_default_and_why_a_model_was_rejected(tmp_path: Path) -> None:
    shown = results.as_table(results.collect(workspace(tmp_path), origin(), published(tmp_path, SUMMARY, VERDICTS)))
    rejected = results.as_table(results.collect(workspace(tmp_path), origin(), published(tmp_path, None, VERDICTS)))

    assert "default v3" in shown
    assert "60.0 %" in shown
    assert "10  9.510 to 10.62         20" in shown
    assert "MAE 31 > threshold 20" in rejected


def test_results_of_an_earlier_version_have_no_interval(tmp_path: Path) -> None:
    old = {key: value for key, value in MODEL.items() if key not in ("mae_low", "mae_high")}
    outcome = published(tmp_path, {**SUMMARY, "models": {"東京": old}}, None)

    result = results.collect(workspace(tmp_path), origin(), outcome)

    assert (result.models["東京"]["mae_low"], result.models["東京"]["mae_high"]) == (None, None)
    assert " 10     -         20" in results.as_table(result)


def test_no_name_and_no_reason_forges_a_line_of_the_result(tmp_path: Path) -> None:
    model = {**MODEL, "reasons": ["no\nSucceeded in 1.0 s"], "accepted": False}
    failed = StepRecord("T", "Processing", "Failed", reason="x\nSucceeded in 1.0 s: execution e2\x1b[1A", log="a\nb")
    found = published(tmp_path, {**SUMMARY, "models": {"EWR\nSucceeded": model}}, None)

    result = results.collect(workspace(tmp_path), origin(), replace(found, status="Failed", failed=(failed,)))

    shown = results.as_table(result)
    assert not [line for line in shown.splitlines() if line.startswith("Succeeded")]
    assert "\x1b" not in shown
    assert r"EWR\nSucceeded" in shown


def test_a_failed_execution_shows_the_command_to_go_on_with(tmp_path: Path) -> None:
    outcome = replace(
        published(tmp_path, None, None), status="Failed", failed=(StepRecord("T", "Processing", "Failed"),)
    )

    shown = results.as_table(results.collect(workspace(tmp_path), origin(), outcome, "--config my.yml"))

    assert "go on with: python -m pipelines.run --local --config my.yml --retry e1\n" in shown
    assert "debug with: python -m pipelines.run --local --config my.yml --only T --of e1 --debug\n" in shown


def test_only_a_failed_job_has_a_command_that_debugs_it(tmp_path: Path) -> None:
    judge, train = StepRecord("Judge", "Lambda", "Failed"), StepRecord("Train-a", "Processing", "Failed")
    outcome = replace(published(tmp_path, None, None), status="Failed", failed=(judge,))

    without = json.loads(results.as_json(results.collect(workspace(tmp_path), origin(), outcome)))
    both = results.collect(workspace(tmp_path), origin(), replace(outcome, failed=(judge, train)))

    assert without["debug"] is None
    assert both.debug == "python -m pipelines.run --local --only Train-a --of e1 --debug"


def test_the_threshold_is_none_where_only_the_relative_rule_holds() -> None:
    assert results.threshold_of({"MaeThreshold": 1e11}) is None
    assert results.threshold_of({"MaeThreshold": 12}) == 12.0
    assert results.threshold_of({}) is None


def test_an_unknown_execution_is_answered_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "executions" / "20260101-1").mkdir(parents=True)

    assert "did you mean 20260101-1?" in results.unknown_execution(tmp_path, "20260101-2")
    assert "there is none" in results.unknown_execution(tmp_path / "empty", "x")


@pytest.mark.parametrize("step", ["PrepareTraining", "PreparePrediction", "CheckData"])
def test_data_or_limits_that_were_mended_are_a_new_execution(step: str) -> None:
    """The old one's manifest names the files as they were, and its settings the limits."""
    assert results.next_command(step, origin(raw="my data"), "") == ("python -m pipelines.run --local --raw 'my data'")


def test_a_segment_whose_training_failed_is_left_out_with_its_reason(tmp_path: Path) -> None:
    why = "the fit was killed twice; no approved default model"
    failed = {**MODEL, "served_by": "skipped", "rows": 0, "rows_waiting": 4, "failure": None, "why": why}
    idle = {**failed, "rows_waiting": 0, "why": "no rows to predict"}
    outcome = published(tmp_path, {"status": "Degraded", "models": {"JFK": failed, "LGA": idle}}, VERDICTS)

    result = results.collect(workspace(tmp_path), origin(), outcome)

    assert (result.models["JFK"]["failure"], result.models["LGA"]["failure"]) == (why, None)


def test_a_segment_that_was_left_out_is_told_with_its_reason(tmp_path: Path) -> None:
    failed = {**MODEL, "served_by": "skipped", "rows": 0, "failure": "the predictor does not load"}
    outcome = published(tmp_path, {"status": "Degraded", "models": {"JFK": failed}}, VERDICTS)

    result = results.collect(workspace(tmp_path), origin(), outcome)

    assert result.models["JFK"]["failure"] == "the predictor does not load"
    assert "JFK: left out: the predictor does not load" in results.as_table(result)


def test_the_end_of_a_failed_step_s_log_stands_below_its_place_and_steers_no_terminal(tmp_path: Path) -> None:
    failed = StepRecord("Decide", "Lambda", "Failed", reason="no default for 東京", log="executions/e1/log.txt")
    outcome = replace(published(tmp_path, None, VERDICTS), status="Failed", failed=(failed,))
    result = results.collect(workspace(tmp_path), origin(), outcome)

    lines = results.as_table(result, {result.logs[0]: ["one", "two \x1b[2J"]}).splitlines()

    place = lines.index(f"  log          {tmp_path}/executions/e1/log.txt")
    assert lines[place + 1 : place + 4] == ["    | one", "    | two \\x1b[2J", "error: Decide: no default for 東京"]
