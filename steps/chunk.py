"""A model's rows as Parquet parts, written chunk by chunk on threads of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from steps import schema
from steps.schema import Column

ROWS = 100_000
"""Rows of a chunk, and the most rows of a row group."""
PART_FILE = "part-00000.parquet"
DICTIONARY_LIMIT = 64 << 10
"""Bytes of a column's values beyond which a row group keeps no dictionary of them: looking each up costs more than it
saves, and categories are far below it."""

_ARROW = {
    schema.NUMBER: pa.float64(),
    schema.BOOL: pa.float64(),
    schema.DATETIME: pa.timestamp("us"),
    schema.TEXT: pa.string(),
    schema.INTEGER_ID: pa.int64(),
    schema.TEXT_ID: pa.string(),
}


def field(name: str, kind: str) -> pa.Field:
    """Return the Parquet field of a column of this kind, or of an id of this type."""
    return pa.field(name, _ARROW[kind])


def fields(columns: Iterable[Column]) -> list[pa.Field]:
    """Return the Parquet fields of feature columns."""
    return [field(column.name, column.kind) for column in columns]


class Line:
    """Runs work one piece after the other on threads that others share; at most one piece waits or runs."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._pending: Future[None] | None = None

    def submit(self, work: Callable[[], None]) -> None:
        """Start a piece of work once the one before has ended; raise what that one raised."""
        self.wait()
        self._pending = self._threads.submit(work)

    def wait(self) -> None:
        """Wait for what was submitted last; raise what it raised."""
        pending, self._pending = self._pending, None
        if pending:
            pending.result()


class PartWriter:
    """Writes one model's parts below its folder; also makes the parts that get no rows.

    Each part is written by a line of its own (Arrow lets go of the interpreter), one row group at a time, so that
    writing and reading overlap in bounded memory.
    """

    def __init__(self, folder: Path, parts: Sequence[str], layout: pa.Schema, threads: Executor) -> None:
        self.rows = dict.fromkeys(parts, 0)
        self._writers: dict[str, Any] = {}
        self._lines = {part: Line(threads) for part in parts}
        for part in parts:
            path = folder / part / PART_FILE
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writers[part] = pq.ParquetWriter(  # type: ignore[no-untyped-call]
                path,
                layout,
                compression="zstd",
                compression_level=1,
                dictionary_pagesize_limit=DICTIONARY_LIMIT,
            )

    def write(self, part: str, table: pa.Table, chosen: npt.NDArray[np.bool_] | None = None) -> None:
        """Append rows to a part as one row group: those that are chosen, or all."""
        rows = table.num_rows if chosen is None else int(np.count_nonzero(chosen))
        self.rows[part] += rows
        writer = self._writers[part]

        def work() -> None:
            writer.write_table(table if chosen is None else table.filter(pa.array(chosen)), ROWS)

        if rows:
            self._lines[part].submit(work)

    def close(self) -> None:
        """End all parts."""
        for part, writer in self._writers.items():
            self._lines[part].wait()
            writer.close()
