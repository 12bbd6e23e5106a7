"""Options that commands share, and those that a command in a message needs to mean what this one means."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

DEFAULT_CONFIG = Path("config/pipeline-config.yml")
DEFAULT_WORKSPACE = Path(".local")
LOG_LEVELS = ("debug", "info", "warning", "error")


def add_log_level(line: argparse.ArgumentParser, default: object = "info") -> None:
    """Add --log-level to a command line."""
    line.add_argument(
        "--log-level",
        choices=LOG_LEVELS,
        default=default,
        metavar="LEVEL",
        help="what is said on stderr: debug (also decisions, calls, logs of steps), info (default), warning or error",
    )


def say_options(config: Path, environment: str | None, workspace: Path | None = None) -> str:
    """Return `--config`, `--env` and `--workspace` as far as they differ from the defaults, quoted for a shell.

    A command for AWS has no workspace.
    """
    given = {
        "--config": config if config != DEFAULT_CONFIG else None,
        "--env": environment,
        "--workspace": workspace if workspace != DEFAULT_WORKSPACE else None,
    }
    return " ".join(f"{name} {shlex.quote(str(value))}" for name, value in given.items() if value)


def say_command(module: str, *options: str) -> str:
    """Return a command for a person to copy, such as `python -m pipelines.run --env production --list`."""
    return " ".join(["python -m", f"pipelines.{module}", *(option for option in options if option)])
