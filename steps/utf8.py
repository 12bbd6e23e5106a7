"""Whether the bytes of a file are UTF-8, told block by block, with the line of the first that are not."""

from __future__ import annotations

import codecs


class Utf8:
    """Checks bytes block by block; `line` is the line of the first error."""

    def __init__(self) -> None:
        self.line = 1
        self.guess = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._first = True

    def feed(self, block: bytes) -> bool:
        """Tell whether the next block goes on as UTF-8."""
        if self._first and block[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            self.guess = " (it looks like UTF-16)"
        self._first = False
        pending = len(self._decoder.getstate()[0])
        if not pending and block.isascii():
            self.line += block.count(b"\n")
            return True
        try:
            self._decoder.decode(block)
        except UnicodeDecodeError as error:
            self.line += block[: max(0, error.start - pending)].count(b"\n")
            return False
        self.line += block.count(b"\n")
        return True

    def finish(self) -> bool:
        """Tell whether no character is left unfinished."""
        return not self._decoder.getstate()[0]
