"""Archives of any origin: what is refused, that nothing of it is unpacked, and what reading it may cost."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from model_archives import ARCHIVES, END, LIMITS, METADATA, endless, good, member, metadata, packed, write

from steps import archive, description
from steps.archive import ArchiveError, Limits


def look(path: Path) -> dict[str, object]:
    """Do what Infer and registering do before anything is unpacked."""
    copy = io.BytesIO()
    archive.take(path, copy)
    return description.read(archive.inspect(copy, "metadata.json", LIMITS))


@pytest.mark.parametrize("kind", ARCHIVES)
def test_what_is_no_artifact_is_refused_with_one_sentence(kind: str, tmp_path: Path) -> None:
    path, said = write(tmp_path, kind)

    with pytest.raises(ArchiveError) as refused:
        look(path)

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ARCHIVES)
def test_no_archive_is_unpacked_outside_its_folder_or_over_a_file(kind: str, tmp_path: Path) -> None:
    path, _ = write(tmp_path, kind)
    target = tmp_path / "a" / "b"
    target.mkdir(parents=True)

    with path.open("rb") as file:
        try:
            archive.extract(file, target, LIMITS)
        except (ArchiveError, OSError) as error:
            assert not isinstance(error, FileExistsError)  # noqa: PT017 - some are refused, some by their metadata only

    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "bad.tar.gz"]
    assert sorted(p.name for p in target.parent.iterdir()) == ["b"]
    assert not any(p.is_symlink() for p in target.rglob("*"))


def test_a_good_artifact_is_read_and_unpacked(tmp_path: Path) -> None:
    file = io.BytesIO(packed(member("predictor/モデル.pkl", content=b"y" * 2000)))

    contents = archive.inspect(file, "metadata.json")
    archive.extract(file, tmp_path)

    assert description.read(contents) == METADATA
    assert contents.size == len(metadata()) + 1 + 2000
    assert contents.top == {"metadata.json", "predictor"}
    assert (tmp_path / "predictor/モデル.pkl").read_bytes() == b"y" * 2000


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_an_artifact_packed_again_by_hand_is_read(form: int, tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    (tmp_path / "x" / "predictor" / ("long" * 20)).mkdir(parents=True)
    (tmp_path / "x" / "predictor" / ("long" * 20) / ("name" * 15)).write_bytes(b"x" * 512 * 3)
    (tmp_path / "x" / "metadata.json").write_bytes(metadata())
    with tarfile.open(path, "w:gz", format=form) as made:
        made.add(tmp_path / "x", "./")

    assert look(path) == METADATA


def test_an_archive_that_repeats_itself_is_unpacked_below_the_ratio_only() -> None:
    content = b"".join(member(f"predictor/{n}", content=bytes(100_000)) for n in range(10))
    file = io.BytesIO(gzip.compress(good(content) + END))

    archive.inspect(file, "metadata.json")
    with pytest.raises(ArchiveError, match="unpacks to more than 200 times its size"):
        archive.inspect(file, "metadata.json", Limits(free=1000))


class Counted(io.BytesIO):
    """A file that counts what is read of it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        self.taken += len(found)
        return found


def test_a_stream_that_goes_on_is_left_early() -> None:
    content = b"".join(endless() for _ in range(10))
    file = Counted(content)

    with pytest.raises(ArchiveError, match="200 times"):
        archive.inspect(file, "metadata.json", LIMITS)

    assert 0 < file.taken < len(content) / 3


MEMORY = """
import resource, sys
from pathlib import Path
from steps import archive
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    archive.inspect(Path(sys.argv[1]).open("rb"), "metadata.json")
except archive.ArchiveError:
    pass
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown // (1024 if sys.platform == "darwin" else 1))
"""


@pytest.mark.parametrize("kind", ["a bomb", "a header without end", "headers upon headers"])
def test_a_hostile_archive_takes_little_memory(kind: str, tmp_path: Path) -> None:
    path, _ = write(tmp_path, kind)

    done = subprocess.run([sys.executable, "-c", MEMORY, path], capture_output=True, text=True, check=True)

    assert int(done.stdout) < 32_000


def test_a_folder_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="is a folder, not a file"):
        archive.take(tmp_path, io.BytesIO())
