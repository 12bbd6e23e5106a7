"""Count rows per segment or per listed model in a raw folder: `python -m steps.segments --settings FILE --raw FOLDER`.

Run by the command line tools before anything is spent. Prints one JSON object; reads only the columns it needs.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from steps import assignment, cells, contract, isolation, job, loading, problem, rawfile, tables
from steps.assignment import Matcher, Rule
from steps.isolation import Scope
from steps.job import StepError
from steps.rawfile import RawFile

TRAIN_ROWS = "train_rows"
PREDICT_ROWS = "predict_rows"

Counts = dict[Any, int]

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    """Print the counts and return 0; or say on stderr what is wrong with the data and return 2."""
    parser = argparse.ArgumentParser(prog="python -m steps.segments", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="JSON file: globs, label, segment or models")
    parser.add_argument("--raw", type=Path, required=True, help="folder with the raw files")
    arguments = parser.parse_args(argv)
    try:
        found = count(job.read_json(arguments.settings), arguments.raw)
    except StepError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(contract.to_json(found))
    return 0


def count(settings: Mapping[str, Any], raw: Path) -> dict[str, Any]:
    """Return the rows with a label and the rows to predict, per segment or listed model, and of neither.

    Files whose role the settings do not name are not looked at.

    Raises:
        StepError: files or columns are missing or unreadable, or a row matches two models.
    """
    if not raw.is_dir():
        raise StepError(f"raw folder {str(raw)!r} does not exist")
    with tempfile.TemporaryDirectory() as scratch, tables.connect(Path(scratch)) as connection:
        found = _count_roles(connection, settings, raw)
    train, predict = (found[role].counts if role in found else {} for role in (assignment.TRAIN, assignment.PREDICT))
    listed = [model["name"] for model in settings["models"] or ()]
    totals = {TRAIN_ROWS: sum(train.values()), PREDICT_ROWS: sum(predict.values())}
    rest = _entry(None, train, predict)
    return {
        **totals,
        "segments": [] if listed else _segment_entries(train, predict),
        "null": _entry(None, {}, {}) if listed else rest,
        "models": [{"name": name, **_entry(n, train, predict)} for n, name in enumerate(listed)],
        "unmatched": rest if listed else _entry(None, {}, {}),
        "absent": _absent(settings, found),
    }


def _absent(settings: Mapping[str, Any], found: Mapping[str, Counted]) -> list[str]:
    """Return what the headers of the prediction files lack: the id, or a column that training would learn from."""
    if assignment.TRAIN not in found:
        return []
    taken = {settings["label"], settings["id"], *settings["drop"]}
    wanted = [(settings["id"], "data.id")]
    train, predict = (found[role].files for role in (assignment.TRAIN, assignment.PREDICT))
    wanted += [(name, "a training column") for name in (train[0].columns if train else ()) if name not in taken]
    return loading.missing_columns(predict, wanted) if predict else []


def _segment_entries(train: Counts, predict: Counts) -> list[dict[str, Any]]:
    values = sorted({value for value in (*train, *predict) if value is not None})
    return [{"value": value, **_entry(value, train, predict)} for value in values]


def _entry(key: Any, train: Counts, predict: Counts) -> dict[str, int]:
    return {TRAIN_ROWS: train.get(key, 0), PREDICT_ROWS: predict.get(key, 0)}


def _count_roles(connection: tables.Connection, settings: Mapping[str, Any], raw: Path) -> dict[str, Counted]:
    """Return the counts of both roles; all problems of both are reported together."""
    there = (path.relative_to(raw).as_posix() for path in raw.rglob("*") if path.is_file())
    keys = [key for key in there if not contract.is_marker(key)]
    found: dict[str, Counted] = {}
    problems: list[str] = []
    for role in settings.get("roles") or (assignment.TRAIN, assignment.PREDICT):
        scope = isolation.scope_of(settings, role, settings[f"glob_{role}"])
        try:
            found[role] = isolation.attempt(partial(_count_role, connection, Task(settings, role, keys, raw)), scope)
        except StepError as error:
            problems.append(str(error))
    problem.raise_all(problems)
    return found


@dataclass(frozen=True)
class Task:
    """The files of one role among all keys of a raw folder, to be counted."""

    settings: Mapping[str, Any]
    role: str
    keys: Sequence[str]
    raw: Path


@dataclass(frozen=True)
class Counted:
    """Rows by segment or position of a model, and the files that were opened for it."""

    counts: Counts
    files: Sequence[RawFile]


def _count_role(connection: tables.Connection, task: Task, scope: Scope) -> Counted:
    """Return the counts of one role; files that are to be left out count by their lines."""
    settings, rules = task.settings, scope.rules
    keys = rawfile.choose(task.keys, assignment.effective_globs(scope.common, rules))
    lost = [key for key in keys if scope.has_lost(key)]
    whole = [key for key in keys if key not in lost]
    wanted = [(settings["segment"], "models.by")] if settings["segment"] else []
    wanted += [(column, "models where") for column in assignment.where_columns(rules)]
    wanted += [(settings["label"], "data.label")] if task.role == assignment.TRAIN else []
    owner = scope.owner if scope.isolates else None
    files = rawfile.open_files(whole, task.raw, settings["delimiter"], owner, {column for column, _ in wanted})
    problem.raise_all(loading.missing_columns(files, wanted))
    counter = _count_models if settings["models"] else _count_segments
    found = counter(connection, settings, task.role, files)
    for key in lost:
        rows = rawfile.count_rows(task.raw / key, settings["delimiter"]) or 1
        found[scope.owner(key)] = found.get(scope.owner(key), 0) + rows
    return Counted(found, files)


def _rules(settings: Mapping[str, Any], role: str) -> tuple[Rule, ...]:
    return assignment.read_rules(settings["models"] or (), role)


def _count_segments(
    connection: tables.Connection, settings: Mapping[str, Any], role: str, files: Sequence[RawFile]
) -> Counts:
    def key(file: RawFile) -> str:
        return cells.text(file.stored_as(settings["segment"]), tables.reference(file, settings["segment"]))

    return _count(connection, settings, role, [(file, key(file)) for file in files])


def _count_models(
    connection: tables.Connection, settings: Mapping[str, Any], role: str, files: Sequence[RawFile]
) -> Counts:
    """Return rows per position of a listed model; None: rows of none of them."""
    plan = assignment.make_plan(_rules(settings, role), files)
    for statement in assignment.type_statements(plan):
        connection.execute(statement)
    keys = [
        assignment.code_expression(plan, file, {column: tables.reference(file, column) for column in plan.columns})
        for file in files
    ]
    counts = _count(connection, settings, role, list(zip(files, keys, strict=True)))
    _, problems = assignment.place(plan, counts, assignment.SKIP)
    problem.raise_all(problems)
    matcher, found = Matcher(plan), Counts()
    for code, rows in counts.items():
        model = next(iter(matcher.models(code)), None)
        found[model] = found.get(model, 0) + rows
    return found


def _count(
    connection: tables.Connection, settings: Mapping[str, Any], role: str, keys: Sequence[tuple[RawFile, str]]
) -> Counts:
    """Return rows per value of an SQL expression over all files; of training files only rows with a label."""
    statements = []
    for file, key in keys:
        label = settings["label"] if role == assignment.TRAIN else None
        rows = f"count({tables.reference(file, label)})" if label else "count(*)"
        scan = tables.scan(file, settings["delimiter"])
        statements.append((file, f"SELECT {key} AS key, {rows} FROM {scan} GROUP BY ALL"))  # noqa: S608 - own names
    total = Counts()
    for answer in tables.run_on_files(connection, statements, settings["delimiter"]):
        for value, rows in answer:
            total[value] = total.get(value, 0) + rows
    return total


if __name__ == "__main__":
    job.start_logging()
    sys.exit(main(sys.argv[1:]))
