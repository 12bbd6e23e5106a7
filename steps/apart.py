"""Scores each model of an Infer step in a process of its own, and outlives whatever happens to one of them.

A child is the step itself with `--model SLUG --outcome FOLDER`. Where that saves imports it is a fork (`warm`).
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from steps import contract, job, trial, warm

TIME_SHARE = 0.9
"""Of the job's time: the rest is for getting its inputs and storing what it made."""

Launch = Callable[[Path, trial.Guard, Mapping[str, str], Sequence[str], str], trial.Outcome]
Lost = Callable[[Mapping[str, Any], str], None]
"""Writes down that a model was not scored, and why."""


def infer_each(models: Sequence[Mapping[str, Any]], max_runtime: float, lost: Lost) -> None:
    """Score the models one after another, in a job that is ended after `max_runtime` seconds."""
    started = time.monotonic()
    with _launching(len(models)) as launch:
        for number, model in enumerate(models):
            passed = time.monotonic() - started
            infer_isolated(model, lost, launch, seconds_left(max_runtime, passed, len(models) - number))


@contextmanager
def _launching(models: int) -> Iterator[Launch]:
    """Give how to launch a child: as a fork, where that saves imports."""
    if not warm.is_possible(models):
        yield trial.run
        return
    with warm.Warm() as forks:
        forks.start(_environment())
        yield forks.run


def _environment() -> dict[str, str]:
    return trial.child_environment(os.environ, trial.cores(os.environ))


def seconds_left(max_runtime: float, passed: float, waiting: int = 1) -> float:
    """Return what a child may take: its share of the time that is left for it and the models after it.

    A job that is ended for its time takes the whole run with it, and one that hangs must not take the others' time.
    """
    return max(1.0, (TIME_SHARE * max_runtime - passed) / waiting)


def infer_isolated(model: Mapping[str, Any], lost: Lost, launch: Launch = trial.run, seconds: float = math.inf) -> None:
    """Score one model's rows in a process of its own for so many seconds, and outlive whatever happens to it.

    Raises:
        StepError: the inputs of the step are not there, or our own code failed: no failure of this segment alone.
    """
    root = contract.ml_root() / "processing"
    command = (sys.executable, "-m", "steps.infer", "--model", str(model["slug"]), "--outcome")
    with tempfile.TemporaryDirectory(prefix="infer-outcome-", dir=root) as folder:
        outcome = launch(Path(folder), trial.Guard(seconds, 0.0), _environment(), command, "inference")
    if outcome.status == trial.TRANSIENT:
        lost(model, outcome.reason)
    elif outcome.status == trial.BROKEN:
        raise job.StepError(f"model {model['name']}: {outcome.reason}")
