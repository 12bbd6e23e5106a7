"""Whatever the engine did when it was killed: resumed, it ends with the same objects and leaves nothing behind."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_definitions import (
    below,
    compare,
    condition,
    definition_text,
    lambda_step,
    output_of,
    processing,
    result_of,
)
from small_pipeline import step_processes

HERE = Path(__file__).resolve().parent
STRIDE = int(os.environ.get("CRASH_STRIDE", "9"))
"""Every n-th point is tried; `make chaos` tries all."""
WRITE = "write('out/a.txt', 'a'); write('out/deep/b.txt', 'b'); write('other/c.txt', 'c'); write('other/_SUCCESS', '')"
SHARED = "s3://bucket/shared"

pytestmark = pytest.mark.slow


def steps() -> list[dict]:
    """Two outputs, two steps that publish below one URI, a Lambda that writes, a branch, a cached step."""
    keep = {"Target": "s3://bucket/kept/verdict", "Text": "yes"}
    first = processing("First", WRITE, outputs=["out", "other"], cache=True)
    sides = [
        processing(name, f"write('out/{name}/part', text('in') + '{name}')", {"in": output_of("First", "out")},
                   {"out": SHARED})
        for name in ("A", "B")
    ]  # fmt: skip
    judge = lambda_step("Judge", "keep", keep, {"Uri": "String"}, DependsOn=["First"])
    last = processing(
        "Last", "write('out/all', text('in') + text('verdict'))",
        {"in": SHARED, "verdict": result_of("Judge", "Uri")}, {"out": below("Last", "out")}, DependsOn=["A", "B"],
    )  # fmt: skip
    return [first, *sides, judge, condition("Gate", [compare("Equals", 1, 1)], [last], [], DependsOn=["A", "B"])]


class Engine:
    """Starts the engine that kills itself, in a workspace of its own."""

    def __init__(self, folder: Path) -> None:
        self.workspace, self.definition = folder / "workspace", folder / "definition.json"
        folder.mkdir(parents=True)
        self.definition.write_text(definition_text(steps()), encoding="utf-8")

    def run(self, mode: str, number: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(HERE / "crash_points.py"), str(self.workspace), str(self.definition)]
        root = str(HERE.parents[1])
        return subprocess.run(
            [*command, mode, str(number)], capture_output=True, text=True, check=False, cwd=root,
            env={**os.environ, "PYTHONPATH": root},
        )  # fmt: skip

    def mode(self) -> str:
        started = (self.workspace / "executions" / "run-1" / "definition.json").is_file()
        return "resume" if started else "start"

    def objects(self) -> dict[str, str]:
        store = self.workspace / "s3"
        return {p.relative_to(store).as_posix(): p.read_text() for p in sorted(store.rglob("*")) if p.is_file()}

    def leftovers(self) -> list[str]:
        found = [*self.workspace.glob("tmp/*"), *self.workspace.glob("executions/*/steps/*/publish")]
        return sorted(str(path) for path in found)

    def processes(self) -> list[int]:
        return [pid for pid, root in step_processes() if root.startswith(str(self.workspace))]


def points(total: int) -> Iterator[tuple[int, int]]:
    """Yield where to kill the first start and, some time later, the second."""
    chance = random.Random(total)
    for number in range(1 + chance.randrange(STRIDE), total + 1, STRIDE):
        yield number, chance.randint(1, total)


def test_killed_at_any_point_it_ends_with_the_same_objects_and_leaves_nothing_behind(tmp_path: Path) -> None:
    undisturbed = Engine(tmp_path / "undisturbed")
    said = undisturbed.run("start", 0)
    assert said.stdout.startswith("Succeeded"), said.stderr
    total = int(said.stdout.split()[1])
    killed = 0
    for number, second in points(total):
        engine = Engine(tmp_path / str(number))
        for point in (number, second):
            killed += engine.run(engine.mode(), point).returncode == -9
        last = engine.run(engine.mode(), 0)

        where = f"killed at {number}, then at {second}"
        assert last.stdout.startswith("Succeeded"), f"{where}: {last.stderr}"
        assert engine.objects() == undisturbed.objects(), where
        assert engine.leftovers() == [], where
        assert engine.processes() == [], where
    assert killed >= total // STRIDE
