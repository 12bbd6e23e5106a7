"""Rows of text in aligned columns, with East Asian characters counted as the two cells that terminals give them."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence

from pipelines import terminal


def lines(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Return one line per row; columns named in `right` are aligned to the right."""
    plain = [[terminal.line(text) for text in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(*plain, strict=True)]
    return ["  ".join(_pad(text, widths[i], i in right) for i, text in enumerate(row)).rstrip() for row in plain]


def width(text: str) -> int:
    """Return the cells that a text takes on a terminal."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _pad(text: str, wanted: int, right: bool) -> str:
    space = " " * (wanted - width(text))
    return space + text if right else text + space
