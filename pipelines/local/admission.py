"""Which of the Processing steps that are ready may start: longest first, within cores, parallelism and memory.

Pure but for the looks at memory and cores that it is given. Only the engine's loop asks.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Mapping

from pipelines.local.cores import Cores

USABLE = 0.85
"""Part of the memory that is free when nothing of ours works: the rest is for the engine, the system and others."""


class Admission:
    """The steps of one execution that wait, and what those at work hold.

    A step that would not fit into memory lets smaller ones pass; one that waits for cores does not, or it could wait
    for ever. With nothing at work the first always starts: it would never fit better.
    """

    def __init__(
        self, shares: Mapping[str, int], cores: Cores, limit: int | None, free_mb: Callable[[], float | None]
    ) -> None:
        self._shares, self._cores, self._limit, self._free_mb = shares, cores, limit, free_mb
        self._waiting: list[tuple[int, float, int, str]] = []
        self._held: dict[str, tuple[tuple[int, ...], float]] = {}
        self._budget: float | None = None

    def add(self, name: str, seconds: float, position: int) -> None:
        """Let a step wait that is ready.

        Args:
            name: the step's.
            seconds: it is expected to take; those with the same share of cores start in this order, longest first.
            position: in the definition; decides between equals.
        """
        bisect.insort(self._waiting, (-self._shares[name], -seconds, position, name))

    def admit(self, memory_mb: Callable[[str], float]) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield each step that may start now, with its cores.

        Args:
            memory_mb: how much a step is expected to take at most.
        """
        number = 0
        while number < len(self._waiting):
            name = self._waiting[number][-1]
            if self._limit and len(self._held) >= self._limit:
                return
            expected = memory_mb(name)
            if not self._fits(expected):
                number += 1
                continue
            cores = self._cores.take(self._shares[name])
            if cores is None:
                return
            del self._waiting[number]
            self._held[name] = (cores, expected)
            yield name, cores

    def _fits(self, expected: float) -> bool:
        if not self._held:
            free = self._free_mb()
            self._budget = None if free is None else free * USABLE
            return True
        return self._budget is None or sum(held for _, held in self._held.values()) + expected <= self._budget

    def release(self, name: str) -> None:
        """Take back what a step held, if it held anything."""
        cores, _ = self._held.pop(name, ((), 0.0))
        self._cores.give(cores)
