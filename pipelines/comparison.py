"""What differs between two executions of a workspace: models, data, settings, code, parameters, predictions.

`python -m pipelines.run --local --compare ID ID`. What is the same is not named, but for the models.
"""

from __future__ import annotations

import argparse
import filecmp
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import comparison_text, explain, prediction_differences, results, slices
from pipelines.errors import ExecutionError
from pipelines.local.difference import json_changes
from pipelines.local.workspace import list_files
from pipelines.prediction_differences import Differences
from pipelines.runs import Run
from pipelines.usage import Asked
from steps import contract

_VERSIONS = {"train": contract.TRAIN_DATA_VERSION, "predict": contract.PREDICT_DATA_VERSION}


@dataclass(frozen=True)
class Pair:
    """A value in the first execution and in the second; None where there is none."""

    first: Any
    second: Any

    @property
    def differs(self) -> bool:
        """Tell whether the two are not the same."""
        return bool(self.first != self.second)

    @property
    def is_known(self) -> bool:
        """Tell whether there is a value in one of the two."""
        return (self.first, self.second) != (None, None)


@dataclass(frozen=True)
class ModelPair:
    """A model in two executions; `mae_difference` is second minus first, None unless both have a MAE."""

    mae: Pair
    accepted: Pair
    served_by: Pair
    rows: Pair
    mae_difference: float | None
    predictions: Differences | None

    @property
    def only_in(self) -> str | None:
        """Return `first` or `second` for a model that the other has not."""
        if self.rows.first is None or self.rows.second is None:
            return "first" if self.rows.second is None else "second"
        return None


@dataclass(frozen=True)
class DataChange:
    """The versions of the raw files of a role, and the files that differ where the lists are still there."""

    version: Pair
    files: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What differs; `settings` and `code` name the kinds of steps that a change concerns, `gone` what is not there.

    `predictions` is None where one of the two has published none; `gone` says which, and what else could not be read.
    """

    executions: Pair
    status: Pair
    mode: Pair
    raw: Pair
    data: Mapping[str, DataChange]
    parameters: Mapping[str, Pair]
    settings: Mapping[str, tuple[str, ...]]
    code: Mapping[str, tuple[str, ...]]
    models: Mapping[str, ModelPair]
    predictions: Differences | None
    gone: tuple[str, ...]


def show(arguments: argparse.Namespace, asked: Asked) -> int:
    """Print what differs between two executions; the second is the newest unless it is named."""
    first, last = Run(asked.execution, arguments.workspace), Run(asked.other, arguments.workspace)
    found = compare(first, last)
    render = comparison_text.as_json if arguments.json else comparison_text.as_table
    sys.stdout.write(render(found))
    return 0


def compare(first: Run, second: Run) -> Comparison:
    """Return what differs between two executions.

    Raises:
        ExecutionError: what one of them published is damaged.
    """
    gone: list[str] = []
    total, by_model = _predictions(first, second, gone)
    return Comparison(
        executions=Pair(first.execution, second.execution),
        status=Pair(first.result.status, second.result.status),
        mode=Pair(first.origin.mode, second.origin.mode),
        raw=Pair(first.origin.raw, second.origin.raw),
        data={role: _data(first, second, name) for role, name in _VERSIONS.items()},
        parameters=dict(_parameters(first, second)),
        settings=_by_change(_settings(first, second, gone)),
        code=_by_change(_code(first, second, gone)),
        models=_models(first, second, by_model),
        predictions=total,
        gone=tuple(gone),
    )


def _predictions(first: Run, second: Run, gone: list[str]) -> tuple[Differences | None, Mapping[str, Differences]]:
    files = []
    for run in (first, second):
        try:
            files.append(run.prediction_files())
        except ExecutionError as error:
            gone.append(str(error))
    if len(files) < 2:
        return None, {}
    return prediction_differences.compare(files[0], files[1], first.workspace.scratch)


def _models(first: Run, second: Run, differences: Mapping[str, Differences]) -> dict[str, ModelPair]:
    before, after = first.result.models, second.result.models
    names = [*before, *(name for name in after if name not in before)]
    return {name: _model(before.get(name, {}), after.get(name, {}), differences.get(name)) for name in names}


def _model(old: Mapping[str, Any], new: Mapping[str, Any], differences: Differences | None) -> ModelPair:
    mae = Pair(_trained(old.get("mae")), _trained(new.get("mae")))
    known = mae.first is not None and mae.second is not None
    accepted, served_by, rows = (Pair(old.get(key), new.get(key)) for key in ("accepted", "served_by", "rows"))
    return ModelPair(mae, accepted, served_by, rows, mae.second - mae.first if known else None, differences)


def _trained(mae: float | None) -> float | None:
    """Return a MAE, or None for the one that stands for a failed training."""
    return None if mae is None or mae >= contract.UNLIMITED_MAE else mae


def _data(first: Run, second: Run, name: str) -> DataChange:
    version = Pair(first.origin.parameters.get(name), second.origin.parameters.get(name))
    if not version.differs:
        return DataChange(version, ())
    before, after = _listing(first, version.first), _listing(second, version.second)
    known = before and after
    return DataChange(version, tuple(sorted(k for k in {*before, *after} if known and before.get(k) != after.get(k))))


def _listing(run: Run, version: Any) -> dict[str, Any]:
    """Return the raw files of a data version by key, empty where the list is gone."""
    base = f"s3://{run.origin.bucket}/{run.origin.pipeline}/{contract.MANIFESTS_DIR}/{version}"
    try:
        found = results.read_json(run.workspace.path(base) / contract.MANIFEST_FILE)
        return {file["key"]: file for file in found["files"]}
    except (ExecutionError, KeyError, TypeError):
        return {}


def _parameters(first: Run, second: Run) -> Iterator[tuple[str, Pair]]:
    said = (contract.RAW_DATA_URI, *_VERSIONS.values())
    before, after = first.origin.parameters, second.origin.parameters
    for name in sorted({*before, *after}):
        pair = Pair(before.get(name), after.get(name))
        if name not in said and pair.differs:
            yield name, pair


def _by_change(found: Iterator[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the kinds of steps by what changed for them: a key of one setting stands in the settings of many."""
    kinds: dict[str, list[str]] = {}
    for kind, change in found:
        kinds.setdefault(change, []).append(kind)
    return {change: tuple(dict.fromkeys(names)) for change, names in kinds.items()}


def _settings(first: Run, second: Run, gone: list[str]) -> Iterator[tuple[str, str]]:
    """Yield kind and change; what only one of the two has belongs to a model that only one has."""
    for kind, before, after in _differing(first, second, "settings"):
        paths = [folder / contract.SETTINGS_FILE for folder in (before, after)]
        try:
            old, new = (results.read_json(path) for path in paths)
        except ExecutionError as error:
            gone.append(str(error))
            continue
        for told in (old, new):
            told.pop(slices.LINEAGE, None)  # says once more what the others say
        for change in json_changes(old, new):
            yield kind, explain.setting_key(change)


def _code(first: Run, second: Run, gone: list[str]) -> Iterator[tuple[str, str]]:
    for kind, before, after in _differing(first, second, "code"):
        old, new = dict(list_files(before)), dict(list_files(after))
        if not old or not new:
            gone.append(f"{before if not old else after}: the code is gone")
            continue
        for name in sorted({*old, *new}):
            if name not in old or name not in new:
                yield kind, f"{explain.code_file(name)} ({'added' if name not in old else 'removed'})"
            elif not filecmp.cmp(old[name], new[name], shallow=False):
                yield kind, explain.code_file(name)


def _differing(first: Run, second: Run, what: str) -> Iterator[tuple[str, Path, Path]]:
    before, after = first.addressed(what), second.addressed(what)
    for kind in before:
        if kind in after and before[kind] != after[kind]:
            yield kind, before[kind], after[kind]
