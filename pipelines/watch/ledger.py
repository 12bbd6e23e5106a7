"""The ledger of a watched folder: every writing of a marker, from being found to being served. Append-only.

An I/O seam over `<workspace>/watch/<folder>/ledger.jsonl`: one JSON object per line, on the disk before anything is
done upon it, so that a watcher that was killed goes on where it was.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.errors import WorkspaceError
from pipelines.watch.markers import Stamp, token

FOLDER = "watch"
LEDGER_FILE = "ledger.jsonl"
LOCK_FILE = "lock"
FOUND, STARTED, ENDED = "found", "started", "ended"

Write = Callable[[int, bytes], None]


@dataclass(frozen=True)
class Entry:
    """One writing of a marker; `execution` is the ID of the execution that serves it, `at` when it was found."""

    token: str
    path: str
    execution: str
    at: float
    body: bytes


def write_durably(handle: int, line: bytes) -> None:
    """Write a line and wait until the disk has it."""
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(handle, rest) :]
    os.fsync(handle)


class Ledger:
    """The ledger, and what it says is still to be served. Two threads use it: who finds markers, and who serves."""

    def __init__(self, folder: Path, write: Write = write_durably) -> None:
        """Open the ledger in a folder, or begin it.

        Raises:
            WorkspaceError: it cannot be opened, or is damaged before its last line.
        """
        self._path, self._write, self._lock = folder / LEDGER_FILE, write, threading.Lock()
        self._known: set[str] = set()
        self._waiting: dict[str, Entry] = {}
        self._begun: list[str] = []
        with _as_workspace_error(self._path):
            folder.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self._recall()
            _sync(folder)

    def close(self) -> None:
        """Close the ledger."""
        os.close(self._handle)

    def add(self, path: str, stamp: Stamp, body: bytes, now: float) -> Entry | None:
        """Write down a writing of a marker; return None if it is known."""
        name = token(path, stamp, body)
        with self._lock:
            if name in self._known:
                return None
            moment = datetime.fromtimestamp(now, UTC)
            entry = Entry(name, path, f"{moment:%Y%m%d-%H%M%S}-{name[:8]}", now, body)
            text = base64.b64encode(body).decode("ascii")
            self._append(FOUND, entry, now, path=path, execution=entry.execution, size=stamp.size, body=text)
            self._known.add(name)
            self._waiting[name] = entry
            return entry

    def start(self, entry: Entry, now: float) -> None:
        """Write down that a marker is about to be served, unless that is known."""
        with self._lock:
            if entry.token not in self._begun:
                self._append(STARTED, entry, now)
                self._begun.append(entry.token)

    def end(self, entry: Entry, now: float, status: str, seconds: float, reason: str) -> None:
        """Write down that a marker is served, and how it ended."""
        with self._lock:
            self._append(ENDED, entry, now, status=status, seconds=round(seconds, 3), reason=reason)
            self._forget(entry.token)

    def waiting(self) -> tuple[Entry, ...]:
        """Return what is to be served: what was begun first, then in the order in which it was found."""
        with self._lock:
            begun = [self._waiting[name] for name in self._begun]
            return (*begun, *(entry for name, entry in self._waiting.items() if name not in self._begun))

    def _forget(self, name: str) -> None:
        self._waiting.pop(name, None)
        if name in self._begun:
            self._begun.remove(name)

    def _append(self, event: str, entry: Entry, at: float, **facts: Any) -> None:
        line = json.dumps({"event": event, "version": entry.token, "at": round(at, 3), **facts}, sort_keys=True) + "\n"
        with _as_workspace_error(self._path):
            size = os.fstat(self._handle).st_size
            try:
                self._write(self._handle, line.encode("ascii"))
            except OSError:
                os.ftruncate(self._handle, size)  # half a line would hide the next one
                raise

    def _recall(self) -> None:
        content = self._path.read_bytes()
        os.ftruncate(self._handle, content.rfind(b"\n") + 1)  # what stands behind it was cut off by a crash
        for number, line in enumerate(content.split(b"\n")[:-1], start=1):
            try:
                self._follow(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise WorkspaceError(
                    f"{self._path}: is damaged in line {number}; mend it, or move it away: then every marker that is "
                    "there is served again"
                ) from error

    def _follow(self, found: Mapping[str, Any]) -> None:
        name = found["version"]
        if found["event"] == FOUND:
            body = base64.b64decode(found["body"], validate=True)
            self._known.add(name)
            self._waiting[name] = Entry(name, found["path"], found["execution"], found["at"], body)
        elif found["event"] == STARTED and name in self._waiting:
            self._begun.append(name)
        elif found["event"] == ENDED:
            self._forget(name)


def read_queued(root: Path) -> Iterator[str]:
    """Yield the executions of all markers that a workspace's watchers have not served to the end, running or not."""
    for path in sorted((root / FOLDER).glob(f"*/{LEDGER_FILE}")):
        queued: dict[str, str] = {}
        for line in path.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError, KeyError, TypeError):  # a line that is just being written
                event = json.loads(line)
                if event["event"] == FOUND:
                    queued[event["version"]] = event["execution"]
                elif event["event"] == ENDED:
                    queued.pop(event["version"], None)
        yield from queued.values()


def ledger_folder(workspace: Path, folder: Path) -> Path:
    """Return where the ledger of a watched folder lies: its name, and what tells it from others of that name."""
    real = os.fsencode(folder.resolve())
    name = re.sub(r"[^A-Za-z0-9]+", "-", folder.resolve().name)[:60].strip("-") or "folder"
    return workspace / FOLDER / f"{name}-{hashlib.sha256(real).hexdigest()[:8]}"


@contextlib.contextmanager
def locked(folder: Path, watched: Path) -> Iterator[None]:
    """Be the only watcher of a folder in this workspace.

    Raises:
        WorkspaceError: another one is at work.
    """
    with contextlib.ExitStack() as stack:
        with _as_workspace_error(folder / LOCK_FILE):
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((folder / LOCK_FILE).open("a"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WorkspaceError(
                    f"--watch {watched}: another watcher serves this folder in this workspace; stop it first"
                ) from None
        yield


@contextlib.contextmanager
def _as_workspace_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WorkspaceError(
            f"{path}: cannot be written ({reason}); mend that and start the watcher again, nothing is lost"
        ) from error


def _sync(folder: Path) -> None:
    """Wait until the disk knows a new file by its name."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
