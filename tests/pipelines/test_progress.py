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
