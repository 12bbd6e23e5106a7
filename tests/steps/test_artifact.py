"""The artifact: deterministic to pack, verified before it is read, read to its end before it is unpacked."""

from __future__ import annotations

import os
from pathlib import Path

import model_archives
import pytest
from model_archives import ARCHIVES, LIMITS, member, write

from steps import artifact, contract, description, job
from steps.contract import Versions

HERE = Versions("1.6.3", "3.11.4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "content"
    (root / "predictor" / "models").mkdir(parents=True)
    (root / "metadata.json").write_bytes(model_archives.metadata())
    (root / "predictor" / "models" / "モデル.pkl").write_bytes(b"\x00\x01" * 1000)
    return root


def test_equal_content_gives_equal_bytes_whenever_and_wherever_it_is_packed(folder: Path, tmp_path: Path) -> None:
    first = artifact.pack(folder, tmp_path / "a" / "model.tar.gz")
    os.utime(folder / "metadata.json", (1, 1))
    (folder / "metadata.json").chmod(0o600)
    second = artifact.pack(folder, tmp_path / "other name.tar.gz")
    assert first == second
    assert (tmp_path / "a" / "model.tar.gz").read_bytes() == (tmp_path / "other name.tar.gz").read_bytes()


def opened(path: Path, sha256: str, folder: Path, here: Versions = HERE, free: int = 10**12) -> artifact.Examined:
    """Do what Infer does with an artifact before it loads anything; unpack into `folder`/out."""
    target = folder / "out"
    target.mkdir(exist_ok=True)
    with artifact.verified(path, sha256, "EWR", folder) as file:
        examined = artifact.examine(file, "EWR", LIMITS)
        artifact.check_versions(examined.metadata, here, "EWR", "EWR")
        artifact.unpack(file, target, examined, "EWR", lambda _: free)
    return examined


def test_what_was_packed_is_what_is_unpacked(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    packed = artifact.pack(folder, path)
    examined = opened(path, packed.sha256, tmp_path)
    assert packed.size == path.stat().st_size
    assert (tmp_path / "out/predictor/models/モデル.pkl").read_bytes() == b"\x00\x01" * 1000
    assert examined.metadata["model"] == "EWR"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["content", "model.tar.gz", "out"]


def test_one_flipped_bit_is_refused_by_both_sha256_and_nothing_is_unpacked(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    packed = artifact.pack(folder, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(job.StepError, match=f"model EWR has sha256 .*recorded was {packed.sha256}: it is not opened"):
        opened(path, packed.sha256, tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_artifact_that_changes_after_the_check_is_the_one_that_was_checked(folder: Path, tmp_path: Path) -> None:
    path, target = tmp_path / "model.tar.gz", tmp_path / "out"
    packed = artifact.pack(folder, path)
    with artifact.verified(path, packed.sha256, "EWR", tmp_path) as file:
        path.write_bytes(model_archives.packed(member("predictor/evil.pkl")))
        examined = artifact.examine(file, "EWR")
        artifact.unpack(file, target, examined, "EWR", lambda _: 10**12)
    assert not (target / "predictor" / "evil.pkl").exists()
    assert (target / "predictor" / "models" / "モデル.pkl").exists()


@pytest.mark.parametrize("kind", ARCHIVES)
def test_a_hostile_artifact_is_refused_even_with_the_right_sha256(kind: str, tmp_path: Path) -> None:
    path, said = write(tmp_path, kind)
    with pytest.raises(job.StepError) as refused:
        opened(path, artifact.digest(path), tmp_path)
    assert said in str(refused.value)
    assert str(refused.value).startswith("the artifact of model EWR ")
    assert "Restore the recorded file, or approve another version" in str(refused.value)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (
            Versions("1.7.0", "3.11.4"),
            "trained with AutoGluon 1.6.3 and Python 3.11, here is AutoGluon 1.7.0 and Python",
        ),
        (Versions("1.6.3", "3.12.1"), "and Python 3.11, here is AutoGluon 1.6.3 and Python 3.12, and a predictor"),
    ],
)
def test_another_autogluon_or_python_is_refused_with_both_ways_out(
    folder: Path, tmp_path: Path, here: Versions, said: str
) -> None:
    path = tmp_path / "model.tar.gz"
    packed = artifact.pack(folder, path)
    with pytest.raises(job.StepError) as refused:
        opened(path, packed.sha256, tmp_path, here)
    assert said in str(refused.value)
    assert "run it in an image with those (on AWS a registered version has its own image)" in str(refused.value)
    assert "python -m pipelines.registry refresh EWR (and --local on this machine)" in str(refused.value)
    assert len(str(refused.value)) < 500
    assert list((tmp_path / "out").iterdir()) == []


def test_another_patch_of_python_is_no_other_version(folder: Path, tmp_path: Path) -> None:
    packed = artifact.pack(folder, tmp_path / "model.tar.gz")
    assert opened(tmp_path / "model.tar.gz", packed.sha256, tmp_path, Versions("1.6.3", "3.11.99"))


def test_a_disk_that_is_too_small_is_told_before_it_is_filled(folder: Path, tmp_path: Path) -> None:
    packed = artifact.pack(folder, tmp_path / "model.tar.gz")
    with pytest.raises(job.StepError, match=r"the disk has 1 MB: give the job a larger one \(instances\.infer\.volume"):
        opened(tmp_path / "model.tar.gz", packed.sha256, tmp_path, free=10**6)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_small_artifact_needs_a_small_disk_and_a_large_one_leaves_a_twentieth_of_its_size(tmp_path: Path) -> None:
    assert artifact.needed(10**6) == 10**6 + 16 * 1024**2
    assert artifact.needed(10**10) == 10**10 + 5 * 10**8


def test_the_free_bytes_of_a_disk_are_those_of_the_disk(tmp_path: Path) -> None:
    assert artifact.free_bytes(tmp_path) > 0


def test_a_format_that_this_code_writes_is_one_that_it_reads() -> None:
    assert contract.FORMAT in description.FORMATS
