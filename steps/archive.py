"""A tar.gz that somebody else may have made, read without trusting a byte of it.

Standard library only; shared by Infer, which unpacks model artifacts, and by the operator's side, which registers
them. `inspect` reads all of an archive and unpacks nothing; `extract` unpacks what `inspect` has passed.
What is refused and why stands in `_Rules`; what a reader may be made to do (memory, time) is bounded in `_Inflated`.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

NAME_BYTES = 1024
_CHUNK = 1024 * 1024
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)
_UNREADABLE = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError, OverflowError, RecursionError)
"""What gzip and tarfile raise on bytes that are no tar.gz, or a cut or damaged one."""


class ArchiveError(Exception):
    """An archive is refused; the message goes on from its name: `holds a symbolic link ...`."""


@dataclass(frozen=True)
class Limits:
    """What an archive may hold and what reading it may cost.

    `ratio` is the size of what comes out over the size of the file, asked for beyond `free` bytes only: JSON and
    zeros pack well. `header` is the bytes that may describe one member, `wanted` those of a file that is read
    whole: the metadata list up to 1,000 categories of each text column.
    """

    members: int = 20_000
    bytes: int = 50 * 1024**3
    ratio: int = 200
    free: int = 64 * 1024**2
    header: int = 1024**2
    wanted: int = 32 * 1024**2


LIMITS = Limits()


@dataclass(frozen=True)
class Contents:
    """What an archive holds: its files' bytes in all, the text of the file that was wanted, its uppermost names."""

    size: int
    text: bytes | None
    top: frozenset[str]


def take(path: Path, target: IO[bytes]) -> str:
    """Copy a file to `target` and return the sha256 of what was copied: what is checked is what is opened.

    Raises:
        ArchiveError: it is no file, or an empty one.
    """
    if path.is_dir():
        raise ArchiveError("is a folder, not a file")
    found = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            found.update(chunk)
            target.write(chunk)
    if not target.tell():
        raise ArchiveError("is empty")
    target.flush()
    return found.hexdigest()


def inspect(file: IO[bytes], wanted: str, limits: Limits = LIMITS) -> Contents:
    """Read a whole archive, unpacking nothing; return how large its files are and the text of the file `wanted`.

    Raises:
        ArchiveError: it is no complete tar.gz, or holds something that is refused.
    """
    size, text, top = 0, None, set[str]()
    with _translated():
        for member in _members(file, limits):
            size += member.size
            top.add(member.name.partition("/")[0])
            if member.name == wanted and not member.folder:
                text = _whole(member, limits)
    return Contents(size, text, frozenset(top))


def _whole(member: _Member, limits: Limits) -> bytes:
    if member.size > limits.wanted:
        raise ArchiveError(f"holds a {member.name} of more than {limits.wanted} bytes")
    return b"".join(member.content)


def extract(file: IO[bytes], target: Path, limits: Limits = LIMITS) -> None:
    """Unpack an archive into the folder `target`, under the rules of `inspect`; no file there is written over."""
    with _translated():
        for member in _members(file, limits):
            path = target / member.name
            folder = path if member.folder else path.parent
            folder.mkdir(parents=True, exist_ok=True)
            if not member.folder:
                with path.open("xb") as written:
                    written.writelines(member.content)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise ArchiveError(f"is not a readable tar.gz, or a cut or damaged one ({type(error).__name__})") from None


@dataclass(frozen=True)
class _Member:
    """A file or folder whose name and kind have passed; its content can be read until the next one is asked for."""

    name: str
    folder: bool
    size: int
    content: Iterator[bytes]


def _members(file: IO[bytes], limits: Limits) -> Iterator[_Member]:
    rules, stream = _Rules(limits), _Inflated(file, limits)
    with tarfile.TarFile.taropen("", "r", cast("Any", stream)) as archive:
        while (found := _next(archive, stream)) is not None:
            name = rules.check(found)
            yield _Member(name, found.isdir(), found.size, stream.content(found.offset_data, found.size))
            archive.members.clear()  # type: ignore[attr-defined]  # else it keeps all of them
        stream.check_end(archive.offset)


def _next(archive: tarfile.TarFile, stream: _Inflated) -> tarfile.TarInfo | None:
    stream.renew()
    return archive.next()


class _Inflated:
    """The decompressed stream as tarfile reads it: never further than the limits allow, never much at once.

    tarfile reads the headers of a member whole, follows chains of them, and believes their sizes.
    """

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self._limits, self._budget = limits, limits.header
        self._most = max(limits.free, limits.ratio * size)
        self._stream = gzip.GzipFile(fileobj=file, mode="rb")

    def renew(self) -> None:
        """Allow the headers of one more member."""
        self._budget = self._limits.header

    def tell(self) -> int:
        """Return the position in the decompressed stream."""
        return self._stream.tell()

    def seek(self, position: int) -> int:
        """Go to a position, if the limits allow to go that far."""
        self._check(position)
        return self._stream.seek(position)

    def read(self, count: int) -> bytes:
        """Return bytes of a header."""
        if not 0 <= count <= self._budget:
            raise ArchiveError(f"holds a member whose header has more than {self._limits.header} bytes, or less than 0")
        self._budget -= count
        return self._read(count)

    def content(self, offset: int, size: int) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        self.seek(offset)
        while size:
            chunk = self._read(min(size, _CHUNK))
            if not chunk:
                raise EOFError
            size -= len(chunk)
            yield chunk

    def check_end(self, offset: int) -> None:
        """Raise ArchiveError unless two blocks of zeros end the archive and nothing but zeros follows."""
        self.seek(offset)
        blocks = 0
        while chunk := self._read(tarfile.BLOCKSIZE):
            if chunk.count(0) != len(chunk):
                raise ArchiveError("has bytes after its end, or a damaged header")
            blocks += 1
        if blocks < 2:
            raise ArchiveError("is cut: the end of the archive is missing")

    def _read(self, count: int) -> bytes:
        content = self._stream.read(count)
        self._check(self._stream.tell())
        return content

    def _check(self, position: int) -> None:
        if not 0 <= position <= self._most:
            raise ArchiveError(f"unpacks to more than {self._limits.ratio} times its size")


@dataclass
class _Rules:
    """What one member after the other may be, given those before it."""

    limits: Limits
    count: int = 0
    size: int = 0
    files: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=lambda: {"."})
    known: set[str] = field(default_factory=set)

    def check(self, member: tarfile.TarInfo) -> str:
        """Return the member's plain name below the folder that it is unpacked to.

        Raises:
            ArchiveError: it is refused.
        """
        self.count += 1
        problem = _about_kind(member) or _about_name(member.name) or self._about_place(member)
        if problem:
            raise ArchiveError(f"holds {problem} (member {self.count}, {member.name[:80]!a})")
        self.size += member.size
        if self.count > self.limits.members or self.size > self.limits.bytes:
            raise ArchiveError(f"unpacks to more than {self.limits.members} members or {self.limits.bytes} bytes")
        return PurePosixPath(member.name).as_posix()

    def _about_place(self, member: tarfile.TarInfo) -> str:
        """Return what is wrong about a member beside the others: two names may be one file on another disk."""
        key = PurePosixPath(unicodedata.normalize("NFC", member.name).casefold())
        above = {parent.as_posix() for parent in key.parents}
        name = key.as_posix()
        if name in self.known:
            return "a name twice, letter case aside"
        if above & self.files or (member.isreg() and name in self.folders):
            return "a name as file and as folder"
        self.known.add(name)
        self.folders |= above
        if member.isreg():
            self.files.add(name)
        return ""


def _about_kind(member: tarfile.TarInfo) -> str:
    if member.issparse():
        return "a sparse file"
    if member.type not in (*_FILES, tarfile.DIRTYPE):
        return _KINDS.get(member.type, "a member of unknown kind")
    if member.size < 0 or (member.isdir() and member.size):
        return "a member of impossible size"
    return "a member with setuid, setgid or sticky bit" if member.mode & 0o7000 else ""


def _about_name(name: str) -> str:
    """Return what is wrong about a member's name, wherever it would be unpacked."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or (len(name) > 1 and name[1] == ":"):
        return "a path outside its folder"
    if not name or not name.isprintable():
        return "a name with control characters, or none"
    if len(name.encode()) > NAME_BYTES or any(len(part.encode()) > NAME_BYTES // 4 - 1 for part in parts):
        return "a name that is too long"
    return ""
