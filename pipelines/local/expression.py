"""The grammar of a definition's expressions: Get, Std:Join, Std:JsonGet and the JSON paths inside them.

Pure, and without values: `document` refuses with it what the engine does not know, `schedule` finds dependencies
with it, `values` computes with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.errors import nearest

GET = "Get"
JOIN = "Std:Join"
JSON_GET = "Std:JsonGet"
FUNCTIONS = (GET, JOIN, JSON_GET)
EXECUTION_VARIABLES = (
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "PipelineName",
    "PipelineArn",
    "StartDateTime",
)
"""`CurrentDateTime` is missing on purpose: it would differ between a run and its resumption."""

_STEP = r"Steps\.(?P<step>[A-Za-z0-9_-]+)"
_NAME = r"\[(?P<quote>['\"])(?P<name>[^'\"]+)(?P=quote)\]"
_FORMS = {
    "parameter": re.compile(r"Parameters\.(?P<name>[A-Za-z0-9_-]+)"),
    "execution": re.compile(r"Execution\.(?P<name>\w+)"),
    "output": re.compile(_STEP + r"\.ProcessingOutputConfig\.Outputs" + _NAME + r"\.S3Output\.S3Uri"),
    "result": re.compile(_STEP + r"\.OutputParameters" + _NAME),
    "outcome": re.compile(_STEP + r"\.(?P<name>Outcome)"),
    "property file": re.compile(_STEP + r"\.PropertyFiles\.(?P<name>.+)"),
}
_PATH_PART = re.compile(
    r"\.?(?P<key>[^.\[\]'\"]+)|\[(?P<index>\d+)\]|\[(?P<quote>['\"])(?P<quoted>[^'\"]+)(?P=quote)\]"
)


@dataclass(frozen=True)
class Reference:
    """What a Get names: `kind` is a key of `_FORMS`, `step` is empty for parameters and execution variables."""

    kind: str
    step: str
    name: str


def parse_reference(text: Any) -> Reference | None:
    """Return what the text of a Get names, or None where that is nothing the engine knows."""
    for kind, form in _FORMS.items():
        if isinstance(text, str) and (match := form.fullmatch(text)):
            return Reference(kind, match.groupdict().get("step") or "", match["name"])
    return None


def parse_path(text: Any) -> tuple[str | int, ...] | None:
    """Return the keys and indexes of a JSON path such as `a.b[0]['c d']`, or None where it is no such path."""
    if not isinstance(text, str) or not text:
        return None
    rest, parts = text.removeprefix("$"), list[str | int]()
    while rest:
        match = _PATH_PART.match(rest)
        if not match:
            return None
        parts.append(int(match["index"]) if match["index"] else match["key"] or match["quoted"])
        rest = rest[match.end() :]
    return tuple(parts) or None


def function_of(value: Any) -> str | None:
    """Return the function that an expression calls; None for a plain value."""
    if isinstance(value, Mapping) and len(value) == 1:
        name = str(next(iter(value)))
        return name if name in FUNCTIONS or name.startswith("Std:") else None
    return None


def references(value: Any) -> Iterator[Reference]:
    """Yield every reference inside a value, however deep."""
    if function_of(value) == GET:
        found = parse_reference(value[GET])
        yield from [found] if found else []
        return
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for part in parts:
        yield from references(part)


def check(value: Any) -> Iterator[str]:
    """Yield what is wrong with one expression that has to result in a scalar."""
    if isinstance(value, str | int | float):
        return
    name = function_of(value)
    if name == GET:
        yield from _check_get(value[GET])
    elif name == JOIN:
        yield from _check_join(value[JOIN])
    elif name == JSON_GET:
        yield from _check_json_get(value[JSON_GET])
    elif name:
        yield f"unknown function {name!r}{nearest(name, FUNCTIONS)}; the local engine knows {', '.join(FUNCTIONS)}"
    else:
        yield "found a list, an object or null where one text, number or boolean is expected"


def _check_get(text: Any) -> Iterator[str]:
    found = parse_reference(text)
    if found is None or found.kind == "property file":
        yield f"the local engine cannot resolve Get {text!r}"
    elif found.kind == "execution" and found.name not in EXECUTION_VARIABLES:
        known = ", ".join(EXECUTION_VARIABLES)
        yield f"the local engine does not know Execution.{found.name}; use one of {known}"


def _check_join(body: Any) -> Iterator[str]:
    if not isinstance(body, Mapping) or set(body) - {"On", "Values"} or not isinstance(body.get("Values"), list):
        yield f"{JOIN} needs a list of Values and the text On"
        return
    if not isinstance(body.get("On", ""), str):
        yield f"{JOIN}: On is no text"
    for value in body["Values"]:
        yield from check(value)


def _check_json_get(body: Any) -> Iterator[str]:
    if not isinstance(body, Mapping) or set(body) not in ({"PropertyFile", "Path"}, {"S3Uri", "Path"}):
        yield f"{JSON_GET} needs Path and either PropertyFile or S3Uri"
        return
    if parse_path(body["Path"]) is None:
        yield f"{JSON_GET}: {body['Path']!r} is no path such as metrics.mae or models[0]['a b']"
    if "S3Uri" in body:
        yield from check(body["S3Uri"])
        return
    file = body["PropertyFile"]
    found = parse_reference(file.get(GET)) if isinstance(file, Mapping) else None
    if found is None or found.kind != "property file":
        yield f"{JSON_GET}: PropertyFile is not of the form {{'Get': 'Steps.<step>.PropertyFiles.<name>'}}"
