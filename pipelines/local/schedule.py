"""Which step may start when, and with how many cores: the dependency graph of a definition.

Pure: everything here is a function of the definition and of what has ended so far. `engine` acts on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from pipelines.local.expression import references
from pipelines.local.record import SKIPPED, SUCCEEDED, StepRecord
from pipelines.local.step import PROCESSING, Definition, Step

Branch = tuple[str, bool]
"""Name of a condition, and the outcome under which it runs the branch."""


@dataclass(frozen=True)
class Graph:
    """Steps by name in the definition's order, what each waits for, and the branch it lies in."""

    steps: Mapping[str, Step]
    needs: Mapping[str, frozenset[str]]
    branches: Mapping[str, Branch]


def build_graph(definition: Definition) -> Graph:
    """Return the graph of a definition."""
    steps = {step.name: step for step in definition.every_step()}
    return Graph(steps, dependencies(definition), _branches(definition))


def dependencies(definition: Definition) -> dict[str, frozenset[str]]:
    """Return what each step waits for: DependsOn, every step its values name, and the condition around it."""
    branches = _branches(definition)
    return {step.name: frozenset(_needs(step, branches.get(step.name))) for step in definition.every_step()}


def _branches(definition: Definition) -> dict[str, Branch]:
    found: dict[str, Branch] = {}
    for step in definition.steps:
        found |= {inner.name: (step.name, True) for inner in step.if_steps}
        found |= {inner.name: (step.name, False) for inner in step.else_steps}
    return found


def _needs(step: Step, branch: Branch | None) -> Iterable[str]:
    yield from step.depends_on
    own = [value for key, value in step.arguments.items() if key not in ("IfSteps", "ElseSteps")]
    yield from (found.step for found in references(own) if found.step)
    if branch:
        yield branch[0]


def ready(graph: Graph, records: Mapping[str, StepRecord]) -> list[str]:
    """Return the steps without a record whose needs have all succeeded, in the order of the definition."""
    done = {name for name, record in records.items() if record.status == SUCCEEDED}
    return [
        name
        for name in graph.steps
        if name not in records and graph.needs[name] <= done and not _lost_branch(graph, records, name)
    ]


def skipped(graph: Graph, records: Mapping[str, StepRecord]) -> dict[str, str]:
    """Return the steps without a record that can never run any more, each with the reason."""
    found: dict[str, str] = {}
    for name in TopologicalSorter(graph.needs).static_order():
        if name in records:
            continue
        if lost := _lost_branch(graph, records, name):
            found[name] = f"{lost} took the other branch"
            continue
        dead = sorted(n for n in graph.needs[name] if n in found or (n in records and records[n].status == SKIPPED))
        if dead:
            found[name] = f"depends on {dead[0]}, which was not run"
    return {name: found[name] for name in graph.steps if name in found}


def _lost_branch(graph: Graph, records: Mapping[str, StepRecord], name: str) -> str:
    """Return the condition that decided against a step's branch, or an empty text."""
    condition, wanted = graph.branches.get(name, ("", True))
    record = records.get(condition)
    decided = record is not None and record.status == SUCCEEDED
    return condition if record and decided and record.results.get("Outcome") is not wanted else ""


def depths(graph: Graph) -> dict[str, int]:
    """Return for each step the number of steps on the longest way that leads to it."""
    found: dict[str, int] = {}
    for name in TopologicalSorter(graph.needs).static_order():
        found[name] = max((found[need] + 1 for need in graph.needs[name]), default=0)
    return found


def core_shares(graph: Graph, cores: int, parallelism: int | None) -> dict[str, int]:
    """Return how many cores each Processing step gets.

    Steps of the same depth and branch run side by side, so they share what there is; a step that stands alone gets
    all cores. It depends on nothing but the definition, so that a run and its repetition share out alike.
    """
    depth = depths(graph)
    place = {n: (depth[n], graph.branches.get(n)) for n, step in graph.steps.items() if step.type == PROCESSING}
    width = Counter(place.values())
    return {n: max(1, cores // min(parallelism or cores, cores, width[where])) for n, where in place.items()}
