"""pdb opens at an error where somebody debugs, and nowhere else; as processes, because pdb reads stdin."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import prepared_rows
import pytest

from steps import contract, debugger, fitting, job, train, trial
from steps.contract import ML_ROOT_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
FAILING = """
from steps import debugger

def work(secret):
    {}[secret]

try:
    work(42)
except KeyError as error:
    debugger.show(error)
    debugger.show_first(ValueError('it only sums up'))
print('ends as ever')
"""
FITTING = """
import pathlib, sys
from steps import fitting, trial

print(fitting.fit_here(pathlib.Path(sys.argv[1]), trial.Guard(1, 1), {}))
"""


def run(code: str, *arguments: str, typed: str = "", debug: str = "1") -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), **({contract.DEBUG_VARIABLE: debug} if debug else {})}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, input=typed, capture_output=True, text=True, env=environment, check=True)


def test_an_error_opens_pdb_once_in_the_frame_where_it_arose() -> None:
    done = run(FAILING, typed="p secret * 2\nq\n")

    assert done.stdout.count("(Pdb)") == 2
    assert "(Pdb) 84\n" in done.stdout
    assert done.stdout.endswith("ends as ever\n")
    assert "KeyError: 42" in done.stderr


def test_without_somebody_who_debugs_nothing_opens_and_nothing_is_told() -> None:
    done = run(FAILING, debug="")

    assert (done.stdout, done.stderr) == ("ends as ever\n", "")


def test_the_error_behind_an_error_is_found_however_it_was_hidden() -> None:
    behind, before = KeyError("behind"), ValueError("before")
    before.__context__, before.__suppress_context__ = behind, True

    assert debugger.arisen(before) is behind
    assert debugger.arisen(behind) is behind


def test_a_fit_that_breaks_opens_pdb_and_ends_as_in_a_child(tmp_path: Path) -> None:
    (tmp_path / trial.REQUEST_FILE).write_text('{"other": 1, "categories": []}')

    done = run(FITTING, str(tmp_path), typed="p found\nq\n")

    assert "{'other': 1, 'categories': []}" in done.stdout
    assert done.stdout.endswith(f"{fitting.attempt(tmp_path)}\n")


def test_a_debugged_fit_sees_the_environment_of_a_child_and_stops_at_breakpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORES", "8")
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)

    fitting.fit_here(tmp_path, trial.Guard(1, 1), {**trial.NO_BREAKPOINTS, "CORES": "2"})

    assert os.environ["CORES"] == "2"
    assert "PYTHONBREAKPOINT" not in os.environ


def test_debugged_models_are_trained_one_after_another_in_this_very_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(contract.DEBUG_VARIABLE, "1")
    monkeypatch.setenv(ML_ROOT_VARIABLE, str(tmp_path / "ml"))
    tree = prepared_rows.Tree(tmp_path / "ml")
    tree.train_settings(["EWR", "JFK"])
    for slug in ("EWR", "JFK"):
        tree.prepared(slug, prepared_rows.table(8), prepared_rows.table(4))
    threads = []

    def launch(folder: Path, guard: trial.Guard, environment: object) -> trial.Outcome:
        threads.append(threading.current_thread().name)
        return trial.Outcome(trial.FAILED, "because")

    train.train(train.Job(job.read_settings(), 10.0, 4, tmp_path / "work", (launch, launch)))

    assert threads == [threading.current_thread().name] * 2
