"""What a run would do with each step: take its outputs from the cache, run it, or decide once others have run.

It reads the workspace as a run would, through the same functions, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from pipelines.errors import ExecutionError
from pipelines.local.cache import (
    Miss,
    find_damage,
    look_up,
    read_entries,
    read_keys,
    read_newest,
    say_damage,
    use_entry,
)
from pipelines.local.cachekey import Components, Content, compute_components
from pipelines.local.difference import PARTS, compare
from pipelines.local.entry import Entry
from pipelines.local.expression import EXECUTION_VARIABLES, references
from pipelines.local.job import Job
from pipelines.local.record import SUCCEEDED, StepRecord
from pipelines.local.request import Request
from pipelines.local.schedule import Graph, build_graph
from pipelines.local.staging import find_objects, read_json
from pipelines.local.step import PROCESSING, Step
from pipelines.local.values import Scope, parameter_values, resolve_job
from pipelines.local.workspace import Workspace

HIT, RUNS, LATER, ALWAYS = "cached", "runs", "later", "always"


@dataclass(frozen=True)
class Forecast:
    """What would become of one step.

    `outcome` is HIT (then `record` holds what it would be), RUNS (then `miss` says why), LATER (once the steps of
    `waits_for` have run, by its inputs `open_inputs`), or ALWAYS for a step without cache. `branch_of` is the condition
    in one of whose branches it lies.
    """

    step: str
    type: str
    outcome: str
    record: StepRecord | None = None
    miss: Miss = field(default_factory=Miss)
    branch_of: str = ""
    waits_for: tuple[str, ...] = ()
    open_inputs: tuple[str, ...] = ()


class _Shelf:
    """Entries of the cache, found by what one of their inputs holds: a thousand steps ask for ten thousand of them."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._all = tuple(entries)
        self._holding: dict[tuple[str, frozenset[tuple[str, str]]], list[Entry]] = {}
        for entry in self._all:
            for name, content in entry.components.inputs.items():
                self._holding.setdefault(_mark(name, content), []).append(entry)

    def alike(self, components: Components, unknown: Collection[str]) -> Iterator[Entry]:
        """Yield the entries that differ from `components` at most in parts of which nothing is known yet."""
        found = [self._holding.get(_mark(name, content), ()) for name, content in components.inputs.items()]
        fewest: Sequence[Entry] = min(found, key=len, default=self._all)
        yield from (entry for entry in fewest if not compare(entry.components, components, unknown))


def _mark(name: str, content: Content) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(content.files.items())


@dataclass
class Oracle:
    """Forecasts the steps of one request; `digest` gives a file's sha256, `fingerprint` names the libraries."""

    request: Request
    workspace: Workspace
    digest: Callable[[Path], str]
    fingerprint: str
    _found: dict[str, Forecast] = field(default_factory=dict)

    def forecast(self) -> tuple[Forecast, ...]:
        """Return the forecast of every step in the order of the definition."""
        graph = build_graph(self.request.definition)
        shelf = _Shelf(read_entries(self.workspace))
        for name in TopologicalSorter(graph.needs).static_order():
            condition = graph.branches.get(name, ("", True))[0]
            self._found[name] = replace(self._step(graph.steps[name], graph, shelf), branch_of=condition)
        return tuple(self._found[name] for name in graph.steps)

    def _step(self, step: Step, graph: Graph, shelf: _Shelf) -> Forecast:
        if step.job is None or not step.cache:
            return Forecast(step.name, step.type, ALWAYS)
        around = {graph.branches[step.name][0]} if step.name in graph.branches else set()
        missing = {name for name in _named(step.job) | around if self._found[name].outcome != HIT}
        try:
            return self._later(step, step.job, missing, graph, shelf) if missing else self._now(step, step.job, graph)
        except ExecutionError as error:
            return Forecast(step.name, step.type, RUNS, miss=Miss(damage=f"it would fail: {error}"))

    def _now(self, step: Step, job: Job, graph: Graph) -> Forecast:
        """Look up a step of which everything is known, as a run does."""
        job, components = self._components(job, graph)
        uris = {item.name: item.uri for item in job.inputs}
        found = look_up(self.request.pipeline, step.name, components, uris, self.workspace)
        if isinstance(found, Miss):
            return Forecast(step.name, step.type, RUNS, miss=found)
        return Forecast(step.name, step.type, HIT, use_entry(found, StepRecord(step.name, step.type, SUCCEEDED)))

    def _later(self, step: Step, job: Job, missing: Collection[str], graph: Graph, shelf: _Shelf) -> Forecast:
        """Say what is certain of a step that depends on steps which have to run first."""
        known, unknown = _known_part(job, missing)
        known, components = self._components(known, graph)
        damage = ""
        for entry in shelf.alike(components, unknown):
            found = find_damage(entry.files, self.workspace)
            if not found:
                inputs = tuple(name for name in unknown if name not in PARTS)
                return Forecast(step.name, step.type, LATER, waits_for=tuple(sorted(missing)), open_inputs=inputs)
            damage = damage or say_damage(entry.execution, found)
        return Forecast(step.name, step.type, RUNS, miss=self._miss(step, known, components, unknown, damage))

    def _miss(self, step: Step, known: Job, components: Components, unknown: Collection[str], damage: str) -> Miss:
        newest = read_newest(self.request.pipeline, step.name, self.workspace)
        if damage or newest is None:
            return Miss(is_first=not damage, damage=damage)
        uris = {item.name: item.uri for item in known.inputs}
        changes = compare(newest.components, components, unknown)
        found = tuple(read_keys(change, newest, uris, self.workspace) for change in changes)
        return Miss(changes=found, damage="" if found else "its cache entry is gone")

    def _components(self, job: Job, graph: Graph) -> tuple[Job, Components]:
        """Return a job with its values, and what its result depends on."""
        records = {name: found.record for name, found in self._found.items() if found.record is not None}
        scope = Scope(
            parameters=parameter_values(self.request.definition, self.request.parameters),
            execution=dict.fromkeys(EXECUTION_VARIABLES, self.request.execution_id),
            steps=graph.steps,
            records=records,
            read_json=lambda uri: read_json(self.workspace, uri),
        )
        job = resolve_job(job, scope)
        objects = find_objects(job, self.workspace)
        return job, compute_components(job, objects, self.digest, self.fingerprint)


def _named(job: Job) -> set[str]:
    """Return the steps that the values of a job name."""
    return set(_steps([value for _, value in job.expressions()]))


def _steps(value: Any) -> Iterator[str]:
    yield from (found.step for found in references(value) if found.step)


def _known_part(job: Job, missing: Collection[str]) -> tuple[Job, tuple[str, ...]]:
    """Return a job without what depends on steps that have not run, and the names of what was left out."""

    def is_open(value: Any) -> bool:
        return not set(missing).isdisjoint(_steps(value))

    neutral: Mapping[str, Any] = {"image": "", "entrypoint": (), "arguments": (), "environment": {}, "instances": 1}
    parts = {part: neutral[part] for part in PARTS if is_open(getattr(job, part))}
    inputs = tuple(item for item in job.inputs if not is_open(item.uri))
    outputs = tuple(replace(item, uri="") for item in job.outputs)
    left_out = (item.name for item in job.inputs if item not in inputs)
    return replace(job, inputs=inputs, outputs=outputs, max_runtime=None, **parts), (*parts, *left_out)


def is_processing(found: Forecast) -> bool:
    """Tell whether a forecast is of a step that does work of its own."""
    return found.type == PROCESSING
