"""Each writing of a marker is served exactly once and in order, whatever kills the watcher and whenever."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from watched_folder import SETTLE, Killed, Machine

from pipelines.errors import DataError
from pipelines.watch.ledger import Entry
from pipelines.watch.readiness import PATIENCE
from pipelines.watch.watcher import Ended, Watcher, say_ended

MARKERS, REWRITTEN, MALFORMED, RESTARTS = 50, 10, 2, 2
CHANCE = 0.04
"""Of the process being killed at each point at which it may be."""


def serve_all(machine: Machine, watcher: Watcher) -> None:
    """Look and serve until nothing has happened for a while."""
    idle = 0
    while idle < 8:
        watcher.detector.poll()
        idle = 0 if watcher.serve_next() else idle + 1
        machine.clock.pass_by(0.5)


class Story:
    """One random interleaving of drops, rewritings, looks, runs, restarts and kills."""

    def __init__(self, root: Path, rng: random.Random) -> None:
        self.machine, self.rng, self.kills = Machine(root), rng, 0
        paths = [f"d{n % 7}/m{n:02d}.run" for n in range(MARKERS)]
        rng.shuffle(paths)
        self.to_drop, self.to_rewrite = paths, paths[: REWRITTEN * 2 : 2]
        self.malformed = set(rng.sample(sorted(set(paths) - set(self.to_rewrite)), MALFORMED))
        self.dropped: Counter[str] = Counter()
        self.peaceful = False
        self.machine.write, self.machine.show = self.write, lambda document: self.strike("while showing")
        self.machine.executions.strike = self.strike
        self.machine.executions.meanwhile = self.meanwhile

    def strike(self, point: str) -> None:
        if not self.peaceful and self.rng.random() < CHANCE:
            raise Killed(point)

    def write(self, handle: int, line: bytes) -> None:
        """Write a line, or be killed with a part of it written, or all of it."""
        if not self.peaceful and self.rng.random() < CHANCE:
            os.write(handle, line[: self.rng.randrange(len(line) + 1)])
            raise Killed("in the ledger")
        os.write(handle, line)

    def meanwhile(self) -> None:
        """Go on dropping and finding while an execution runs, as other processes and threads do."""
        for _ in range(self.rng.randrange(4)):
            self.change()
            self.machine.clock.pass_by(0.25)
            self.watcher.detector.poll()

    def change(self) -> None:
        """Drop a marker, or write one again in place whose first writing is on record."""
        self.machine.clock.pass_by(0.01)
        ledger = self.machine.root / "watch" / "ledger.jsonl"
        events = [json.loads(line) for line in ledger.read_bytes().split(b"\n")[:-1]] if ledger.exists() else []
        known = {event.get("path") for event in events}
        ready = [path for path in self.to_rewrite if path in known]
        if ready and self.rng.random() < 0.5:
            path = ready[0]
            self.to_rewrite.remove(path)
        elif self.to_drop:
            path = self.to_drop.pop()
        else:
            return
        body = b"no: [mapping" if path in self.malformed else b"MaeThreshold: 5\n"  # the same bytes, written again
        self.dropped[path] += 1
        self.machine.drop(path, body)

    def tell(self) -> None:
        restarts = RESTARTS
        self.watcher = self.machine.boot()
        while self.to_drop or self.to_rewrite:
            try:
                self.change()
                self.watcher.detector.poll()
                self.machine.clock.pass_by(self.rng.choice([0.1, 0.5, SETTLE]))
                self.watcher.serve_next()
                if restarts and self.rng.random() < 0.05:
                    restarts -= 1
                    self.restart()
            except Killed:
                self.kills += 1
                self.restart()
        self.peaceful = True
        serve_all(self.machine, self.watcher)
        self.watcher.ledger.close()

    def restart(self) -> None:
        """Start again after a while, in which markers may be dropped."""
        self.watcher.ledger.close()
        if self.rng.random() < 0.5:
            self.change()
        self.watcher = self.machine.boot()


def events(machine: Machine) -> list[dict]:
    lines = (machine.root / "watch" / "ledger.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_fifty_markers_ten_written_again_are_each_served_once_whatever_kills_the_watcher(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder), random.Random(seed))
        story.tell()

        machine, log = story.machine, events(story.machine)
        wanted = {path: count for path, count in story.dropped.items() if path not in story.malformed}
        assert sum(story.dropped.values()) == MARKERS + REWRITTEN
        assert Counter(machine.served) == wanted
        assert set(machine.executions.done.values()) == {1}
        ended = Counter(event["version"] for event in log if event["event"] == "ended")
        assert len(ended) == MARKERS + REWRITTEN
        assert set(ended.values()) == {1}
        assert sum(event.get("status") == "Refused" for event in log) == MALFORMED
        assert len(list((machine.root / "outbox").glob("*/*-refused.txt"))) == MALFORMED
        assert story.kills > 0


@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_what_settles_together_is_served_in_the_order_in_which_it_was_found(seed: int) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder))
        paths = [f"d{n}/m.run" for n in range(12)]
        rng.shuffle(paths)
        watcher = machine.boot()
        for path in paths:
            machine.drop(path)
            machine.clock.pass_by(0.01)
        serve_all(machine, watcher)
        watcher.ledger.close()

        assert machine.served == paths


def test_who_settles_at_once_does_not_overtake_who_was_found_before(machine: Machine, watcher: Watcher) -> None:
    machine.drop("b/waits.run", b"files: [late.csv]")
    serve_all(machine, watcher)
    machine.drop("a/x.run")
    machine.clock.pass_by(0.1)
    machine.drop("b/x.run")
    serve_all(machine, watcher)

    assert machine.served == ["a/x.run", "b/x.run"]


def test_no_run_starts_before_its_files_have_settled_and_one_being_written_lets_others_go_first(
    machine: Machine, watcher: Watcher
) -> None:
    machine.drop("a/x.run")
    machine.clock.pass_by(0.5)
    watcher.detector.poll()
    assert not watcher.serve_next()
    machine.clock.pass_by(SETTLE - 0.1)
    machine.folder.write("a/train.csv", b"12")
    machine.drop("b/x.run")
    assert not watcher.serve_next()
    assert machine.lines[-1] == "a/x.run: waits, others go first: files beside a/x.run are still being written"
    machine.clock.pass_by(0.5)
    watcher.detector.poll()
    for _ in range(8):
        machine.folder.write("a/train.csv", b"123")
        watcher.serve_next()
        machine.clock.pass_by(0.5)
    assert machine.served == ["b/x.run"]
    serve_all(machine, watcher)

    assert machine.served == ["b/x.run", "a/x.run"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def watcher(machine: Machine) -> Watcher:
    made = machine.boot()
    yield made
    made.ledger.close()


def test_a_marker_that_is_gone_again_is_served_as_it_was(machine: Machine, watcher: Watcher) -> None:
    machine.drop("d/x.run", b"MaeThreshold: 7\n")
    machine.settle(watcher)
    machine.folder.delete("d/x.run")
    serve_all(machine, watcher)

    assert [entry.body for entry in machine.executions.entries] == [b"MaeThreshold: 7\n"]


def test_a_marker_written_again_while_it_waits_is_served_twice_with_both_bodies(
    machine: Machine, watcher: Watcher
) -> None:
    machine.drop("x.run", b"MaeThreshold: 1\n")
    machine.clock.pass_by(0.5)
    watcher.detector.poll()
    machine.drop("x.run", b"MaeThreshold: 2\n")
    serve_all(machine, watcher)

    assert [entry.body for entry in machine.executions.entries] == [b"MaeThreshold: 1\n", b"MaeThreshold: 2\n"]


def test_what_was_begun_goes_on_first_after_a_restart(machine: Machine) -> None:
    first = machine.boot()
    machine.drop("a/x.run", b"files: [late.csv]")
    machine.clock.pass_by(0.01)
    machine.drop("b/x.run")
    machine.executions.strike = lambda point: (_ for _ in ()).throw(Killed) if point == "in an execution" else None
    with pytest.raises(Killed):
        serve_all(machine, first)
    first.ledger.close()
    machine.executions.strike = lambda point: None
    machine.folder.write("a/late.csv", b"1")
    second = machine.boot()
    serve_all(machine, second)
    second.ledger.close()

    assert [document["marker"] for document in machine.shown] == ["b/x.run", "a/x.run"]
    assert "b/x.run: goes on with execution" in "\n".join(machine.lines)


def test_an_entry_that_waits_for_promised_files_lets_others_go_first_and_says_so_once(
    machine: Machine, watcher: Watcher
) -> None:
    machine.drop("a/x.run", b"files: {late.csv: 3}")
    machine.clock.pass_by(0.01)
    machine.drop("b/x.run")
    serve_all(machine, watcher)
    waits = [line for line in machine.lines if "waits, others go first" in line]
    machine.folder.write("a/late.csv", b"123")
    serve_all(machine, watcher)

    assert len(waits) == 1
    assert "late.csv is not in a" in waits[0]
    assert machine.served == ["b/x.run", "a/x.run"]


def test_promised_files_that_never_come_are_a_refusal_after_an_hour(machine: Machine, watcher: Watcher) -> None:
    machine.drop("a/x.run", b"files: {train.csv: 3}")
    serve_all(machine, watcher)
    assert machine.shown == []
    machine.clock.pass_by(PATIENCE)
    serve_all(machine, watcher)

    assert [(d["status"], d["error"]) for d in machine.shown] == [
        ("Refused", "files: train.csv has 1 bytes, the marker says 3")
    ]
    assert "NO run started by x.run" in next((machine.root / "outbox").glob("*/01-refused.txt")).read_text()


def test_the_queue_moves_on_after_a_refused_and_after_a_failed_one(machine: Machine, watcher: Watcher) -> None:
    machine.executions.errors = {"a/x.run": DataError("no file matches"), "b/x.run": RuntimeError("a bug")}
    machine.executions.outcome = "Failed"
    for place in "abc":
        machine.drop(f"{place}/x.run")
        machine.clock.pass_by(0.01)
    serve_all(machine, watcher)

    assert [d["status"] for d in machine.shown] == ["Refused", "Refused", "Failed"]
    assert any("Traceback" in line for line in machine.lines)
    assert "a/x.run: Refused (2 in the queue): no file matches" in machine.lines


def test_a_reason_of_several_lines_is_told_in_indented_lines_below_the_first(
    machine: Machine, watcher: Watcher
) -> None:
    machine.executions.errors = {"a\nb/x.run": DataError("2 problems:\n  one\n\n  two")}
    machine.drop("a\nb/x.run")
    serve_all(machine, watcher)

    assert machine.lines[-3:] == ["a\nb/x.run: Refused: 2 problems:", "      one", "      two"]


def test_the_advice_is_the_last_of_several_lines() -> None:
    ended = Ended("Failed", 1.0, "Decide: approve\npython -m a", {}, "python -m b")
    entry = Entry("t", "x.run", "e1", 0.0, b"")

    assert say_ended(entry, ended, 2) == [
        "x.run: Failed in 1.0 s (2 in the queue): Decide: approve",
        "    python -m a",
        "    go on with: python -m b",
    ]


def test_an_execution_that_another_process_runs_is_looked_at_again(machine: Machine, watcher: Watcher) -> None:
    machine.drop("a/x.run")
    machine.settle(watcher)
    execution = watcher.ledger.waiting()[0].execution
    machine.executions.statuses[execution] = "Started"
    machine.drop("b/x.run")
    serve_all(machine, watcher)
    assert machine.served == ["b/x.run"]
    machine.executions.statuses[execution] = "Succeeded"
    serve_all(machine, watcher)

    assert [d["marker"] for d in machine.shown] == ["b/x.run", "a/x.run"]
    assert sum("another process runs" in line for line in machine.lines) == 1


@pytest.mark.parametrize(("outcome", "code"), [("Succeeded", 0), ("Degraded", 3), ("Failed", 1)])
def test_once_serves_what_is_there_and_ends_with_the_worst_code(machine: Machine, outcome: str, code: int) -> None:
    machine.drop("a/x.run")
    machine.drop("b/x.run", b"files: [never.csv]")
    machine.executions.outcome = outcome
    watcher = machine.boot()

    assert watcher.run_once() == code
    assert machine.served == ["a/x.run"]
    assert [entry.path for entry in watcher.ledger.waiting()] == ["b/x.run"]
    watcher.ledger.close()


def test_a_bug_in_finding_markers_ends_the_watcher(machine: Machine) -> None:
    watcher = machine.boot()
    watcher.detector.folder = None  # type: ignore[assignment]

    with pytest.raises(AttributeError):
        watcher.run()
    watcher.ledger.close()


def test_a_clock_that_is_set_back_delays_nothing(machine: Machine, watcher: Watcher) -> None:
    machine.drop("a/x.run")
    watcher.detector.poll()
    machine.clock.pass_by(-3600.0)

    serve_all(machine, watcher)
    machine.drop("b/y.run")
    machine.settle(watcher)
    machine.clock.pass_by(-7200.0)
    serve_all(machine, watcher)

    assert machine.served == ["a/x.run", "b/y.run"]
