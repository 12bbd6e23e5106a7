"""Progress on a stream that is no terminal: one line per transition, and one where nothing has happened for long."""

from __future__ import annotations

import contextlib
import io
import logging
import time
from pathlib import Path

import pytest
from local_outcomes import definition, ping
from small_pipelines import TOOK, board, event, ran, shaped

from pipelines import logs
from pipelines.board import Board, Known
from pipelines.local.engine import StepEvent
from pipelines.progress import PlainProgress, Quiet, open_progress, say_working


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lambda_event(status: str, at: float, reason: str = "", step: str = "Ping") -> StepEvent:
    return StepEvent(step, "Lambda", status, at, reason)


def plain(*names: str, silence: float = 60.0) -> tuple[PlainProgress, io.StringIO]:
    stream = io.StringIO()
    return PlainProgress(Board(definition(*map(ping, names)), Known()), "e1", stream, silence), stream


def test_a_pipe_gets_plain_lines_with_the_duration_and_the_first_line_of_the_reason() -> None:
    stream = io.StringIO()

    with open_progress(definition(ping("Ping")), "e1", stream=stream) as progress:
        progress.watch(lambda_event("Executing", 100.0))
        progress.watch(lambda_event("Failed", 102.5, "first line\nsecond line"))
        progress.say("a mail")

    assert isinstance(progress, PlainProgress)
    assert stream.getvalue().startswith("execution e1: 1 steps\n")
    assert "2.5 s  first line\n" in stream.getvalue()
    assert "second line" not in stream.getvalue()
    assert stream.getvalue().endswith("a mail\n")


def test_no_reason_or_mail_moves_the_cursor_or_forges_a_step() -> None:
    stream = io.StringIO()

    with open_progress(definition(ping("Ping")), "e1", stream=stream) as progress:
        progress.watch(lambda_event("Failed", 1.0, "EWR\r12:00:00 Ping Succeeded\x1b[1A"))
        progress.watch(lambda_event("Failed", 1.0, "EWR\x1b[1A\u202e: no rows"))
        progress.say("a mail\nof \x1b[2Jtwo lines\r\x1b[0m")

    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()
    assert r"EWR\x1b[1A\u202e: no rows" in stream.getvalue()
    assert stream.getvalue().endswith("a mail\nof \\x1b[2Jtwo lines\\r\\x1b[0m\n")


def test_a_stopped_step_is_shown() -> None:
    shown, stream = plain("Ping")

    shown.watch(lambda_event("Stopped", 1.0))

    assert "Stopped" in stream.getvalue()


def test_steps_of_the_branch_not_taken_are_not_shown() -> None:
    shown, stream = plain("Ping")

    shown.watch(lambda_event("Skipped", 1.0))

    assert "Ping" not in stream.getvalue()


def test_the_reason_why_a_step_runs_is_said_when_it_begins_and_not_again() -> None:
    shown, stream = plain("Train-a", "Train-b")

    shown.watch(lambda_event("Executing", 1.0, "rows of the segment changed", step="Train-a"))
    shown.watch(lambda_event("Succeeded", 2.0, "rows of the segment changed", step="Train-a"))
    shown.watch(lambda_event("Cached", 2.0, "outputs of execution e0", step="Train-b"))

    first, second, third = stream.getvalue().splitlines()
    assert first.endswith("Train-a                          runs: rows of the segment changed")
    assert second.endswith("Succeeded     1.0 s")
    assert third.endswith("Cached        0.0 s  outputs of execution e0")


def test_a_first_run_says_nothing_when_a_step_begins() -> None:
    shown, stream = plain("Train-a")

    shown.watch(lambda_event("Executing", 1.0, step="Train-a"))

    assert stream.getvalue() == ""


def test_what_it_will_take_is_said_once_when_the_first_job_really_runs() -> None:
    stream = io.StringIO()
    with open_progress(shaped(cache=True), "e1", Known(TOOK, cores=2), stream) as progress:
        for name in ("PrepareTraining", "Train-EWR"):
            progress.watch(event(name, "Starting", time.time()))
            progress.watch(event(name, "Executing", time.time()))

    assert stream.getvalue().count("about 45 s left, by what its steps took before, less where steps come from") == 1


def test_a_first_run_says_no_estimate() -> None:
    stream = io.StringIO()
    with open_progress(shaped(), "e1", stream=stream) as progress:
        progress.watch(event("PrepareTraining", "Executing", time.time()))

    assert "about" not in stream.getvalue()


def test_after_a_long_silence_it_says_what_runs_and_for_how_long() -> None:
    shown, stream = plain("Ping", "Pong", silence=0.05)
    with shown:
        shown.watch(lambda_event("Executing", time.time() - 75))
        ends = time.monotonic() + 10
        while "still running" not in stream.getvalue() and time.monotonic() < ends:
            time.sleep(0.02)

    assert "still running: Ping 1 min 15 s; 0 of 2 steps\n" in stream.getvalue()


def test_of_many_steps_at_work_the_longest_are_named() -> None:
    shown, _ = board([f"m{number}" for number in range(12)])
    for number in range(12):
        shown.take(event(f"Train-m{number}", "Executing", 100.0 - number))

    told = say_working(shown, shown.working())

    assert told.startswith("Train-m11 11 s, Train-m10 10 s, Train-m9 9.0 s")
    assert "Train-m4 4.0 s, 4 more; 0 of 28 steps" in told


def test_the_critical_path_is_said_at_the_end_but_not_of_an_interruption() -> None:
    def said(end: type[BaseException] | None) -> str:
        stream = io.StringIO()
        shown, _ = board()
        with contextlib.suppress(KeyboardInterrupt), PlainProgress(shown, "e1", stream):
            ran(shown, "PrepareTraining", 100.0, 103.0)
            ran(shown, "Train-EWR", 103.0, 113.0)
            if end is not None:
                raise end
        return stream.getvalue()

    assert "critical path: PrepareTraining 3.0 s > Train-EWR 10 s; 13 s of 13 s\n" in said(None)
    assert "critical path" not in said(KeyboardInterrupt)


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    monkeypatch.setenv("TERM", term)
    with open_progress(definition(ping("Ping")), "e1", stream=Terminal()) as progress:
        assert type(progress) is PlainProgress


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, False),
    ],
)
def test_a_pipe_gets_colours_only_where_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    shown, stream = plain("Ping")

    shown.watch(lambda_event("Failed", 1.0, "bad \x1b[2J"))

    assert ("\x1b[1;31mFailed" in stream.getvalue()) is coloured
    assert r"bad \x1b[2J" in stream.getvalue()


def test_where_only_warnings_are_wanted_no_step_is_shown() -> None:
    stream = io.StringIO()
    with logs.opened("warning"), open_progress(definition(ping("Ping")), "e1", stream=stream) as progress:
        progress.watch(lambda_event("Failed", 1.0))
        progress.say("a mail")

    assert isinstance(progress, Quiet)
    assert stream.getvalue() == ""


def test_what_is_logged_stands_among_the_lines() -> None:
    stream = io.StringIO()
    with logs.opened("info"), open_progress(definition(ping("Ping")), "e1", stream=stream):
        logging.getLogger("pipelines.any").warning("the disk is slow\x1b[2J")
        logging.getLogger("pipelines.any").debug("a decision")

    assert "warning: the disk is slow\\x1b[2J\n" in stream.getvalue()
    assert "a decision" not in stream.getvalue()


def test_at_debug_a_step_s_log_is_shown_as_it_grows_whole_before_its_end(tmp_path: Path) -> None:
    log = tmp_path / "steps" / "Ping" / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo \x1b[2J\nno line end")
    stream = io.StringIO()
    with (
        logs.opened("debug"),
        open_progress(definition(ping("Ping")), "e1", Known(folder=tmp_path), stream) as progress,
    ):
        progress.watch(lambda_event("Executing", 1.0))
        progress.watch(lambda_event("Succeeded", 2.0))

    lines = stream.getvalue().splitlines()[1:]
    assert lines[:3] == ["Ping | one", "Ping | two \\x1b[2J", "Ping | no line end"]
    assert "Succeeded" in lines[3]
