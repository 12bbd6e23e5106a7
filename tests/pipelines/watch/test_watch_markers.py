"""What counts as a marker and as a raw file on the disk, and what tells one writing from another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.watch.markers import DiskFolder, Stamp, token


@pytest.fixture
def folder(tmp_path: Path) -> DiskFolder:
    (tmp_path / "inbox").mkdir()
    return DiskFolder(tmp_path / "inbox")


def put(folder: DiskFolder, path: str, text: str = "") -> Path:
    made = folder.root / path
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text(text)
    return made


def test_markers_are_found_in_the_folder_and_below_but_not_where_a_dot_hides_them(folder: DiskFolder) -> None:
    for path in ("x.run", "a/b/ä y.run", "a/train.csv", ".hidden/x.run", "a/.x.run", "x.run.txt"):
        put(folder, path)
    (folder.root / "dir.run").mkdir()

    assert sorted(folder.markers().markers) == ["a/b/ä y.run", "x.run"]
    assert folder.markers().problems == ()


def test_links_and_pipes_are_no_markers_and_are_said(folder: DiskFolder, tmp_path: Path) -> None:
    (tmp_path / "secret.run").write_text("")
    (folder.root / "link.run").symlink_to(tmp_path / "secret.run")
    os.mkfifo(folder.root / "pipe.run")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x.run").write_text("")
    (folder.root / "linked").symlink_to(tmp_path / "elsewhere")

    listing = folder.markers()

    assert listing.markers == {}
    assert ["link.run" in p or "pipe.run" in p for p in listing.problems] == [True, True]


def test_a_marker_is_read_with_its_stamp_and_cut_at_the_limit(folder: DiskFolder) -> None:
    path = put(folder, "x.run", "MaeThreshold: 5\n")
    stamp = folder.markers().markers["x.run"]

    assert folder.read("x.run", 100) == (stamp, b"MaeThreshold: 5\n")
    assert folder.read("x.run", 3) == (stamp, b"Mae")
    path.unlink()
    assert folder.read("x.run", 100) is None


def test_the_same_bytes_written_again_are_another_writing_and_a_change_of_mode_is_none(folder: DiskFolder) -> None:
    path = put(folder, "x.run", "same")

    def now() -> str:
        found = folder.read("x.run", 100)
        assert found is not None
        return token("x.run", *found)

    first = now()
    path.chmod(0o600)
    assert now() == first
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
    second = now()
    path.unlink()
    replaced = put(folder, "new", "same")
    replaced.rename(path)

    assert len({first, second, now()}) == 3
    assert token("y.run", Stamp(0, 1, 1, 1), b"") != token("x.run", Stamp(0, 1, 1, 1), b"")


def test_raw_files_are_listed_without_markers_and_with_hidden_ones_in_their_stamps_only(folder: DiskFolder) -> None:
    for path in ("a/train.csv", "a/b/more.csv", "a/x.run", "a/.train.csv.Xy12", "a/.cache/y.csv", "other.csv"):
        put(folder, path, "12")
    files = folder.files("a")

    assert set(files.stamps) == {"train.csv", "b/more.csv", ".train.csv.Xy12"}
    assert [(f.key, f.size) for f in files.listed] == [("b/more.csv", 2), ("train.csv", 2)]
    assert folder.files("none").stamps == {}


def test_links_that_lead_out_of_the_folder_or_to_a_folder_are_told(folder: DiskFolder, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("1")
    put(folder, "shared.csv", "1")
    put(folder, "a/x.run")
    (folder.root / "a/train.csv").symlink_to(tmp_path / "secret.csv")
    (folder.root / "a/up").symlink_to(tmp_path)
    (folder.root / "a/predict.csv").symlink_to(folder.root / "shared.csv")
    put(folder, "b/x.csv", "1")
    (folder.root / "a/beside").symlink_to("../b")

    files = folder.files("a")

    assert files.strays == ("beside", "train.csv", "up")
    assert set(files.stamps) == {"predict.csv"}


def test_links_that_lead_nowhere_are_no_files_and_end_no_watcher(folder: DiskFolder) -> None:
    put(folder, "a/train.csv", "1")
    (folder.root / "a/round.csv").symlink_to("round.csv")
    (folder.root / "a/gone.csv").symlink_to("nothing.csv")
    (folder.root / "a/long.csv").symlink_to("x" * 300)

    assert set(folder.files("a").stamps) == {"train.csv"}
