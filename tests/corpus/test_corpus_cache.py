"""Damaged cache entries: each counts as never stored; the step runs again and its outputs are whole."""

from __future__ import annotations

import json
from pathlib import Path

import cache_makers
import pytest
from corpus_case import Answer, Case, check, each_case
from local_definitions import Lab, processing, statuses

from pipelines.local.launch import Exit, Task

STEP = processing("Prepare", outputs=["out"], cache=True)


class Writer:
    """Stands for a job: writes its output at once."""

    def run(self, task: Task) -> Exit:
        folder = task.root / "processing/output/out"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "part").write_text("whole")
        return Exit(0)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "ws", launcher=Writer())


@each_case("cache")
def test_a_damaged_entry_is_a_miss(case: Case, lab: Lab) -> None:
    lab.run([STEP])
    getattr(cache_makers, case.given["make"])(lab.workspace)

    outcome = lab.run([STEP])

    check(case, Answer(f"{outcome.status}, {statuses(outcome)['Prepare']}", outcome.steps["Prepare"].reason or "-"))
    assert lab.get(f"{outcome.steps['Prepare'].outputs['out']}/part") == "whole"
    again = lab.run([STEP])
    assert statuses(again) == {"Prepare": "Cached"}


def test_an_entry_that_nobody_damages_is_a_hit(lab: Lab) -> None:
    lab.run([STEP])

    assert statuses(lab.run([STEP])) == {"Prepare": "Cached"}
    (entry,) = lab.workspace.cache.glob("*.json")
    assert json.loads(entry.read_text())["execution"] == "run-1"
