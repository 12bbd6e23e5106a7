"""Processes of a step are found and ended wherever they have gone."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from local_definitions import Lab, processing

from pipelines.local.orphans import end_processes, find_processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")

DAEMON = """
import subprocess, time
child = subprocess.Popen(['sleep', '60'], start_new_session=True)
print(child.pid, flush=True)
"""


def test_a_process_is_known_by_the_folder_that_it_was_given(tmp_path: Path) -> None:
    mine, other = tmp_path / "a" / "opt" / "ml", tmp_path / "b" / "opt" / "ml"
    process = subprocess.Popen(["sleep", "60"], env={"ML_ROOT": str(mine), "PATH": "/usr/bin:/bin"})
    until = time.monotonic() + 5
    while not find_processes(mine) and time.monotonic() < until:
        time.sleep(0.01)

    assert find_processes(mine) == [process.pid]
    assert find_processes(other) == []
    end_processes(mine)
    assert process.wait(5) == -9


@pytest.mark.parametrize("rest", ["", "time.sleep(60)", "raise SystemExit(1)"])
def test_a_child_that_has_left_the_steps_session_ends_with_the_step(lab: Lab, rest: str) -> None:
    lab.run([processing("A", DAEMON + rest, max_runtime=1)])
    pid = int((lab.workspace.step("run-1", "A") / "log.txt").read_text().split()[0])

    assert find_processes(lab.workspace.step("run-1", "A") / "opt" / "ml") == []
    assert not Path(f"/proc/{pid}").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text()


def test_what_a_killed_engine_left_ends_before_another_execution_begins(lab: Lab) -> None:
    left, debugged = (
        subprocess.Popen(["sleep", "60"], env={"ML_ROOT": str(lab.root / place), "PATH": "/usr/bin:/bin"})
        for place in ("executions/old/steps/A/opt/ml", "debug/old/A/opt/ml")
    )

    lab.run([processing("B")])

    assert left.wait(5) == -9
    assert debugged.poll() is None
    debugged.kill()
    debugged.wait(5)
