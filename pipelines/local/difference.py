"""What differs between two runs of a step, part by part.

Pure. Names of inputs mean nothing here: who knows what they hold says it in words (`World.explain`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.local.cachekey import Components

INPUT, ARGUMENT, ENVIRONMENT, IMAGE, LIBRARY = "input", "argument", "environment", "image", "library"
COMMAND, INSTANCES, OUTPUT = "command", "instances", "output"
PARTS = ("image", "entrypoint", "arguments", "environment", "instances")
"""Parts of a step, beside its inputs, that may have to wait for other steps."""
_MOST = 40
"""Characters of a value in a message."""


@dataclass(frozen=True)
class Change:
    """One part that differs: for an input `details` are the files, `keys` what differs in its JSON files."""

    part: str
    name: str
    details: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


Explain = Callable[[str, Sequence[Change]], str]
"""Says in words, for a step, what changed."""


def compare(old: Components, new: Components, unknown: Collection[str] = ()) -> tuple[Change, ...]:
    """Return what differs; `unknown` are parts of `new` and names of its inputs of which nothing can be said yet."""
    libraries = list(_values(LIBRARY, _versions(old.libraries), _versions(new.libraries)))
    if not libraries and old.libraries != new.libraries:
        libraries.append(Change(LIBRARY, "list", ("in another order or form",)))
    changes = [
        *_inputs(old, new, unknown),
        *(_flags(old.arguments, new.arguments) if "arguments" not in unknown else ()),
        *(_values(ENVIRONMENT, old.environment, new.environment) if "environment" not in unknown else ()),
        *libraries,
    ]
    plain = {"image": IMAGE, "entrypoint": COMMAND, "instances": INSTANCES, "outputs": OUTPUT}
    for field, part in plain.items():
        if field not in unknown and getattr(old, field) != getattr(new, field):
            changes.append(Change(part, part))
    return tuple(changes)


def _inputs(old: Components, new: Components, unknown: Collection[str]) -> Iterator[Change]:
    for name in sorted({*old.inputs, *new.inputs} - set(unknown)):
        before, after = old.inputs.get(name), new.inputs.get(name)
        if before != after:
            files = (before.files if before else {}, after.files if after else {})
            yield Change(INPUT, name, tuple(_differing(*files)))


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in {*old, *new} if old.get(key) != new.get(key))


def _flags(old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    yield from _values(ARGUMENT, _named(old), _named(new))


def _named(arguments: Sequence[str]) -> dict[str, str]:
    """Return arguments by the flag before them, others by their position."""
    found: dict[str, str] = {}
    flag = ""
    for number, word in enumerate(arguments, start=1):
        if word.startswith("--"):
            flag, found[word] = word, ""
        elif flag:
            found[flag], flag = word, ""
        else:
            found[f"number {number}"] = word
    return found


def _versions(libraries: Sequence[str]) -> dict[str, str]:
    return {name: version for name, _, version in (line.partition(" ") for line in libraries)}


def _values(part: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in _differing(old, new):
        yield Change(part, name, (_arrow(old.get(name, "none"), new.get(name, "none")),))


def _arrow(old: Any, new: Any) -> str:
    return f"{_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return f"{len(value)} entries"
    text = str(value)
    return text if len(text) <= _MOST else text[: _MOST - 3] + "..."


def json_changes(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Yield the keys whose values differ, such as `training.seed (0 -> 1)`; entries of a list by their `name`."""
    before, after = _items(old), _items(new)
    if before is None or after is None:
        if old != new:
            yield f"{where or 'all of it'} ({_arrow(old, new)})"
        return
    for key in [*before, *(key for key in after if key not in before)]:
        path = f"{where}.{key}" if where else key
        if key not in before:
            yield f"{path} (added)"
        elif key not in after:
            yield f"{path} (removed)"
        else:
            yield from json_changes(before[key], after[key], path)


def _items(value: Any) -> dict[str, Any] | None:
    """Return the entries of an object, or of a list of named objects; None for what is shown as a whole."""
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, list) and value and all(isinstance(item, Mapping) and "name" in item for item in value):
        return {str(item["name"]): item for item in value}
    return None


def say_plainly(step: str, changes: Sequence[Change]) -> str:
    """Say what changed for whoever knows nothing of what the inputs hold."""
    del step
    return "; ".join(f"{change.part} changed: {change.name}" for change in changes)
