"""Rows of each model out of one stream in file order: buffered until a model has a chunk of them, nothing is sorted.

A chunk holds rows of one model, in their order, and its size does not depend on how DuckDB batches, so equal rows give
equal files. Models are written in groups, each in a pass of its own over the rows, so that buffers stay bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steps.chunk import ROWS

NOBODY = -1
"""Model of the rows that nobody takes."""

WAITING_SHARE = 0.25
"""Share of the memory that rows may take that wait for a chunk."""
CELL_BYTES = 16

Models = npt.NDArray[np.int16]
"""Models are few, and numpy sorts numbers of 16 bits fastest."""
Batch = tuple[Models, pa.RecordBatch]
"""Rows, with the model of each."""


class Folder(Protocol):
    """Where the rows of one model go."""

    def add(self, rows: pa.Table) -> None:
        """Take the next chunk."""

    def finish(self) -> None:
        """Write what follows from all rows."""


class Lookup:
    """Finds the models of rows by their codes."""

    def __init__(self, models: Mapping[int, int | None]) -> None:
        taken = {code: model for code, model in models.items() if model is not None}
        self._codes = np.array(sorted(taken) or [NOBODY], np.int64)
        self._models = np.array([taken.get(int(code), NOBODY) for code in self._codes], np.int16)

    def models(self, codes: npt.NDArray[np.int64]) -> Models:
        """Return the model of each code, NOBODY where there is none."""
        places = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        return np.where(self._codes[places] == codes, self._models[places], np.int16(NOBODY))


def sizes(rows: Mapping[int, int], models: Mapping[int, int | None]) -> dict[int, int]:
    """Return how many rows each model has, by the rows of each code and the models of the codes."""
    found: dict[int, int] = {}
    for code, count in rows.items():
        model = models[code]
        if model is not None:
            found[model] = found.get(model, 0) + count
    return found


def most_waiting(memory: int, columns: int) -> int:
    """Return how many rows of so many columns may wait, in a job with so many bytes of memory."""
    return int(memory * WAITING_SHARE / CELL_BYTES / max(1, columns))


def groups(sizes: Mapping[int, int], most: int, rows: int = ROWS) -> Iterator[dict[int, int]]:
    """Yield the models that have rows, in their order, so many at a time that at most `most` rows wait for a chunk.

    One at a time where even that is more.
    """
    group: dict[int, int] = {}
    waiting = 0
    for model, size in sorted(sizes.items()):
        if group and waiting + min(size, rows) > most:
            yield group
            group, waiting = {}, 0
        if size:
            group[model] = size
            waiting += min(size, rows)
    if group:
        yield group


def distribute(
    batches: Iterable[Batch],
    sizes: Mapping[int, int],
    pooled: int | None,
    open_folder: Callable[[int], Folder],
    rows: int = ROWS,
) -> None:
    """Give the models of `sizes` their rows, chunk by chunk; each folder is opened for a first chunk and finished.

    Args:
        batches: all rows in file order.
        sizes: how many rows each model has.
        pooled: the model that takes every row that has a model.
        open_folder: makes the folder of a model.
        rows: of a chunk.
    """
    buffers = {model: _Buffer(rows) for model in sizes}
    left, folders = dict(sizes), dict[int, Folder]()
    for models, batch in batches:
        for model, part in _parts(models, batch, sizes, pooled):
            left[model] -= part.num_rows
            for chunk in buffers[model].add(part, is_last=not left[model]):
                if model not in folders:
                    folders[model] = open_folder(model)
                folders[model].add(chunk)
            if not left[model]:
                folders.pop(model).finish()


def _parts(
    models: Models, batch: pa.RecordBatch, sizes: Mapping[int, int], pooled: int | None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    order = np.argsort(models, kind="stable")
    counts = np.bincount(models - NOBODY)
    for model, places in enumerate(np.split(order, np.cumsum(counts)[:-1]), start=NOBODY):
        if len(places) and model in sizes and model != pooled:
            # one by one, as a slice would keep the whole batch in memory while it waits
            yield model, batch if len(places) == len(models) else batch.take(pa.array(places))
    if pooled in sizes and pooled is not None and (taken := models != NOBODY).any():
        yield pooled, batch.filter(pa.array(taken))


class _Buffer:
    """Rows of one model that wait for a chunk."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._waiting: list[pa.RecordBatch] = []
        self._count = 0

    def add(self, part: pa.RecordBatch, *, is_last: bool) -> Iterator[pa.Table]:
        """Yield the chunks that are full with these rows; what is left too if they are the last."""
        while self._count + part.num_rows >= self._rows:
            head, part = part.slice(0, self._rows - self._count), part.slice(self._rows - self._count)
            yield self._take(head)
        if part.num_rows:
            self._waiting.append(part)
            self._count += part.num_rows
        if is_last and self._count:
            yield self._take()

    def _take(self, *more: pa.RecordBatch) -> pa.Table:
        # one piece, as pages of a file end where pieces do, and those depend on threads and memory
        found = pa.Table.from_batches([*self._waiting, *more]).combine_chunks()
        self._waiting, self._count = [], 0
        return found
