"""What the page draws of single columns: errors by their values, and training rows beside rows to predict. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from steps.report_figures import Json, short

FEATURES = 4
"""Features whose errors are drawn."""
SHIFTS = 6
"""Columns whose values in training and to predict are drawn: those that moved most."""
CATEGORIES = 6
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def errors(found: Sequence[Json] | None) -> list[dict[str, Any]]:
    """Return `feature_errors.json` as the page draws it; an older training has none."""
    return [
        {"feature": str(one["feature"]), "kind": one["kind"], "bins": [_bin(each) for each in one["bins"]]}
        for one in (found or ())[:FEATURES]
    ]


def _bin(found: Json) -> dict[str, Any]:
    return {key: short([value])[0] if isinstance(value, float) else value for key, value in found.items()}


def shifts(columns: Sequence[str], trained: Json, asked: Json) -> list[dict[str, Any]]:
    """Return the values of columns in training and to predict from both `profile.json`, in the order of `columns`.

    Of a number the quantiles 5, 25, 50, 75 and 95 %; of a text the shares of its most frequent categories.
    """
    before, after = trained.get("columns") or {}, asked.get("columns") or {}
    found = [_shift(name, before[name], after[name]) for name in columns if name in before and name in after]
    return [one for one in found if one is not None][:SHIFTS]


def _shift(name: str, before: Json, after: Json) -> dict[str, Any] | None:
    if before.get("points") and after.get("points"):
        return {"name": name, "training": _five(before["points"]), "predict": _five(after["points"])}
    if before.get("top") and after.get("counts"):
        return {"name": name, **_shares(before, after)}
    return None


def _five(points: Sequence[float]) -> list[float]:
    """Return five quantiles of points that each stand for an equal share of the rows."""
    return short(points[min(len(points) - 1, int(share * len(points)))] for share in _QUANTILES)


def _shares(before: Json, after: Json) -> dict[str, Any]:
    names = list(before["top"])[:CATEGORIES]
    totals = [max(1, sum(side["counts"].values()) + int(side.get("others") or 0)) for side in (before, after)]
    return {
        "categories": names,
        "training": short(before["top"][name] / totals[0] for name in names),
        "predict": short(after["counts"].get(name, 0) / totals[1] for name in names),
    }
