"""Which models an execution has: settings and counted segments become an ordered tuple of ModelSpec. Pure.

With `models: {by: COLUMN}` the segments come from the data (discovered by `steps.segments`) or from the committed
lock file; with an explicit list they come from the config. The lock makes the definition a function of the repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from pipelines.document_problems import read_yaml
from pipelines.errors import DataError, SettingsError
from pipelines.settings import Model, Segments, Settings
from steps import contract

LEAST_ROWS = 4_096
"""What a model with fewer rows is counted as: starting a fit takes its time, however few rows there are."""


@dataclass(frozen=True)
class ModelSpec:
    """One model: its name and slug, the filter or globs that give it its rows, and the shard it belongs to, if any.

    `rows` are those that it was counted to have, rounded up to a power of two, so that what rests on them changes
    rarely; 0 where nobody has counted.
    """

    name: str
    slug: str
    where: Mapping[str, tuple[str, ...]] | None = field(default=None, hash=False)  # a mapping has no hash
    train: tuple[str, ...] | None = None
    predict: tuple[str, ...] | None = None
    pooled: bool = False
    shard: str | None = None
    rows: int = field(default=0, compare=False)

    @property
    def unit(self) -> str:
        """Return what names the steps that serve this model: its shard, or its own slug."""
        return self.shard or self.slug

    def to_json(self) -> dict[str, Any]:
        """Return the form that the steps read (`M` of the settings slices)."""
        where = {column: list(values) for column, values in self.where.items()} if self.where else None
        globs = {"train": self.train and list(self.train), "predict": self.predict and list(self.predict)}
        identity = {"name": self.name, "slug": self.slug, "shard": self.shard}
        return {**identity, "where": where, **globs, "pooled": self.pooled}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> ModelSpec:
        """Return the model that `to_json` wrote."""
        where = {column: tuple(values) for column, values in found["where"].items()} if found["where"] else None
        train, predict = (found[role] and tuple(found[role]) for role in ("train", "predict"))
        return cls(found["name"], found["slug"], where, train, predict, found["pooled"], found.get("shard"))


@dataclass(frozen=True)
class Segment:
    """A value of the segment column and its rows: with a label to train on, and to predict."""

    value: str
    train_rows: int
    predict_rows: int


@dataclass(frozen=True)
class Census:
    """Segments counted in the raw data, and the rows that belong to none of the models.

    `absent` tells which columns of the training files the prediction files lack.
    """

    segments: tuple[Segment, ...]
    unmatched: Segment
    absent: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Census:
        """Read what `steps.segments` prints."""
        key = "models" if found.get("models") else "segments"  # a column of nulls has no segment at all
        rows = tuple(
            Segment(item.get("value", item.get("name")), item["train_rows"], item["predict_rows"])
            for item in found.get(key, ())
        )
        rest = found.get("null" if key == "segments" else "unmatched") or {}
        return cls(
            rows, Segment("", rest.get("train_rows", 0), rest.get("predict_rows", 0)), tuple(found.get("absent", ()))
        )


def choose_models(settings: Settings, census: Census | None, always_pooled: bool = False) -> tuple[ModelSpec, ...]:
    """Return the models of an execution, in the order of their names; the pooled one last.

    Args:
        settings: the configuration.
        census: rows per segment; needed where segments are discovered.
        always_pooled: keep a pooled model even if no row needs it now (a lock for AWS does).

    Raises:
        DataError: no segment has enough rows and no pooled model may stand in.
        SettingsError: an override names a segment that is not in the data.
    """
    own = _own_models(settings, census)
    names = [model.name for model in own]
    pooled = settings.rest == "pooled" and (always_pooled or _has_rest(census, names))
    if settings.rest == "fail" and _has_rest(census, names):
        raise DataError(_refused_rest(settings, census, names))
    if not own and not pooled:
        raise DataError(_no_model(settings))
    if isinstance(settings.models, Segments):
        _check_overrides(settings.models, names, census)
    return _with_rows(_with_slugs(own + ([_pooled_model()] if pooled else []), settings.pipeline.name), census)


def _own_models(settings: Settings, census: Census | None) -> list[Model]:
    if not isinstance(settings.models, Segments):
        return list(settings.models)
    if census is None:
        raise SettingsError(
            f"models.by: the segments of {settings.models.by!r} are not known; give the data with --raw FOLDER, or "
            "write the lock file with: python -m pipelines.compile --raw FOLDER --lock (and the same --config)"
        )
    column = settings.models.by
    if any(segment.value == contract.POOLED_NAME for segment in census.segments):
        raise DataError(
            f"column {column!r}: a segment is called {contract.POOLED_NAME!r}, which is the name of the pooled model; "
            "rename the segment in the data"
        )
    large = [segment.value for segment in census.segments if segment.train_rows >= settings.min_rows]
    odd = sum(contract.escape_controls(value) != value for value in large)
    if odd:
        raise DataError(
            f"column {column!r}: {odd} of its {len(large)} segments hold a line break or another control character, "
            "which no model's name may; clean the column in the raw files, or list the models, each with name and where"
        )
    return [Model(name=value, where={column: (value,)}) for value in sorted(large)]


def _has_rest(census: Census | None, own: list[str]) -> bool:
    """Tell whether any row belongs to no model of its own."""
    if census is None:
        return False
    small = [s for s in census.segments if s.value not in own or not s.train_rows]
    return any(s.train_rows or s.predict_rows for s in [*small, census.unmatched])


def _refused_rest(settings: Settings, census: Census | None, own: list[str]) -> str:
    found = census or Census((), Segment("", 0, 0))
    small = [s for s in found.segments if s.value not in own or not s.train_rows]
    train = sum(s.train_rows for s in [*small, found.unmatched])
    predict = sum(s.predict_rows for s in [*small, found.unmatched])
    place = f" of {settings.models.by!r}" if isinstance(settings.models, Segments) else ""
    return (
        f"rest: fail, and {train} rows to train on and {predict} rows to predict belong to no model of their own "
        f"({len(small)} small or unseen segments{place}, min_rows {settings.min_rows}); set rest: pooled or skip"
    )


def _pooled_model() -> Model:
    return Model.model_construct(name=contract.POOLED_NAME, where=None, train=None, predict=None)


def _with_slugs(models: list[Model], pipeline: str) -> tuple[ModelSpec, ...]:
    slugs = contract.slugs([model.name for model in models], pipeline)
    return tuple(
        ModelSpec(m.name, slugs[m.name], m.where, m.train, m.predict, m.name == contract.POOLED_NAME) for m in models
    )


def _with_rows(models: tuple[ModelSpec, ...], census: Census | None) -> tuple[ModelSpec, ...]:
    """Return the models with their rows, as far as they were counted; a pooled model trains on all of them."""
    if census is None:
        return models
    rows = {segment.value: segment.train_rows + segment.predict_rows for segment in census.segments}
    every = sum(rows.values()) + census.unmatched.train_rows + census.unmatched.predict_rows
    return tuple(replace(m, rows=_round_up(every if m.pooled else rows.get(m.name, 0))) for m in models)


def _round_up(rows: int) -> int:
    """Return the power of two that is not below `rows`."""
    return 1 << (rows - 1).bit_length() if rows else 0


def _no_model(settings: Settings) -> str:
    return (
        f"no segment has min_rows ({settings.min_rows}) training rows and rest is {settings.rest!r}; lower min_rows, "
        "or set rest: pooled"
    )


def _check_overrides(models: Segments, names: list[str], census: Census | None) -> None:
    unknown = sorted(set(models.overrides) - {*names, contract.POOLED_NAME})
    if unknown and census is not None:
        shown = ", ".join(names[:10])
        raise SettingsError(
            *(f"models.overrides: no model is called {name!r}; there are {shown}" for name in unknown),
        )


def lock_path(config: Path, pipeline: str) -> Path:
    """Return where the committed list of segments of a pipeline lies: beside its config."""
    return config.parent / f"{pipeline}.segments.lock.yml"


def dump_lock(settings: Settings, census: Census) -> str:
    """Return the lock file's text: the segments with a model of their own, and whether there is a pooled one.

    Where there are large segments their rows stand there too, by which shards are balanced: rounded, so that the lock
    changes rarely.
    """
    models = choose_models(settings, census, always_pooled=True)
    column = settings.models.by if isinstance(settings.models, Segments) else None
    lock: dict[str, Any] = {
        "column": column,
        "segments": [m.name for m in models if not m.pooled],
        "pooled": settings.rest == "pooled",
    }
    if rows := {m.name: m.rows for m in models if m.rows > LEAST_ROWS}:
        lock["rows"] = rows
    head = "# Segments of the pipeline, frozen for AWS. Written by: python -m pipelines.compile --raw FOLDER --lock\n"
    text = yaml.safe_dump(lock, allow_unicode=True, sort_keys=False)
    if yaml.safe_load(text) != lock:  # PyYAML writes rare line separators so that they are read as spaces
        text = yaml.safe_dump(lock, allow_unicode=False, sort_keys=False)
    return head + text


def read_lock(settings: Settings, path: Path) -> tuple[ModelSpec, ...]:
    """Return the models that a lock file names.

    Raises:
        SettingsError: the file is missing, malformed, or made for another column.
    """
    if not path.exists():
        raise SettingsError(
            f"{path}: no lock file; write it with: python -m pipelines.compile --raw FOLDER --lock "
            "(and the same --config), or give --raw"
        )
    lock = read_yaml(path)
    column = settings.models.by if isinstance(settings.models, Segments) else None
    values = lock.get("segments")
    if lock.get("column") != column or not isinstance(values, list):
        raise SettingsError(f"{path}: was not written for models.by {column!r}; write it again with --lock")
    if not all(isinstance(value, str) for value in values) or len(set(values)) < len(values):
        raise SettingsError(f"{path}: segments: expected different texts, each in quotes; write it again with --lock")
    rows = _read_rows(lock, values, path)
    segments = tuple(Segment(value, max(settings.min_rows, rows.get(value, 0)), 0) for value in values)
    chosen = choose_models(settings, Census(segments, Segment("", 0, 0)), always_pooled=True)
    return tuple(replace(model, rows=rows.get(model.name, model.rows)) for model in chosen)


def _read_rows(lock: Mapping[str, Any], segments: list[str], path: Path) -> Mapping[str, int]:
    """Return the rows of large segments; none in a lock that was written before they stood there."""
    rows = lock.get("rows") or {}
    known = {*segments, contract.POOLED_NAME}
    if not isinstance(rows, Mapping) or not all(type(n) is int and n > 0 and v in known for v, n in rows.items()):
        raise SettingsError(
            f"{path}: rows: expected a number of rows for some of the segments; write it again with --lock"
        )
    return rows
