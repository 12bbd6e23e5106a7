"""Prepare the files to predict: typed by the training schema, assigned to models, one folder of rows per model.

The flow is `prepare`, top to bottom. Every row keeps its position over all files in `__row__`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from steps import assignment, chunk, contract, job, loading, problem, routing, tables
from steps.assignment import Placement, Plan, Rule
from steps.hooks import HookError
from steps.isolation import BlamedError, Owners, Scope
from steps.loading import Layout, Loaded, Misfits
from steps.profile import Profile
from steps.rawfile import RawFile, Source
from steps.schema import Column, Prepared, Schema

if TYPE_CHECKING:
    from steps.reshape import Custom, Reshape


@dataclass(frozen=True)
class Settings:
    """PreparePrediction's slice of the settings."""

    id: str
    delimiter: str
    rest: str
    rules: tuple[Rule, ...]

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Settings:
        """Read the settings slice."""
        rules = assignment.read_rules(found["models"], assignment.PREDICT)
        return cls(found["id"], found["delimiter"], found["rest"], rules)


@dataclass(frozen=True)
class Request:
    """What is to be prepared: by which settings, typed by which schema, out of which files."""

    settings: Settings
    trained: Schema
    source: Source
    custom: Custom | None = None


@dataclass(frozen=True)
class Data:
    """The rows to predict in the database: typed and assigned; `sizes` are the rows of each model.

    `failed` are the models left out, with why; `waiting` are their rows, None where these cannot be counted.
    """

    settings: Settings
    schema: Schema
    loaded: Loaded
    plan: Plan
    placement: Placement
    sizes: Mapping[int, int]
    id_type: str
    failed: Mapping[int, str]
    waiting: Mapping[int, int | None]
    custom: Custom | None = None

    @property
    def features(self) -> tuple[Column, ...]:
        """Return the columns that models are given."""
        return self.schema.prepared.columns if self.schema.prepared else self.schema.columns


def prepare(request: Request, scratch: Path, scope: Scope) -> None:
    """Prepare all prediction files into the step's output; raise StepError for anything that forbids it."""
    settings, trained, source = request.settings, request.trained, request.source
    if bool(request.custom) != bool(trained.prepared):
        raise job.StepError(
            "the training data were prepared with other code (hook prepare): run PrepareTraining again; where approved "
            "defaults alone score, approve versions that were trained with the code of today"
        )
    _check_columns(settings, trained, [file for file in source.files if file.blank is None])
    with tables.connect(scratch) as connection:
        data = _load(connection, request, scope)
        _write_models(connection, data, scope)
    _write_summary(data, source)


def _check_columns(settings: Settings, trained: Schema, files: Sequence[RawFile]) -> None:
    roles = [(column.name, "a training column") for column in reversed(trained.columns)]
    roles += [(column, "models where") for column in assignment.where_columns(settings.rules)]
    roles += [(settings.id, "data.id")]
    wanted = {column: why for column, why in reversed(roles)}
    problem.raise_all(loading.missing_columns(files, list(wanted.items())))
    named = [settings.id, *(column.name for column in trained.columns)]
    problem.raise_files(loading.unsupported_columns(files, named))


def _load(connection: tables.Connection, request: Request, scope: Scope) -> Data:
    settings, trained = request.settings, request.trained
    plan = assignment.make_plan(settings.rules, request.source.files)
    owners = Owners.of_plan(plan)
    layout = Layout(trained.columns, settings.id, settings.delimiter, checks=True)
    loaded = _load_rows(connection, request.source, layout, plan)
    everything = {code: rows for code, (rows, _) in loading.code_counts(connection).items()}
    spared = owners.spared(everything, scope.failed)
    kept, counts = loading.kept(spared), {code: n for code, n in everything.items() if code not in spared}
    placement, problems = assignment.place(plan, counts, settings.rest, trained.trained)
    problems += loading.check_ids(connection, loaded, settings.id, kept)
    bad = loading.count_bad(connection, kept)
    misfits = loading.find_misfits(connection, loaded, layout, plan) if bad else []
    misfits = [found for found in misfits if found.code not in spared]
    codes = owners.by_model(counts)
    ids = partial(loading.blame_ids, connection, loaded, settings.id, codes)
    scope.settle(problems + loading.say_misfits(misfits), lambda: _blame(misfits, codes, ids()))
    waiting = _count_waiting(loaded, _lost_codes(owners.by_model(everything), placement, scope), everything, scope)
    placed, id_type = _without_lost(placement, scope), loading.id_type(connection, kept)
    loading.forget(connection)
    sizes = routing.sizes(counts, placed.models)
    return Data(settings, trained, loaded, plan, placed, sizes, id_type, scope.failed, waiting, request.custom)


def _load_rows(connection: tables.Connection, source: Source, layout: Layout, plan: Plan) -> Loaded:
    """Fill table `t`, by way of text where the reader's own cast of the numbers may not be trusted."""
    loaded = loading.load_numbers(connection, source.files, layout, plan)
    files = source.with_plain()
    if loaded is None or files != source.files or loading.count_bad(connection):
        return loading.load(connection, files, layout, plan)
    return loaded


def _blame(
    misfits: Sequence[Misfits], codes: Mapping[int, Sequence[int]], ids: Mapping[int, Sequence[str]]
) -> dict[int, list[str]]:
    """Return what is wrong in the rows of single models."""
    found = {
        model: [*ids.get(model, ()), *loading.say_misfits(each for each in misfits if each.code in of_model)]
        for model, of_model in codes.items()
    }
    return {model: texts for model, texts in found.items() if texts}


def _without_lost(placement: Placement, scope: Scope) -> Placement:
    """Return a placement that gives a pooled model that failed none of the rows that another one leaves to it."""
    return replace(placement, models={c: None if m in scope.failed else m for c, m in placement.models.items()})


def _lost_codes(own: Mapping[int, Sequence[int]], placement: Placement, scope: Scope) -> dict[int, list[int]]:
    """Return the codes of each model that failed: its own, and those that were to go to it."""
    left = {m: [code for code, model in placement.models.items() if model == m] for m in scope.failed}
    return {m: [*own.get(m, ()), *left[m]] for m in scope.failed}


def _count_waiting(
    loaded: Loaded, codes: Mapping[int, Sequence[int]], rows: Mapping[int, int], scope: Scope
) -> dict[int, int | None]:
    """Return the rows of each model that failed: those of its own files, and those in files of all.

    Each of them has a position, so that PostProcess must know of all; None where there are only rows that nobody can
    count, which have none.
    """
    waiting = {m: sum(rows[code] for code in codes[m]) for m in scope.failed}
    uncountable = set()
    for file, count in zip(loaded.files, loaded.rows, strict=True):
        model = scope.owner(file.key) if file.blank is not None else None
        if model is not None:
            waiting[model] += count
            uncountable |= {model} if file.is_uncountable else set()
    return {model: count or (None if model in uncountable else 0) for model, count in waiting.items()}


def _write_models(connection: tables.Connection, data: Data, scope: Scope) -> None:
    opened, hooked = set(), _Hooked(data, scope.isolates)
    with ThreadPoolExecutor(tables.threads()) as threads:

        def open_folder(model: int) -> routing.Folder:
            opened.add(model)
            folder = _Folder(data, model, threads)
            return hooked.before(folder, model)

        for group in routing.groups(data.sizes, routing.most_waiting(tables.memory(), len(data.schema.columns))):
            routing.distribute(_stream(connection, data), group, None, open_folder)
        for model in range(len(data.settings.rules)):
            if model not in opened:
                open_folder(model).finish()
    hooked.conclude()


def _stream(connection: tables.Connection, data: Data) -> Iterator[routing.Batch]:
    """Yield all rows in file order, with the model of each; the first column is their position over all files."""
    lookup = routing.Lookup(data.placement.models)
    layout = Layout(data.schema.columns, data.settings.id, data.settings.delimiter)
    for position, batch in loading.stream(connection, data.loaded, layout, data.plan, data.id_type):
        positions = pa.array(np.arange(position, position + batch.num_rows))
        yield lookup.models(batch.column(0).to_numpy()), batch.set_column(0, contract.ROW, positions)


class _Hooked:
    """Calls the `prepare` hook before rows are written; where segments are isolated, one failure stops only its own."""

    def __init__(self, data: Data, isolates: bool) -> None:
        self.failed: dict[int, str] = {}
        self._data, self._isolates = data, isolates

    def before(self, folder: _Folder, model: int) -> routing.Folder:
        """Return what makes the rows of a model that the folder takes: the folder itself where there is no hook."""
        rule, data, prepared = self._data.settings.rules[model], self._data, self._data.schema.prepared
        if data.custom is None or prepared is None:
            return folder
        work = data.custom.of(rule.name, rule.slug, (data.settings.id,), data.schema.columns)
        return _Reshaped(self, folder, model, partial(_make, work, prepared))

    def fail(self, model: int, error: HookError) -> None:
        """Take note of a model whose rows the hook cannot make; raise it where one model stands for all."""
        if not self._isolates:
            raise error
        self.failed.setdefault(model, str(error))

    def conclude(self) -> None:
        """Raise BlamedError for the models for which the hook failed, with nothing left of what was written."""
        if self.failed:
            for output in (contract.OUT_PREDICT, contract.OUT_PARTS):
                shutil.rmtree(contract.output_dir(output), ignore_errors=True)
            texts = list(dict.fromkeys(self.failed.values()))
            raise BlamedError(texts, {model: [text] for model, text in self.failed.items()})


class _Reshaped:
    """A folder that is given what the `prepare` hook makes of the rows."""

    def __init__(
        self, hooked: _Hooked, folder: _Folder, model: int, make: Callable[[pa.Table, bool], pa.Table]
    ) -> None:
        self._hooked, self._folder, self._model, self._make = hooked, folder, model, make
        self._first = True

    def add(self, rows: pa.Table) -> None:
        """Write what the hook makes of a chunk of rows."""
        if self._model in self._hooked.failed:
            return
        try:
            features = self._make(rows.remove_column(0), self._first)
        except HookError as error:
            self._hooked.fail(self._model, error)
            return
        self._first = False
        self._folder.add(pa.Table.from_arrays([*rows.columns[:2], *features.columns], self._folder.names))

    def finish(self) -> None:
        """Close the folder."""
        self._folder.finish()


def _make(work: Reshape, wanted: Prepared, rows: pa.Table, first: bool) -> pa.Table:
    """Return the features of a chunk as models take them."""
    made = work.rows(rows, first)
    return work.fit(made.table, made.kinds, wanted)


class _Folder:
    """One model's folders: parts, by themselves so that instances can share them out; profile and last the status."""

    def __init__(self, data: Data, model: int, threads: Executor) -> None:
        self._data, self._model = data, model
        ids = [pa.field(contract.ROW, pa.int64()), chunk.field(data.settings.id, data.id_type)]
        self._layout = pa.schema([*ids, *chunk.fields(data.features)])
        self._folder = data.settings.rules[model].folder
        self._path = contract.output_dir(contract.OUT_PREDICT) / self._folder
        self._profile = Profile(data.features)
        self._profiling = chunk.Line(threads)
        self._parts = chunk.PartWriter(contract.output_dir(contract.OUT_PARTS), (self._folder,), self._layout, threads)

    @property
    def names(self) -> list[str]:
        """Return the columns of the rows that are written."""
        return list(self._layout.names)

    def add(self, rows: pa.Table) -> None:
        """Write a chunk of rows."""
        rows = rows.rename_columns(self._layout.names).cast(self._layout)
        self._profiling.submit(partial(self._profile.add, rows))
        self._parts.write(self._folder, rows)

    def finish(self) -> None:
        """Close the part and write what describes it."""
        self._profiling.wait()
        self._parts.close()
        data, rows = self._data, self._parts.rows[self._folder]
        job.write_json(self._path / contract.PROFILE_FILE, {"rows": rows, "columns": self._profile.columns_json()})
        status: dict[str, Any] = {"status": contract.PREPARED, "rows": rows, "reason": None}
        if self._model in data.failed:
            told = {"reason": data.failed[self._model], "rows_waiting": data.waiting[self._model]}
            status = {**status, "status": contract.FAILED, **told}
        job.write_json(self._path / contract.STATUS_FILE, status)


def _write_summary(data: Data, source: Source) -> None:
    loaded = data.loaded
    known = {data.settings.id, *(column.name for column in data.schema.columns)}
    extra = [column for column in loaded.files[0].columns if column not in known]
    summary = {
        "version": source.version,
        "raw": source.raw,
        "files": [{"key": f.key, "rows": rows} for f, rows in zip(loaded.files, loaded.rows, strict=True)],
        "rows": loaded.total,
        "rest_rows": data.placement.rest_rows,
        "skipped_rows": data.placement.skipped_rows,
        "extra_columns": extra,
        "warnings": list(data.placement.warnings),
        "id_type": data.id_type,
    }
    job.write_json(contract.output_dir(contract.OUT_PREDICT) / contract.DATA_FILE, summary)
