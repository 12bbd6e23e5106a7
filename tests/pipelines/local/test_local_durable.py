"""Files that are whole or not there, the scratch folder, and the lock of a workspace."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from local_definitions import Lab, processing

from pipelines.errors import ExecutionError
from pipelines.local.durable import lock_workspace, sweep, try_lock, write_atomically
from pipelines.local.history import is_locked, lock_execution


def test_a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    target, scratch = tmp_path / "deep" / "file.json", tmp_path / "tmp"
    write_atomically(target, "old", scratch)
    write_atomically(target, b"new", scratch)

    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]
    assert list(scratch.iterdir()) == []


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_no_scratch(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()  # nothing can be renamed over a folder

    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "target", "text", tmp_path / "tmp")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_a_dead_process_left_is_swept_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    dead, living, strange = tmp_path / f"{child.pid}-a", tmp_path / f"{os.getpid()}-a", tmp_path / "note"
    for path in (dead, living, strange):
        path.touch()
    sweep(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([living.name, strange.name])


def test_an_engine_sweeps_up_before_it_runs(lab: Lab) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    lab.workspace.scratch.mkdir(parents=True)
    (lab.workspace.scratch / f"{child.pid}-left").touch()
    lab.run([processing("A")])

    assert list(lab.workspace.scratch.iterdir()) == []


def test_a_second_engine_in_a_workspace_says_who_runs_and_waits(lab: Lab) -> None:
    told, done = [], threading.Event()
    root = lab.workspace.root

    def run() -> None:
        with lock_workspace(root, "execution run-2", told.append):
            done.set()

    with lock_workspace(root, "execution run-1"):
        second = threading.Thread(target=run)
        second.start()
        assert not done.wait(0.3)
    second.join(10)

    assert done.is_set()
    assert told == ["execution run-1 is at work in this workspace; waiting for its end"]


def test_who_does_not_wait_is_refused(tmp_path: Path) -> None:
    with (
        lock_workspace(tmp_path, "execution run-1"),
        pytest.raises(ExecutionError, match=r"execution run-1 is at work .* stop it"),
        lock_workspace(tmp_path, "the collection"),
    ):
        pass


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    hold = "import sys, os, signal\nfrom pathlib import Path\nfrom pipelines.local.durable import lock_workspace\n"
    hold += "with lock_workspace(Path(sys.argv[1]), 'me'): os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run([sys.executable, "-c", hold, str(tmp_path)], check=False)

    assert done.returncode == -9
    with lock_workspace(tmp_path, "execution run-2"):
        assert (tmp_path / "engine.lock").read_text() == "execution run-2"


def test_who_looks_whether_an_execution_runs_neither_hinders_it_nor_others_who_look(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    looking = (tmp_path / "lock").open()
    assert try_lock(looking, shared=True)

    assert not is_locked(tmp_path)
    gone = threading.Timer(0.02, looking.close)
    gone.start()
    with lock_execution(tmp_path):
        assert is_locked(tmp_path)
    gone.join()
