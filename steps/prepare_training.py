"""Prepare the training files: load, assign, hold out, and write one folder per model.

The flow is `prepare`, top to bottom. Nothing is written before all checks have passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from steps import assignment, chunk, contract, holdout, intake, job, loading, schema, tables
from steps.assignment import Placement, Plan, Rule
from steps.intake import Settings, Typing
from steps.isolation import Owners, Scope
from steps.loading import Loaded
from steps.profile import Profile
from steps.rawfile import Source
from steps.schema import ModelSchema, Schema


@dataclass(frozen=True)
class Read:
    """The training rows in the database, and how their codes are read."""

    typing: Typing
    loaded: Loaded
    plan: Plan


@dataclass(frozen=True)
class Data:
    """The training data in the database: typed, assigned and split; `failed` are the models left out, with why."""

    settings: Settings
    typing: Typing
    loaded: Loaded
    placement: Placement
    counts: Mapping[int, tuple[int, int]]
    id_type: str | None
    failed: Mapping[int, str]

    def dropped(self, model: int | None) -> int:
        """Return how many rows without a label a model's rows had; None: all rows."""
        codes = self.placement.models
        return sum(rows - kept for code, (rows, kept) in self.counts.items() if model in (None, codes[code]))


def prepare(settings: Settings, source: Source, scratch: Path, scope: Scope) -> None:
    """Prepare all training files into the step's outputs; raise StepError for anything that forbids it."""
    intake.check_columns(settings, source.files)
    with tables.connect(scratch) as connection:
        plan = assignment.make_plan(settings.rules, source.files)
        typing, loaded = intake.load(connection, settings, source.files, plan, scope)
        data = _place(connection, settings, Read(typing, loaded, plan), scope)
        _split(connection, settings, data.id_type is not None)
        trained = _write_models(connection, data)
    _write_summaries(data, source, trained)


def _place(connection: tables.Connection, settings: Settings, read: Read, scope: Scope) -> Data:
    """Make table `place`: each row with a label and its model; check ids, labels and rules."""
    loaded, owners = read.loaded, Owners.of_plan(read.plan)
    has_id = settings.id in loaded.files[0].columns
    everything = loading.code_counts(connection)
    spared = owners.spared(everything, scope.failed)
    rows, counts = loading.kept(spared), {code: n for code, n in everything.items() if code not in spared}
    labelled = {code: filled for code, (_, filled) in counts.items()}
    placement, problems = assignment.place(read.plan, labelled, settings.rest)
    problems += loading.check_ids(connection, loaded, settings.id, rows) if has_id else []
    problems += _check_null_labels(settings, counts)
    scope.settle(problems, lambda: _blame(connection, settings, loaded, owners.by_model(counts)) if has_id else {})
    loading.place_rows(connection, placement, "t.label IS NOT NULL", numbered=not has_id)
    id_type = loading.id_type(connection, rows) if has_id else None
    return Data(settings, read.typing, loaded, placement, counts, id_type, scope.failed)


def _blame(
    connection: tables.Connection, settings: Settings, loaded: Loaded, codes: Mapping[int, list[int]]
) -> dict[int, list[str]]:
    return loading.blame_ids(connection, loaded, settings.id, codes)


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
    """Write every model's folder; return by slug whether it has rows to train on, be they unusable."""
    rules = data.settings.rules
    trained = {}
    for model, tables_of_model in groupby(_stream(connection, data), key=lambda item: item[0]):
        trained[model] = _write_model(data, model, (table for _, table in tables_of_model)) > 0
    for model in range(len(rules)):
        if model not in trained:
            trained[model] = _write_model(data, model, iter(())) > 0 or model in data.failed
    return {rules[model].slug: has_rows for model, has_rows in sorted(trained.items())}


def _stream(connection: tables.Connection, data: Data) -> Iterator[tuple[int, pa.Table]]:
    """Yield each model's rows in file order; the pooled model's, which are all of them, last."""
    pooled = next((n for n, rule in enumerate(data.settings.rules) if rule.pooled and n not in data.failed), -1)
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
    status = _status(sizes, data.dropped(None if rule.pooled else model), data.failed.get(model))
    job.write_json(folder / contract.STATUS_FILE, status)
    return train


def _model_schema(data: Data, rule: Rule, profile: Profile) -> ModelSchema:
    settings = data.settings
    columns = tuple(summary.to_column() for summary in profile.columns)
    return ModelSchema(
        rule.name, rule.slug, settings.label, settings.id, settings.segment, columns, data.typing.ignored
    )


def _status(sizes: Mapping[str, int], dropped: int, failure: str | None) -> dict[str, Any]:
    status, reason = contract.PREPARED, failure
    if failure is not None:
        status = contract.FAILED
    elif not sizes["rows"]:
        status, reason = contract.SKIPPED, "no training rows with a label"
    return {**sizes, "status": status, "dropped_null_label": dropped, "reason": reason}


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
