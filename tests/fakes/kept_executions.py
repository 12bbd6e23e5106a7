"""Executions as a workspace keeps them, written without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local_outcomes import definition, origin, ping

from pipelines.local.history import History
from pipelines.local.record import StepEvent, StepRecord
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


def write_down(root: Path, name: str, **facts: Any) -> Origin:
    """Write what an execution is started from."""
    folder, made = root / "executions" / name, origin(**{"execution": name, **facts})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "request.json").write_text(made.to_json())
    (folder / "definition.json").write_text(TWO_STEPS.text)
    return made


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
