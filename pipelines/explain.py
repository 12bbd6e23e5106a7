"""Says in words why a step runs or does not: what the engine compares by name, people know as data, code, settings.

Pure. Progress shows a sentence per step that runs, `--plan --explain` one for every step.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipelines import textgrid
from pipelines.local import difference, forecast
from pipelines.local.difference import Change
from pipelines.local.forecast import Forecast
from steps import contract, hooknames

_MOST = 4
"""Files, keys and libraries that a sentence names."""
_NOUNS = {
    contract.IN_CODE: "code",
    contract.IN_SETTINGS: "settings",
    contract.IN_PREPARED: "rows of the segment",
    contract.IN_PREDICT: "rows to predict",
    contract.IN_PARTS: "rows to predict",
    contract.IN_SCHEMA: "schema of the training data",
    contract.IN_MODEL: "model",
    contract.IN_MANIFEST: "list of raw files",
}
_WITH_FILES = (contract.IN_CODE, contract.IN_RAW)
"""Inputs whose files people know by name."""
_FOLLOWING = ("--version", contract.IN_MANIFEST)
"""What changes with every change of the raw files, and says nothing beside it."""
_ORDER = (difference.INPUT, difference.LIBRARY, difference.ARGUMENT, difference.ENVIRONMENT)


def say_changes(step: str, changes: Sequence[Change]) -> str:
    """Return what changed since the last run of a step, such as `train data changed: north.csv`."""
    telling = [change for change in changes if change.name not in _FOLLOWING] or list(changes)
    ordered = sorted(telling, key=lambda change: _ORDER.index(change.part) if change.part in _ORDER else len(_ORDER))
    libraries = [change for change in ordered if change.part == difference.LIBRARY]
    parts = [_say(step, change) for change in ordered if change not in libraries]
    if libraries:
        names = [f"{change.name} {change.details[0]}" for change in libraries]
        parts.append(f"libraries changed: {_list(names)}")
    return "; ".join(parts)


def _say(step: str, change: Change) -> str:
    match change.part:
        case difference.INPUT:
            return _say_input(step, change)
        case difference.ARGUMENT if change.name == "--raw":
            return "raw folder changed"
        case difference.ARGUMENT:
            return f"argument changed: {change.name} ({change.details[0]})"
        case difference.ENVIRONMENT if change.name.startswith(contract.PARAMETER_PREFIX):
            return f"parameter changed: {change.name.removeprefix(contract.PARAMETER_PREFIX)} ({change.details[0]})"
        case difference.ENVIRONMENT:
            return f"environment changed: {change.name}"
    return f"{change.name} changed"


def _say_input(step: str, change: Change) -> str:
    noun = noun_of(step, change.name)
    if change.name == contract.IN_SETTINGS:
        shown: Sequence[str] = [setting_key(key) for key in change.keys]
    else:
        shown = [code_file(key) for key in change.details] if change.name in _WITH_FILES else ()
    return f"{noun} changed: {_list(shown)}" if shown else f"{noun} changed"


def noun_of(step: str, name: str) -> str:
    """Return what people call an input of a step."""
    if name == contract.IN_RAW:
        return "train data" if step == contract.PREPARE_TRAINING else "prediction data"
    return _NOUNS.get(name, f"input {name!r}")


def is_own(key: str) -> bool:
    """Tell whether a file of a code bundle is one of the user's own."""
    return key.startswith(f"{hooknames.FOLDER}/")


def code_file(key: str) -> str:
    """Return what people call a file of a code bundle: their own by the name they gave it."""
    return key.removeprefix(f"{hooknames.FOLDER}/")


def setting_key(key: str) -> str:
    """Return a key as the config has it: a step's slice holds what is set for one model below `models`."""
    return re.sub(r"^models\.[^(]*?\.training\.", "training.", key)


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def reason(found: Forecast) -> str:
    """Return why a step would run, or not, or why that is not known yet."""
    if found.outcome == forecast.HIT:
        return found.record.reason if found.record else ""
    if found.outcome == forecast.RUNS:
        return found.miss.say(found.step, say_changes)
    if found.outcome == forecast.ALWAYS:
        return _say_always(found)
    inputs = [noun_of(found.step, name) for name in found.open_inputs]
    rest = f": runs only if the {' or the '.join(inputs)} changed" if inputs else ""
    return f"decided once {_list(found.waits_for)} {'have' if len(found.waits_for) > 1 else 'has'} run{rest}"


def _say_always(found: Forecast) -> str:
    if not forecast.is_processing(found):
        return "always runs"
    if found.branch_of:
        return f"caching is off for this step; runs if {found.branch_of} takes its branch"
    return "always runs: caching is off for this step"


def as_json(found: Sequence[Forecast]) -> list[dict[str, Any]]:
    """Return the forecasts for a program."""
    return [
        {
            "step": item.step,
            "type": item.type,
            "outcome": item.outcome,
            "reason": reason(item),
            "waits_for": list(item.waits_for),
        }
        for item in found
    ]


def as_table(found: Sequence[Forecast]) -> str:
    """Return a line for every Processing step, and one for all the others."""
    own = [item for item in found if forecast.is_processing(item)]
    rows = [("step", "cache", "why"), *((item.step, _outcome(item), reason(item)) for item in own)]
    others = [item.step for item in found if item not in own]
    tail = [f"always run: {', '.join(others)}"] if others else []
    return "\n".join([*textgrid.lines(rows), *tail]) + "\n"


def _outcome(found: Forecast) -> str:
    return forecast.RUNS if found.outcome == forecast.ALWAYS else found.outcome
