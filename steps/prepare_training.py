"""Prepare the training files: load, assign, hold out, and write one folder per model.

The flow is `prepare`, top to bottom. Nothing is written before all checks have passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steps import assignment, chunk, contract, holdout, intake, job, loading, routing, schema, tables
from steps.assignment import Placement, Plan, Rule
from steps.intake import Settings, Typing
from steps.isolation import Owners, Scope
from steps.loading import Loaded
from steps.profile import Profile
from steps.rawfile import Source
from steps.schema import Column, ModelSchema, Prepared, Schema

if TYPE_CHECKING:
    from steps.reshape import Custom, Reshape
    from steps.spill import Spill


@dataclass(frozen=True)
class Read:
    """The training rows in the database, and how their codes are read."""

    typing: Typing
    loaded: Loaded
    plan: Plan


@dataclass(frozen=True)
class Data:
    """The training data in the database: typed, assigned and split; `failed` are the models left out, with why.

    `prepared` is what the `prepare` hook made of the columns, `left_out` how many rows of each model it dropped.
    """

    settings: Settings
    typing: Typing
    loaded: Loaded
    plan: Plan
    placement: Placement
    counts: Mapping[int, tuple[int, int]]
    id_type: str | None
    failed: Mapping[int, str]
    prepared: Prepared | None = None
    left_out: Mapping[int, int] = field(default_factory=dict)

    @property
    def features(self) -> tuple[Column, ...]:
        """Return the columns that models are given."""
        return self.prepared.columns if self.prepared else self.typing.columns

    @property
    def pooled(self) -> int | None:
        """Return the model that takes all rows, if there is one that has not failed."""
        return next((n for n, rule in enumerate(self.settings.rules) if rule.pooled and n not in self.failed), None)

    def sizes(self) -> dict[int, int]:
        """Return how many rows with a label each model has; the pooled one's are all of them."""
        labelled = {code: filled for code, (_, filled) in self.counts.items()}
        found = routing.sizes(labelled, self.placement.models)
        return found if self.pooled is None else {**found, self.pooled: sum(found.values())}

    def left_out_of_all(self) -> int:
        """Return how many rows the hook dropped; a pooled model's are those of the others too."""
        return max(self.left_out.get(self.pooled, 0) if self.pooled is not None else 0, self._left_out_of_own())

    def _left_out_of_own(self) -> int:
        return sum(rows for model, rows in self.left_out.items() if model != self.pooled)

    def dropped(self, model: int | None) -> int:
        """Return how many rows without a label a model's rows had; None: all rows."""
        codes = self.placement.models
        return sum(rows - kept for code, (rows, kept) in self.counts.items() if model in (None, codes[code]))


def prepare(settings: Settings, source: Source, scratch: Path, scope: Scope, custom: Custom | None = None) -> None:
    """Prepare all training files into the step's outputs; raise StepError for anything that forbids it."""
    intake.check_columns(settings, source.files)
    with tables.connect(scratch) as connection:
        plan = assignment.make_plan(settings.rules, source.files)
        typing, loaded = intake.load(connection, settings, source, plan, scope)
        data = _place(connection, settings, Read(typing, loaded, plan), scope)
        held = _hold_out(connection, data)
        if custom is None:
            trained = _write_models(connection, data, held)
        else:
            spill = _spill(connection, data, held, _spill_of(data, custom, scratch / "prepare", scope))
            prepared = spill.prepared(data.pooled)
            data = replace(data, prepared=prepared, left_out=spill.dropped)
            trained = _write_spilled(data, spill, prepared)
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
    id_type = loading.id_type(connection, rows) if has_id else None
    return Data(settings, read.typing, loaded, read.plan, placement, counts, id_type, scope.failed)


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


def _hold_out(connection: tables.Connection, data: Data) -> npt.NDArray[np.bool_]:
    """Return for each row of `t` whether it is held out; nothing is left of the tables."""
    settings = data.settings
    key = holdout.ID_KEY if data.id_type else holdout.POSITION_KEY
    is_random = settings.holdout.method == holdout.RANDOM
    bucket = holdout.bucket(settings.holdout, key) if is_random else "NULL"
    loading.place_rows(connection, data.placement, bucket, numbered=is_random and not data.id_type)
    rows = connection.execute("SELECT m, count(*) FROM place GROUP BY m ORDER BY m").fetchall()
    sizes = [holdout.size(count, settings.holdout.fraction) for _, count in rows]
    connection.execute("CREATE TABLE sizes (m INTEGER, k BIGINT)")
    connection.execute(
        "INSERT INTO sizes SELECT unnest(?::INTEGER[]), unnest(?::BIGINT[])", [[m for m, _ in rows], sizes]
    )
    connection.execute(holdout.statement(settings.holdout, key))
    held = np.zeros(data.loaded.total, np.bool_)
    for batch in connection.sql("SELECT r FROM held").to_arrow_reader(chunk.ROWS):
        held[batch.column(0).to_numpy()] = True
    loading.forget(connection)
    return held


def _write_models(connection: tables.Connection, data: Data, held: npt.NDArray[np.bool_]) -> dict[str, bool]:
    """Write every model's folder; return by slug whether it has rows to train on, be they unusable."""
    rules, sizes = data.settings.rules, data.sizes()
    folders: dict[int, _Folder] = {}
    with ThreadPoolExecutor(tables.threads()) as threads:

        def open_folder(model: int) -> _Folder:
            return folders.setdefault(model, _Folder(data, model, threads))

        for group in routing.groups(sizes, routing.most_waiting(tables.memory(), len(data.typing.columns))):
            routing.distribute(_stream(connection, data, held), group, data.pooled, open_folder)
        for model in range(len(rules)):
            if model not in folders:
                open_folder(model).finish()
    return {rule.slug: folders[n].has_rows_to_train or n in data.failed for n, rule in enumerate(rules)}


def _spill_of(data: Data, custom: Custom, folder: Path, scope: Scope) -> Spill:
    settings = data.settings
    roles = [*([settings.id] if data.id_type else []), settings.label]

    def reshape_of(model: int) -> Reshape:
        rule = settings.rules[model]
        return custom.of(rule.name, rule.slug, roles, data.typing.columns)

    from steps.spill import Spill  # imports pandas

    return Spill(folder, reshape_of, scope.isolates)


def _spill(connection: tables.Connection, data: Data, held: npt.NDArray[np.bool_], spill: Spill) -> Spill:
    """Give the hook the rows of every model, and keep what it makes of them."""
    for group in routing.groups(data.sizes(), routing.most_waiting(tables.memory(), len(data.typing.columns))):
        routing.distribute(_stream(connection, data, held), group, data.pooled, spill.open)
    return spill


def _write_spilled(data: Data, spill: Spill, prepared: Prepared) -> dict[str, bool]:
    """Write every model's folder from what the hook made; return as `_write_models` does."""
    found = {}
    with ThreadPoolExecutor(tables.threads()) as threads:
        for model, rule in enumerate(data.settings.rules):
            folder = _Folder(data, model, threads)
            for rows in spill.chunks(model, prepared):
                folder.add(rows)
            folder.finish()
            found[rule.slug] = folder.has_rows_to_train or model in data.failed
    return found


def _stream(connection: tables.Connection, data: Data, held: npt.NDArray[np.bool_]) -> Iterator[routing.Batch]:
    """Yield all rows in file order, with the model of each; the first column tells which are held out."""
    lookup = routing.Lookup(data.placement.models)
    layout = intake.layout(data.settings, data.loaded.files[0], data.typing)
    for position, batch in loading.stream(connection, data.loaded, layout, data.plan, data.id_type):
        models = lookup.models(batch.column(0).to_numpy())
        models[batch.column(batch.schema.get_field_index("label")).is_null().to_numpy(False)] = routing.NOBODY
        yield models, batch.set_column(0, "h", pa.array(held[position : position + batch.num_rows]))


class _Folder:
    """One model's folder: parts, schema, profile and last the status."""

    def __init__(self, data: Data, model: int, threads: Executor) -> None:
        self._data, self._model = data, model
        settings, rule = data.settings, data.settings.rules[model]
        ids = [chunk.field(settings.id, data.id_type)] if data.id_type else []
        self._layout = pa.schema([*ids, chunk.field(settings.label, schema.NUMBER), *chunk.fields(data.features)])
        self._path = contract.output_dir(contract.OUT_TRAIN) / rule.folder
        self._profile = Profile(data.features, settings.label)
        self._profiling = chunk.Line(threads)
        parts = (contract.TRAIN_DIR, contract.HOLDOUT_DIR)
        self._parts = chunk.PartWriter(self._path, parts, self._layout, threads)

    @property
    def has_rows_to_train(self) -> bool:
        """Tell whether any row is there to train on."""
        return self._parts.rows[contract.TRAIN_DIR] > 0

    def add(self, rows: pa.Table) -> None:
        """Write a chunk of rows, whose first column tells which are held out."""
        held = rows.column(0).to_numpy()
        rows = rows.remove_column(0).rename_columns(self._layout.names).cast(self._layout)
        self._profiling.submit(partial(self._profile.add, rows))
        self._parts.write(contract.TRAIN_DIR, rows, ~held)
        self._parts.write(contract.HOLDOUT_DIR, rows, held)

    def finish(self) -> None:
        """Close the parts and write what describes them."""
        self._profiling.wait()
        self._parts.close()
        data, model, profile = self._data, self._model, self._profile
        rule = data.settings.rules[model]
        train, held = self._parts.rows[contract.TRAIN_DIR], self._parts.rows[contract.HOLDOUT_DIR]
        sizes = {"rows": train + held, "train_rows": train, "holdout_rows": held}
        job.write_json(self._path / contract.SCHEMA_FILE, _model_schema(data, rule, profile).to_json())
        job.write_json(
            self._path / contract.PROFILE_FILE,
            {**sizes, "label": profile.label_json(), "columns": profile.columns_json()},
        )
        status = _status(sizes, data.dropped(None if rule.pooled else model), data.failed.get(model))
        job.write_json(self._path / contract.STATUS_FILE, {**status, **_left_out(data, data.left_out.get(model, 0))})


def _model_schema(data: Data, rule: Rule, profile: Profile) -> ModelSchema:
    settings = data.settings
    columns = tuple(summary.to_column() for summary in profile.columns)
    ignored = (*data.typing.ignored, *(data.prepared.empty if data.prepared else ()))
    found = ModelSchema(rule.name, rule.slug, settings.label, settings.id, settings.segment, columns, ignored)
    return replace(found, raw=data.typing.columns) if data.prepared else found


def _left_out(data: Data, rows: int) -> dict[str, int]:
    """Return what is told of the rows that the hook left out; nothing where there is none."""
    return {"dropped_by_prepare": rows} if data.prepared else {}


def _status(sizes: Mapping[str, int], dropped: int, failure: str | None) -> dict[str, Any]:
    status, reason = contract.PREPARED, failure
    if failure is not None:
        status = contract.FAILED
    elif not sizes["rows"]:
        status, reason = contract.SKIPPED, "no training rows with a label"
    return {**sizes, "status": status, "dropped_null_label": dropped, "reason": reason}


def _write_summaries(data: Data, source: Source, trained: Mapping[str, bool]) -> None:
    settings, typing, loaded = data.settings, data.typing, data.loaded
    columns = Schema(typing.columns, settings.label, settings.id, settings.segment, trained, data.prepared)
    job.write_json(contract.output_dir(contract.OUT_SCHEMA) / contract.SCHEMA_FILE, columns.to_json())
    summary = {
        "version": source.version,
        "raw": source.raw,
        "files": [{"key": f.key, "rows": rows} for f, rows in zip(loaded.files, loaded.rows, strict=True)],
        "rows": loaded.total,
        "dropped_null_label": data.dropped(None),
        "rest_rows": data.placement.rest_rows,
        "skipped_rows": data.placement.skipped_rows,
        "columns": {column.name: column.kind for column in data.features},
        "ignored": list(typing.ignored),
        "warnings": [*typing.warnings, *_hook_warnings(data)],
        **_left_out(data, data.left_out_of_all()),
    }
    job.write_json(contract.output_dir(contract.OUT_TRAIN) / contract.DATA_FILE, summary)


def _hook_warnings(data: Data) -> list[str]:
    """Return what the `prepare` hook did that nobody may overlook."""
    if data.prepared is None:
        return []
    empty = [f"column {name!r}, made by prepare, is empty in all rows and is ignored" for name in data.prepared.empty]
    count = data.left_out_of_all()
    return [*empty, *([f"prepare dropped {count:,} training rows"] if count else [])]
