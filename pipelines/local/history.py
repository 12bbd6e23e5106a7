"""The append-only event log of an execution, and what can be rebuilt from it.

An I/O seam over `executions/<id>/events.jsonl`: one JSON object per transition, flushed to the disk before the
engine goes on, so that a run that was killed can be resumed.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.errors import BrokenOffError, ExecutionError
from pipelines.local.durable import try_lock
from pipelines.local.logline import parse_event, parse_record
from pipelines.local.record import (
    CACHED,
    FAILED,
    SKIPPED,
    STARTED,
    STOPPED,
    SUCCEEDED,
    Outcome,
    Scalar,
    StepEvent,
    StepRecord,
)
from pipelines.local.workspace import Workspace

EVENTS_FILE = "events.jsonl"
DEFINITION_FILE = "definition.json"
LOCK_FILE = "lock"
_LOOK = 0.2
"""Seconds after which a lock is not that of somebody who only looks whether it is held."""
_ENDED = (SUCCEEDED, FAILED, SKIPPED, CACHED)


@dataclass(frozen=True)
class Past:
    """What an event log tells; `records` holds the steps that ended and were not started again since."""

    parameters: Mapping[str, Scalar]
    pipeline: str
    source: str | None
    selected: frozenset[str] | None
    parallelism: int | None
    use_cache: bool
    first_start: float
    last_start: float
    end: float | None
    status: str
    records: Mapping[str, StepRecord]


class History:
    """Writes the event log of one execution.

    Transitions of steps are gathered and stand in the log after `flush`; until then nothing may be done because of
    them. Those of one moment are so flushed to the disk together.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / EVENTS_FILE).open("ab+", buffering=0)  # written whole, never half in a buffer
        self._file.seek(0)
        self._end = (self._file.read() or b"").rfind(b"\n") + 1
        """Where the last whole line ends; what stands behind was cut off."""
        self._lines: list[bytes] = []

    def close(self) -> None:
        """Write what was gathered, and close the log."""
        try:
            self.flush()
        finally:
            self._file.close()

    def add_execution(self, status: str, at: float, **details: Any) -> None:
        """Append a transition of the execution, and flush."""
        self._gather({"execution": status, "at": at, **details})
        self.flush()

    def add_step(self, event: StepEvent, record: StepRecord | None = None) -> None:
        """Gather a transition of a step, with its record where it has ended."""
        content = asdict(event)
        self._gather(content if record is None else {**content, "record": asdict(record)})

    def _gather(self, content: Mapping[str, Any]) -> None:
        self._lines.append((json.dumps(content, sort_keys=True, ensure_ascii=False) + "\n").encode())

    def flush(self) -> None:
        """Bring what was gathered to the disk, whole or nothing of it: no line may begin in the middle of another.

        Raises:
            BrokenOffError: it cannot be written.
        """
        if not self._lines:
            return
        lines = b"".join(self._lines)
        try:
            if self._file.seek(0, os.SEEK_END) != self._end:  # an interruption left a part of it, or a killed engine
                self._file.truncate(self._end)
            rest = lines
            while rest:  # a disk that fills up takes a part of it first
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._lines.clear()
            with contextlib.suppress(OSError):
                self._file.truncate(self._end)
            raise BrokenOffError(
                f"the event log cannot be written ({error.strerror}); make room for it, then go on with --retry"
            ) from error
        self._end += len(lines)
        self._lines.clear()


@contextlib.contextmanager
def lock_execution(folder: Path) -> Iterator[None]:
    """Hold the one lock of an execution.

    Raises:
        ExecutionError: another engine is running this execution.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("a") as file:
        began = time.monotonic()
        while not try_lock(file):
            if time.monotonic() - began > _LOOK:
                raise ExecutionError(
                    f"execution {folder.name!r} is being run by another process; wait for it or stop it"
                )
            time.sleep(_LOOK / 20)
        yield


def is_locked(folder: Path) -> bool:
    """Tell whether an engine runs the execution in a folder, or waits to."""
    if not (folder / LOCK_FILE).exists():
        return False
    with (folder / LOCK_FILE).open() as file:
        return not try_lock(file, shared=True)


def read_past(folder: Path) -> Past | None:
    """Return what the event log in a folder tells, or None where there is none.

    Raises:
        ExecutionError: the log is damaged before its last line.
    """
    past: Past | None = None
    records: dict[str, StepRecord] = {}
    path = folder / EVENTS_FILE
    for number, line in enumerate(_lines(path), start=1):
        try:
            past = _follow(past, records, parse_event(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ExecutionError(f"{path} is damaged in line {number}; start a new execution") from error
    return past


def _lines(path: Path) -> list[bytes]:
    """Return the lines of a log; what stands behind the last line end was cut off."""
    return path.read_bytes().split(b"\n")[:-1] if path.is_file() else []


def _follow(past: Past | None, records: dict[str, StepRecord], event: Mapping[str, Any]) -> Past:
    """Return the state behind one more event; its `records` are these, which are changed."""
    if past is None:
        return _first(records, event)
    if event.get("execution") == STARTED:
        return replace(past, last_start=event["at"], end=None, status=STARTED)
    if "execution" in event:
        return replace(past, end=event["at"], status=event["execution"])
    if event["status"] in _ENDED:
        records[event["step"]] = parse_record(event["record"])
    else:
        records.pop(event["step"], None)
    return past


def _first(records: Mapping[str, StepRecord], event: Mapping[str, Any]) -> Past:
    start, selected = event["at"], event.get("selected")
    return Past(
        parameters=event.get("parameters", {}),
        pipeline=event.get("pipeline", "local"),
        source=event.get("source"),
        selected=None if selected is None else frozenset(selected),
        parallelism=event.get("parallelism"),
        use_cache=event.get("use_cache", True),
        first_start=start,
        last_start=start,
        end=None,
        status=STARTED,
        records=records,
    )


def load(workspace: Workspace, execution_id: str) -> Outcome:
    """Return how an execution ended, from its event log.

    Raises:
        ExecutionError: there is no such execution; the newest ones are named.
    """
    folder = workspace.execution(execution_id)
    past = read_past(folder)
    if past is None:
        raise ExecutionError(f"there is no execution {execution_id!r}; {_newest(workspace)}")
    running = past.status == STARTED and is_locked(folder)
    status = STOPPED if past.status == STARTED and not running else past.status
    last = max((r.started + r.seconds for r in past.records.values()), default=past.last_start)
    seconds = (past.end or last) - past.last_start
    failed = tuple(record for record in past.records.values() if record.status == FAILED)
    return Outcome(execution_id, status, past.records, max(0.0, seconds), failed)


def _newest(workspace: Workspace) -> str:
    found = [path.parent for path in (workspace.root / "executions").glob(f"*/{EVENTS_FILE}")]
    names = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[:3]
    return f"the newest are {', '.join(path.name for path in names)}" if names else "nothing has run here yet"
