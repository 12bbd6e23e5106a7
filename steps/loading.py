"""Load what decides about rows into one table, in file order, check ids and cells, and read the features when wanted.

Table `t`: code (see `assignment`), id (text), label, part (group or time of the holdout), w0, w1, ... (what `Layout`
watches), bad (a cell is not of its column's kind). Its rowid is the position of a row over all files, because rows are
only ever appended. Features are not kept: the files are read again for them (`stream`), so that a table of any width
takes little memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from steps import assignment, cells, problem, rawfile, schema, tables
from steps.assignment import Plan
from steps.job import StepError
from steps.problem import FileError
from steps.rawfile import RawFile
from steps.schema import Column

OTHER = 0
A_NUMBER = 1
A_CODE = 2

BATCH_ROWS = 100_000

FIRST_ROWS = 2
"""How many row numbers a message about ids names."""


@dataclass(frozen=True)
class Layout:
    """Which columns of the raw files become which columns of `t`.

    `part` and `part_kind` are the column that the holdout goes by (None: it needs none). With `checks` rows with a cell
    that is not of its column's kind are marked bad; with `checks_codes` also those where a number is a code like 007.
    Columns that were typed by all their cells need no check. Of the columns that it `watches` (positions) `t` tells for
    each cell what it holds: null where it is empty, else OTHER, A_NUMBER or A_CODE.
    """

    columns: tuple[Column, ...]
    id: str | None
    delimiter: str
    label: str | None = None
    part: str | None = None
    part_kind: str = schema.TEXT
    checks: bool = False
    checks_codes: bool = False
    watches: tuple[int, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """What was loaded: the files and how many rows each of them holds."""

    files: tuple[RawFile, ...]
    rows: tuple[int, ...]

    @property
    def total(self) -> int:
        """Return the rows of all files."""
        return sum(self.rows)

    def locate(self, position: int) -> str:
        """Return file and row (1 is the first after the header) of a position over all files."""
        for file, rows in zip(self.files, self.rows, strict=True):
            if position < rows:
                return f"row {position + 1} of {file.key!r}"
            position -= rows
        raise IndexError(position)


def load(connection: tables.Connection, files: Sequence[RawFile], layout: Layout, plan: Plan) -> Loaded:
    """Fill table `t` from the files; raise StepError for files that cannot be read."""
    for statement in ("DROP TABLE IF EXISTS t", *assignment.type_statements(plan)):
        connection.execute(statement)
    watched = [f"w{n} UTINYINT" for n in layout.watches]
    part = f"part {cells.SQL_TYPES[layout.part_kind]}"
    connection.execute(
        f"CREATE TABLE t ({', '.join(['code BIGINT', 'id VARCHAR', 'label DOUBLE', part, *watched, 'bad BOOLEAN'])})"
    )
    statements = [(file, _insert(file, layout, plan)) for file in files]
    answers = tables.run_on_files(connection, statements, layout.delimiter)
    return Loaded(tuple(files), tuple(int(answer[0][0]) for answer in answers))


def load_numbers(connection: tables.Connection, files: Sequence[RawFile], layout: Layout, plan: Plan) -> Loaded | None:
    """Fill table `t` with the numbers of plain CSV files read as numbers; None where that does not work.

    What decides by its text (ids, groups, what models select by) is read as text nevertheless.
    """
    as_text = {layout.id, layout.part, *plan.columns}
    names = {column.name for column in layout.columns if column.kind == schema.NUMBER}
    names |= {layout.label} if layout.label else set()
    try:
        return load(connection, [file.with_numbers(names - as_text) for file in files], layout, plan)
    except FileError:
        return None


def stream(
    connection: tables.Connection, loaded: Loaded, layout: Layout, plan: Plan, id_kind: str | None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield all rows in file order out of the files: position of the first, and code, id, label and features.

    Without `id_kind` there is no id, and no label where the layout has none.

    Raises:
        StepError: a file does not hold as many rows as when it was loaded.
    """
    end = 0
    for file, rows in zip(loaded.files, loaded.rows, strict=True):
        position, end = end, end + rows
        if file.blank is not None:
            continue
        chosen = [f"{_code(file, plan)} AS code"]
        chosen += [f"{id_expression(id_kind, _value(file, layout.id, schema.TEXT))} AS id"] if id_kind else []
        chosen += [f"{_value(file, layout.label, schema.NUMBER, True)} AS label"] if layout.label else []
        chosen += [f"{_value(file, c.name, c.kind, True)} AS c{n}" for n, c in enumerate(layout.columns)]
        read = f"SELECT {', '.join(chosen)} FROM {_scan(file, layout)}"  # noqa: S608 - own names
        for batch in connection.sql(read).to_arrow_reader(BATCH_ROWS):
            yield position, batch
            position += batch.num_rows
        if position != end:
            raise StepError(f"file {file.key!r} changed while it was read; start a new run")


def forget(connection: tables.Connection) -> None:
    """Free the memory of what was loaded, once it is decided where the rows go."""
    for table in ("t", "place", "held"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")


def _insert(file: RawFile, layout: Layout, plan: Plan) -> str:
    if file.blank is not None:
        empty = ", ".join(["NULL"] * (len(layout.watches) + 3))
        return f"INSERT INTO t SELECT {assignment.NOBODY}, {empty}, false FROM range({file.blank})"  # noqa: S608 - own text
    chosen = [
        f"{_code(file, plan)} AS code",
        f"{_value(file, layout.id, schema.TEXT)} AS id",
        f"{_value(file, layout.label, schema.NUMBER, file.is_plain)} AS label",
        f"{_value(file, layout.part, layout.part_kind)} AS part",
        *(f"{_watched(file, layout.columns[n])} AS w{n}" for n in layout.watches),
    ]
    wrong = " OR ".join(_bad_cells(file, layout))
    chosen.append(f"{wrong or 'false'} AS bad")
    return f"INSERT INTO t SELECT {', '.join(chosen)} FROM {_scan(file, layout)}"  # noqa: S608 - own names


def _code(file: RawFile, plan: Plan) -> str:
    return assignment.code_expression(plan, file, {name: tables.reference(file, name) for name in plan.columns})


def _watched(file: RawFile, column: Column) -> str:
    cell = tables.reference(file, column.name)
    if column.kind != schema.TEXT:
        return f"CASE WHEN {cell} IS NOT NULL THEN {OTHER} END"
    # numbers and codes sort before the colon, most texts behind it
    kind = (
        f"CASE WHEN {cells.is_code(cell)} THEN {A_CODE} WHEN {cells.is_number(cell)} THEN {A_NUMBER} ELSE {OTHER} END"
    )
    return f"CASE WHEN {cell} < ':' THEN {kind} WHEN {cell} IS NOT NULL THEN {OTHER} END"


def _bad_cells(file: RawFile, layout: Layout) -> list[str]:
    """Return the conditions under which a row has a cell that is not of its column's kind."""
    if not layout.checks:
        return []
    checked = [(column.name, column.kind) for column in layout.columns if column.kind != schema.TEXT]
    checked += [(layout.label, schema.NUMBER)] if layout.label else []
    conditions = []
    for name, kind in checked:
        cell = tables.reference(file, name)
        if _is_read_as_number(file, name):
            conditions.append(f"coalesce(NOT isfinite({cell}), false)")
            continue
        is_plain = kind == schema.NUMBER and file.is_plain
        conditions.append(f"({_filled(file, name, kind)} AND ({_value(file, name, kind, is_plain)}) IS NULL)")
        if layout.checks_codes and kind == schema.NUMBER and name != layout.label and not is_plain:
            conditions.append(f"coalesce({cells.is_code(cell)}, false)")
    return conditions


def _value(file: RawFile, column: str | None, kind: str, proven: bool = False) -> str:
    if column is None:
        return f"CAST(NULL AS {cells.SQL_TYPES[kind]})"
    if _is_read_as_number(file, column):
        return tables.reference(file, column)  # one that is not finite is a bad cell, and then the text is read
    return cells.value(file.stored_as(column), kind, tables.reference(file, column), proven)


def _is_read_as_number(file: RawFile, column: str) -> bool:
    return not file.is_parquet and file.stored_as(column) == rawfile.FLOAT


def _filled(file: RawFile, column: str, kind: str) -> str:
    """Tell whether a cell holds something; what a number column stores as infinite is empty, as in training."""
    stored, ref = file.stored_as(column), tables.reference(file, column)
    if kind == schema.NUMBER and stored == rawfile.FLOAT:
        return f"isfinite(CAST({ref} AS DOUBLE))"
    return f"{cells.text(stored, ref)} IS NOT NULL"


def _scan(file: RawFile, layout: Layout) -> str:
    return tables.scan(file, layout.delimiter)


def kept(spared: Collection[int]) -> str:
    """Return the condition of the rows of `t` whose codes are not left out."""
    return f"code NOT IN ({', '.join(map(str, sorted(spared)))})" if spared else "true"


def of_codes(codes: Collection[int]) -> str:
    """Return the condition of the rows of `t` that have one of the codes."""
    return f"code IN ({', '.join(map(str, sorted(codes)))})"


def count_bad(connection: tables.Connection, rows: str = "true") -> int:
    """Return how many rows have a cell that is not of its column's kind."""
    [(bad,)] = connection.execute(f"SELECT {cells.count_where('bad')} FROM t WHERE {rows}").fetchall()  # noqa: S608 - own text
    return int(bad)


@dataclass(frozen=True)
class Misfits:
    """How many cells of a column in a file are not of the column's kind, in rows of one code."""

    file: str
    column: Column
    code: int
    cells: int


def find_misfits(connection: tables.Connection, loaded: Loaded, layout: Layout, plan: Plan) -> list[Misfits]:
    """Return where cells are not of their column's kind, column by column, file by file."""
    checked = [column for column in layout.columns if column.kind != schema.TEXT]
    files = [file for file in loaded.files if file.blank is None]
    statements = [(file, _misfits(file, checked, layout, plan)) for file in files]
    answers = tables.run_on_files(connection, statements, layout.delimiter)
    return [
        Misfits(file.key, column, code, count)
        for file, by_code in zip(files, answers, strict=True)
        for position, column in enumerate(checked)
        for code, *counts in by_code
        if (count := counts[position])
    ]


def say_misfits(found: Iterable[Misfits]) -> list[str]:
    """Return a problem for each column and file."""
    counts: dict[tuple[str, Column], int] = {}
    for misfits in found:
        place = (misfits.file, misfits.column)
        counts[place] = counts.get(place, 0) + misfits.cells
    return [
        f"column {column.name!r} in {file!r}: {count} non-empty cells are not of kind {column.kind}, "
        "as the training files have it; clean them, or drop the column with data.drop"
        for (file, column), count in counts.items()
    ]


def _misfits(file: RawFile, columns: Sequence[Column], layout: Layout, plan: Plan) -> str:
    where = {column: tables.reference(file, column) for column in plan.columns}
    counted = [
        cells.count_where(
            f"{_filled(file, column.name, column.kind)} AND ({_value(file, column.name, column.kind)}) IS NULL"
        )
        for column in columns
    ]
    chosen = ", ".join([f"{assignment.code_expression(plan, file, where)} AS code", *counted])
    return f"SELECT {chosen} FROM {_scan(file, layout)} GROUP BY code ORDER BY code"  # noqa: S608 - own names


def check_ids(connection: tables.Connection, loaded: Loaded, column: str, rows: str = "true") -> list[str]:
    """Return the problems of the ids of `rows`: nulls and duplicates, with the rows where they are first found."""
    counted = f"SELECT {cells.count_where('id IS NULL')}, count(id) - count(DISTINCT id) FROM t WHERE {rows}"  # noqa: S608 - own text
    [(nulls, extra)] = connection.execute(counted).fetchall()
    problems = []
    if nulls:
        places = _first_rows(connection, loaded, f"id IS NULL AND {rows}")
        problems.append(f"id column {column!r} is empty in {nulls} rows, first in {places}; every row needs an id")
    if extra:
        twice = f"SELECT id, min(rowid) AS r FROM t WHERE id IS NOT NULL AND {rows} GROUP BY id HAVING count(*) > 1"  # noqa: S608 - own text
        [(first,)] = connection.execute(f"SELECT arg_min(id, r) FROM ({twice})").fetchall()  # noqa: S608 - own text
        places = _first_rows(connection, loaded, f"id = {cells.literal(first)} AND {rows}")
        problems.append(f"id column {column!r} has {extra} duplicates, first in {places}; ids must be unique")
    return problems


def blame_ids(
    connection: tables.Connection, loaded: Loaded, column: str, codes: Mapping[int, Collection[int]]
) -> dict[int, list[str]]:
    """Return the problems of the ids within the rows of single models; `codes` has those of each model."""
    pairs = [(code, model) for model, of_model in codes.items() for code in of_model]
    connection.execute("CREATE OR REPLACE TABLE owners (code BIGINT, m INTEGER)")
    connection.execute(
        "INSERT INTO owners SELECT unnest(?::BIGINT[]), unnest(?::INTEGER[])",
        [[code for code, _ in pairs], [model for _, model in pairs]],
    )
    twice = "SELECT m FROM t JOIN owners USING (code) GROUP BY m, id HAVING id IS NULL OR count(*) > 1"
    found = connection.execute(f"SELECT DISTINCT m FROM ({twice}) ORDER BY m").fetchall()  # noqa: S608 - own text
    return {model: check_ids(connection, loaded, column, of_codes(codes[model])) for (model,) in found}


def _first_rows(connection: tables.Connection, loaded: Loaded, condition: str) -> str:
    statement = f"SELECT rowid FROM t WHERE {condition} ORDER BY rowid LIMIT {FIRST_ROWS}"  # noqa: S608 - own text
    return " and ".join(loaded.locate(position) for (position,) in connection.execute(statement).fetchall())


def id_type(connection: tables.Connection, rows: str = "true") -> str:
    """Return how the ids of `rows` are written: as integers only if no id loses anything by it."""
    odd_ids = cells.count_where(f"({cells.whole_id('id')}) IS NULL")
    [(odd,)] = connection.execute(f"SELECT {odd_ids} FROM t WHERE {rows}").fetchall()  # noqa: S608
    return schema.TEXT_ID if odd else schema.INTEGER_ID


def id_expression(kind: str, cell: str) -> str:
    """Return the SQL expression of the id as it is written, out of its text."""
    return f"CAST({cell} AS BIGINT)" if kind == schema.INTEGER_ID else cell


def code_counts(connection: tables.Connection) -> dict[int, tuple[int, int]]:
    """Return rows and rows with a label per code."""
    found = connection.execute("SELECT code, count(*), count(label) FROM t GROUP BY code").fetchall()
    return {code: (rows, labelled) for code, rows, labelled in found}


def place_rows(connection: tables.Connection, placement: assignment.Placement, bucket: str, numbered: bool) -> None:
    """Make table `place` (r: rowid, m: model, b: what `bucket` computes of it) of the rows of `t` that have a label.

    With `numbered` it has also n, the position within the model, for `bucket` to use.
    """
    taken = {code: model for code, model in placement.models.items() if model is not None}
    connection.execute("CREATE TABLE codes (code BIGINT, m INTEGER)")
    connection.execute(
        "INSERT INTO codes SELECT unnest(?::BIGINT[]), unnest(?::INTEGER[])", [list(taken), list(taken.values())]
    )
    labelled = "FROM t JOIN codes USING (code) WHERE label IS NOT NULL"
    rows = f"SELECT t.rowid AS r, m, {bucket} AS b {labelled}"
    if numbered:
        number = f"SELECT t.rowid AS r, m, row_number() OVER (PARTITION BY m ORDER BY t.rowid) AS n {labelled}"
        rows = f"SELECT r, m, n, {bucket} AS b FROM ({number}) p"  # noqa: S608 - own text
    connection.execute(f"CREATE TABLE place AS {rows}")


def missing_columns(files: Sequence[RawFile], wanted: Sequence[tuple[str, str]]) -> list[str]:
    """Return a problem for each (column, what asks for it) that the files lack, with the nearest they have.

    Where all are lacking, the first line may be no header but cells, which are not shown.
    """
    there = files[0].columns
    has_header = any(column in there for column, _ in wanted)
    where = problem.name_list(file.key for file in files)
    return [
        f"column {column!r} ({why}) is not in {where}; {problem.nearest(column, there, has_header)}"
        for column, why in wanted
        if column not in there
    ]


def unsupported_columns(files: Sequence[RawFile], columns: Sequence[str]) -> list[tuple[str, str]]:
    """Return a file's key and a problem for each of the columns that is nested or of a type without a kind."""
    return [
        (file.key, f"column {column!r} in {file.key!r} is nested or of a type we cannot use; flatten it")
        for file in files
        for column in columns
        if file.stored_as(column) == rawfile.UNSUPPORTED
    ]
