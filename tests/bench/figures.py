"""Rows of the benchmark: what was measured, against which baseline, and whether the target holds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import measuring
from measuring import Pair

HEADER = ("what", "ours", "baseline", "ratio", "target", "verdict", "runs")


@dataclass(frozen=True)
class Figure:
    """One row: `ours` and `baseline` in `unit`; met when `value` (a ratio, else `ours`) is at most `target`."""

    what: str
    ours: float
    baseline: float | None
    target: float
    unit: str = "s"
    runs: int = 1

    @property
    def value(self) -> float:
        """What is compared with the target."""
        return self.ours if self.baseline is None else self.ours / self.baseline

    @property
    def met(self) -> bool:
        """Tell whether the target holds."""
        return self.value <= self.target

    def cells(self) -> tuple[str, ...]:
        """Return the row as people read it."""
        baseline = "" if self.baseline is None else _amount(self.baseline, self.unit)
        ratio = "" if self.baseline is None else f"{self.value:.3f}"
        bound = f"<= {self.target:g} {self.unit if self.baseline is None else ''}".rstrip()
        verdict = "met" if self.met else "MISSED"
        return (self.what, _amount(self.ours, self.unit), baseline, ratio, bound, verdict, str(self.runs))

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON."""
        return {**asdict(self), "value": self.value, "met": self.met}


def _amount(value: float, unit: str) -> str:
    number = f"{value:.2f}" if value >= 0.01 or not value else f"{value:.2g}"
    return f"{number} {unit}".rstrip()


def of_pair(what: str, pair: Pair, target: float, figure: str = "wall") -> Figure:
    """Return the row of a pair's medians: of `wall` seconds, or of `memory_mb`."""
    unit = "MB" if figure == "memory_mb" else "s"
    ours, baseline = measuring.median(pair.ours, figure), measuring.median(pair.baseline, figure)
    return Figure(what, ours, baseline, target, unit, len(pair.ours))


def table(figures: Sequence[Figure]) -> str:
    """Return the rows as a Markdown table."""
    rows = [HEADER, tuple("---" for _ in HEADER), *(figure.cells() for figure in figures)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
