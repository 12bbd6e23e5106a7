"""What `runs.html` shows of an execution, as plain values for JSON: one line of the list, and one row per step.

Texts stay as they are; `runs_page` writes them so that none of them can be code.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipelines import results
from pipelines.errors import ExecutionError
from pipelines.local.record import (
    CACHED,
    EXECUTING,
    FAILED,
    STARTED,
    STARTING,
    SUCCEEDED,
    Outcome,
    StepEvent,
    StepRecord,
)
from pipelines.local.schedule import Graph, build_graph, depths
from pipelines.local.step import Definition
from pipelines.local.workspace import Workspace
from pipelines.origin import Origin
from pipelines.results import Result
from steps import contract

WAITING = "Waiting"
NOT_RUN = "Not run"
_MOST = 2_000
"""Characters of a reason; the step's log has all of it."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Outline:
    """What is known of a step before it runs.

    `depth` is the number of steps on the longest way that leads to it, `needs` the places of the steps it waits for
    directly: of those that another of them waits for, none. `about` is its description, which names the model.
    """

    name: str
    type: str
    depth: int
    needs: tuple[int, ...]
    about: str


def outline(definition: Definition) -> tuple[Outline, ...]:
    """Return the steps of a definition in its order."""
    graph = build_graph(definition)
    found, direct = depths(graph), _direct(graph)
    return tuple(
        Outline(name, step.type, found[name], direct[name], _cut(step.description))
        for name, step in graph.steps.items()
    )


def _direct(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Return the places of each step's needs without those behind another need; a set of places is an integer."""
    places = {name: place for place, name in enumerate(graph.steps)}
    behind: dict[str, int] = {}
    found: dict[str, tuple[int, ...]] = {}
    for name in graph.order:
        further = 0
        for need in graph.needs[name]:
            further |= behind[need]
        own = sorted(places[need] for need in graph.needs[name])
        found[name] = tuple(place for place in own if not further >> place & 1)
        behind[name] = further | sum(1 << place for place in own)
    return found


def line(workspace: Workspace, origin: Origin, outcome: Outcome, hint: str) -> Json:
    """Return the line of an execution; places are relative to the workspace and quoted as links are."""
    try:
        result = results.collect(workspace, origin, outcome, hint)
    except ExecutionError as error:  # its summary is gone: what the log tells is shown all the same
        return {**_bare(origin), "status": outcome.status, "seconds": outcome.seconds, "error": _cut(str(error))}
    going_on = result.status in results.GOING_ON
    stopped = result.status == results.STOPPED
    return {
        **_bare(origin),
        "status": result.status,
        "seconds": None if going_on else result.seconds,
        **_counts(result),
        "report": _link(workspace, result.report),
        "predictions": _link(workspace, result.predictions),
        "error": _cut(result.error or ""),
        "next": results.retry_command(origin.execution, hint) if stopped else result.next or "",
    }


def since(outcome: Outcome) -> float | None:
    """Return when the last attempt began, in seconds since the epoch: what ended before it was kept."""
    ends = [record.started + record.seconds for record in outcome.steps.values() if record.started]
    return round(max(ends) - outcome.seconds, 2) if ends else None


def waiting(origin: Origin) -> Json:
    """Return the line of an execution of which nothing has happened yet."""
    return {**_bare(origin), "status": WAITING, "steps": True}


def _bare(origin: Origin) -> Json:
    return {
        "id": origin.execution,
        "pipeline": contract.pipeline_name(origin.pipeline, origin.mode),
        "started": origin.started,
        "seconds": None,
        "passed": None,
        "rejected": None,
        "report": None,
        "predictions": None,
        "raw": origin.raw,
        "cause": cause(origin),
        "error": "",
        "next": "",
    }


def cause(origin: Origin) -> str:
    """Say what started an execution."""
    if origin.cause:
        return origin.cause
    return f"part of {origin.source} run again" if origin.source else "command line"


def _counts(result: Result) -> Json:
    known = [model["accepted"] for model in result.models.values() if model["accepted"] is not None]
    return {"passed": sum(known), "rejected": len(known) - sum(known)} if known else {}


def _link(workspace: Workspace, path: str | None) -> str | None:
    """Return a file of the workspace as a relative link, in which nothing but letters, digits and `/._-%~` stands."""
    if path is None or not Path(path).is_relative_to(workspace.root):
        return None
    return quote(Path(path).relative_to(workspace.root).as_posix())


def rows(outlines: Sequence[Outline], records: Mapping[str, StepRecord], root: Path) -> list[list[Any]]:
    """Return a row per step of an execution that has ended."""
    return [
        _row(step, records[step.name], root) if step.name in records else _undone(step, NOT_RUN) for step in outlines
    ]


def _row(step: Outline, record: StepRecord, root: Path) -> list[Any]:
    """Return [name, type, depth, status, start, seconds, reason, log]; start in seconds since the epoch."""
    status = CACHED if record.cached and record.status == SUCCEEDED else record.status
    log = quote(record.log) if record.log and (root / record.log).is_file() else None
    start = round(record.started, 2) if record.started else None
    return [step.name, step.type, step.depth, status, start, round(record.seconds, 2), _cut(record.reason), log]


def _undone(step: Outline, status: str) -> list[Any]:
    return [step.name, step.type, step.depth, status, None, None, "", None]


def _cut(text: str) -> str:
    return text if len(text) <= _MOST else text[:_MOST] + " ..."


class Live:
    """The steps of a running execution, from the engine's events; read by another thread than the one that watches.

    `before` are records of steps that an earlier attempt, or the source, has: those that are kept took that long.
    """

    def __init__(self, outlines: Sequence[Outline], before: Mapping[str, StepRecord], root: Path, folder: Path) -> None:
        self._rows = {step.name: _undone(step, WAITING) for step in outlines}
        self._outlines = {step.name: step for step in outlines}
        self._before, self._root, self._steps = before, root, folder / "steps"
        self._lock = threading.Lock()
        self.began = False

    def take(self, event: StepEvent) -> None:
        """Take a transition; what costs anything is left for `rows`."""
        with self._lock, contextlib.suppress(KeyError):
            self.began = True
            row = self._rows[event.step]
            if event.message == "kept" and event.step in self._before:
                row[:] = _row(self._outlines[event.step], self._before[event.step], self._root)
                return
            row[3], row[6] = event.status, _cut(event.reason)
            if event.status in (STARTING, EXECUTING):
                row[4], row[5] = row[4] or round(event.at, 2), None
            elif row[4]:
                row[5] = round(event.at - row[4], 2)

    def rows(self) -> list[list[Any]]:
        """Return a row per step as it is now, with the logs of those that have one."""
        with self._lock:
            found = [list(row) for row in self._rows.values()]
        for row in found:
            if row[7] is None and row[3] in (EXECUTING, SUCCEEDED, FAILED):
                row[7] = self._log(row[0])
        return found

    def _log(self, step: str) -> str | None:
        path = self._steps / step / "log.txt"
        if not path.is_file():
            return None
        log = quote(path.relative_to(self._root).as_posix())
        with self._lock:
            self._rows[step][7] = log
        return log


def is_over(status: str) -> bool:
    """Tell whether nothing of an execution's line will change by itself any more."""
    return status not in (*results.GOING_ON, STARTED, WAITING)
