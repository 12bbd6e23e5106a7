"""The hooks `fit` and `predict`: a model of the user's own in AutoGluon's place, or AutoGluon's scored in their way.

The artifact carries the code of both, so that a default model is served by the code that it was trained with. A model
that is none of AutoGluon's is a pickle: it is opened only once the artifact's sha256 is proven. The predictions are
tried on the first batch with fewer rows once more: a row's prediction must follow from that row alone.
"""

from __future__ import annotations

import ast
import importlib.metadata
import os
import pickle  # nosec B403
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from steps import contract, hooknames
from steps import hooks as calling
from steps.hooks import Context, HookError, Hooks

if TYPE_CHECKING:
    from steps.delivery import Delivery
    from steps.model import Load, Model
    from steps.scoring import Floats, Staged

FILE = "model.pkl"
TRIED = 100
"""Rows of the first batch that are predicted once more, by themselves."""
_SAME = 1e-5
"""Relative difference that is taken for rounding: AutoGluon predicts in 32 bits."""
SAVED = "own_model"
"""In the metadata's entry of the code: the model is the pickle, not AutoGluon's."""


@dataclass
class Own:
    """A predictor whose predictions go through the user's code."""

    model: Any
    hooks: Hooks
    context: Context
    _tried: bool = field(default=False, init=False)

    def prepare(self, data: pd.DataFrame) -> pd.DataFrame:
        """Return the rows as they are: the user's code takes them so."""
        return data

    def predict(self, data: pd.DataFrame) -> Floats:
        """Return one finite number per row.

        Raises:
            HookError: the code raised, or returned something else.
        """
        few = data.head(min(TRIED, len(data) // 2)).copy()
        found = self._numbers(data)
        if not self._tried and len(few):
            self._tried = True
            if not np.allclose(self._numbers(few), found[: len(few)], rtol=_SAME, atol=_SAME):
                raise self._error(
                    "predicts something else for a row when it is given fewer rows; predict each row from that row "
                    "alone, since rows come in batches"
                )
        return found

    def leaderboard(self, data: pd.DataFrame) -> pd.DataFrame:
        """Return the one model that there is, in AutoGluon's form: scores are negative errors."""
        started = time.perf_counter()
        error = self._error_on(data)
        entry = {"model": type(self.model).__name__, "score_val": np.nan, "fit_time": np.nan, "score_test": -error}
        return pd.DataFrame([{**entry, "pred_time_test": time.perf_counter() - started}])

    def feature_importance(
        self, data: pd.DataFrame, subsample_size: int, num_shuffle_sets: int, **_unused: Any
    ) -> pd.DataFrame:
        """Return by how much the MAE grows when a feature is shuffled, in AutoGluon's form."""
        rows, random = data.head(subsample_size), np.random.default_rng(self.context.seed)
        before, found = self._error_on(rows), {}
        for name in rows.columns.drop(self.context.label):
            shuffled = [rows[name].iloc[random.permutation(len(rows))].to_numpy() for _ in range(num_shuffle_sets)]
            grown = [
                self._error_on(rows.assign(**{name: pd.Series(v, rows.index, rows[name].dtype)})) - before
                for v in shuffled
            ]
            found[name] = {"importance": np.mean(grown), "stddev": np.std(grown, ddof=1) if len(grown) > 1 else np.nan}
        return pd.DataFrame.from_dict(found, orient="index", columns=["importance", "stddev"])

    def _error_on(self, data: pd.DataFrame) -> float:
        features = data.drop(columns=self.context.label)
        return float(np.abs(self.predict(features) - data[self.context.label].to_numpy()).mean())

    def _numbers(self, data: pd.DataFrame) -> Floats:
        rows = len(data)
        found = self._called(data)
        try:
            numbers = np.asarray(found, dtype=np.float64)
        except (TypeError, ValueError):
            raise self._error(f"returned {type(found).__name__}; return one number per row") from None
        if numbers.shape != (rows,):
            raise self._error(f"returned predictions of the form {numbers.shape} for {rows:,} rows; one number per row")
        if wrong := int(np.count_nonzero(~np.isfinite(numbers))):
            raise self._error(f"returned {wrong:,} of {rows:,} predictions that are no finite numbers")
        return numbers

    def _called(self, data: pd.DataFrame) -> Any:
        if self.hooks.has(hooknames.PREDICT):
            return self.hooks.call(hooknames.PREDICT, self.model, data, context=self.context)
        with self.hooks.told(hooknames.FIT, "the model that it returned "):
            return self.model.predict(data)

    def _error(self, problem: str) -> HookError:
        if self.hooks.has(hooknames.PREDICT):
            return self.hooks.error(hooknames.PREDICT, problem)
        return self.hooks.error(hooknames.FIT, f"returned a model that {problem}")


def fit(own: Hooks, data: pd.DataFrame, context: Context) -> Any:
    """Return the model that the `fit` hook makes of the training rows.

    Raises:
        HookError: it raised, or returned nothing that predicts.
    """
    model = own.call(hooknames.FIT, data, context=context)
    if model is None or not (own.has(hooknames.PREDICT) or callable(getattr(model, "predict", None))):
        raise own.error(
            hooknames.FIT,
            f"returned {type(model).__name__}, which has no predict(frame); return a model, or write the hook predict",
        )
    return model


def is_own(own: Hooks, model: Any, label: str) -> bool:
    """Tell whether a model is none of AutoGluon's; one of these is treated as if the settings had asked for it.

    Raises:
        HookError: it is AutoGluon's, and predicts something else than the label as a number.
    """
    from autogluon.tabular import TabularPredictor

    if not isinstance(model, TabularPredictor):
        return True
    if (model.label, model.problem_type) != (label, "regression"):
        raise own.error(
            hooknames.FIT,
            f"returned a TabularPredictor of {model.label!r} with problem type {model.problem_type!r}; make it with "
            f"label={label!r} and problem_type='regression'",
        )
    return False


def save(own: Hooks, model: Any, folder: Path) -> Any:
    """Write a model that is none of AutoGluon's into the artifact's predictor folder; return it as it loads from there.

    Raises:
        HookError: it cannot be pickled, or not be loaded again.
    """
    folder.mkdir(parents=True)
    try:
        (folder / FILE).write_bytes(pickle.dumps(model, protocol=5))
    except (MemoryError, OSError):
        raise
    except Exception as error:
        problem = (
            f"returned a model that cannot be saved ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        )
        raise own.error(
            hooknames.FIT, f"{problem}; define its classes and functions at the top of {own.file}"
        ) from error
    return _open(own, folder)


def _open(own: Hooks, folder: Path) -> Any:
    try:  # the file's sha256 is proven, or this step has just written it: nothing else is ever unpickled
        return pickle.loads((folder / FILE).read_bytes())  # noqa: S301 # nosec B301
    except (MemoryError, OSError):
        raise
    except Exception as error:
        problem = f"made a model that does not load ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        raise own.error(hooknames.FIT, problem) from error


def carry(own: Hooks, folder: Path, saved: bool, seed: int) -> dict[str, Any]:
    """Copy the code into an artifact's folder; return the entry of its metadata."""
    for path in own.files:
        target = folder / hooknames.FOLDER / path.relative_to(own.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return {
        hooknames.KEY_FILE: own.file,
        hooknames.KEY_HOOKS: [name for name in (hooknames.PREDICT,) if own.has(name)],
        hooknames.KEY_PARAMETERS: {name: type(value).__name__ for name, value in own.parameters.items()},
        SAVED: saved,
        "seed": seed,
        "libraries": libraries(own),
    }


def libraries(own: Hooks) -> dict[str, str]:
    """Return the versions of the installed libraries that the code imports, by name."""
    names: set[str] = set()
    for path in own.files:
        if path.suffix == ".py":
            names |= set(_imported(path.read_text(encoding="utf-8-sig")))
    owners = importlib.metadata.packages_distributions()
    found = {owner for name in names for owner in owners.get(name, ())}
    return {owner: importlib.metadata.version(owner) for owner in sorted(found)}


def _imported(source: str) -> list[str]:
    nodes = list(ast.walk(ast.parse(source)))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    parts = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return [name.partition(".")[0] for name in (*plain, *parts)]


def load(model: Model, served: Delivery, key: str, load_autogluon: Load) -> Staged:
    """Return the predictor of an artifact that was opened, with the user's code that it carries.

    Args:
        model: the unpacked artifact.
        served: the segment.
        key: the id column.
        load_autogluon: loads AutoGluon's predictor.
    """
    entry = model.metadata.get(hooknames.KEY)
    if entry is None:
        return load_autogluon(model.folder, served.name)
    own = calling.of(model.folder.parent / hooknames.FOLDER, entry, os.environ)
    if entry[SAVED]:
        opened = _open(own, model.folder)
    else:
        loaded = load_autogluon(model.folder, served.name)
        opened = getattr(loaded, "predictor", loaded)
    known = {"model": served.name, "slug": served.slug, "training": False}
    label, seed = str(model.metadata.get("label", "")), int(entry["seed"])
    return Own(opened, own, own.context({}, step=contract.INFER, label=label, id=key, seed=seed, **known))


def library_notes(metadata: Mapping[str, Any]) -> list[str]:
    """Return which libraries of the user's code have another version here than where the model was trained."""
    trained = (metadata.get(hooknames.KEY) or {}).get("libraries") or {}
    notes = []
    for name, version in trained.items():
        try:
            here = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            here = "none"
        if here != version:
            notes.append(f"the model was trained with {name} {version}, here is {here}")
    return notes
