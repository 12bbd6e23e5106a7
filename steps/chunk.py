"""Rows of each model out of one sorted stream: cut into chunks of a fixed size and written as Parquet parts.

A chunk never spans two models, and its size does not depend on how DuckDB batches, so equal rows give equal files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from steps import schema
from steps.schema import Column

ROWS = 100_000
"""Rows of a chunk, and the most rows of a row group."""
PART_FILE = "part-00000.parquet"
MODEL = "m"
HELD_OUT = "h"

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


def cut(batches: Iterable[pa.RecordBatch], rows: int = ROWS) -> Iterator[tuple[int, pa.Table]]:
    """Yield (model, table of at most `rows` rows) out of batches that are sorted by their column `m`."""
    model, waiting, count = -1, list[pa.Table](), 0
    for found, table in _runs(batches):
        if found != model:
            yield from _tables(model, waiting)
            model, waiting, count = found, [], 0
        while count + table.num_rows >= rows:
            head, table = table.slice(0, rows - count), table.slice(rows - count)
            yield model, pa.concat_tables([*waiting, head])
            waiting, count = [], 0
        if table.num_rows:
            waiting.append(table)
            count += table.num_rows
    yield from _tables(model, waiting)


def _tables(model: int, waiting: Sequence[pa.Table]) -> Iterator[tuple[int, pa.Table]]:
    if waiting:
        yield model, pa.concat_tables(waiting)


def _runs(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.Table]]:
    """Yield stretches of one model each."""
    for batch in batches:
        table = pa.Table.from_batches([batch])
        models = table.column(MODEL).to_numpy()
        edges = [0, *(np.flatnonzero(np.diff(models)) + 1).tolist(), len(models)]
        for start, end in pairwise(edges):
            if end > start:
                yield int(models[start]), table.slice(start, end - start)


class PartWriter:
    """Writes one model's parts below its folder; also makes the parts that get no rows.

    Each part is written by a thread of its own (Arrow lets go of the interpreter), one row group at a time, so that
    writing and reading overlap in bounded memory.
    """

    def __init__(self, folder: Path, parts: Sequence[str], layout: pa.Schema) -> None:
        self.rows = dict.fromkeys(parts, 0)
        self._folder = folder
        self._layout = layout
        self._open = ExitStack()
        self._writers: dict[str, Any] = {}
        self._pending: dict[str, Future[None]] = {}

    def __enter__(self) -> PartWriter:
        for part in self.rows:
            path = self._folder / part / PART_FILE
            path.parent.mkdir(parents=True, exist_ok=True)
            writer = pq.ParquetWriter(path, self._layout, compression="zstd", compression_level=1)  # type: ignore[no-untyped-call]
            self._writers[part] = self._open.enter_context(writer)
        self._threads = self._open.enter_context(ThreadPoolExecutor(len(self.rows)))
        return self

    def __exit__(self, *error: object) -> None:
        with self._open:
            for pending in self._pending.values():
                pending.result()

    def write(self, part: str, table: pa.Table) -> None:
        """Append rows to a part as one row group."""
        self.rows[part] += table.num_rows
        if part in self._pending:
            self._pending.pop(part).result()
        if table.num_rows:
            self._pending[part] = self._threads.submit(self._writers[part].write_table, table, ROWS)
