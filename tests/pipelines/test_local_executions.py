"""Executions of a workspace: list, status, fetch, stop, and what `--last` and `--rerun` take."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from local_outcomes import definition, origin, ping, published

from pipelines.local.history import History, lock_execution
from pipelines.local.load import Taken
from pipelines.local.record import StepEvent, StepRecord
from pipelines.local_executions import recollect, step_seconds
from pipelines.run import main

SUMMARY = {"status": "Succeeded", "models": {}}


class Shelf:
    """A workspace with executions as the engine leaves them, and the command run over it."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys = root, capsys

    def add(self, name: str, *, started: str, status: str = "Succeeded", **facts: Any) -> Path:
        """Add an execution; one that succeeds has published predictions. Return its folder."""
        folder = self.root / "executions" / name
        folder.mkdir(parents=True)
        made = origin(execution=name, started=started, raw=str(self.root / "raw"), **facts)
        (folder / "request.json").write_text(made.to_json())
        (folder / "definition.json").write_text(definition(ping("Ping")).text)
        steps: dict[str, StepRecord] = {"Ping": StepRecord("Ping", "Lambda", status, reason="no answer")}
        if status == "Succeeded":
            steps = dict(published(self.root, SUMMARY, None).steps) if not (self.root / "s3").exists() else steps
            (self.root / "s3/b/out/_SUCCESS").touch()
        history = History(folder)
        history.add_execution("Started", 100.0)
        for step in steps.values():
            history.add_step(StepEvent(step.name, step.type, step.status, 101.0), step)
        if status != "Started":
            history.add_execution(status, 102.0)
        history.close()
        return folder

    def cli(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["--local", "--workspace", str(self.root), *arguments])
        shown = self.capsys.readouterr()
        return code, shown.out, shown.err


@pytest.fixture
def shelf(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shelf:
    return Shelf(tmp_path, capsys)


def test_the_list_shows_the_newest_first_and_passes_over_what_it_cannot_read(shelf: Shelf) -> None:
    shelf.add("e1", started="2026-01-01T00:00:00+00:00")
    shelf.add("e2", started="2026-01-02T00:00:00+00:00", status="Failed")
    (shelf.root / "executions/broken").mkdir()
    (shelf.root / "executions/broken/request.json").write_text("{")

    code, out, _ = shelf.cli("--list", "--json")

    assert code == 0
    assert [(line["execution"], line["status"]) for line in json.loads(out)] == [("e2", "Failed"), ("e1", "Succeeded")]


def test_an_empty_workspace_has_an_empty_list_and_no_last(shelf: Shelf) -> None:
    assert shelf.cli("--list")[:2] == (0, "nothing has run yet\n")
    assert "nothing has run in the workspace" in shelf.cli("--retry", "--last")[2]


def test_the_status_of_the_newest_shows_its_steps_and_how_to_go_on(shelf: Shelf) -> None:
    shelf.add("e1", started="2026-01-01T00:00:00+00:00")
    shelf.add("e2", started="2026-01-02T00:00:00+00:00", status="Failed")

    code, out, _ = shelf.cli("--status")

    assert code == 0
    assert out.splitlines()[1].split()[:2] == ["Ping", "Failed"]
    assert "error: Ping: no answer" in out
    assert f"--local --workspace {shelf.root} --retry e2" in out


def test_an_unknown_execution_is_answered_with_the_nearest(shelf: Shelf) -> None:
    shelf.add("20260101-1", started="2026-01-01T00:00:00+00:00")

    code, _, err = shelf.cli("--status", "20260101-2")

    assert code == 2
    assert "did you mean 20260101-1?" in err


def test_fetch_copies_what_was_published(shelf: Shelf) -> None:
    shelf.add("e1", started="2026-01-01T00:00:00+00:00")

    code, out, _ = shelf.cli("--fetch", "--last", "--to", str(shelf.root / "got"))

    assert (code, out) == (0, f"{shelf.root}/got/p-e1\n")
    assert {path.name for path in (shelf.root / "got/p-e1").iterdir()} == {
        "_SUCCESS",
        "predictions",
        "report.html",
        "summary.json",
    }


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_the_status_of_an_execution_whose_summary_is_gone_or_damaged_says_so(shelf: Shelf, content: str | None) -> None:
    shelf.add("e1", started="2026-01-01T00:00:00+00:00")
    path = shelf.root / "s3/b/out/summary.json"
    path.unlink()
    if content is not None:
        path.write_text(content)

    code, out, err = shelf.cli("--status", "e1")

    assert (code, out) == (2, "")
    assert f"error: {path}: is gone or damaged; " in " ".join(err.split())


def test_a_failed_execution_has_nothing_to_fetch(shelf: Shelf) -> None:
    shelf.add("e1", started="2026-01-01T00:00:00+00:00", status="Failed")

    assert "has published no predictions" in shelf.cli("--fetch", "e1")[2]


def test_what_runs_in_another_terminal_is_stopped_there(shelf: Shelf) -> None:
    folder = shelf.add("e1", started="2026-01-01T00:00:00+00:00", status="Started")

    with lock_execution(folder):
        running = shelf.cli("--stop", "e1")
        status = shelf.cli("--status", "e1", "--json")
    over = shelf.cli("--stop", "e1")

    assert running[0] == 2
    assert "press Ctrl-C there" in running[2]
    assert json.loads(status[1])["status"] == "Executing"
    assert "it is not running, but Stopped" in over[2]


def test_a_rerun_of_data_that_have_changed_is_refused(shelf: Shelf) -> None:
    """Its versions could not be had again."""
    config = shelf.root / "c.yml"
    config.write_text("data: {label: y, id: id}\nmodels: {by: s}\n")
    (shelf.root / "raw").mkdir()
    for name in ("train.csv", "predict.csv"):
        (shelf.root / "raw" / name).write_text("y,id,s\n")
    versions = {"TrainDataVersion": "1", "PredictDataVersion": "2"}
    shelf.add("e1", started="2026-01-01T00:00:00+00:00", config=str(config), parameters=versions)

    code, _, err = shelf.cli("--rerun", "e1")

    assert code == 2
    assert "have changed since; start a new execution" in err


def test_a_step_took_as_long_as_when_it_last_ran_and_was_not_taken_from_the_cache(shelf: Shelf) -> None:
    def add(name: str, day: int, *steps: StepRecord, **facts: Any) -> None:
        folder = shelf.add(name, started=f"2026-01-0{day}T00:00:00+00:00", status="Started", **facts)
        history = History(folder)
        for step in steps:
            history.add_step(StepEvent(step.name, step.type, step.status, 103.0), step)
        history.close()

    train = StepRecord("Train-a", "Processing", "Succeeded", seconds=30.0)
    add("e1", 1, train, StepRecord("Train-b", "Processing", "Succeeded", seconds=9.0))
    add("e2", 2, replace(train, seconds=1.0, cached=True), StepRecord("Train-b", "Processing", "Failed", seconds=1.0))
    add("e3", 3, replace(train, seconds=4.0), pipeline="another")

    assert step_seconds(shelf.root, origin().pipeline) == {"Train-a": 30.0, "Train-b": 9.0}


def test_what_a_step_took_is_looked_for_until_an_execution_in_which_every_step_ran(shelf: Shelf) -> None:
    def add(day: int, *steps: StepRecord) -> None:
        folder = shelf.add(f"e{day}", started=f"2026-01-0{day}T00:00:00+00:00", status="Started")
        history = History(folder)
        for step in steps:
            history.add_step(StepEvent(step.name, step.type, step.status, 103.0), step)
        history.add_execution("Succeeded", 104.0)
        history.close()

    train = StepRecord("Train-a", "Processing", "Succeeded", seconds=30.0, peak_memory_mb=500.0)
    infer = replace(train, name="Infer-a", seconds=5.0)
    add(1, replace(train, name="Train-gone"))
    add(2, train, infer)
    for day in (3, 4, 5, 6):
        add(day, replace(train, seconds=0.1, cached=True), replace(infer, seconds=float(day)))

    assert recollect(shelf.root, origin().pipeline).taken == {
        "Train-a": Taken(30.0, 500.0),
        "Infer-a": Taken(6.0, 500.0),
    }


def test_what_trainings_took_is_known_however_often_the_pipeline_has_scored_only_since(shelf: Shelf) -> None:
    train = StepRecord("Train-a", "Processing", "Succeeded", seconds=30.0, peak_memory_mb=500.0)
    infer = replace(train, name="Infer-a", seconds=5.0)
    for day in range(1, 15):
        scores = day > 2
        facts = {"started": f"2026-01-{day:02}T00:00:00+00:00", "mode": "predict" if scores else "full"}
        history = History(shelf.add(f"e{day}", status="Started", **facts))
        for step in [replace(infer, seconds=float(day))] if scores else [train, infer]:
            history.add_step(StepEvent(step.name, step.type, step.status, 103.0), step)
        history.add_execution("Succeeded", 104.0)
        history.close()

    found = recollect(shelf.root, origin().pipeline)

    assert found.taken == {"Train-a": Taken(30.0, 500.0), "Infer-a": Taken(14.0, 500.0)}
    assert found.seconds == {"Train-a": [30.0, 30.0], "Infer-a": [14.0, 13.0, 12.0, 11.0, 10.0]}


def failed_with_logs(shelf: Shelf, steps: int) -> None:
    folder = shelf.add("e1", started="2026-01-01T00:00:00+00:00", status="Started")
    history = History(folder)
    for number in range(steps):
        log = folder / f"steps/Train-{number}/log.txt"
        log.parent.mkdir(parents=True)
        log.write_text(f"first\nlast of {number}\n")
        place = log.relative_to(shelf.root).as_posix()
        record = StepRecord(f"Train-{number}", "Processing", "Failed", reason="exit code 1", log=place)
        history.add_step(StepEvent(record.name, record.type, record.status, 103.0), record)
    history.add_execution("Failed", 104.0)
    history.close()


def test_the_status_of_a_failed_execution_shows_the_ends_of_the_first_logs(shelf: Shelf) -> None:
    failed_with_logs(shelf, 5)

    code, out, _ = shelf.cli("--status", "e1")

    assert code == 0
    assert [number for number in range(5) if f"    | last of {number}\n" in out] == [0, 1, 2]
    assert out.count("log.txt") == 5


def test_programs_get_no_logs_and_at_debug_they_are_shown_once_while_they_grow(shelf: Shelf) -> None:
    failed_with_logs(shelf, 1)

    assert "last of" not in shelf.cli("--status", "e1", "--json")[1]
    assert "last of" not in shelf.cli("--status", "e1", "--log-level", "debug")[1]


def test_how_long_steps_took_and_how_the_gate_came_out_is_known_of_the_last_few_executions(shelf: Shelf) -> None:
    for day in range(1, 9):
        folder = shelf.add(f"e{day}", started=f"2026-01-0{day}T00:00:00+00:00", status="Started")
        history = History(folder)
        train = StepRecord("Train-a", "Processing", "Succeeded", seconds=float(day), cached=day == 7)
        gate = StepRecord("MaeGate", "Condition", "Succeeded", results={"Outcome": day < 8})
        for step in (train, gate):
            history.add_step(StepEvent(step.name, step.type, step.status, 103.0), step)
        history.add_execution("Succeeded", 104.0)
        history.close()

    found = recollect(shelf.root, origin().pipeline)

    assert found.seconds == {"Train-a": [8.0, 6.0, 5.0, 4.0, 3.0]}
    assert found.outcomes == {"MaeGate": False}
    assert found.taken == {"Train-a": Taken(8.0, None)}
