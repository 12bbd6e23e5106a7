"""How a step runs as a processing job: read its settings, fail with one line, log to stderr.

Standard library only. Every step module is `main(argv)` around a pure core and ends with
`if __name__ == "__main__": job.run(main)`.
"""

from __future__ import annotations

import atexit
import gc
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from steps import contract, debugger, failure

log = logging.getLogger(__name__)

USAGE = 2
"""Exit code of argparse for arguments that it does not take."""


class StepError(Exception):
    """The data or the settings do not allow this step to go on; the message says what to change.

    The message names files, columns, rows and counts, never a cell's value.
    """


def run(main: Callable[[Sequence[str]], None]) -> NoReturn:
    """Run a step's `main` on the command line's arguments; an error becomes an ExitMessage and exit code 1.

    A StepError is told as it is. Of any other error only types and places are: its text may quote a cell. Where
    somebody debugs the step, pdb opens first.
    """
    start_logging()
    atexit.register(_say_no_more)
    gc.freeze()  # what is imported by now stays to the end, where the collector would go through it once more
    try:
        main(sys.argv[1:])
    except StepError as error:
        debugger.show_first(debugger.arisen(error))
        write_message(str(error))
        log.error("%s", " ".join(str(error).split()))  # noqa: TRY400 - the message is the whole story
        sys.exit(1)
    except SystemExit as end:
        if end.code == USAGE:
            write_message(f"{Path(sys.argv[0]).name} does not take the arguments it was given; see the step's log")
        raise
    except Exception as error:  # noqa: BLE001 - the seam at which every error ends
        debugger.show_first(error)
        write_message(f"{failure.name(error)} in {Path(sys.argv[0]).name}; see the step's log")
        for line in describe(error).splitlines():
            log.error("%s", line)  # noqa: TRY400 - the traceback would tell the error's text
        sys.exit(1)
    sys.exit(0)


def _say_no_more() -> None:
    """Let a log end with what the step said: DuckDB reports in 40 lines what is left to the system to free."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def start_logging() -> None:
    """Log to stderr, each record as one line whatever its names hold."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_keep_to_one_line)
    logging.basicConfig(level=logging.INFO, handlers=[handler], format="%(asctime)s %(levelname)s %(message)s")


def _keep_to_one_line(record: logging.LogRecord) -> bool:
    record.msg, record.args = contract.escape_controls(record.getMessage()), None
    return True


def describe(error: BaseException) -> str:
    """Return type and frames of an error and of what caused it, the last one first, without their texts."""
    told = ((type(each).__name__, traceback.format_tb(each.__traceback__)) for each in _chain(error))
    return "caused by ".join(f"{name}\n{''.join(frames)}" for name, frames in told).rstrip()


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen:
        seen.append(following)
        yield following
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)


def write_message(text: str) -> None:
    """Write the line that becomes the job's ExitMessage: UTF-8, at most 1 KB."""
    folder = contract.ml_root() / "output"
    folder.mkdir(parents=True, exist_ok=True)
    line = contract.escape_controls(" ".join(text.split())).encode()[: contract.MESSAGE_LIMIT]
    (folder / "message").write_text(line.decode(errors="ignore"), encoding="utf-8")


def read_settings() -> dict[str, Any]:
    """Return this step's slice of the settings."""
    settings: dict[str, Any] = read_json(contract.input_dir(contract.IN_SETTINGS) / contract.SETTINGS_FILE)
    return settings


def read_json(path: Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` in the one JSON form of the project, making the folder where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(contract.to_json(value), encoding="utf-8")
