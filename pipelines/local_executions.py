"""Executions of a workspace that are there: find, list, show, fetch; to stop one is for the terminal that runs it."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pipelines import executions_table, fetching, results
from pipelines.errors import ExecutionError
from pipelines.executions_table import Line
from pipelines.local import document, history
from pipelines.local.load import Taken
from pipelines.local.record import SUCCEEDED, StepRecord
from pipelines.local.step import PROCESSING, Definition
from pipelines.local.workspace import Workspace, list_files
from pipelines.options import say_options
from pipelines.origin import REQUEST_FILE, Origin
from pipelines.rawdata import RAW_BUCKET
from pipelines.usage import Asked

FOLDER = "executions"
_RECENT = 10
"""Executions whose records tell how long a step takes: a step that the newest took from the cache ran in another."""


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
    sys.stdout.write(executions_table.render_status(result, as_json=arguments.json))
    return 0


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
    return {name: taken.seconds for name, taken in steps_taken(root, pipeline).items()}


def steps_taken(root: Path, pipeline: str) -> dict[str, Taken]:
    """Return what the Processing steps of a pipeline took when they last ran in the workspace, by name."""
    origins = sorted((o for o in read_origins(root) if o.pipeline == pipeline), key=lambda origin: origin.started)
    found: dict[str, Taken] = {}
    for origin in reversed(origins[-_RECENT:]):
        try:
            past = history.read_past(root / FOLDER / origin.execution)
        except (ExecutionError, OSError):
            continue  # damaged; its own commands say so
        records = past.records.values() if past else ()
        found = {r.name: Taken(r.seconds, r.peak_memory_mb) for r in records if _ran(r)} | found
        if past and past.status == SUCCEEDED and not any(r.cached for r in records):
            break  # it ran whatever there is
    return found


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
