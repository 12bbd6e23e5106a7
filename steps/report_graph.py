"""The graph of a run with what each of its steps took, as the steps themselves have recorded it. Pure.

A step records when its work began inside the job and how long that took: neither the start of a job nor the steps
that run as functions are in it. The critical path ends with the page itself and goes back from each step to the one
that had ended last when it began: what it waited for, be it for its results or for a machine that was free. What was
taken over from an earlier execution took no time in this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from steps import clock, contract, summary
from steps.language import Language

MOST = 12
"""Steps of a layer that the graph names: those that took longest."""
_TOUCHING = timedelta(seconds=0.5)
"""A step that ended this much after another began may still be what that one waited for."""
_SLACK = timedelta(seconds=2)
"""Clocks of two machines may differ: a step that began this much before the execution still belongs to it."""

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """A step of the graph: `seconds` from `started` on, None where nothing was recorded; how many models it serves."""

    name: str
    layer: str
    started: datetime | None = None
    seconds: float | None = None
    models: int = 0
    earlier: bool = False

    @property
    def ended(self) -> datetime | None:
        """Return when it ended."""
        if self.started is None or self.seconds is None:
            return None
        return self.started + timedelta(seconds=self.seconds)


def steps_of(run: summary.Run) -> list[Step]:
    """Return the timed steps of a run, layer by layer in the order of the graph."""
    suffix = summary.suffix_of(run.models, run.mode)
    prepared = [
        _step(run, name, name, [data.get("timing")])
        for name, data in ((contract.PREPARE_TRAINING, run.train_data), (contract.PREPARE_PREDICTION, run.predict_data))
        if data is not run.train_data or run.mode == contract.FULL
    ]
    trained = _jobs(run, contract.TRAIN, "", lambda model: model.evaluation.get("timing"))
    inferred = _jobs(run, contract.INFER, suffix, lambda model: model.inference.get("timing"))
    last = _step(run, contract.POSTPROCESS + suffix, contract.POSTPROCESS, [run.timing])
    return [*prepared, *trained, *inferred, last]


def _jobs(run: summary.Run, layer: str, suffix: str, timing: Any) -> list[Step]:
    jobs: dict[str, list[Any]] = {}
    for model in run.models:
        if layer == contract.INFER or model.evaluation:
            jobs.setdefault(model.job, []).append(timing(model))
    return [_step(run, f"{layer}{suffix}-{name}", layer, found) for name, found in jobs.items()]


def _step(run: summary.Run, name: str, layer: str, timings: Sequence[Any]) -> Step:
    """Return a step from what was recorded of each of its models, which may have run side by side."""
    merged = clock.merge(timings)
    started = clock.parse((merged or {}).get("started"))
    if merged is None or started is None:
        return Step(name, layer, models=len(timings))
    since = clock.parse(run.started)
    earlier = since is not None and started < since - _SLACK
    return Step(name, layer, started, merged["seconds"], len(timings), earlier)


def critical_path(steps: Sequence[Step]) -> list[Step]:
    """Return the steps of this execution that each began when the one before had ended, up to the last."""
    ran = [(step.ended, step) for step in steps if step.ended is not None and not step.earlier]
    path: list[Step] = []
    while ran:
        _, last = max(ran, key=lambda pair: pair[0])
        path.insert(0, last)
        ran = [pair for pair in ran if last.started is not None and pair[0] <= last.started + _TOUCHING]
        ran = [pair for pair in ran if pair[1] not in path]
    return path


def graph(run: summary.Run, say: Language) -> dict[str, Any]:
    """Return what the page shows: columns of nodes, a line for each step, and sentences on the whole."""
    steps = steps_of(run)
    path = critical_path(steps)
    origin = _origin(run, steps)
    lines = [_line(step, path, origin, say) for step in steps]
    return {
        "columns": [column for column in _columns(run, lines, say) if column["nodes"]],
        "steps": lines,
        "total": max((line["end"] for line in lines if line["end"] is not None), default=0.0),
        "sentences": _sentences(run, steps, path, say),
        "critical": [step.name for step in path],
    }


def _origin(run: summary.Run, steps: Iterable[Step]) -> datetime | None:
    starts = [step.started for step in steps if step.started is not None and not step.earlier]
    since = clock.parse(run.started)
    return min([*starts, *([since] if since else [])], default=None)


def _line(step: Step, path: Sequence[Step], origin: datetime | None, say: Language) -> dict[str, Any]:
    placed = step.started is not None and step.seconds is not None and origin is not None and not step.earlier
    begin = max(0.0, (step.started - origin).total_seconds()) if placed and step.started and origin else None
    return {
        "name": step.name,
        "layer": step.layer,
        "models": step.models,
        "seconds": step.seconds,
        "took": lasting(step.seconds, say),
        "begin": begin,
        "began": say("after {time}", time=lasting(begin, say)) if begin is not None else "",
        "end": begin + (step.seconds or 0.0) if begin is not None else None,
        "critical": step in path,
        "earlier": step.earlier,
    }


def lasting(seconds: float | None, say: Language) -> str:
    """Return a duration for people."""
    if seconds is None:
        return say("not timed")
    if seconds < 60:
        return say("{seconds} s", seconds=f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}")
    minutes = int(seconds // 60)
    if minutes < 60:
        return say("{minutes} min {seconds} s", minutes=minutes, seconds=int(seconds % 60))
    return say("{hours} h {minutes} min", hours=f"{minutes // 60:,}", minutes=minutes % 60)


def _columns(run: summary.Run, lines: Sequence[Json], say: Language) -> list[dict[str, Any]]:
    """Return the layers with their nodes, empty ones too; steps that run as functions are there without a time."""
    trains = run.mode == contract.FULL
    decided = any(model.decision is not None for model in run.models)
    of = {layer: [line for line in lines if line["layer"] == layer] for layer in {line["layer"] for line in lines}}
    checked = [_function(contract.CHECK_DATA)] if any(model.checked for model in run.models) else []
    gate = [_function(contract.JUDGE), _function(contract.GATE)] if trains else []
    choice = [_function(contract.DECIDE)] if decided else []
    trained = of.get(contract.TRAIN, [])
    between: list[list[Json]] = [[*checked], [*trained], [*gate, *choice]] if trains else [[*choice], [*checked]]
    return [
        _column([] if trains else [_function(contract.CHOOSE_DEFAULTS)], say),
        *(_column(of.get(layer, []), say) for layer in (contract.PREPARE_TRAINING, contract.PREPARE_PREDICTION)),
        *(_column(nodes, say) for nodes in between),
        *(_column(of.get(layer, []), say) for layer in (contract.INFER, contract.POSTPROCESS)),
    ]


def _function(name: str) -> dict[str, Any]:
    return {"name": name, "took": "", "critical": False, "earlier": False, "seconds": None, "models": 0}


def _column(lines: Sequence[Json], say: Language) -> dict[str, Any]:
    """Return a layer: all of its steps, or those on the critical path and the slowest where there are many."""
    ordered = sorted(lines, key=lambda line: (not line["critical"], -(line["seconds"] or 0.0)))
    shown = list(lines) if len(lines) <= MOST else ordered[: MOST - 1]
    left = len(lines) - len(shown)
    return {"nodes": shown, "more": say("and {count} more, which took less", count=f"{left:,}") if left else ""}


def _sentences(run: summary.Run, steps: Sequence[Step], path: Sequence[Step], say: Language) -> list[str]:
    inside = sum(step.seconds or 0.0 for step in path)
    since, end = clock.parse(run.started), path[-1].ended if path else None
    found = []
    if since is not None and end is not None:
        found.append(
            say(
                "From the start of the execution to the last line of this page {whole} passed, {inside} of it inside "
                "the steps on the critical path.",
                whole=lasting((end - since).total_seconds(), say),
                inside=lasting(inside, say),
            )
        )
    found.append(say("Times are what the steps recorded inside their jobs: the start of a job is not in them."))
    if any(step.earlier for step in steps):
        found.append(say("A step from an earlier execution shows what it took there; it took no time in this one."))
    return found
