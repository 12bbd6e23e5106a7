"""One entry of the cache: what a step depended on, and what it made. To JSON and back.

Pure. An entry is sealed with a digest of itself: what does not read back exactly as it was written is no entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.local.cachekey import Components, Content
from pipelines.local.record import FileRecord
from pipelines.local.workspace import is_execution_id

SEAL = "sha256"


@dataclass(frozen=True)
class Entry:
    """The outputs of a step that succeeded; `uris` tells where its inputs lay (they are no part of the key)."""

    pipeline: str
    step: str
    execution: str
    components: Components
    uris: Mapping[str, str]
    outputs: Mapping[str, str]
    files: tuple[FileRecord, ...]


def dump_entry(entry: Entry) -> str:
    """Return an entry as sealed JSON."""
    content = {"key": entry.components.key, **asdict(entry)}
    return json.dumps({**content, SEAL: _seal(content)}, sort_keys=True, indent=1) + "\n"


def parse_entry(text: bytes) -> Entry | None:
    """Return the entry that a file holds, or None for anything else, whatever it is."""
    try:
        content = json.loads(text)
        seal = content.pop(SEAL)
        return _entry(content) if seal == _seal(content) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _seal(content: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps(content))  # tuples and lists are the same here
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _entry(content: Mapping[str, Any]) -> Entry:
    entry = Entry(
        pipeline=_text(content["pipeline"]),
        step=_text(content["step"]),
        execution=_text(content["execution"]),
        components=_components(content["components"]),
        uris=_texts(content["uris"]),
        outputs=_texts(content["outputs"]),
        files=tuple(_file(item) for item in content["files"]),
    )
    if content["key"] != entry.components.key or not is_execution_id(entry.execution):
        raise ValueError("an entry that belongs to another key, or to no execution")
    return entry


def _components(content: Mapping[str, Any]) -> Components:
    return Components(
        image=_text(content["image"]),
        entrypoint=tuple(map(_text, content["entrypoint"])),
        arguments=tuple(map(_text, content["arguments"])),
        environment=_texts(content["environment"]),
        instances=_whole(content["instances"]),
        libraries=tuple(map(_text, content["libraries"])),
        inputs={_text(name): _content(item) for name, item in content["inputs"].items()},
        outputs=_texts(content["outputs"]),
    )


def _content(item: Mapping[str, Any]) -> Content:
    return Content(_text(item["path"]), item["manifest"] is True, item["sharded"] is True, _texts(item["files"]))


def _file(item: Mapping[str, Any]) -> FileRecord:
    return FileRecord(_text(item["uri"]), _text(item["sha256"]), _whole(item["size"]))


def _texts(found: Mapping[str, Any]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in found.items()}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("no whole number")
    return value
