"""What raw files hold, as facts: files, their columns, and counts; read by `steps.survey` as a process of its own.

The operator's side does not read data itself. What the facts mean is guessed in `proposal`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import DataError
from steps import contract

ROOT = Path(__file__).resolve().parent.parent
NUMBER, BOOL, TIME, TEXT, MIXED, NOTHING, UNSUPPORTED = "number", "bool", "time", "text", "mixed", "nothing", "nested"
MOST_VALUES = 10_000
"""Values of a column that may be segments which are told one by one."""


@dataclass(frozen=True)
class Column:
    """A column over some files: its cells, how many of them read as what, and what they span.

    `distinct` is estimated (the largest of the files; `spread` is the sum); `low` and `high` are of its numbers,
    `first` and `last` of its times. `stored` names the forms in which its files store it; it `clashes` where some of
    these are text by themselves and others are not.
    """

    name: str
    rows: int
    filled: int
    numbers: int = 0
    codes: int = 0
    bools: int = 0
    times: int = 0
    whole: int = 0
    distinct: int = 0
    spread: int = 0
    longest: int = 0
    low: float | None = None
    high: float | None = None
    first: str | None = None
    last: str | None = None
    stored: frozenset[str] = frozenset({"cell"})
    has_other_dates: bool = False
    clashes: bool = False

    @property
    def kind(self) -> str:
        """Return what a run would take it for; MIXED is what it would refuse."""
        if "unsupported" in self.stored:
            return UNSUPPORTED
        if not self.filled:
            return NOTHING
        stored = self.stored - {"nothing"}
        uniform = self._uniform
        if self.clashes:
            return MIXED
        if "string" in stored:
            return TEXT
        if uniform or stored != {"cell"}:
            return (TEXT if self.codes else uniform) or MIXED
        return MIXED if self.numbers * 2 >= self.filled and not self.codes else TEXT

    @property
    def _uniform(self) -> str | None:
        """Return what every cell reads as, where they all read as the same."""
        kinds = (self.numbers, NUMBER), (self.bools, BOOL), (self.times, TIME)
        return next((kind for count, kind in kinds if count == self.filled), None)

    @property
    def is_whole(self) -> bool:
        """Tell whether all cells are whole numbers."""
        return bool(self.filled) and self.whole == self.filled

    @property
    def is_serial(self) -> bool:
        """Tell whether the cells are whole numbers that lie as close as those of rows counted through."""
        close = self.low is not None and self.high is not None and self.high - self.low < 2 * self.rows
        return self.is_whole and close and self.spread > 0.9 * self.rows >= 18

    @property
    def is_full(self) -> bool:
        """Tell whether no cell is empty."""
        return self.filled == self.rows


@dataclass(frozen=True)
class File:
    """A data file: its key below the raw folder, its rows, and its columns in their order."""

    key: str
    rows: int
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column | None:
        """Return a column, or None where the file has none of that name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Facts:
    """The data files of a raw folder, the keys of all other files, and the delimiter of the CSV files."""

    files: tuple[File, ...]
    others: tuple[str, ...] = ()
    delimiter: str = ","

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys of all files."""
        return (*(file.key for file in self.files), *self.others)


@dataclass(frozen=True)
class Uniqueness:
    """Rows of one role, how many have an id, and how many different ids there are."""

    rows: int
    filled: int
    distinct: int

    @property
    def is_unique(self) -> bool:
        """Tell whether every row has an id of its own."""
        return 0 < self.rows == self.filled == self.distinct


@dataclass(frozen=True)
class Values:
    """The values of a column that may be segments: `(value, training rows with a label, rows to predict)`."""

    distinct: int
    rows: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Counts:
    """What was counted over all files of a role: ids by column and role (absent: the role lacks it), and values."""

    ids: Mapping[str, Mapping[str, Uniqueness]]
    values: Mapping[str, Values]


@dataclass(frozen=True)
class Question:
    """What is to be counted: over which files, which columns as ids, which as segments, rows with which label."""

    roles: Mapping[str, Sequence[str]]
    ids: Sequence[str]
    segments: Sequence[str]
    label: str | None
    delimiter: str


def look(raw: Path) -> Facts:
    """Return what the files of a raw folder hold.

    Raises:
        DataError: the folder is missing or holds no data, or files cannot be read; all problems at once.
    """
    if not raw.is_dir():
        what = "is a file; give the folder that it lies in" if raw.is_file() else "no such folder"
        raise DataError(f"--from {raw}: {what}; expected a folder with .csv or .parquet files on this machine")
    facts = read_facts(_ask({}, raw))
    if not facts.files:
        there = ", ".join(facts.others[:5]) or "it is empty"
        raise DataError(f"--from {raw}: holds no .csv or .parquet file ({there}); put the raw files there")
    return facts


def count(question: Question, raw: Path) -> Counts:
    """Return what the question asks for, counted over all rows.

    Raises:
        DataError: the files of a role do not fit together, or cannot be read.
    """
    return read_counts(_ask(make_request(question), raw))


def part(raw: Path, keys: Sequence[str], label: str, delimiter: str, folder: Path) -> None:
    """Write rows with a label and rows without into files of their own, in another folder.

    Raises:
        DataError: the files cannot be read.
    """
    _ask({"part": list(keys), "label": label, "delimiter": delimiter, "to": str(folder.resolve())}, raw)


def make_request(question: Question) -> dict[str, Any]:
    """Return the question in the form that `steps.survey` reads."""
    return {
        "roles": {role: list(keys) for role, keys in question.roles.items()},
        "ids": list(question.ids),
        "segments": list(question.segments),
        "label": question.label,
        "delimiter": question.delimiter,
        "limit": MOST_VALUES,
    }


def read_counts(found: Mapping[str, Any]) -> Counts:
    """Return the counts that `steps.survey` prints."""
    ids = {
        name: {role: Uniqueness(*numbers) for role, numbers in of_roles.items() if numbers}
        for name, of_roles in found["ids"].items()
    }
    values = {
        name: Values(each["distinct"], tuple((v, t, p) for v, t, p in each["values"]))
        for name, each in found["segments"].items()
    }
    return Counts(ids, values)


def _ask(request: Mapping[str, Any], raw: Path) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "request.json"
        path.write_text(contract.to_json(request), encoding="utf-8")
        command = [sys.executable, "-m", "steps.survey", "--request", str(path), "--raw", str(raw.resolve())]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == 2:
        raise DataError(*done.stderr.strip().splitlines())
    if done.returncode:
        raise RuntimeError(f"steps.survey ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def read_facts(found: Mapping[str, Any]) -> Facts:
    """Return the facts that `steps.survey` prints."""
    files = tuple(
        File(each["key"], each["rows"], tuple(_column(column, each["rows"]) for column in each["columns"]))
        for each in found["files"]
    )
    return Facts(files, tuple(found["others"]), found["delimiter"])


def _column(found: Mapping[str, Any], rows: int) -> Column:
    first, _, last = (found["span"] or "").partition("|")
    same = ("name", "filled", "numbers", "codes", "bools", "times", "whole", "distinct", "longest", "low", "high")
    return Column(
        rows=rows,
        spread=found["distinct"],
        first=first or None,
        last=last or None,
        stored=frozenset({found["stored"]}),
        has_other_dates=found["look"] == "other date",
        **{key: found[key] for key in same},
    )


def merge(files: Iterable[File]) -> dict[str, Column]:
    """Return the columns that all these files have, each over all of them, in the order of the first file."""
    files = list(files)
    shared = set.intersection(*(set(file.names) for file in files)) if files else set()
    names = files[0].names if files else ()
    return {name: _sum([file.column(name) for file in files]) for name in names if name in shared}


def _sum(columns: Sequence[Column | None]) -> Column:
    found = [column for column in columns if column is not None]
    filled = [column for column in found if column.filled] or found[:1]
    summed = ("rows", "filled", "numbers", "codes", "bools", "times", "whole", "spread")
    kinds = {column.kind for column in filled if column.filled}
    lows, highs = [c.low for c in found if c.low is not None], [c.high for c in found if c.high is not None]
    firsts, lasts = [c.first for c in found if c.first], [c.last for c in found if c.last]
    return Column(
        name=found[0].name,
        distinct=max(c.distinct for c in found),
        longest=max(c.longest for c in found),
        low=min(lows) if lows else None,
        high=max(highs) if highs else None,
        first=min(firsts) if firsts else None,
        last=max(lasts) if lasts else None,
        stored=frozenset().union(*(c.stored for c in filled)),
        has_other_dates=all(c.has_other_dates for c in filled),
        clashes=len(kinds) > 1 and any("string" in c.stored for c in filled),
        **{key: sum(getattr(c, key) for c in found) for key in summed},
    )
