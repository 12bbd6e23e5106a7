"""The log of a step: its last line while it works, its end where it failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.local.steplog import Reader, find_logs, last_line, tail


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


def test_the_end_of_a_log_is_its_last_lines_without_empty_ones_behind(log: Path) -> None:
    log.write_text("\n".join(f"line {n}" for n in range(30)) + "\n\n\n")

    assert tail(log, 3) == ["line 27", "line 28", "line 29"]


def test_a_step_without_a_log_has_no_end_and_no_last_line(log: Path) -> None:
    assert tail(log) == []
    assert last_line(log) == ""


def test_of_a_large_log_only_the_end_is_read_and_no_line_is_half_of_one(log: Path) -> None:
    log.write_text("x" * 20_000 + "\n" + "é" * 9_000 + "\nlast\n")

    assert tail(log) == ["last"]


def test_a_line_of_any_length_is_cut(log: Path) -> None:
    log.write_text("x" * 5_000)

    assert len(tail(log)[0]) < 600


def test_the_last_line_is_shown_without_the_time_that_the_step_wrote_before_it(log: Path) -> None:
    log.write_text("2026-11-26 22:07:08,245 INFO JFK: fitting 65,932 rows\n\n")

    assert last_line(log) == "JFK: fitting 65,932 rows"


def test_bytes_that_are_no_text_are_shown_as_far_as_they_are(log: Path) -> None:
    log.write_bytes(b"caf\xff\n")

    assert tail(log) == ["caf�"]


def test_what_has_come_is_read_once_in_whole_lines(log: Path) -> None:
    reader = Reader()
    log.write_text("one\ntw")
    assert list(reader.new_lines(log)) == ["one"]

    log.write_text("one\ntwo\nthr")

    assert list(reader.new_lines(log)) == ["two"]
    assert list(reader.new_lines(log, ended=True)) == ["thr"]
    assert list(reader.new_lines(log, ended=True)) == []


def test_a_log_that_begins_anew_is_read_from_its_beginning(log: Path) -> None:
    reader = Reader()
    log.write_text("a long first attempt\n")
    list(reader.new_lines(log))

    log.write_text("again\n")

    assert list(reader.new_lines(log)) == ["again"]


def test_each_of_several_hosts_has_a_log(tmp_path: Path) -> None:
    for host in ("algo-2", "algo-1"):
        (tmp_path / host).mkdir()
        (tmp_path / host / "log.txt").touch()

    assert [path.parent.name for path in find_logs(tmp_path)] == ["algo-1", "algo-2"]

    (tmp_path / "log.txt").touch()
    assert find_logs(tmp_path) == [tmp_path / "log.txt"]
