"""Which step may start when, and with how many cores: the dependency graph of a definition.

Pure: everything here is a function of the definition and of what has ended so far. `engine` acts on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from pipelines.local.expression import references
from pipelines.local.record import SKIPPED, SUCCEEDED, StepRecord
from pipelines.local.step import CONDITION, PROCESSING, Definition, Step

Branch = tuple[str, bool]
"""Name of a condition, and the outcome under which it runs the branch."""


@dataclass(frozen=True)
class Graph:
    """Steps by name in the definition's order, their needs and branches, and all names with causes before effects."""

    steps: Mapping[str, Step]
    needs: Mapping[str, frozenset[str]]
    branches: Mapping[str, Branch]
    order: tuple[str, ...]


def build_graph(definition: Definition) -> Graph:
    """Return the graph of a definition."""
    steps = {step.name: step for step in definition.every_step()}
    needs = dependencies(definition)
    return Graph(steps, needs, _branches(definition), tuple(TopologicalSorter(needs).static_order()))


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
    for name in graph.order:
        if name in records:
            continue
        if lost := _lost_branch(graph, records, name):
            found[name] = f"{lost} took the other branch"
            continue
        dead = sorted(n for n in graph.needs[name] if n in found or (n in records and records[n].status == SKIPPED))
        if dead:
            found[name] = f"depends on {dead[0]}, which was not run"
    return {name: found[name] for name in graph.steps if name in found}


def may_skip(record: StepRecord) -> bool:
    """Tell whether other steps may never run now that this one has ended: nothing else changes what `skipped` finds."""
    return record.type == CONDITION or record.status != SUCCEEDED


def _lost_branch(graph: Graph, records: Mapping[str, StepRecord], name: str) -> str:
    """Return the condition that decided against a step's branch, or an empty text."""
    condition, wanted = graph.branches.get(name, ("", True))
    record = records.get(condition)
    decided = record is not None and record.status == SUCCEEDED
    return condition if record and decided and record.results.get("Outcome") is not wanted else ""


def depths(graph: Graph) -> dict[str, int]:
    """Return for each step the number of steps on the longest way that leads to it."""
    found: dict[str, int] = {}
    for name in graph.order:
        found[name] = max((found[need] + 1 for need in graph.needs[name]), default=0)
    return found


def core_shares(graph: Graph, cores: int, parallelism: int | None) -> dict[str, int]:
    """Return how many cores each Processing step gets.

    Steps of the same depth and branch run side by side, so they share what there is; a step that stands alone gets
    all cores. It depends on nothing but the definition, so that a run and its repetition share out alike.
    """
    depth = depths(graph)
    groups: dict[tuple[int, Branch | None], list[str]] = {}
    for name, step in graph.steps.items():
        if step.type == PROCESSING:
            groups.setdefault((depth[name], graph.branches.get(name)), []).append(name)
    return {n: share for names in groups.values() for n, share in _share_out(names, cores, parallelism or cores)}


def _share_out(names: Sequence[str], cores: int, parallelism: int) -> Iterator[tuple[str, int]]:
    """Yield the cores of each step of a group.

    Where the steps make no whole number of waves, the odd ones come first with all cores between them: three steps on
    two cores end sooner as one on both and two on one each than as two and then one, which leaves a core idle.
    """
    width = min(parallelism, cores, len(names))
    odd = len(names) % width
    for position, name in enumerate(names):
        yield name, max(1, cores // (odd if position < odd else width))
