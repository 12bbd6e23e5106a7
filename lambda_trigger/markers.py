"""Markers: the `.run` objects that an event tells of. Pure.

Reads both forms in which S3 tells of a new object: EventBridge's (one object) and the classic notification (several
records, keys URL-encoded). Whatever is no new `.run` object of the raw bucket is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, unquote_plus

from lambda_trigger.event import text_at, value_at
from steps import contract


@dataclass(frozen=True)
class Marker:
    """A run marker; `keys` are the forms that its key may have, the likeliest first.

    `state` tells one writing of the object from another: its version, or its sequencer where the bucket keeps none.
    """

    bucket: str
    keys: tuple[str, ...]
    version: str
    state: str
    requester: str

    def uri(self, key: str) -> str:
        """Return the marker's URI, for one form of its key."""
        return f"s3://{self.bucket}/{key}"

    def folder(self, key: str) -> str:
        """Return the URI of the raw folder that the marker lies in, with `/` at its end."""
        return f"s3://{self.bucket}/{key[: key.rfind('/') + 1]}"

    def token(self, pipeline: str, key: str) -> str:
        """Return what a start for this writing of the marker is known by, whatever event tells of it."""
        return hashlib.sha256("|".join((pipeline, self.bucket, key, self.state)).encode()).hexdigest()


def read(event: Mapping[str, Any], bucket: str) -> tuple[Marker, ...]:
    """Return the markers in the raw bucket that an event tells of, each once, in the order of the event.

    Raises:
        EventError: an event of S3 lacks what S3 tells in each.
    """
    found = [*_from_eventbridge(event), *_from_notification(event)]
    return tuple(dict.fromkeys(m for m in found if m.bucket == bucket and contract.is_marker(m.keys[0])))


def _from_eventbridge(event: Mapping[str, Any]) -> Iterator[Marker]:
    """Yield the object of an EventBridge event.

    Its key should be literal, but nowhere is that promised: the decoded forms come after it.
    """
    if value_at(event, "source") != "aws.s3" or value_at(event, "detail-type") != "Object Created":
        return
    bucket, key = text_at(event, "detail", "bucket", "name"), text_at(event, "detail", "object", "key")
    keys = tuple(dict.fromkeys((key, unquote(key), unquote_plus(key))))
    found, requester = value_at(event, "detail", "object"), value_at(event, "detail", "requester")
    yield _marker(bucket, keys, found, "version-id", requester)


def _from_notification(event: Mapping[str, Any]) -> Iterator[Marker]:
    """Yield the objects of a classic S3 notification; its keys are URL-encoded, blanks as `+`."""
    records = value_at(event, "Records")
    for record in records if isinstance(records, list) else ():
        made = str(value_at(record, "eventName")).startswith("ObjectCreated:")
        if made and value_at(record, "eventSource") == "aws:s3":
            bucket, key = text_at(record, "s3", "bucket", "name"), text_at(record, "s3", "object", "key")
            found, maker = value_at(record, "s3", "object"), value_at(record, "userIdentity", "principalId")
            yield _marker(bucket, (unquote_plus(key),), found, "versionId", maker)


def _marker(bucket: str, keys: tuple[str, ...], found: Mapping[str, Any], version: str, maker: Any) -> Marker:
    kept = str(found.get(version) or "")
    state = kept if kept not in ("", "null") else str(found.get("sequencer") or found.get("eTag") or found.get("etag"))
    return Marker(bucket, keys, kept, state, str(maker or ""))
