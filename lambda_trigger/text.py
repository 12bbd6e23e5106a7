"""Plain text for people: numbers, aligned tables, quoted names, subjects within SNS's limits. Pure.

Nothing that a name, a key or a value holds breaks a line of a table, a mail or a log, or steers a terminal.
"""

from __future__ import annotations

import logging
import shlex
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from steps.contract import escape_controls
from steps.language import ENGLISH, Language

SUBJECT_LIMIT = 99
"""SNS wants a subject of less than 100 ASCII characters (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""
BODY_LIMIT = 256 * 1024
"""Bytes of one SNS message."""


def make_logger(name: str) -> logging.Logger:
    """Return the logger of a module, each of whose messages is one line."""
    logger = logging.getLogger(name)
    logger.addFilter(_keep_to_one_line)
    return logger


def _keep_to_one_line(record: logging.LogRecord) -> bool:
    record.msg, record.args = escape_controls(record.getMessage()), None
    return True


def format_number(value: float | None) -> str:
    """Return a figure with up to six significant digits, or `-` where there is none."""
    return "-" if value is None else f"{value:.6g}"


def format_interval(low: float | None, high: float | None, language: Language = ENGLISH) -> str:
    """Return both ends of an interval in four significant digits, or `-` where there is none."""
    if low is None or high is None:
        return "-"
    ends = (f"{end:#.4g}".rstrip(".") for end in (low, high))
    return language.say("{low} to {high}", **dict(zip(("low", "high"), ends, strict=True)))


def compare_numbers(left: float, sign: str, right: str, other: float) -> str:
    """Return `left sign right other` with as many digits as it takes to tell the two apart."""
    shown = format_number(left), format_number(other)
    if shown[0] == shown[1] and left != other:
        shown = repr(left), repr(other)
    return " ".join(part for part in (shown[0], sign, right, shown[1]) if part)


def format_table(rows: Sequence[Sequence[str]], numeric: frozenset[int] = frozenset()) -> str:
    """Return rows as aligned columns, the first row being the heading; numeric columns set to the right."""
    plain = [[escape_controls(cell) for cell in row] for row in rows]
    widths = [max(_width(row[column]) for row in plain) for column in range(len(rows[0]))]
    return "\n".join(_format_row(row, widths, numeric) for row in plain)


def _format_row(row: Sequence[str], widths: Sequence[int], numeric: frozenset[int]) -> str:
    cells = []
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        padding = " " * (width - _width(cell))
        cells.append(padding + cell if column in numeric else cell + padding)
    return "  ".join(cells).rstrip()


def _width(cell: str) -> int:
    """Return the columns that a text takes on a terminal: East Asian characters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in cell)


def quote_argument(name: str, slug: str) -> str:
    """Return a model's name as a shell argument, or its slug if the name would be an option or break the line."""
    return slug if not name.isprintable() or name.startswith("-") else shlex.quote(name)


def format_time(moment: datetime, timezone: str, language: Language = ENGLISH) -> str:
    """Return a moment in the people's time zone; in UTC where the machine does not know the zone."""
    try:
        local = moment.astimezone(ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        local, timezone = moment.astimezone(UTC), "UTC"
    return language.say("{time:%Y-%m-%d %H:%M} {zone}", time=local, zone=timezone)


def format_size(size: int) -> str:
    """Return a number of bytes for people."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"


def list_names(names: Sequence[str], limit: int = 3, language: Language = ENGLISH) -> str:
    """Return names joined by commas, the ones beyond `limit` as a count."""
    shown = language.say(", ").join(escape_controls(name) for name in names[:limit])
    if len(names) <= limit:
        return shown
    return language.say("{names} and {count} more", names=shown, count=len(names) - limit)


def fit_subject(subject: str) -> str:
    """Return a subject in one line of printable ASCII, within SNS's limit, starting with a letter or mark."""
    plain = unicodedata.normalize("NFKD", " ".join(subject.split()))
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    letters = [letter if " " <= letter <= "~" else "?" for letter in bare]
    return "".join(letters).strip()[:SUBJECT_LIMIT].rstrip() or "(no subject)"


def fit_body(body: str, language: Language = ENGLISH) -> str:
    """Return a body of lines without other control characters, within SNS's limit, cut at its end where it must be."""
    body = escape_controls(body, keep="\n")
    encoded = body.encode()
    if len(encoded) <= BODY_LIMIT:
        return body
    cut = f"\n{language.say('... (cut; the report has everything)')}\n"
    return encoded[: BODY_LIMIT - len(cut.encode())].decode(errors="ignore") + cut
