"""Prepare the training files: type, assign, hold out, and write one folder per model.

The flow is `prepare`, top to bottom. Nothing is written before all checks have passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from steps import assignment, chunk, contract, guess, holdout, job, kinds, loading, problem, schema, tables
from steps.assignment import Placement, Plan, Rule
from steps.holdout import Holdout
from steps.loading import Layout, Loaded
from steps.profile import Profile
from steps.rawfile import RawFile
from steps.schema import Column, ModelSchema, Schema


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
class Source:
    """The opened raw files and where they come from."""

    files: tuple[RawFile, ...]
    version: str
    raw: str


@dataclass(frozen=True)
class Typing:
    """Feature columns with their kinds, columns that hold nothing, the kind of time, and what people should know.

    `positions` are the numbers of the feature columns in table `t`.
    """

    columns: tuple[Column, ...]
    positions: tuple[int, ...]
    ignored: tuple[str, ...]
    part_kind: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Data:
    """The training data in the database: typed, assigned and split."""

    settings: Settings
    typing: Typing
    loaded: Loaded
    placement: Placement
    counts: Mapping[int, tuple[int, int]]
    id_type: str | None

    def dropped(self, model: int | None) -> int:
        """Return how many rows without a label a model's rows had; None: all rows."""
        codes = self.placement.models
        return sum(rows - kept for code, (rows, kept) in self.counts.items() if model in (None, codes[code]))


def prepare(settings: Settings, source: Source, scratch: Path) -> None:
    """Prepare all training files into the step's outputs; raise StepError for anything that forbids it."""
    _check_columns(settings, source.files)
    with tables.connect(scratch) as connection:
        plan = assignment.make_plan(settings.rules, source.files)
        typing, loaded = _load(connection, settings, source.files, plan)
        data = _place(connection, settings, typing, loaded, plan)
        _split(connection, settings, data.id_type is not None)
        trained = _write_models(connection, data)
    _write_summaries(data, source, trained)


def _check_columns(settings: Settings, files: Sequence[RawFile]) -> None:
    roles = [(settings.label, "data.label"), (settings.time, "data.time"), (settings.segment, "models.by")]
    roles += [(settings.holdout.column, f"data.holdout, method {settings.holdout.method}")]
    roles += [(column, "data.drop") for column in settings.drop]
    roles += [(column, "data.categories") for column in settings.categories]
    roles += [(column, "models where") for column in assignment.where_columns(settings.rules)]
    wanted = {column: why for column, why in reversed(roles) if column is not None}
    problems = loading.missing_columns(files, list(wanted.items()))
    if settings.holdout.method != holdout.RANDOM and settings.holdout.column is None:
        problems.append(f"data.holdout.method is {settings.holdout.method}, but no column is given for it")
    problem.raise_all(problems)


def _feature_names(settings: Settings, file: RawFile) -> list[str]:
    taken = {settings.label, settings.id, *settings.drop}
    return [column for column in file.columns if column not in taken]


def _texts(settings: Settings) -> set[str]:
    """Return the columns that are text whatever they hold."""
    return {*settings.categories, *([settings.segment] if settings.segment else [])}


def _time(settings: Settings) -> str | None:
    """Return the column that orders rows for the holdout."""
    return settings.holdout.column if settings.holdout.method == holdout.TIME else None


def _load(
    connection: tables.Connection, settings: Settings, files: Sequence[RawFile], plan: Plan
) -> tuple[Typing, Loaded]:
    """Load all rows into table `t`, in one pass where a guess of the kinds holds, else by counting first."""
    guessed = _load_guessed(connection, settings, files, plan)
    if guessed:
        return guessed
    typing = _type_columns(connection, settings, files)
    return typing, loading.load(connection, files, _layout(settings, files[0], typing), plan)


def _load_guessed(
    connection: tables.Connection, settings: Settings, files: Sequence[RawFile], plan: Plan
) -> tuple[Typing, Loaded] | None:
    features, time = _feature_names(settings, files[0]), _time(settings)
    if not features or any(file.is_parquet for file in files) or (time and time not in features):
        return None
    kind_of = guess.guess(connection, files, features, settings.delimiter)
    kind_of |= dict.fromkeys(_texts(settings) & set(features), schema.TEXT)
    part_kind = kind_of[time] if time else schema.TEXT
    columns = tuple(Column(name, kind_of[name]) for name in features)
    typing = Typing(columns, tuple(range(len(columns))), (), part_kind, ())
    layout = replace(_layout(settings, files[0], typing), checks=True, checks_codes=True)
    loaded = loading.load(connection, files, layout, plan)
    empty = guess.prove(connection, columns, _texts(settings))
    if empty is None or not all(loaded.rows) or len(empty) == len(columns) or (time and part_kind == schema.TEXT):
        return None
    kept = tuple(n for n, column in enumerate(columns) if column.name not in empty)
    warnings = _warnings(empty, {})
    return Typing(tuple(columns[n] for n in kept), kept, empty, part_kind, warnings), loaded


def _layout(settings: Settings, file: RawFile, typing: Typing) -> Layout:
    return Layout(
        columns=typing.columns,
        id=settings.id if settings.id in file.columns else None,
        delimiter=settings.delimiter,
        label=settings.label,
        part=settings.holdout.column,
        part_kind=typing.part_kind,
    )


def _type_columns(connection: tables.Connection, settings: Settings, files: Sequence[RawFile]) -> Typing:
    """Decide the kind of each feature column, and check label and time; raise StepError with all that is wrong."""
    features, time = _feature_names(settings, files[0]), _time(settings)
    measured = list(dict.fromkeys([*features, *([time] if time else []), settings.label]))
    counts = kinds.measure(connection, files, measured, settings.delimiter)
    problem.raise_all([f"file {count.file!r} has no rows" for count in counts[settings.label] if not count.rows])
    problems = kinds.check_label(settings.label, counts[settings.label])
    typed, mixed = kinds.decide({name: counts[name] for name in measured if name != settings.label}, _texts(settings))
    columns = tuple(Column(name, kind) for name in features if (kind := typed[name]))
    if not columns and not mixed:
        problems.append("no feature columns are left beside label, id and data.drop")
    part_kind = (typed[time] or schema.TEXT) if time else schema.TEXT
    if time and not mixed and part_kind not in (schema.DATETIME, schema.NUMBER):
        problems.append(f"column {time!r} (data.time) holds neither ISO times nor numbers, so rows have no order in it")
    problem.raise_all(problems + mixed)
    ignored = tuple(name for name in features if typed[name] is None)
    infinite = {name: sum(count.infinite for count in counts[name]) for name in features}
    return Typing(columns, tuple(range(len(columns))), ignored, part_kind, _warnings(ignored, infinite))


def _warnings(ignored: Sequence[str], infinite: Mapping[str, int]) -> tuple[str, ...]:
    empty = [f"column {name!r} is empty in all training files and is ignored" for name in ignored]
    odd = [
        f"column {name!r}: {n} cells are infinite or not a number, read as empty" for name, n in infinite.items() if n
    ]
    return tuple(empty + odd)


def _place(connection: tables.Connection, settings: Settings, typing: Typing, loaded: Loaded, plan: Plan) -> Data:
    """Make table `place`: each row with a label and its model; check ids, labels and rules."""
    has_id = settings.id in loaded.files[0].columns
    counts = loading.code_counts(connection)
    placement, problems = assignment.place(plan, {c: labelled for c, (_, labelled) in counts.items()}, settings.rest)
    problems += loading.check_ids(connection, loaded, settings.id) if has_id else []
    problem.raise_all(problems + _check_null_labels(settings, counts))
    loading.place_rows(connection, placement, "t.label IS NOT NULL", numbered=not has_id)
    return Data(settings, typing, loaded, placement, counts, loading.id_type(connection) if has_id else None)


def _check_null_labels(settings: Settings, counts: Mapping[int, tuple[int, int]]) -> list[str]:
    rows = sum(rows for rows, _ in counts.values())
    empty = rows - sum(labelled for _, labelled in counts.values())
    if empty == rows or empty > settings.max_null_label_fraction * rows:
        return [
            f"label {settings.label!r} is empty in {empty} of {rows} rows, more than data.max_null_label_fraction "
            f"{settings.max_null_label_fraction:g} allows"
        ]
    return []


def _split(connection: tables.Connection, settings: Settings, has_id: bool) -> None:
    """Make table `split`: each placed row with its model and whether it is held out."""
    rows = connection.execute("SELECT m, count(*) FROM place GROUP BY m ORDER BY m").fetchall()
    sizes = [holdout.size(count, settings.holdout.fraction) for _, count in rows]
    connection.execute("CREATE TABLE sizes (m INTEGER, k BIGINT)")
    connection.execute(
        "INSERT INTO sizes SELECT unnest(?::INTEGER[]), unnest(?::BIGINT[])", [[m for m, _ in rows], sizes]
    )
    connection.execute(holdout.statement(settings.holdout, has_id))


def _write_models(connection: tables.Connection, data: Data) -> dict[str, bool]:
    """Write every model's folder; return by slug whether it has rows to train on."""
    rules = data.settings.rules
    trained = {}
    for model, tables_of_model in groupby(_stream(connection, data), key=lambda item: item[0]):
        trained[model] = _write_model(data, model, (table for _, table in tables_of_model)) > 0
    for model in range(len(rules)):
        if model not in trained:
            trained[model] = _write_model(data, model, iter(())) > 0
    return {rules[model].slug: has_rows for model, has_rows in sorted(trained.items())}


def _stream(connection: tables.Connection, data: Data) -> Iterator[tuple[int, pa.Table]]:
    """Yield each model's rows in file order; the pooled model's, which are all of them, last."""
    pooled = next((n for n, rule in enumerate(data.settings.rules) if rule.pooled), -1)
    ids = [loading.id_expression(data.id_type)] if data.id_type else []
    chosen = ", ".join(["s.h", *ids, "t.label", *(f"t.c{n}" for n in data.typing.positions)])
    source = "FROM t JOIN split s ON t.rowid = s.r"
    own = f"SELECT s.m, {chosen} {source} WHERE s.m <> {pooled} ORDER BY s.m, s.r"
    yield from chunk.cut(connection.sql(own).to_arrow_reader(chunk.ROWS))
    if pooled >= 0:
        everything = f"SELECT {pooled}::INTEGER AS m, {chosen} {source} ORDER BY s.r"
        yield from chunk.cut(connection.sql(everything).to_arrow_reader(chunk.ROWS))


def _write_model(data: Data, model: int, found: Iterator[pa.Table]) -> int:
    """Write parts, schema, profile and last the status of one model; return its rows."""
    settings, typing, rule = data.settings, data.typing, data.settings.rules[model]
    folder = contract.output_dir(contract.OUT_TRAIN) / rule.slug
    ids = [chunk.field(settings.id, data.id_type)] if data.id_type else []
    layout = pa.schema([*ids, chunk.field(settings.label, schema.NUMBER), *chunk.fields(typing.columns)])
    profile = Profile(typing.columns, settings.label)
    with chunk.PartWriter(folder, (contract.TRAIN_DIR, contract.HOLDOUT_DIR), layout) as parts:
        for table in found:
            held = table.column(chunk.HELD_OUT).to_numpy()
            rows = table.drop_columns([chunk.MODEL, chunk.HELD_OUT]).rename_columns(layout.names).cast(layout)
            profile.add(rows)
            parts.write(contract.TRAIN_DIR, rows.filter(pa.array(~held)))
            parts.write(contract.HOLDOUT_DIR, rows.filter(pa.array(held)))
    train, held_out = parts.rows[contract.TRAIN_DIR], parts.rows[contract.HOLDOUT_DIR]
    sizes = {"rows": train + held_out, "train_rows": train, "holdout_rows": held_out}
    job.write_json(folder / contract.SCHEMA_FILE, _model_schema(data, rule, profile).to_json())
    job.write_json(
        folder / contract.PROFILE_FILE, {**sizes, "label": profile.label_json(), "columns": profile.columns_json()}
    )
    job.write_json(folder / contract.STATUS_FILE, _status(sizes, data.dropped(None if rule.pooled else model)))
    return train


def _model_schema(data: Data, rule: Rule, profile: Profile) -> ModelSchema:
    settings = data.settings
    columns = tuple(summary.to_column() for summary in profile.columns)
    return ModelSchema(
        rule.name, rule.slug, settings.label, settings.id, settings.segment, columns, data.typing.ignored
    )


def _status(sizes: Mapping[str, int], dropped: int) -> dict[str, Any]:
    prepared = sizes["rows"] > 0
    return {
        **sizes,
        "status": contract.PREPARED if prepared else contract.SKIPPED,
        "dropped_null_label": dropped,
        "reason": None if prepared else "no training rows with a label",
    }


def _write_summaries(data: Data, source: Source, trained: Mapping[str, bool]) -> None:
    settings, typing, loaded = data.settings, data.typing, data.loaded
    columns = Schema(typing.columns, settings.label, settings.id, settings.segment, trained)
    job.write_json(contract.output_dir(contract.OUT_SCHEMA) / contract.SCHEMA_FILE, columns.to_json())
    summary = {
        "version": source.version,
        "raw": source.raw,
        "files": [{"key": f.key, "rows": rows} for f, rows in zip(loaded.files, loaded.rows, strict=True)],
        "rows": loaded.total,
        "dropped_null_label": data.dropped(None),
        "rest_rows": data.placement.rest_rows,
        "skipped_rows": data.placement.skipped_rows,
        "columns": {column.name: column.kind for column in typing.columns},
        "ignored": list(typing.ignored),
        "warnings": list(typing.warnings),
    }
    job.write_json(contract.output_dir(contract.OUT_TRAIN) / contract.DATA_FILE, summary)
