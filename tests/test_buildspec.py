"""The build that CodePipeline runs: every command exists, in an order that deploys nothing untested."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
BUILDSPEC: dict[str, Any] = yaml.safe_load((ROOT / "buildspec.yml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PYTHON = ".venv/bin/python"


def words(command: str, environment: str | None = None, config: str | None = None) -> list[str]:
    """Return the words of a command as the build's shell sees them."""
    values = {"ENVIRONMENT": environment, "CONFIG": config}
    given = {name: value for name, value in values.items() if value is not None}
    script = f"printf '%s\\n' {command}"
    done = subprocess.run(["bash", "-uc", script], env=given, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def commands() -> list[str]:
    return [command for phase in BUILDSPEC["phases"].values() for command in phase["commands"]]


def position(*start: str) -> int:
    """Return where the command with these words among its own stands."""
    found = [n for n, command in enumerate(commands()) if set(start) <= set(words(command))]
    assert len(found) == 1, f"{start}: {found}"
    return found[0]


def test_the_first_failure_ends_the_build_and_reports_of_failed_tests_are_collected() -> None:
    """A failing command ends its phase. ABORT would also skip the collecting of reports, so only installing has it."""
    assert list(BUILDSPEC["phases"]) == ["install", "build"]
    assert {name: phase.get("on-failure") for name, phase in BUILDSPEC["phases"].items()} == {
        "install": "ABORT",
        "build": None,
    }


def test_no_command_hides_the_failure_of_another() -> None:
    """CodeBuild looks at the exit code of each entry, so an entry is one command."""
    assert [command for command in commands() if re.search(r"[|;&\n`]|\$\(", command)] == []


@pytest.mark.parametrize("command", commands())
@pytest.mark.parametrize("environment", [None, "", "production"])
def test_every_command_is_a_target_or_a_module_that_is_there(command: str, environment: str | None) -> None:
    program, *arguments = words(command, environment)

    if program == "make":
        targets = [word for word in arguments if "=" not in word]
        assert [name for name in targets if not re.search(rf"(?m)^{re.escape(name)}:", MAKEFILE)] == []
    elif program == PYTHON:
        flag, module, *options = arguments
        assert flag == "-m"
        importlib.import_module(module).parser().parse_args(options)
    else:
        assert (program, arguments) == ("mkdir", ["-p", "reports"])


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith(PYTHON)])
def test_the_environment_of_the_project_becomes_the_overlay(command: str) -> None:
    given = words(command, "pre production")

    assert given[given.index("--env") + 1] == "pre production"
    assert "--env" not in words(command, "")
    assert "--env" not in words(command)


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith(PYTHON)])
def test_the_config_of_the_project_is_the_one_that_is_deployed(command: str) -> None:
    given = words(command, "prod", "config/my shop.yml")

    assert given[given.index("--config") + 1] == "config/my shop.yml"
    assert "--config" not in words(command, "prod", "")
    assert "--config" not in words(command)


def test_what_is_deployed_was_installed_checked_tested_and_compiled_before() -> None:
    order = [
        position("make", "install", "install-emulator"),
        position("make", "check"),
        position("make", "test"),
        position("-m", "pipelines.compile"),
        position("-m", "pipelines.deploy"),
    ]

    assert order == sorted(order)
    assert order[-1] == len(commands()) - 1


def test_the_reports_of_all_tests_are_published() -> None:
    report = BUILDSPEC["reports"]["tests"]
    folder = report["base-directory"]
    written = re.findall(r"--junitxml=\$\(REPORTS\)/(\S+?\.xml)", MAKEFILE)

    assert f"REPORTS={folder}" in words(commands()[position("make", "test")])
    assert len(set(written)) == 2
    assert (report["file-format"], report["files"]) == ("JUNITXML", ["*.xml"])


def test_packages_and_image_layers_are_kept_between_builds() -> None:
    """pip's folder is named here; layers are kept by the project's own cache mode, which also keeps such folders."""
    project = (ROOT / "config" / "cloudformation" / "cicd.yml").read_text(encoding="utf-8")

    assert [path for path in BUILDSPEC["cache"]["paths"] if ".cache/pip/" in path] != []
    assert {"LOCAL_DOCKER_LAYER_CACHE", "LOCAL_CUSTOM_CACHE"} <= set(re.findall(r"LOCAL_[A-Z_]+", project))


def test_the_project_gives_the_environment_and_may_build_images() -> None:
    project = (ROOT / "config" / "cloudformation" / "cicd.yml").read_text(encoding="utf-8")

    assert "ENVIRONMENT" in project
    assert re.search(r"PrivilegedMode: true", project)
