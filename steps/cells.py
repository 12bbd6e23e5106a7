"""Expressions in DuckDB's SQL that read one cell: as text, as a number, as what a column's kind stores. Pure text.

`ref` is the name of a column that we chose ourselves (never one out of a file), so nothing needs escaping here.
The session's time zone is UTC (see `tables.connect`).
"""

from __future__ import annotations

from steps import rawfile, schema

NUMBER_PATTERN = r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*"
CODE_PATTERN = r"^\s*[+-]?0\d"
TIME_PATTERN = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s?(Z|[+-]\d\d(:?\d\d)?)?)?"
INTEGRAL_LIMIT = "1e15"
"""Below this a floating point number without a fraction is written like an integer."""

SQL_TYPES = {schema.NUMBER: "DOUBLE", schema.BOOL: "DOUBLE", schema.DATETIME: "TIMESTAMP", schema.TEXT: "VARCHAR"}


def text(stored: str, ref: str) -> str:
    """Return the cell as text; a whole number reads `7` whether it is stored as 7 or 7.0; null when empty."""
    if stored == rawfile.CELL:
        return ref
    if stored == rawfile.STRING:
        return f"nullif({ref}::VARCHAR, '')"
    if stored == rawfile.FLOAT:
        whole = f"{ref} = trunc({ref}) AND abs({ref}) < {INTEGRAL_LIMIT}"
        written = f"CASE WHEN {whole} THEN CAST(CAST({ref} AS BIGINT) AS VARCHAR) ELSE CAST({ref} AS VARCHAR) END"
        return f"CASE WHEN isnan({ref}::DOUBLE) THEN NULL ELSE {written} END"
    return f"CAST({ref} AS VARCHAR)"


def value(stored: str, kind: str, ref: str, proven: bool = False) -> str:
    """Return the cell as a column of this kind stores it; null when it is empty or is not of this kind.

    With `proven` the caller has counted that every cell is of the kind, and the dearer checks are left out.
    """
    if kind == schema.TEXT:
        return text(stored, ref)
    if kind == schema.NUMBER and stored in (rawfile.INTEGER, rawfile.FLOAT):
        return finite(f"CAST({ref} AS DOUBLE)")
    if kind == schema.BOOL and stored == rawfile.BOOL:
        return f"CAST({ref} AS DOUBLE)"
    if kind == schema.DATETIME and stored == rawfile.TIME:
        # by way of TIMESTAMPTZ, because nanoseconds with a zone have no cast of their own
        return f"CAST(CAST({ref} AS TIMESTAMPTZ) AS TIMESTAMP)"
    return _parsed(kind, text(stored, ref), proven)


def _parsed(kind: str, cell: str, proven: bool) -> str:
    if kind == schema.NUMBER:
        parsed = finite(f"TRY_CAST({cell} AS DOUBLE)")
        return parsed if proven else f"CASE WHEN {_has_number_form(cell)} THEN {parsed} END"
    if kind == schema.BOOL:
        return f"CASE lower({cell}) WHEN 'true' THEN 1.0::DOUBLE WHEN 'false' THEN 0.0::DOUBLE END"
    parsed = _time(cell)
    return parsed if proven else f"CASE WHEN regexp_full_match({cell}, '{TIME_PATTERN}') THEN {parsed} END"


def _time(cell: str) -> str:
    """Return an ISO time in UTC; the plain cast is fast but overlooks an offset, so that only offsets pay for more."""
    has_offset = f"contains({cell}, '+') OR contains(substr({cell}, 12), '-')"
    zoned = f"CAST(TRY_CAST({cell} AS TIMESTAMPTZ) AS TIMESTAMP)"
    return f"CASE WHEN {has_offset} THEN {zoned} ELSE TRY_CAST({cell} AS TIMESTAMP) END"


def is_number(cell: str) -> str:
    """Tell whether text is a number by NUMBER_PATTERN that a double can hold."""
    return f"isfinite(TRY_CAST({cell} AS DOUBLE)) AND {_has_number_form(cell)}"


def _has_number_form(cell: str) -> str:
    """Tell, of text that casts to a finite number, whether NUMBER_PATTERN allows it.

    The cast is several times as fast as the pattern but takes a few forms more: `1_000`, `+-5`. A sign or a space
    sorts before the digits, so that few cells need the pattern.
    """
    return (
        f"CASE WHEN {cell} < '0' THEN regexp_full_match({cell}, '{NUMBER_PATTERN}') ELSE NOT contains({cell}, '_') END"
    )


def finite(number: str) -> str:
    """Return a number, or null where it is infinite or not a number."""
    return f"CASE WHEN isfinite({number}) THEN {number} END"


def is_code(cell: str) -> str:
    """Tell whether text is a number with a leading zero before another digit, such as 007.

    Only cells that sort before `1` can be one; the pattern runs on those alone.
    """
    return f"CASE WHEN {cell} < '1' THEN regexp_matches({cell}, '{CODE_PATTERN}') ELSE false END"


def whole_id(cell: str) -> str:
    """Return an id as a 64-bit integer, or null where that would lose something (007, +5, 1.0, ABC)."""
    number = f"TRY_CAST({cell} AS BIGINT)"
    return f"CASE WHEN CAST({number} AS VARCHAR) = {cell} THEN {number} END"


def count_where(condition: str) -> str:
    """Return the aggregate that counts rows; DuckDB's count_if alone is null where no row has a value."""
    return f"coalesce(count_if({condition}), 0)"


def literal(value: str) -> str:
    """Return text as a literal of SQL."""
    return "'" + value.replace("'", "''") + "'"
