"""The outer guard around a fit: every way a child can end, with real tiny processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from foreign_processes import ends, wait_for_pid

from steps import trial

PATIENT = trial.Guard(fit=20, measure=20)
SUCCESS = """
import json, pathlib, sys
pathlib.Path(sys.argv[1], "outcome.json").write_text(json.dumps({"status": "trained", "reason": ""}))
"""


def run(code: str, folder: Path, guard: trial.Guard = PATIENT) -> trial.Outcome:
    return trial.run(folder, guard, os.environ, (sys.executable, "-c", code))


def test_a_child_that_ends_well_tells_its_outcome(tmp_path: Path) -> None:
    assert run(SUCCESS, tmp_path) == trial.Outcome(trial.TRAINED)


def test_a_child_beyond_the_guard_is_killed_and_transient(tmp_path: Path) -> None:
    started = time.monotonic()
    outcome = run("import time; time.sleep(60)", tmp_path, trial.Guard(0.3, 60))
    assert outcome == trial.Outcome(trial.TRANSIENT, "training was stopped by the outer guard after 0 s")
    assert time.monotonic() - started < 10


def test_a_child_that_has_fitted_gets_its_time_to_measure(tmp_path: Path) -> None:
    code = f'import pathlib,sys,time; pathlib.Path(sys.argv[1],"fitted").touch(); time.sleep(.6)\n{SUCCESS}'
    assert run(code, tmp_path, trial.Guard(0.4, 20)).status == trial.TRAINED


def test_measuring_has_a_limit_too(tmp_path: Path) -> None:
    code = 'import pathlib,sys,time; pathlib.Path(sys.argv[1],"fitted").touch(); time.sleep(60)'
    outcome = run(code, tmp_path, trial.Guard(0.4, 0.2))
    assert outcome.status == trial.TRANSIENT
    assert outcome.reason.startswith("measuring on the holdout was stopped")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.kill(os.getpid(), 9)", "killed (SIGKILL), most likely because memory ran out"),
        ("import sys; sys.exit(137)", "killed (SIGKILL), most likely because memory ran out"),
        ("import os; os.kill(os.getpid(), 11)", "SIGSEGV"),
        ("import sys; sys.exit(134)", "SIGABRT"),
    ],
)
def test_a_signal_is_transient(tmp_path: Path, code: str, reason: str) -> None:
    outcome = run(code, tmp_path)
    assert outcome.status == trial.TRANSIENT
    assert reason in outcome.reason


@pytest.mark.parametrize("code", ["import sys; sys.exit(3)", "pass", "import no_such_module"])
def test_an_end_without_an_outcome_is_our_fault(tmp_path: Path, code: str) -> None:
    assert run(code, tmp_path).status == trial.BROKEN


def test_an_outcome_that_finds_no_room_is_transient(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from steps import trial\n"
    code += "trial.write_outcome(Path(sys.argv[1]) / 'a file', trial.Outcome(trial.TRAINED))"
    (tmp_path / "a file").touch()
    root = str(Path(trial.__file__).parents[1])
    outcome = trial.run(tmp_path, PATIENT, {**os.environ, "PYTHONPATH": root}, (sys.executable, "-c", code))

    assert outcome == trial.Outcome(
        trial.TRANSIENT, "training could not write its files, most likely because the disk is full"
    )


def test_no_child_is_left_when_waiting_for_it_is_interrupted(tmp_path: Path) -> None:
    code = f"""
import os, sys
from pathlib import Path
from steps import trial
child = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1], 'pid').write_text(str(os.getpid())); time.sleep(60)"
trial.run(Path({str(tmp_path)!r}), trial.Guard(60, 60), os.environ, (sys.executable, "-c", child))
"""
    environment = trial.child_environment(os.environ, 1)
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    child = wait_for_pid(tmp_path / "pid")
    parent.send_signal(2)
    parent.wait(10)
    assert ends(child)


def test_a_fit_ends_with_its_step_however_the_step_dies(tmp_path: Path) -> None:
    code = f"""
import os, sys
from pathlib import Path
from steps import trial
child = "import os, pathlib, sys, threading, time; from steps import fitting;"
child += "threading.Thread(target=fitting.end_with_parent, daemon=True).start();"
child += "pathlib.Path(sys.argv[1], 'pid').write_text(str(os.getpid())); time.sleep(60)"
trial.run(Path({str(tmp_path)!r}), trial.Guard(60, 60), os.environ, (sys.executable, "-c", child))
"""
    parent = subprocess.Popen([sys.executable, "-c", code], env=trial.child_environment(os.environ, 1))
    child = wait_for_pid(tmp_path / "pid")
    parent.kill()
    parent.wait(10)
    assert ends(child)


def test_the_share_of_cores_that_was_given_holds() -> None:
    assert trial.cores({"CORES": "3"}) == 3


@pytest.mark.parametrize("given", ["", "0", "two"])
def test_without_a_share_the_cores_are_those_the_process_may_use(given: str) -> None:
    assert 1 <= trial.cores({"CORES": given}) <= (os.cpu_count() or 1)


def test_a_child_sees_its_threads_everywhere_and_finds_the_package() -> None:
    found = trial.child_environment({"PYTHONPATH": "/somewhere", "OMP_NUM_THREADS": "64"}, 2)
    assert {found[name] for name in trial.THREAD_VARIABLES} == {"2"}
    assert found["PYTHONPATH"].endswith(os.pathsep + "/somewhere")
    assert (Path(found["PYTHONPATH"].split(os.pathsep)[0]) / "steps").is_dir()
