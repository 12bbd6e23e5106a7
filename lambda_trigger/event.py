"""What an event of AWS says at a path, whatever an event may be. Pure.

Events come from services, and from people who test a function by hand: what a service never leaves out may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_trigger.ports import EventError

_KINDS: Mapping[type, str] = {type(None): "nothing", bool: "a boolean", list: "a list", dict: "an object"}


def value_at(event: object, *path: str) -> Any:
    """Return what stands at a path of keys, or None where there is nothing."""
    for key in path:
        event = event.get(key) if isinstance(event, Mapping) else None
    return event


def text_at(event: object, *path: str) -> str:
    """Return the text at a path of keys.

    Raises:
        EventError: there is none; no service sends such an event.
    """
    found = value_at(event, *path)
    if isinstance(found, str) and found:
        return found
    kind = "an empty text" if found == "" else _KINDS.get(type(found), "a number")
    raise EventError(
        f"the event has {kind} at {'.'.join(path)}, expected a text, as the service sends it; "
        "to test the function by hand, give it a whole event"
    )
