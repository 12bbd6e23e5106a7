"""Train the models of one step: prepared rows in, artifacts and evaluations out.

Each fit runs in a child process (`steps.fitting`) under an outer guard. A failure that the data determine becomes an
evaluation of status `failed` and the step goes on; a transient one is tried once more and then fails the step
(or is isolated, if the settings say so). This module imports nothing heavy and never AutoGluon.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steps import clock, contract, debugger, evaluation, fitting, job, trial, warm

log = logging.getLogger(__name__)

GUARD_SECONDS = 60.0
"""Added to the guard: starting up, reading and packing take their time however short the limit is."""
SLOWEST_ROWS_PER_SECOND = 200.0
"""A model slower than this on the holdout is taken for hanging."""

Launch = Callable[[Path, trial.Guard, Mapping[str, str]], trial.Outcome]


@dataclass(frozen=True)
class Job:
    """What the models of one Train step have in common."""

    settings: Mapping[str, Any]
    time_limit: float
    cores: int
    work: Path
    launches: tuple[Launch, ...]
    """How each attempt to fit a model is launched."""


def main(argv: Sequence[str]) -> None:
    """Train every model of the step's settings; `--time-limit` is seconds per model."""
    parser = argparse.ArgumentParser(prog="python -m steps.train", description=__doc__)
    parser.add_argument("--time-limit", type=_seconds, required=True, help="seconds to fit one model")
    arguments = parser.parse_args(argv)
    root = contract.ml_root() / "processing"
    root.mkdir(parents=True, exist_ok=True)
    settings = job.read_settings()
    cores = trial.cores(os.environ)
    with tempfile.TemporaryDirectory(prefix="train-", dir=root) as work, _launching(settings, cores) as launches:
        train(Job(settings, arguments.time_limit, cores, Path(work), launches))


@contextmanager
def _launching(settings: Mapping[str, Any], cores: int) -> Iterator[tuple[Launch, ...]]:
    """Give how to launch each attempt: the first as a fork where that saves imports, the second sharing nothing."""
    models = len(settings["models"])
    if debugger.is_on():
        yield fitting.fit_here, fitting.fit_here
    elif warm.is_possible(models):
        with warm.Warm() as forks:
            forks.start(trial.child_environment(os.environ, _share(cores, models)[1]))
            yield forks.run, trial.run
    else:
        yield trial.run, trial.run


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return value


def train(task: Job) -> None:
    """Train the models side by side, as many as there are cores; StepError names every one that could not go on."""
    models = task.settings["models"]
    workers, threads = _share(task.cores, len(models))
    problems = _map(lambda model: _train_or_explain(task, model, threads), models, workers)
    found = list(dict.fromkeys(problem for problem in problems if problem))
    if found:
        raise job.StepError("; ".join(found))


def _share(cores: int, models: int) -> tuple[int, int]:
    """Return how many models are fitted side by side, and with how many threads each."""
    workers = max(1, min(cores, models))
    return workers, max(1, cores // workers)


def _map(work: Callable[[Mapping[str, Any]], str], models: Sequence[Mapping[str, Any]], workers: int) -> list[str]:
    """Return what `work` gives for each model, side by side; one after another for somebody who debugs."""
    if debugger.is_on():
        return [work(model) for model in models]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, models))


def _train_or_explain(task: Job, model: Mapping[str, Any], threads: int) -> str:
    """Return why the step must fail because of this model, or nothing; the others shall still end."""
    try:
        train_model(task, model, threads)
    except job.StepError as error:
        return str(error)
    return ""


def train_model(task: Job, model: Mapping[str, Any], threads: int) -> None:
    """Train one model, or write why it is not trained."""
    watch = clock.Watch()
    prepared = contract.input_dir(contract.IN_PREPARED) / model["slug"]
    status = _status(prepared, model["name"])
    if status["status"] == contract.SKIPPED:
        found = evaluation.skipped(model, status["reason"] or "no training rows")
        _publish_untrained(model, prepared, {**found, "timing": watch.to_json()})
        return
    outcome = trial.Outcome(trial.FAILED, _hopeless(status, model["name"]))
    if not outcome.reason:
        outcome = _attempts(task, model, threads, status, watch)
    if outcome.status == trial.TRAINED:
        return
    log.warning("%s: not trained: %s", model["name"], outcome.reason)
    transient = outcome.status == trial.TRANSIENT
    if transient:
        _forbid_caching()
    found = evaluation.failed(model, outcome.reason, status, transient=transient)
    _publish_untrained(model, prepared, {**found, "timing": watch.to_json()})


def _status(prepared: Path, name: str) -> dict[str, Any]:
    path = prepared / contract.STATUS_FILE
    if not path.is_file():
        raise job.StepError(
            f"model {name} has no prepared folder {prepared.name}/ with {contract.STATUS_FILE} in the input "
            f"{contract.IN_PREPARED!r}: run PrepareTraining with the same models"
        )
    found: dict[str, Any] = job.read_json(path)
    return found


def _forbid_caching() -> None:
    """Keep a result that memory or time has made from standing in for another run's."""
    marker = contract.ml_root() / "output" / contract.NO_CACHE_FILE
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()


def _hopeless(status: Mapping[str, Any], name: str) -> str:
    """Return why no model can be trained and measured whatever AutoGluon does, or nothing."""
    if status["status"] == contract.FAILED:
        return str(status["reason"] or f"the training rows of {name} could not be prepared")
    train_rows, holdout_rows = status["train_rows"], status["holdout_rows"]
    if train_rows and holdout_rows:
        return ""
    missing = "no training rows" if not train_rows else "no holdout rows to measure a model on"
    return f"{missing} ({fitting.count(train_rows)} for training, {fitting.count(holdout_rows)} held out)"


def _attempts(
    task: Job, model: Mapping[str, Any], threads: int, status: Mapping[str, Any], watch: clock.Watch
) -> trial.Outcome:
    """Fit until an attempt ends other than transiently; publish what was trained."""
    outcome = trial.Outcome(trial.TRANSIENT)
    attempts = len(task.launches)
    for number, launch in enumerate(task.launches, 1):
        folder = task.work / f"{model['slug']}-{number}"
        guard = _request(task, model, folder, threads, status)
        outcome = launch(folder, guard, trial.child_environment(os.environ, threads))
        if outcome.status == trial.TRAINED:
            _publish(folder, model["slug"], watch)
        shutil.rmtree(folder)
        if outcome.status != trial.TRANSIENT:
            break
        log.warning("%s: attempt %d of %d: %s", model["name"], number, attempts, outcome.reason)
    _raise_fatal(outcome, model["name"], task.settings["on_transient_failure"], attempts)
    return outcome


def _request(task: Job, model: Mapping[str, Any], folder: Path, threads: int, status: Mapping[str, Any]) -> trial.Guard:
    """Write the request for one fit into a new folder; return the fit's guard."""
    prepared = contract.input_dir(contract.IN_PREPARED) / model["slug"]
    request = fitting.Request.of(model, task.settings, str(prepared), task.time_limit, threads)
    folder.mkdir(parents=True)
    fitting.write_request(folder, request)
    return guard_of(task.time_limit, model["training"]["time_guard"], status["holdout_rows"])


def guard_of(time_limit: float, factor: float, holdout_rows: int) -> trial.Guard:
    """Return the outer guard of a fit: AutoGluon exceeds its own limit, and measuring takes time by the row."""
    fit = time_limit * factor + GUARD_SECONDS
    return trial.Guard(fit, fit + holdout_rows / SLOWEST_ROWS_PER_SECOND)


def _raise_fatal(outcome: trial.Outcome, name: str, on_transient_failure: str, attempts: int) -> None:
    """Raise StepError for an outcome that must not pass for a result of the data."""
    if outcome.status == trial.REFUSED:
        raise job.StepError(outcome.reason)
    if outcome.status == trial.BROKEN:
        raise job.StepError(f"model {name}: {outcome.reason}")
    if outcome.status == trial.TRANSIENT and on_transient_failure != contract.ISOLATE:
        raise job.StepError(
            f"model {name}: {outcome.reason}, {attempts} times. Retry the run, give the step more memory or time, "
            "or set on_transient_failure to isolate"
        )


def _publish(folder: Path, slug: str, watch: clock.Watch) -> None:
    """Move what a finished child wrote into the outputs, so that an interrupted one leaves nothing there."""
    path = fitting.result_dir(folder, contract.OUT_EVALUATION) / contract.EVALUATION_FILE
    job.write_json(path, {**job.read_json(path), "timing": watch.to_json()})
    for name in (contract.OUT_MODEL, contract.OUT_EVALUATION):
        target = contract.output_dir(name) / slug
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(fitting.result_dir(folder, name), target)


def _publish_untrained(model: Mapping[str, Any], prepared: Path, found: Mapping[str, Any]) -> None:
    """Write the evaluation of a model without an artifact.

    Its model folder gets a `status.json`: SageMaker refuses an input prefix that holds nothing.
    """
    target = contract.output_dir(contract.OUT_EVALUATION) / model["slug"]
    job.write_json(target / contract.EVALUATION_FILE, found)
    for name in (contract.SCHEMA_FILE, contract.PROFILE_FILE):
        if (prepared / name).is_file():
            shutil.copyfile(prepared / name, target / name)
    note = {"status": found["status"], "reason": found["reason"]}
    job.write_json(contract.output_dir(contract.OUT_MODEL) / model["slug"] / contract.STATUS_FILE, note)


if __name__ == "__main__":
    job.run(main)
