"""Files that are there whole or not at all, and locks that end with their holder, whatever is killed meanwhile.

An I/O seam. A file is written in the workspace's scratch folder and renamed into place, so that what a killed process
leaves behind never lies where somebody looks for data; the next engine sweeps it up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from pipelines.errors import ExecutionError

SCRATCH_DIR = "tmp"
ENGINE_LOCK = "engine.lock"
_PAUSE = 0.2
"""Seconds between two looks at a lock that somebody else holds."""


def write_atomically(path: Path, content: str | bytes, scratch: Path) -> None:
    """Write a file that is there whole or not at all; `scratch` lies on the same file system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(parents=True, exist_ok=True)
    temporary = scratch / f"{os.getpid()}-{os.urandom(8).hex()}"
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(scratch: Path) -> None:
    """Remove what processes that have died left in a scratch folder; their id begins the name."""
    for path in scratch.iterdir() if scratch.is_dir() else ():
        owner = path.name.partition("-")[0]
        if owner.isdecimal() and not _is_alive(int(owner)):
            path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, so there
        return True
    return True


@contextlib.contextmanager
def lock_workspace(root: Path, holder: str, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the one lock under which executions run in a workspace: each of them takes all cores and memory.

    Args:
        root: the workspace's folder.
        holder: what whoever waits is told about us.
        on_wait: told once who holds the lock; then this waits. Without it, nobody waits.

    Raises:
        ExecutionError: somebody else holds the lock and there is no `on_wait`.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / ENGINE_LOCK).open("a+", encoding="utf-8") as file:
        if not try_lock(file):
            other = _holder(file)
            if on_wait is None:
                raise ExecutionError(f"{other} is at work in the workspace {root}; wait for its end or stop it")
            on_wait(f"{other} is at work in this workspace; waiting for its end")
            while not try_lock(file):
                time.sleep(_PAUSE)
        file.truncate(0)
        file.write(holder)
        file.flush()
        yield


def try_lock(file: IO[str], *, shared: bool = False) -> bool:
    """Lock a file until it is closed, unless somebody else holds it; those who share it hinder no other who does."""
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read(200) or "another engine"
