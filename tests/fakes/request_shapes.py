"""What a request breaks of botocore's model beyond what botocore itself checks: patterns, enumerations and bounds.

The service refuses such a request; botocore sends it. botocore checks types and required members, and lower bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from botocore.model import Shape


def violations(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """Yield what a request breaks, each with its place."""
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, item in value.items():
            yield from violations(shape.members[name], item, f"{path}.{name}")
    elif shape.type_name == "list":
        yield from _out_of_bounds(shape, len(value), f"{path}: {len(value)} items")
        for number, item in enumerate(value):
            yield from violations(shape.member, item, f"{path}[{number}]")
    elif shape.type_name == "map":
        yield from _out_of_bounds(shape, len(value), f"{path}: {len(value)} entries")
        for key, item in value.items():
            yield from violations(shape.key, key, f"{path} key {key}")
            yield from violations(shape.value, item, f"{path}[{key}]")
    elif shape.type_name == "string" and isinstance(value, str):
        yield from _text_violations(shape, value, path)
    elif shape.type_name in ("integer", "long", "float", "double"):
        yield from _out_of_bounds(shape, value, f"{path}: {value}")


def _out_of_bounds(shape: Shape, size: float, found: str) -> Iterator[str]:
    least, most = shape.metadata.get("min", size), shape.metadata.get("max", size)
    if not least <= size <= most:
        yield f"{found}, allowed are {least} to {most}"


def _text_violations(shape: Shape, value: str, path: str) -> Iterator[str]:
    limits = shape.metadata
    yield from _out_of_bounds(shape, len(value), f"{path}: {len(value)} characters")
    if value not in limits.get("enum", [value]):
        yield f"{path}: {value!r} is not in the enum"
    if "pattern" in limits and not re.fullmatch(_python_pattern(limits["pattern"]), value):
        yield f"{path}: {value!r} does not match {limits['pattern']}"


def _python_pattern(pattern: str) -> str:
    """Return a pattern of the service in Python's syntax: Unicode classes, and the odd end of metadata patterns."""
    simple = re.sub(r"\$\{\d+,\d+\}$", "", pattern)

    def widen(found: re.Match[str]) -> str:
        inside = re.sub(r"\\p\{[LNM]\}", r"\\w", found[0].replace(r"\p{Z}", r"\s"))
        return "(?:" + inside.replace(r"\p{S}", "").replace(r"\p{P}", "") + (r"|[^\w\s])" if "{P}" in found[0] else ")")

    return re.sub(r"\[(?:\\.|[^\]])*\\p\{.*?\](?=[*{)])", widen, simple)
