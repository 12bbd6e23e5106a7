"""Guess from facts what the columns of raw files mean: label, id, time, segments, what to drop. Pure.

Every guess has its reason, and the runner-up where that was close. What a person says is taken instead of a guess, and
refused where no run could use it; all problems are found together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines import column_names, survey
from pipelines.errors import DataError, nearest
from pipelines.file_roles import Roles
from pipelines.survey import Column, Counts, Uniqueness

CLOSE = 0.3
"""Runners-up within this of the best are told."""
LEAST_FILLED = 0.5
"""The default of 1 - `data.max_null_label_fraction`."""
TAKEN = ("prediction", "model", "source", "__row__")
"""Columns of the predictions, which no id may be called."""


@dataclass(frozen=True)
class Choice:
    """A column for a role, why, and what else it could be; `given` where a person said it."""

    column: str | None
    reason: str
    others: tuple[str, ...] = ()
    given: bool = False


@dataclass(frozen=True)
class Wanted:
    """What a person says about the columns; None: to be guessed."""

    label: str | None = None
    id: str | None = None
    segment: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class Data:
    """The files by role with their merged columns: what the guesses are made from."""

    roles: Roles
    train: Mapping[str, Column]
    predict: Mapping[str, Column]

    @classmethod
    def of(cls, roles: Roles) -> Data:
        """Return the columns of the files of both roles."""
        return cls(roles, survey.merge(roles.train), survey.merge(roles.predict))

    @property
    def has_predict(self) -> bool:
        """Tell whether there are files to predict."""
        return bool(self.roles.predict)

    def lacks(self, name: str) -> bool:
        """Tell whether the files to predict have no value in a column."""
        return self.has_predict and (name not in self.predict or not self.predict[name].filled)

    def kind(self, name: str) -> str:
        """Return the kind of a column of the training files."""
        return self.train[name].kind if name in self.train else survey.NOTHING


@dataclass(frozen=True)
class Proposal:
    """What each column is for; `drop` and `categories` with the reason of each column; `notes` are for people."""

    label: Choice
    id: Choice
    time: Choice
    segment: Choice
    by_time: bool
    drop: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def check(data: Data, wanted: Wanted) -> list[str]:
    """Return what is wrong with the files and with the columns that a person names."""
    problems = list(_differing(data))
    named = {"--label": wanted.label, "--segment": wanted.segment, "--time": wanted.time}
    for flag, name in named.items():
        if name is not None and name not in data.train:
            problems.append(f"{flag} {name}: no such column in the training files{_say_near(name, data.train)}")
    everywhere = data.predict if data.has_predict else data.train
    if wanted.id is not None and wanted.id not in everywhere:
        problems.append(f"--id {wanted.id}: no such column in the files{_say_near(wanted.id, everywhere)}")
    if wanted.segment in data.train and data.has_predict and wanted.segment not in data.predict:
        problems.append(f"--segment {wanted.segment}: the files to predict lack it; name a column that both have")
    label = data.train.get(wanted.label or "")
    if label is not None and label.kind != survey.NUMBER:
        problems.append(f"--label {label.name}: {_say_odd_label(label)}; name a column of numbers, or clean it")
    given = [name for name in (wanted.label, wanted.id, wanted.segment) if name is not None]
    problems += [
        f"column {name!r} is named for two things; name two columns" for name in {*given} if given.count(name) > 1
    ]
    return problems


def _say_near(name: str, columns: Mapping[str, Column]) -> str:
    hint = nearest(name, columns)
    folded = {column.casefold(): column for column in columns}
    hint = hint or (f"; did you mean {folded[name.casefold()]!r}?" if name.casefold() in folded else "")
    listed = ", ".join(list(columns)[:12]) + (" ..." if len(columns) > 12 else "")
    return hint or f"; there are {listed}"


def _differing(data: Data) -> Iterator[str]:
    """Yield where files of one role have different columns, which no run takes."""
    for role, files in (("train", data.roles.train), ("predict", data.roles.predict)):
        for file in files[1:]:
            lacks = sorted(set(files[0].names) - set(file.names))
            extra = sorted(set(file.names) - set(files[0].names))
            if lacks or extra:
                said = [f"lacks {_listed(lacks)}"] * bool(lacks) + [f"has {_listed(extra)} besides"] * bool(extra)
                yield (
                    f"{file.key}: is to {role} like {files[0].key}, but {' and '.join(said)}; give all files of a role "
                    "the same columns, or move it elsewhere"
                )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _say_odd_label(column: Column) -> str:
    if not column.filled:
        return "is empty in the training files"
    return f"{column.filled - column.numbers or column.codes} of {column.filled} values are no numbers"


def guess_label(data: Data, wanted: Wanted) -> Choice:
    """Return the column to predict.

    Raises:
        DataError: no column of numbers could be one.
    """
    if wanted.label is not None:
        return Choice(wanted.label, "as you said", given=True)
    numbers = [c for c in data.train.values() if c.kind == survey.NUMBER and c.distinct > 1 and c.name != wanted.id]
    missing = [c for c in numbers if data.lacks(c.name)]
    scored = _ranked(data, missing, wanted)
    if not scored or scored[0][0] < -0.5:
        missing, scored = [], _ranked(data, numbers, wanted)
    least = 0.5 if any(data.lacks(name) for name in data.train) else 0.0
    if not scored or (not missing and scored[0][0] < least):
        raise DataError(_no_label(data))
    best, _, column = scored[0]
    close = [c.name for score, _, c in scored[1:4] if best - score <= CLOSE]
    return Choice(column.name, _why_label(data, column, bool(missing)), tuple(close))


def _ranked(data: Data, columns: Sequence[Column], wanted: Wanted) -> list[tuple[float, int, Column]]:
    able = [c for c in columns if c.name != wanted.segment and c.filled >= LEAST_FILLED * c.rows]
    scored = [(_score_label(data, c), -n, c) for n, c in enumerate(able)]
    return sorted(scored, key=lambda each: each[:2], reverse=True)


def _score_label(data: Data, column: Column) -> float:
    name = column_names.like_label(column.name)
    is_last = column.name == list(data.train)[-1]
    many = column.distinct > min(20, 0.05 * column.rows + 2)
    empties = 0.2 if not data.has_predict and not column.is_full else 0.0
    serial = -0.6 if column.is_serial and column.is_full else 0.0
    years = column.is_whole and column.low is not None and column.high is not None
    calendar = -0.6 if years and (column.low or 0) >= 1900 and (column.high or 0) <= 2100 else 0.0
    return name + 0.25 * is_last + 0.2 * many + empties + serial + calendar


def _why_label(data: Data, column: Column, is_missing: bool) -> str:
    if is_missing:
        others = sum(1 for c in data.train.values() if c.kind == survey.NUMBER and data.lacks(c.name)) - 1
        how = "lack" if column.name not in data.predict else "have empty"
        if others:
            return f"of {others + 1} numbers that the files to predict {how}, its name or place says most"
        return f"the only number that the files to predict {how}"
    if data.has_predict:
        return "a number, by its name or place; the files to predict have values in it too, which are not looked at"
    return "a number, by its name or place: there are no files to predict to tell by"


def _no_label(data: Data) -> str:
    odd = [c.name for c in data.train.values() if data.lacks(c.name) and c.kind != survey.NUMBER and c.filled]
    numbers = [c.name for c in data.train.values() if c.kind == survey.NUMBER]
    if odd:
        return (
            f"no label: what the files to predict lack are no numbers ({_listed(odd)}), and a label must be; clean it "
            "(no units, a point for decimals), or name another column with --label"
        )
    hint = f"; name one with --label, there are {_listed(numbers)}" if numbers else "; there is no column of numbers"
    return f"no label: expected a column of numbers that the training files have and the files to predict lack{hint}"


def id_candidates(data: Data, wanted: Wanted, label: str | None) -> list[str]:
    """Return the columns whose values may be different in every row, to be counted."""
    if wanted.id is not None:
        return [wanted.id]
    columns = data.predict if data.has_predict else data.train
    return [c.name for c in columns.values() if c.name not in (label, *TAKEN) and _may_identify(c)][:50]


def _may_identify(column: Column) -> bool:
    is_named = column_names.like_id(column.name) > 0
    many = column.spread >= (0.7 if is_named else 0.85) * column.rows
    readable = column.kind == survey.TEXT or (column.kind == survey.NUMBER and column.is_whole)
    return (readable and many and column.longest <= 100) or (is_named and column_names.like_id(column.name) >= 1)


def guess_id(data: Data, wanted: Wanted, counts: Counts) -> Choice:
    """Return the column that tells rows apart.

    Raises:
        DataError: none is filled and different in every row.
    """
    columns = data.predict if data.has_predict else data.train
    unique = [name for name, of_roles in counts.ids.items() if of_roles and all(u.is_unique for u in of_roles.values())]
    if wanted.id is not None:
        if wanted.id in TAKEN:
            raise DataError(f"--id {wanted.id}: is a column of the predictions; rename it in the raw files")
        if wanted.id not in unique:
            raise DataError(f"--id {wanted.id}: {_say_repeated(counts.ids.get(wanted.id, {}))}; {_WAY_OUT_OF_ID}")
        return Choice(wanted.id, "as you said; different in every row", given=True)
    able = [name for name in unique if _is_id(columns[name], data.train.get(name))]
    if not able:
        raise DataError(_no_id(counts))
    scored = sorted(((_score_id(columns[n]), -at, n) for at, n in enumerate(able)), reverse=True)
    best, _, column = scored[0]
    said = "by its name" if column_names.like_id(column) else "its name does not say so, look at it"
    lone = "" if column in data.train else "; the training files have none and need none"
    close = tuple(name for score, _, name in scored[1:4] if best - score <= CLOSE)
    return Choice(column, f"different in every row, {said}{lone}", close)


def _is_id(column: Column, trained: Column | None) -> bool:
    """Tell whether different values are those of an id and not of a measure, which may differ by chance."""
    short = column.kind == survey.TEXT and column.longest <= 40
    return (
        bool(column_names.like_id(column.name))
        or short
        or column.is_serial
        or (trained is not None and trained.is_serial)
    )


def _score_id(column: Column) -> float:
    return column_names.like_id(column.name) + (0.1 if column.kind == survey.TEXT else 0.0)


_WAY_OUT_OF_ID = "every row needs an id of its own: make the values different, or name another column with --id"


def _say_repeated(of_roles: Mapping[str, Uniqueness]) -> str:
    told = []
    for role, unique in of_roles.items():
        repeated, empty = unique.filled - unique.distinct, unique.rows - unique.filled
        said = [f"{repeated} repeated"] * bool(repeated) + [f"{empty} empty"] * bool(empty)
        told += [f"{' and '.join(said)} of {unique.rows} values in the files to {role}"] if said else []
    return ", ".join(told) or "is not in the files"


def _no_id(counts: Counts) -> str:
    near = [f"{name!r} has {_say_repeated(found)}" for name, found in counts.ids.items() if found]
    near = [text for text in near if "is not in" not in text][:3]
    said = f" ({'; '.join(near)})" if near else ""
    return (
        f"no id: expected a column that is filled and different in every row{said}; add one to the files to predict, "
        "such as row_id: 1, 2, 3 ... (training files need none), or name one with --id"
    )


def guess_time(data: Data, wanted: Wanted) -> tuple[Choice, bool]:
    """Return the time column, and whether the rows to predict are later than all that there are to train on."""
    times = [c for c in data.train.values() if c.kind == survey.TIME and not data.lacks(c.name) and c.distinct > 1]
    if wanted.time is not None:
        column = data.train[wanted.time]
        if column.kind not in (survey.TIME, survey.NUMBER):
            form = "dates in another form" if column.has_other_dates else column.kind
            raise DataError(
                f"--time {wanted.time}: holds {form}; expected ISO times (2026-01-31, 2026-01-31 09:00:00) or numbers"
            )
        return Choice(wanted.time, "as you said", given=True), _is_later(data, column)
    if not times:
        odd = [c.name for c in data.train.values() if c.has_other_dates and c.kind == survey.TEXT]
        said = f"; {_listed(odd)} holds dates, but not as 2026-01-31, and is read as text" if odd else ""
        texts = [c.name for c in data.train.values() if c.times == c.filled > 0 and c.kind == survey.TEXT]
        said += f"; {_listed(texts)} holds times that Parquet stores as text; store them as timestamps" if texts else ""
        return Choice(None, f"no column holds times{said}"), False
    scored = sorted(
        ((column_names.like_time(c.name), -n, c) for n, c in enumerate(times)), key=lambda e: e[:2], reverse=True
    )
    column = scored[0][2]
    close = tuple(c.name for score, _, c in scored[1:4] if scored[0][0] - score <= CLOSE)
    return Choice(
        column.name, f"holds times, {(column.first or '')[:10]} to {(column.last or '')[:10]}", close
    ), _is_later(data, column)


def _is_later(data: Data, column: Column) -> bool:
    other = data.predict.get(column.name)
    if other is None or not column.is_full or not other.filled:
        return False
    if column.kind == survey.TIME:
        return bool(column.last and other.first and other.first >= column.last)
    return column.high is not None and other.low is not None and other.low >= column.high


def guess_drop(data: Data, label: str, id: str, keep: Sequence[str | None], counts: Counts) -> dict[str, str]:  # noqa: A002
    """Return the columns that are no features, each with why."""
    found = {}
    for column in data.train.values():
        name = column.name
        if name in (label, id):
            continue
        others = counts.ids.get(name, {})
        if column.kind == survey.UNSUPPORTED or data.predict.get(name, column).kind == survey.UNSUPPORTED:
            found[name] = "is nested"
        elif data.has_predict and name not in data.predict:
            found[name] = "the files to predict lack it"
        elif data.lacks(name) and column.filled and name not in keep:
            found[name] = "is empty in the files to predict"
        elif name not in keep and others and all(u.is_unique for u in others.values()) and column_names.like_id(name):
            found[name] = "tells rows apart, as the id does"
    return found


def guess_categories(data: Data, taken: Sequence[str | None]) -> dict[str, str]:
    """Return the columns that are categories although many of their values are numbers, each with why."""
    found = {}
    for column in data.train.values():
        other = data.predict.get(column.name)
        if column.name in taken or column.kind in (survey.NOTHING, survey.TEXT):
            continue
        if column.kind == survey.MIXED:
            found[column.name] = f"{column.filled - column.numbers} of {column.filled} values are no numbers"
        elif other is not None and _differs(column, other):
            found[column.name] = f"{column.kind} in the training files, {other.kind} in those to predict"
    return found


def _differs(column: Column, other: Column) -> bool:
    """Tell whether the files to predict hold cells that are not of a column's kind; codes such as 007 are numbers."""
    if other.kind in (survey.NOTHING, survey.UNSUPPORTED, column.kind):
        return False
    return column.kind != survey.NUMBER or other.numbers < other.filled
