"""What one execution may cost on AWS: instance-hours per kind of step, and money where prices are set. Pure.

Counted is what the compiled definition says, so that whatever shapes the graph is counted too. Of the two branches
behind a condition the dearer one counts, because only one of them runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from pipelines import textgrid
from pipelines.settings import Settings

HOUR = 3600
"""Seconds."""
BRANCHES = ("IfSteps", "ElseSteps")


@dataclass(frozen=True)
class Job:
    """A Processing step: its machines, and the seconds after which it is stopped."""

    step: str
    kind: str
    type: str
    instances: int
    max_runtime: int


@dataclass(frozen=True)
class Line:
    """All steps of a kind: hours of instances, at most and expected, and the price of one hour; None where unknown."""

    kind: str
    type: str
    steps: int
    at_most: float
    expected: float | None
    price: float | None


@dataclass(frozen=True)
class Bill:
    """The cost of one execution, in the currency of the configured prices."""

    lines: tuple[Line, ...]
    currency: str


def bill(definition: str, settings: Settings, seconds: Mapping[str, float] | None = None) -> Bill:
    """Return the cost of a compiled definition with one line per kind of step that has machines.

    Args:
        definition: the compiled definition.
        settings: what an hour of an instance type costs, and the currency.
        seconds: how long steps took in earlier executions, by name. A step without a record is expected to take the
            mean of its kind; a kind without any has no expectation.
    """
    steps = json.loads(definition)["Steps"]
    past = _mean_seconds(_jobs(steps, every=True), seconds or {})
    groups: dict[tuple[str, str], list[Job]] = {}
    for job in _jobs(steps):
        groups.setdefault((job.kind, job.type), []).append(job)
    lines = [
        Line(
            kind=kind,
            type=machine,
            steps=len(jobs),
            at_most=_all_hours(jobs),
            expected=_expected(jobs, seconds or {}, past.get(kind)),
            price=settings.prices.get(machine),
        )
        for (kind, machine), jobs in groups.items()
    ]
    return Bill(tuple(lines), settings.currency)


def _jobs(steps: Iterable[Mapping[str, Any]], *, every: bool = False) -> Iterator[Job]:
    """Yield the jobs of the steps: of `every` branch, or of the one with the most hours."""
    for step in steps:
        if step["Type"] == "Processing":
            yield _job(step)
        elif step["Type"] == "Condition":
            sides = [list(_jobs(step["Arguments"].get(side) or (), every=every)) for side in BRANCHES]
            yield from (job for side in sides for job in side) if every else max(sides, key=_all_hours)


def _job(step: Mapping[str, Any]) -> Job:
    found = step["Arguments"]
    cluster = found["ProcessingResources"]["ClusterConfig"]
    kind = str(found["AppSpecification"]["ContainerEntrypoint"][-1]).rpartition(".")[2]
    runtime = found["StoppingCondition"]["MaxRuntimeInSeconds"]
    return Job(step["Name"], kind, cluster["InstanceType"], cluster["InstanceCount"], runtime)


def _hours(job: Job) -> float:
    return job.instances * job.max_runtime / HOUR


def _all_hours(jobs: Iterable[Job]) -> float:
    return sum(map(_hours, jobs))


def _mean_seconds(jobs: Iterable[Job], seconds: Mapping[str, float]) -> dict[str, float]:
    """Return how long the steps of each kind took in the mean, those of either branch."""
    found: dict[str, list[float]] = {}
    for job in jobs:
        if job.step in seconds:
            found.setdefault(job.kind, []).append(seconds[job.step])
    return {kind: fmean(values) for kind, values in found.items()}


def _expected(jobs: Iterable[Job], seconds: Mapping[str, float], mean: float | None) -> float | None:
    if mean is None:
        return None
    return sum(job.instances * seconds.get(job.step, mean) for job in jobs) / HOUR


def as_json(bill: Bill) -> dict[str, Any]:
    """Return the cost for machines: hours and money per kind of step and in all; null where unknown."""
    rows = list(bill.lines)
    kinds = [{"kind": line.kind, "type": line.type, "steps": line.steps, **_amounts([line])} for line in rows]
    return {"currency": bill.currency, "kinds": kinds, "all": {"steps": sum(r.steps for r in rows), **_amounts(rows)}}


def _amounts(lines: list[Line]) -> dict[str, float | None]:
    return {
        "hours_at_most": _sum([line.at_most for line in lines]),
        "hours_expected": _sum([line.expected for line in lines]),
        "money_at_most": _sum([_money(line.at_most, line.price) for line in lines]),
        "money_expected": _sum([_money(line.expected, line.price) for line in lines]),
    }


def _money(hours: float | None, price: float | None) -> float | None:
    return None if hours is None or price is None else hours * price


def _sum(values: list[float | None]) -> float | None:
    """Return a sum, or None where a part of it is unknown: what is left would pass for all of it."""
    known = [value for value in values if value is not None]
    return round(sum(known), 4) if len(known) == len(values) else None


def as_table(bill: Bill) -> list[str]:
    """Return the cost for people; columns of which nothing is known are left out."""
    found = as_json(bill)
    titles = {
        "hours_at_most": "instance-hours at most",
        "hours_expected": "expected",
        "money_at_most": f"{bill.currency} at most",
        "money_expected": f"{bill.currency} expected",
    }
    every = [*found["kinds"], {"kind": "all", "type": "", **found["all"]}]
    columns = [key for key in titles if any(row[key] is not None for row in every)]
    heads = ("on AWS", "machine", "steps", *(titles[key] for key in columns))
    cells = [(row["kind"], row["type"], str(row["steps"]), *(_amount(row[key]) for key in columns)) for row in every]
    table = textgrid.lines([heads, *cells], right=range(2, len(heads)))
    return [*table, *_notes(columns)]


def _amount(value: float | None) -> str:
    return "-" if value is None else f"{value:,.{2 if value >= 1 else 4}f}"


def _notes(columns: list[str]) -> list[str]:
    """Say what the figures stand for; nobody should take a bound for a bill."""
    notes = ["at most: every job runs until it is stopped (max_runtime), none is taken from the cache"]
    if "hours_expected" in columns:
        notes.append("expected: every job takes as long as in the newest executions on this machine")
    return notes
