"""Numbers as the report shows them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from steps.language import Language

ABSENT = "–"

Json = Mapping[str, Any]


def figure(value: float | None) -> str:
    """Return a number for people: four significant digits, thousands separated, a dash for none."""
    if value is None:
        return ABSENT
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def percent(value: float | None) -> str:
    """Return a percentage with one decimal, a dash for none."""
    return ABSENT if value is None else f"{value:,.1f}%"


def interval(verdict: Json, say: Language) -> str:
    """Return both ends of the MAE's interval for people, nothing where it is not known."""
    low, high = verdict.get("mae_low"), verdict.get("mae_high")
    return "" if low is None or high is None else say("{low} to {high}", low=figure(low), high=figure(high))


def short(values: Iterable[Any]) -> list[float]:
    """Return numbers to five digits: what a chart can show."""
    return [float(f"{value:.5g}") for value in values]
