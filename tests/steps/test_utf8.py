from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steps.utf8 import Utf8


def feed(data, block):
    scan = Utf8()
    for start in range(0, len(data), block):
        if not scan.feed(data[start : start + block]):
            return False, scan.line
    return scan.finish(), scan.line


@given(st.text(alphabet="a\né日😀", max_size=20), st.integers(1, 5))
def test_text_is_utf8_wherever_blocks_end(text, block):
    assert feed(text.encode(), block) == (True, 1 + text.count("\n"))


@pytest.mark.parametrize("block", [1, 2, 100])
def test_the_line_of_the_first_byte_that_is_not_utf8_is_told(block):
    assert feed("ä\nb\n".encode() + b"\xff\n", block) == (False, 3)
    assert feed("a\né".encode()[:-1], block) == (False, 2)


def test_utf16_is_guessed_by_its_mark():
    scan = Utf8()

    assert not scan.feed("a".encode("utf-16"))
    assert scan.guess == " (it looks like UTF-16)"
