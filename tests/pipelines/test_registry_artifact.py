"""Artifacts as they are registered: copied, hashed and read to the end, and refused like where they are opened."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from model_archives import ARCHIVES, LIMITS, METADATA, packed, write

from pipelines.artifact import take
from pipelines.errors import RegistryError


@pytest.mark.parametrize("kind", ARCHIVES)
def test_what_infer_would_refuse_is_not_registered(kind: str, tmp_path: Path) -> None:
    path, said = write(tmp_path, kind)
    folder = tmp_path / "private"
    folder.mkdir()

    with pytest.raises(RegistryError) as refused:
        take(path, folder, "my.tar.gz", LIMITS)

    assert str(refused.value).startswith("my.tar.gz: ")
    assert said in str(refused.value)
    assert str(refused.value).endswith("; expected a model.tar.gz that a Train step made")
    assert [p.name for p in folder.iterdir()] == ["checked-model.tar.gz"]


def test_the_copy_is_what_was_checked(tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(packed())
    folder = tmp_path / "private"
    folder.mkdir()

    found = take(path, folder, str(path))
    path.write_bytes(b"another by now")

    assert found.metadata == METADATA
    assert found.path.read_bytes() == packed()
    assert found.sha256 == hashlib.sha256(packed()).hexdigest()


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"gone\.tar\.gz: cannot be copied to be checked \(No such file"):
        take(tmp_path / "gone.tar.gz", tmp_path, "gone.tar.gz")
