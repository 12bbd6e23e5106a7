"""A watcher's lines are one line each, whatever a file is called."""

from __future__ import annotations

import io
import re

from local_outcomes import definition, ping

from pipelines.local.record import StepEvent
from pipelines.watch.console import Console


def test_a_line_has_the_time_and_stays_one_line() -> None:
    stream = io.StringIO()
    Console(stream).say("found a\nb\x1b[2J\udcff ü.run")

    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d found a\\nb\\x1b\[2J\\udcff ü.run\n", stream.getvalue())


def test_steps_and_mails_are_not_shown_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    console = Console(stream)
    with console.display(definition(ping("Ping")), "e1") as progress:
        progress.watch(StepEvent("Ping", "Lambda", "Succeeded", 1.0))
        progress.say("\na mail\n")
        progress.say("waiting for its end")
        console.say("found x.run")

    assert [line.split(" ", 2)[2] for line in stream.getvalue().splitlines()] == ["waiting for its end", "found x.run"]


def test_on_a_terminal_lines_stand_above_the_table_of_steps() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    console = Console(stream)
    with console.display(definition(ping("Ping")), "e1"):
        console.say("found x.run")
    console.say("ended")

    assert "found x.run" in stream.getvalue()
    assert "execution e1" in stream.getvalue()
    assert stream.getvalue().splitlines()[-1].endswith("ended")
