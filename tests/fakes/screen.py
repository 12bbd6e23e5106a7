"""A terminal for tests: a program runs in a pseudo-terminal, and a grid of cells shows what a user would see.

Knows what `rich` writes: line ends, carriage returns, cursor up, erased lines; colours are counted and left out.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_TOKEN = re.compile(r"\x1b\[(?P<numbers>[?\d;]*)(?P<final>[A-Za-z])|(?P<text>[^\x1b])", re.DOTALL)


@dataclass
class Screen:
    """What has been shown: all lines since the beginning, those that have scrolled away included."""

    width: int
    lines: list[list[str]] = field(default_factory=lambda: [[]])
    row: int = 0
    column: int = 0
    colours: set[str] = field(default_factory=set)
    _rest: str = ""

    def feed(self, text: str) -> None:
        text = self._rest + text
        cut = re.search(r"\x1b(\[[?\d;]*)?$", text)  # the rest of it is yet to come
        text, self._rest = (text[: cut.start()], cut[0]) if cut else (text, "")
        for token in _TOKEN.finditer(text):
            if token["text"] is not None:
                self._put(token["text"])
            elif token["final"] == "A":
                self.row -= int(token["numbers"] or 1)
            elif token["final"] == "K":
                self.lines[self.row] = []
            elif token["final"] == "m":
                self.colours |= {number for number in token["numbers"].split(";") if re.fullmatch("[349]\\d", number)}
            elif token["numbers"] not in ("?25",):
                raise AssertionError(f"the screen does not know {token[0]!r}")

    def _put(self, character: str) -> None:
        if character == "\n":
            self._next_line()
        elif character == "\r":
            self.column = 0
        else:
            cells = 2 if unicodedata.east_asian_width(character) in "WF" else 1
            if self.column + cells > self.width:
                self._next_line()
                self.column = 0
            line = self.lines[self.row]
            line += [" "] * (self.column + cells - len(line))
            line[self.column : self.column + cells] = [character, *[""] * (cells - 1)]
            self.column += cells

    def _next_line(self) -> None:
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append([])

    def text(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self.lines)


@dataclass
class Terminal:
    """A program that runs in a pseudo-terminal; `frames` are what the screen showed each time something came."""

    screen: Screen
    frames: list[str] = field(default_factory=list)
    raw: str = ""
    code: int | None = None

    def seen(self, pattern: str) -> bool:
        """Tell whether the screen ever showed this."""
        return any(re.search(pattern, frame) for frame in self.frames)


def run(
    command: Sequence[str],
    cwd: Path,
    size: tuple[int, int] = (100, 40),
    environment: Mapping[str, str] | None = None,
    on_frame: Callable[[Terminal, int, int], None] | None = None,
    timeout: float = 120.0,
) -> Terminal:
    """Run a command in a pseudo-terminal of so many columns and rows, to its end.

    `on_frame` is told of each frame, with the terminal's file descriptor and the process's id.
    """
    inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "CI")}
    child = {**inherited, "TERM": "xterm-256color", **(environment or {})}
    leader, follower = pty.openpty()
    resize(leader, size)
    process = subprocess.Popen(
        command, cwd=cwd, env=child, stdin=follower, stdout=follower, stderr=follower, start_new_session=True
    )
    os.close(follower)
    shown = Terminal(Screen(size[0]))
    ends = time.monotonic() + timeout
    decode = codecs.getincrementaldecoder("utf-8")().decode
    try:
        while time.monotonic() < ends:
            if not select.select([leader], [], [], 0.2)[0]:
                continue
            try:
                got = os.read(leader, 65536)
            except OSError:  # the last process that had it open has closed it
                break
            if not got:
                break
            text = decode(got)
            shown.raw += text
            shown.screen.feed(text)
            shown.frames.append(shown.screen.text())
            if on_frame:
                on_frame(shown, leader, process.pid)
        shown.code = process.wait(10)
    finally:
        process.kill() if process.poll() is None else None
        process.wait()
        os.close(leader)
    return shown


def resize(terminal: int, size: tuple[int, int]) -> None:
    """Give a pseudo-terminal another size."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
