"""A model's rows as Parquet parts, written chunk by chunk on threads of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from functools import partial
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
PART_FILE = "part-{:05d}.parquet"
PART_ROWS = 1_000_000
"""Rows of a file at most: enough files to be shared out among instances, and large enough to be read at full speed."""
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
    """Writes one model's rows below its folder, each kind of rows to a folder of its own; also those without rows.

    Each folder is written by a line of its own (Arrow lets go of the interpreter), one row group at a time, so that
    writing and reading overlap in bounded memory. Its files hold at most PART_ROWS rows each, unless a chunk has more.
    """

    def __init__(self, folder: Path, names: Sequence[str], layout: pa.Schema, threads: Executor) -> None:
        self.rows = dict.fromkeys(names, 0)
        self._files = {name: _Files(folder / name, layout) for name in names}
        self._lines = {name: Line(threads) for name in names}

    def write(self, name: str, table: pa.Table, chosen: npt.NDArray[np.bool_] | None = None) -> None:
        """Append rows as one row group: those that are chosen, or all."""
        rows = table.num_rows if chosen is None else int(np.count_nonzero(chosen))
        self.rows[name] += rows
        if rows:
            self._lines[name].submit(partial(self._files[name].write, table, chosen))

    def close(self) -> None:
        """End all files."""
        for name, files in self._files.items():
            self._lines[name].wait()
            files.close()


class _Files:
    """The numbered Parquet files of one folder: at least one."""

    def __init__(self, folder: Path, layout: pa.Schema) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._layout = layout
        self._count = 0
        self._rows = 0
        self._writer = self._next()

    def _next(self) -> Any:
        path = self._folder / PART_FILE.format(self._count)
        self._count += 1
        self._rows = 0
        return pq.ParquetWriter(  # type: ignore[no-untyped-call]
            path, self._layout, compression="zstd", compression_level=1, dictionary_pagesize_limit=DICTIONARY_LIMIT
        )

    def write(self, table: pa.Table, chosen: npt.NDArray[np.bool_] | None) -> None:
        rows = table if chosen is None else table.filter(pa.array(chosen))
        if self._rows and self._rows + rows.num_rows > PART_ROWS:
            self._writer.close()
            self._writer = self._next()
        self._rows += rows.num_rows
        self._writer.write_table(rows, ROWS)

    def close(self) -> None:
        self._writer.close()
