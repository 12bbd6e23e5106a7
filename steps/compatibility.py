"""Do prepared rows fit a model? The artifact's schema against the columns that are there, before a row is scored.

Pure. It compares names and kinds only; what the cells hold is measured while scoring (`steps.drift`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from steps import job

NUMERIC = frozenset({"number", "bool"})


def check(columns: Sequence[Mapping[str, Any]], available: Any, model: str) -> None:
    """Raise StepError naming every column of a model's schema that is missing or of another kind.

    `columns` are the entries of the artifact's schema, `available` is the Arrow schema of the rows to score.
    """
    names = list(available.names)
    problems = []
    for column in columns:
        if column["name"] not in names:
            problems.append(_missing(column["name"], names))
        elif not fits(column["kind"], available.field(column["name"]).type):
            found = kind_of(available.field(column["name"]).type)
            problems.append(f"column {column['name']!r} is {found}, the model was trained on {column['kind']}")
    if problems:
        raise job.StepError(
            f"model {model} cannot score these rows: {'; '.join(problems)}. "
            "Bring the prediction files to the model's columns and start a new run, or approve a version that was "
            "trained on the new ones and run from Decide on (--from Decide --of ID)"
        )


def unknown(columns: Iterable[Mapping[str, Any]], available: Any, own: Iterable[str]) -> list[str]:
    """Return the columns that the model does not know, apart from our `own`; they are ignored and reported."""
    known = {column["name"] for column in columns} | set(own)
    return [name for name in available.names if name not in known]


def _missing(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"column {name!r} is missing" + (f" (nearest is {near[0]!r})" if near else "")


def fits(kind: str, found: Any) -> bool:
    """Tell whether an Arrow type may stand for a column kind; booleans are stored as numbers 0 and 1."""
    there = kind_of(found)
    return there == kind or (kind in NUMERIC and there in NUMERIC)


def kind_of(found: Any) -> str:
    """Return the column kind of an Arrow type."""
    if pa.types.is_dictionary(found):
        return kind_of(found.value_type)
    if pa.types.is_boolean(found):
        return "bool"
    if pa.types.is_timestamp(found) or pa.types.is_date(found):
        return "datetime"
    if pa.types.is_string(found) or pa.types.is_large_string(found):
        return "text"
    if pa.types.is_integer(found) or pa.types.is_floating(found) or pa.types.is_decimal(found):
        return "number"
    return str(found)
