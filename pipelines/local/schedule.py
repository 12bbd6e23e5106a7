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


def skipped(graph: Graph, records: Mapping[str, StepRecord]) -> dict[str, str]:
    """Return the steps without a record that can never run any more, each with the reason."""
    found: dict[str, str] = {}
    for name in graph.order:
        if name in records:
            continue
        if lost := lost_branch(graph, records, name):
            found[name] = f"{lost} took the other branch"
            continue
        dead = sorted(n for n in graph.needs[name] if n in found or (n in records and records[n].status == SKIPPED))
        if dead:
            found[name] = f"depends on {dead[0]}, which was not run"
    return {name: found[name] for name in graph.steps if name in found}


def may_skip(record: StepRecord) -> bool:
    """Tell whether other steps may never run now that this one has ended: nothing else changes what `skipped` finds."""
    return record.type == CONDITION or record.status != SUCCEEDED


def lost_branch(graph: Graph, records: Mapping[str, StepRecord], name: str) -> str:
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


def core_shares(
    graph: Graph, cores: int, parallelism: int | None, weights: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Return how many cores each Processing step gets.

    Steps of the same depth and branch run side by side, so they share what there is; a step that stands alone gets
    all cores. It depends on nothing but the definition, so that a run and its repetition share out alike.

    Args:
        graph: of the definition.
        cores: that there are.
        parallelism: steps that may work at one time.
        weights: cores of a step's instance type; steps side by side on unlike types share in this proportion.
    """
    depth = depths(graph)
    groups: dict[tuple[int, Branch | None], list[str]] = {}
    for name, step in graph.steps.items():
        if step.type == PROCESSING:
            groups.setdefault((depth[name], graph.branches.get(name)), []).append(name)
    waves = [wave for names in groups.values() for wave in _waves(names, min(parallelism or cores, cores))]
    return {name: share for wave in waves for name, share in _share_out(wave, cores, weights or {})}


def _waves(names: Sequence[str], width: int) -> Iterator[Sequence[str]]:
    """Yield the steps of a group that share all cores.

    Where the steps make no whole number of waves, the odd ones come first with all cores between them: three steps on
    two cores end sooner as one on both and two on one each than as two and then one, which leaves a core idle.
    """
    width = min(width, len(names))
    odd = len(names) % width
    if odd:
        yield names[:odd]
    yield from (names[first : first + width] for first in range(odd, len(names), width))


def _share_out(wave: Sequence[str], cores: int, weights: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Yield the cores of each step of a wave: one, and its part of the others."""
    known = [weights[name] for name in wave if name in weights]
    like = len(known) < len(wave)
    total = len(wave) if like else sum(known)
    for name in wave:
        yield name, 1 + (cores - len(wave)) * (1 if like else weights[name]) // total
