"""How far the predictions of two executions are apart, id by id, and how realised values compare with predictions.

DuckDB over the published Parquet parts: it joins out of core, so memory does not grow with the rows. Columns are
named by their position, so that the name of an id column never reaches SQL.
"""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = "2GB"
PARTS = "read_parquet({}) AS part(id, prediction, model, source)"
"""The published columns by position."""

# A row belongs to the model that served it in the second execution; one that is only in the first to its model there.
_DIFFERENCES = """
    WITH first AS (SELECT * FROM {first}), second AS (SELECT * FROM {second}),
    joined AS (
        SELECT coalesce(second.model, first.model) AS model, second.prediction - first.prediction AS signed,
               first.id IS NOT NULL AS in_first, second.id IS NOT NULL AS in_second
        FROM first FULL JOIN second ON {same}
    )
    SELECT model, grouping(model), count(*) FILTER (in_first AND in_second), count(*) FILTER (NOT in_second),
           count(*) FILTER (NOT in_first), count(*) FILTER (signed != 0), avg(signed), avg(abs(signed)),
           quantile_cont(abs(signed), [0.5, 0.95]), max(abs(signed))
    FROM joined GROUP BY GROUPING SETS ((), (model))
"""


@dataclass(frozen=True)
class Differences:
    """Differences of predictions (second minus first) in the unit of the label; None where no row is in both.

    `changed` of the `both` rows differ at all; `mean`, `median`, `p95` and `max` are of |difference|, `shift` is the
    mean with its sign.
    """

    both: int
    only_first: int
    only_second: int
    changed: int
    shift: float | None
    mean: float | None
    median: float | None
    p95: float | None
    max: float | None


@contextlib.contextmanager
def connect(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory that spills to the folder `scratch`."""
    import duckdb  # takes longer to import than most commands that do not need it take

    scratch.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": str(scratch),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    with duckdb.connect(config=settings) as connection:
        connection.execute("SET enable_progress_bar = false")
        yield connection


def compare(
    first: Sequence[Path], second: Sequence[Path], scratch: Path
) -> tuple[Differences | None, dict[str, Differences]]:
    """Return the differences over all rows (None where there is no row), and by model."""
    with connect(scratch) as connection:
        types = [id_type(connection, files) for files in (first, second)]
        same = "first.id = second.id" if types[0] == types[1] else "first.id::VARCHAR = second.id::VARCHAR"
        query = _DIFFERENCES.format(first=PARTS.format("$first"), second=PARTS.format("$second"), same=same)
        rows = connection.execute(query, {"first": names(first), "second": names(second)}).fetchall()
    found = {row[0]: _differences(row) for row in rows if not row[1]}
    total = next((_differences(row) for row in rows if row[1]), None)
    return (total if found else None), dict(sorted(found.items()))


def _differences(row: Sequence[Any]) -> Differences:
    _, _, both, only_first, only_second, changed, shift, mean, quantiles, most = row
    median, p95 = quantiles or (None, None)
    return Differences(both, only_first, only_second, changed, shift, mean, median, p95, most)


def id_type(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> str:
    """Return DuckDB's type of the ids in published predictions."""
    query = f"SELECT id FROM {PARTS.format('$files')} LIMIT 0"  # noqa: S608 - made of constants
    return str(connection.execute(query, {"files": names(files)}).description[0][1])


def names(files: Sequence[Path]) -> list[str]:
    """Return files as DuckDB takes them, which expands globs."""
    return [glob.escape(str(path)) for path in files]
