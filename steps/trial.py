"""One fit as a child process under an outer guard: the protocol, the launch and the verdict on how it ended.

The parent (Train) imports nothing heavy and survives whatever happens to the child: AutoGluon can exceed its own
limit fourfold, be killed for memory, hang or crash. It decides nothing about models or data. Infer runs its scoring in
the same way where one segment must not take the others with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from steps import contract, job

REQUEST_FILE = "request.json"
OUTCOME_FILE = "outcome.json"
FITTED_FILE = "fitted"
"""Marker that the child makes when the fit is over and the measuring begins."""
COMMAND = (sys.executable, "-m", "steps.fitting")

# How a child ended
TRAINED = contract.TRAINED
FAILED = contract.FAILED
TRANSIENT = "transient"
"""Memory, time or a signal: the same fit may succeed the next time."""
REFUSED = "refused"
"""The settings cannot work for any model."""
BROKEN = "broken"
"""Our own code or environment failed."""

CORES_VARIABLE = "CORES"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "AG_CPU_COUNT", CORES_VARIABLE)
NO_BREAKPOINTS = {"PYTHONBREAKPOINT": "0"}
_KILLED = 128 + signal.SIGKILL
NOT_WRITTEN = os.EX_IOERR
"""Exit code of a child that could not write its outcome."""


@dataclass(frozen=True)
class Outcome:
    """How a child ended, and why if it did not train."""

    status: str
    reason: str = ""


class Ended(Exception):  # noqa: N818 - says how a fit ended, which need not be an error
    """Raised in the child where its outcome is settled before the end."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome = Outcome(status, reason)


@dataclass(frozen=True)
class Guard:
    """Seconds that a child may take to fit, and then to measure what it fitted."""

    fit: float
    measure: float


def cores(environment: Mapping[str, str]) -> int:
    """Return the CPU cores this step may use: the share it was given, else the affinity, else the machine's."""
    given = environment.get(CORES_VARIABLE, "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def child_environment(environment: Mapping[str, str], threads: int) -> dict[str, str]:
    """Return the environment of a child that sees `threads` cores and finds this package.

    A breakpoint in its code is passed over: its stdin is the parent's pipe, where nobody would ever answer.
    """
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(part for part in (root, environment.get("PYTHONPATH", "")) if part)
    return {**environment, **dict.fromkeys(THREAD_VARIABLES, str(threads)), "PYTHONPATH": path, **NO_BREAKPOINTS}


def run(
    folder: Path, guard: Guard, environment: Mapping[str, str], command: Sequence[str] = COMMAND, work: str = "training"
) -> Outcome:
    """Run `command` on `folder` (which holds the request) and return how it ended; the child never outlives this.

    `work` is what the reasons call that which the child does.
    """
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
        [*command, str(folder)],
        stdin=subprocess.PIPE,  # closes when this process dies, however it dies; the child ends then
        stdout=subprocess.DEVNULL,  # native libraries print there, cells included
        env=dict(environment),
    ) as child:
        return watch(child, folder, guard, work)


class Child(Protocol):
    """Of `subprocess.Popen` what watching a child takes."""

    @property
    def returncode(self) -> int | None:
        """The exit code, below zero for a signal; None before `wait` has met the end."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raise subprocess.TimeoutExpired where it does not end within `timeout` seconds."""

    def kill(self) -> None:
        """End the child whatever it does."""


def watch(child: Child, folder: Path, guard: Guard, work: str) -> Outcome:
    """Wait for a child under its guard and return how it ended; it is killed if it still runs after that."""
    try:
        overdue = _overdue(child, folder, guard, work)
    finally:
        if child.returncode is None:
            child.kill()
    return Outcome(TRANSIENT, overdue) if overdue else _ending(child.wait(), folder, work)


def _overdue(child: Child, folder: Path, guard: Guard, work: str) -> str:
    with suppress(subprocess.TimeoutExpired):
        child.wait(guard.fit)
        return ""
    if not (folder / FITTED_FILE).exists():
        return f"{work} was stopped by the outer guard after {guard.fit:.0f} s"
    with suppress(subprocess.TimeoutExpired):
        child.wait(guard.measure)
        return ""
    return f"measuring on the holdout was stopped after {guard.measure:.0f} s"


def _ending(code: int, folder: Path, work: str) -> Outcome:
    if code == 0 and (folder / OUTCOME_FILE).exists():
        return read_outcome(folder)
    if code in (-signal.SIGKILL, _KILLED):
        return Outcome(TRANSIENT, f"{work} was killed (SIGKILL), most likely because memory ran out")
    if code < 0 or code > 128:
        return Outcome(TRANSIENT, f"{work} was ended by {_signal_name(abs(code) % 128)}")
    if code == NOT_WRITTEN:
        return Outcome(TRANSIENT, f"{work} could not write its files, most likely because the disk is full")
    return Outcome(BROKEN, f"{work} ended with exit code {code} and no outcome; see the step's log")


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write how the child ended, the last thing it does.

    Raises:
        SystemExit: it cannot be written, most likely because the disk is full; the exit code tells the parent.
    """
    try:
        job.write_json(folder / OUTCOME_FILE, asdict(outcome))
    except OSError:
        sys.exit(NOT_WRITTEN)


def read_outcome(folder: Path) -> Outcome:
    """Return how the child in `folder` ended."""
    found: dict[str, Any] = job.read_json(folder / OUTCOME_FILE)
    return Outcome(found["status"], found["reason"])
