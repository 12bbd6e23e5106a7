"""Executions as text for people and as JSON for programs: a list of them, and the steps of one. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from pipelines import results, textgrid
from pipelines.results import Result
from steps import contract


@dataclass(frozen=True)
class Line:
    """One execution of a list; `started` is aware, `seconds` None where that is not known.

    `mode` tells whether it is of all of the pipeline, or scores only.
    """

    execution: str
    status: str
    started: datetime
    seconds: float | None
    name: str
    description: str
    mode: str = contract.FULL


def render_list(lines: Sequence[Line], *, as_json: bool) -> str:
    """Return executions as a table, or as a JSON list."""
    if as_json:
        found = [{**asdict(line), "started": line.started.isoformat()} for line in lines]
        return json.dumps(found, ensure_ascii=False) + "\n"
    if not lines:
        return "nothing has run yet\n"
    heads = ("execution", "status", "started (UTC)", "seconds", "mode", "name", "description")
    rows = [heads, *(_cells(line) for line in lines)]
    if all(line.mode == contract.FULL for line in lines):
        rows = [(*row[:4], *row[5:]) for row in rows]
    return "\n".join(textgrid.lines(rows, right=(3,))) + "\n"


def _cells(line: Line) -> tuple[str, ...]:
    seconds = "-" if line.seconds is None else f"{line.seconds:.0f}"
    started = f"{line.started:%Y-%m-%d %H:%M:%S}"
    return line.execution, line.status, started, seconds, line.mode, line.name or "-", line.description or "-"


def render_status(result: Result, *, as_json: bool, tails: Mapping[str, Sequence[str]] = results.NO_TAILS) -> str:
    """Return an execution with its steps, and what it came to so far."""
    if as_json:
        return results.as_json(result)
    shown = [(name, step) for name, step in result.steps.items() if step["status"] != "Skipped"]
    rows = [
        ("step", "state", "seconds"),
        *((name, "Cached" if step["cached"] else step["status"], f"{step['seconds']:.1f}") for name, step in shown),
    ]
    steps = textgrid.lines(rows, right=(2,)) if shown else ["no step has started yet"]
    return "\n".join(steps) + "\n" + results.as_table(result, tails)
