"""Progress on a stream that is no terminal is one line per transition; on a terminal it is a table."""

from __future__ import annotations

import io

from local_outcomes import definition, ping

from pipelines.local.engine import StepEvent
from pipelines.progress import MOST_ROWS, LiveProgress, PlainProgress, open_progress


def event(status: str, at: float, reason: str = "", step: str = "Ping") -> StepEvent:
    return StepEvent(step, "Lambda", status, at, reason)


def test_a_pipe_gets_plain_lines_with_the_duration_and_the_first_line_of_the_reason() -> None:
    stream = io.StringIO()

    with open_progress(definition(ping("Ping")), "e1", stream) as progress:
        progress.watch(event("Executing", 100.0))
        progress.watch(event("Failed", 102.5, "first line\nsecond line"))
        progress.say("a mail")

    assert isinstance(progress, PlainProgress)
    assert "2.5 s  first line\n" in stream.getvalue()
    assert "second line" not in stream.getvalue()
    assert stream.getvalue().endswith("a mail\n")


def test_no_reason_or_mail_moves_the_cursor_or_forges_a_step() -> None:
    stream = io.StringIO()

    with open_progress(definition(ping("Ping")), "e1", stream) as progress:
        progress.watch(event("Failed", 1.0, "EWR\r12:00:00 Ping Succeeded\x1b[1A"))
        progress.watch(event("Failed", 1.0, "EWR\x1b[1A\u202e: no rows"))
        progress.say("a mail\nof \x1b[2Jtwo lines\r")

    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()
    assert r"EWR\x1b[1A\u202e: no rows" in stream.getvalue()
    assert stream.getvalue().endswith("a mail\nof \\x1b[2Jtwo lines\\r\n")


def test_a_terminal_is_not_steered_by_a_reason() -> None:
    stream = io.StringIO()
    with LiveProgress(["Ping"], "e1", stream) as live:
        live.watch(event("Failed", 1.0, "no \x1b[41mrows"))
    assert r"Ping failed: no \x1b[41mrows" in stream.getvalue()
    assert "\x1b[41m" not in stream.getvalue()


def test_a_stopped_step_is_shown() -> None:
    stream = io.StringIO()
    plain = PlainProgress(["Ping"], "e1", stream)

    plain.watch(event("Stopped", 1.0))

    assert "Stopped" in stream.getvalue()


def test_steps_of_the_branch_not_taken_are_not_shown() -> None:
    stream = io.StringIO()
    plain = PlainProgress(["Ping"], "e1", stream)

    plain.watch(event("Skipped", 1.0))

    assert "Ping" not in stream.getvalue()


def test_a_terminal_gets_a_table_of_steps_with_their_state() -> None:
    stream = io.StringIO()

    with LiveProgress(["Ping", "Pong"], "e1", stream) as live:
        live.watch(event("Executing", 100.0))
        live.watch(event("Succeeded", 101.0))

    assert "Succeeded" in stream.getvalue()
    assert "Pong" in stream.getvalue()


def test_many_steps_are_counted_by_kind() -> None:
    live = LiveProgress([f"Train-{i}" for i in range(MOST_ROWS + 1)], "e1", io.StringIO())

    live.watch(event("Succeeded", 1.0, step="Train-0"))

    assert live.rows() == [("Train", f"1 Succeeded, {MOST_ROWS} Waiting", "")]


def test_the_reason_why_a_step_runs_is_said_when_it_begins_and_not_again() -> None:
    stream = io.StringIO()
    plain = PlainProgress(["Train-a"], "e1", stream)

    plain.watch(event("Executing", 1.0, "rows of the segment changed", step="Train-a"))
    plain.watch(event("Succeeded", 2.0, "rows of the segment changed", step="Train-a"))
    plain.watch(event("Cached", 2.0, "outputs of execution e0", step="Train-b"))

    first, second, third = stream.getvalue().splitlines()[1:]
    assert first.endswith("Train-a                          runs: rows of the segment changed")
    assert second.endswith("Succeeded     1.0 s")
    assert third.endswith("Cached        0.0 s  outputs of execution e0")


def test_a_first_run_says_nothing_when_a_step_begins() -> None:
    stream = io.StringIO()
    plain = PlainProgress(["Train-a"], "e1", stream)

    plain.watch(event("Executing", 1.0, step="Train-a"))

    assert "Train-a" not in stream.getvalue()


def test_a_terminal_shows_the_reason_above_the_table() -> None:
    stream = io.StringIO()

    with LiveProgress(["Train-a"], "e1", stream) as live:
        live.watch(event("Executing", 1.0, "rows of the segment changed", step="Train-a"))

    assert "Train-a runs: rows of the segment changed" in stream.getvalue()
