"""Says why a job failed, in the words that SageMaker would use: ExitMessage, exit code, signal, time limit.

It reads two files of the step's folder and changes nothing.
"""

from __future__ import annotations

import signal
from pathlib import Path

from pipelines.local.launch import Exit, Task

MESSAGE_LIMIT = 1024
_TAIL_BYTES = 4096
_LINE_LIMIT = 300


def explain_exit(end: Exit, task: Task) -> str:
    """Return the reason of a failure: the step's own message, else how it ended and its last log line."""
    host = f"{task.host}: " if task.home.name == task.host else ""
    if end.timed_out:
        return f"{host}MaxRuntimeExceeded: it ran longer than the {task.timeout:g} s of MaxRuntimeInSeconds"
    if end.stopped:
        return f"{host}Stopped: it was ended before it was done"
    message = _read_message(task.root / "output" / "message")
    if message:
        return host + message
    last = _last_line(task.log)
    return f"{host}AlgorithmError: {_describe(end.code)}{': ' + last if last else ''}"


def _describe(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"killed by {name}" + (", most often for want of memory" if name == "SIGKILL" else "")


def _read_message(path: Path) -> str:
    try:
        content = path.read_bytes()[:MESSAGE_LIMIT]
    except OSError:
        return ""
    return " ".join(content.decode(errors="ignore").split())


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:_LINE_LIMIT] for line in reversed(lines) if line.strip()), "")
