"""Live progress of an execution on stderr: a table of steps on a terminal, one line per transition elsewhere.

Watches the engine's events and knows nothing else of it; what it shows is never read by anything.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from pipelines import terminal
from pipelines.local.engine import StepEvent
from pipelines.local.step import Definition

if TYPE_CHECKING:
    from rich.table import Table

DONE = ("Succeeded", "Cached", "Failed", "Stopped", "Skipped")
MOST_ROWS = 24
STYLES = {
    "Succeeded": "green",
    "Cached": "cyan",
    "Failed": "bold red",
    "Stopped": "red",
    "Skipped": "dim",
    "Executing": "yellow",
}


class Progress(Protocol):
    """What an execution tells people while it goes on."""

    def watch(self, event: StepEvent) -> None:
        """Show a step's transition."""

    def say(self, line: str) -> None:
        """Show a line of text, such as a mail's."""


@contextmanager
def open_progress(definition: Definition, execution: str, stream: TextIO | None = None) -> Iterator[Progress]:
    """Return the display that fits the stream (stderr unless told otherwise): live on a terminal, else plain lines."""
    stream = stream or sys.stderr
    names = [step.name for step in definition.every_step()]
    if not stream.isatty():
        yield PlainProgress(names, execution, stream)
        return
    with LiveProgress(names, execution, stream) as live:
        yield live


class PlainProgress:
    """One line per transition, for logs and pipes."""

    def __init__(self, names: list[str], execution: str, stream: TextIO) -> None:
        self._stream, self._total, self._done = stream, len(names), 0
        self._starts: dict[str, float] = {}
        self._lock = threading.Lock()
        self.say(f"execution {execution}: {len(names)} steps")

    def watch(self, event: StepEvent) -> None:
        """Write a step's start or end."""
        if event.status == "Executing":
            self._starts[event.step] = event.at
            if event.reason:
                self.say(f"{_clock(event.at)} {event.step:<32} runs: {_first_line(event.reason)}")
            return
        if event.status not in DONE:
            return
        self._done += event.status != "Skipped"
        if event.status == "Skipped":
            return
        took = event.at - self._starts.get(event.step, event.at)
        reason = "" if event.status == "Succeeded" else _first_line(event.reason)  # said when it began
        self.say(f"{_clock(event.at)} {event.step:<32} {event.status:<10} {took:6.1f} s  {reason}".rstrip())

    def say(self, line: str) -> None:
        """Write a line."""
        with self._lock:
            self._stream.write(terminal.lines(line) + "\n")
            self._stream.flush()


class LiveProgress:
    """A table that redraws itself: every step with its state and time, or a count per kind where there are many."""

    def __init__(self, names: list[str], execution: str, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        self._execution, self._began = execution, time.time()
        self._states = dict.fromkeys(names, "Waiting")
        self._starts: dict[str, float] = {}
        self._ends: dict[str, float] = {}
        console = Console(file=stream, no_color="NO_COLOR" in os.environ)
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=4, transient=False)

    def __enter__(self) -> LiveProgress:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def watch(self, event: StepEvent) -> None:
        """Take a step's transition into the table."""
        self._states[event.step] = event.status
        if event.status == "Executing":
            self._starts[event.step] = event.at
            if event.reason:
                self.say(f"{event.step} runs: {_first_line(event.reason)}")
        if event.status in DONE:
            self._ends[event.step] = event.at
        if event.status == "Failed":
            self.say(f"{event.step} failed: {_first_line(event.reason)}")

    def say(self, line: str) -> None:
        """Print a line above the table."""
        self._live.console.print(terminal.lines(line), markup=False, highlight=False)

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(title=f"execution {self._execution}", title_justify="left", box=None, pad_edge=False)
        for heading in ("step", "state", "seconds"):
            table.add_column(heading, justify="right" if heading == "seconds" else "left")
        for name, state, seconds in self.rows():
            table.add_row(Text(name), Text(state, style=STYLES.get(state.split()[0], "")), seconds)
        return table

    def rows(self) -> list[tuple[str, str, str]]:
        """Return what the table shows: step or kind, state, seconds."""
        shown = [name for name, state in self._states.items() if state != "Skipped"]
        if len(shown) <= MOST_ROWS:
            return [(name, self._states[name], self._seconds(name)) for name in shown]
        kinds: dict[str, Counter[str]] = {}
        for name in shown:
            kinds.setdefault(name.split("-", 1)[0], Counter())[self._states[name]] += 1
        return [(kind, ", ".join(f"{n} {state}" for state, n in count.items()), "") for kind, count in kinds.items()]

    def _seconds(self, name: str) -> str:
        if name not in self._starts:
            return ""
        return f"{self._ends.get(name, time.time()) - self._starts[name]:.1f}"


def _first_line(reason: str) -> str:
    return terminal.line((reason.splitlines() or [""])[0])


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
