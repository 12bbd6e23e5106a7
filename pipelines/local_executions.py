"""Executions of a workspace that are there: find, list, show, fetch; to stop one is for the terminal that runs it."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pipelines import executions_table, fetching, logs, results
from pipelines.board import Known
from pipelines.errors import ExecutionError
from pipelines.executions_table import Line
from pipelines.local import document, history, steplog
from pipelines.local.load import Taken
from pipelines.local.record import SUCCEEDED, StepRecord
from pipelines.local.request import Request
from pipelines.local.step import PROCESSING, Definition
from pipelines.local.workspace import Workspace, list_files
from pipelines.options import say_options
from pipelines.origin import REQUEST_FILE, Origin
from pipelines.rawdata import RAW_BUCKET
from pipelines.usage import Asked

FOLDER = "executions"
_TIMES = 5
"""Times of a step whose median tells how long it will take."""
_QUICK = 2_000_000
"""Bytes of logs that are read for these times: about 30 ms."""
_RECENT = 10
"""Executions of a mode whose records tell how long a step takes: one from the newest's cache ran in another."""


def open_workspace(root: Path) -> Workspace:
    """Return the workspace in a folder, in which raw data may lie anywhere on the disk."""
    return Workspace(root.resolve(), {RAW_BUCKET: Path("/")})


def find(root: Path, asked: Asked) -> str:
    """Return the ID of the execution that a command names, or of the newest.

    Raises:
        ExecutionError: the workspace has none.
    """
    if asked.execution is not None:
        return asked.execution
    found = newest(root)
    if found is None:
        raise ExecutionError(f"nothing has run in the workspace {root} yet; leave {asked.action} out to start")
    return found


def newest(root: Path) -> str | None:
    """Return the ID of the newest execution of a workspace, or None where there is none."""
    found = max(read_origins(root), key=lambda origin: origin.started, default=None)
    return found.execution if found else None


def read(root: Path, execution: str) -> tuple[Origin, Definition]:
    """Return what an execution was started from, and its definition.

    Raises:
        ExecutionError: there is no such execution; names one that is meant, perhaps.
    """
    folder = root / FOLDER / execution
    try:
        origin = Origin.read(folder)
        text = (folder / history.DEFINITION_FILE).read_text(encoding="utf-8")
    except (OSError, ValueError, TypeError) as error:
        raise ExecutionError(results.unknown_execution(root, execution)) from error
    return origin, document.parse(text)


def show_list(arguments: argparse.Namespace) -> int:
    """List the executions of the workspace, the newest first."""
    workspace = open_workspace(arguments.workspace)
    origins = sorted(read_origins(workspace.root), key=lambda origin: origin.started, reverse=True)
    lines = [line for origin in origins for line in _lines(workspace, origin)]
    sys.stdout.write(executions_table.render_list(lines, as_json=arguments.json))
    return 0


def show_status(arguments: argparse.Namespace, asked: Asked) -> int:
    """Show an execution, its steps and what it came to so far."""
    workspace = open_workspace(arguments.workspace)
    origin, _ = read(workspace.root, find(workspace.root, asked))
    hint = say_options(Path(origin.config), origin.environment, arguments.workspace)
    result = results.collect(workspace, origin, history.load(workspace, origin.execution), hint)
    sys.stdout.write(executions_table.render_status(result, as_json=arguments.json, tails=log_tails(result)))
    return 0


def log_tails(result: results.Result) -> Mapping[str, Sequence[str]]:
    """Return the ends of the logs of the first steps that failed, by path; none that was shown line by line before."""
    return {} if logs.is_debug() else {log: steplog.tail(Path(log)) for log in result.logs[: results.MOST_TAILS]}


def stop(arguments: argparse.Namespace, asked: Asked) -> int:
    """Say how to stop an execution: its engine belongs to another terminal."""
    workspace = open_workspace(arguments.workspace)
    origin, _ = read(workspace.root, find(workspace.root, asked))
    name, outcome = origin.execution, history.load(workspace, origin.execution)
    if outcome.status != "Started":
        raise ExecutionError(f"--stop {name}: it is not running, but {outcome.status}")
    hint = say_options(Path(origin.config), origin.environment, arguments.workspace)
    raise ExecutionError(
        f"--stop {name}: it runs in another terminal; press Ctrl-C there, and go on later with: "
        + results.retry_command(name, hint)
    )


def fetch(arguments: argparse.Namespace, asked: Asked) -> int:
    """Copy report, summary and predictions of an execution into a folder."""
    workspace = open_workspace(arguments.workspace)
    origin, _ = read(workspace.root, find(workspace.root, asked))
    outcome = history.load(workspace, origin.execution)
    folder = results.published(workspace, outcome)
    if folder is None:
        raise ExecutionError(f"--fetch {origin.execution}: it is {outcome.status} and has published no predictions")
    source = folder

    def fill(target: Path) -> Mapping[str, int]:
        shutil.copytree(source, target, dirs_exist_ok=True)
        return {key: path.stat().st_size for key, path in list_files(source)}

    made = fetching.fetch(f"{origin.pipeline}-{origin.execution}", arguments.to or Path(), fill)
    sys.stdout.write(f"{made}\n")
    return 0


def step_seconds(root: Path, pipeline: str) -> dict[str, float]:
    """Return how long the Processing steps of a pipeline took when they last ran in the workspace, by name."""
    return {name: taken.seconds for name, taken in recollect(root, pipeline).taken.items()}


@dataclass(frozen=True)
class Recollection:
    """What earlier executions of a pipeline tell of the next one.

    `taken` is what its Processing steps took when they last ran, by name, `seconds` how long they took the last few
    times, the newest first, `outcomes` how its conditions came out last.
    """

    taken: Mapping[str, Taken]
    seconds: Mapping[str, Sequence[float]]
    outcomes: Mapping[str, bool]


def recollect(root: Path, pipeline: str) -> Recollection:
    """Return what the newest executions of a pipeline in the workspace tell; large logs are read no more than needed.

    What each step took last is in the newest executions of each mode back to one that ran whatever the mode has; for
    the times before that as many more are read as are quick to read.
    """
    taken: dict[str, Taken] = {}
    seconds: dict[str, list[float]] = {}
    outcomes: dict[str, bool] = {}
    size, whole = 0, set[str]()
    for origin in _recent(root, pipeline):
        log = root / FOLDER / origin.execution / history.EVENTS_FILE
        size += log.stat().st_size if log.is_file() else 0
        if origin.mode in whole and size > _QUICK:
            continue
        try:
            past = history.read_past(log.parent)
        except (ExecutionError, OSError):
            continue  # damaged; its own commands say so
        records = past.records.values() if past else ()
        ran = {r.name: Taken(r.seconds, r.peak_memory_mb) for r in records if _ran(r)}
        taken = taken if origin.mode in whole else ran | taken
        for name, found in ran.items():
            seconds.setdefault(name, []).append(found.seconds)
        outcomes = {r.name: r.results["Outcome"] is True for r in records if "Outcome" in r.results} | outcomes
        if past and past.status == SUCCEEDED and not any(r.cached for r in records):
            whole.add(origin.mode)
    return Recollection(taken, {name: found[:_TIMES] for name, found in seconds.items()}, outcomes)


def _recent(root: Path, pipeline: str) -> list[Origin]:
    """Return the newest executions of each mode of a pipeline, of both together the newest first."""
    origins = sorted((o for o in read_origins(root) if o.pipeline == pipeline), key=lambda o: o.started, reverse=True)
    seen = Counter[str]()
    found = []
    for origin in origins:
        seen[origin.mode] += 1
        if seen[origin.mode] <= _RECENT:
            found.append(origin)
    return found


def foresee(workspace: Workspace, request: Request) -> tuple[Request, Known]:
    """Return a request with what its steps took before, and what is known of the execution to those who watch it."""
    past = recollect(workspace.root, request.pipeline)
    known = Known(
        taken=past.seconds,
        outcomes=past.outcomes,
        cores=request.cores,
        parallelism=request.parallelism,
        folder=workspace.execution(request.execution_id),
        uses_cache=request.use_cache,
    )
    return replace(request, taken=past.taken), known


def _ran(record: StepRecord) -> bool:
    return record.type == PROCESSING and record.status == SUCCEEDED and not record.cached


def read_origins(root: Path) -> Iterator[Origin]:
    """Yield what each execution of a workspace was started from, in no order."""
    for path in (root / FOLDER).glob(f"*/{REQUEST_FILE}"):
        try:
            yield Origin.read(path.parent)
        except (OSError, ValueError, TypeError):
            continue  # made by another version, or cut off


def _lines(workspace: Workspace, origin: Origin) -> Iterator[Line]:
    """Yield the line of an execution, unless it ended before anything of it was written down."""
    try:
        outcome = history.load(workspace, origin.execution)
        status = results.collect(workspace, origin, outcome, "").status
    except (ExecutionError, OSError, json.JSONDecodeError):
        return
    started = datetime.fromisoformat(origin.started).astimezone(UTC)
    seconds, what = round(outcome.seconds, 3), f"raw data {origin.raw}"
    yield Line(origin.execution, status, started, seconds, origin.pipeline, what, origin.mode)
