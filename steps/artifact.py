"""The model artifact: a deterministic `model.tar.gz` of `metadata.json` and `predictor/`.

Standard library only. Train packs it, Infer verifies its sha256 before a byte of it is unpacked (a predictor holds
pickles: opening one is running it), and reads every format there ever was. It loads no predictor.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steps import contract, job

PREDICTOR_DIR = "predictor"
FORMATS = (1,)
"""Formats that this code reads. A format once written is read for ever: defaults live for years."""
COMPRESSION = 1
MAX_BYTES = 50 * 1024**3
MAX_MEMBERS = 100_000
_FILTER: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
"""tarfile's data filter. Debian 12 has a Python 3.11 without it; there our own refusal of links and of paths that lead
outside is all that it would do to files and folders."""
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Packed:
    """An artifact as written: sha256 and size in bytes of `model.tar.gz`."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Limits:
    """What an artifact may hold when it is unpacked."""

    members: int = MAX_MEMBERS
    bytes: int = MAX_BYTES


def pack(folder: Path, target: Path) -> Packed:
    """Write the content of `folder` to `target`: equal content gives equal bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(folder.rglob("*"), key=lambda item: item.relative_to(folder).as_posix()):
            archive.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=_anonymous)
    return Packed(digest(target), target.stat().st_size)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = 0
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def digest(path: Path) -> str:
    """Return the sha256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def verify(path: Path, sha256: str, model: str) -> None:
    """Raise StepError unless the artifact of `model` has the sha256 that was recorded for it."""
    found = digest(path)
    if found != sha256:
        raise job.StepError(
            f"the artifact of model {model} has sha256 {found}, recorded was {sha256}: it is not opened. "
            "Restore the recorded file, or register and approve the model again"
        )


def unpack(path: Path, target: Path, model: str, limits: Limits | None = None) -> None:
    """Unpack a verified artifact into the folder `target`.

    Raises:
        StepError: it is not a readable archive, leaves `target`, is too large, or holds anything but files and folders.
    """
    try:
        with tarfile.open(path, mode="r:gz") as archive:
            for member in _checked(archive, model, limits or Limits()):
                archive.extract(member, target, set_attrs=False, **_FILTER)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile):
        raise job.StepError(f"the artifact of model {model} is not a readable tar.gz file: pack it again") from None


def _checked(archive: tarfile.TarFile, model: str, limits: Limits) -> Iterator[tarfile.TarInfo]:
    size = 0
    for count, member in enumerate(archive, start=1):
        size += member.size
        if not (member.isreg() or member.isdir()):
            raise job.StepError(f"the artifact of model {model} holds a link or device: refused")
        if member.name.startswith("/") or ".." in member.name.split("/"):
            raise job.StepError(f"the artifact of model {model} holds a path outside its folder: refused")
        if count > limits.members or size > limits.bytes:
            raise job.StepError(
                f"the artifact of model {model} unpacks to more than {limits.members} members or "
                f"{limits.bytes} bytes: refused"
            )
        yield member


def read_metadata(folder: Path, model: str) -> dict[str, Any]:
    """Return the metadata of an unpacked artifact; StepError if its format is unknown to this code."""
    path = folder / contract.METADATA_FILE
    if not path.is_file():
        raise job.StepError(f"the artifact of model {model} has no {contract.METADATA_FILE}: it was not made by Train")
    metadata: dict[str, Any] = job.read_json(path)
    if metadata.get("format") not in FORMATS:
        raise job.StepError(
            f"the artifact of model {model} has format {metadata.get('format')!r}, this code reads "
            f"{', '.join(map(str, FORMATS))}: run the code version that wrote it, or a newer one"
        )
    return metadata


def check_version(metadata: Mapping[str, Any], installed: str) -> None:
    """Raise StepError unless the artifact was trained with the AutoGluon version that is installed here."""
    trained = metadata["autogluon_version"]
    if trained != installed:
        raise job.StepError(
            f"model {metadata['model']} was trained with AutoGluon {trained}, here is {installed}, and AutoGluon does "
            f"not load across versions: run it in an image with {trained}, or train and approve it with {installed}"
        )
