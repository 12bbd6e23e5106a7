"""Steps in containers: the command that runs them, and how their end is understood. A stub stands for `docker`."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from pipelines.errors import ExecutionError, LaunchError
from pipelines.local.container import ContainerLauncher, image_ids, run_command
from pipelines.local.launch import Task


@pytest.fixture
def task(tmp_path: Path) -> Task:
    root = tmp_path / "step" / "opt" / "ml"
    (root / "processing" / "input" / "raw").mkdir(parents=True)
    return Task(
        step="Train-EWR",
        host="algo-1",
        image="ours-autogluon:not-set",
        command=("python3", "-m", "steps.train", "--time-limit", "60"),
        environment={"PYTHONPATH": "/opt/ml/processing/input/code"},
        root=root,
        log=tmp_path / "step" / "log.txt",
        cores=(0, 3),
        threads=2,
        timeout=None,
        stopped=lambda: False,
    )


def stub_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str) -> Path:
    """Put a `docker` first on PATH that notes its calls and does `run` for `docker run`; return the notes."""
    folder = tmp_path / "bin"
    folder.mkdir()
    notes = tmp_path / "calls"
    script = f'#!/bin/sh\necho "$@" >> {notes}\ncase "$1" in run) {run};; stop) touch {notes}.stopped;; esac\n'
    (folder / "docker").write_text(script)
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return notes


def launcher() -> ContainerLauncher:
    return ContainerLauncher(lambda uri: f"built-{uri}", grace=1)


def test_a_step_runs_in_its_image_without_network_on_its_cores_as_the_caller(task: Task) -> None:
    command = run_command(task, "name", "image", 1000, 100)

    text = " ".join(command)
    assert "--network none --user 1000:100 --cpuset-cpus 0,3" in text
    assert f"--volume {task.root}:/opt/ml" in text
    assert "--env OMP_NUM_THREADS=2" in text
    assert "--env PYTHONPATH=/opt/ml/processing/input/code" in text
    assert "ML_ROOT" not in text
    assert text.endswith("--entrypoint python3 image -m steps.train --time-limit 60")


def test_folders_that_inputs_link_to_are_mounted_where_they_are_and_read_only(task: Task, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.csv").write_text("x")
    (task.root / "processing" / "input" / "raw" / "train.csv").symlink_to(data / "train.csv")

    assert f"{data}:{data}:ro" in run_command(task, "name", "image", 0, 0)


def test_a_step_that_succeeds_ends_with_zero_and_its_output_in_the_log(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = stub_docker(tmp_path, monkeypatch, "echo trained")

    assert launcher().run(task).code == 0
    assert task.log.read_text() == "trained\n"
    assert "built-ours-autogluon:not-set" in notes.read_text()


@pytest.mark.parametrize(("code", "understood"), [(1, 1), (137, -9), (143, -15)])
def test_a_code_above_128_is_a_signal(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, understood: int
) -> None:
    stub_docker(tmp_path, monkeypatch, f"exit {code}")

    assert launcher().run(task).code == understood


def test_an_engine_that_cannot_start_a_container_may_be_tried_again(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_docker(tmp_path, monkeypatch, "echo 'docker: no space left' >&2; exit 125")

    with pytest.raises(LaunchError, match="no space left"):
        launcher().run(task)


def test_an_image_without_the_command_is_not_tried_again(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_docker(tmp_path, monkeypatch, "exit 127")

    with pytest.raises(ExecutionError, match="cannot start 'python3' in ours-autogluon"):
        launcher().run(task)


def test_a_step_beyond_its_time_is_stopped_and_removed(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = stub_docker(
        tmp_path, monkeypatch, f"while [ ! -e {tmp_path}/calls.stopped ]; do sleep 0.05; done; exit 143"
    )
    began = time.monotonic()

    end = launcher().run(dataclasses.replace(task, timeout=0.2))

    assert end.timed_out
    assert not end.stopped
    assert time.monotonic() - began < 10
    assert [line.split()[0] for line in notes.read_text().splitlines()] == ["rm", "run", "stop", "rm"]


def test_a_step_that_is_stopped_says_so(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub_docker(tmp_path, monkeypatch, f"while [ ! -e {tmp_path}/calls.stopped ]; do sleep 0.05; done; exit 143")

    assert launcher().run(dataclasses.replace(task, stopped=lambda: True)).stopped


def test_a_machine_without_docker_is_told_the_other_launcher(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ExecutionError, match="--launcher process"):
        launcher().run(task)
    with pytest.raises(ExecutionError, match="no Docker engine answers"):
        image_ids(["x"])


def test_only_images_that_the_engine_holds_have_an_id() -> None:
    def ask(*arguments: str) -> tuple[int, str]:
        return (0, "sha256:1\n") if arguments[-1] in ("version", "there") else (1, "")

    assert image_ids(["there", "not"], ask) == {"there": "sha256:1"}
