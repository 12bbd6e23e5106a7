"""Load the training files into table `t`, each column typed by all its cells.

Between the raw files and `prepare_training`, which assigns, splits and writes what was loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from steps import assignment, guess, holdout, kinds, loading, problem, schema, tables
from steps.assignment import Plan, Rule
from steps.holdout import Holdout
from steps.isolation import Owners, Scope
from steps.kinds import Count
from steps.loading import Layout, Loaded
from steps.rawfile import RawFile, Source
from steps.schema import Column

Counts = Mapping[str, Sequence[Count]]
"""Of each column, of each file or of each code in each file."""


@dataclass(frozen=True)
class Settings:
    """PrepareTraining's slice of the settings."""

    label: str
    id: str
    time: str | None
    delimiter: str
    drop: tuple[str, ...]
    categories: tuple[str, ...]
    segment: str | None
    holdout: Holdout
    max_null_label_fraction: float
    rest: str
    rules: tuple[Rule, ...]

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Settings:
        """Read the settings slice."""
        method = found["holdout"]["method"]
        column = {holdout.GROUP: found["holdout"].get("group"), holdout.TIME: found["time"]}.get(method)
        return cls(
            label=found["label"],
            id=found["id"],
            time=found["time"],
            delimiter=found["delimiter"],
            drop=tuple(found["drop"]),
            categories=tuple(found["categories"]),
            segment=found["segment"],
            holdout=Holdout(method, found["holdout"]["fraction"], found["seed"], column),
            max_null_label_fraction=found["max_null_label_fraction"],
            rest=found["rest"],
            rules=assignment.read_rules(found["models"], assignment.TRAIN),
        )


@dataclass(frozen=True)
class Typing:
    """Feature columns with their kinds, columns that hold nothing, the kind of time, and what people should know."""

    columns: tuple[Column, ...]
    ignored: tuple[str, ...]
    part_kind: str
    warnings: tuple[str, ...]


def _roles(settings: Settings) -> dict[str, str]:
    """Return the columns that the settings name and the files must have, each with the setting that names it first."""
    roles = [(settings.label, "data.label"), (settings.time, "data.time"), (settings.segment, "models.by")]
    roles += [(settings.holdout.column, f"data.holdout, method {settings.holdout.method}")]
    roles += [(column, "data.drop") for column in settings.drop]
    roles += [(column, "data.categories") for column in settings.categories]
    roles += [(column, "models where") for column in assignment.where_columns(settings.rules)]
    return {column: why for column, why in reversed(roles) if column is not None}


def named_columns(settings: Settings) -> set[str]:
    """Return all columns that the settings name."""
    return {settings.id, *_roles(settings)}


def check_columns(settings: Settings, files: Sequence[RawFile]) -> None:
    """Raise StepError for every column that the settings name and the files lack."""
    problems = loading.missing_columns(files, list(_roles(settings).items()))
    if settings.holdout.method != holdout.RANDOM and settings.holdout.column is None:
        problems.append(f"data.holdout.method is {settings.holdout.method}, but no column is given for it")
    problem.raise_all(problems)
    problem.raise_files(loading.unsupported_columns(files, [settings.id] if settings.id in files[0].columns else []))


def load(
    connection: tables.Connection, settings: Settings, source: Source, plan: Plan, scope: Scope
) -> tuple[Typing, Loaded]:
    """Load all rows into table `t`, in one pass where a guess of the kinds holds, else by counting first.

    Rows of models that failed are loaded but have no say in what is typed how.

    Raises:
        StepError: files cannot be read, or columns are not usable as they are; all that is wrong at once.
    """
    guessed = None if scope.failed else _load_guessed(connection, settings, source.files, plan)
    files = source.with_plain()
    if files != source.files and not scope.failed:
        guessed = _load_guessed(connection, settings, files, plan)
    if guessed:
        return guessed
    typing = _type_columns(connection, settings, files, plan, scope)
    return typing, loading.load(connection, files, layout(settings, files[0], typing), plan)


def _feature_names(settings: Settings, file: RawFile) -> list[str]:
    taken = {settings.label, settings.id, *settings.drop}
    return [column for column in file.columns if column not in taken]


def _texts(settings: Settings) -> set[str]:
    """Return the columns that are text whatever they hold."""
    return {*settings.categories, *([settings.segment] if settings.segment else [])}


def _time(settings: Settings) -> str | None:
    """Return the column that orders rows for the holdout."""
    return settings.holdout.column if settings.holdout.method == holdout.TIME else None


def _load_guessed(
    connection: tables.Connection, settings: Settings, files: Sequence[RawFile], plan: Plan
) -> tuple[Typing, Loaded] | None:
    features, time = _feature_names(settings, files[0]), _time(settings)
    if not features or any(file.is_parquet for file in files) or (time and time not in features):
        return None
    guessed = guess.guess(connection, files, features, settings.delimiter)
    declared = _texts(settings)
    kind_of = guessed.kinds | dict.fromkeys(declared & set(features), schema.TEXT)
    part_kind = kind_of[time] if time else schema.TEXT
    columns = tuple(Column(name, kind_of[name]) for name in features)
    watched = guess.open_columns(columns, guessed.unseen, declared)
    whole = layout(settings, files[0], Typing(columns, (), part_kind, ()))
    checked = replace(whole, checks=True, checks_codes=True, watches=watched)
    loaded = loading.load_numbers(connection, files, checked, plan)
    empty = guess.prove(connection, columns, watched, declared) if loaded and all(loaded.rows) else None
    if loaded is None or empty is None or len(empty) == len(columns) or (time and part_kind == schema.TEXT):
        return None
    kept = tuple(column for column in columns if column.name not in empty)
    return Typing(kept, empty, part_kind, _warnings(empty, {})), loaded


def layout(settings: Settings, file: RawFile, typing: Typing) -> Layout:
    """Return which columns of the training files are what, typed like this."""
    return Layout(
        columns=typing.columns,
        id=settings.id if settings.id in file.columns else None,
        delimiter=settings.delimiter,
        label=settings.label,
        part=settings.holdout.column,
        part_kind=typing.part_kind,
    )


def _type_columns(
    connection: tables.Connection, settings: Settings, files: Sequence[RawFile], plan: Plan, scope: Scope
) -> Typing:
    """Decide the kind of each feature column, and check label and time; raise StepError with all that is wrong."""
    features, time = _feature_names(settings, files[0]), _time(settings)
    measured = list(dict.fromkeys([*features, *([time] if time else []), settings.label]))
    owners = Owners.of_plan(plan)

    def measure(apart: bool) -> Counts:
        for statement in assignment.type_statements(plan):
            connection.execute(statement)
        found = kinds.measure(connection, files, measured, settings.delimiter, plan if apart else None)
        return {name: [c for c in found[name] if owners.of(c.code) not in scope.failed] for name in measured}

    counts = measure(apart=bool(scope.failed))
    empty = [(count.file, f"file {count.file!r} has no rows") for count in counts[settings.label] if not count.rows]
    problem.raise_files(empty)
    typing, problems = _decide(settings, features, counts)
    scope.settle(problems, lambda: _blame(settings, measure(apart=True), owners))
    return typing


def _decide(settings: Settings, features: Sequence[str], counts: Counts) -> tuple[Typing, list[str]]:
    """Return how the columns are typed, and what is wrong with label, time and columns."""
    time = _time(settings)
    problems = kinds.check_label(settings.label, kinds.add_up(counts[settings.label]))
    typed, mixed = kinds.decide({name: of for name, of in counts.items() if name != settings.label}, _texts(settings))
    columns = tuple(Column(name, kind) for name in features if (kind := typed[name]))
    if not columns and not mixed:
        problems.append("no feature columns are left beside label, id and data.drop")
    part_kind = (typed[time] or schema.TEXT) if time else schema.TEXT
    if time and not mixed and part_kind not in _ORDERED:
        problems.append(f"column {time!r} (data.time) holds neither ISO times nor numbers, so rows have no order in it")
    ignored = tuple(name for name in features if typed[name] is None)
    infinite = {name: sum(count.infinite for count in counts[name]) for name in features}
    warnings = _warnings(ignored, infinite)
    return Typing(columns, ignored, part_kind, warnings), problems + mixed


_ORDERED = (schema.DATETIME, schema.NUMBER)
_KINDS = (schema.NUMBER, schema.BOOL, schema.DATETIME, schema.TEXT)


def _blame(settings: Settings, counts: Counts, owners: Owners) -> dict[int, list[str]]:
    """Return what is wrong with label, time and columns in the rows of single models."""
    codes = owners.by_model({count.code for count in counts[settings.label]})
    found: dict[int, list[str]] = {}

    def of_models(column: str) -> dict[int, list[Count]]:
        return {m: kinds.add_up(c for c in counts[column] if c.code in of_model) for m, of_model in codes.items()}

    for model, own in of_models(settings.label).items():
        found.setdefault(model, []).extend(kinds.check_label(settings.label, own))
    for column in counts.keys() - {settings.label} - _texts(settings):
        kind, mixed = kinds.decide_one(column, counts[column])
        is_time = column == _time(settings)
        if mixed or (is_time and kind not in _ORDERED):
            for model, text in kinds.blame(column, of_models(column), _ORDERED if is_time else _KINDS).items():
                found.setdefault(model, []).append(text)
    return {model: texts for model, texts in sorted(found.items()) if texts}


def _warnings(ignored: Sequence[str], infinite: Mapping[str, int]) -> tuple[str, ...]:
    empty = [f"column {name!r} is empty in all training files and is ignored" for name in ignored]
    odd = [
        f"column {name!r}: {n} cells are infinite or not a number, read as empty" for name, n in infinite.items() if n
    ]
    return tuple(empty + odd)
