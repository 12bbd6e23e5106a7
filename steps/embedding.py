"""Data inside a page: JSON in a script element, safe whatever its texts hold. Standard library only.

The report has a slot for what comes true later: `pipelines.evaluate` fills it without making the page anew.
"""

from __future__ import annotations

import json
from typing import Any

REALISED = "realised"
"""Id of the slot for the content of `realised.json`; `null` until something has come true."""
_END = "</script>"


def to_script(value: Any) -> str:
    """Return `value` as JSON that can neither end its element nor begin a comment, whatever its texts hold."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def slot(name: str) -> str:
    """Return how the element with this id begins; its content ends at the next end of a script."""
    return f'<script type="application/json" id="{name}">'


def fill(page: str, name: str, value: Any) -> str | None:
    """Return a page with another value in a slot, or None where it has no such slot."""
    head, found, rest = page.partition(slot(name))
    _, end, tail = rest.partition(_END)
    return f"{head}{found}{to_script(value)}{end}{tail}" if found and end else None
