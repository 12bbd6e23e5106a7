"""Claims: who handles an event, so that its duplicates do nothing. One object per event, made by conditional put.

A claim without a result is unfinished: its owner is at work, or has crashed. Whoever sends a mail for it must own it:
the invocation that made it, the same one again (Lambda's own retry), or any other once the claim is stale. So a crash
may double a mail, but never lose one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lambda_trigger.ports import ObjectStore, StoreError
from steps import contract

STALE = timedelta(seconds=50)
"""Age beyond which the owner of an unfinished claim is taken to have crashed.

A mail is written in seconds, and Lambda tries again after a minute
(https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html), so that its retry takes it over
even if it should be known by another ID. An owner that slow doubles a mail.
"""


@dataclass(frozen=True)
class Claim:
    """The claim on an event; `result` is empty while it is unfinished, `is_new` that this invocation made it."""

    uri: str
    etag: str
    owner: str
    at: datetime
    result: Mapping[str, str]
    is_new: bool = False


def make(objects: ObjectStore, uri: str, owner: str, now: datetime) -> Claim:
    """Claim an event, or return the claim that is there already."""
    is_new = objects.replace(uri, _to_json(owner, now, {}), None)
    return _read(objects, uri, is_new)


def read_again(objects: ObjectStore, claim: Claim) -> Claim:
    """Return a claim as it is now; one that somebody else has taken over is not new any more."""
    known = _read(objects, claim.uri, False)
    return claim if known.etag == claim.etag else known


def own(objects: ObjectStore, claim: Claim, owner: str, now: datetime) -> Claim | None:
    """Return the claim if it is the invocation's own, or its own from now on; None if another one is at work."""
    if claim.result:
        return None
    if claim.is_new:
        return claim
    if claim.owner != owner and now - claim.at < STALE:
        return None
    objects.replace(claim.uri, _to_json(owner, now, {}), claim.etag)
    known = _read(
        objects, claim.uri, True
    )  # a put whose answer got lost is repeated, and then refused: look who has it
    return known if known.owner == owner and not known.result else None


def finish(objects: ObjectStore, claim: Claim, result: Mapping[str, str]) -> bool:
    """Write what came of an event, unless another invocation has written meanwhile; tell whether it was written."""
    return objects.replace(claim.uri, _to_json(claim.owner, claim.at, result), claim.etag)


def _read(objects: ObjectStore, uri: str, is_new: bool) -> Claim:
    found = objects.read_tagged(uri)
    if found is None:
        raise StoreError(f"{uri}: the claim has gone; nobody but this function should delete objects there")
    try:
        known = json.loads(found.text)
        at = datetime.fromisoformat(known["at"])
        return Claim(uri, found.etag, known["owner"], at, known["result"], is_new)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{uri}: is no claim ({error}); delete it") from error


def _to_json(owner: str, at: datetime, result: Mapping[str, str]) -> str:
    return contract.to_json({"owner": owner, "at": at.astimezone(UTC).isoformat(), "result": dict(result)})
