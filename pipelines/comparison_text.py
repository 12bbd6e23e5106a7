"""A comparison of two executions as text for people and as JSON for programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipelines import terminal, textgrid

if TYPE_CHECKING:
    from pipelines.comparison import Comparison, ModelPair, Pair
    from pipelines.prediction_differences import Differences

MOST_MODELS = 40
"""Models that the table has, those that differ most first; `--json` has all."""
_MOST = 20
"""Lines of a list; `--json` has all."""
_HEADS = (
    "model",
    "MAE first",
    "second",
    "change",
    "verdict",
    "served by",
    "in both",
    "changed",
    "mean |d|",
    "median",
    "95 %",
)


def as_json(found: Comparison) -> str:
    """Return a comparison as one JSON object on one line."""
    models = {name: {"only_in": pair.only_in, **asdict(pair)} for name, pair in found.models.items()}
    return json.dumps({**asdict(found), "models": models}, ensure_ascii=False) + "\n"


def as_table(found: Comparison) -> str:
    """Return a comparison as text: what went in, then the models, then the predictions."""
    lines = [*_inputs(found), "", *_models(found.models), "", *_predictions(found)]
    lines += [terminal.line(f"not compared: {what}") for what in found.gone]
    return "\n".join(lines) + "\n"


def _inputs(found: Comparison) -> list[str]:
    rows = [("", "first", "second"), ("execution", *_both(found.executions)), ("status", *_both(found.status))]
    rows += [("mode", *_both(found.mode))] if found.mode.differs else []
    rows += [("raw data", *_both(found.raw))] if found.raw.differs else []
    known = {role: change.version for role, change in found.data.items() if change.version.is_known}
    rows += [(f"{role} data", *_versions(version)) for role, version in known.items()]
    rows += [(name, *_both(pair)) for name, pair in found.parameters.items()]
    lists = {
        **{f"{role} files": change.files for role, change in found.data.items()},
        "settings": list(found.settings),
        "code": list(found.code),
    }
    lines = [f"{what} changed: {line}" for what, changes in lists.items() for line in _short(changes)]
    same = [what for what in ("settings", "code") if not lists[what]]
    lines += [f"the same: {', '.join(same)}"] if same else []
    return [*textgrid.lines(rows), *map(terminal.line, lines)]


def _short(changes: Sequence[str]) -> Iterator[str]:
    yield from changes[:_MOST]
    if len(changes) > _MOST:
        yield f"and {len(changes) - _MOST:,} more; --json has all"


def _both(pair: Pair) -> tuple[str, str]:
    return _text(pair.first), _text(pair.second)


def _versions(pair: Pair) -> tuple[str, str]:
    return _text(pair.first)[:12], _text(pair.second)[:12] if pair.differs else "the same"


def _models(models: Mapping[str, ModelPair]) -> list[str]:
    if not models:
        return ["no model was judged in either"]
    shown = sorted(models, key=lambda name: _weight(models[name]), reverse=True)[:MOST_MODELS]
    lines = textgrid.lines([_HEADS, *(_row(name, models[name]) for name in shown)], right=(1, 2, 3, 6, 7, 8, 9, 10))
    rest = len(models) - len(shown)
    return [*lines, *([f"and {rest:,} more, which differ less; --json has all"] if rest else [])]


def _weight(pair: ModelPair) -> tuple[bool, bool, float, float]:
    """Return what puts a model higher in the table."""
    moved = pair.predictions.mean if pair.predictions else None
    verdict = pair.accepted.differs or pair.served_by.differs
    return pair.only_in is not None, verdict, abs(pair.mae_difference or 0.0), moved or 0.0


def _row(name: str, pair: ModelPair) -> tuple[str, ...]:
    only = f" (only in the {pair.only_in})" if pair.only_in else ""
    change = "-" if pair.mae_difference is None else f"{pair.mae_difference:+.4g}"
    return (
        f"{name}{only}",
        *(_number(value) for value in (pair.mae.first, pair.mae.second)),
        change,
        _arrow(_verdict(pair.accepted.first), _verdict(pair.accepted.second)),
        _arrow(*_both(pair.served_by)),
        *_distribution(pair.predictions),
    )


def _distribution(found: Differences | None) -> tuple[str, ...]:
    if found is None:
        return ("-",) * 5
    return f"{found.both:,}", f"{found.changed:,}", *map(_number, (found.mean, found.median, found.p95))


def _predictions(found: Comparison) -> list[str]:
    total = found.predictions
    if total is None:
        return ["predictions: nothing to compare"]
    rows = (
        f"{total.both:,} rows in both, {total.only_first:,} only in the first, {total.only_second:,} only in the second"
    )
    if not total.both:
        return [f"predictions: {rows}"]
    if not total.changed:
        return [f"predictions: {rows}; all equal"]
    figures = {"mean": total.mean, "median": total.median, "95 %": total.p95, "max": total.max}
    said = ", ".join(f"{name} {_number(value)}" for name, value in figures.items())
    return [
        f"predictions: {rows}",
        f"|difference|: {said}; {total.changed:,} rows differ, on average by {total.shift:+.4g}",
    ]


def _verdict(accepted: bool | None) -> str:
    return "-" if accepted is None else "passed" if accepted else "rejected"


def _arrow(first: str, second: str) -> str:
    return first if first == second else f"{first} -> {second}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _text(value: Any) -> str:
    return "-" if value is None else str(value)
