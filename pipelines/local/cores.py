"""Hands out this machine's cores to Processing steps, so that steps side by side never claim the same one.

Pure but for one look at which cores the engine itself may use.
"""

from __future__ import annotations

import os
import sys


def own_cores() -> list[int]:
    """Return the cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else list(range(os.cpu_count() or 1))


class Cores:
    """The cores of one execution; only the engine's loop takes and returns them."""

    def __init__(self, count: int) -> None:
        own = own_cores()
        # Asked for more than there are, the rest are numbers without a core: they count, but nothing is pinned to them.
        extra = range(max(own) + 1, max(own) + 1 + max(0, count - len(own)))
        self._free = [*own, *extra][: max(1, count)]

    def take(self, count: int) -> tuple[int, ...] | None:
        """Return `count` free cores, or None where there are not enough."""
        if len(self._free) < count:
            return None
        taken, self._free = self._free[:count], self._free[count:]
        return tuple(taken)

    def give(self, cores: tuple[int, ...]) -> None:
        """Return cores."""
        self._free = sorted([*self._free, *cores])
