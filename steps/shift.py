"""What the report shows of drift: the column that moved most in the table of models, and a table of a model's columns.

Pure; `contract.json`, which CheckData wrote, is all that it knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steps.language import Language

DRIFTS = 30
"""Columns of a model's drift that the page shows."""
_EXPLAINED = (
    "PSI (population stability index) compares a column's shares over the deciles or categories of training, "
    "0 is no change, by rule of thumb 0.1 a small shift and 0.25 a large one; for a few rows a large one may be chance."
)

Json = Mapping[str, Any]


def mark(checked: Json, say: Language) -> dict[str, Any]:
    """Return the largest PSI with its column, and how many warnings there are."""
    worst, count = checked.get("worst") or {}, len(checked.get("warnings") or ())
    told = say("1 warning") if count == 1 else say("{count} warnings", count=f"{count:,}")
    return {"psi": worst.get("psi"), "column": worst.get("column"), "mark": told if count else ""}


def table(checked: Json, say: Language) -> dict[str, Any]:
    """Return the columns that moved most, each with PSI, both null rates and the share of unseen categories."""
    columns = sorted((checked.get("columns") or {}).items(), key=lambda item: (-(item[1]["psi"] or 0), item[0]))
    keys = ("psi", "null_train", "null_predict", "unseen")
    left_out = len(columns) - DRIFTS
    default = checked.get("default") or {}
    said = [
        say("Nothing is compared: {reason}.", reason=say.quote(checked["reason"])) if checked.get("reason") else "",
        say(_EXPLAINED) if columns else "",
        say("{count} columns that moved less are left out.", count=f"{left_out:,}") if left_out > 0 else "",
        _default(default, say) if default.get("unchecked") else "",
    ]
    return {
        "note": " ".join(sentence for sentence in said if sentence),
        "columns": [(name, *(found[key] for key in keys)) for name, found in columns[:DRIFTS]],
    }


def _default(default: Json, say: Language) -> str:
    return say(
        "Approved default, version {version}: {why}.", version=default["version"], why=say.quote(default["unchecked"])
    )
