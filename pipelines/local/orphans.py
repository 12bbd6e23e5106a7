"""Finds and ends the processes of a step by the folder that each of them was given as /opt/ml.

An I/O seam over /proc. A process group is not enough: a child may have left it, and an engine that was killed may not
have lived to write down whom it had started. Where there is no /proc nothing is found.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

_PROC = Path("/proc")
_PATIENCE = 2.0
"""Seconds that killed processes have to be gone, so that they do not write into the next attempt."""
_PAUSE = 0.01


def find_processes(root: Path) -> list[int]:
    """Return the ids of the processes whose environment names `root`, or a folder below it, as ML_ROOT."""
    mark = f"ML_ROOT={root}/".encode()
    return [pid for pid in _own_processes() if any((part + b"/").startswith(mark) for part in _environment(pid))]


def end_processes(root: Path) -> None:
    """Kill every process of a step, or of all steps below a folder, and wait until it is gone."""
    began = time.monotonic()
    while found := find_processes(root):
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() - began > _PATIENCE:
            return
        time.sleep(_PAUSE)


def _own_processes() -> list[int]:
    if not _PROC.is_dir():
        return []
    own = os.getuid()
    found = []
    with os.scandir(_PROC) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and entry.stat().st_uid == own:
                    found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]  # whoever starts us may have been given such a folder


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended meanwhile
        return []
