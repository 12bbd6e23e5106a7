"""What people see of an execution on stderr while it goes on: a live table on a terminal, plain lines elsewhere.

Watches the engine's events and knows nothing else of it; what it shows is never read by anything.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from pipelines import logs, terminal
from pipelines.board import DONE, WORKING, Board, Known, say_about, say_seconds
from pipelines.local.record import SKIPPED, StepEvent
from pipelines.local.step import Definition
from pipelines.local.steplog import Reader

SILENCE = 60.0
"""Seconds without a line after which a log is told what is running."""
_LOOK = 0.5
_MOST_NAMED = 8
_CODES = {"Succeeded": "32", "Cached": "36", "Failed": "1;31", "Stopped": "31"}
NOTHING = Known()


class Progress(Protocol):
    """What an execution tells people while it goes on."""

    def watch(self, event: StepEvent) -> None:
        """Show a step's transition."""

    def say(self, line: str) -> None:
        """Show a line of text, such as a mail's."""


@contextmanager
def open_progress(
    definition: Definition, execution: str, known: Known = NOTHING, stream: TextIO | None = None
) -> Iterator[Progress]:
    """Return the display that fits the stream, stderr unless told otherwise.

    A table on a terminal that can move its cursor, else plain lines; nothing where only warnings are wanted. What is
    logged meanwhile stands above the table.
    """
    stream = stream or sys.stderr
    if logs.is_quiet():
        yield Quiet()
        return
    board = Board(definition, known)
    with _choose(stream)(board, execution, stream) as shown, logs.above(shown.say):
        yield shown


def _choose(stream: TextIO) -> Callable[[Board, str, TextIO], PlainProgress]:
    if not stream.isatty() or os.environ.get("TERM") in (None, "", "dumb", "unknown"):
        return PlainProgress
    from pipelines.live import LiveProgress

    return LiveProgress


class Quiet:
    """Shows nothing."""

    def watch(self, event: StepEvent) -> None:
        """Show no step."""

    def say(self, line: str) -> None:
        """Show no line."""


class PlainProgress:
    """One line per transition, for logs and pipes, and one when nothing has happened for long.

    A thread of its own says what runs while nothing else is said and, where logging wants it, what the steps write.
    """

    def __init__(self, board: Board, execution: str, stream: TextIO, silence: float = SILENCE) -> None:
        self._board, self._execution, self._stream, self._silence = board, execution, stream, silence
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._last, self._has_estimated = time.monotonic(), False
        self._reader, self._streams = Reader(), logs.is_debug()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> PlainProgress:
        self._begin()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._end()
        path = "" if kind else self._board.path()
        if path:
            self.say(path)

    def _end(self) -> None:
        """Let nothing change any more."""

    def _begin(self) -> None:
        self.say(f"execution {self._execution}: {self._board.counts()[1]} steps")

    def watch(self, event: StepEvent) -> None:
        """Write a step's start, where there is something to say of it, or its end."""
        self._board.take(event)
        if event.status in DONE and self._streams:
            self._stream_logs(event.step, ended=True)
        label = f"{_clock(event.at)} {terminal.line(self._board.label(event.step)):<32}"
        if event.status in WORKING:
            self._say_start(event, label)
        elif event.status in DONE and event.status != SKIPPED:
            reason = "" if event.status == "Succeeded" else _first_line(event.reason)  # said when it began
            took = self._board.took(event.step)
            self._write(f"{label} {_coloured(f'{event.status:<10}', event.status)} {took:6.1f} s  {reason}".rstrip())

    def _say_start(self, event: StepEvent, label: str) -> None:
        if event.reason:
            self.say(f"{label} runs: {_first_line(event.reason)}")
        if self._board.has_past and not self._has_estimated and (left := self._board.remaining()) is not None:
            self._has_estimated = True
            less = ", less where steps come from the cache" if self._board.may_cache else ""
            self.say(f"{_clock(event.at)} about {say_about(left)} left, by what its steps took before{less}")

    def say(self, line: str) -> None:
        """Write a line, whatever it holds."""
        self._write(terminal.lines(line))

    def _write(self, text: str) -> None:
        with self._lock:
            self._last = time.monotonic()
            self._stream.write(text + "\n")
            self._stream.flush()

    def _look(self) -> None:
        while not self._stop.wait(_LOOK if self._streams else min(_LOOK * 4, self._silence / 4)):
            working = self._board.working()
            if self._streams:
                for name in working:
                    self._stream_logs(name)
            if working and time.monotonic() - self._last >= self._silence:
                self._say_silence(working)

    def _say_silence(self, working: list[str]) -> None:
        self.say(f"{_clock(self._board.clock())} still running: {say_working(self._board, working)}")

    def _stream_logs(self, step: str, *, ended: bool = False) -> None:
        for path in self._board.logs(step):
            for line in self._reader.new_lines(path, ended=ended):
                self.say(f"{step} | {terminal.line(line)}")


def say_working(board: Board, working: list[str]) -> str:
    """Return what runs and for how long, and how far the execution is."""
    named = [f"{terminal.line(board.label(name))} {say_seconds(board.took(name))}" for name in working[:_MOST_NAMED]]
    if len(working) > _MOST_NAMED:
        named.append(f"{len(working) - _MOST_NAMED} more")
    done, total = board.counts()
    left = board.remaining()
    return f"{', '.join(named)}; {done} of {total} steps{'' if left is None else f', about {say_about(left)} left'}"


def _coloured(text: str, state: str) -> str:
    """Return a state in colour where colours are asked for though nobody knows whether they are seen."""
    if os.environ.get("NO_COLOR") or not os.environ.get("FORCE_COLOR") or state not in _CODES:
        return text
    return f"\x1b[{_CODES[state]}m{text}\x1b[0m"


def _first_line(reason: str) -> str:
    return terminal.line((reason.splitlines() or [""])[0])


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
