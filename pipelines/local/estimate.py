"""How long an execution will still take, and which chain of steps decides it.

Pure. The graph is run in the mind: each step takes what it took in earlier executions, and steps start as the engine
starts them, longest first, as far as cores and parallelism go. A step of which nothing is known borrows from those that
run the same program; where there are none there is no estimate rather than a wrong one.
"""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from pipelines.local.load import Kind, MachineOf, core_weights, kind_of
from pipelines.local.schedule import Graph, core_shares
from pipelines.local.step import PROCESSING, Step

OVERDUE = 0.1
"""A step that takes longer than ever before is given so much more, as a part of what it has taken: nobody knows."""
PATIENCE = 0.2
"""Seconds in which the engine starts a step that waits for nothing any more."""


@dataclass(frozen=True)
class Room:
    """What jobs share: `cores` (None: as many as they want), `limit` of them at one time, each of them its share."""

    cores: int | None
    limit: int | None
    shares: Mapping[str, int]


def room(graph: Graph, cores: int | None, limit: int | None, machine_of: MachineOf) -> Room:
    """Return what the Processing steps of a graph share; without `cores` each has a machine of its own."""
    if cores is None:
        return Room(None, limit, {})
    return Room(cores, limit, core_shares(graph, max(1, cores), limit, core_weights(graph.steps, machine_of)))


def typical(steps: Mapping[str, Step], taken: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the seconds that each step is expected to take; steps of which nothing is known are left out.

    Args:
        steps: of the definition.
        taken: seconds of earlier runs by name; what was taken from a cache is none of them.
    """
    own = {name: median(taken[name]) for name in steps if taken.get(name)}
    alike: dict[Kind, list[float]] = {}
    for name, seconds in own.items():
        alike.setdefault(kind_of(steps[name]), []).append(seconds)
    found = {}
    for name, step in steps.items():
        if name in own:
            found[name] = own[name]
        elif step.type != PROCESSING:
            found[name] = 0.0
        elif kind_of(step) in alike:
            found[name] = median(alike[kind_of(step)])
    return found


def unlikely(graph: Graph, outcomes: Mapping[str, bool]) -> frozenset[str]:
    """Return the steps that will not run if conditions come out like this; by default the first branch is taken."""
    lost = {name for name, (condition, wanted) in graph.branches.items() if outcomes.get(condition, True) is not wanted}
    for name in graph.order:
        if graph.needs[name] & lost:
            lost.add(name)
    return frozenset(lost)


@dataclass(frozen=True)
class Estimate:
    """Seconds until the last step ends, and the steps that decide it: each waits for the one before it."""

    seconds: float
    critical: tuple[str, ...]


def estimate(
    graph: Graph,
    seconds: Mapping[str, float],
    running: Mapping[str, float],
    over: Collection[str],
    shared: Room,
) -> Estimate | None:
    """Return how long the steps that are left take, or None where of one of them nothing is known.

    Args:
        graph: of the definition.
        seconds: that a step is expected to take, by name.
        running: steps at work, with the seconds that they have taken so far.
        over: steps that have ended, or that will never run.
        shared: what steps share.
    """
    left = [name for name in graph.steps if name not in over]
    if any(name not in seconds for name in left):
        return None
    mind = _Mind(graph, seconds, shared, set(over) | set(running))
    for name, elapsed in running.items():
        expected = seconds.get(name, 0.0)
        mind.begin(name, expected - elapsed if expected > elapsed else OVERDUE * elapsed)
    return mind.run()


@dataclass
class _Mind:
    """One run in the mind; `_at` is the moment that it has come to."""

    graph: Graph
    seconds: Mapping[str, float]
    shared: Room
    begun: set[str]
    _at: float = 0.0
    _works: list[tuple[float, str]] = field(default_factory=list)
    _waits: list[tuple[int, float, int, str]] = field(default_factory=list)
    _free: int = 0
    _jobs: int = 0
    _after: dict[str, str] = field(default_factory=dict)
    """What let a step begin: its last need, or the step whose cores it got."""
    _last: str = ""

    def __post_init__(self) -> None:
        self._free = self.shared.cores or 0
        self._places = {name: number for number, name in enumerate(self.graph.steps)}

    def begin(self, name: str, seconds: float) -> None:
        """Let a step work from now on."""
        if self.graph.steps[name].type == PROCESSING:
            self._free -= self.shared.shares.get(name, 1)
            self._jobs += 1
        if self._last:
            self._after[name] = self._last
        heapq.heappush(self._works, (self._at + seconds, name))

    def run(self) -> Estimate:
        """Let every step that is left work, and return when the last has ended."""
        begun = self.begun
        ended = begun - {name for _, name in self._works}
        left = {name: len(needs - ended) for name, needs in self.graph.needs.items() if name not in begun}
        dependents: dict[str, list[str]] = {}
        for name in left:
            for need in self.graph.needs[name] - ended:
                dependents.setdefault(need, []).append(name)
        self._ready([name for name, number in left.items() if not number])
        while self._works:
            self._at, name = heapq.heappop(self._works)
            self._end(name)
            ready = []
            for after in dependents.get(name, ()):
                left[after] -= 1
                ready += [after] if not left[after] else []
            self._ready(ready)
        return Estimate(self._at, self._chain())

    def _end(self, name: str) -> None:
        self._last = name
        if self.graph.steps[name].type == PROCESSING:
            self._free += self.shared.shares.get(name, 1)
            self._jobs -= 1

    def _ready(self, names: Sequence[str]) -> None:
        """Start what may start: what shares nothing at once, jobs in the engine's order as far as there is room."""
        for name in names:
            if self.graph.steps[name].type == PROCESSING:
                share = self.shared.shares.get(name, 1)
                bisect.insort(self._waits, (-share, -self.seconds[name], self._places[name], name))
            else:
                self.begin(name, self.seconds[name])
        while self._waits and self._has_room(-self._waits[0][0]):
            name = self._waits.pop(0)[-1]
            self.begin(name, self.seconds[name])

    def _has_room(self, share: int) -> bool:
        if self._jobs == 0:
            return True
        within = self.shared.limit is None or self._jobs < self.shared.limit
        return within and (self.shared.cores is None or share <= self._free)

    def _chain(self) -> tuple[str, ...]:
        found, here = [], self._last
        while here:
            found.append(here)
            here = self._after.get(here, "")
        return tuple(reversed(found))


def chain(
    graph: Graph, starts: Mapping[str, float], ends: Mapping[str, float], patience: float = PATIENCE
) -> tuple[str, ...]:
    """Return the steps that decided when the last one ended, first first: each had waited for the one before it.

    A step waits for its needs; a job that began later than `patience` seconds after the last of them had waited for
    room, which the job gave that ended just before.
    """
    jobs = sorted((end, name) for name, end in ends.items() if _takes_room(graph, name) and starts.get(name, end) < end)
    found = list[str]()
    here = max(ends, key=ends.__getitem__, default=None)
    while here is not None and here not in found[-1:]:
        found.append(here)
        begun = starts.get(here, ends[here])
        needs = [need for need in graph.needs.get(here, ()) if need in ends]
        before = max(needs, key=ends.__getitem__, default=None)
        if before is not None and _takes_room(graph, here) and begun - ends[before] > patience:
            place = bisect.bisect_right(jobs, (begun, "\U0010ffff")) - 1
            if place >= 0 and jobs[place][0] > ends[before]:
                before = jobs[place][1]
        here = before
    return tuple(reversed(found))


def _takes_room(graph: Graph, name: str) -> bool:
    return name in graph.steps and graph.steps[name].type == PROCESSING
