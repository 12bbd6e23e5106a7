"""Guess the kinds of CSV columns from their first rows, load by the guess, and prove it on what was loaded.

Saves `kinds.measure`, which reads all text a second time. A guess that cannot be proven is thrown away, so that kinds
and messages are always those of `kinds.decide`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from steps import cells, loading, schema, tables
from steps.rawfile import RawFile
from steps.schema import Column

SAMPLE_ROWS = 1000
_NUMBER = re.compile(cells.NUMBER_PATTERN, re.ASCII)
_CODE = re.compile(cells.CODE_PATTERN, re.ASCII)
_TIME = re.compile(cells.TIME_PATTERN, re.ASCII)


def guess(
    connection: tables.Connection,
    files: Sequence[RawFile],
    names: Sequence[str],
    delimiter: str,
    rows: int = SAMPLE_ROWS,
) -> dict[str, str]:
    """Return a kind for each column by the first rows of each CSV file; raise StepError for unreadable files."""
    statements = []
    for file in files:
        chosen = ", ".join(tables.reference(file, name) for name in names)
        statements.append((file, f"SELECT {chosen} FROM {tables.scan(file, delimiter)} LIMIT {rows}"))  # noqa: S608 - own names
    samples = [row for sample in tables.run_on_files(connection, statements, delimiter) for row in sample]
    return {name: _guess([row[n] for row in samples if row[n] is not None]) for n, name in enumerate(names)}


def _guess(sample: Sequence[str]) -> str:
    """Return the one kind that all cells have; a column without cells passes for a number, as any kind would do."""
    if all(_NUMBER.fullmatch(cell) and not _CODE.search(cell) for cell in sample):
        return schema.NUMBER
    if all(cell.lower() in ("true", "false") for cell in sample):
        return schema.BOOL
    if all(_TIME.fullmatch(cell) for cell in sample):
        return schema.DATETIME
    return schema.TEXT


def prove(
    connection: tables.Connection, columns: Sequence[Column], declared: Collection[str]
) -> tuple[str, ...] | None:
    """Return the columns of the loaded table that hold nothing; None if the guess was wrong, or may be.

    A text column that the sample saw is not of another kind, but it may still be half numbers. `declared` columns are
    text whatever they hold.
    """
    if loading.count_bad(connection):
        return None
    counted = []
    for n, column in enumerate(columns):
        is_open = column.kind == schema.TEXT and column.name not in declared
        numbers, codes = (cells.count_where(test(f"c{n}")) for test in (cells.is_number, cells.is_code))
        mixed = f"{numbers} * 2 >= count(c{n}) AND {codes} = 0"
        counted += [f"count(c{n})", f"count(c{n}) > 0 AND {mixed}" if is_open else "false"]
    if not counted:
        return None
    [answer] = connection.execute(f"SELECT {', '.join(counted)} FROM t").fetchall()  # noqa: S608 - own names
    if any(answer[1::2]):
        return None
    return tuple(column.name for column, filled in zip(columns, answer[::2], strict=True) if not filled)
