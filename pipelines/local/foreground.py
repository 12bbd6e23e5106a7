"""Runs a task in the foreground: the terminal is the step's, for whoever debugs it.

An I/O seam like `launch`, whose commands and environment it shares.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from types import FrameType

from pipelines.errors import ExecutionError
from pipelines.local.launch import Exit, Task, build_command, build_environment, dying_with_parent
from pipelines.local.orphans import end_processes

GRACE = 5.0
"""Seconds from the end that was asked for to the one that cannot be refused."""
TERMINAL = ("TERM", "COLUMNS", "LINES")
"""Variables that a debugger edits lines by; a step in the background has no use for them."""


def run(task: Task, own_interrupts: bool = False) -> Exit:
    """Run a task with this process's stdin, stdout and stderr; its processes have ended when this returns.

    On a terminal the step shares our process group, as the terminal demands of who reads from it; elsewhere it gets a
    group of its own. Ctrl-C ends it, or is the step's own business where `own_interrupts` says that pdb runs in it.

    Raises:
        ExecutionError: the command cannot be started.
        KeyboardInterrupt: it was interrupted, also by TERM or HUP.
    """
    grouped = not os.isatty(0)
    kept = {name: os.environ[name] for name in TERMINAL if name in os.environ}
    environment = {**kept, **build_environment(task, os.environ)}
    command = build_command(task, environment.get("PATH"))
    with _interruptible(leave_ctrl_c=own_interrupts and not grouped):
        try:
            process = subprocess.Popen(  # noqa: S603 - the command is the definition's, which the user runs
                [*dying_with_parent(), *command],
                cwd=task.home,
                env=environment,
                process_group=0 if grouped else None,
            )
        except OSError as error:
            raise ExecutionError(f"AlgorithmError: cannot start {command[0]!r}: {error.strerror}") from error
        try:
            return Exit(process.wait())
        except KeyboardInterrupt:
            _end(process, grouped)
            raise
        finally:
            _signal(process, signal.SIGKILL, grouped)
            end_processes(task.root)


@contextlib.contextmanager
def _interruptible(leave_ctrl_c: bool) -> Iterator[None]:
    """Let TERM and HUP interrupt like Ctrl-C, so that the step is ended with us; perhaps leave Ctrl-C to the step."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        if number != signal.SIGINT or not leave_ctrl_c:  # a handler, because SIG_IGN would be the step's too
            raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(process: subprocess.Popen[bytes], grouped: bool) -> None:
    """Ask the step to end, and leave it the time to do so."""
    _signal(process, signal.SIGTERM if grouped else signal.SIGINT, grouped)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)


def _signal(process: subprocess.Popen[bytes], number: int, grouped: bool) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if grouped:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
