"""What a marker's body means and how a refusal is mailed: the rules of the trigger on AWS, by its own code.

Connects `lambda_trigger` to a folder on this machine; nothing of it is known to the rest of this package.
"""

from __future__ import annotations

import functools
import io
from datetime import UTC, datetime
from pathlib import Path

from lambda_trigger import mails, overrides, rawfolder
from lambda_trigger.definition import Parameter
from lambda_trigger.folders import OUTBOX_DIR, SCRATCH_DIR, FolderNotifier
from lambda_trigger.languages import language_of
from lambda_trigger.overrides import Body, Limits
from lambda_trigger.ports import NotifyError
from lambda_trigger.text import format_time
from pipelines import slices
from pipelines.errors import ParameterError
from pipelines.local.step import Definition
from pipelines.settings import Settings
from steps.contract import DataFile

READ = overrides.BODY_LIMIT + 1
"""Bytes of a marker that are read: as many as tell that there are too many."""
REFUSED = "refused"


@functools.lru_cache(maxsize=1024)  # a body that waits for files is asked again and again
def _read(body: bytes) -> tuple[Body, tuple[str, ...]]:
    found, problems = overrides.read(body)
    return found, tuple(problems)


def misread(body: bytes) -> tuple[str, ...]:
    """Return what is wrong with the form of a marker's body."""
    return _read(body)[1]


def mode_of(body: bytes) -> str:
    """Return whether a body asks for all of the pipeline, or to score only."""
    return _read(body)[0].mode


def missing(body: bytes, place: str, files: tuple[DataFile, ...]) -> list[str]:
    """Return which files that a body promises are not in the raw folder `place`, or have another size."""
    return rawfolder.check_promised(rawfolder.RawFolder(place, files), _read(body)[0].files)


def choose(body: bytes, definition: Definition, config: Settings) -> dict[str, str]:
    """Return the values that a body gives to pipeline parameters.

    Raises:
        ParameterError: it cannot be read, or gives what the pipeline does not take.
    """
    found, problems = _read(body)
    declared = tuple(
        Parameter(known.name, known.type, known.default, tuple(map(str, known.choices)))
        for known in definition.parameters
    )
    values, wrong = overrides.check(found.values, Limits(declared, slices.max_time_limit(config)))
    if problems or wrong:
        raise ParameterError(*problems, *wrong)
    return values


def mail_refusal(workspace: Path, config: Settings, execution: str, marker: str, problems: tuple[str, ...]) -> str:
    """Keep the mail that a marker has started nothing in the outbox, once for each; return what went wrong with that.

    `execution` is the ID of the execution that there might have been.
    """
    if is_mailed(workspace, execution, REFUSED):
        return ""
    language = language_of(config.language)
    when = format_time(datetime.now(UTC), config.timezone, language)
    mail = mails.refused(config.pipeline.name, marker, when, problems, language)
    notifier = FolderNotifier(workspace / OUTBOX_DIR, io.StringIO(), workspace / SCRATCH_DIR)
    try:
        notifier.publish(mail.subject, mail.body, mail.context(execution, REFUSED))
    except NotifyError as error:
        return str(error)
    return ""


def is_mailed(workspace: Path, execution: str, kind: str) -> bool:
    """Tell whether the outbox has a mail of a kind for an execution."""
    return any((workspace / OUTBOX_DIR / execution).glob(f"*-{kind}.txt"))
