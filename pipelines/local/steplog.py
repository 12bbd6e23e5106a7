"""The log of a step as people look at it: its last line while the step works, its end where it failed.

An I/O seam that only reads; what a log holds is anything, so what shows it has to escape it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

LOG_FILE = "log.txt"
TAIL_LINES = 20
_TAIL_BYTES = 16 * 1024
_LAST_BYTES = 1024
_LINE_LIMIT = 500
"""Characters of one line that are shown."""
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ [A-Z]+ ")


def tail(path: Path, lines: int = TAIL_LINES) -> list[str]:
    """Return the last lines of a log, those at its end that are empty left out; none where there is no log."""
    return [_cut(line) for line in _end(path, _TAIL_BYTES)[-lines:]]


def last_line(path: Path) -> str:
    """Return the last line of a log without its time, or an empty text."""
    text = "".join(_end(path, _LAST_BYTES)[-1:])
    return _cut(_STAMP.sub("", text, count=1).strip())


def find_logs(folder: Path) -> list[Path]:
    """Return the logs of a step in its folder: one, or one for each of several hosts."""
    own = folder / LOG_FILE
    return [own] if own.is_file() else sorted(folder.glob(f"*/{LOG_FILE}"))


class Reader:
    """Reads what a log has got since the last look, in whole lines."""

    def __init__(self) -> None:
        self._read: dict[Path, int] = {}

    def new_lines(self, path: Path, *, ended: bool = False) -> Iterator[str]:
        """Yield the lines that have come; with `ended` also a last one that no line end follows."""
        try:
            with path.open("rb") as file:
                start, size = self._read.get(path, 0), file.seek(0, 2)
                start = start if start <= size else 0  # a step that is tried again begins a new log
                file.seek(start)
                text = file.read()
        except OSError:
            return
        whole = text if ended else text[: text.rfind(b"\n") + 1]
        self._read[path] = start + len(whole)
        yield from (_cut(line) for line in whole.decode(errors="replace").splitlines())


def _end(path: Path, most: int) -> list[str]:
    """Return the lines at the end of a log, none half or empty at the end."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    whole = text if size <= most else text.partition("\n")[2] or text
    lines = whole.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _cut(line: str) -> str:
    return line if len(line) <= _LINE_LIMIT else line[:_LINE_LIMIT] + " ..."
