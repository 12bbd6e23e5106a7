"""The file of realised values: which id had which label in the end. Checked whole before anything is computed.

CSV or Parquet, read by DuckDB, so that memory does not grow with it. Messages name columns and counts, no cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import DataError, nearest
from pipelines.prediction_differences import names

if TYPE_CHECKING:
    import duckdb

TABLE = "truth"
"""The table that `load` makes: `id` in the type of the predictions' ids, `actual` a finite number or null."""

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


@dataclass(frozen=True)
class Truth:
    """Where realised values lie, and the columns that hold id and label; `delimiter` of a CSV, None to find out."""

    path: Path
    id: str
    label: str
    delimiter: str | None = None


def load(connection: duckdb.DuckDBPyConnection, truth: Truth, id_type: str) -> None:
    """Make the table TABLE of the ids and realised values in a file; a row without a value stays, as null.

    Raises:
        DataError: the file cannot be read, lacks a column, or holds ids or labels that are none; all problems at once.
    """
    import duckdb

    if not truth.path.is_file():
        raise DataError(f"--actuals {truth.path}: there is no such file")
    try:
        columns = _columns(connection, truth)
        missing = _missing(truth, columns)
        _copy(connection, truth, columns, id_type)
        problems = [*missing, *_wrong_cells(connection, truth, columns, id_type)]
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:  # its message quotes cells
        raise DataError(
            f"{truth.path}: cannot be read as {_form(truth)} ({type(error).__name__}); expected a CSV in UTF-8 with a "
            "header, or Parquet"
        ) from None
    if problems:
        raise DataError(*(f"{truth.path}: {problem}" for problem in problems))


def _form(truth: Truth) -> str:
    return "Parquet" if truth.path.suffix.lower() in (".parquet", ".pq") else "CSV"


def _source(truth: Truth) -> tuple[str, dict[str, object]]:
    """Return the table function of the file and its parameters; the cells of a CSV come as they stand, as text."""
    found: dict[str, object] = {"file": names([truth.path])}
    if _form(truth) == "Parquet":
        return "read_parquet($file)", found
    if truth.delimiter is None:
        return "read_csv($file, header = true, all_varchar = true)", found
    return "read_csv($file, header = true, all_varchar = true, delim = $delimiter)", {
        **found,
        "delimiter": truth.delimiter,
    }


def _columns(connection: duckdb.DuckDBPyConnection, truth: Truth) -> list[str]:
    source, parameters = _source(truth)
    query = f"SELECT * FROM {source} LIMIT 0"  # noqa: S608 - a table function of ours, the file is a parameter
    return [str(column[0]) for column in connection.execute(query, parameters).description]


def _missing(truth: Truth, columns: list[str]) -> Iterator[str]:
    for what, name in (("id", truth.id), ("label", truth.label)):
        if name not in columns:
            hint = nearest(name, columns) or f"; it has {', '.join(map(repr, columns[:10]))}"
            yield f"has no column {name!r}, the {what} of this execution{hint}; rename it"


def _copy(connection: duckdb.DuckDBPyConnection, truth: Truth, columns: list[str], id_type: str) -> None:
    """Make the table; a column that is missing is null. Columns have names by position, so none reaches SQL."""
    source, parameters = _source(truth)
    given = [f"c{columns.index(name)}" if name in columns else "NULL" for name in (truth.id, truth.label)]
    aliases = ", ".join(f"c{number}" for number in range(len(columns)))
    query = f"""
        CREATE TEMP TABLE {TABLE} AS
        SELECT TRY_CAST({given[0]} AS {id_type}) AS id, TRY_CAST({given[1]} AS DOUBLE) AS actual,
               {given[0]} IS NOT NULL AS has_id, {given[1]} IS NOT NULL AS has_label
        FROM {source} AS file({aliases})
    """  # noqa: S608 - positions, and a type that DuckDB named
    connection.execute(query, parameters)


def _wrong_cells(
    connection: duckdb.DuckDBPyConnection, truth: Truth, columns: list[str], id_type: str
) -> Iterator[str]:
    counts = connection.execute(f"""
        SELECT count(*), count(*) FILTER (NOT has_id), count(*) FILTER (has_id AND id IS NULL),
               count(id) - count(DISTINCT id),
               count(*) FILTER (has_label AND actual IS NULL), count(*) FILTER (NOT isfinite(actual))
        FROM {TABLE}
    """).fetchone()  # noqa: S608 - made of constants
    rows, empty, foreign, doubled, text, infinite = counts or (0,) * 6
    if not rows:
        yield "has no row; expected a row for each id whose value is known"
    if truth.id in columns:
        form = "whole numbers" if id_type in _WHOLE else f"of the type {id_type}"
        yield from _count(empty, f"row(s) have no {truth.id!r}; give each the id of its prediction")
        yield from _count(foreign, f"row(s) have a {truth.id!r} that does not fit the predictions', which are {form}")
        yield from _count(doubled, f"row(s) repeat a {truth.id!r}; leave one row for each")
    if truth.label in columns:
        yield from _count(text, f"row(s) have a {truth.label!r} that is no number; leave it empty where it is unknown")
        yield from _count(
            infinite, f"row(s) have a {truth.label!r} that is not finite; leave it empty where it is unknown"
        )


def _count(rows: int, what: str) -> Iterator[str]:
    if rows:
        yield f"{rows:,} {what}"
