"""One marker: started, gone on with, concluded or refused, by how far its execution has come."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from local_outcomes import definition, origin, ping
from watched_folder import CONFIG, Killed, MemoryExecutions, result

from pipelines.errors import BrokenOffError, ExecutionError
from pipelines.local import history
from pipelines.local.engine import StepRecord
from pipelines.local.record import StepEvent
from pipelines.local_executions import open_workspace
from pipelines.watch import serving
from pipelines.watch.console import Console
from pipelines.watch.ledger import Entry
from pipelines.watch.serving import LocalExecutions, MarkerServer

ENTRY = Entry("t" * 64, "d/x.run", "20270115-080000-tttttttt", 1_800_000_000.0, b"")


def server(root: Path, executions: serving.Executions) -> MarkerServer:
    return MarkerServer(executions, root, CONFIG, root / "inbox", "--config c.yml", list().append, list().append)


def outbox(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "outbox").rglob("*.txt"))


def test_the_document_of_a_run_is_its_result_with_marker_and_version(tmp_path: Path) -> None:
    ended = server(tmp_path, MemoryExecutions()).serve(ENTRY)

    assert ended is not None
    assert {"marker": "d/x.run", "version": ENTRY.token, "status": "Succeeded"}.items() <= ended.document.items()
    assert json.loads(json.dumps(ended.document))["logs"] == []


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[1, 2]", b"!!python/object:os.system {}", b"a: 1\na: 2", b"files: 3"])
def test_a_body_that_cannot_be_read_starts_nothing(tmp_path: Path, body: bytes) -> None:
    executions = MemoryExecutions()
    ended = server(tmp_path, executions).serve(Entry("t", "d/x.run", "e1", 0.0, body))

    assert ended is not None
    assert ended.status == "Refused"
    assert executions.entries == []
    assert outbox(tmp_path) == ["01-refused.txt"]


def test_a_path_that_is_no_text_is_refused(tmp_path: Path) -> None:
    ended = server(tmp_path, MemoryExecutions()).serve(Entry("t", "d\udcff/x.run", "e1", 0.0, b""))

    assert ended is not None
    assert "is no UTF-8 text" in ended.reason
    assert "d\\udcff/x.run" in (tmp_path / "outbox/e1/01-refused.txt").read_text()


def test_a_refused_marker_is_never_said_to_start_and_names_no_execution(tmp_path: Path) -> None:
    said: list[str] = []
    refusing = MemoryExecutions(errors={ENTRY.path: ExecutionError("no file matches")})
    ended = MarkerServer(refusing, tmp_path, CONFIG, tmp_path, "", said.append, said.append).serve(ENTRY)

    assert ended is not None
    assert (ended.document["status"], ended.document["execution"]) == ("Refused", None)
    assert said == []


def test_a_refusal_that_was_mailed_before_a_crash_is_not_mailed_again(tmp_path: Path) -> None:
    for _ in range(2):
        server(tmp_path, MemoryExecutions()).refuse(ENTRY, ("a reason",))

    assert outbox(tmp_path) == ["01-refused.txt"]


def test_a_mail_that_cannot_be_kept_is_said_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    said: list[str] = []
    made = MarkerServer(MemoryExecutions(), tmp_path, CONFIG, tmp_path, "", said.append, said.append)

    assert made.refuse(ENTRY, ("a reason",)).status == "Refused"
    assert "cannot be kept" in said[0]


def test_an_error_after_the_execution_has_started_is_a_failure_with_the_command_to_go_on(tmp_path: Path) -> None:
    def strike(point: str) -> None:
        if point == "in an execution":
            raise ExecutionError("the disk is full")

    ended = server(tmp_path, MemoryExecutions(strike=strike)).serve(ENTRY)

    assert ended is not None
    assert (ended.status, ended.reason) == ("Failed", "the disk is full")
    assert ended.document["execution"] == ENTRY.execution
    assert ended.advice == f"python -m pipelines.run --local --config c.yml --retry {ENTRY.execution}"
    assert outbox(tmp_path) == []


@pytest.mark.parametrize("error", [BrokenOffError("cannot be written"), OSError(28, "No space left on device")])
def test_where_nothing_can_be_written_the_watcher_ends_and_the_marker_waits(tmp_path: Path, error: Exception) -> None:
    executions = MemoryExecutions(errors={ENTRY.path: error})

    with pytest.raises(type(error)):
        server(tmp_path, executions).serve(ENTRY)
    assert outbox(tmp_path) == []


def test_an_interruption_passes(tmp_path: Path) -> None:
    def strike(point: str) -> None:
        raise KeyboardInterrupt if point == "in an execution" else Killed

    with pytest.raises(Killed):
        server(tmp_path, MemoryExecutions(strike=strike)).serve(ENTRY)
    stopped = MemoryExecutions(strike=strike, statuses={ENTRY.execution: "Stopped"})
    with pytest.raises(KeyboardInterrupt):
        server(tmp_path, stopped).serve(ENTRY)


def test_the_advice_is_left_out_where_the_reason_has_it(tmp_path: Path) -> None:
    class Failing(MemoryExecutions):
        def conclude(self, execution: str):
            return result(execution, "Failed", error="approve, then --retry x", next="--retry x")

    ended = server(tmp_path, Failing(statuses={ENTRY.execution: "Failed"})).serve(ENTRY)

    assert ended is not None
    assert (ended.reason, ended.advice) == ("approve, then --retry x", "")


@pytest.fixture
def executions(tmp_path: Path) -> LocalExecutions:
    arguments = argparse.Namespace(workspace=tmp_path, config=Path("c.yml"), env=None)
    with (tmp_path / "console").open("w") as stream:
        yield LocalExecutions(arguments, open_workspace(tmp_path), tmp_path / "inbox", Console(stream))


def test_a_start_is_said_once_at_the_first_event_of_a_step(executions: LocalExecutions, tmp_path: Path) -> None:
    with executions.display_start("d/x.run", definition(ping("Ping")), "e1") as progress:
        progress.say("a line")
        executions.console.say("between")
        for status in ("Executing", "Succeeded"):
            progress.watch(StepEvent("Ping", "Lambda", status, 1.0))

    said = [line.split(" ", 2)[2] for line in (tmp_path / "console").read_text().splitlines()]
    assert said == ["a line", "between", "d/x.run: starts execution e1"]


def write_log(executions: LocalExecutions, *statuses: str) -> None:
    """Write the event log of an execution with these transitions, in which a step has failed."""
    folder = executions.workspace.execution("e1")
    made = definition(ping("Ping"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "request.json").write_text(origin(bucket="b").to_json())
    (folder / history.DEFINITION_FILE).write_text(made.text)
    log = history.History(folder)
    for status in statuses:
        log.add_execution(status, 1.0, **({"parameters": {}} if status == "Started" else {}))
        if status == "Started":
            failed = StepRecord("Ping", "Lambda", "Failed", reason="no answer")
            log.add_step(StepEvent("Ping", "Lambda", "Failed", 1.0, "no answer"), failed)
    log.close()


def test_how_far_an_execution_is_comes_from_its_log(executions: LocalExecutions) -> None:
    assert executions.status("e1") is None
    executions.workspace.execution("e1").mkdir(parents=True)
    assert executions.status("e1") is None
    write_log(executions, "Started")
    assert executions.status("e1") == "Stopped"
    with history.lock_execution(executions.workspace.execution("e1")):
        assert executions.status("e1") == "Started"
    write_log(executions, "Failed")
    assert executions.status("e1") == "Failed"


def test_a_failure_is_concluded_with_its_reason(executions: LocalExecutions) -> None:
    outbox = executions.workspace.root / "outbox/e1"
    outbox.mkdir(parents=True)
    (outbox / "01-failed.txt").touch()
    write_log(executions, "Started", "Failed")

    found = executions.conclude("e1")

    assert (found.status, found.error) == ("Failed", "Ping: no answer")
    assert len(list(outbox.iterdir())) == 1
