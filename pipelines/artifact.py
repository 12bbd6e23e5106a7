"""A model artifact (`model.tar.gz`) as the operator's side sees it: a private copy, its digest and its metadata.

It is never unpacked here, but read to its end: what Infer would refuse is refused before it is registered.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import RegistryError
from steps import archive, contract, description


@dataclass(frozen=True)
class Artifact:
    """An artifact that may be registered: the copy that was checked, its sha256 and its metadata."""

    path: Path
    sha256: str
    metadata: dict[str, Any]


def take(source: Path, folder: Path, shown: str, limits: archive.Limits = archive.LIMITS) -> Artifact:
    """Copy an artifact into a private folder and check the copy, so that what was checked is what is registered.

    Args:
        source: the artifact.
        folder: where the copy lies; nobody else writes there.
        shown: what people call the artifact.
        limits: what it may hold.

    Raises:
        RegistryError: it cannot be read, is no artifact of ours, or holds what is refused.
    """
    path = folder / f"checked-{contract.MODEL_FILE}"
    try:
        with path.open("w+b") as copy:
            sha256 = archive.take(source, copy)
            contents = archive.inspect(copy, contract.METADATA_FILE, limits)
        metadata = description.read(contents)
    except archive.ArchiveError as error:
        raise RegistryError(f"{shown}: {error}; expected a {contract.MODEL_FILE} that a Train step made") from None
    except OSError as error:
        raise RegistryError(f"{shown}: cannot be copied to be checked ({error.strerror})") from error
    return Artifact(path, sha256, metadata)
