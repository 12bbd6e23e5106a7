"""The published predictions: every model's parts as one data set, in the order of the prediction files.

PostProcess calls `join`: it reads Infer's parts and writes Parquet (and CSV where asked) into a folder of its
caller's. The proof that each row is there once belongs to the join: rows that lack it raise. DuckDB sorts
out of core, so memory does not grow with the rows. It must not publish: that is PostProcess's last act.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from steps import contract
from steps.job import StepError

# pyarrow has type information for a part of itself only
_compute: Any = pyarrow.compute
_csv: Any = pyarrow.csv
_parquet: Any = pyarrow.parquet

CSV_FILE = "predictions.csv"
PREDICTION = "prediction"
MODEL = "model"
SOURCE = "source"
PART_ROWS = 2_000_000
GROUP_ROWS = 131_072
MEMORY_LIMIT = "1GB"
_FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
"""What makes a spreadsheet take a cell for a formula, full-width forms included
(https://owasp.org/www-community/attacks/CSV_Injection)."""
_NUMBER = r"^[+\-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+\-]?[0-9]+)?$"
"""Text that is a number as it stands: a spreadsheet computes nothing of it."""
_TYPES = {"int64": pa.int64(), "string": pa.string()}

# Columns are named by position: DuckDB compares names without case, and an id may be called `Model`.
_PARTS = "read_parquet($files, filename = true) AS part(position, id, prediction, model, source, file)"
_COUNTS = f"""
    SELECT file, count(*), min(model), max(model), min(source), max(source), count(model), count(source)
    FROM {_PARTS} GROUP BY file
"""  # noqa: S608 - made of constants
_ORDERED = f"SELECT position, id, prediction, model, source FROM {_PARTS} ORDER BY position"  # noqa: S608 - the same


@dataclass(frozen=True)
class Part:
    """What one model's Infer wrote: `rows` is what `inference.json` claims, `files` what lies there."""

    name: str
    source: str
    rows: int
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Expected:
    """What the join must find: all of `rows` positions but the `absent` ones that were skipped on purpose."""

    rows: int
    absent: int
    id_column: str
    id_type: str


@dataclass(frozen=True)
class Target:
    """Where the join writes: the data set's folder `data`, `spill` for sorting, and the CSV file or None."""

    data: Path
    spill: Path
    csv: Path | None = None


@dataclass(frozen=True)
class Joined:
    """The data set that was written."""

    rows: int
    files: tuple[str, ...]


Finish = Callable[[Iterator[Any], Any], tuple[Any, Iterator[Any]]]
"""Makes of the batches in order, and their schema, what is published: the user's own hook."""


def join(
    parts: Sequence[Part],
    expected: Expected,
    target: Target,
    part_rows: int = PART_ROWS,
    finish: Finish | None = None,
) -> Joined:
    """Write one data set ordered by `__row__`, with each row to predict exactly once and a finite prediction.

    Raises:
        StepError: a part does not hold what its model claims, or the rows are not those to predict.
    """
    schema = _published_schema(parts, expected)
    target.data.mkdir(parents=True, exist_ok=True)
    target.spill.mkdir(parents=True, exist_ok=True)
    files = sorted(glob.escape(str(path)) for part in parts for path in part.files)  # DuckDB expands globs
    proof = _Proof(expected)
    with _connect(target.spill) as connection:
        if files:
            _check_parts(connection, parts, files)
        batches = _proven(connection, files, proof, schema)
        if finish:
            schema, batches = finish(batches, schema)
        with _Writer(schema, target, part_rows) as writer:
            for batch in batches:
                writer.write(batch)
    proof.conclude()
    return Joined(proof.rows, tuple(writer.names))


def _proven(connection: duckdb.DuckDBPyConnection, files: list[str], proof: _Proof, schema: Any) -> Iterator[Any]:
    """Yield what is published of all rows in their order, each seen by the proof."""
    for batch in _ordered(connection, files) if files else ():
        proof.take(batch)
        yield batch.select([1, 2, 3, 4]).rename_columns(schema.names).cast(schema)


def _connect(spill: Path) -> duckdb.DuckDBPyConnection:
    settings: dict[str, Any] = {
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": str(spill),
        "autoinstall_known_extensions": "false",  # no network in a step
        "autoload_known_extensions": "false",
    }
    if threads := os.environ.get("OMP_NUM_THREADS"):
        settings["threads"] = threads
    return duckdb.connect(config=settings)


def _ordered(connection: duckdb.DuckDBPyConnection, files: list[str]) -> Iterator[Any]:
    yield from connection.sql(_ORDERED, params={"files": files}).to_arrow_reader(GROUP_ROWS)


def _published_schema(parts: Sequence[Part], expected: Expected) -> Any:
    reserved = (contract.ROW, PREDICTION, MODEL, SOURCE)
    if expected.id_column in reserved:
        raise StepError(
            f"the id column is called {expected.id_column!r}, a name that the predictions use themselves "
            f"({', '.join(reserved)}): rename it in the raw files and under data.id"
        )
    id_type = _id_type(parts, expected)
    names = (expected.id_column, PREDICTION, MODEL, SOURCE)
    return pa.schema(list(zip(names, (id_type, pa.float64(), pa.string(), pa.string()), strict=True)))


def _id_type(parts: Sequence[Part], expected: Expected) -> Any:
    wanted = [contract.ROW, expected.id_column, PREDICTION, MODEL, SOURCE]
    types: dict[str, Any] = {}
    problems = []
    for part in parts:
        for path in part.files:
            schema = _parquet.read_schema(path)
            if schema.names != wanted or (schema.types[0], schema.types[2]) != (pa.int64(), pa.float64()):
                problems.append(f"{part.name}: {path.name} has the columns {schema.names}, expected {wanted}")
            else:
                types.setdefault(str(schema.types[1]), schema.types[1])
    if len(types) > 1:
        problems.append(f"the id column has several types in the parts: {', '.join(sorted(types))}")
    if problems:
        raise StepError("; ".join(problems) + ": run the inference steps again")
    return next(iter(types.values()), _TYPES.get(expected.id_type, pa.string()))


def _check_parts(connection: duckdb.DuckDBPyConnection, parts: Sequence[Part], files: list[str]) -> None:
    """Compare the parts with what each model claims: rows of another model would pass a mere count."""
    found = {row[0]: row[1:] for row in connection.execute(_COUNTS, {"files": files}).fetchall()}
    problems = []
    for part in parts:
        held = [found[str(path)] for path in part.files if str(path) in found]
        rows = sum(row[0] for row in held)
        if rows != part.rows:
            problems.append(f"{part.name}: its parts hold {rows:,} rows, inference.json says {part.rows:,}")
        if any(row[1:] != (part.name, part.name, part.source, part.source, row[0], row[0]) for row in held):
            problems.append(f"{part.name}: its parts hold rows of another model, or not served {part.source}")
    if problems:
        raise StepError("; ".join(problems) + ": run the inference steps again")


class _Proof:
    """Counts what is wrong with the rows as they stream by in order, and raises at their end."""

    def __init__(self, expected: Expected) -> None:
        self.rows = 0
        self._expected = expected
        self._last = -1
        self._doubled = 0
        self._outside = 0
        self._empty = 0

    def take(self, batch: Any) -> None:
        positions = _compute.fill_null(batch.column(0), -1).to_numpy(zero_copy_only=False)
        outside = (positions < 0) | (positions >= self._expected.rows)
        predictions = batch.column(2).to_numpy(zero_copy_only=False)
        self.rows += len(positions)
        doubled = (np.diff(positions, prepend=self._last) == 0) & ~outside
        self._outside += int(np.count_nonzero(outside))
        self._doubled += int(np.count_nonzero(doubled))
        self._empty += int(np.count_nonzero(~np.isfinite(predictions.astype(np.float64))))
        self._last = positions[-1] if len(positions) else self._last

    def conclude(self) -> None:
        wanted = self._expected.rows - self._expected.absent
        distinct = self.rows - self._doubled - self._outside
        problems = [
            f"{count:,} {what}"
            for count, what in (
                (self._empty, "predictions are null or not finite"),
                (self._doubled, "rows are predicted more than once"),
                (self._outside, "rows have a number that the prediction files do not have"),
                (wanted - distinct, "rows to predict have no prediction"),
                (distinct - wanted, "rows are predicted although they were to be skipped"),
            )
            if count > 0
        ]
        if problems:
            raise StepError(
                f"the predictions are not published: {'; '.join(problems)} ({self.rows:,} rows "
                f"found, {wanted:,} expected). Run the inference steps again"
            )


class _Writer:
    """Writes batches as Parquet parts with row groups of one size, so that bytes repeat, and as CSV."""

    def __init__(self, schema: Any, target: Target, part_rows: int) -> None:
        self.names: list[str] = []
        self._schema = schema
        self._folder = target.data
        self._part_rows = part_rows
        self._pending: list[Any] = []
        self._waiting = 0
        self._left = 0
        self._part: Any = None
        self._csv = _open_csv(target.csv, schema) if target.csv else None

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is None:
            self._flush(everything=True)
        for sink in (self._part, self._csv):
            if sink is not None:
                sink.close()

    def write(self, batch: Any) -> None:
        self._pending.append(batch)
        self._waiting += batch.num_rows
        if self._csv is not None:
            self._csv.write_batch(_harmless(batch))
        if self._waiting >= GROUP_ROWS:
            self._flush(everything=False)

    def _flush(self, everything: bool) -> None:
        table = pa.Table.from_batches(self._pending, self._schema)
        start = 0
        while table.num_rows - start >= GROUP_ROWS or (everything and start < table.num_rows):
            if self._left == 0:
                self._next_part()
            rows = min(GROUP_ROWS, self._left, table.num_rows - start)
            self._part.write_table(table.slice(start, rows), row_group_size=GROUP_ROWS)
            self._left -= rows
            start += rows
        if everything and not self.names:
            self._next_part()
        rest = table.slice(start)
        self._pending, self._waiting = rest.to_batches(), rest.num_rows

    def _next_part(self) -> None:
        if self._part is not None:
            self._part.close()
        self.names.append(f"part-{len(self.names):05d}.parquet")
        self._part = _parquet.ParquetWriter(self._folder / self.names[-1], self._schema, compression="zstd")
        self._left = self._part_rows


def _open_csv(path: Path, schema: Any) -> Any:
    header = pa.schema([(_harmless_text(pa.array([f.name]))[0].as_py(), f.type) for f in schema])
    return _csv.CSVWriter(path, header)


def _harmless(batch: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would run as a formula; numbers stay as they are."""
    columns = [_harmless_text(column) if _is_text(column) else column for column in batch.columns]
    names = _harmless_text(pa.array(batch.schema.names)).to_pylist()
    return pa.RecordBatch.from_arrays(columns, names)


def _is_text(column: Any) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _harmless_text(column: Any) -> Any:
    quoted = _compute.binary_join_element_wise("'", column, "").cast(column.type)
    formula = _compute.match_substring_regex(column, _FORMULA)
    harmful = _compute.and_not(formula, _compute.match_substring_regex(column, _NUMBER))
    return _compute.if_else(harmful, quoted, column)
