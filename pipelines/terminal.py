"""Text as a terminal gets it: whatever a name, a path or a value holds, it breaks no line and moves no cursor. Pure."""

from __future__ import annotations

from steps.contract import escape_controls


def line(text: str) -> str:
    """Return a text in one line."""
    return escape_controls(text)


def lines(text: str) -> str:
    """Return a text of our own lines, such as a table or a mail."""
    return escape_controls(text, keep="\n")


def paragraph(text: str) -> str:
    """Return a text of several lines, all but the first set in, so that none can pass for a message of its own."""
    return lines(text.strip("\n")).replace("\n", "\n  ")
