"""What a Processing step is expected to take of this machine: time, and memory at most.

Pure. In order of trust: what the step itself took before, what steps that run the same program took, and a guess from
the size of its inputs that holds until one of them has run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pipelines.local.record import SUCCEEDED, StepRecord
from pipelines.local.step import PROCESSING, Step

_MB_PER_GB = 2**30 / 1e6
Kind = tuple[str, ...]
"""The program of a step: its entrypoint."""
BASE_MB, FACTOR = 500.0, 30.0
"""The guess: interpreter and libraries, and so many times the inputs, which are compressed columns (decision 012)."""
RESERVE, BESIDE_MB = 1.2, 100.0
"""A recorded peak is that of the largest process: times this for the next run, and so much for the processes beside."""


class Machine(Protocol):
    """An instance type: cores, and memory in GB of 2**30 bytes."""

    @property
    def cores(self) -> int:
        """Return the number of its cores."""

    @property
    def memory_gb(self) -> float:
        """Return its memory."""


MachineOf = Callable[[str], Machine | None]


@dataclass(frozen=True)
class Taken:
    """What a step took when it last ran: seconds, and at most so many megabytes, where that is known."""

    seconds: float
    peak_mb: float | None = None


class Experience:
    """What steps took, in earlier executions and in this one so far."""

    def __init__(self, steps: Mapping[str, Step], taken: Mapping[str, Taken], machine_of: MachineOf) -> None:
        self._steps, self._taken, self._machine_of = steps, taken, machine_of
        self._seconds: dict[Kind, list[float]] = {}
        self._peaks: dict[Kind, float] = {}
        for name, found in taken.items():
            if name in steps:
                self._learn(steps[name], found)

    def learn(self, record: StepRecord) -> None:
        """Take in how a step ended."""
        if record.type == PROCESSING and record.status == SUCCEEDED and not record.cached:
            self._learn(self._steps[record.name], Taken(record.seconds, record.peak_memory_mb))

    def _learn(self, step: Step, taken: Taken) -> None:
        self._seconds.setdefault(kind_of(step), []).append(taken.seconds)
        if taken.peak_mb is not None:
            self._peaks[kind_of(step)] = max(taken.peak_mb, self._peaks.get(kind_of(step), 0.0))

    def is_known(self, step: Step) -> bool:
        """Tell whether a step ran before, so that the size of its inputs need not be asked."""
        return step.name in self._taken and self._taken[step.name].peak_mb is not None

    def seconds(self, step: Step, input_bytes: int) -> float:
        """Return how long a step is expected to take; among steps that nothing is known of, sizes compare as well."""
        if step.name in self._taken:
            return self._taken[step.name].seconds
        others = self._seconds.get(kind_of(step))
        return sum(others) / len(others) if others else input_bytes / 1e6

    def memory_mb(self, step: Step, input_bytes: int) -> float:
        """Return how many megabytes a step is expected to take at most, with all of its instances."""
        return self._host_mb(step, input_bytes) * instance_count(step)

    def _host_mb(self, step: Step, input_bytes: int) -> float:
        own = self._taken[step.name].peak_mb if step.name in self._taken else None
        peak = own if own is not None else self._peaks.get(kind_of(step))
        if peak is not None:
            return peak * RESERVE + BESIDE_MB
        guess = BASE_MB + FACTOR * input_bytes / 1e6
        machine = self._machine_of(instance_type(step))
        return (
            guess if machine is None else min(guess, machine.memory_gb * _MB_PER_GB)
        )  # what is more would fail on AWS


def kind_of(step: Step) -> Kind:
    """Return the program that a Processing step runs."""
    return tuple(map(str, step.job.entrypoint)) if step.job else ()


def instance_type(step: Step) -> str:
    """Return the instance type of a Processing step, or an empty text where it is not written there."""
    found = _cluster(step, "InstanceType")
    return found if isinstance(found, str) else ""


def instance_count(step: Step) -> int:
    """Return how many instances a Processing step has, all of which run on this machine; 1 where it is computed."""
    found = _cluster(step, "InstanceCount")
    return found if isinstance(found, int) else 1


def _cluster(step: Step, key: str) -> Any:
    found: Any = step.job.settings if step.job else None
    for each in ("ProcessingResources", "ClusterConfig", key):
        found = found.get(each) if isinstance(found, Mapping) else None
    return found


def core_weights(steps: Mapping[str, Step], machine_of: MachineOf) -> dict[str, int]:
    """Return the cores of each Processing step's instance type, where it is known."""
    machines = {name: machine_of(instance_type(step)) for name, step in steps.items() if step.type == PROCESSING}
    return {name: machine.cores for name, machine in machines.items() if machine is not None}
