"""How much memory a process took at most.

An I/O seam over /proc and the kernel's resource usage; `launch` asks it while it waits.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes per unit of `ru_maxrss`: macOS counts bytes, Linux kilobytes."""


class PeakMemory:
    """Watches one process.

    Linux starts a child's `ru_maxrss` at its parent's peak (the two share memory until exec), so a small child of a
    big parent looks as big as the parent. Below that floor the samples of the child's own high-water mark count.
    """

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
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
