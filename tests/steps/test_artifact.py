"""The artifact: deterministic to pack, verified and bounded to unpack."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from steps import artifact, job


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "content"
    (root / "predictor" / "models").mkdir(parents=True)
    (root / "metadata.json").write_text('{"format": 1, "model": "EWR", "autogluon_version": "1.6.3"}')
    (root / "predictor" / "models" / "モデル.pkl").write_bytes(b"\x00\x01" * 1000)
    return root


def archive_of(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, target: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.size, found.linkname = kind, size, target
    return found


def test_equal_content_gives_equal_bytes_whenever_and_wherever_it_is_packed(folder: Path, tmp_path: Path) -> None:
    first = artifact.pack(folder, tmp_path / "a" / "model.tar.gz")
    os.utime(folder / "metadata.json", (1, 1))
    (folder / "metadata.json").chmod(0o600)
    second = artifact.pack(folder, tmp_path / "other name.tar.gz")
    assert first == second
    assert (tmp_path / "a" / "model.tar.gz").read_bytes() == (tmp_path / "other name.tar.gz").read_bytes()


def test_what_was_packed_is_what_is_unpacked(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    packed = artifact.pack(folder, path)
    artifact.verify(path, packed.sha256, "EWR")
    artifact.unpack(path, tmp_path / "out", "EWR")
    assert packed.size == path.stat().st_size
    assert (tmp_path / "out/predictor/models/モデル.pkl").read_bytes() == b"\x00\x01" * 1000
    assert artifact.read_metadata(tmp_path / "out", "EWR")["model"] == "EWR"


def test_a_changed_artifact_is_refused_by_both_sha256(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    packed = artifact.pack(folder, path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(job.StepError, match=f"model EWR has sha256 .*recorded was {packed.sha256}"):
        artifact.verify(path, packed.sha256, "EWR")


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/outside"])
def test_a_member_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = archive_of(tmp_path / "model.tar.gz", member(name, size=1))
    with pytest.raises(job.StepError, match="outside its folder"):
        artifact.unpack(path, tmp_path / "out", "EWR")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    path = archive_of(tmp_path / "model.tar.gz", member("model.pkl", kind, target="metadata.json"))
    with pytest.raises(job.StepError, match="a link or device"):
        artifact.unpack(path, tmp_path / "out", "EWR")


def test_an_archive_beyond_the_limits_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "model.tar.gz", member("small", size=10), member("large", size=5000))
    with pytest.raises(job.StepError, match="more than 9 members or 1000 bytes"):
        artifact.unpack(path, tmp_path / "out", "EWR", artifact.Limits(members=9, bytes=1000))
    assert not (tmp_path / "out" / "large").exists()
    with pytest.raises(job.StepError, match="more than 1 members"):
        artifact.unpack(path, tmp_path / "out", "EWR", artifact.Limits(members=1))


@pytest.mark.parametrize("content", [b"", b"not gzip at all", b"\x1f\x8b\x08\x00truncated"])
def test_what_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(content)
    with pytest.raises(job.StepError, match="not a readable tar"):
        artifact.unpack(path, tmp_path / "out", "EWR")


def test_an_artifact_without_metadata_is_not_ours(tmp_path: Path) -> None:
    with pytest.raises(job.StepError, match=r"no metadata\.json"):
        artifact.read_metadata(tmp_path, "EWR")


def test_a_format_of_the_future_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text('{"format": 99}')
    with pytest.raises(job.StepError, match="has format 99, this code reads 1: run"):
        artifact.read_metadata(tmp_path, "EWR")


def test_another_autogluon_version_is_refused_with_the_way_out() -> None:
    metadata = {"model": "EWR", "autogluon_version": "1.5.0"}
    artifact.check_version(metadata, "1.5.0")
    with pytest.raises(job.StepError, match=r"AutoGluon 1\.5\.0, here is 1\.6\.3.*run it in an image with"):
        artifact.check_version(metadata, "1.6.3")
