"""Prediction parts: `part-00000.parquet`, `part-00001.parquet`, ... of about a million rows each.

Where several instances write, each has a `stem` of its own in place of `part`.

Written batch by batch, with nothing in them that differs between two runs of the same rows and model (no clock, no
path), so that equal runs give equal bytes.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from steps import contract, hosts

pq: Any = pyarrow.parquet  # has no type information

PART_ROWS = 1_000_000
PREDICTION = "prediction"
MODEL = "model"
SOURCE = "source"


class Parts:
    """A context that writes batches of predictions to numbered files; at least one, even without rows."""

    def __init__(self, folder: Path, id_field: Any, model: str, source: str, stem: str = hosts.PART) -> None:
        self._folder = folder
        self._stem = stem
        self._constants = (model, source)
        self._schema = pa.schema(
            [
                pa.field(contract.ROW, pa.int64()),
                pa.field(id_field.name, id_field.type),
                pa.field(PREDICTION, pa.float64()),
                pa.field(MODEL, pa.string()),
                pa.field(SOURCE, pa.string()),
            ]
        )
        self._writer: Any = None
        self._in_part = 0
        self.paths: list[Path] = []

    def __enter__(self) -> Parts:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def _open(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self.paths.append(self._folder / f"{self._stem}-{len(self.paths):05d}.parquet")
        self._writer = pq.ParquetWriter(self.paths[-1], self._schema)
        self._in_part = 0

    def write(self, rows: Any, ids: Any, predictions: Any) -> None:
        """Write one batch: positions, ids and predictions of the same length."""
        if self._in_part >= PART_ROWS:
            self._open()
        count = len(rows)
        columns = [rows, ids.cast(self._schema.field(1).type), pa.array(predictions, pa.float64())]
        columns += [pa.repeat(pa.scalar(text, pa.string()), count) for text in self._constants]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._in_part += count
