"""Finds the outputs of an earlier run of the same step by content key, and remembers digests of files.

An I/O seam over `<workspace>/cache`. Whatever is damaged or missing there is made again, and `Miss` says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.errors import WorkspaceError
from pipelines.local.cachekey import Components
from pipelines.local.difference import INPUT, Change, Explain, compare, json_changes
from pipelines.local.durable import write_atomically
from pipelines.local.entry import Entry, dump_entry, parse_entry
from pipelines.local.record import FileRecord, StepRecord
from pipelines.local.workspace import Workspace

NEWEST_DIR = "newest"
"""Below the cache: the newest entry of each step, to which a later run is compared."""
_READABLE = 256 * 1024
"""Bytes of a JSON file up to which its keys are compared."""


@dataclass(frozen=True)
class Miss:
    """Why a step has to run: it never did (`is_first`), something is damaged or gone, or parts of it changed."""

    is_first: bool = False
    damage: str = ""
    changes: tuple[Change, ...] = ()

    def say(self, step: str, explain: Explain) -> str:
        """Return the reason in words."""
        return "not run before in this workspace" if self.is_first else self.damage or explain(step, self.changes)


class Digests:
    """sha256 of files, computed once per (path, size, modification time, inode). Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._base = _open(path)
        except sqlite3.DatabaseError:
            self._base = _open_anew(path)

    def close(self) -> None:
        """Write what was learned."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._base.close()

    def of(self, path: Path) -> str:
        """Return the sha256 of a file in hexadecimal digits."""
        path = path.resolve()
        stat = path.stat()
        stamp = f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ino}"
        known = self._known(path, stamp)
        if known:
            return known
        digest = file_digest(path)
        self._remember(path, stamp, digest)
        return digest

    def _known(self, path: Path, stamp: str) -> str | None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            query = "SELECT digest FROM digests WHERE path = ? AND stamp = ?"
            row = self._base.execute(query, (str(path), stamp)).fetchone()
            return str(row[0]) if row else None
        return None

    def _remember(self, path: Path, stamp: str, digest: str) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._base.execute("REPLACE INTO digests VALUES (?, ?, ?)", (str(path), stamp, digest))


def _open(path: Path | str) -> sqlite3.Connection:
    base = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10.0)
    base.execute("PRAGMA synchronous = OFF")  # a digest that gets lost is computed again
    base.execute("CREATE TABLE IF NOT EXISTS digests (path TEXT PRIMARY KEY, stamp TEXT, digest TEXT)")
    return base


def _open_anew(path: Path) -> sqlite3.Connection:
    """Open a database in place of one that is damaged; where none can be written, one that is forgotten."""
    try:
        path.unlink(missing_ok=True)
        return _open(path)
    except (sqlite3.Error, OSError):
        return _open(":memory:")


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's content, read now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_files(published: Mapping[str, Path], digests: Digests) -> tuple[FileRecord, ...]:
    """Return URI, digest and size of published files."""
    return tuple(FileRecord(uri, digests.of(path), path.stat().st_size) for uri, path in sorted(published.items()))


def find_damage(files: Iterable[FileRecord], workspace: Workspace) -> str:
    """Return `gone (FILE)` or `damaged (FILE)` for the first file that is not what it was, or an empty text.

    Every byte is read, whatever the size: a file may be altered without another size or time.
    """
    for file in files:
        state = _state(file, workspace)
        if state:
            return f"{state} ({'/'.join(file.uri.split('/')[-2:])})"
    return ""


def _state(file: FileRecord, workspace: Workspace) -> str:
    try:
        path = workspace.path(file.uri)
        intact = path.stat().st_size == file.size and file_digest(path) == file.sha256
    except FileNotFoundError:
        return "gone"
    except (OSError, ValueError, WorkspaceError):
        return "damaged"
    return "" if intact else "damaged"


def say_damage(execution: str | None, damage: str) -> str:
    """Return the sentence for outputs that cannot be used again."""
    return f"outputs of execution {execution} are {damage}"


def store_entry(entry: Entry, workspace: Workspace) -> None:
    """Remember the outputs of a step that succeeded, also as the newest of this step."""
    text = dump_entry(entry)
    write_atomically(entry_path(entry.components.key, workspace), text, workspace.scratch)
    write_atomically(newest_path(entry.pipeline, entry.step, workspace), text, workspace.scratch)


def entry_path(key: str, workspace: Workspace) -> Path:
    """Return the file of an entry."""
    return workspace.cache / f"{key}.json"


def newest_path(pipeline: str, step: str, workspace: Workspace) -> Path:
    """Return the file of the newest entry of a step."""
    name = hashlib.sha256(f"{pipeline}/{step}".encode()).hexdigest()[:32]
    return workspace.cache / NEWEST_DIR / f"{name}.json"


def read_entry(path: Path) -> Entry | None:
    """Return the entry in a file, or None where it cannot be read."""
    try:
        return parse_entry(path.read_bytes())
    except OSError:
        return None


def read_entries(workspace: Workspace) -> Iterator[Entry]:
    """Yield every entry that can be read."""
    for path in sorted(workspace.cache.glob("*.json")):
        entry = read_entry(path)
        if entry is not None and path == entry_path(entry.components.key, workspace):
            yield entry


def read_newest(pipeline: str, step: str, workspace: Workspace) -> Entry | None:
    """Return the newest entry of a step."""
    entry = read_entry(newest_path(pipeline, step, workspace))
    return entry if entry is not None and (entry.pipeline, entry.step) == (pipeline, step) else None


def look_up(
    pipeline: str, step: str, components: Components, uris: Mapping[str, str], workspace: Workspace
) -> Entry | Miss:
    """Return the entry whose outputs stand in for a run of a step, or why there is none.

    Args:
        pipeline: whose step it is, and with
        step: its name, what to compare to.
        components: what the run would depend on.
        uris: where its inputs lie.
        workspace: where to look.
    """
    path = entry_path(components.key, workspace)
    if path.exists():
        entry = read_entry(path)
        if entry is None or entry.components.key != components.key:
            return Miss(damage="its cache entry is damaged")
        damage = find_damage(entry.files, workspace)
        return Miss(damage=say_damage(entry.execution, damage)) if damage else entry
    newest = read_newest(pipeline, step, workspace)
    if newest is None:
        return Miss(is_first=True)
    changes = compare(newest.components, components)
    if not changes:
        return Miss(damage="its cache entry is gone")
    return Miss(changes=tuple(read_keys(change, newest, uris, workspace) for change in changes))


def use_entry(entry: Entry, record: StepRecord) -> StepRecord:
    """Return `record` with the outputs of the execution that made them."""
    reason = f"outputs of execution {entry.execution}"
    return replace(record, cached=True, reason=reason, outputs=entry.outputs, files=entry.files)


def read_keys(change: Change, newest: Entry, uris: Mapping[str, str], workspace: Workspace) -> Change:
    """Return a change of an input with the keys that differ in its JSON files, as far as both are still there."""
    if change.part != INPUT or change.name not in uris or change.name not in newest.uris:
        return change
    keys: list[str] = []
    for file in change.details:
        old = _read_small(newest.uris[change.name], file, workspace)
        new = _read_small(uris[change.name], file, workspace)
        if old is not None and new is not None and file.endswith(".json"):
            keys += json_changes(old, new)
    return replace(change, keys=tuple(keys))


def _read_small(uri: str, file: str, workspace: Workspace) -> Any:
    try:
        path = workspace.path(uri.rstrip("/") + "/" + file)
        return json.loads(path.read_bytes()) if path.stat().st_size <= _READABLE else None
    except (OSError, ValueError, RecursionError, WorkspaceError):
        return None
