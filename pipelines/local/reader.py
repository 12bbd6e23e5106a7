"""Reads untrusted JSON objects and notes everything that is wrong with them, instead of raising at the first.

Pure. `document` and `job` are written on top of it; what a key means is theirs to know.
"""

from __future__ import annotations

from typing import Any

from pipelines.errors import nearest

HUGE = 2**63
"""No number of a definition is as large."""


class Reader:
    """One JSON object of a definition, with the path to it for messages and the list that collects problems."""

    def __init__(self, value: Any, where: str, problems: list[str]) -> None:
        self.where = where
        self.problems = problems
        if not isinstance(value, dict):
            self.note(f"found {_kind(value)}, expected an object")
        self.value: dict[str, Any] = value if isinstance(value, dict) else {}

    def note(self, problem: str) -> None:
        """Note a problem of this object."""
        self.problems.append(f"{self.where}: {problem}")

    def allow(self, *keys: str) -> None:
        """Note every key that is not one of `keys`: it could change the meaning of what is run."""
        for key in sorted(set(self.value) - set(keys)):
            self.note(f"the local engine does not know the key {key!r}{nearest(key, keys)}")

    def expect(self, key: str, legal: tuple[str, ...], default: str) -> str:
        """Return the text at `key`, which has to be one of `legal`."""
        found = self.value.get(key) or default
        if found not in legal:
            self.note(f"{key} is {found!r}; the local engine runs {' or '.join(legal)}")
            return default
        return str(found)

    def text(self, key: str, default: str | None = None) -> str:
        """Return the text at `key`; without a default it has to be there."""
        found = default if self.value.get(key) is None else self.value[key]
        if not isinstance(found, str):
            self.note(f"{key} is {_kind(found)}, expected a text")
            return ""
        return found

    def number(self, key: str, default: float | None = None) -> float | None:
        """Return the number at `key`."""
        found = default if self.value.get(key) is None else self.value[key]
        if found is not None and (isinstance(found, bool) or not isinstance(found, int | float)):
            self.note(f"{key} is {_kind(found)}, expected a number")
            return default
        if found is not None and not abs(found) < HUGE:
            self.note(f"{key} is infinite or far too large, expected a number")
            return default
        return found

    def items(self, key: str) -> list[Any]:
        """Return the list at `key`; an absent one is empty."""
        found = self.value.get(key)
        if found is not None and not isinstance(found, list):
            self.note(f"{key} is {_kind(found)}, expected a list")
        return found if isinstance(found, list) else []

    def child(self, key: str) -> Reader:
        """Return a reader of the object at `key`; an absent one is empty."""
        return Reader(self.value.get(key) or {}, f"{self.where}: {key}", self.problems)

    def children(self, key: str) -> list[Reader]:
        """Return a reader for each object of the list at `key`."""
        where = f"{self.where}: {key}"
        return [Reader(item, f"{where}[{n}]", self.problems) for n, item in enumerate(self.items(key))]


def _kind(value: Any) -> str:
    names = {type(None): "nothing", bool: "a boolean", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")
