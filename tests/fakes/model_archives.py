"""Model artifacts that nobody should open, each with what is said of it, and a good one to compare with."""

from __future__ import annotations

import functools
import gzip
import json
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steps.archive import Limits

METADATA = {
    "format": 1,
    "model": "EWR",
    "slug": "EWR",
    "autogluon_version": "1.6.3",
    "python_version": "3.11.9",
    "mae": 9.5,
    "categories": ["code"],
    "schema": {"columns": [{"name": "x", "kind": "number", "null_rate": 0.1, "categories": None}]},
}
END = bytes(2 * tarfile.BLOCKSIZE)
MIB = 1024**2
LIMITS = Limits(members=300, free=4 * MIB, wanted=MIB // 8)
"""Tighter than what artifacts are read with, so that what exceeds them is made quickly."""


def metadata(**changes: Any) -> bytes:
    return json.dumps({**METADATA, **changes}).encode()


def member(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **fields: Any) -> bytes:
    """Return one member as bytes of a tar."""
    header = tarfile.TarInfo(name)
    header.type, header.size = kind, len(content)
    for field, value in fields.items():
        setattr(header, field, value)
    padding = bytes(-len(content) % tarfile.BLOCKSIZE)
    return header.tobuf(tarfile.PAX_FORMAT) + content + padding


def good(*members: bytes, text: bytes | None = None) -> bytes:
    """Return the tar of a good artifact with more members, without its end."""
    described = member("metadata.json", content=metadata() if text is None else text)
    return (
        described
        + member("predictor", tarfile.DIRTYPE)
        + member("predictor/learner.pkl", content=b"x")
        + b"".join(members)
    )


def packed(*members: bytes, text: bytes | None = None) -> bytes:
    return gzip.compress(good(*members, text=text) + END, 6, mtime=0)


def sized(name: str, size: int) -> bytes:
    """Return a header that promises content which does not follow."""
    header = tarfile.TarInfo(name)
    header.size = size
    return header.tobuf(tarfile.GNU_FORMAT)


def negative(name: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return a header whose size is below zero, in the GNU form that can say so."""
    header = bytearray(sized(name, 0))
    header[156:157] = kind
    header[124:136] = b"\xff" + (256**11 - 5 * tarfile.BLOCKSIZE).to_bytes(11, "big")
    return signed(header)


def signed(header: bytearray) -> bytes:
    """Return a header with its checksum set right."""
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header)


def pax(**records: str) -> bytes:
    """Return an extended header: whatever tarfile itself would not write."""
    lines = b""
    for key, value in records.items():
        record = f" {key}={value}\n".encode()
        length = len(record)
        while len(str(length)) + len(record) != length:
            length = len(str(length)) + len(record)
        lines += str(length).encode() + record
    return member("PaxHeader", tarfile.XHDTYPE, lines)


@functools.cache
def endless() -> bytes:
    """Return a stream of zeros that goes on and on."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(squeeze.compress(bytes(MIB)) for _ in range(8)) + squeeze.flush()


@functools.cache
def bomb() -> bytes:
    """Return a complete archive with a file of zeros that is far larger than the archive."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = squeeze.compress(good(sized("predictor/zeros", 8 * MIB)))
    return head + b"".join(squeeze.compress(bytes(MIB)) for _ in range(8)) + squeeze.compress(END) + squeeze.flush()


def deep() -> bytes:
    return b'{"format": ' + b"[" * 60_000 + b"]" * 60_000 + b"}"


def column(**changes: Any) -> bytes:
    return metadata(
        schema={"columns": [{"name": "x", "kind": "number", "null_rate": 0.1, "categories": None, **changes}]}
    )


LINK = {"linkname": "metadata.json"}
ARCHIVES: dict[str, tuple[Callable[[], bytes], str]] = {
    "an absolute path": (lambda: packed(member("/outside")), "holds a path outside its folder (member 4, '/outside')"),
    "a path upwards": (lambda: packed(member("../outside")), "holds a path outside its folder"),
    "a path down and upwards": (lambda: packed(member("a/../../outside")), "holds a path outside its folder"),
    "a path upwards in an extended header": (lambda: packed(pax(path="../outside"), member("a")), "a path outside"),
    "backslashes": (lambda: packed(member("..\\outside")), "holds a path outside its folder"),
    "a drive": (lambda: packed(member("C:outside")), "holds a path outside its folder"),
    "NUL in a name": (lambda: packed(pax(path="a\0b"), member("a")), "a name with control characters, or none"),
    "a line break in a name": (lambda: packed(member("a\nb")), "a name with control characters, or none"),
    "no name": (lambda: packed(member("")), "a name with control characters, or none"),
    "a very long name": (lambda: packed(member("a" * 300)), "a name that is too long"),
    "a name twice": (lambda: packed(member("metadata.json", content=b"{}")), "a name twice, letter case aside"),
    "a name twice in capitals": (lambda: packed(member("Predictor/LEARNER.pkl")), "a name twice, letter case aside"),
    "a name twice by dots": (lambda: packed(member("./predictor/./learner.pkl")), "a name twice, letter case aside"),
    "a file that is a folder": (lambda: packed(member("predictor/learner.pkl/x")), "a name as file and as folder"),
    "a folder that is a file": (lambda: packed(member("a/b"), member("A")), "a name as file and as folder"),
    "the folder itself as a file": (lambda: packed(member(".")), "a name as file and as folder"),
    "a symbolic link": (lambda: packed(member("l", tarfile.SYMTYPE, **LINK)), "holds a symbolic link (member 4, 'l')"),
    "a hard link": (lambda: packed(member("l", tarfile.LNKTYPE, **LINK)), "holds a hard link"),
    "a character device": (lambda: packed(member("d", tarfile.CHRTYPE)), "holds a device"),
    "a block device": (lambda: packed(member("d", tarfile.BLKTYPE)), "holds a device"),
    "a pipe": (lambda: packed(member("p", tarfile.FIFOTYPE)), "holds a named pipe"),
    "an unknown kind": (lambda: packed(member("z", b"Z")), "holds a member of unknown kind"),
    "a sparse file": (
        lambda: packed(pax(**{"GNU.sparse.size": "9", "GNU.sparse.map": "0,1"}), member("s")),
        "a sparse file",
    ),
    "setuid": (lambda: packed(member("s", mode=0o4755)), "holds a member with setuid, setgid or sticky bit"),
    "a folder with content": (lambda: packed(member("d", tarfile.DIRTYPE, b"x")), "a member of impossible size"),
    "a size below zero": (lambda: packed(negative("n")), "a member of impossible size"),
    "a header of a size below zero": (lambda: packed(negative("n", tarfile.XHDTYPE)), "a member whose header has more"),
    "a header without end": (
        lambda: packed(member("h", tarfile.XHDTYPE, bytes(2 * MIB))),
        "holds a member whose header has more than 1048576 bytes",
    ),
    "headers upon headers": (lambda: packed(*[pax(comment="x")] * 600), "is not a readable tar.gz"),
    "more members than allowed": (lambda: packed(*(member(f"{n}") for n in range(300))), "more than 300 members"),
    "more bytes than allowed": (lambda: packed(sized("large", 60 * 1024**3)), "300 members or 53687091200 bytes"),
    "a bomb": (bomb, "unpacks to more than 200 times its size"),
    "a stream of zeros": (endless, "unpacks to more than 200 times its size"),
    "nothing": (lambda: b"", "is empty"),
    "no gzip": (lambda: b"hello", "is not a readable tar.gz, or a cut or damaged one (BadGzipFile)"),
    "a zip": (lambda: b"PK\x03\x04" + bytes(100), "is not a readable tar.gz"),
    "gzip of no tar": (lambda: gzip.compress(b"hello" * 500), "is not a readable tar.gz"),
    "gzip of nothing": (lambda: gzip.compress(b""), "is not a readable tar.gz"),
    "only a magic number": (lambda: b"\x1f\x8b\x08\x00truncated", "is not a readable tar.gz"),
    "a cut stream": (lambda: packed()[:-20], "is not a readable tar.gz, or a cut or damaged one (EOFError)"),
    "a changed byte": (lambda: packed()[:-6] + b"??" + packed()[-4:], "is not a readable tar.gz"),
    "a cut archive": (lambda: gzip.compress(good()), "is cut: the end of the archive is missing"),
    "a cut member": (lambda: gzip.compress(good(sized("a", 5000))), "is not a readable tar.gz"),
    "a damaged header": (
        lambda: gzip.compress(good(b"\x01" * 512, member("a")) + END),
        "bytes after its end, or a damaged",
    ),
    "bytes after the archive": (lambda: gzip.compress(good() + END + b"more"), "has bytes after its end"),
    "bytes after the stream": (lambda: packed() + b"more", "is not a readable tar.gz"),
    "a second archive after it": (lambda: packed() + packed(), "has bytes after its end"),
    "no metadata": (
        lambda: gzip.compress(member("predictor/a") + END),
        "has no metadata.json: it was not made by Train",
    ),
    "no predictor": (lambda: gzip.compress(member("metadata.json", content=metadata()) + END), "has no predictor/"),
    "metadata elsewhere": (
        lambda: gzip.compress(member("x/metadata.json") + member("predictor/a") + END),
        "has no metadata.json",
    ),
    "metadata too large": (lambda: packed(text=b" " * MIB), "holds a metadata.json of more than 131072 bytes"),
    "metadata that is no JSON": (lambda: packed(text=b"{"), "a metadata.json that is no JSON object"),
    "metadata that is no text": (lambda: packed(text=b"\xff\xfe{}"), "a metadata.json that is no JSON object"),
    "metadata of half a character": (lambda: packed(text=b'{"model": "\\ud800"}'), "that is no JSON object"),
    "metadata that is a list": (lambda: packed(text=b"[1]"), "a metadata.json that is no JSON object"),
    "metadata without end": (lambda: packed(text=deep()), "a metadata.json that is no JSON object"),
    "no format": (lambda: packed(text=b"{}"), "a metadata.json without a format number"),
    "a format that is true": (lambda: packed(text=metadata(format=True)), "a metadata.json without a format number"),
    "a format of the future": (lambda: packed(text=metadata(format=99)), "has format 99, this code reads 1, 2: use"),
    "a model that is a number": (lambda: packed(text=metadata(model=3)), "in which model is no text"),
    "a slug that is null": (lambda: packed(text=metadata(slug=None)), "in which slug is no slug"),
    "no AutoGluon version": (lambda: packed(text=metadata(autogluon_version="")), "autogluon_version is no version"),
    "a Python version in parts": (
        lambda: packed(text=metadata(python_version=[3, 11])),
        "python_version is no version",
    ),
    "a slug that is a command": (lambda: packed(text=metadata(slug="x; y")), "in which slug is no slug"),
    "a version of two lines": (lambda: packed(text=metadata(python_version="3.11\n9")), "python_version is no version"),
    "categories that are one text": (
        lambda: packed(text=metadata(categories="code")),
        "categories is no list of texts",
    ),
    "a schema that is a list": (lambda: packed(text=metadata(schema=[])), "schema.columns is no list"),
    "a column that is a text": (
        lambda: packed(text=metadata(schema={"columns": ["x"]})),
        "schema.columns[0] is no object",
    ),
    "a column without a name": (lambda: packed(text=column(name=None)), "schema.columns[0] has a name that is no text"),
    "a column of unknown kind": (lambda: packed(text=column(kind="float")), "a kind that is none of number, bool"),
    "a null rate of NaN": (lambda: packed(text=column(null_rate=float("nan"))), "a null_rate that is no number from 0"),
    "a null rate of many digits": (
        lambda: packed(text=column(null_rate=10**400)),
        "a null_rate that is no number from 0",
    ),
    "column categories of numbers": (lambda: packed(text=column(categories=[1])), "has categories that are no list of"),
    "a column twice": (
        lambda: packed(text=metadata(schema={"columns": METADATA["schema"]["columns"] * 2})),  # type: ignore[index]
        "schema.columns has a name twice",
    ),
    "everything wrong": (lambda: packed(text=b'{"format": 1}'), "model is no text; slug is no slug; autogluon_version"),
}


def write(folder: Path, kind: str) -> tuple[Path, str]:
    """Write one of the archives; return its path and what is said of it."""
    make, said = ARCHIVES[kind]
    path = folder / "bad.tar.gz"
    path.write_bytes(make())
    return path, said
