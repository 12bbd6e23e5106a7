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

from steps import assignment, chunk, contract, holdout, intake, job, loading, problem, schema, tables
from steps.assignment import Placement, Plan, Rule
from steps.intake import Settings, Typing
from steps.loading import Loaded
from steps.profile import Profile
from steps.rawfile import Source
from steps.schema import ModelSchema, Schema


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
    intake.check_columns(settings, source.files)
    with tables.connect(scratch) as connection:
        plan = assignment.make_plan(settings.rules, source.files)
        typing, loaded = intake.load(connection, settings, source.files, plan)
        data = _place(connection, settings, typing, loaded, plan)
        _split(connection, settings, data.id_type is not None)
        trained = _write_models(connection, data)
    _write_summaries(data, source, trained)


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
