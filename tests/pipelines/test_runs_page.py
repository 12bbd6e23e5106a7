"""`runs.html`: what it tells of executions, that it follows one that runs, and that no text of them is ever code."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kept_executions import TWO_STEPS, Told, add, write_down
from local_outcomes import definition, ping, published

from pipelines import runs_data, runs_page
from pipelines.local.history import History, lock_execution
from pipelines.local.record import Outcome, StepEvent, StepRecord
from pipelines.local.workspace import Workspace
from pipelines.runs_page import Amount

HOSTILE = "</script><script>alert(1)</script>\u2028 \"'\\"
MODEL = {"served_by": "fresh", "accepted": True, "reasons": []}
SUMMARY = {"status": "Succeeded", "models": {"a": MODEL, "b": {**MODEL, "accepted": False}}}


def read(path: Path) -> Any:
    """Return what a data script hands to the page."""
    text = path.read_text(encoding="ascii")
    assert text.startswith("runsPage(")
    assert "<" not in text
    return json.loads(json.loads(text.removeprefix("runsPage(").rstrip().removesuffix(");")))


def index(root: Path) -> dict[str, Any]:
    return {line["id"]: line for line in read(root / "runs-index.js")["runs"]}


def statuses(root: Path, name: str) -> dict[str, str]:
    return {step[0]: step[3] for step in read(root / "executions" / name / "run.js")["steps"]}


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_newest_execution_comes_first_with_its_state_time_and_cause(tmp_path: Path) -> None:
    add(tmp_path, "e1", started="2026-01-01T00:00:00+00:00")
    add(tmp_path, "e2", "Failed", "no rows", started="2026-01-02T00:00:00+00:00", cause="marker a/b.run")

    runs_page.refresh(Workspace(tmp_path))

    assert list(index(tmp_path)) == ["e2", "e1"]
    line = index(tmp_path)["e2"]
    assert (line["status"], line["seconds"], line["cause"], line["error"]) == (
        *("Failed", 2.0, "marker a/b.run"),
        "First: no rows",
    )
    assert "--retry e2" in line["next"]
    assert index(tmp_path)["e1"]["cause"] == "command line"
    assert statuses(tmp_path, "e2") == {"First": "Failed", "Second": "Not run"}


def test_an_execution_that_published_links_to_report_and_predictions_by_relative_paths(tmp_path: Path) -> None:
    write_down(tmp_path, "e1")
    log = History(tmp_path / "executions/e1")
    log.add_execution("Started", 100.0)
    for record in published(tmp_path, SUMMARY, None).steps.values():
        log.add_step(StepEvent(record.name, record.type, record.status, 101.0), record)
    log.add_execution("Succeeded", 102.0)
    log.close()

    runs_page.refresh(Workspace(tmp_path))

    line = index(tmp_path)["e1"]
    assert (line["report"], line["predictions"]) == ("s3/b/out/report.html", "s3/b/out/predictions")
    assert (line["passed"], line["rejected"]) == (1, 1)


def test_an_execution_that_was_killed_is_stopped_and_one_that_runs_executes(tmp_path: Path) -> None:
    add(tmp_path, "killed", "Started")
    add(tmp_path, "running", "Started")

    with lock_execution(tmp_path / "executions/running"):
        runs_page.refresh(Workspace(tmp_path))

    assert {name: line["status"] for name, line in index(tmp_path).items()} == {
        **{"killed": "Stopped", "running": "Executing"}
    }
    assert "--retry killed" in index(tmp_path)["killed"]["next"]


def test_no_text_can_end_the_script_or_the_string_in_which_it_stands(tmp_path: Path) -> None:
    """`read` finds no `<` and nothing but ASCII in the files."""
    add(tmp_path, "e1", "Failed", HOSTILE, pipeline=HOSTILE, raw=HOSTILE, cause=HOSTILE)

    runs_page.refresh(Workspace(tmp_path))

    line = index(tmp_path)["e1"]
    assert (line["pipeline"], line["raw"], line["cause"]) == (HOSTILE, HOSTILE, HOSTILE)
    assert read(tmp_path / "executions/e1/run.js")["steps"][0][6] == HOSTILE
    assert HOSTILE not in (tmp_path / "runs.html").read_text(encoding="utf-8")


def test_what_ended_is_not_read_again_until_its_log_changes(tmp_path: Path) -> None:
    add(tmp_path, "e1")
    runs_page.refresh(Workspace(tmp_path))
    (tmp_path / "executions/e1/run.js").unlink()

    runs_page.refresh(Workspace(tmp_path))
    assert not (tmp_path / "executions/e1/run.js").exists()

    add(tmp_path, "e1", "Failed")
    runs_page.refresh(Workspace(tmp_path))
    assert index(tmp_path)["e1"]["status"] == "Failed"
    assert statuses(tmp_path, "e1")["First"] == "Failed"


def test_a_damaged_index_is_made_anew_and_damaged_executions_are_passed_over(tmp_path: Path) -> None:
    add(tmp_path, "e1")
    write_down(tmp_path, "never-began")
    add(tmp_path, "damaged")
    (tmp_path / "executions/damaged/events.jsonl").write_text("{\n{\n")
    (tmp_path / "runs-index.js").write_text('runsPage("{')
    runs_page.refresh(Workspace(tmp_path))

    assert list(index(tmp_path)) == ["e1"]


def test_a_running_execution_is_followed_step_by_step_to_its_end(tmp_path: Path) -> None:
    made, told = write_down(tmp_path, "e1"), Told()
    run = tmp_path / "executions/e1/run.js"

    with runs_page.keep(Workspace(tmp_path), made, TWO_STEPS, told, pause=0.01) as page:
        wait_for(lambda: run.exists() and (tmp_path / "runs-index.js").exists())
        assert index(tmp_path)["e1"]["status"] == "Waiting"
        page.watch(StepEvent("First", "Lambda", "Executing", 100.0))
        wait_for(lambda: statuses(tmp_path, "e1")["First"] == "Executing")
        assert index(tmp_path)["e1"]["status"] == "Executing"
        page.watch(StepEvent("First", "Lambda", "Succeeded", 101.0))
        wait_for(lambda: statuses(tmp_path, "e1") == {"First": "Succeeded", "Second": "Waiting"})
        add(tmp_path, "e1")

    assert index(tmp_path)["e1"]["status"] == "Succeeded"
    assert statuses(tmp_path, "e1")["Second"] == "Not run"
    assert [event.status for event in told.events] == ["Executing", "Succeeded"]
    assert told.lines == []


def test_a_step_that_was_kept_shows_when_it_ran(tmp_path: Path) -> None:
    add(tmp_path, "e0")
    made, run = write_down(tmp_path, "e1", source="e0"), tmp_path / "executions/e1/run.js"

    with runs_page.keep(Workspace(tmp_path), made, TWO_STEPS, Told(), pause=0.01) as page:
        page.watch(StepEvent("First", "Lambda", "Succeeded", 900.0, message="kept"))
        wait_for(lambda: run.exists() and statuses(tmp_path, "e1")["First"] == "Succeeded")
        assert read(run)["steps"][0][4:6] == [None, 0.0]


def test_a_page_that_cannot_be_written_fails_no_run_and_is_told_once(tmp_path: Path) -> None:
    made, told = write_down(tmp_path, "e1"), Told()
    (tmp_path / "runs-index.js").mkdir()

    with runs_page.keep(Workspace(tmp_path), made, TWO_STEPS, told, pause=0.01) as page:
        page.watch(StepEvent("First", "Lambda", "Succeeded", 101.0))

    assert len(told.lines) == 1
    assert told.lines[0].startswith("runs.html is not kept up to date (IsADirectoryError")
    assert len(told.events) == 1


def test_an_execution_that_is_refused_at_once_leaves_no_page(tmp_path: Path) -> None:
    made = write_down(tmp_path, "e1")

    with runs_page.keep(Workspace(tmp_path), made, TWO_STEPS, Told()):
        pass

    assert not (tmp_path / "runs.html").exists()


def test_a_step_names_the_needs_that_no_other_of_its_needs_waits_for(tmp_path: Path) -> None:
    made = definition(
        ping("Start", Description="Begin"),
        ping("Left", DependsOn=["Start"]),
        ping("Right", DependsOn=["Start"]),
        ping("End", DependsOn=["Start", "Left", "Right"]),
    )

    found = runs_data.outline(made)

    assert [step.needs for step in found] == [(), (0,), (0,), (1, 2)]
    assert [step.about for step in found] == ["Begin", "", "", ""]


def test_what_was_kept_ended_before_the_last_attempt_began(tmp_path: Path) -> None:
    kept, ran = (
        StepRecord(name, "Lambda", "Succeeded", started=at, seconds=2.0) for name, at in (("a", 50), ("b", 98))
    )

    assert runs_data.since(Outcome("e1", "Succeeded", {"a": kept, "b": ran}, 3.0)) == 97.0
    assert runs_data.since(Outcome("e1", "Failed", {}, 3.0)) is None


def test_the_page_reads_a_part_of_an_older_workspace_at_a_time(tmp_path: Path) -> None:
    for number in range(4):
        add(tmp_path, f"e{number}", started=f"2026-01-0{number + 1}T00:00:00+00:00")
    few = Amount(lines=3, read=2, steps=1)

    runs_page.refresh(Workspace(tmp_path), amount=few)
    assert {name: line["steps"] for name, line in index(tmp_path).items()} == {"e3": True, "e2": False}
    runs_page.refresh(Workspace(tmp_path), amount=few)
    assert list(index(tmp_path)) == ["e3", "e2", "e1"]
    assert read(tmp_path / "runs-index.js")["total"] == 4
