"""A model artifact (`model.tar.gz`) as the operator's side sees it: its digest and its metadata, never unpacked."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zlib
from pathlib import Path
from typing import Any

from pipelines.errors import RegistryError
from steps import contract

METADATA_SIZE_LIMIT = 8 * 1024**2
"""Bytes of an artifact's metadata.json that are read; a wide schema takes some hundred kilobytes."""


def compute_sha256(path: Path) -> str:
    """Return the sha256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_metadata(artifact: Path) -> dict[str, Any]:
    """Return `metadata.json` of a model artifact, reading that member only and unpacking nothing.

    Raises:
        RegistryError: the file is no artifact of ours, or made for a newer version of this code.
    """
    text = _read_member(artifact)
    try:
        metadata = json.loads(text) if text is not None else None
    except ValueError:
        metadata = None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("format"), int):
        raise RegistryError(
            f"{artifact}: holds no usable {contract.METADATA_FILE}; "
            f"expected a {contract.MODEL_FILE} that a Train step made"
        )
    if metadata["format"] > contract.FORMAT:
        raise RegistryError(
            f"{artifact}: has format {metadata['format']}, this version reads up to {contract.FORMAT}; "
            "update the project"
        )
    return metadata


def _read_member(artifact: Path) -> bytes | None:
    try:
        with tarfile.open(artifact, "r:gz") as archive:
            member = next((m for m in archive if m.name.removeprefix("./") == contract.METADATA_FILE), None)
            if member is None or not member.isreg() or member.size > METADATA_SIZE_LIMIT:
                return None
            content = archive.extractfile(member)
            return content.read() if content else None
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise RegistryError(f"{artifact}: cannot be read as a {contract.MODEL_FILE} ({error})") from error
