"""Service limits and mistakes for which a definition is refused before any call. Pure: JSON in, sentences out.

Every sentence names the step and the setting to change. Bounds are those of botocore's SageMaker model (2017-07-24) and
the developer guide; the step ceiling is a setting because an account's quota can be raised.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

STEP_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
MOST_INPUTS = 10
MOST_OUTPUTS = 10
MOST_ARGUMENTS = 100
ARGUMENT_CHARACTERS = 256
MOST_ENVIRONMENT = 100
ENVIRONMENT_CHARACTERS = 256
MOST_LAMBDA_OUTPUTS = 50
MOST_PARAMETERS = 200
INLINE_CHARACTERS = 1_048_576
REFERENCE = re.compile(r"^Steps\.([A-Za-z0-9\-_]+)\.")

Json = Mapping[str, Any]


def check(definition: Json) -> list[str]:
    """Return every mistake of a definition but its number of steps and its size."""
    listed = definition.get("Steps") or []
    steps = dict(_walk(listed, ()))
    found = [*_parameters(definition), *_names(listed)]
    types = {parameter["Name"]: parameter.get("Type") or "String" for parameter in definition.get("Parameters") or ()}
    for step, branch in steps.values():
        found += _step(step, types)
        found += _references(step, branch, steps)
    return found


def count_steps(definition: Json) -> int:
    """Return the number of steps, those of both branches."""
    return sum(1 for _ in _walk(definition["Steps"], ()))


def check_ceiling(definition: Json, step_ceiling: int) -> list[str]:
    """Return what is wrong with the number of steps."""
    count = count_steps(definition)
    if count <= step_ceiling:
        return []
    return [
        f"the definition has {count} steps, more than step_ceiling: {step_ceiling}, however its "
        "models share jobs; raise step_ceiling if the account's quota allows it"
    ]


def check_size(text: str) -> list[str]:
    """Return what is wrong with the size of the definition's text."""
    if len(text) <= INLINE_CHARACTERS:
        return []
    return [
        f"the definition has {len(text)} characters, more than the service's {INLINE_CHARACTERS}, "
        "however its models share jobs; have fewer and shorter parameters and tags"
    ]


def _walk(steps: list[Json], branch: tuple[str, ...]) -> Iterator[tuple[str, tuple[Json, tuple[str, ...]]]]:
    """Yield every step by name with the branch it lies in (empty outside of any)."""
    for step in steps:
        yield step["Name"], (step, branch)
        if step["Type"] == "Condition":
            for side in ("IfSteps", "ElseSteps"):
                yield from _walk(_arguments(step).get(side) or [], (*branch, f"{step['Name']}.{side}"))


def _names(steps: list[Json]) -> Iterator[str]:
    names = Counter(name for name, _ in _walk(steps, ()))
    for name, count in names.items():
        if not STEP_NAME.fullmatch(name):
            yield f"step {name!r}: a name has 1 to 64 of A-Z a-z 0-9 - _; shorten or rename the model"
        if count > 1:
            yield f"step {name!r}: the name stands {count} times; rename one of the models or steps"


def _parameters(definition: Json) -> Iterator[str]:
    parameters = definition.get("Parameters") or ()
    if len(parameters) > MOST_PARAMETERS:
        yield f"parameters: {len(parameters)} are declared, the service takes {MOST_PARAMETERS}; remove some"
    for parameter in parameters:
        if len(str(parameter.get("DefaultValue", ""))) > 1024:
            yield f"parameters.{parameter['Name']}: the default has more than 1024 characters; shorten it"


def _step(step: Json, types: Mapping[str, str]) -> Iterator[str]:
    if step["Type"] == "Processing":
        yield from _processing(step, types)
    elif step["Type"] == "Lambda":
        yield from _lambda(step)


def _processing(step: Json, types: Mapping[str, str]) -> Iterator[str]:
    name, arguments = step["Name"], _arguments(step)
    inputs = arguments.get("ProcessingInputs") or []
    outputs = (arguments.get("ProcessingOutputConfig") or {}).get("Outputs") or []
    if len(inputs) > MOST_INPUTS:
        yield f"step {name}: {len(inputs)} inputs, a job takes {MOST_INPUTS}; give one S3 prefix that holds them all"
    if len(outputs) > MOST_OUTPUTS:
        yield f"step {name}: {len(outputs)} outputs, a job takes {MOST_OUTPUTS}; write several into one output"
    yield from _container_arguments(name, arguments["AppSpecification"].get("ContainerArguments") or [], types)
    yield from _environment(name, arguments.get("Environment") or {}, types)


def _container_arguments(name: str, arguments: list[Any], types: Mapping[str, str]) -> Iterator[str]:
    if len(arguments) > MOST_ARGUMENTS:
        yield f"step {name}: {len(arguments)} arguments, a job takes {MOST_ARGUMENTS}; put them into the settings slice"
    for position, value in enumerate(arguments):
        place = f"step {name}: argument {position + 1}"
        if value == "":
            yield f"{place} is empty, which the service refuses; leave it out"
        if isinstance(value, str) and len(value) > ARGUMENT_CHARACTERS:
            yield f"{place} has {len(value)} characters, a job takes {ARGUMENT_CHARACTERS}; use the settings slice"
        yield from _as_text(place, value, types)


def _environment(name: str, environment: Mapping[str, Any], types: Mapping[str, str]) -> Iterator[str]:
    if len(environment) > MOST_ENVIRONMENT:
        yield f"step {name}: {len(environment)} environment entries, a job takes {MOST_ENVIRONMENT}; have fewer"
    for key, value in environment.items():
        place = f"step {name}: environment {key}"
        if isinstance(value, str) and len(value) > ENVIRONMENT_CHARACTERS:
            yield f"{place} has {len(value)} characters, the service takes {ENVIRONMENT_CHARACTERS}; shorten it"
        yield from _as_text(place, value, types)


def _as_text(place: str, value: Any, types: Mapping[str, str]) -> Iterator[str]:
    """Refuse what is not a string when the job starts: numbers, and parameters of another type than String."""
    if isinstance(value, Mapping):
        parameter = str(value.get("Get", "")).removeprefix("Parameters.")
        if types.get(parameter, "String") != "String":
            yield f"{place} is the {types[parameter]} parameter {parameter}; wrap it with text() so that it is a string"
    elif not isinstance(value, str):
        yield f"{place} is a {type(value).__name__}; write it as a string"


def _lambda(step: Json) -> Iterator[str]:
    name, outputs = step["Name"], step.get("OutputParameters") or []
    if len(outputs) > MOST_LAMBDA_OUTPUTS:
        yield f"step {name}: {len(outputs)} outputs, a Lambda step returns {MOST_LAMBDA_OUTPUTS}; split the step"
    for key, value in _arguments(step).items():
        if isinstance(value, list) or (isinstance(value, Mapping) and not _is_expression(value)):
            yield f"step {name}: input {key} is not a scalar; pass flat strings and numbers, or a URI of a file"


def _is_expression(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)) in ("Get", "Std:Join", "Std:JsonGet")


def _references(
    step: Json, branch: tuple[str, ...], steps: Mapping[str, tuple[Json, tuple[str, ...]]]
) -> Iterator[str]:
    """Refuse references to steps that are not there, or that lie in another branch of a condition."""
    for target in sorted({*(step.get("DependsOn") or ()), *_targets(_own(step))}):
        if target not in steps:
            yield f"step {step['Name']}: refers to step {target}, which is not in the definition; add it"
        elif steps[target][1] != branch[: len(steps[target][1])]:
            yield (
                f"step {step['Name']}: refers to step {target} in another branch of a condition, which never runs "
                "together with it; give each branch a step of its own"
            )


def _own(step: Json) -> Json:
    """Return a step without the steps of its branches, which are checked by themselves."""
    if step["Type"] != "Condition":
        return step
    return {**step, "Arguments": {"Conditions": _arguments(step).get("Conditions")}}


def _arguments(step: Json) -> Json:
    found: Json = step.get("Arguments") or {}
    return found


def _targets(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        got = REFERENCE.match(value["Get"]) if isinstance(value.get("Get"), str) else None
        if got:
            yield got.group(1)
        for item in value.values():
            yield from _targets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _targets(item)
