"""The steps of one execution as they are, from its events: states, times, what is left, and the chain that decides it.

Knows no terminal. The engine's thread writes, that of a display reads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from pipelines.instances import machine_of
from pipelines.local import steplog
from pipelines.local.estimate import PATIENCE, Estimate, chain, estimate, room, typical, unlikely
from pipelines.local.record import CACHED, EXECUTING, FAILED, SKIPPED, STARTING, STOPPED, SUCCEEDED, StepEvent
from pipelines.local.schedule import build_graph
from pipelines.local.step import PROCESSING, Definition, Step

WAITING = "Waiting"
WORKING = (STARTING, EXECUTING)
DONE = (SUCCEEDED, CACHED, FAILED, STOPPED, SKIPPED)
_SHORT = 0.05
"""Seconds below which a step is not worth naming on the critical path."""
_SMALL = 0.01
"""The same as a part of the whole."""
_MOST_ALIKE = 3
"""Steps of one kind one after the other on the critical path that are named one by one."""
AWS_PATIENCE = 30.0
"""Seconds that the service may take to start a step that waits for nothing any more."""
_SEGMENT = "segment"
"""The tag of a step that holds the raw name of its segment."""


@dataclass(frozen=True)
class Known:
    """What is known of an execution before it begins.

    `taken` are seconds of earlier executions by step, `outcomes` how conditions came out last. `cores` are those that
    steps share (None: each has a machine of its own), `parallelism` the most that work at one time. `folder` is that of
    the execution, in which steps write their logs; None where they write elsewhere. `uses_cache` says that steps may
    take their outputs from an earlier execution.
    """

    taken: Mapping[str, Sequence[float]] = field(default_factory=dict)
    outcomes: Mapping[str, bool] = field(default_factory=dict)
    cores: int | None = None
    parallelism: int | None = None
    folder: Path | None = None
    uses_cache: bool = True


@dataclass(frozen=True)
class Row:
    """One step as it is shown: `seconds` it has taken, `expected` it takes, what it says last, on the critical path."""

    name: str
    label: str
    state: str
    seconds: float | None
    expected: float | None
    detail: str
    is_critical: bool
    is_job: bool

    @property
    def kind(self) -> str:
        """Return the part of the name that steps of one kind share."""
        return self.name.split("-", 1)[0]


class Board:
    """Keeps what has happened to every step."""

    def __init__(self, definition: Definition, known: Known, clock: Callable[[], float] = time.time) -> None:
        self._graph, self._known, self.clock = build_graph(definition), known, clock
        self.began = clock()
        limit = known.parallelism or definition.parallelism
        self._room = room(self._graph, known.cores, limit, machine_of)
        self._taken = {name: list(seconds) for name, seconds in known.taken.items()}
        self._expected = typical(self._graph.steps, self._taken)
        self._lost: frozenset[str] | None = None
        self._labels = {name: label_of(step) for name, step in self._graph.steps.items()}
        self._states = dict.fromkeys(self._graph.steps, WAITING)
        self._starts: dict[str, float] = {}
        self._ends: dict[str, float] = {}
        self._reasons: dict[str, str] = {}
        self._real = False
        self._lock = threading.RLock()
        self._guess: Estimate | None = None
        self._guessed_at, self._guess_took, self._is_stale = 0.0, 0.0, True

    def take(self, event: StepEvent) -> None:
        """Take in a step's transition."""
        with self._lock:
            name, step = event.step, self._graph.steps.get(event.step)
            self._states[name], self._reasons[name] = event.status, event.reason
            if event.status in WORKING:
                if self._ends.pop(name, None) is not None or name not in self._starts:
                    self._starts[name] = event.at
                if event.status == EXECUTING and _is_job(step) and not self._real:
                    self._real, self._guessed_at = True, 0.0
            elif event.status in DONE:
                self._ends[name] = event.at
                if event.status == SUCCEEDED and name in self._starts:
                    self._taken.setdefault(name, []).insert(0, self.took(name))
            self._is_stale = True
            if name in self._graph.branches:
                self._lost = None

    def took(self, name: str) -> float:
        """Return the seconds that a step has taken so far, or took; 0 for one that was not begun."""
        with self._lock:
            end = self._ends.get(name, self.clock())
            return max(0.0, end - self._starts.get(name, end))

    @property
    def elapsed(self) -> float:
        """Return the seconds since the execution was begun or followed."""
        with self._lock:
            first = next(iter(self._starts.values()), self.began)  # one that is followed began before
            return max(0.0, self.clock() - min(self.began, first))

    def counts(self) -> tuple[int, int]:
        """Return how many steps are over, and how many there are: those of the branch that is not taken are none."""
        with self._lock:
            shown = self._shown()
            return sum(self._states[name] in DONE for name in shown), len(shown)

    def _shown(self) -> list[str]:
        """Return the steps that run, or are expected to."""
        unlikely_ones = self._unlikely()
        states = self._states.items()
        return [name for name, state in states if state != SKIPPED and (state != WAITING or name not in unlikely_ones)]

    def _unlikely(self) -> frozenset[str]:
        """Return the steps of branches that are not taken: on AWS nothing tells so but that the other one has begun."""
        if self._lost is None:
            outcomes = dict(self._known.outcomes)
            for name, (condition, wanted) in self._graph.branches.items():
                if self._states[name] != WAITING:
                    outcomes[condition] = wanted is (self._states[name] != SKIPPED)
            self._lost = unlikely(self._graph, outcomes)
        return self._lost

    def rows(self) -> list[Row]:
        """Return every step that runs, or is expected to, in the order of the definition."""
        with self._lock:
            critical = self.critical()
            return [self._row(name, is_critical=name in critical) for name in self._shown()]

    def _row(self, name: str, *, is_critical: bool) -> Row:
        state = self._states[name]
        seconds = self.took(name) if name in self._starts else None
        step = self._graph.steps.get(name)
        expected = self._expected.get(name) if state in WORKING and _is_job(step) else None
        reason = "" if state in WORKING or state == SUCCEEDED else self._reasons.get(name, "")
        return Row(name, self._labels.get(name, name), state, seconds, expected, reason, is_critical, _is_job(step))

    def working(self) -> list[str]:
        """Return the names of the steps at work, the longest first."""
        with self._lock:
            found = [name for name, state in self._states.items() if state in WORKING]
            return sorted(found, key=self.took, reverse=True)

    def failed(self) -> list[str]:
        """Return the names of the steps that failed."""
        with self._lock:
            return [name for name, state in self._states.items() if state == FAILED]

    def label(self, name: str) -> str:
        """Return how people know a step: with the name of its segment where the step's own does not tell it."""
        return self._labels.get(name, name)

    def logs(self, name: str) -> list[Path]:
        """Return the logs of a step that there are on this machine."""
        return steplog.find_logs(self._known.folder / "steps" / name) if self._known.folder else []

    def remaining(self) -> float | None:
        """Return the seconds that the execution will still take, or None where that cannot be told.

        Nothing is told before the first job really runs: until then all of it may come from the cache.
        """
        with self._lock:
            found = self._estimate()
            return None if found is None else max(0.0, found.seconds - (self.clock() - self._guessed_at))

    def critical(self) -> frozenset[str]:
        """Return the steps that decide when the execution ends, or decided it: each waits for the one before it."""
        with self._lock:
            if self._is_over():
                return frozenset(name for name in self._chain() if self.took(name) >= _SHORT)
            found = self._estimate()
            return frozenset(found.critical) if found else frozenset()

    def _is_over(self) -> bool:
        return bool(self._ends) and all(self._states[name] in DONE for name in self._shown())

    def _estimate(self) -> Estimate | None:
        """Return the estimate, made anew when something has happened, or a step takes longer than it was expected to.

        A large graph is asked less often, so that looking at a run never slows it down.
        """
        began, now = time.perf_counter(), self.clock()
        pause = max(0.2, 30 * self._guess_took)
        old = now - self._guessed_at >= (pause if self._is_stale else max(5.0, pause))
        if old or self._guessed_at == 0.0:
            self._guess, self._guessed_at, self._is_stale = self._make_estimate(), now, False
            self._guess_took = time.perf_counter() - began
        return self._guess

    def _make_estimate(self) -> Estimate | None:
        states = self._states.items()
        if not self._real or any(state in (FAILED, STOPPED) for _, state in states):
            return None
        steps = self._graph.steps
        running = {name: self.took(name) for name, state in states if state in WORKING and name in steps}
        over = {name for name, state in states if state in DONE} | (self._unlikely() - set(running))
        self._expected = typical(steps, self._taken)
        return estimate(self._graph, self._expected, running, over, self._room)

    def path(self) -> str:
        """Say which steps decided how long the execution took; an empty text where it was one, or none for any time."""
        with self._lock:
            if not self._ends:
                return ""
            first = min(self._starts.get(name, end) for name, end in self._ends.items())
            whole = max(self._ends.values()) - first
            found = self._chain()
            steps = [name for name in found if self.took(name) >= max(_SHORT, _SMALL * whole)]
            if len(steps) < 2:
                return ""
            inside = sum(map(self.took, found))
            return f"critical path: {self._say_path(steps)}; {say_seconds(inside)} of {say_seconds(max(whole, inside))}"

    def _chain(self) -> tuple[str, ...]:
        ends = {name: end for name, end in self._ends.items() if self._states[name] != SKIPPED}
        patience = PATIENCE if self._known.cores else AWS_PATIENCE
        return chain(self._graph, self._starts, ends, patience)

    def _say_path(self, steps: Sequence[str]) -> str:
        """Return the steps with their times; many of one kind one after the other as one."""
        parts = []
        for kind, group in groupby(steps, key=lambda name: name.split("-", 1)[0]):
            names = list(group)
            if len(names) > _MOST_ALIKE:
                parts.append(f"{len(names)} x {kind} {say_seconds(sum(map(self.took, names)))}")
            else:
                parts += [f"{self.label(name)} {say_seconds(self.took(name))}" for name in names]
        return " > ".join(parts)

    @property
    def has_past(self) -> bool:
        """Tell whether earlier executions are known."""
        return bool(self._known.taken)

    @property
    def may_cache(self) -> bool:
        """Tell whether steps that are to come may be taken from the cache."""
        waiting = [name for name, state in self._states.items() if state == WAITING and name in self._graph.steps]
        return self._known.uses_cache and any(self._graph.steps[name].cache for name in waiting)


def _is_job(step: Step | None) -> bool:
    return step is not None and step.type == PROCESSING


def label_of(step: Step) -> str:
    """Return a step's name, and the raw name of its segment where the name shows only the slug of it."""
    arguments: Mapping[str, Any] = step.arguments
    tags = arguments.get("Tags") or ()
    segment = next((str(tag["Value"]) for tag in tags if tag.get("Key") == _SEGMENT), "")
    return step.name if not segment or step.name.endswith(f"-{segment}") else f"{step.name} ({segment})"


def say_seconds(seconds: float) -> str:
    """Return a duration for people: 2.0 s, 45 s, 2 min 5 s, 1 h 3 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(whole / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def say_about(seconds: float) -> str:
    """Return an estimate, as coarse as it is: 5 s, 40 s, 3 min, 1 h 20 min."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 95:
        return f"{round(seconds / 5) * 5} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    minutes = round(minutes / 5) * 5
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
