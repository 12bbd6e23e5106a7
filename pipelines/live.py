"""The live table of an execution on a terminal: every step with its state, or counts by kind where there are many.

States are told by a sign and a word, never by colour alone. It is drawn anew for the size that the terminal has.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipelines import terminal
from pipelines.board import DONE, WORKING, Board, Row, say_about, say_seconds
from pipelines.local.steplog import last_line
from pipelines.progress import PlainProgress

if TYPE_CHECKING:
    from pipelines.local.record import StepEvent

MOST_ROWS = 24
"""Steps that are shown one by one; fewer on a terminal that is not so high."""
_AROUND = 5
"""Lines of the terminal that are not for steps: the head, and room for what is said above."""
_LEAST_DETAIL, _LEAST_NAME = 16, 12
_BAR = 20
_PER_SECOND = 4
STYLES = {
    "Succeeded": "green",
    "Cached": "cyan",
    "Failed": "bold red",
    "Stopped": "red",
    "Waiting": "dim",
    "Starting": "yellow",
    "Executing": "yellow",
}
_SIGNS = {
    **{"Succeeded": "✓", "Cached": "≡", "Failed": "✗", "Stopped": "■"},
    **{"Waiting": "·", "Starting": "○", "Executing": "▶"},
}
_PLAIN_SIGNS = {
    **{"Succeeded": "+", "Cached": "=", "Failed": "x", "Stopped": "#"},
    **{"Waiting": ".", "Starting": "o", "Executing": ">"},
}


class LiveProgress(PlainProgress):
    """A table that draws itself anew several times a second; what is said stands above it."""

    def __init__(self, board: Board, execution: str, stream: TextIO) -> None:
        super().__init__(board, execution, stream)
        self._console = Console(file=stream, no_color=bool(os.environ.get("NO_COLOR")), highlight=False)
        self._live = Live(
            console=self._console,
            get_renderable=self.draw,
            refresh_per_second=_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def _end(self) -> None:
        self._live.stop()

    def _begin(self) -> None:
        self._live.start()

    def watch(self, event: StepEvent) -> None:
        """Take a step's transition into the table; what it has to say stands above."""
        self._board.take(event)
        if event.status in DONE and self._streams:
            self._stream_logs(event.step, ended=True)
        reason = terminal.line((event.reason.splitlines() or [""])[0])
        if event.status in WORKING and reason:
            self.say(f"{self._board.label(event.step)} runs: {reason}")
        if event.status == "Failed":
            self.say(f"{self._board.label(event.step)} failed: {reason}")

    def say(self, line: str) -> None:
        """Print a line above the table."""
        self._console.print(Text(terminal.lines(line)), soft_wrap=True)

    def _say_silence(self, working: list[str]) -> None:
        """Say nothing: the table shows it."""

    def draw(self) -> RenderableType:
        """Return what the terminal shows."""
        rows, size = self._board.rows(), self._console.size
        room = max(_AROUND, size.height - _AROUND)
        shown = self._steps(rows, size.width) if len(rows) <= min(MOST_ROWS, room) else self._kinds(rows, size.width)
        return Group(self._head(), shown)

    def _head(self) -> Text:
        done, total = self._board.counts()
        left = self._board.remaining()
        parts = [f"{done} of {total} steps", say_seconds(self._board.elapsed).replace(".0 s", " s")]
        if left is not None and done < total:
            parts.append(f"about {say_about(left)} left")
        return Text.assemble((f"execution {self._execution}", "bold"), "  ", ", ".join(parts))

    def _sign(self, state: str) -> str:
        signs = _SIGNS if self._console.encoding.startswith("utf") else _PLAIN_SIGNS
        return signs.get(state, "?")

    def _steps(self, rows: Sequence[Row], width: int) -> Table:
        """Return one line per step: sign, name, state, seconds and what it says last."""
        times = [_times(row) for row in rows]
        fixed = 2 + 2 + 1 + max((len(row.state) for row in rows), default=0) + 2 + max(map(len, times), default=0) + 2
        names = max((cell_len(terminal.line(row.label)) for row in rows), default=0)
        names = min(names, max(_LEAST_NAME, width - fixed))
        rest = width - fixed - names - 2
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(width=1)
        table.add_column(width=names + 1, no_wrap=True, overflow="ellipsis")
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        if rest >= _LEAST_DETAIL:
            table.add_column(width=rest, no_wrap=True, overflow="ellipsis", style="dim")
        for row, time in zip(rows, times, strict=True):
            cells = [*self._cells(row), Text(time)]
            table.add_row(*cells, *([Text(f" {self._detail(row)}")] if rest >= _LEAST_DETAIL else []))
        return table

    def _cells(self, row: Row) -> list[Text]:
        style = STYLES.get(row.state, "")
        mark = "*" if row.is_critical else " "
        name = Text(terminal.line(row.label), style="bold" if row.is_critical else "")
        return [Text(mark, style="bold"), Text(self._sign(row.state), style=style), name, Text(row.state, style=style)]

    def _detail(self, row: Row) -> str:
        """Return what a step says: the last line of its log while it works, else why it ended so."""
        if row.state in WORKING and row.is_job:
            logs = self._board.logs(row.name)
            return terminal.line(last_line(logs[0])) if logs else ""
        return terminal.line((row.detail.splitlines() or [""])[0])

    def _kinds(self, rows: Sequence[Row], width: int) -> Group:
        """Return counts by kind, then the steps at work and those that failed by name."""
        kinds: dict[str, list[Row]] = {}
        for row in rows:
            if row.is_job or row.state in ("Failed", *WORKING):
                kinds.setdefault(row.kind, []).append(row)
        names = max(map(len, kinds), default=0)
        lines = [self._kind(kind, members, names) for kind, members in kinds.items()]
        room = max(3, self._console.size.height - _AROUND - len(lines))
        failed = [row for row in rows if row.state in ("Failed", "Stopped")]
        working = sorted((row for row in rows if row.state in WORKING), key=lambda row: -(row.seconds or 0))
        named = [*failed[: max(1, room // 2)], *working]
        parts: list[RenderableType] = [*(self._cut(line, width) for line in lines)]
        parts += [self._steps(named[:room], width)] if named else []
        more = len(failed) + len(working) - len(named[:room])
        parts += [Text(f"    and {more} more", style="dim")] if more > 0 else []
        return Group(*parts)

    def _kind(self, kind: str, rows: Sequence[Row], names: int) -> Text:
        """Return one line of a kind: how many of its steps are over, and what is not as usual; a lone step itself."""
        if len(rows) == 1:
            mark, sign, _, state = self._cells(rows[0])
            return Text.assemble(mark, " ", sign, f" {kind:<{names}}  ", state, f"  {_times(rows[0])}")
        counts = Counter(row.state for row in rows)
        over = sum(counts[state] for state in DONE)
        filled = _BAR * over // len(rows)
        full, empty = ("█", "░") if self._console.encoding.startswith("utf") else ("#", ".")
        told = [f"{over} of {len(rows)}"]
        told += [f"{number} {state}" for state, number in counts.items() if state not in ("Succeeded", "Waiting")]
        bar = (full * filled + empty * (_BAR - filled), "green")
        return Text.assemble(f"    {kind:<{names}}  ", bar, f"  {', '.join(told)}")

    def _cut(self, line: Text, width: int) -> Text:
        line.truncate(width, overflow="ellipsis")
        return line


def _times(row: Row) -> str:
    if row.seconds is None:
        return ""
    shown = say_seconds(row.seconds)
    return shown if not row.expected else f"{shown} of ~{say_about(row.expected)}"
