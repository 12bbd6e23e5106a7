"""What each column holds: number, bool, datetime or text, decided from counts over all cells of all files.

Reads every cell once (`measure`), then decides by pure rules (`decide`). A column of half numbers is a mistake that
nobody wants typed as text, so it is an error; codes like 007 are text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from steps import assignment, cells, problem, rawfile, schema, tables
from steps.assignment import Plan
from steps.rawfile import RawFile

SAMPLE_ROWS = 200
_TIME = re.compile(cells.TIME_PATTERN, re.ASCII)
_NATIVE = {
    rawfile.INTEGER: schema.NUMBER,
    rawfile.FLOAT: schema.NUMBER,
    rawfile.BOOL: schema.BOOL,
    rawfile.TIME: schema.DATETIME,
    rawfile.STRING: schema.TEXT,
}


@dataclass(frozen=True)
class Count:
    """Counts over one column of one file: rows, non-null cells and how many of them read as what.

    `infinite` counts cells of a Parquet column that are infinite or not a number. `code` says which rows of the file
    were counted, where they were counted apart.
    """

    file: str
    stored: str
    rows: int
    filled: int
    numbers: int = 0
    codes: int = 0
    bools: int = 0
    times: int = 0
    infinite: int = 0
    code: int = assignment.NOBODY


def measure(
    connection: tables.Connection,
    files: Sequence[RawFile],
    columns: Sequence[str],
    delimiter: str,
    plan: Plan | None = None,
) -> dict[str, list[Count]]:
    """Return the counts of each column in each file; with a plan apart for each of its codes.

    Then nothing is sampled: what the first rows look like says nothing about those of another code.
    """
    everything = {column: {schema.DATETIME, schema.BOOL} for column in columns}
    looks = [everything] * len(files) if plan else _sample(connection, files, columns, delimiter)
    statements = [
        (file, _count_statement(file, columns, look, delimiter, plan)) for file, look in zip(files, looks, strict=True)
    ]
    answers = tables.run_on_files(connection, statements, delimiter)
    counts: dict[str, list[Count]] = {column: [] for column in columns}
    for file, by_code in zip(files, answers, strict=True):
        for answer in by_code or [(*[0] * (6 * len(columns) + 1), assignment.NOBODY)]:
            for position, column in enumerate(columns):
                found = answer[position * 6 : position * 6 + 6]
                rows, code = answer[-2:]
                counts[column].append(Count(file.key, file.stored_as(column), *(rows, *found, code)))
    return counts


def _sample(
    connection: tables.Connection, files: Sequence[RawFile], columns: Sequence[str], delimiter: str
) -> list[dict[str, set[str]]]:
    """Return per file what the first cells of its columns could be: it saves looking for dates among the numbers."""
    statements = []
    for file in files:
        chosen = ", ".join(tables.reference(file, column) for column in columns)
        limit = 0 if file.is_parquet else SAMPLE_ROWS
        statements.append((file, f"SELECT {chosen} FROM {tables.scan(file, delimiter)} LIMIT {limit}"))  # noqa: S608 - own names
    samples = tables.run_on_files(connection, statements, delimiter)
    return [
        {column: _looks_like([row[n] for row in sample if row[n]]) for n, column in enumerate(columns)}
        for sample in samples
    ]


def _looks_like(sample: Sequence[str]) -> set[str]:
    found = set()
    if all(_TIME.fullmatch(cell) for cell in sample):
        found.add(schema.DATETIME)
    if all(cell.lower() in ("true", "false") for cell in sample):
        found.add(schema.BOOL)
    return found


def _count_statement(
    file: RawFile, columns: Sequence[str], looks: dict[str, set[str]], delimiter: str, plan: Plan | None
) -> str:
    counted = [
        expression
        for column in columns
        for expression in _count_expressions(
            file.stored_as(column), tables.reference(file, column), looks.get(column, set())
        )
    ]
    code, groups = str(assignment.NOBODY), ""
    if plan:
        where = {column: tables.reference(file, column) for column in plan.columns}
        code, groups = assignment.code_expression(plan, file, where), "GROUP BY code ORDER BY code"
    scan = tables.scan(file, delimiter)
    return f"SELECT {', '.join(counted)}, count(*), {code} AS code FROM {scan} {groups}"  # noqa: S608 - own names


def _count_expressions(stored: str, ref: str, look: set[str]) -> tuple[str, ...]:
    """Return the expressions for filled, numbers, codes, bools, times and infinite of one column."""
    if stored == rawfile.UNSUPPORTED:
        return (f"count({ref})", "0", "0", "0", "0", "0")
    if stored != rawfile.CELL:
        infinite = cells.count_where(f"NOT isfinite(CAST({ref} AS DOUBLE))") if stored == rawfile.FLOAT else "0"
        return (f"count({cells.text(stored, ref)})", "0", "0", "0", "0", infinite)
    times = f"count({cells.value(stored, schema.DATETIME, ref)})" if schema.DATETIME in look else "0"
    bools = f"count({cells.value(stored, schema.BOOL, ref)})" if schema.BOOL in look else "0"
    return (
        f"count({ref})",
        cells.count_where(cells.is_number(ref)),
        cells.count_where(cells.is_code(ref)),
        bools,
        times,
        "0",
    )


def decide(counts: Mapping[str, Sequence[Count]], texts: Collection[str]) -> tuple[dict[str, str | None], list[str]]:
    """Return the kind of each column (None when it holds nothing at all) and the problems found.

    Args:
        counts: of each column, in each file.
        texts: columns that are text whatever they hold.
    """
    found = {column: decide_one(column, of_files, column in texts) for column, of_files in counts.items()}
    return {c: kind for c, (kind, _) in found.items()}, [text for _, text in found.values() if text]


def decide_one(column: str, counts: Sequence[Count], is_text: bool = False) -> tuple[str | None, str | None]:
    """Return the kind of one column and what is wrong with it, each None where there is none."""
    unsupported = [count.file for count in counts if count.stored == rawfile.UNSUPPORTED]
    if unsupported:
        return None, (
            f"column {column!r} in {problem.name_list(unsupported)} is nested or of a type we cannot use; "
            "flatten it, or list it under data.drop"
        )
    filled = [count for count in counts if count.filled]
    if not filled or is_text:
        return (schema.TEXT if filled else None), None
    cell_counts = [count for count in filled if count.stored == rawfile.CELL]
    kind, mixed = _decide_cells(column, cell_counts) if cell_counts else (None, None)
    kinds = {_NATIVE[count.stored] for count in filled if count.stored in _NATIVE} | ({kind} if kind else set())
    if len(kinds) > 1:
        listed = ", ".join(sorted(kinds))
        files = problem.name_list(count.file for count in filled)
        mixed = f"column {column!r} has mixed types over the files {files}: {listed}; {_WAY_OUT}"
    return (None, mixed) if mixed else (kinds.pop(), None)


_WAY_OUT = "clean it, or list it under data.categories or data.drop"


def _decide_cells(column: str, counts: Sequence[Count]) -> tuple[str | None, str | None]:
    filled = sum(count.filled for count in counts)
    numbers = sum(count.numbers for count in counts)
    codes = sum(count.codes for count in counts)
    if numbers == filled and not codes:
        return schema.NUMBER, None
    if sum(count.bools for count in counts) == filled:
        return schema.BOOL, None
    if sum(count.times for count in counts) == filled:
        return schema.DATETIME, None
    if numbers * 2 < filled or codes:
        return schema.TEXT, None
    files = problem.name_list(count.file for count in counts if count.numbers < count.filled)
    return None, (
        f"column {column!r} has mixed types in {files}: {numbers} of {filled} non-empty cells are numbers, "
        f"{filled - numbers} are not; {_WAY_OUT}"
    )


def blame(column: str, counts: Mapping[int, Sequence[Count]], allowed: Collection[str]) -> dict[int, str]:
    """Return the models whose cells are not of the kind that most cells of the column have, each with what they are.

    Args:
        column: a column that has no kind because its cells are of several.
        counts: of the rows of each model.
        allowed: the kinds that the column may have.
    """
    decided = {model: decide_one(column, of_model) for model, of_model in counts.items()}
    cells_of: Counter[str] = Counter()
    for model, (kind, _) in decided.items():
        if kind is not None and kind in allowed:
            cells_of[kind] += sum(count.filled for count in counts[model])
    if not cells_of:
        return {}
    best = cells_of.most_common(1)[0][0]
    others = f"those of most other models of kind {best}; {_WAY_OUT}"
    return {
        model: mixed or f"column {column!r}: its cells are of kind {kind}, {others}"
        for model, (kind, mixed) in decided.items()
        if mixed or kind not in (None, best)
    }


def add_up(counts: Iterable[Count]) -> list[Count]:
    """Return one count for each file."""
    total: dict[str, Count] = {}
    for count in counts:
        known = total.get(count.file)
        total[count.file] = _sum(known, count) if known else count
    return list(total.values())


def _sum(one: Count, other: Count) -> Count:
    summed = {name: getattr(one, name) + getattr(other, name) for name in _SUMMED}
    return replace(one, **summed)


_SUMMED = ("rows", "filled", "numbers", "codes", "bools", "times", "infinite")


def check_label(label: str, counts: Sequence[Count]) -> list[str]:
    """Return the problems of the label, which must hold finite numbers only."""
    problems = []
    for count in counts:
        native = count.stored in (rawfile.INTEGER, rawfile.FLOAT, rawfile.NOTHING)
        odd = count.filled - count.numbers if not native else 0
        if odd:
            problems.append(
                f"label {label!r} in {count.file!r}: {odd} of {count.filled} non-empty cells are not numbers; "
                "clean them, or choose another data.label"
            )
        if count.infinite:
            problems.append(f"label {label!r} in {count.file!r}: {count.infinite} cells are infinite or not a number")
    return problems
