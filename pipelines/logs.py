"""Logging of the operator's commands: one handler, on stderr, above the live table where there is one.

Only our own loggers, below `pipelines`: those of libraries say much that helps nobody. Steps log for themselves, into
their own files and always all of it: their level would be a part of the definition, and of every cache key.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines import terminal

_OURS = logging.getLogger("pipelines")


class _Console(logging.Handler):
    """Writes records for people; `above` takes them while a table is on the screen."""

    above: Callable[[str], None] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        line = _say(record)
        if self.above is not None:
            self.above(line)
            return
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


_CONSOLE = _Console()


def _say(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.levelno >= logging.WARNING:
        return terminal.paragraph(f"{record.levelname.lower()}: {text}")
    if record.levelno >= logging.INFO:
        return terminal.paragraph(text)
    place = record.name.rpartition(".")[2]
    return f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {place}: {terminal.paragraph(text)}"


@contextmanager
def opened(level: str) -> Iterator[None]:
    """Log from this level on while the block runs."""
    before = _OURS.level, _OURS.propagate
    _OURS.setLevel(level.upper())
    _OURS.propagate = False
    _OURS.addHandler(_CONSOLE)
    try:
        yield
    finally:
        _OURS.removeHandler(_CONSOLE)
        _OURS.level, _OURS.propagate = before
        _OURS.setLevel(before[0])


@contextmanager
def above(say: Callable[[str], None]) -> Iterator[None]:
    """Let records be said by a display while it is open."""
    before, _CONSOLE.above = _CONSOLE.above, say
    try:
        yield
    finally:
        _CONSOLE.above = before


def is_quiet() -> bool:
    """Tell whether only warnings are wanted."""
    return _OURS.level > logging.INFO


def is_debug() -> bool:
    """Tell whether everything is wanted."""
    return 0 < _OURS.level <= logging.DEBUG
