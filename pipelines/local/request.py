"""What an execution is asked for, and the world it runs in: the arguments of `engine.execute`.

Pure. Every side effect of a run goes through a field of `World`, so that a test hands in its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.local.difference import Explain, say_plainly
from pipelines.local.launch import Launcher
from pipelines.local.load import Machine, MachineOf, Taken
from pipelines.local.memory import free_memory
from pipelines.local.record import Scalar, StepEvent
from pipelines.local.step import Definition
from pipelines.local.workspace import Workspace

CallLambda = Callable[[str, dict[str, Scalar]], Mapping[str, Scalar]]
Watch = Callable[[StepEvent], None]


def _say_nothing(line: str) -> None:
    del line


def expect_nothing(command: Sequence[str], environment: Mapping[str, str], threads: int) -> None:
    """Get ready for nothing that is to come."""
    del command, environment, threads


def _know_no_machine(instance_type: str) -> Machine | None:
    del instance_type
    return None


@dataclass(frozen=True)
class Request:
    """One execution to run.

    `resume` goes on with an execution that failed or was cut off: what succeeded is kept. `selected` runs these
    steps only and takes all others from the execution `source`. `parallelism` overrides the definition's own.
    `objects` are put into the workspace by URI before anything runs. `taken` says what steps took when they last ran,
    by name: the longest start first, and no more side by side than memory holds.
    """

    execution_id: str
    definition: Definition
    parameters: Mapping[str, Scalar]
    resume: bool = False
    source: str | None = None
    selected: frozenset[str] | None = None
    cores: int = 2
    parallelism: int | None = None
    use_cache: bool = True
    pipeline: str = "local"
    objects: Mapping[str, bytes] = field(default_factory=dict)
    taken: Mapping[str, Taken] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """Everything outside the engine.

    `call_lambda` runs a function by its ARN on an event; `clock` gives seconds since the epoch; `fingerprint` names,
    one a line, what a step's result depends on but its definition does not show: the libraries with their versions.
    `explain` says in words what changed since a step's last run; `say` shows people a line. `free_memory` gives
    megabytes, `machine_of` what an instance type has; both None where it is not known. `expect` is told before anything
    runs of every command that may be launched, with its environment and number of threads.
    """

    workspace: Workspace
    launcher: Launcher
    call_lambda: CallLambda
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    fingerprint: str = ""
    say: Callable[[str], None] = _say_nothing
    explain: Explain = say_plainly
    free_memory: Callable[[], float | None] = free_memory
    machine_of: MachineOf = _know_no_machine
    expect: Callable[[Sequence[str], Mapping[str, str], int], None] = expect_nothing
