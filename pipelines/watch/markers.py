"""The run markers of a folder on this machine, and the raw files beside them, as the file system shows them.

An I/O seam: it looks and reads, and changes nothing. What a dot hides is passed over, links to folders are not
followed, and only regular files are markers.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from steps import contract


@dataclass(frozen=True)
class Stamp:
    """What the file system says of a file; it differs after each writing. Times are in nanoseconds."""

    size: int
    modified: int
    changed: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> Stamp:
        """Return the stamp in what `stat` answers."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


@dataclass(frozen=True)
class Listing:
    """The markers by their path below the folder, and what is passed over and should not go unsaid."""

    markers: Mapping[str, Stamp]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawFiles:
    """The files of a raw folder by their key, markers left out.

    `strays` are links out of the watched folder, and links to folders: a run would read what nobody looked at.
    """

    stamps: Mapping[str, Stamp]
    strays: tuple[str, ...] = ()

    @property
    def listed(self) -> tuple[contract.DataFile, ...]:
        """Return the visible files with their sizes; digests are for whoever reads them."""
        visible = (key for key in sorted(self.stamps) if not contract.is_hidden(key))
        return tuple(contract.DataFile(key, "", self.stamps[key].size) for key in visible)


class Folder(Protocol):
    """A folder that is watched; every path is relative to it, with `/` between its parts."""

    def markers(self) -> Listing:
        """Return the markers that are there now."""

    def read(self, path: str, limit: int) -> tuple[Stamp, bytes] | None:
        """Return a marker's stamp and its first bytes; None if it has gone or is written just now.

        Raises:
            OSError: it cannot be read.
        """

    def files(self, folder: str) -> RawFiles:
        """Return the files of the raw folder that a marker lies in."""


def token(path: str, stamp: Stamp, body: bytes) -> str:
    """Return what a writing of a marker is known by: the same bytes written again are another one."""
    facts = [path, stamp.modified, stamp.inode, stamp.size, hashlib.sha256(body).hexdigest()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def parent(path: str) -> str:
    """Return the path of the raw folder that a marker lies in; empty for the watched folder itself."""
    return path.rpartition("/")[0]


@dataclass(frozen=True)
class DiskFolder:
    """Folder over a folder of the disk; `root` is its real path."""

    root: Path

    def markers(self) -> Listing:
        """Return the markers that are there now."""
        found: dict[str, Stamp] = {}
        problems: list[str] = []

        def note(error: OSError) -> None:
            problems.append(f"{error.filename}: cannot be read ({error.strerror}); its markers are not seen")

        for place, folders, files in os.walk(self.root, onerror=note):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in files:
                if not contract.is_marker(name) or name.startswith("."):
                    continue
                path = Path(place, name)
                try:
                    status = path.lstat()
                except FileNotFoundError:
                    continue
                except OSError as error:  # such as a folder whose names can be read and whose files cannot
                    note(error)
                    continue
                if stat.S_ISREG(status.st_mode):
                    found[path.relative_to(self.root).as_posix()] = Stamp.of(status)
                else:
                    problems.append(f"{path}: is a link or no file, and no marker; copy the marker itself there")
        return Listing(found, tuple(problems))

    def read(self, path: str, limit: int) -> tuple[Stamp, bytes] | None:
        """Return a marker's stamp and its first bytes; None if it has gone or is written just now."""
        try:
            handle = os.open(self.root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        with os.fdopen(handle, "rb") as file:
            before = Stamp.of(os.fstat(file.fileno()))
            body = file.read(limit)
            after = Stamp.of(os.fstat(file.fileno()))
        return (after, body) if before == after and len(body) == min(limit, after.size) else None

    def files(self, folder: str) -> RawFiles:
        """Return the files of a raw folder; hidden ones too, under whose names a copy may be in progress."""
        base = self.root / folder
        stamps: dict[str, Stamp] = {}
        strays: list[str] = []
        for path in _walk(base):
            key = path.relative_to(base).as_posix()
            with contextlib.suppress(OSError, RuntimeError):  # a link to itself, say: who reads the data names it
                if path.is_symlink() and (path.is_dir() or not path.resolve().is_relative_to(self.root)):
                    strays.append(key)
                elif path.is_file() and not contract.is_marker(key):
                    stamps[key] = Stamp.of(path.stat())
        return RawFiles(stamps, tuple(sorted(strays)))


def _walk(base: Path) -> Iterator[Path]:
    """Yield the files below a folder, and the links to folders, which are not followed."""
    for place, folders, files in os.walk(base):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in files)
        yield from (path for name in folders if (path := Path(place, name)).is_symlink())
