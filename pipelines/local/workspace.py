"""Where things lie on this machine: s3:// URIs as folders of the workspace, executions, caches.

An I/O seam: it looks at the file system and makes nothing but folders. Objects are written by `staging` alone.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import WorkspaceError
from pipelines.local.durable import SCRATCH_DIR

EXECUTIONS_DIR = "executions"
_URI = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{0,62})(?:/(?P<key>.*))?", re.DOTALL)
_EXECUTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class StoredObject:
    """One object below a prefix: its key relative to the prefix and the file that holds it.

    `foreign` says that the file lies in a mount, so that it belongs to the user and is never hard-linked.
    """

    key: str
    path: Path
    foreign: bool = False


@dataclass(frozen=True)
class Workspace:
    """A folder that stands for the account: `mounts` (bucket to folder) are read-only data anywhere on the disk."""

    root: Path
    mounts: Mapping[str, Path] = field(default_factory=dict)
    publishing: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", self.root.absolute())
        object.__setattr__(self, "mounts", {name: path.absolute() for name, path in self.mounts.items()})

    def path(self, uri: str) -> Path:
        """Return the file or folder of an s3:// URI, whether it exists or not.

        Raises:
            WorkspaceError: it is no s3:// URI or tries to leave its bucket.
        """
        match = _URI.fullmatch(uri)
        if not match:
            raise WorkspaceError(f"found {uri!r}, expected a URI of the form s3://bucket/key")
        key = (match["key"] or "").rstrip("/")
        parts = key.split("/") if key else []
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise WorkspaceError(f"{uri!r} holds an empty part, '.' or '..'; name the object by its plain key")
        base = self.mounts.get(match["bucket"], self.root / "s3" / match["bucket"])
        return base.joinpath(*parts)

    def target(self, uri: str) -> Path:
        """Return the folder of an s3:// URI that is to be written.

        Raises:
            WorkspaceError: as `path`, and where the bucket is a read-only mount.
        """
        if self.is_foreign(uri):
            raise WorkspaceError(f"{uri!r} lies in a folder that is mounted for reading only")
        return self.path(uri)

    def is_foreign(self, uri: str) -> bool:
        """Tell whether a URI lies in a mount."""
        match = _URI.fullmatch(uri)
        return bool(match and match["bucket"] in self.mounts)

    def uri(self, path: Path) -> str:
        """Return the s3:// URI of a file or folder.

        Raises:
            WorkspaceError: it lies neither in the workspace nor in a mount.
        """
        path = Path(os.path.normpath(path.absolute()))
        store = self.root / "s3"
        if store in path.parents:
            return f"s3://{path.relative_to(store).as_posix()}"
        for bucket, base in sorted(self.mounts.items(), key=lambda mount: -len(mount[1].parts)):
            if base == path or base in path.parents:
                key = path.relative_to(base).as_posix()
                return f"s3://{bucket}/{'' if key == '.' else key}"
        raise WorkspaceError(f"{path} lies neither in {store} nor in a mounted folder")

    def objects(self, uri: str) -> list[StoredObject]:
        """Return the objects below a URI, sorted by key; a URI that names one object gives that one.

        A prefix ends where a folder ends: `s3://b/a` names neither `s3://b/ab` nor what lies below it.
        """
        base, foreign = self.path(uri), self.is_foreign(uri)
        if base.is_file():
            return [StoredObject(base.name, base, foreign)]
        return [StoredObject(key, path, foreign) for key, path in list_files(base)]

    def execution(self, execution_id: str) -> Path:
        """Return the folder of an execution.

        Raises:
            WorkspaceError: the id cannot be the name of a folder.
        """
        if not is_execution_id(execution_id):
            raise WorkspaceError(f"found the execution id {execution_id!r}, expected letters, digits, '-', '_' and '.'")
        return self.root / EXECUTIONS_DIR / execution_id

    def step(self, execution_id: str, step: str) -> Path:
        """Return the folder of one step of an execution."""
        return self.execution(execution_id) / "steps" / step

    @property
    def scratch(self) -> Path:
        """The folder of files that are being written."""
        return self.root / SCRATCH_DIR

    @property
    def cache(self) -> Path:
        """The folder of cache entries and known digests."""
        return self.root / "cache"


def is_execution_id(text: str) -> bool:
    """Tell whether a text can be the id of an execution, and so the name of a folder."""
    return bool(_EXECUTION.fullmatch(text))


def list_files(folder: Path) -> list[tuple[str, Path]]:
    """Return every file below a folder as (relative key, path), sorted by key."""
    found = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            found.append((path.relative_to(folder).as_posix(), path))
    return sorted(found)
