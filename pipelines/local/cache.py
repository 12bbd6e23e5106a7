"""Finds the outputs of an earlier run of the same step by content key, and remembers digests of files.

An I/O seam over `<workspace>/cache`. Whatever is damaged or missing there counts as never stored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from pipelines.errors import WorkspaceError
from pipelines.local.durable import write_atomically
from pipelines.local.record import FileRecord, StepRecord
from pipelines.local.workspace import Workspace

CHEAP_BYTES = 64 * 1024 * 1024
"""Outputs of up to this size in all are read again before they are used again; of bigger ones the sizes count."""


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


def are_intact(files: Iterable[FileRecord], workspace: Workspace, read: bool) -> bool:
    """Tell whether files are still there with their size and, where `read` and cheap, with their content."""
    files = tuple(files)
    cheap = read and sum(file.size for file in files) <= CHEAP_BYTES
    return all(_is_intact(file, workspace, cheap) for file in files)


def _is_intact(file: FileRecord, workspace: Workspace, read: bool) -> bool:
    try:
        path = workspace.path(file.uri)
        return path.stat().st_size == file.size and (not read or file_digest(path) == file.sha256)
    except (OSError, WorkspaceError):
        return False


def store_entry(key: str, execution_id: str, record: StepRecord, workspace: Workspace) -> None:
    """Remember the outputs of a step that succeeded."""
    content = {
        "key": key,
        "step": record.name,
        "execution": execution_id,
        "outputs": dict(record.outputs),
        "files": [asdict(file) for file in record.files],
        "seconds": record.seconds,
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, indent=1) + "\n"
    write_atomically(workspace.cache / f"{key}.json", text, workspace.scratch)


def find_entry(key: str, record: StepRecord, workspace: Workspace) -> StepRecord | None:
    """Return `record` with the outputs of the execution that made them, or None where that is a miss."""
    try:
        content = json.loads((workspace.cache / f"{key}.json").read_text(encoding="utf-8"))
        files = tuple(FileRecord(**item) for item in content["files"])
        outputs = {str(name): str(uri) for name, uri in content["outputs"].items()}
        made_by, same = str(content["execution"]), content["key"] == key
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not same or not are_intact(files, workspace, read=True):
        return None
    return replace(record, cached=True, reason=f"outputs of execution {made_by}", outputs=outputs, files=files)
