"""What a watcher tells people: one line per event on stderr, above the live table of steps where there is one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from pipelines.board import Known
from pipelines.local.record import StepEvent
from pipelines.local.step import Definition
from pipelines.progress import NOTHING, Progress, open_progress


class Console:
    """Writes lines for people; two threads use it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self._above: Callable[[str], None] | None = None

    def say(self, text: str) -> None:
        """Write one line with the time; what would break it or move the cursor is written as an escape."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {''.join(map(_shown, text))}"
        with self._lock:
            if self._above is not None:
                self._above(line)
                return
            self._stream.write(line + "\n")
            self._stream.flush()

    @contextmanager
    def display(self, definition: Definition, execution: str, known: Known = NOTHING) -> Iterator[Progress]:
        """Show the steps of an execution on a terminal, and nothing of them elsewhere."""
        if not self._stream.isatty():
            yield Silence(self.say)
            return
        with open_progress(definition, execution, known, self._stream) as progress:
            self._attach(progress.say)
            try:
                yield progress
            finally:
                self._attach(None)

    def _attach(self, above: Callable[[str], None] | None) -> None:
        with self._lock:
            self._above = above


@dataclass(frozen=True)
class Silence:
    """Shows no steps, which the execution's log has, and no mails, which the outbox has: only what is one line."""

    show: Callable[[str], None]

    def watch(self, event: StepEvent) -> None:
        """Show no step."""

    def say(self, line: str) -> None:
        """Show one line; mails have several."""
        if "\n" not in line:
            self.show(line)


@dataclass
class Announced:
    """Shows an execution after it has said, at the first event of a step, that there is one."""

    shown: Progress
    announce: Callable[[], None]
    _is_said: bool = field(default=False, init=False)

    def watch(self, event: StepEvent) -> None:
        """Show a step's transition."""
        if not self._is_said:
            self._is_said = True
            self.announce()
        self.shown.watch(event)

    def say(self, line: str) -> None:
        """Show text."""
        self.shown.say(line)


def _shown(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
