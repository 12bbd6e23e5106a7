"""A compiled definition as frozen dataclasses: parameters, steps, retry policies.

Pure and without parsing; `document` makes these from JSON, every other module of the engine reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.local.job import Job
from pipelines.local.record import Scalar

PROCESSING, LAMBDA, CONDITION, FAIL = "Processing", "Lambda", "Condition", "Fail"
STEP_TYPES = (PROCESSING, LAMBDA, CONDITION, FAIL)
PARAMETER_TYPES = ("String", "Integer", "Float", "Boolean")


@dataclass(frozen=True)
class Parameter:
    """One pipeline parameter; without a default a start has to give its value."""

    name: str
    type: str
    default: Scalar | None = None
    choices: tuple[Scalar, ...] = ()


@dataclass(frozen=True)
class RetryPolicy:
    """When to start a job again: kinds of fault, attempts in all, seconds to wait and their growth."""

    kinds: tuple[str, ...]
    attempts: int | None
    interval: float
    backoff: float
    expire_minutes: float | None


@dataclass(frozen=True)
class PropertyFile:
    """A JSON file in a step's output that expressions may read."""

    name: str
    output: str
    path: str


@dataclass(frozen=True)
class Step:
    """One step.

    `job` is set for Processing, `function` and `results` (name to type) for Lambda, the branches for Condition.
    """

    name: str
    type: str
    arguments: Mapping[str, Any]
    display_name: str = ""
    description: str = ""
    depends_on: tuple[str, ...] = ()
    cache: bool = False
    property_files: tuple[PropertyFile, ...] = ()
    retry_policies: tuple[RetryPolicy, ...] = ()
    job: Job | None = None
    function: str = ""
    results: Mapping[str, str] = field(default_factory=dict)
    if_steps: tuple[Step, ...] = ()
    else_steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Definition:
    """A whole pipeline; `parallelism` bounds the Processing steps at work at one time."""

    parameters: tuple[Parameter, ...]
    steps: tuple[Step, ...]
    parallelism: int | None
    text: str

    def every_step(self) -> tuple[Step, ...]:
        """Return all steps in the order of the definition, those of branches behind their condition."""
        found: list[Step] = []
        for step in self.steps:
            found += [step, *step.if_steps, *step.else_steps]
        return tuple(found)
