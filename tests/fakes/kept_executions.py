"""Executions as a workspace keeps them, written without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from local_outcomes import definition, origin, ping

from pipelines.local.history import History
from pipelines.local.record import StepEvent, StepRecord
from pipelines.local.step import Definition
from pipelines.origin import Origin

TWO_STEPS = definition(ping("First"), ping("Second", DependsOn=["First"]))


class Told:
    """A display that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.events: list[StepEvent] = []

    def watch(self, event: StepEvent) -> None:
        self.events.append(event)

    def say(self, line: str) -> None:
        self.lines.append(line)


def write_down(root: Path, name: str, of: Definition = TWO_STEPS, **facts: Any) -> Origin:
    """Write what an execution is started from."""
    folder, made = root / "executions" / name, origin(**{"execution": name, **facts})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "request.json").write_text(made.to_json())
    (folder / "definition.json").write_text(of.text)
    return made


def keep(
    root: Path,
    name: str,
    of: Definition,
    records: Sequence[StepRecord],
    status: str = "Succeeded",
    began: float = 100.0,
    **facts: Any,
) -> None:
    """Keep an execution with these steps' records; it ended with the last of them, and each step that ran has a log."""
    write_down(root, name, of, **facts)
    log = History(root / "executions" / name)
    log.add_execution("Started", began)
    for record in records:
        path = f"executions/{name}/steps/{record.name}/log.txt"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"log of {record.name}\n")
        end = record.started + record.seconds
        log.add_step(StepEvent(record.name, record.type, record.status, end), replace(record, log=path))
    log.add_execution(status, max(record.started + record.seconds for record in records))
    log.close()


def add(root: Path, name: str, status: str = "Succeeded", reason: str = "", **facts: Any) -> None:
    """Add an execution whose first step came to this status; a Started one has no end."""
    write_down(root, name, **facts)
    log = History(root / "executions" / name)
    log.add_execution("Started", 100.0)
    record = StepRecord("First", "Lambda", "Failed" if status == "Failed" else "Succeeded", reason=reason)
    log.add_step(StepEvent("First", "Lambda", record.status, 101.0), record)
    if status != "Started":
        log.add_execution(status, 102.0)
    log.close()
