"""Columns of text line up on a terminal."""

from __future__ import annotations

from pipelines import textgrid


def test_wide_characters_count_as_two_cells() -> None:
    assert textgrid.lines([("a", "1"), ("東京", "22")], right=(1,)) == ["a      1", "東京  22"]


def test_a_cell_breaks_no_line_and_moves_no_cursor() -> None:
    assert textgrid.lines([("a\nb", "\x1b[2J"), ("c", "d")]) == [r"a\nb  \x1b[2J", "c     d"]


def test_the_last_column_leaves_no_blanks_behind() -> None:
    assert textgrid.lines([("a", "long"), ("b", "x")]) == ["a  long", "b  x"]
