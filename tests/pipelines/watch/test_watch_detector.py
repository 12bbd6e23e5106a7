"""A marker is taken once nobody writes it any more, each writing once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from watched_folder import SETTLE, Machine

from pipelines.watch.detector import POLL, QUIET
from pipelines.watch.watcher import Watcher


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def watcher(machine: Machine) -> Iterator[Watcher]:
    made = machine.boot()
    yield made
    made.ledger.close()


def found(watcher: Watcher) -> list[tuple[str, bytes]]:
    return [(entry.path, entry.body) for entry in watcher.ledger.waiting()]


def test_two_looks_a_second_are_made_at_least() -> None:
    assert POLL <= 0.5
    assert QUIET <= 0.5


def test_a_marker_that_grows_is_taken_when_it_is_quiet(machine: Machine, watcher: Watcher) -> None:
    for length in range(1, 6):
        machine.folder.write("x.run", b"MaeThreshold: 50"[: 3 * length])
        assert watcher.detector.poll()
        machine.clock.pass_by(QUIET / 2)
    machine.clock.pass_by(QUIET)

    assert not watcher.detector.poll()
    assert found(watcher) == [("x.run", b"MaeThreshold: 5")]


def test_an_empty_marker_that_is_filled_soon_counts_once(machine: Machine, watcher: Watcher) -> None:
    machine.folder.write("x.run")
    watcher.detector.poll()
    machine.clock.pass_by(SETTLE / 2)
    assert watcher.detector.poll()
    machine.folder.write("x.run", b"a: 1")
    machine.clock.pass_by(SETTLE)
    watcher.detector.poll()

    assert found(watcher) == [("x.run", b"a: 1")]


def test_an_empty_marker_that_stays_so_counts(machine: Machine, watcher: Watcher) -> None:
    machine.folder.write("x.run")
    machine.clock.pass_by(SETTLE)
    watcher.detector.poll()

    assert found(watcher) == [("x.run", b"")]


def test_a_marker_whose_time_lies_ahead_is_taken_once_it_was_seen_unchanged(machine: Machine, watcher: Watcher) -> None:
    machine.clock.pass_by(1000)
    machine.folder.write("x.run", b"a: 1")
    machine.clock.pass_by(-1000)
    assert watcher.detector.poll()
    machine.clock.pass_by(QUIET)

    assert not watcher.detector.poll()
    assert found(watcher) == [("x.run", b"a: 1")]


def test_markers_of_one_look_are_taken_in_the_order_of_their_writing(machine: Machine, watcher: Watcher) -> None:
    for path in ("c.run", "a.run", "b.run"):
        machine.folder.write(path, b"a: 1")
        machine.clock.pass_by(0.01)
    machine.clock.pass_by(1)
    watcher.detector.poll()

    assert [path for path, _ in found(watcher)] == ["c.run", "a.run", "b.run"]


def test_a_marker_that_cannot_be_read_is_said_once_and_tried_again(machine: Machine, watcher: Watcher) -> None:
    machine.folder.write("x.run", b"a: 1")
    machine.folder.unreadable = ("x.run",)
    machine.clock.pass_by(1)
    watcher.detector.poll()
    watcher.detector.poll()
    assert machine.lines == ["x.run: cannot be read (Permission denied); it is tried again"]
    machine.folder.unreadable = ()
    watcher.detector.poll()

    assert found(watcher) == [("x.run", b"a: 1")]


def test_a_ledger_that_cannot_be_written_loses_no_marker(machine: Machine) -> None:
    def fail(handle: int, line: bytes) -> None:
        raise OSError(28, "No space left on device")

    write, machine.write = machine.write, fail
    watcher = machine.boot()
    machine.folder.write("x.run", b"a: 1")
    machine.clock.pass_by(1)
    watcher.detector.poll()
    assert "No space left on device" in machine.lines[0]
    watcher.ledger.close()
    machine.write = write
    again = machine.boot()
    again.detector.poll()

    assert found(again) == [("x.run", b"a: 1")]
    again.ledger.close()


def test_what_is_passed_over_is_said_once(machine: Machine, watcher: Watcher) -> None:
    machine.folder.problems = ("link.run: is a link",)
    watcher.detector.poll()
    watcher.detector.poll()

    assert machine.lines == ["link.run: is a link"]
