"""What differs between the deployed pipeline definition and a compiled one, in the words of its author. Pure.

Steps that changed in the same way are named together: a new image is one line, not one per model.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from steps import contract

Json = Mapping[str, Any]
BRANCHES = ("IfSteps", "ElseSteps")
_ASPECTS = {
    "image": ("AppSpecification", "ImageUri"),
    "arguments": ("AppSpecification", "ContainerArguments"),
    "entrypoint": ("AppSpecification", "ContainerEntrypoint"),
    "instance": ("ProcessingResources",),
    "environment": ("Environment",),
    "outputs": ("ProcessingOutputConfig",),
    "network": ("NetworkConfig",),
    "role": ("RoleArn",),
    "longest run": ("StoppingCondition",),
    "tags": ("Tags",),
}
"""What a step's arguments are called in a plan, by where they lie."""
_SHOWN_LENGTH = 60


@dataclass(frozen=True)
class DefinitionDiff:
    """Steps added, removed and changed, and parameters changed; `unified` is the same as text."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, tuple[str, ...]]
    parameters: tuple[str, ...]
    unified: str

    @property
    def empty(self) -> bool:
        """Tell whether both definitions are the same."""
        return not self.unified

    def lines(self) -> list[str]:
        """Return the difference for people, one line per way in which steps changed."""
        together: dict[tuple[str, ...], list[str]] = {}
        for step, aspects in self.changed.items():
            together.setdefault(aspects, []).append(step)
        found = [f"+ steps {', '.join(self.added)}"] if self.added else []
        found += [f"- steps {', '.join(self.removed)}"] if self.removed else []
        found += [f"~ {', '.join(steps)}: {', '.join(aspects)}" for aspects, steps in together.items()]
        return [*found, *(f"~ parameter {line}" for line in self.parameters)]


def difference(deployed: Json | None, compiled: Json) -> DefinitionDiff:
    """Return what a compiled definition changes of the deployed one; None if nothing is deployed."""
    old_steps, new_steps = _steps(deployed or {}), _steps(compiled)
    both = [name for name in new_steps if name in old_steps and new_steps[name] != old_steps[name]]
    return DefinitionDiff(
        added=tuple(name for name in new_steps if name not in old_steps),
        removed=tuple(name for name in old_steps if name not in new_steps),
        changed={name: tuple(_changes(old_steps[name], new_steps[name])) for name in both},
        parameters=tuple(_parameters(deployed or {}, compiled)),
        unified=_unified(deployed, compiled),
    )


def step_names(definition: Json) -> tuple[str, ...]:
    """Return the names of all steps, those inside of branches included, in the order of the graph."""
    return tuple(_steps(definition))


def _steps(definition: Json) -> dict[str, dict[str, Any]]:
    """Return every step by its name, without the steps inside of it."""
    return dict(_walk(definition.get("Steps", ()), ""))


def _walk(steps: Any, branch: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for step in steps:
        arguments = step.get("Arguments", {})
        own = {key: value for key, value in arguments.items() if key not in BRANCHES}
        yield step["Name"], {**step, "Arguments": own, "branch": branch}
        for key in BRANCHES:
            yield from _walk(arguments.get(key) or (), f"{step['Name']}.{key}")


def _changes(old: Json, new: Json) -> Iterator[str]:
    """Yield what changed of one step, in words."""
    before, after = old["Arguments"], new["Arguments"]
    for word, path in _ASPECTS.items():
        yield from _change(word, _at(before, path), _at(after, path))
    yield from _input_changes(before, after)
    known = {path[0] for path in _ASPECTS.values()} | {"ProcessingInputs"}
    for key in sorted({*before, *after} - known):
        yield from _change("settings" if key == contract.KEY_SETTINGS else key, before.get(key), after.get(key))
    for key in sorted({*old, *new} - {"Arguments", "Name"}):
        yield from _change(key, old.get(key), new.get(key))


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = (document or {}).get(key)
    return document


def _change(word: str, old: Any, new: Any) -> Iterator[str]:
    if old != new:
        yield f"{word}{_transition(word, old, new)}"


def _transition(word: str, old: Any, new: Any) -> str:
    """Return `old -> new` where both are short enough to be read."""
    if word == "image":
        return f" {_short_image(old)} -> {_short_image(new)}"
    if word == "instance":
        old, new = (_at(value, ("ClusterConfig", "InstanceType")) for value in (old, new))
    plain = isinstance(old, str | int | float) and isinstance(new, str | int | float) and old != new
    shown = f" {old} -> {new}"
    return shown if plain and len(shown) <= _SHOWN_LENGTH else ""


def _short_image(uri: Any) -> str:
    """Return the tag or the first characters of the digest of an image."""
    text = str(uri)
    return text.partition("@sha256:")[2][:12] or text.rpartition(":")[2][:_SHOWN_LENGTH]


def _input_changes(before: Json, after: Json) -> Iterator[str]:
    old, new = (
        {i.get("InputName"): i for i in arguments.get("ProcessingInputs") or ()} for arguments in (before, after)
    )
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            own = name in (contract.IN_CODE, contract.IN_SETTINGS)
            yield str(name) if own else f"input {name}"


def _parameters(deployed: Json, compiled: Json) -> Iterator[str]:
    old, new = ({p["Name"]: p for p in definition.get("Parameters", ())} for definition in (deployed, compiled))
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield f"{name}: {_declared(old.get(name))} -> {_declared(new.get(name))}"


def _declared(parameter: Json | None) -> str:
    if parameter is None:
        return "none"
    default = f" = {parameter['DefaultValue']}" if "DefaultValue" in parameter else ""
    choices = f" of {', '.join(map(str, parameter['EnumValues']))}" if "EnumValues" in parameter else ""
    return f"{parameter.get('Type')}{default}{choices}"


def _unified(deployed: Json | None, compiled: Json) -> str:
    old = _canonical(deployed) if deployed is not None else ""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), _canonical(compiled).splitlines(keepends=True), "deployed", "compiled"
    )
    return "".join(lines)


def _canonical(definition: Json) -> str:
    return json.dumps(definition, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
