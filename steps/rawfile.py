"""The raw files: which of them a glob names, whether they are what the manifest lists, and their columns.

First in the flow of the prepare steps, before any cell is read. Nothing here knows models or kinds of columns.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from steps import contract, problem
from steps.contract import DataFile
from steps.forms import OddNumbers
from steps.utf8 import Utf8

CSV_SUFFIX = ".csv"
PARQUET_SUFFIX = ".parquet"
BLOCK = 4 << 20
UNREADABLE = (pa.ArrowException, OSError)
"""What pyarrow raises on a damaged Parquet file, by where the damage is: an OSError where it is in the footer."""
FIELD_LIMIT = 2**31 - 1
"""Longest cell that Python's csv module accepts when it reads headers."""

Owner = Callable[[str], int | None]
"""Tells for a file's key the position of the model whose own it is, or None."""

# What a column holds as stored in its file; a CSV cell is always text
CELL = "cell"
STRING = "string"
INTEGER = "integer"
FLOAT = "float"
BOOL = "bool"
TIME = "time"
NOTHING = "nothing"
UNSUPPORTED = "unsupported"

_STORED: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_null, NOTHING),
    (pa.types.is_boolean, BOOL),
    (pa.types.is_integer, INTEGER),
    (pa.types.is_floating, FLOAT),
    (pa.types.is_decimal, FLOAT),
    (pa.types.is_date, TIME),
    (pa.types.is_timestamp, TIME),
    (pa.types.is_string, STRING),
    (pa.types.is_large_string, STRING),
    (pa.types.is_string_view, STRING),
)

_UNNAMED_INDEX = re.compile(r"__index_level_\d+__")
"""What pandas calls an index without a name where it writes one to Parquet."""


@dataclass(frozen=True)
class RawFile:
    """One raw file: key below the raw folder, place on disk, and per column its name and how it is stored.

    One that cannot be used has in `blank` the rows that stand in for its own, so that all others keep their positions;
    none do where nothing tells how many they are. The columns at the positions `left_out` are no data. The numbers of a
    `plain` file have no odd form (see `forms`), so that the reader's own cast may read them: see `with_numbers`.
    """

    key: str
    path: Path
    columns: tuple[str, ...]
    stored: tuple[str, ...]
    blank: int | None = None
    is_uncountable: bool = False
    left_out: tuple[int, ...] = ()
    is_plain: bool = False

    def with_numbers(self, columns: Collection[str]) -> RawFile:
        """Return the file with these columns of CSV read as numbers; itself where it is not plain."""
        if not self.is_plain:
            return self
        pairs = zip(self.columns, self.stored, strict=True)
        return replace(self, stored=tuple(FLOAT if name in columns else stored for name, stored in pairs))

    @property
    def is_parquet(self) -> bool:
        """Tell whether the file is Parquet; otherwise it is CSV."""
        return is_parquet(self.key)

    def stored_as(self, column: str) -> str:
        """Return how a column is stored in this file."""
        return self.stored[self.columns.index(column)]


@dataclass(frozen=True)
class Source:
    """The opened raw files and where they come from; which of them are plain is a guess by their first bytes.

    `checked` waits until all bytes are read and found to be as listed, and returns the keys of the plain files; it
    raises StepError where they are not.
    """

    files: tuple[RawFile, ...]
    version: str
    raw: str
    checked: Callable[[], frozenset[str]]

    def with_plain(self) -> tuple[RawFile, ...]:
        """Return the files, once it is known which of them are plain."""
        plain = self.checked()
        return tuple(replace(file, is_plain=file.key in plain) for file in self.files)


def is_parquet(key: str) -> bool:
    """Tell by its suffix whether a file is Parquet."""
    return key.lower().endswith(PARQUET_SUFFIX)


def choose(keys: Iterable[str], globs: Sequence[str]) -> list[str]:
    """Return the keys that the globs name, sorted; raise StepError when there is none, or one is not data."""
    keys = sorted(keys)
    chosen = [key for key in keys if contract.matches(key, globs)]
    if not chosen:
        hint = problem.nearest(globs[0].strip("*"), keys) if globs else "the setting is empty"
        problem.raise_all([f"no file for glob {problem.name_list(globs)}; {hint}. Add files or change data's globs"])
    odd = [key for key in chosen if not key.lower().endswith((CSV_SUFFIX, PARQUET_SUFFIX))]
    problem.raise_all(
        [f"file {key!r} matches glob {problem.name_list(globs)} but is neither .csv nor .parquet" for key in odd]
    )
    return chosen


def check_manifest(manifest: Mapping[str, Any], version: str, globs: Sequence[str]) -> list[DataFile]:
    """Return the manifest's files that the globs name; raise StepError when it is not the one of this version.

    It may be of another raw folder with equal files: the version says what the files hold, not where they lie.
    """
    listed = {entry["key"]: DataFile(entry["key"], entry["etag"], entry["size"]) for entry in manifest["files"]}
    files = [listed[key] for key in choose(listed, globs)]
    problem.raise_all([f"file {file.key!r} {wrong}" for file in files if (wrong := contract.key_problem(file.key))])
    found = contract.data_version(files)
    if found != version:
        problem.raise_all(
            [f"the manifest's files have data version {found}, the run was started with {version}; start a new run"]
        )
    return files


def check_files(files: Sequence[DataFile], folder: Path, delimiter: str) -> frozenset[str]:
    """Return the keys of the CSV files that are plain.

    Raises:
        StepError: a file is not there, is not as the manifest lists it, is empty, or is CSV and not UTF-8.
    """
    problem.raise_all([text for file in files for text in _changes(file, folder)])
    found = {file.key: _read_through(file, folder, delimiter) for file in files}
    problem.raise_all([read.changed for read in found.values() if read.changed])
    problem.raise_files((key, read.damage) for key, read in found.items() if read.damage)
    return frozenset(key for key, read in found.items() if read.is_plain)


@dataclass(frozen=True)
class _Read:
    """What tells that a file is not the manifest's, what is wrong with its content, and whether it is plain CSV."""

    changed: str
    damage: str
    is_plain: bool


def may_be_plain(path: Path, delimiter: str) -> bool:
    """Tell whether a file's first bytes are those of a plain CSV file."""
    odd = OddNumbers(delimiter)
    with path.open("rb") as stream:
        odd.feed(stream.read(BLOCK))
    return not is_parquet(path.name) and not odd.found


def _changes(file: DataFile, folder: Path) -> list[str]:
    path = folder / file.key
    if contract.key_problem(file.key) or not path.is_file():
        return [f"file {file.key!r} is in the manifest but not in the raw folder; start a new run"]
    size = path.stat().st_size
    if size != file.size:
        return [f"file {file.key!r} changed: {size} bytes, the manifest says {file.size}; start a new run"]
    return []


def _read_through(file: DataFile, folder: Path, delimiter: str) -> _Read:
    digest, damage = hashlib.sha256(), "" if file.size else f"file {file.key!r} is empty"
    scan = Utf8() if not is_parquet(file.key) else None
    odd = OddNumbers(delimiter)
    verified = re.fullmatch(r"[0-9a-f]{64}", file.etag) is not None
    with (folder / file.key).open("rb") as stream:
        while block := stream.read(BLOCK):
            if verified:
                digest.update(block)
            if scan and not damage:
                odd.feed(block)
                if not scan.feed(block):
                    damage = f"file {file.key!r} is not UTF-8: line {scan.line}{scan.guess}; save it as UTF-8"
    if scan and not damage and not scan.finish():
        damage = f"file {file.key!r} is not UTF-8: it ends within a character in line {scan.line}; save it as UTF-8"
    changed = ""
    if verified and digest.hexdigest() != file.etag:
        changed = f"file {file.key!r} changed: its sha256 is not the manifest's; start a new run"
    return _Read(changed, damage, scan is not None and not odd.found)


def open_files(
    keys: Sequence[str],
    folder: Path,
    delimiter: str,
    owner: Owner | None = None,
    needed: Collection[str] = (),
    named: Collection[str] = (),
) -> list[RawFile]:
    """Read the columns of all files; raise StepError for unusable or differing headers.

    Args:
        keys: the files, in their order.
        folder: the raw folder.
        delimiter: of CSV files.
        owner: tells whose a file is, where a file of one model's own must not set the columns of all.
        needed: columns that the files must have; those that lack one do not set the columns of all.
        named: other columns that somebody asks for: these and the needed ones are data, even if pandas made them.
    """
    asked = {*needed, *named}
    opened = [_open(key, folder / key, delimiter, asked) for key in keys]
    problem.raise_files((key, text) for key, (_, texts) in zip(keys, opened, strict=True) for text in texts)
    files = [file for file, _ in opened if file]
    first = _reference(files, owner, needed) if owner else files[0]
    if first is None:
        problem.raise_all([text for file in files[1:] for _, text in _differences(files[0], file)])
    problem.raise_files(found for file in files for found in _differences(first or files[0], file))
    return files


def _reference(files: Sequence[RawFile], owner: Owner, needed: Collection[str]) -> RawFile | None:
    """Return the file whose columns all files must have: a common one, else one such as most models have.

    None: as many models have these columns as those, so that nobody can tell who is wrong.
    """
    common = [file for file in files if owner(file.key) is None]
    if common:
        return common[0]
    whole = [file for file in files if set(needed) <= set(file.columns)] or files
    votes = Counter(columns for _, columns in {(owner(file.key), frozenset(file.columns)) for file in whole})
    (best, most), *others = votes.most_common()
    if others and others[0][1] == most:
        return None
    return next(file for file in whole if frozenset(file.columns) == best)


def _open(key: str, path: Path, delimiter: str, asked: Collection[str]) -> tuple[RawFile | None, list[str]]:
    try:
        columns, stored, index = _parquet_columns(path) if is_parquet(key) else _csv_columns(path, delimiter)
    except pa.ArrowInvalid:
        return None, [f"file {key!r} is not a readable Parquet file"]
    except UnicodeDecodeError:
        return None, [_say_not_text(key, path)]
    except csv.Error:
        return None, [f"file {key!r} has broken quoting in its header, line 1"]
    left_out = tuple(n for n, name in enumerate(columns) if name in index and name not in asked)
    kept = [n for n in range(len(columns)) if n not in left_out]
    found = _header_problems(key, columns if len(set(columns)) < len(columns) else [columns[n] for n in kept])
    if found:
        return None, found
    file = RawFile(key, path, tuple(columns[n] for n in kept), tuple(stored[n] for n in kept), left_out=left_out)
    return file, []


def count_rows(path: Path, delimiter: str) -> int | None:
    """Return how many rows a file holds that may be damaged; None where nothing tells.

    Where quotes are broken each line counts as a row.
    """
    if is_parquet(path.name):
        try:
            return int(pq.read_metadata(path).num_rows)  # type: ignore[no-untyped-call]
        except UNREADABLE:
            return None
    csv.field_size_limit(FIELD_LIMIT)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        try:
            rows = sum(1 for record in csv.reader(stream, delimiter=delimiter, strict=True) if record)
        except csv.Error:
            stream.seek(0)
            rows = sum(1 for line in stream if line.strip())
    return max(0, rows - 1)


_OTHER_FORMS = {
    b"PAR1": "is Parquet by its content; name it .parquet",
    b"\x1f\x8b": "is compressed with gzip; unpack it",
    b"PK\x03\x04": "is a ZIP archive, such as an Excel workbook; save its table as CSV",
}
"""What is named .csv and is something else, by how it begins."""


def _say_not_text(key: str, path: Path) -> str:
    scan = Utf8()
    with path.open("rb") as stream:
        first = stream.read(BLOCK)
        for begins, problem_of_it in _OTHER_FORMS.items():
            if first.startswith(begins):
                return f"file {key!r} {problem_of_it}"
        block = first
        while block and scan.feed(block):
            block = stream.read(BLOCK)
    return f"file {key!r} is not UTF-8: line {scan.line}{scan.guess}; save it as UTF-8"


def _csv_columns(path: Path, delimiter: str) -> tuple[list[str], list[str], frozenset[str]]:
    csv.field_size_limit(FIELD_LIMIT)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        names = next(csv.reader(stream, delimiter=delimiter, strict=True), [])
    return names, [CELL] * len(names), frozenset()


def _parquet_columns(path: Path) -> tuple[list[str], list[str], frozenset[str]]:
    """Return the columns, how they are stored, and which of them pandas made of an index without a name."""
    try:
        schema = pq.read_schema(path)  # type: ignore[no-untyped-call]
    except (*UNREADABLE, UnicodeDecodeError) as error:
        raise pa.ArrowInvalid("damaged") from error
    return list(schema.names), [_stored(field.type) for field in schema], _unnamed_indexes(schema)


def _unnamed_indexes(schema: pa.Schema) -> frozenset[str]:
    try:
        about = json.loads((schema.metadata or {}).get(b"pandas", b"null"))
    except (ValueError, RecursionError):
        return frozenset()
    listed = about.get("index_columns") if isinstance(about, dict) else None
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    return frozenset(name for name in names if _UNNAMED_INDEX.fullmatch(name))


def _stored(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _stored(kind.value_type)
    return next((stored for accepts, stored in _STORED if accepts(kind)), UNSUPPORTED)


def _header_problems(key: str, names: Sequence[str]) -> list[str]:
    if not names:
        return [f"file {key!r} is empty: it has no header"]
    problems = []
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        problems.append(f"file {key!r} has duplicate column names: {problem.name_list(twice)}")
    blank = [str(position) for position, name in enumerate(names, start=1) if not name.strip()]
    if blank:
        problems.append(f"file {key!r} has columns without a name at position {', '.join(blank[: problem.LISTED])}")
    if any("\0" in name for name in names):
        problems.append(f"file {key!r} holds NUL bytes in line 1: it is no text; save it as CSV in UTF-8")
    if contract.ROW in names:
        problems.append(f"file {key!r} has a column named {contract.ROW!r}, which is ours; rename it")
    return problems


def _differences(first: RawFile, other: RawFile) -> list[tuple[str, str]]:
    """Return the key of a file whose columns are not those of the first, with what differs."""
    lacks = [name for name in first.columns if name not in set(other.columns)]
    extra = [name for name in other.columns if name not in set(first.columns)]
    parts = [f"lacks {problem.name_list(lacks)}"] if lacks else []
    parts += [f"has {problem.name_list(extra)} besides"] if extra else []
    if not parts:
        return []
    if len(extra) == len(other.columns):
        text = f"file {other.key!r} has no column of {first.key!r}: is line 1 its header? Give all files the same"
        return [(other.key, text)]
    text = f"file {other.key!r} differs from {first.key!r}: it {' and '.join(parts)}; give all files the same columns"
    return [(other.key, text)]
