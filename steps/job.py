"""How a step runs as a processing job: read its settings, fail with one line, log to stderr.

Standard library only. Every step module is `main(argv)` around a pure core and ends with
`if __name__ == "__main__": job.run(main)`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from steps import contract

log = logging.getLogger(__name__)


class StepError(Exception):
    """The data or the settings do not allow this step to go on; the message says what to change.

    The message names files, columns, rows and counts, never a cell's value.
    """


def run(main: Callable[[Sequence[str]], None]) -> NoReturn:
    """Run a step's `main` on the command line's arguments; a StepError becomes one line and exit code 1."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        main(sys.argv[1:])
    except StepError as error:
        write_message(str(error))
        log.error("%s", " ".join(str(error).split()))  # noqa: TRY400 - the message is the whole story
        sys.exit(1)
    except Exception as error:
        write_message(f"{type(error).__name__} in {Path(sys.argv[0]).name}; see the step's log")
        raise
    sys.exit(0)


def write_message(text: str) -> None:
    """Write the line that becomes the job's ExitMessage: UTF-8, at most 1 KB."""
    folder = contract.ml_root() / "output"
    folder.mkdir(parents=True, exist_ok=True)
    line = " ".join(text.split()).encode(errors="replace")[: contract.MESSAGE_LIMIT]
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
