"""Guess the kinds of CSV columns from their first rows, load by the guess, and prove it by what was seen meanwhile.

Saves `kinds.measure`, which reads all text a second time. A guess that cannot be proven is thrown away, so that kinds
and messages are always those of `kinds.decide`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from steps import cells, loading, schema, tables
from steps.rawfile import RawFile
from steps.schema import Column

SAMPLE_ROWS = 1000
_NUMBER = re.compile(cells.NUMBER_PATTERN, re.ASCII)
_CODE = re.compile(cells.CODE_PATTERN, re.ASCII)
_TIME = re.compile(cells.TIME_PATTERN, re.ASCII)


_TOLD = (loading.A_NUMBER, loading.A_CODE)


@dataclass(frozen=True)
class Guess:
    """The kind of each column, and the columns that have no value in the first rows."""

    kinds: dict[str, str]
    unseen: frozenset[str]


def guess(
    connection: tables.Connection,
    files: Sequence[RawFile],
    names: Sequence[str],
    delimiter: str,
    rows: int = SAMPLE_ROWS,
) -> Guess:
    """Return a kind for each column by the first rows of each CSV file; raise StepError for unreadable files."""
    statements = []
    for file in files:
        chosen = ", ".join(tables.reference(file, name) for name in names)
        statements.append((file, f"SELECT {chosen} FROM {tables.scan(file, delimiter)} LIMIT {rows}"))  # noqa: S608 - own names
    samples = [row for sample in tables.run_on_files(connection, statements, delimiter) for row in sample]
    seen = {name: [row[n] for row in samples if row[n] is not None] for n, name in enumerate(names)}
    return Guess({name: _guess(sample) for name, sample in seen.items()}, frozenset(n for n in names if not seen[n]))


def _guess(sample: Sequence[str]) -> str:
    """Return the one kind that all cells have; a column without cells passes for a number, as any kind would do."""
    if all(_NUMBER.fullmatch(cell) and not _CODE.search(cell) for cell in sample):
        return schema.NUMBER
    if all(cell.lower() in ("true", "false") for cell in sample):
        return schema.BOOL
    if all(_TIME.fullmatch(cell) for cell in sample):
        return schema.DATETIME
    return schema.TEXT


def open_columns(columns: Sequence[Column], unseen: Collection[str], declared: Collection[str]) -> tuple[int, ...]:
    """Return the positions of the columns that loading has to watch, because the first rows do not settle them.

    A text column that the sample saw is not of another kind, but it may still be half numbers. `declared` columns are
    text whatever they hold.
    """
    return tuple(
        n
        for n, column in enumerate(columns)
        if column.name in unseen or (column.kind == schema.TEXT and column.name not in declared)
    )


def prove(
    connection: tables.Connection, columns: Sequence[Column], watched: Sequence[int], declared: Collection[str]
) -> tuple[str, ...] | None:
    """Return the columns of what was loaded that hold nothing; None if the guess was wrong, or may be."""
    if not columns or loading.count_bad(connection):
        return None
    counted = [
        expression
        for n in watched
        for expression in (f"count(w{n})", *(cells.count_where(f"w{n} = {what}") for what in _TOLD))
    ]
    if not counted:
        return ()
    [answer] = connection.execute(f"SELECT {', '.join(counted)} FROM t").fetchall()  # noqa: S608 - own names
    empty = []
    for n, filled, numbers, codes in zip(watched, answer[::3], answer[1::3], answer[2::3], strict=True):
        is_open = columns[n].kind == schema.TEXT and columns[n].name not in declared
        if filled and is_open and numbers * 2 >= filled and not codes:
            return None
        empty += [] if filled else [columns[n].name]
    return tuple(empty)
