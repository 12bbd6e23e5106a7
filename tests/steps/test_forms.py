"""What a cast takes for a number and we do not is found in the bytes of the file."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import cells, forms, tables


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    with tables.connect(tmp_path_factory.mktemp("scratch"), {"CORES": "1"}) as connection:
        yield connection


def is_odd(data, delimiter=",", block=1 << 20):
    found = forms.OddNumbers(delimiter)
    for start in range(0, len(data), block):
        found.feed(data[start : start + block])
    return found.found


CELL = st.text(alphabet='0123456789.eE+-_ \t\v\f"ax', max_size=7)


@given(st.lists(CELL, min_size=1, max_size=4), st.sampled_from(",;|\t"), st.integers(1, 9))
@settings(max_examples=400, deadline=None)
def test_a_file_without_odd_numbers_has_none_that_a_cast_would_take(connection, row, delimiter, block):
    data = ("a\n" + delimiter.join(row) + "\n").encode()
    if is_odd(data, delimiter, block):
        return
    for cell in row:
        [(cast,)] = connection.execute("SELECT isfinite(TRY_CAST(? AS DOUBLE))", [cell]).fetchall()
        if cast:
            assert re.fullmatch(cells.NUMBER_PATTERN, cell, re.ASCII)
            assert not re.search(cells.CODE_PATTERN, cell, re.ASCII)


@pytest.mark.parametrize("cell", ["007", "-007", "+00", " 01", '"007"', " -01", "1_000", "+-5", "\v5", "\t09"])
@pytest.mark.parametrize("block", [1, 2, 3, 4, 5, 6, 100])
def test_odd_numbers_are_found_wherever_blocks_end(cell, block):
    assert is_odd(f"x,y\n1,{cell}\n".encode(), block=block)
    assert is_odd(f"{cell}\n".encode(), block=block)


@pytest.mark.parametrize("block", [1, 3, 100])
def test_usual_cells_are_not_odd(block):
    row = "0,0.05,-0.05,100,1e05,2026-01-02T03:04:05+01:00,2026-01-02 03:04:05,kind 01,a_1,x_y,0"
    assert not is_odd(f"dep_time,b\n{row}\n0.0,-0\n".encode(), block=block)


def test_an_odd_number_is_found_behind_a_window():
    filler = b"1,2\n" * (forms.WINDOW // 4)
    for shift in range(8):
        assert is_odd(b"\n" * shift + filler + b"1,007\n" + filler, block=1 << 24)
        assert not is_odd(b"\n" * shift + filler + b"1,0.07\n" + filler, block=1 << 24)


def test_a_delimiter_that_is_no_ascii_is_never_trusted():
    assert is_odd(b"1\n", delimiter="\N{SECTION SIGN}")
