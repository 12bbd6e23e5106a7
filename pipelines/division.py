"""Guess which column divides the rows into segments, each with a model of its own. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines import column_names, survey
from pipelines.proposal import CLOSE, Choice, Data, Wanted
from pipelines.survey import Column, Counts, Values

MIN_ROWS = 30
"""Training rows from which a segment gets a model of its own; the default of `min_rows`."""
MOST_SEGMENTS = 200
"""More values than this are taken for segments only where the name says so, or a person."""
_FLAGS = {"y", "n", "yes", "no", "true", "false", "t", "f", "0", "1", "on", "off", "m", "male", "female"}


def candidates(data: Data, wanted: Wanted, label: str | None) -> list[str]:
    """Return the columns whose values may be segments, to be counted."""
    if wanted.segment is not None:
        return [wanted.segment]
    taken = {label, wanted.id, wanted.time}
    shared = [c for c in data.train.values() if c.name not in taken and not data.lacks(c.name)]
    return [c.name for c in shared if _may_divide(c)][:30]


def _may_divide(column: Column) -> bool:
    by_name = column_names.is_code(column.name)
    readable = column.kind == survey.TEXT or (column.kind == survey.NUMBER and column.is_whole and by_name)
    most = survey.MOST_VALUES if by_name or column_names.like_segment(column.name) > 0 else 1.2 * MOST_SEGMENTS
    return readable and column.filled >= 0.9 * column.rows and column.spread >= 2 and column.distinct <= most


def guess(wanted: Wanted, counts: Counts, taken: Sequence[str | None]) -> Choice:
    """Return the column for each of whose values there is to be a model, or none."""
    if wanted.segment is not None:
        return Choice(wanted.segment, f"as you said; {_say_values(counts.values[wanted.segment])}", given=True)
    scored = sorted(
        (
            (_score(name, values), -n, name)
            for n, (name, values) in enumerate(counts.values.items())
            if name not in taken
        ),
        reverse=True,
    )
    able = [each for each in scored if each[0] > 0]
    if not able:
        small = [f"{name!r} has {_say_values(counts.values[name])}" for _, _, name in scored[:2]]
        return Choice(None, "no column divides the rows well" + (f" ({'; '.join(small)})" if small else ""))
    best, _, column = able[0]
    close = tuple(name for score, _, name in able[1:4] if best - score <= CLOSE)
    return Choice(column, f"{_say_values(counts.values[column])}", close)


def _score(name: str, values: Values) -> float:
    """Return how well a column divides the rows: by its name and the rows that get a model of their own; 0 not."""
    train, predict = sum(t for _, t, _ in values.rows), sum(p for _, _, p in values.rows)
    own = [(t, p) for _, t, p in values.rows if t >= MIN_ROWS]
    share = sum(t for t, _ in own) / train if train else 0.0
    served = sum(p for _, p in own) / predict if predict else 1.0
    hint = column_names.like_segment(name)
    if (
        len(own) < 2
        or share < 0.5
        or values.distinct > len(values.rows)
        or (values.distinct > MOST_SEGMENTS and hint <= 0)
    ):
        return 0.0
    flags = len(values.rows) == 2 and all(value.casefold() in _FLAGS for value, _, _ in values.rows)
    few = 0.2 if values.distinct <= 50 else 0.0 if values.distinct <= MOST_SEGMENTS else -0.4
    return max(0.0, 0.1 + hint + 0.5 * share + 0.5 * served + few - 0.9 * flags)


def _say_values(values: Values) -> str:
    own = sum(1 for _, t, _ in values.rows if t >= MIN_ROWS)
    more = values.distinct > len(values.rows)
    large = f"{own} or more" if more else "all" if own == values.distinct else str(own) if own else "none"
    return f"{values.distinct:,} values, {large} with {MIN_ROWS} or more rows to train on"
