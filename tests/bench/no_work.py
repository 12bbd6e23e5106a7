"""Our side of the engine's row: a definition of Processing steps that do no work, executed by the local engine.

    python tests/bench/no_work.py MODELS WORKSPACE [--inert]

Its shape is start, MODELS x (train, infer), join, end; each step is a Python process that reads its input and writes an
output. With `--inert` no process is started: what is left is the engine's own cost.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/pipelines/local")]

from local_definitions import below, output_of, processing  # noqa: E402 - found on the path just set

from pipelines.local import document  # noqa: E402
from pipelines.local.engine import Exit, ProcessLauncher, Request, Task, World, execute  # noqa: E402
from pipelines.local.workspace import Workspace  # noqa: E402

WRITE = "write('out/done.txt', 'done')"


class InertLauncher:
    """Does in no time what the step's process does."""

    def run(self, task: Task) -> Exit:
        """Write the step's output."""
        target = task.root / "processing/output/out/done.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("done", encoding="utf-8")
        return Exit(0)


def main() -> None:
    """Execute the definition once."""
    line = argparse.ArgumentParser(description=__doc__)
    line.add_argument("models", type=int)
    line.add_argument("workspace", type=Path)
    line.add_argument("--inert", action="store_true")
    given = line.parse_args()
    definition = document.parse(json.dumps({"Version": "2020-12-01", "Steps": steps(given.models)}))
    launcher = InertLauncher() if given.inert else ProcessLauncher()
    world = World(Workspace(given.workspace), launcher, lambda function, event: {})
    outcome = execute(Request("bench", definition, {}), world, lambda event: None)
    if outcome.failed:
        sys.exit(str(outcome.failed[0].reason))


def steps(models: int) -> list[dict[str, Any]]:
    """Return the steps of the graph."""
    first = _step("start", [])
    branches = []
    for number in range(models):
        branches.append(_step(f"train-{number}", ["start"]))
        branches.append(_step(f"infer-{number}", [f"train-{number}"]))
    last = {"inputs": {"all": output_of("infer-0", "out")}, "outputs": ["out"]}
    join = processing("join", WRITE, **last, DependsOn=[f"infer-{n}" for n in range(models)])
    return [first, *branches, join, _step("end", ["join"])]


def _step(name: str, needs: list[str]) -> dict[str, Any]:
    inputs = {need: output_of(need, "out") for need in needs}
    return processing(name, WRITE, inputs=inputs, outputs={"out": below(name, "out")})


if __name__ == "__main__":
    main()
