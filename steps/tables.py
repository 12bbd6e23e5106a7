"""Reading raw files with DuckDB, out of core: connection, scans by position, and errors without cell texts.

A scan names the columns of a file `p0, p1, ...` by their position, so that column names never reach SQL (they may
hold quotes, or differ in case only). DuckDB's own messages quote the offending line: they never leave this module.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from steps import cells, problem, rawfile
from steps.job import StepError
from steps.rawfile import RawFile

Connection = duckdb.DuckDBPyConnection

NOT_THE_FILE = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.OutOfMemoryException,
)
"""Errors of DuckDB that say nothing about the file being read: our own mistakes, and want of memory or disk."""

_NOT_WRITTEN = "Could not write"
"""How DuckDB begins to say that it cannot spill; it has no error of its own for that."""

MEMORY_VARIABLE = "PREPARE_MEMORY_LIMIT"
_SHIFTS = {"K": 10, "M": 20, "G": 30}
MEMORY_LIMIT = 4 << 30
MEMORY_SHARE = 0.6
"""Share of the machine's memory that DuckDB may use; above it, and above MEMORY_LIMIT, it spills to disk."""


@contextmanager
def connect(scratch: Path, environment: Mapping[str, str] = os.environ) -> Iterator[Connection]:
    """Open a database in memory that spills to the folder `scratch`; settings come from the environment."""
    scratch.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{memory(environment) // 2**20}MiB",
            "threads": threads(environment),
            "temp_directory": str(scratch),
            "autoinstall_known_extensions": "false",
            "preserve_insertion_order": "true",
        },
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        # type_pushdown turns a TRY_CAST of a CSV column into the reader's own cast, which raises instead of giving null
        connection.execute("SET disabled_optimizers = 'type_pushdown'")
        yield connection
    finally:
        connection.close()


def threads(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many threads the step may use."""
    for name in ("CORES", "OMP_NUM_THREADS"):
        if environment.get(name, "").isdigit():
            return max(1, int(environment[name]))
    return os.cpu_count() or 1


def memory(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many bytes of memory the database may take; raise StepError for a limit that is no size."""
    given = environment.get(MEMORY_VARIABLE)
    if given:
        found = re.fullmatch(r"(\d+)(K|M|G)i?B", given)
        if not found:
            raise StepError(f"{MEMORY_VARIABLE} is {given!r}, expected a size such as 500MB or 2GB")
        return int(found.group(1)) << _SHIFTS[found.group(2)]
    offered = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        if path.is_file() and (limit := path.read_text(encoding="ascii").strip()).isdigit():
            offered.append(int(limit))
    return min(MEMORY_LIMIT, int(min(offered) * MEMORY_SHARE))


def scan(file: RawFile, delimiter: str) -> str:
    """Return the FROM clause that reads a file with its columns named p0, p1, ... by position."""
    names = [f"p{position}" for position in range(len(file.columns))]
    path = cells.literal(str(file.path))
    if file.is_parquet:
        for position in file.left_out:  # in ascending order, so that each is inserted where it stands in the file
            names.insert(position, f"left_out{position}")
        return f"read_parquet({path}) AS s({', '.join(names)})"
    types = ["DOUBLE" if stored == rawfile.FLOAT else "VARCHAR" for stored in file.stored]
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in zip(names, types, strict=True))
    return (
        f"read_csv({path}, header = true, auto_detect = false, strict_mode = true, "
        f"delim = {cells.literal(delimiter)}, quote = '\"', escape = '\"', nullstr = '', columns = {{{columns}}})"
    )


def reference(file: RawFile, column: str) -> str:
    """Return the name by which a scan of the file knows a column."""
    return f"p{file.columns.index(column)}"


def run_on_files(connection: Connection, statements: Sequence[tuple[RawFile, str]], delimiter: str) -> list[list[Any]]:
    """Execute one statement per file and return their rows; raise StepError for all files that cannot be read."""
    answers, problems = [], list[tuple[str, str]]()
    for file, statement in statements:
        try:
            answers.append(connection.execute(statement).fetchall())
        except NOT_THE_FILE:
            raise
        except duckdb.Error as error:
            if isinstance(error, duckdb.IOException) and _NOT_WRITTEN in str(error):
                raise StepError(
                    "the step's disk is full: give the job a larger one (instances.prepare.volume_gb), or make room"
                ) from None
            problems.append((file.key, describe(file, delimiter, str(error))))
    problem.raise_files(problems)
    return answers


def describe(file: RawFile, delimiter: str, message: str) -> str:
    """Return what is wrong with a file that DuckDB refused: file, line and reason, without any of its text."""
    if file.is_parquet:
        return f"file {file.key!r} cannot be read as Parquet: it is damaged, or holds a type we cannot use"
    found = _find_fault(file, delimiter)
    if found:
        return f"file {file.key!r}, {found}"
    line = re.search(r"CSV Error on Line: (\d+)", message)
    where = f"line {line.group(1)}" if line else "somewhere"
    if "Maximum line size" in message:
        return f"file {file.key!r}, {where}: longer than the 2 MB that a line may have; shorten its cells"
    if _mixes_line_ends(file.path):
        return f"file {file.key!r} mixes CRLF and LF line ends; save it with one kind"
    return f"file {file.key!r}, {where}: broken quoting or wrong number of fields; save it as RFC 4180 CSV"


def _find_fault(file: RawFile, delimiter: str) -> str | None:
    """Return line and reason of the first record that is not proper CSV, read slowly but surely."""
    csv.field_size_limit(rawfile.FIELD_LIMIT)
    start = 1
    with file.path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        try:
            for record in reader:
                if record and len(record) != len(file.columns):
                    return f"line {start}: {len(record)} fields, expected {len(file.columns)} as in the header"
                start = reader.line_num + 1
        except csv.Error:
            return f"line {start}: broken quoting (a quote that is not closed, or text after a closing quote)"
        except UnicodeDecodeError:
            return f"line {start} or after it is not UTF-8; save the file as UTF-8"
    return None


def _mixes_line_ends(path: Path) -> bool:
    with path.open("rb") as stream:
        kinds = {line.endswith(b"\r\n") for line in stream if line.endswith(b"\n")}
    return len(kinds) > 1
