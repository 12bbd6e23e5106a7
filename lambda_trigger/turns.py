"""Turns: of several invocations one works at a time, by an object that says whose turn it is, made by conditional put.

For the trigger where a running execution refuses another: looking for one and starting one must not be interleaved.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from lambda_trigger.ports import ObjectStore, Ports, StoreError
from lambda_trigger.text import make_logger
from steps import contract

log = make_logger(__name__)

OVERDUE = timedelta(seconds=300)
"""Age beyond which whoever has the turn has crashed: the longest time that the trigger may run."""
POLL, POLLS = 2.0, 60
"""Seconds between looks, and looks after which it is given up; Lambda then tries again."""


@contextmanager
def taken(ports: Ports, uri: str, owner: str) -> Iterator[None]:
    """Wait for the turn, keep it for the block, and give it on.

    Raises:
        StoreError: others had it all the time.
    """
    for _ in range(POLLS):
        if _take(ports.objects, uri, owner, ports.clock()):
            break
        ports.pause(POLL)
    else:
        raise StoreError(f"{uri}: other markers have been handled for {POLL * POLLS:.0f} seconds; trying again later")
    try:
        yield
    finally:
        _give(ports.objects, uri, owner, ports.clock())


def _take(objects: ObjectStore, uri: str, owner: str, now: datetime) -> bool:
    known = objects.read_tagged(uri)
    if known is not None and _is_held(known.text, owner, now):
        return False
    return objects.replace(uri, _to_json(owner, now), known.etag if known else None)


def _give(objects: ObjectStore, uri: str, owner: str, now: datetime) -> None:
    """Give the turn on; where that fails it becomes overdue, and what was done in it is done all the same."""
    try:
        known = objects.read_tagged(uri)
        if known is not None and json.loads(known.text)["owner"] == owner:
            objects.replace(uri, _to_json("", now), known.etag)
    except (StoreError, ValueError, KeyError, TypeError) as error:
        log.warning("%s: could not be given on: %r", uri, error)


def _is_held(text: str, owner: str, now: datetime) -> bool:
    """Tell whether another invocation has the turn; what cannot be read holds nothing."""
    try:
        found = json.loads(text)
        at = datetime.fromisoformat(found["at"])
        return found["owner"] not in ("", owner) and now - at < OVERDUE
    except (ValueError, KeyError, TypeError):
        return False


def _to_json(owner: str, at: datetime) -> str:
    return contract.to_json({"owner": owner, "at": at.astimezone(UTC).isoformat()})
