"""What a step may say about a foreign exception: its type and where it arose.

Exceptions, warnings and logs of AutoGluon, pandas and Arrow quote cells of the data, so their text goes nowhere: not
into a message, not into a log, not into a file.
"""

from __future__ import annotations

import logging
import os
import traceback
import warnings
from pathlib import Path
from typing import Any


class _Silent(logging.StreamHandler[Any]):
    """Drops every record; a StreamHandler, because AutoGluon adds one of its own where it finds none."""

    def emit(self, record: logging.LogRecord) -> None:
        """Drop the record."""


def silence_libraries() -> None:
    """Keep the warnings and logs of AutoGluon out of this process's log; it logs exceptions whatever its verbosity."""
    warnings.simplefilter("ignore")
    logger = logging.getLogger("autogluon")
    logger.handlers[:] = [_Silent()]
    logger.propagate = False


def name(error: BaseException) -> str:
    """Return the type of an exception, and of one about a file what the system said: that never quotes a cell."""
    said = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else ""
    return type(error).__name__ + (f" ({said})" if said else "")


def frames(error: BaseException, limit: int = 12) -> str:
    """Return where an exception arose, innermost last, as `file:line function` without values or source lines."""
    stack = traceback.extract_tb(error.__traceback__)[-limit:]
    return " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in stack)


def place(error: BaseException) -> str:
    """Return the innermost `file:line` of an exception, or nothing if it was never raised."""
    stack = traceback.extract_tb(error.__traceback__)
    return f"{Path(stack[-1].filename).name}:{stack[-1].lineno}" if stack else ""
