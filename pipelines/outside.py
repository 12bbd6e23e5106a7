"""The world around a deployment: the account, programs of this machine, the clock, and the person who is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipelines.aws.cloud import Cloud, open_cloud
from pipelines.aws.watch import Watch

Run = Callable[[Sequence[str]], int]
"""Runs a program in the repository and returns its exit code."""


@dataclass(frozen=True)
class Outside:
    """Every seam of `pipelines.deploy`; tests hand in their own."""

    root: Path
    cloud: Callable[[str | None, str | None], Cloud]
    run: Run
    watch: Watch
    ask: Callable[[str], str]
    show: Callable[[str], None]
    now: Callable[[], datetime]


def real_outside(root: Path) -> Outside:
    """Return the world as it is: progress goes to stderr, results to stdout."""
    return Outside(
        root=root,
        cloud=open_cloud,
        run=lambda command: _run(command, root),
        watch=Watch(_say),
        ask=_ask,
        show=_show,
        now=lambda: datetime.now(UTC),
    )


def _run(command: Sequence[str], root: Path) -> int:
    """Run a program whose output joins the progress; a program that is not there fails like any other."""
    if shutil.which(command[0]) is None:
        return 127
    variables = {**os.environ, "PYTHON": sys.executable}  # scripts find our libraries by it
    done = subprocess.run(list(command), cwd=root, env=variables, stdout=sys.stderr, check=False)  # noqa: S603
    return done.returncode


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def _show(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _ask(question: str) -> str:
    """Return the answer; nobody at a terminal answers nothing."""
    try:
        return input(question) if sys.stdin.isatty() else ""
    except EOFError:
        return ""
