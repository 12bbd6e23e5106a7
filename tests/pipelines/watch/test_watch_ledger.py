"""The ledger says what is still to be served, also after a crash in the middle of a line."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipelines.errors import WorkspaceError
from pipelines.watch.ledger import Entry, Ledger, ledger_folder, locked
from pipelines.watch.markers import Stamp

NOW = 1_800_000_000.0


def add(ledger: Ledger, path: str, body: bytes = b"") -> Entry:
    entry = ledger.add(path, Stamp(len(body), 1, 1, 1), body, NOW)
    assert entry is not None
    return entry


def test_what_was_found_and_not_ended_waits_after_a_restart_begun_ones_first(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    entries = [add(ledger, f"{n}.run", bytes([n, 255, 10])) for n in range(3)]
    ledger.start(entries[0], NOW)
    ledger.end(entries[0], NOW, "Succeeded", 1.0, "")
    ledger.start(entries[2], NOW)
    ledger.close()
    again = Ledger(tmp_path)

    assert again.waiting() == (entries[2], entries[1])
    assert [again.add(e.path, Stamp(3, 1, 1, 1), e.body, NOW) for e in entries] == [None] * 3
    again.close()


def test_the_execution_is_named_by_the_time_and_the_writing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    entry = add(ledger, "x.run")
    ledger.close()

    assert entry.execution == f"20270115-080000-{entry.token[:8]}"


@pytest.mark.parametrize("cut", [1, 20, 40])
def test_a_line_that_a_crash_cut_off_counts_for_nothing(tmp_path: Path, cut: int) -> None:
    ledger = Ledger(tmp_path)
    first = add(ledger, "a.run")
    add(ledger, "b.run")
    ledger.close()
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    again = Ledger(tmp_path)
    assert again.waiting() == (first,)
    second = add(again, "b.run")
    again.close()
    last = Ledger(tmp_path)

    assert last.waiting() == (first, second)
    last.close()


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    full = [True]

    def write(handle: int, line: bytes) -> None:
        if full[0]:
            os.write(handle, line[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        os.write(handle, line)

    ledger = Ledger(tmp_path, write)
    with pytest.raises(WorkspaceError, match=r"cannot be written \(No space left on device\)"):
        add(ledger, "a.run")
    full[0] = False
    add(ledger, "a.run")
    ledger.close()

    assert (tmp_path / "ledger.jsonl").read_bytes().count(b"\n") == 1
    assert (tmp_path / "ledger.jsonl").read_bytes().startswith(b'{"at"')


@pytest.mark.parametrize("line", [b"no json\n", b"[]\n", b'{"event": "found"}\n', b"\xff\n", b"null\n"])
def test_a_damaged_ledger_is_refused_with_the_line(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(line)

    with pytest.raises(WorkspaceError, match=r"damaged in line 1; mend it, or move it away"):
        Ledger(tmp_path)


def test_a_second_watcher_of_the_folder_is_refused(tmp_path: Path) -> None:
    def watch_too() -> None:
        with locked(tmp_path, Path("inbox")):
            pass

    with locked(tmp_path, Path("inbox")), pytest.raises(WorkspaceError, match=r"--watch inbox: another watcher"):
        watch_too()
    with locked(tmp_path, Path("inbox")):
        pass


def test_folders_of_one_name_have_ledgers_of_their_own(tmp_path: Path) -> None:
    places = [ledger_folder(tmp_path, tmp_path / name / "in box") for name in ("a", "b")]

    assert places[0] != places[1]
    assert all(place.name.startswith("in-box-") for place in places)
