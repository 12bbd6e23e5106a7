"""The image scripts over stand-ins for the programs that they call: what is built, what is pushed, what ends them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
URI = "123456789012.dkr.ecr.us-east-1.amazonaws.com/flights-processing"


@dataclass(frozen=True)
class Machine:
    """A folder of programs that write down how they were called."""

    folder: Path

    def program(self, name: str, body: str = "") -> None:
        """Put a program there; it notes its call, then does `body`."""
        path = self.folder / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >> "{self.folder}/calls"\n{body}\n', encoding="utf-8")
        path.chmod(0o755)

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script of containers/ with these programs found first."""
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", **variables}
        command = ["bash", str(ROOT / "containers" / script), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    @property
    def calls(self) -> list[str]:
        """Return how the programs were called."""
        path = self.folder / "calls"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.program("docker", "if [[ $1 == login ]]; then cat > /dev/null; fi")
    return made


def registry(machine: Machine, answer: str) -> dict[str, str]:
    """Let the registry answer whether it holds the image; return the variable that names the interpreter."""
    machine.program("python", f"if [[ $4 == exists ]]; then {answer}; else echo secret; fi")
    return {"PYTHON": str(machine.folder / "python")}


def test_an_image_that_the_registry_lacks_is_built_for_sagemakers_machines_and_pushed(machine: Machine) -> None:
    done = machine.run(
        "build_and_push.sh", "processing", URI, "abc", **registry(machine, "echo no"), BASE="debian@sha256:1"
    )

    assert done.returncode == 0, done.stderr
    (build,) = [call for call in machine.calls if call.startswith("docker build")]
    assert "--platform linux/amd64" in build
    assert "--build-arg BASE=debian@sha256:1" in build
    assert f"--tag {URI}:abc" in build
    assert [call for call in machine.calls if call.startswith(("docker login", "docker push"))] == [
        f"docker login --username AWS --password-stdin {URI.partition('/')[0]}",
        f"docker push {URI}:abc",
    ]
    assert "secret" not in done.stdout + done.stderr + "".join(machine.calls)


def test_an_image_that_the_registry_holds_is_not_built_again(machine: Machine) -> None:
    done = machine.run("build_and_push.sh", "processing", URI, "abc", **registry(machine, "echo yes"))

    assert done.returncode == 0
    assert "is there already" in done.stdout
    assert not [call for call in machine.calls if call.startswith("docker")]


def test_a_registry_that_does_not_answer_ends_the_script_before_anything_is_built(machine: Machine) -> None:
    done = machine.run("build_and_push.sh", "processing", URI, "abc", **registry(machine, "exit 1"))

    assert done.returncode != 0
    assert not [call for call in machine.calls if call.startswith("docker")]


def test_an_image_for_this_machine_is_built_for_its_own_kind_and_not_pushed(machine: Machine) -> None:
    machine.program("docker", '[[ "$1 $2" != "image inspect" ]]')
    done = machine.run("build_and_push.sh", "processing", "local-processing", "abc", "--local", BASE="", CA_BUNDLE="")

    assert done.returncode == 0, done.stderr
    (build,) = [call for call in machine.calls if call.startswith("docker build")]
    assert "--platform" not in build
    assert "--secret" not in build
    assert not [call for call in machine.calls if call.startswith("docker push")]


@pytest.mark.parametrize(
    "arguments", [(), ("processing",), ("processing", URI, "t", "--remote"), ("nothing", URI, "t")]
)
def test_a_wrong_call_says_what_is_right(machine: Machine, arguments: tuple[str, ...]) -> None:
    done = machine.run("build_and_push.sh", *arguments)

    assert done.returncode == 2
    assert "usage: containers/build_and_push.sh" in done.stderr or "one of: autogluon processing" in done.stderr


def test_a_base_that_could_not_be_made_is_not_kept(machine: Machine) -> None:
    machine.program("docker", '[[ "$1" == version ]]')
    machine.program("timeout", "exit 1")
    machine.program("debootstrap", "mkdir -p ${@: -1}; exit 1")
    done = machine.run("build_local.sh", BASE="")

    assert done.returncode != 0
    assert [call for call in machine.calls if call.startswith("debootstrap")]
    assert not [call for call in machine.calls if call.startswith(("docker import", "docker build"))]


def test_without_an_engine_nothing_is_built_and_that_is_said(machine: Machine) -> None:
    machine.program("docker", "exit 1")
    done = machine.run("build_local.sh")

    assert done.returncode == 0
    assert "skipped: no Docker engine runs here" in done.stdout
