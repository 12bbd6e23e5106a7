"""The deployed definition, as far as events need it: parameters, where the settings are, which segment a step serves.

Pure. The definition is the only record of what is deployed; nothing else could disagree with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lambda_trigger.ports import ExecutionError, Scalar
from steps import contract


@dataclass(frozen=True)
class Parameter:
    """A declared pipeline parameter; a start must give one that has no default."""

    name: str
    type: str
    default: Scalar | None
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Definition:
    """What an event needs to know of a definition; `segments` has the slug of the model that a step serves."""

    parameters: tuple[Parameter, ...]
    settings_uri: str
    segments: Mapping[str, str]


def parse(text: str) -> Definition:
    """Return what a definition's JSON says.

    Raises:
        ExecutionError: the text is no definition of this project.
    """
    try:
        found = json.loads(text)
        steps = tuple(_walk(found["Steps"]))
        parameters = tuple(map(_parameter, found.get("Parameters", ())))
        segments = {step["Name"]: _segment(step) for step in steps}
    except (ValueError, KeyError, TypeError) as error:
        raise ExecutionError(f"the deployed definition cannot be read ({error!r}); deploy again") from error
    uris = {uri for step in steps if (uri := _settings_uri(step))}
    if len(uris) != 1:
        raise ExecutionError(
            f"the deployed definition names {len(uris)} settings of Lambda steps, not one; deploy again"
        )
    return Definition(parameters, uris.pop(), {name: slug for name, slug in segments.items() if slug})


def _walk(steps: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield every step, those inside branches too."""
    for step in steps:
        yield step
        if step["Type"] == "Condition":
            for side in ("IfSteps", "ElseSteps"):
                yield from _walk(step["Arguments"].get(side) or [])


def _parameter(found: Mapping[str, Any]) -> Parameter:
    choices = tuple(map(str, found.get("EnumValues") or ()))
    return Parameter(found["Name"], found["Type"], found.get("DefaultValue"), choices)


def _settings_uri(step: Mapping[str, Any]) -> str:
    """Return the URI of a Lambda step's settings, which is constant: a text, or texts to be joined."""
    value = step.get("Arguments", {}).get(contract.KEY_SETTINGS) if step["Type"] == "Lambda" else None
    if isinstance(value, Mapping) and "Std:Join" in value:
        parts = value["Std:Join"]["Values"]
        return str(value["Std:Join"].get("On", "")).join(parts) if all(isinstance(p, str) for p in parts) else ""
    return value if isinstance(value, str) else ""


def _segment(step: Mapping[str, Any]) -> str:
    tags = step.get("Arguments", {}).get("Tags") or ()
    return next((str(tag["Value"]) for tag in tags if tag["Key"] == "segment"), "")
