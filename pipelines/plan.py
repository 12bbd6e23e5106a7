"""What an execution would do, before anything is spent: segments, rows, models, number of steps. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

from pipelines import cost, explain, textgrid
from pipelines.cost import Bill
from pipelines.local.forecast import Forecast
from pipelines.models import Census, ModelSpec, Segment
from pipelines.settings import Segments, Settings
from steps import contract

_UNMATCHED = {True: "(empty)", False: "(no model)"}
"""How rows of no segment are shown: an empty cell of the segment column, or no filter that matches."""


@dataclass(frozen=True)
class Line:
    """One segment of the data: its slug where it has a model of its own, rows, which model it gets, and its shard."""

    segment: str
    slug: str
    train_rows: int
    predict_rows: int
    model: str
    shard: str | None = None


@dataclass(frozen=True)
class Plan:
    """Segments and the shape of the definition: its steps, and the jobs that its models share."""

    lines: tuple[Line, ...]
    steps: int
    step_ceiling: int
    models: int
    jobs: int
    mode: str = contract.FULL


def draw(
    settings: Settings,
    models: tuple[ModelSpec, ...],
    census: Census,
    definition: str,
    served: Mapping[str, str] | None = None,
) -> Plan:
    """Return the plan of an execution of these models, packed; `served` says of one that scores only who serves each.

    Of these a model may have no rows today.
    """
    own = {model.name: model for model in models if not model.pooled}
    pooled = next((model for model in models if model.pooled), None)
    rest = f"pooled ({pooled.slug})" if pooled else settings.rest
    shard = pooled.shard if pooled else None
    if served is not None:
        rest = f"pooled, {served[pooled.name]}" if pooled else settings.rest
    lines = [_line(segment, own, rest, shard, served or {}) for segment in census.segments]
    if census.unmatched.train_rows or census.unmatched.predict_rows:
        lines.append(
            Line(
                _UNMATCHED[isinstance(settings.models, Segments)],
                "-",
                census.unmatched.train_rows,
                census.unmatched.predict_rows,
                rest,
                shard,
            )
        )
    count = sum(1 for _ in _steps(json.loads(definition)["Steps"]))
    mode = contract.FULL if served is None else contract.PREDICT_MODE
    return Plan(tuple(lines), count, settings.step_ceiling, len(models), len({model.unit for model in models}), mode)


def warnings(census: Census) -> tuple[str, ...]:
    """Return what a person should look at before the run: a filter that matches nothing is mostly misspelt.

    A column that the prediction files lack ends the run in PreparePrediction, unless it is empty in training.
    """
    idle = (s.value for s in census.segments if not s.train_rows and not s.predict_rows)
    lacking = (f"{sentence}. The run will fail, unless the column is empty in training" for sentence in census.absent)
    matching = (f"model {name!r} matches no row of the raw files; look at its where or its globs" for name in idle)
    return (*lacking, *matching)


def _line(
    segment: Segment, own: Mapping[str, ModelSpec], rest: str, pooled: str | None, served: Mapping[str, str]
) -> Line:
    model = own.get(segment.value)
    slug, shard = (model.slug, model.shard) if model else ("-", pooled)
    by = served.get(segment.value, "own") if model else rest
    return Line(segment.value, slug, segment.train_rows, segment.predict_rows, by, shard)


def _steps(steps: list[dict[str, Any]]) -> Iterator[str]:
    for step in steps:
        yield step["Name"]
        for side in ("IfSteps", "ElseSteps"):
            yield from _steps(step["Arguments"].get(side) or [] if step["Type"] == "Condition" else [])


def table(plan: Plan) -> list[str]:
    """Return the segments of a plan as lines, the first with the columns' heads."""
    heads = ("segment", "slug", "train rows", "predict rows", "model", "shard")
    rows = [heads, *(tuple("-" if cell is None else str(cell) for cell in astuple(line)) for line in plan.lines)]
    hidden = {
        *(() if plan.jobs < plan.models else ("shard",)),
        *(() if plan.mode == contract.FULL else ("train rows",)),
    }
    shown = [position for position, head in enumerate(heads) if head not in hidden]
    right = [at for at, position in enumerate(shown) if heads[position].endswith("rows")]
    return textgrid.lines([tuple(row[position] for position in shown) for row in rows], right=right)


def shape(plan: Plan) -> str:
    """Return how many models, jobs and steps there are, as a sentence."""
    jobs = f" in {plan.jobs} jobs" if plan.jobs < plan.models else ""
    jobs += "" if plan.mode == contract.FULL else ", which score only"
    return f"{plan.models} models{jobs}, {plan.steps} steps in the definition (step_ceiling {plan.step_ceiling})"


def render(plan: Plan, bill: Bill, *, as_json: bool, forecasts: Sequence[Forecast] | None = None) -> str:
    """Return plan and cost as tables or as one JSON object, with what would become of each step where that is asked."""
    if as_json:
        more = {} if forecasts is None else {"explain": explain.as_json(forecasts)}
        return json.dumps({**asdict(plan), "cost": cost.as_json(bill), **more}, ensure_ascii=False) + "\n"
    steps = [] if forecasts is None else ["", *explain.as_table(forecasts).splitlines(), ""]
    return "\n".join([*table(plan), "", shape(plan), "", *cost.as_table(bill), *steps, "nothing was run"]) + "\n"
