"""The child of Train: `python -m steps.fitting FOLDER` fits the one model that FOLDER's request describes.

It always ends with exit code 0 and an outcome, unless something killed it. Light until the work begins: the parent
imports this module for the request's form, and heavy things are imported inside functions.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from steps import debugger, failure, hooknames, importing, job, trial

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """One fit: a model of the settings, its prepared folder, seconds to fit and threads to use."""

    name: str
    slug: str
    prepared: str
    label: str
    id: str | None
    categories: tuple[str, ...]
    training: Mapping[str, Any]
    time_limit: float
    threads: int
    code: Mapping[str, Any] | None = None
    """Which of the user's own hooks the fit calls."""

    @classmethod
    def of(
        cls, model: Mapping[str, Any], settings: Mapping[str, Any], prepared: str, time_limit: float, threads: int
    ) -> Request:
        """Return the request for one model of a Train step's settings."""
        return cls(
            name=model["name"],
            slug=model["slug"],
            prepared=prepared,
            label=settings["label"],
            id=settings["id"],
            categories=tuple(settings.get("categories", ())),
            training=model["training"],
            time_limit=time_limit,
            threads=threads,
            code=settings.get(hooknames.KEY),
        )


def write_request(folder: Path, request: Request) -> None:
    """Write the request where the child reads it."""
    job.write_json(folder / trial.REQUEST_FILE, asdict(request))


def read_request(folder: Path) -> Request:
    """Return the request that a child was started for."""
    found = job.read_json(folder / trial.REQUEST_FILE)
    return Request(**{**found, "categories": tuple(found["categories"])})


def result_dir(folder: Path, output: str) -> Path:
    """Return where the child leaves its files for one of Train's outputs."""
    return folder / "result" / output


def count(rows: int) -> str:
    """Return a number of rows in words: `1 row`, `1,200 rows`."""
    return f"{rows:,} row" if rows == 1 else f"{rows:,} rows"


def main(argv: Sequence[str]) -> None:
    """Fit one model and write how it ended."""
    job.start_logging()
    failure.silence_libraries()
    threading.Thread(target=end_with_parent, daemon=True).start()
    leave_out_mlflow()
    folder = Path(argv[0])
    trial.write_outcome(folder, attempt(folder))


def leave_out_mlflow() -> None:
    """Keep AutoGluon from importing MLflow, for this whole process, which nobody else uses.

    AutoGluon's fit imports it where it is installed (it comes with the SageMaker SDK, not with the images), only to
    warn that somebody has switched autologging on: two seconds of CPU for a question whose answer is known, because
    an MLflow that nothing has imported logs nothing. None in `sys.modules` is Python's own way to say "not here".
    """
    sys.modules.setdefault("mlflow", None)  # type: ignore[arg-type]  # what typeshed does not know, the language does


def end_with_parent() -> None:
    """End at once when the parent's end of the pipe closes: a killed step leaves no fit behind."""
    while os.read(0, 1):
        pass
    os._exit(1)


def attempt(folder: Path) -> trial.Outcome:
    """Train and tell how it ended; this is the seam at which every exception becomes an outcome."""
    try:
        with importing.uncollected():
            from steps import learning

        learning.train(read_request(folder), folder)
    except trial.Ended as end:
        debugger.show(debugger.arisen(end))
        return end.outcome
    except (MemoryError, OSError) as error:
        debugger.show(error)
        log.warning("%s: %s", failure.name(error), failure.frames(error))
        return trial.Outcome(trial.TRANSIENT, f"training met a {failure.name(error)} at {failure.place(error)}")
    except Exception as error:  # noqa: BLE001 - see above
        debugger.show(error)
        log.warning("%s: %s", failure.name(error), failure.frames(error))
        return trial.Outcome(trial.BROKEN, f"training met a {failure.name(error)} at {failure.place(error)}")
    return trial.Outcome(trial.TRAINED)


def fit_here(folder: Path, guard: trial.Guard, environment: Mapping[str, str]) -> trial.Outcome:
    """Fit in this very process, for somebody who debugs: breakpoints and pdb have the terminal.

    Nothing ends it, `guard` is for a child. Libraries read `environment` when they are imported, which is not yet.
    """
    del guard
    os.environ.update({name: value for name, value in environment.items() if name not in trial.NO_BREAKPOINTS})
    failure.silence_libraries()
    return attempt(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
