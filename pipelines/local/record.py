"""What is known about steps and executions: the records that the engine writes, shows and returns.

Pure frozen dataclasses; `history` stores them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Scalar = str | int | float | bool

STARTING = "Starting"
EXECUTING = "Executing"
SUCCEEDED = "Succeeded"
FAILED = "Failed"
SKIPPED = "Skipped"
CACHED = "Cached"
STARTED = "Started"
STOPPED = "Stopped"


@dataclass(frozen=True)
class FileRecord:
    """One published object: its URI, sha256 and size in bytes."""

    uri: str
    sha256: str
    size: int


@dataclass(frozen=True)
class StepEvent:
    """One transition of a step, for whoever watches; `at` is in seconds since the epoch.

    `status` is Starting, Executing, Succeeded, Failed, Skipped (its branch was not taken) or Cached (taken from an
    earlier execution).
    """

    step: str
    type: str
    status: str
    at: float
    reason: str = ""
    message: str = ""


@dataclass(frozen=True)
class StepRecord:
    """How a step ended.

    `status` is Succeeded, Failed or Skipped; `cached` says that the outputs are those of an earlier execution.
    `outputs` are the URIs of a Processing step, `results` the outputs of a Lambda step or a condition's `Outcome`.
    `started` is in seconds since the epoch, `seconds` the duration, `log` a path below the workspace's root.
    """

    name: str
    type: str
    status: str
    cached: bool = False
    started: float = 0.0
    seconds: float = 0.0
    reason: str = ""
    peak_memory_mb: float | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, Scalar] = field(default_factory=dict)
    log: str | None = None
    files: tuple[FileRecord, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: `status` is Succeeded or Failed, and Stopped or Started for one that was cut off."""

    execution_id: str
    status: str
    steps: Mapping[str, StepRecord]
    seconds: float
    failed: tuple[StepRecord, ...] = ()
