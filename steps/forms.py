"""Forms of numbers that a cast takes but that are none, or are codes: `1_000`, `+-5`, `007`; looked for in raw bytes.

A file without them (nearly all) may be read with its numbers as numbers, which costs half of reading text, checking
its form and casting it. Errs on the safe side: what it finds may be part of a text.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

WINDOW = 256 << 10
"""Bytes looked at together, so that all that is computed of them stays in the processor's cache."""
OVERLAP = 3
"""Bytes of a piece that are looked at again with the next: a zero counts with two bytes before and one behind it."""

Bytes = npt.NDArray[np.uint8]


class OddNumbers:
    """Looks through the bytes of a CSV file, block by block; `found` once there is an odd number."""

    def __init__(self, delimiter: str) -> None:
        self.found = not delimiter.isascii()
        self._starts = _set(b'"\r\n' + delimiter.encode()[:1])
        self._tail = b"\n" * OVERLAP

    def feed(self, block: bytes) -> None:
        """Look through the next block."""
        if self.found:
            return
        edge = self._tail + block[:OVERLAP]
        self._tail = (self._tail + block[-OVERLAP:])[-OVERLAP:]
        self.found = any(self._is_odd(data) for data in (edge, *_windows(block)))

    def _is_odd(self, data: bytes | memoryview) -> bool:
        found = np.frombuffer(data, np.uint8)
        return bool(self._has_code(found) or _has_grouping(found) or _has_rarity(bytes(data)))

    def _has_code(self, data: Bytes) -> bool:
        """Tell whether a cell begins with a zero and a digit, maybe after space and sign."""
        if len(data) <= OVERLAP:
            return False
        places = np.flatnonzero((data[2:-1] == _ZERO) & _may_be_digits(data[3:])) + 1
        before = data[places]
        if self._starts[before].any():
            return True
        earlier = data[places[_LEADING[before]] - 1]
        return bool((self._starts | _LEADING)[earlier].any())


def _set(members: bytes) -> npt.NDArray[np.bool_]:
    """Return for each byte whether it is one of the members."""
    return np.isin(np.arange(256), np.frombuffer(members, np.uint8))


_ZERO = np.uint8(ord("0"))
_UNDERSCORE = np.uint8(ord("_"))
_LEADING = _set(b" \t\v\f+-")
"""What may stand before the digits of a number."""


def _windows(block: bytes) -> Any:
    """Yield pieces of a block, each with the last bytes of the one before."""
    view = memoryview(block)
    return (view[max(0, start - OVERLAP) : start + WINDOW] for start in range(0, len(block), WINDOW))


def _may_be_digits(data: Bytes) -> npt.NDArray[np.bool_]:
    """Tell which bytes are digits or one of :;<=>? behind them, in the way that takes the processor least."""
    found: npt.NDArray[np.bool_] = (data & np.uint8(0xF0)) == _ZERO
    return found


def _has_grouping(data: Bytes) -> bool:
    """Tell whether an underscore stands between digits."""
    places = np.flatnonzero(data[1:-1] == _UNDERSCORE) if len(data) > 2 else np.empty(0, np.intp)
    return bool((_may_be_digits(data[places]) & _may_be_digits(data[places + 2])).any())


def _has_rarity(data: bytes) -> bool:
    """Tell whether there is a double sign, or a vertical tab, which the cast takes for a space."""
    return b"\v" in data or (b"+" in data and b"+-" in data)
