"""One line of an event log, checked value by value before a run goes on from it.

Pure. `history` reads and writes the log; whatever does not have the form that it writes makes a line damaged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pipelines.local.record import (
    CACHED,
    EXECUTING,
    FAILED,
    SKIPPED,
    STARTED,
    STARTING,
    STOPPED,
    SUCCEEDED,
    FileRecord,
    StepRecord,
)

LATEST = 1e12
"""Seconds since the epoch that no clock shows."""

Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LATEST


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _is_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_scalars(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_scalar, value.values()))


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _or_nothing(check: Check) -> Check:
    return lambda value: value is None or check(value)


_STATUS: Check = (STARTING, EXECUTING, SUCCEEDED, FAILED, SKIPPED, CACHED, STARTED, STOPPED).__contains__
_EXECUTION: Mapping[str, Check] = {
    "execution": _STATUS,
    "at": _is_number,
    "parameters": _is_scalars,
    "pipeline": _is_text,
    "source": _or_nothing(_is_text),
    "selected": _or_nothing(_is_list),
    "parallelism": _or_nothing(_is_number),
    "use_cache": _is_switch,
}
_STEP: Mapping[str, Check] = {"step": _is_text, "status": _STATUS, "at": _is_number}
_RECORD: Mapping[str, Check] = {
    **dict.fromkeys(("name", "type", "reason"), _is_text),
    "status": _STATUS,
    **dict.fromkeys(("started", "seconds"), _is_number),
    "cached": _is_switch,
    "peak_memory_mb": _or_nothing(_is_number),
    "outputs": _is_texts,
    "results": _is_scalars,
    "log": _or_nothing(_is_text),
}
_FILE: Mapping[str, Check] = {"uri": _is_text, "sha256": _is_text, "size": _is_scalar}


def parse_event(line: bytes) -> dict[str, Any]:
    """Return the transition that a line tells.

    ValueError, KeyError, TypeError, AttributeError and RecursionError tell that it is damaged.
    """
    event = json.loads(line)
    shape, needed = (_EXECUTION, ("execution", "at")) if "execution" in event else (_STEP, ("step", "status", "at"))
    _check(event, shape)
    return {**event, **{key: event[key] for key in needed}}


def parse_record(content: Mapping[str, Any]) -> StepRecord:
    """Return the record of a step that has ended; errors as of `parse_event`."""
    _check(content, _RECORD)
    for item in content["files"]:
        _check(item, _FILE)
    return StepRecord(**{**content, "files": tuple(FileRecord(**item) for item in content["files"])})


def _check(content: Mapping[str, Any], shape: Mapping[str, Check]) -> None:
    wrong = [key for key, check in shape.items() if key in content and not check(content[key])]
    if wrong:
        raise TypeError(f"{wrong[0]} is of another kind")
