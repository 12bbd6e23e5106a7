"""Which model a row belongs to: by the values of its `where` columns, or by the file it lies in.

DuckDB gives every row a small code (made of the file's class and the position of each where-value among those that
any model names), so that the rules run here once per distinct code, not once per row. Pure but for SQL text; tables
are read elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steps import cells, contract, problem, rawfile
from steps.job import StepError
from steps.rawfile import RawFile

TRAIN = "train"
PREDICT = "predict"
SKIP = "skip"
CODE_LIMIT = 2**62
NOBODY = -1
"""Code of the rows that stand in for those of a file that cannot be used."""
NUMERIC = (rawfile.INTEGER, rawfile.FLOAT)


@dataclass(frozen=True)
class Rule:
    """One model: its name and slug, what makes a row its own, and the folder of its rows."""

    name: str
    slug: str
    where: Mapping[str, tuple[str, ...]]
    globs: tuple[str, ...] | None
    pooled: bool
    folder: str


@dataclass(frozen=True)
class FileClass:
    """Files that the rules treat alike: the models whose globs name them, and which where-columns are numeric."""

    named_by: frozenset[int]
    numeric: tuple[bool, ...]


@dataclass(frozen=True)
class Plan:
    """All rules over a set of files; `values` are the where-values that code a row, per column of `columns`."""

    rules: tuple[Rule, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    classes: tuple[FileClass, ...]
    class_of: Mapping[str, int]


@dataclass(frozen=True)
class Placement:
    """Where the rows go: model per code (None: to nobody), and how many rows belong to none of the models.

    `warnings` name the models whose rows are skipped because nothing was there to train them on.
    """

    models: Mapping[int, int | None]
    rest_rows: int
    skipped_rows: int
    warnings: tuple[str, ...] = ()


def read_rules(models: Sequence[Mapping[str, Any]], role: str) -> tuple[Rule, ...]:
    """Return the rules of the settings' models for training or for prediction files."""
    return tuple(
        Rule(
            name=model["name"],
            slug=model["slug"],
            where={column: tuple(values) for column, values in (model["where"] or {}).items()},
            globs=tuple(model[role]) if model[role] else None,
            pooled=model["pooled"],
            folder=contract.prepared_folder(model["slug"], model.get("shard")),
        )
        for model in models
    )


def effective_globs(common: Sequence[str], rules: Sequence[Rule]) -> tuple[str, ...]:
    """Return all globs that name files: the common ones where a model has none of its own, and the models' own."""
    own = [glob for rule in rules for glob in rule.globs or ()]
    return tuple(dict.fromkeys([*(common if needs_common(rules) else ()), *own]))


def needs_common(rules: Sequence[Rule]) -> bool:
    """Tell whether any model takes its rows from the files that the common globs name."""
    return not any(rule.globs for rule in rules) or any(rule.globs is None and not rule.pooled for rule in rules)


def where_columns(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Return the columns that any rule looks at, sorted."""
    return tuple(sorted({column for rule in rules for column in rule.where}))


def make_plan(rules: tuple[Rule, ...], files: Sequence[RawFile]) -> Plan:
    """Return how to code the rows of these files; the where-columns must exist in all of them."""
    columns = where_columns(rules)
    values = tuple(_named_values(rules, column) for column in columns)
    if math.prod(len(of_column) + 1 for of_column in values) * len(files) > CODE_LIMIT:
        raise StepError(f"models look at too many values of {problem.name_list(columns)} at once; use fewer columns")
    of_files = {file.key: _classify(rules, columns, file) for file in files}
    classes = tuple(dict.fromkeys(of_files.values()))
    return Plan(rules, columns, values, classes, {key: classes.index(found) for key, found in of_files.items()})


def _named_values(rules: Iterable[Rule], column: str) -> tuple[str, ...]:
    named = {value for rule in rules for value in rule.where.get(column, ())}
    return tuple(sorted(named | {canonical(value) for value in named}))


def _classify(rules: Sequence[Rule], columns: Sequence[str], file: RawFile) -> FileClass:
    named_by = frozenset(n for n, rule in enumerate(rules) if rule.globs and contract.matches(file.key, rule.globs))
    return FileClass(named_by, tuple(file.stored_as(column) in NUMERIC for column in columns))


def canonical(value: str) -> str:
    """Return a number as `cells.text` writes it (7.0 as 7); any other text as it is."""
    try:
        number = float(value)
    except ValueError:
        return value
    if not math.isfinite(number):
        return value
    return str(int(number)) if number.is_integer() and abs(number) < float(cells.INTEGRAL_LIMIT) else repr(number)


def type_statements(plan: Plan) -> list[str]:
    """Return the statements that make DuckDB know the where-values, as one enumeration per column."""
    return [
        f"CREATE OR REPLACE TYPE where_{n} AS ENUM ({', '.join(cells.literal(value) for value in values)})"
        for n, values in enumerate(plan.values)
        if values
    ]


def code_expression(plan: Plan, file: RawFile, references: Mapping[str, str]) -> str:
    """Return the SQL expression of a row's code; `references` names each where-column in the file's scan."""
    code = str(plan.class_of[file.key])
    for n, (column, values) in enumerate(zip(plan.columns, plan.values, strict=True)):
        if values:
            cell = cells.text(file.stored_as(column), references[column])
            position = f"coalesce(CAST(enum_code(TRY_CAST({cell} AS where_{n})) AS BIGINT) + 1, 0)"
            code = f"({code}) * {len(values) + 1} + {position}"
    return f"CAST({code} AS BIGINT)"


def _decode(plan: Plan, code: int) -> tuple[FileClass, dict[str, str | None]]:
    found: dict[str, str | None] = {}
    for column, values in reversed(list(zip(plan.columns, plan.values, strict=True))):
        position = 0
        if values:
            code, position = divmod(code, len(values) + 1)
        found[column] = values[position - 1] if position else None
    return plan.classes[code], found


class Matcher:
    """Finds the models of a code, by one dictionary per set of where-columns."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._found = {kind: _index(plan, kind) for kind in plan.classes}

    def models(self, code: int) -> list[int]:
        """Return the positions of all models whose rule the code's rows meet."""
        kind, values = _decode(self._plan, code)
        found: set[int] = set()
        for columns, by_values in self._found[kind].items():
            found.update(by_values.get(tuple(values[column] for column in columns), ()))
        return sorted(found)


def _index(plan: Plan, kind: FileClass) -> dict[tuple[str, ...], dict[tuple[str | None, ...], list[int]]]:
    numeric = dict(zip(plan.columns, kind.numeric, strict=True))
    index: dict[tuple[str, ...], dict[tuple[str | None, ...], list[int]]] = {}
    for position, rule in enumerate(plan.rules):
        if rule.pooled or (rule.globs is not None and position not in kind.named_by):
            continue
        columns = tuple(sorted(rule.where))
        for values in _combinations([_expected(rule.where[column], numeric[column]) for column in columns]):
            index.setdefault(columns, {}).setdefault(values, []).append(position)
    return index


def _expected(values: Iterable[str], numeric: bool) -> list[str]:
    return list(dict.fromkeys(canonical(value) if numeric else value for value in values))


def _combinations(choices: Sequence[Sequence[str]]) -> list[tuple[str | None, ...]]:
    combinations: list[tuple[str | None, ...]] = [()]
    for values in choices:
        combinations = [(*start, value) for start in combinations for value in values]
    return combinations


def place(
    plan: Plan, counts: Mapping[int, int], rest: str, trained: Mapping[str, bool] | None = None
) -> tuple[Placement, list[str]]:
    """Return which model takes the rows of each code, and the problems found.

    Args:
        plan: rules and codes.
        counts: rows per code.
        rest: what happens to rows of no model without a pooled one: `skip`, anything else is an error.
        trained: by slug whether the model has rows to train on; None while training data are prepared.
    """
    matcher = Matcher(plan)
    pooled = next((n for n, rule in enumerate(plan.rules) if rule.pooled), None)
    found = {code: matcher.models(code) for code in sorted(counts)}
    problems = _overlaps(plan, found, counts)
    own = {code: models[0] if models else None for code, models in found.items()}
    untrained = _untrained_rows(plan, own, counts, trained)
    unmatched = sum(counts[code] for code, model in own.items() if model is None)
    rest_rows = unmatched + sum(untrained.values())
    taken = {code: pooled if model is None or model in untrained else model for code, model in own.items()}
    if pooled is not None:
        return Placement(taken, rest_rows, 0), problems
    if rest == SKIP:
        return Placement(taken, rest_rows, rest_rows, _skipped_models(plan, untrained)), problems
    problems += _untrained_problems(plan, untrained)
    problems += [_rest_problem(plan, unmatched)] if unmatched else []
    return Placement(taken, rest_rows, rest_rows), problems


def _untrained_rows(
    plan: Plan, own: Mapping[int, int | None], counts: Mapping[int, int], trained: Mapping[str, bool] | None
) -> dict[int, int]:
    """Return the rows per model that has nothing to train on; none while training data are prepared."""
    rows: dict[int, int] = {}
    for code, model in own.items():
        if trained is not None and model is not None and not trained.get(plan.rules[model].slug):
            rows[model] = rows.get(model, 0) + counts[code]
    return dict(sorted(rows.items()))


def _skipped_models(plan: Plan, untrained: Mapping[int, int]) -> tuple[str, ...]:
    return tuple(
        f"model {plan.rules[n].name!r} has no rows to train on: its {rows} rows to predict are skipped"
        for n, rows in untrained.items()
    )


def _untrained_problems(plan: Plan, untrained: Mapping[int, int]) -> list[str]:
    return [
        f"model {plan.rules[n].name!r} has {rows} rows to predict but none to train on, and there is no pooled model; "
        "set rest to pooled or skip, or give it training rows"
        for n, rows in untrained.items()
    ]


def _overlaps(plan: Plan, found: Mapping[int, list[int]], counts: Mapping[int, int]) -> list[str]:
    rows: dict[tuple[int, ...], int] = {}
    for code, models in found.items():
        if len(models) > 1:
            rows[tuple(models)] = rows.get(tuple(models), 0) + counts[code]
    return [
        f"models {problem.name_list(plan.rules[n].name for n in models)} all take the same {count} rows; "
        "change their where or globs so that a row has one model"
        for models, count in sorted(rows.items())
    ]


def _rest_problem(plan: Plan, rows: int) -> str:
    column = f" by column {problem.name_list(plan.columns)}" if plan.columns else ""
    return (
        f"{rows} rows belong to no model{column} (empty, unknown or too few to train on) and there is no pooled model; "
        "set rest to pooled or skip, or add a model for them"
    )
