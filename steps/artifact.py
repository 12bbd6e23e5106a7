"""The model artifact: a deterministic `model.tar.gz` of `metadata.json` and `predictor/`.

Standard library only. Train packs it. Infer copies it to a private file while hashing it, and opens that copy only if
the sha256 is the recorded one (a predictor holds pickles: loading one is running it); then `steps.archive` and
`steps.description` say what it may hold, and nothing is unpacked before all of it has passed. It loads no predictor.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from steps import archive, contract, description, job
from steps.archive import ArchiveError, Limits

PREDICTOR_DIR = description.PREDICTOR_DIR
COMPRESSION = 1
_CHUNK = 1024 * 1024
RESERVE = 16 * 1024**2
RESERVED_SHARE = 20
"""Unpacking leaves this many bytes of the disk free, or a twentieth of what it unpacks: predictions are written too."""
_WAY_OUT = (
    "Restore the recorded file, or approve another version or register the model again and run from Decide on "
    "(--from Decide --of ID): --retry keeps what was decided"
)


@dataclass(frozen=True)
class Packed:
    """An artifact as written: sha256 and size in bytes of `model.tar.gz`."""

    sha256: str
    size: int


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


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk on which a folder lies."""
    return shutil.disk_usage(folder).free


@contextmanager
def verified(path: Path, sha256: str, model: str, folder: Path) -> Iterator[IO[bytes]]:
    """Give a private copy of the artifact of `model`, made in `folder`, whose sha256 is the recorded one.

    Nobody else can change the copy between the check and its use; it has no name and goes when the block ends.

    Raises:
        StepError: the file is another than the recorded one.
    """
    with tempfile.TemporaryFile(dir=folder) as copy:
        try:
            found = archive.take(path, copy)
        except ArchiveError as error:
            raise job.StepError(f"the artifact of model {model} {error}: {_WAY_OUT}") from None
        if found != sha256:
            raise job.StepError(
                f"the artifact of model {model} has sha256 {found}, recorded was {sha256}: it is not opened. {_WAY_OUT}"
            )
        yield copy


@dataclass(frozen=True)
class Examined:
    """What a verified artifact turned out to hold: its metadata, and its bytes when unpacked."""

    metadata: dict[str, Any]
    size: int


def examine(file: IO[bytes], model: str, limits: Limits = archive.LIMITS) -> Examined:
    """Read a verified artifact to its end, unpacking nothing.

    Raises:
        StepError: it is no complete archive, holds what is refused, or was not made by Train.
    """
    try:
        contents = archive.inspect(file, contract.METADATA_FILE, limits)
        return Examined(description.read(contents), contents.size)
    except ArchiveError as error:
        raise job.StepError(f"the artifact of model {model} {error}. It is not unpacked. {_WAY_OUT}") from None


def check_versions(metadata: Mapping[str, Any], here: contract.Versions, model: str, slug: str) -> None:
    """Raise StepError unless a predictor that was trained with the metadata's versions loads with those here."""
    trained = contract.Versions(metadata["autogluon_version"], metadata["python_version"])
    if not here.loads(trained):
        raise job.StepError(
            f"model {model} was trained with {trained}, here is {here}, and a predictor does not load across versions: "
            "run it in an image with those (on AWS a registered version has its own image), or train it again with: "
            f"python -m pipelines.registry refresh {slug} (and --local on this machine)"
        )


def unpack(
    file: IO[bytes], folder: Path, examined: Examined, model: str, free: Callable[[Path], int] = free_bytes
) -> None:
    """Unpack an artifact that was examined into a folder; `free` tells the free bytes of the folder's disk.

    Raises:
        StepError: the disk is too small.
    """
    there, wanted = free(folder), needed(examined.size)
    if wanted > there:
        raise job.StepError(
            f"the artifact of model {model} takes {examined.size / 1e6:,.0f} MB unpacked, "
            f"{(wanted - examined.size) / 1e6:,.0f} MB are to stay free, and the disk has {there / 1e6:,.0f} MB: "
            "give the job a larger one (instances.infer.volume_gb)"
        )
    archive.extract(file, folder)


def needed(size: int) -> int:
    """Return the free bytes that unpacking `size` bytes takes, with those that stay free."""
    return size + max(RESERVE, size // RESERVED_SHARE)
