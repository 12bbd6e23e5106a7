"""What is said of drift (`contract.json`): a sentence for each limit that is passed, and what becomes of the run. Pure.

A sentence names column, figure and limit, never a cell's value, and so never a category.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lambda_trigger.settings import Drift, Limit
from lambda_trigger.stability import MEASURE, ColumnDrift
from steps import contract

DIGITS = 6
NUMERIC = frozenset({"number", "bool"})
"""Kinds that stand for each other: booleans are stored as numbers."""


@dataclass(frozen=True)
class Verdict:
    """Sentences of warning, and sentences that fail the run."""

    warnings: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Default:
    """The approved default of a model: what it lacks to serve the rows to predict, or why nobody could tell."""

    version: int
    problems: tuple[str, ...] = ()
    unchecked: str | None = None


@dataclass(frozen=True)
class Checked:
    """One model: its columns' drift, or why there is none, and its default, if it has one."""

    name: str
    slug: str
    train_rows: int = 0
    predict_rows: int = 0
    reason: str | None = None
    columns: Mapping[str, ColumnDrift] = field(default_factory=dict)
    default: Default | None = None
    verdict: Verdict = Verdict()


def judge(columns: Mapping[str, ColumnDrift], default: Default | None, limits: Drift, is_pooled: bool) -> Verdict:
    """Return what is said of a model.

    The rows to predict of a pooled model are the rest of the segments, those it is trained on are all: their
    distributions differ by design, so that a PSI says nothing against the data.
    """
    warnings: list[str] = []
    failures: list[str] = []
    for name, found in columns.items():
        for sentence, value, limit, key in _measures(name, found, limits):
            if key == "psi" and is_pooled:
                continue
            if limit.fail is not None and value > limit.fail:
                failures.append(f"{sentence} (drift.{key}.fail is {limit.fail:g})")
            elif limit.warn is not None and value > limit.warn:
                warnings.append(sentence)
    problem = _say_default(default)
    if problem:
        (failures if limits.default == "fail" else warnings).append(problem)
    return Verdict(tuple(warnings), tuple(failures))


def _measures(name: str, found: ColumnDrift, limits: Drift) -> Iterator[tuple[str, float, Limit, str]]:
    """Yield sentence, figure, limit and key of each measure that a column has."""
    if found.unseen is not None:
        rate = f"{found.unseen:.1%} of the rows have a category that training did not see"
        yield f"column {name!r}: {rate}", found.unseen, limits.unseen, "unseen"
    nulls = f"{found.null_predict:.1%} of the rows are null, in training {found.null_train:.1%}"
    yield f"column {name!r}: {nulls}", found.null_shift, limits.nulls, "nulls"
    if found.certain_psi is not None:
        shift = f"{MEASURE} {found.certain_psi:.2f} between training rows and rows to predict"
        yield f"column {name!r}: {shift}", found.certain_psi, limits.psi, "psi"


def _say_default(default: Default | None) -> str:
    if default is None or not default.problems:
        return ""
    return f"the approved default (version {default.version}) could not serve these rows: {'; '.join(default.problems)}"


def find_mismatches(schema: Mapping[str, Any], available: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a registered model's schema wants and the rows to predict lack; `available` has kinds by column."""
    problems = []
    for column in schema["columns"]:
        name, kind = str(column["name"]), str(column["kind"])
        if name not in available:
            problems.append(f"column {name!r} is missing{_nearest(name, available)}")
        elif kind != available[name] and not {kind, available[name]} <= NUMERIC:
            problems.append(f"column {name!r} is {available[name]}, the model was trained on {kind}")
    return tuple(problems)


def find_strangers(ignored: Sequence[str], known: Iterable[str]) -> tuple[str, ...]:
    """Return a note for each column that `drift.ignore` names and no model has."""
    names = set(known)
    return tuple(
        f"drift.ignore names {column!r}, which is no feature{_nearest(column, names)}"
        for column in ignored
        if names and column not in names
    )


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), n=1)
    return f" (nearest is {near[0]!r})" if near else ""


def worst(columns: Mapping[str, ColumnDrift]) -> tuple[str, float] | None:
    """Return the column of the largest PSI, and that; the first by name of several."""
    measured = [(name, found.psi) for name, found in sorted(columns.items()) if found.psi is not None]
    return max(measured, key=lambda pair: pair[1], default=None)


def to_json(execution: str, limits: Drift, models: Sequence[Checked], notes: Sequence[str]) -> str:
    """Return the text of `contract.json`."""
    document = {
        "execution": execution,
        "measure": MEASURE,
        "limits": {**asdict(limits), "ignore": list(limits.ignore)},
        "warnings": count_warnings(models, notes),
        "failures": sum(len(model.verdict.failures) for model in models),
        "notes": list(notes),
        "models": {model.slug: _model_json(model) for model in models},
    }
    return contract.to_json(document)


def count_warnings(models: Sequence[Checked], notes: Sequence[str]) -> int:
    """Return how many sentences of warning there are."""
    return len(notes) + sum(len(model.verdict.warnings) for model in models)


def _model_json(model: Checked) -> dict[str, Any]:
    found = worst(model.columns)
    default = model.default
    return {
        "name": model.name,
        "compared": model.reason is None,
        "reason": model.reason,
        "train_rows": model.train_rows,
        "predict_rows": model.predict_rows,
        "worst": {"column": found[0], "psi": round(found[1], DIGITS)} if found else None,
        "columns": {name: _column_json(column) for name, column in model.columns.items()},
        "default": {**asdict(default), "problems": list(default.problems)} if default else None,
        "warnings": list(model.verdict.warnings),
        "failures": list(model.verdict.failures),
    }


def _column_json(column: ColumnDrift) -> dict[str, Any]:
    return {key: round(value, DIGITS) if isinstance(value, float) else value for key, value in asdict(column).items()}
