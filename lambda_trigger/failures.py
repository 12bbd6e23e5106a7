"""Why a step failed, in the words of whoever raised the error, and the commands that its message gives. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from lambda_trigger.ports import Step

FAILED, STOPPED = "Failed", "Stopped"
NO_REASON = "no reason was given"
REGISTRY_COMMAND = "python -m pipelines.registry"
LINE_END = "\n"
CUT = "\n... (cut by the service; the log has all of it)"
_HALF_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(u[0-9A-Fa-f]{0,3})?$")
_ERROR_MESSAGE = re.compile(r'"errorMessage"\s*:\s*"((?:[^"\\]|\\.)*)')


def failed_steps(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps that failed, each once, in the order of their beginning."""
    return tuple({step.name: step for step in steps if step.status == FAILED}.values())


def stopped_steps(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the names of the steps that were stopped."""
    return tuple(dict.fromkeys(step.name for step in steps if step.status in (STOPPED, "Stopping")))


def read_reason(text: str) -> str:
    """Return the message of the error that a Lambda function raised, where a step's reason holds its JSON.

    The service cuts long reasons, so the JSON may end anywhere: a command that may have lost its end is left out. The
    stack trace is for the log, not for people.
    """
    found = _ERROR_MESSAGE.search(text)
    if found is None:
        return text
    whole = text[found.end() : found.end() + 1] == '"'
    inside = found[1] if whole else _HALF_ESCAPE.sub(r"\1", found[1])
    try:
        message = str(json.loads(f'"{inside}"', strict=False)).encode("utf-8", "ignore").decode()  # no half letter
    except ValueError:
        return found[1]
    if whole:
        return message
    kept, _, last = message.rpartition(LINE_END)
    return f"{kept if _may_be_command(last) else message}{CUT}"


def _may_be_command(line: str) -> bool:
    words = line.strip()
    return words.startswith("python ") or "python ".startswith(words)


def commands_in(reason: str) -> tuple[str, ...]:
    """Return the registry's commands that a reason says to run first, such as to approve a default model."""
    lines = (line.strip() for line in reason.splitlines())
    return tuple(line for line in lines if line.startswith(REGISTRY_COMMAND))
