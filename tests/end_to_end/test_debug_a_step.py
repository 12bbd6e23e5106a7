"""A failed run prints the command that debugs it; copied and run, it shows the same error, and mended code succeeds."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from user_project import ROOT, Project

pytestmark = pytest.mark.slow
PACKAGES = ("pipelines", "steps", "lambda_trigger", "config", "containers")


class Checkout:
    """A copy of the repository whose step code somebody has broken, and commands run in it."""

    def __init__(self, folder: Path, project: Project) -> None:
        self.folder, self.project = folder, project
        for name in PACKAGES:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))

    def edit(self, module: str, old: str, new: str) -> None:
        path = self.folder / module
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pipelines.run", *arguments]
        return subprocess.run(command, cwd=self.folder, input=typed, capture_output=True, text=True, check=False)

    def start(self) -> subprocess.CompletedProcess[str]:
        config, workspace = str(self.project.folder / "config.yml"), str(self.project.workspace)
        return self.run("--local", "--config", config, "--workspace", workspace, "--raw", str(self.project.raw))


def printed_command(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the arguments of the command behind `debug with:`, as a shell reads them."""
    (line,) = re.findall(r"^debug with: python -m pipelines\.run (.*)$", done.stdout, re.MULTILINE)
    return shlex.split(line)


def errors(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.partition("PrepareTraining: ")[2] or line for line in re.findall(r"^error: (.*)$", done.stdout, re.M)]


def test_the_printed_command_gives_the_same_error_and_mended_code_succeeds(tmp_path: Path, project: Project) -> None:
    checkout = Checkout(tmp_path / "checkout", project)
    sound, broken = (
        "def main(argv: Sequence[str]) -> None:\n",
        "def main(argv: Sequence[str]) -> None:\n    [argv][7]\n",
    )
    checkout.edit("steps/prepare.py", sound, broken)

    failed = checkout.start()
    command = printed_command(failed)
    again = checkout.run(*command, typed="p argv[0]\nq\n")
    checkout.edit("steps/prepare.py", broken, sound)
    recorded, mended = (checkout.run(*command[:-1], *options) for options in ((), ("--code",)))

    assert failed.returncode == again.returncode == 1
    assert command[-5:] == ["--only", "PrepareTraining", "--of", command[-2], "--debug"]
    assert errors(failed) == errors(again) == ["IndexError in prepare.py; see the step's log"]
    assert "(Pdb) 'training'" in again.stdout
    mail = next((project.workspace / "outbox").rglob("*-failed.txt")).read_text()
    assert f"Debug the step with:\n  python -m pipelines.run {shlex.join(command)}" in mail
    assert recorded.returncode == 1
    assert "steps/prepare.py differs in the repository; --code runs that" in recorded.stderr
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert "the execution has none of this step to compare with" in mended.stdout


def test_a_training_is_debugged_in_the_steps_own_process_with_the_same_result(project: Project) -> None:
    """The step alone predicts its holdout to the last byte as the run did, in a child and in this process."""
    assert project.run().code == 0

    for options in ((), ("--debug",)):
        done = project.command("run", "--only", "Train-JFK", *options)
        assert done.returncode == 0, done.stderr
        differing = done.stdout.partition("not the same bytes as in the execution: ")[2].partition(" (files")[0]
        assert "evaluation/JFK/evaluation.json" in differing
        assert "holdout_predictions.parquet" not in differing
