"""How much memory a process took at most, and how much is free.

An I/O seam over /proc, the control groups and the kernel's resource usage; `launch` asks it while it waits, the engine
before it starts a step.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes per unit of `ru_maxrss`: macOS counts bytes, Linux kilobytes."""


class PeakMemory:
    """Watches one process.

    Linux starts a child's `ru_maxrss` at its parent's peak (the two share memory until exec), so a small child of a
    big parent looks as big as the parent. Below that floor the samples of the child's own high-water mark count. A
    process that was forked and is no other program since has no floor (`executed=False`).
    """

    def __init__(self, pid: int, *, executed: bool = True) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT if executed else 0
        self._seen = 0

    def sample(self) -> None:
        """Look at the process while it runs."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in self._status.read_text(encoding="ascii", errors="ignore").splitlines():
                if line.startswith("VmHWM:"):
                    self._seen = max(self._seen, int(line.split()[1]) * 1024)

    def result(self, maxrss: int) -> float:
        """Return the peak in megabytes; `maxrss` is what the kernel reported at the end."""
        reported = maxrss * _UNIT
        size = self._seen if self._seen and reported <= self._floor else reported
        return round(size / 1e6, 1)


def free_memory(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return the megabytes that processes can still get: of the machine, and of every control group around us.

    Memory that only holds copies of files counts as free. None where the system does not say (macOS).
    """
    bounds = [*_available(proc / "meminfo"), *_left(proc / "self/cgroup", groups)]
    return min(bounds) / 1e6 if bounds else None


def _available(meminfo: Path) -> Iterator[float]:
    for line in _lines(meminfo):
        if line.startswith("MemAvailable:"):
            yield float(line.split()[1]) * 1024


def _left(membership: Path, groups: Path) -> Iterator[float]:
    """Yield what is left of the limit of each control group, version 2 (kernel.org, cgroup-v2, "memory.max")."""
    own = next((line[3:].strip("/") for line in _lines(membership) if line.startswith("0::")), "")
    folder = groups / own
    for place in (folder, *folder.parents):
        with contextlib.suppress(OSError, ValueError):
            limit = float((place / "memory.max").read_text(encoding="ascii"))  # "max": no limit, so no number
            used = float((place / "memory.current").read_text(encoding="ascii"))
            cached = sum(float(n) for line in _lines(place / "memory.stat") for n in _file_pages(line))
            yield max(0.0, limit - used + cached)
        if place == groups:
            return


def _file_pages(line: str) -> Iterator[str]:
    name, _, number = line.partition(" ")
    if name == "inactive_file":
        yield number


def _lines(path: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="ascii", errors="ignore").splitlines()
    return []
