"""What was computed once in a workspace, kept by all that it depends on: the same question gets the same answer again.

An I/O seam. Nothing here is needed: what is missing or damaged is computed anew, and `--gc` may remove it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.local.durable import write_atomically

MEMO_DIR = "memo"
"""Below the cache: a folder for each kind of answer."""


@dataclass(frozen=True)
class Note:
    """An answer, which is JSON; `name` is what executions that still need it hold."""

    name: str
    content: Any


@dataclass(frozen=True)
class Memo:
    """The answers of one kind in a folder; `scratch` lies on the same file system."""

    folder: Path
    scratch: Path

    def find(self, key: str) -> Any:
        """Return the answer that is kept under a key, or None where there is none that can be trusted."""
        note = read_note(self.folder / f"{key}.json")
        return None if note is None else note.content

    def keep(self, key: str, note: Note) -> None:
        """Keep an answer, in place of one that is there."""
        kept = {"name": note.name, "content": note.content, "sha256": digest([note.name, note.content])}
        write_atomically(self.folder / f"{key}.json", json.dumps(kept, ensure_ascii=False), self.scratch)


def read_note(path: Path) -> Note | None:
    """Return what a file keeps, or None where it is missing, cut off or altered."""
    try:
        kept = json.loads(path.read_bytes())
        note = Note(kept["name"], kept["content"])
        return note if isinstance(note.name, str) and digest([note.name, note.content]) == kept["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def digest(value: Any) -> str:
    """Return the sha256 of a JSON value; the order of keys does not count."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
