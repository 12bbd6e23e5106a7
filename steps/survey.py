"""Look at raw files of which nothing is known yet: `python -m steps.survey --request FILE --raw FOLDER`.

Run by `pipelines.init`. A request without `roles` asks what each column of each file holds; one with `roles` asks what
must be counted over all files of a role: whether ids are unique, and the rows of each value of a column; one with
`part` has files parted that hold both roles. Prints one JSON object. DuckDB reads the files out of core: memory does
not grow with them.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from steps import cells, contract, job, parting, problem, rawfile, schema, tables
from steps.job import StepError
from steps.problem import FileError
from steps.rawfile import RawFile

DELIMITERS = (",", ";", "\t", "|")
HEAD_LINES = 20
HEAD_CHARACTERS = 1 << 18
SAMPLE_ROWS = 200
COLUMNS_AT_ONCE = 100
"""Columns that one statement counts; a wider file is read several times."""
MEASURES = 11

_NUMBER = re.compile(cells.NUMBER_PATTERN, re.ASCII)
_TIME = re.compile(cells.TIME_PATTERN, re.ASCII)
_OTHER_DATE = re.compile(r"\d{1,4}([/.年-])\d{1,2}[/.月-]\d{1,4}日?([ T].*)?")
"""A date that is none for the steps, such as 2026/01/31 or 31.01.2026."""
_WHOLE = r"[+-]?\d{1,18}"
_SUFFIXES = (rawfile.CSV_SUFFIX, rawfile.PARQUET_SUFFIX)


def main(argv: Sequence[str]) -> int:
    """Print what was asked for and return 0; or say on stderr what is wrong with the data and return 2."""
    parser = argparse.ArgumentParser(prog="python -m steps.survey", description=__doc__)
    parser.add_argument("--request", type=Path, required=True, help="JSON file: {}, or roles, ids, segments and label")
    parser.add_argument("--raw", type=Path, required=True, help="folder with the raw files")
    arguments = parser.parse_args(argv)
    request = job.read_json(arguments.request)
    try:
        found = answer(request, arguments.raw)
    except StepError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(contract.to_json(found))
    return 0


def answer(request: Mapping[str, Any], raw: Path) -> dict[str, Any]:
    """Return what a request asks for; see `survey`, `count` and `parting.part`."""
    if request.get("part"):
        files = rawfile.open_files(request["part"], raw, request["delimiter"])
        return {"files": parting.part(files, request["label"], request["delimiter"], Path(request["to"]))}
    return count(request, raw) if request.get("roles") else survey(raw)


def survey(raw: Path) -> dict[str, Any]:
    """Return the columns of every data file with counts of what they hold, the delimiter, and all other files.

    Raises:
        StepError: files cannot be read; all that is wrong with any of them at once.
    """
    keys = sorted(visible(raw))
    data = [key for key in keys if key.lower().endswith(_SUFFIXES)]
    delimiter = guess_delimiter([raw / key for key in data if not rawfile.is_parquet(key)])
    files, problems = _open(data, raw, delimiter)
    described = []
    with tempfile.TemporaryDirectory() as scratch, tables.connect(Path(scratch)) as connection:
        for file in files:
            try:
                described.append(_describe(connection, file, delimiter))
            except FileError as error:
                problems += error.problems
    problem.raise_all(problems)
    return {"files": described, "others": [key for key in keys if key not in data], "delimiter": delimiter}


def visible(raw: Path) -> Iterator[str]:
    """Yield the keys of the files that a run could read: no markers, nothing that a dot hides."""
    for path in raw.rglob("*"):
        key = path.relative_to(raw).as_posix()
        if path.is_file() and not contract.is_marker(key) and not contract.is_hidden(key):
            yield key


def guess_delimiter(paths: Sequence[Path]) -> str:
    """Return the delimiter that splits the first lines of most files evenly into most fields."""
    votes = Counter(found for path in paths if (found := _delimiter_of(path)))
    return votes.most_common(1)[0][0] if votes else DELIMITERS[0]


def _delimiter_of(path: Path) -> str | None:
    csv.field_size_limit(rawfile.FIELD_LIMIT)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        head = stream.read(HEAD_CHARACTERS).splitlines(keepends=True)[:HEAD_LINES]
    widths = {delimiter: _width(head, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: widths[delimiter])
    return best if widths[best] > 1 else None


def _width(head: Sequence[str], delimiter: str) -> int:
    """Return the fields of each record; 0 where records differ, as they do where a delimiter is part of texts."""
    try:
        records = [record for record in csv.reader(head, delimiter=delimiter) if record]
    except csv.Error:
        return 0
    kept = records[:-1] if len(records) > 2 else records  # the last one may be cut off
    return len(kept[0]) if kept and len({len(record) for record in kept}) == 1 else 0


def _open(keys: Sequence[str], raw: Path, delimiter: str) -> tuple[list[RawFile], list[str]]:
    """Open the files one by one, because they need not have the same columns."""
    files, problems = list[RawFile](), list[str]()
    for key in keys:
        wrong = contract.key_problem(key)
        if wrong:
            problems.append(f"the file name {key!a} {wrong}")
            continue
        try:
            files += rawfile.open_files([key], raw, delimiter)
        except FileError as error:
            problems += [_say_more(text) for text in error.problems]
    problems += [text for file in files if (text := _doubt_header(file))]
    return files, problems


def _say_more(text: str) -> str:
    """Return a problem with what to do where it is mostly pandas that wrote a column without a name."""
    written = text.endswith("columns without a name at position 1")
    return f"{text}; give it one, or, if it is an index of pandas, save with index=False" if written else text


def _doubt_header(file: RawFile) -> str | None:
    odd = sum(1 for name in file.columns if _NUMBER.fullmatch(name) or _TIME.fullmatch(name))
    if file.is_parquet or odd * 2 < len(file.columns):
        return None
    return (
        f"line 1 of {file.key!r} looks like a row, not like a header: {odd} of {len(file.columns)} names are numbers "
        "or times; put a line with the names of the columns before it"
    )


def _describe(connection: tables.Connection, file: RawFile, delimiter: str) -> dict[str, Any]:
    """Return rows and columns of a file, with counts over all its cells."""
    looks = _sample(connection, file, delimiter)
    measured, rows = [], 0
    for first in range(0, len(file.columns), COLUMNS_AT_ONCE):
        names = file.columns[first : first + COLUMNS_AT_ONCE]
        chosen = [text for name in names for text in _measures(file, name, looks[name] == schema.DATETIME)]
        statement = f"SELECT {', '.join(chosen)}, count(*) FROM {tables.scan(file, delimiter)}"  # noqa: S608 - own names
        [[answer]] = tables.run_on_files(connection, [(file, statement)], delimiter)
        rows = answer[-1]
        measured += [answer[n * MEASURES : (n + 1) * MEASURES] for n in range(len(names))]
    keys = ("filled", "numbers", "codes", "bools", "times", "whole", "distinct", "longest", "low", "high", "span")
    columns = [
        {"name": name, "stored": file.stored_as(name), "look": looks[name], **dict(zip(keys, values, strict=True))}
        for name, values in zip(file.columns, measured, strict=True)
    ]
    return {"key": file.key, "rows": rows, "columns": columns}


def _sample(connection: tables.Connection, file: RawFile, delimiter: str) -> dict[str, str | None]:
    """Return per column whether its first cells look like times, in the steps' form or in another; else None."""
    statement = f"SELECT * FROM {tables.scan(file, delimiter)} LIMIT {SAMPLE_ROWS}"  # noqa: S608 - own names
    if file.is_parquet:
        chosen = ", ".join(f"CAST({tables.reference(file, name)} AS VARCHAR)" for name in file.columns)
        statement = f"SELECT {chosen} FROM {tables.scan(file, delimiter)} LIMIT {SAMPLE_ROWS}"  # noqa: S608 - own names
    [sample] = tables.run_on_files(connection, [(file, statement)], delimiter)
    return {name: _look([row[n] for row in sample if row[n]]) for n, name in enumerate(file.columns)}


def _look(cells_of_it: Sequence[str]) -> str | None:
    if not cells_of_it or not all(len(cell) < 40 for cell in cells_of_it):
        return None
    if all(_TIME.fullmatch(cell) for cell in cells_of_it):
        return schema.DATETIME
    return "other date" if all(_OTHER_DATE.fullmatch(cell) for cell in cells_of_it) else None


def _measures(file: RawFile, name: str, is_time: bool) -> tuple[str, ...]:
    """Return what is counted of a column, in the order of the keys of `_describe`."""
    stored, ref = file.stored_as(name), tables.reference(file, name)
    if stored == rawfile.UNSUPPORTED:
        return (f"count({ref})", *["0"] * 7, "NULL", "NULL", "NULL")
    text = cells.text(stored, ref)
    filled, counted = f"count({text})", (f"approx_count_distinct({text})", f"coalesce(max(length({text})), 0)")
    time = cells.value(stored, schema.DATETIME, ref)
    span = f"CAST(min({time}) AS VARCHAR) || '|' || CAST(max({time}) AS VARCHAR)"
    if stored in (rawfile.CELL, rawfile.STRING):
        number = cells.finite(f"TRY_CAST({text} AS DOUBLE)")
        return (
            filled,
            cells.count_where(cells.is_number(text)),
            cells.count_where(cells.is_code(text)),
            cells.count_where(f"lower({text}) IN ('true', 'false')"),
            f"count({time})" if is_time else "0",
            cells.count_where(f"regexp_full_match({text}, '{_WHOLE}')"),
            *counted,
            f"min({number})",
            f"max({number})",
            span if is_time else "NULL",
        )
    numeric = stored in (rawfile.INTEGER, rawfile.FLOAT)
    number = cells.finite(f"CAST({ref} AS DOUBLE)") if numeric else "NULL"
    return (
        filled,
        filled if numeric else "0",
        "0",
        filled if stored == rawfile.BOOL else "0",
        filled if stored == rawfile.TIME else "0",
        cells.count_where(f"regexp_full_match({text}, '{_WHOLE}')") if numeric else "0",
        *counted,
        f"min({number})",
        f"max({number})",
        span if stored == rawfile.TIME else "NULL",
    )


def count(request: Mapping[str, Any], raw: Path) -> dict[str, Any]:
    """Return per id column and role `[rows, filled, distinct]`, and per segment column the rows of each value.

    A segment column has `values` (`[value, training rows with a label, rows to predict]`, the largest first, no more
    than `limit`) and `distinct`. A role whose files lack a column has None, and no rows.
    """
    roles = {
        role: rawfile.open_files(keys, raw, request["delimiter"]) if keys else []
        for role, keys in request["roles"].items()
    }
    with tempfile.TemporaryDirectory() as scratch, tables.connect(Path(scratch)) as connection:
        ids = {
            name: {role: _uniqueness(connection, files, name, request["delimiter"]) for role, files in roles.items()}
            for name in request["ids"]
        }
        segments = {name: _values(connection, roles, name, request) for name in request["segments"]}
    return {"ids": ids, "segments": segments}


def _uniqueness(connection: tables.Connection, files: Sequence[RawFile], name: str, delimiter: str) -> list[int] | None:
    if not files or any(name not in file.columns for file in files):
        return None
    texts = _union(files, delimiter, lambda file: f"{_text(file, name)} AS v")
    statement = f"SELECT count(*), count(v), count(DISTINCT v) FROM ({texts})"  # noqa: S608 - own names
    return list(connection.execute(statement).fetchall()[0])


def _values(
    connection: tables.Connection, roles: Mapping[str, Sequence[RawFile]], name: str, request: Mapping[str, Any]
) -> dict[str, Any]:
    parts = []
    for role, label in (("train", request["label"]), ("predict", None)):
        files = [file for file in roles.get(role, ()) if name in file.columns]
        for file in files:
            rows = f"count({tables.reference(file, label)})" if label and label in file.columns else "count(*)"
            counted = f"{rows} AS t, 0 AS p" if role == "train" else "0 AS t, count(*) AS p"
            scan = tables.scan(file, request["delimiter"])
            parts.append(f"SELECT {_text(file, name)} AS v, {counted} FROM {scan} GROUP BY v")  # noqa: S608 - own names
    total = f"SELECT v, CAST(sum(t) AS BIGINT), CAST(sum(p) AS BIGINT) FROM ({' UNION ALL '.join(parts)}) GROUP BY v"  # noqa: S608
    [(distinct,)] = connection.execute(f"SELECT count(v) FROM ({total})").fetchall()  # noqa: S608 - own names
    limited = f"{total} HAVING v IS NOT NULL ORDER BY 2 DESC, v LIMIT {int(request['limit'])}"
    return {"distinct": distinct, "values": [list(row) for row in connection.execute(limited).fetchall()]}


def _text(file: RawFile, name: str) -> str:
    return cells.text(file.stored_as(name), tables.reference(file, name))


def _union(files: Sequence[RawFile], delimiter: str, expression: Any) -> str:
    scans = [f"SELECT {expression(file)} FROM {tables.scan(file, delimiter)}" for file in files]  # noqa: S608 - own names
    return " UNION ALL ".join(scans)


if __name__ == "__main__":
    job.start_logging()
    sys.exit(main(sys.argv[1:]))
