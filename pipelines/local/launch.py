"""Runs the command of a processing job as a process of its own, and says how it ended.

An I/O seam: `Launcher` is what `engine` takes, `ProcessLauncher` the one that needs no container. It knows neither
the object store nor the definition.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipelines.errors import ExecutionError, LaunchError
from pipelines.local.memory import PeakMemory
from pipelines.local.orphans import end_processes

ML_ROOT = "/opt/ml"
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH")
INHERITED_MAC = ("DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "AG_CPU_COUNT", "CORES")
_KINDS = {
    errno.EAGAIN: "SageMaker.RESOURCE_LIMIT",
    errno.ENOMEM: "SageMaker.CAPACITY_ERROR",
    errno.EMFILE: "SageMaker.RESOURCE_LIMIT",
    errno.ENFILE: "SageMaker.RESOURCE_LIMIT",
}


@dataclass(frozen=True)
class Task:
    """One host's process: `root` stands for /opt/ml, `threads` is its number of cores, `timeout` is in seconds.

    `stopped` is asked again and again; once it says yes the process has to end.
    """

    step: str
    host: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    root: Path
    log: Path
    cores: tuple[int, ...]
    threads: int
    timeout: float | None
    stopped: Callable[[], bool]

    @property
    def home(self) -> Path:
        """The folder that holds this host's tree and log."""
        return self.root.parent.parent


@dataclass(frozen=True)
class Exit:
    """How a process ended: `code` is below zero for a signal, memory is in megabytes."""

    code: int
    peak_memory_mb: float | None = None
    timed_out: bool = False
    stopped: bool = False


class Launcher(Protocol):
    """Runs a task to its end."""

    def run(self, task: Task) -> Exit:
        """Run a task and wait for it.

        Raises:
            LaunchError: the job could not be started for a reason that may pass; retry policies apply.
            ExecutionError: it can never be started.
        """


@dataclass(frozen=True)
class ProcessLauncher:
    """Runs tasks as processes of this machine, each in its own session; `grace` is the time from TERM to KILL."""

    grace: float = 5.0

    def run(self, task: Task) -> Exit:
        """Start the process and wait for it; every process that it started has ended when this returns."""
        child = _Child(_start(task))
        return follow(child, task, self.grace, PeakMemory(child.pid))


class Running(Protocol):
    """A process that was started, the leader of a session of its own."""

    @property
    def pid(self) -> int:
        """Return its id."""

    def poll(self) -> tuple[int, int] | None:
        """Return exit code and peak memory (`ru_maxrss`) once it has ended; None before."""


@dataclass(frozen=True)
class _Child:
    """A child of this process."""

    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def poll(self) -> tuple[int, int] | None:
        pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if not pid:
            return None
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return self.process.returncode, usage.ru_maxrss


def follow(running: Running, task: Task, grace: float, peak: PeakMemory) -> Exit:
    """Wait for a task's process, ending it where it has to end; every process that it started has ended then."""
    try:
        return _wait(running, task, grace, peak)
    finally:
        _signal_group(running.pid, signal.SIGKILL)
        end_processes(task.root)


def _wait(running: Running, task: Task, grace: float, peak: PeakMemory) -> Exit:
    began, asked, timed_out, pause = time.monotonic(), 0.0, False, 0.004
    while True:
        if (end := running.poll()) is not None:
            return Exit(end[0], peak.result(end[1]), timed_out, bool(asked) and not timed_out)
        peak.sample()
        now = time.monotonic()
        if not asked and (task.stopped() or now - began > (task.timeout or now)):
            timed_out, asked = not task.stopped(), now
            _signal_group(running.pid, signal.SIGTERM)
        elif asked and now - asked > grace:
            _signal_group(running.pid, signal.SIGKILL)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def _start(task: Task) -> subprocess.Popen[bytes]:
    """Start a task's process.

    The cores are set on this thread and inherited: set from outside after the start, a library that counts cores
    while it is loaded might still see them all.
    """
    task.log.parent.mkdir(parents=True, exist_ok=True)
    environment = build_environment(task, os.environ)
    command = build_command(task, environment.get("PATH"))
    try:
        with task.log.open("ab") as log, _pinned(task.cores):
            return subprocess.Popen(  # noqa: S603 - the command is the definition's, which the user runs
                [*dying_with_parent(), *command],
                cwd=task.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        if error.errno in _KINDS:
            raise LaunchError(f"cannot start {command[0]!r}: {error.strerror}", _KINDS[error.errno]) from error
        raise ExecutionError(f"AlgorithmError: cannot start {command[0]!r}: {error.strerror}") from error


def build_command(task: Task, path: str | None) -> list[str]:
    """Return the command of a task as this machine starts it.

    Raises:
        ExecutionError: there is no such program in the folders of `path`.
    """
    program, *arguments = (map_path(part, task.root) for part in task.command)
    if program in ("python", "python3"):
        return [sys.executable, *arguments]
    found = shutil.which(program, path=path)
    if found is None:
        raise ExecutionError(f"AlgorithmError: cannot start {program!r}: there is no such program")
    return [found, *arguments]


@functools.cache
def dying_with_parent() -> tuple[str, ...]:
    """Return what to put before a command so that the kernel ends it when our thread that started it is gone.

    An engine that is killed then leaves no step behind (prctl(2), PR_SET_PDEATHSIG). Empty where there is no `setpriv`
    of util-linux that can do it; then the next engine ends what was left.
    """
    found = shutil.which("setpriv")
    if found is None:
        return ()
    prefix = (found, "--pdeathsig", "KILL")
    able = subprocess.run([*prefix, "true"], capture_output=True, check=False)  # noqa: S603
    return prefix if able.returncode == 0 else ()


def build_environment(task: Task, own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a task: the bare minimum of ours, its share of cores, and what the definition says."""
    kept = {name: own[name] for name in (*INHERITED, *INHERITED_MAC) if name in own}
    share = dict.fromkeys(THREAD_VARIABLES, str(task.threads))
    given = {name: map_paths(value, task.root) for name, value in task.environment.items()}
    return {**kept, "TZ": "UTC", "PYTHONUNBUFFERED": "1", **share, **given, "ML_ROOT": str(task.root)}


def map_path(value: str, root: Path) -> str:
    """Return a value with a leading /opt/ml replaced by the folder that stands for it."""
    if value == ML_ROOT or value.startswith(ML_ROOT + "/"):
        return str(root) + value.removeprefix(ML_ROOT)
    return value


def map_paths(value: str, root: Path) -> str:
    """Return a value that may be a search path (`/opt/ml/a:/opt/ml/b`) with every part of it replaced."""
    return os.pathsep.join(map_path(part, root) for part in value.split(os.pathsep))


@contextlib.contextmanager
def _pinned(cores: tuple[int, ...]) -> Iterator[None]:
    """Let processes started by this thread run on `cores` only; does nothing where the system cannot."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    with contextlib.suppress(OSError):  # where a sandbox forbids it, the thread variables still hold
        os.sched_setaffinity(0, before & set(cores) or before)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, before)


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
