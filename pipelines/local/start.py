"""How an execution begins: checked against what its folder and its source already hold.

Reads event logs. `engine` calls it once, under the execution's lock and before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from pathlib import Path

from pipelines.errors import ExecutionError, nearest
from pipelines.local.cache import find_damage, say_damage
from pipelines.local.document import parse
from pipelines.local.durable import write_atomically
from pipelines.local.history import DEFINITION_FILE, Past, read_past
from pipelines.local.record import SKIPPED, SUCCEEDED, StepRecord
from pipelines.local.request import Request
from pipelines.local.schedule import Graph
from pipelines.local.workspace import Workspace


@dataclass(frozen=True)
class Start:
    """`first_start` is when the execution was first started; `kept` are records that need no work any more.

    `lost` are steps that succeeded before and have to run again, each with the reason.
    """

    first_start: float
    kept: Mapping[str, StepRecord]
    lost: Mapping[str, str] = field(default_factory=dict)


def recall(request: Request, workspace: Workspace) -> Request:
    """Return a request to resume with what the execution was started with where the request itself is silent."""
    past = read_past(workspace.execution(request.execution_id)) if request.resume else None
    if past is None:
        return request
    parallelism, use_cache = request.parallelism or past.parallelism, request.use_cache and past.use_cache
    found = replace(request, parallelism=parallelism, use_cache=use_cache)
    return found if request.selected is not None else replace(found, source=past.source, selected=past.selected)


def begin(request: Request, graph: Graph, workspace: Workspace, now: float) -> Start:
    """Return how an execution begins, and store the definition of a new one.

    Raises:
        ExecutionError: the id is taken, there is nothing to resume, or a selected step lacks what it depends on.
    """
    folder = workspace.execution(request.execution_id)
    past = read_past(folder)
    kept = _from_source(request, graph, workspace)
    if not request.resume:
        if past is not None:
            raise ExecutionError(f"execution {request.execution_id!r} exists already; resume it or take another id")
        write_atomically(folder / DEFINITION_FILE, request.definition.text, workspace.scratch)
        return Start(now, kept)
    _check_same(request, past, folder)
    if past is None:  # cut off before its first event
        return Start(now, kept)
    own = {name: record for name, record in past.records.items() if record.status == SUCCEEDED and name in graph.steps}
    damaged = {
        name: damage for name, record in own.items() if (damage := _damage(record, request.execution_id, workspace))
    }
    lost = {**_built_on(damaged, own, graph), **damaged}
    return Start(past.first_start, {**kept, **{name: own[name] for name in own if name not in lost}}, lost)


def _built_on(damaged: Mapping[str, str], own: Mapping[str, StepRecord], graph: Graph) -> dict[str, str]:
    """Return the steps whose results rest on damaged ones: made again, those may have other bytes."""
    causes = {name: name for name in damaged}
    for name in TopologicalSorter(graph.needs).static_order():
        if name not in causes and (found := sorted(causes[need] for need in graph.needs[name] if need in causes)):
            causes[name] = found[0]
    return {name: f"{cause} is made again" for name, cause in causes.items() if name in own and name != cause}


def _damage(record: StepRecord, execution: str | None, workspace: Workspace) -> str:
    """Return what is wrong with the outputs of a step that succeeded in an execution, or an empty text."""
    damage = find_damage(record.files, workspace)
    return say_damage(execution, damage) if damage else ""


def _check_same(request: Request, past: Past | None, folder: Path) -> None:
    """A resumed execution keeps its definition and its parameters, as RetryPipelineExecution does."""
    path = folder / DEFINITION_FILE
    if not path.is_file():
        raise ExecutionError(f"execution {request.execution_id!r} cannot be resumed: it was never started")
    same = path.read_text(encoding="utf-8") == request.definition.text
    if not same or (past is not None and dict(past.parameters) != dict(request.parameters)):
        what = "other parameters" if same else "another definition"
        raise ExecutionError(f"execution {request.execution_id!r} was started with {what}; start a new one")


def load_request(workspace: Workspace, execution_id: str, cores: int = 2) -> Request:
    """Return the request that resumes an execution, with the definition and parameters it was started with.

    Raises:
        ExecutionError: there is no such execution.
    """
    folder = workspace.execution(execution_id)
    past, path = read_past(folder), folder / DEFINITION_FILE
    if past is None or not path.is_file():
        names = [found.parent.name for found in (workspace.root / "executions").glob(f"*/{DEFINITION_FILE}")]
        raise ExecutionError(f"there is no execution {execution_id!r}{nearest(execution_id, names)}")
    definition = parse(path.read_text(encoding="utf-8"))
    return Request(
        execution_id,
        definition,
        past.parameters,
        resume=True,
        cores=cores,
        pipeline=past.pipeline,
    )


def _from_source(request: Request, graph: Graph, workspace: Workspace) -> dict[str, StepRecord]:
    """Return the records of the steps that are not selected: SageMaker's selective execution."""
    if request.selected is None:
        return {}
    unknown = sorted(request.selected - set(graph.steps))
    if unknown:
        raise ExecutionError(*(f"there is no step {name!r}{nearest(name, graph.steps)}" for name in unknown))
    past = read_past(workspace.execution(request.source)) if request.source else None
    if request.source and past is None:
        raise ExecutionError(f"there is no execution {request.source!r} to take the other steps from")
    found = past.records if past else {}
    kept = {name: _take(name, graph, found, request.source) for name in graph.steps if name not in request.selected}
    problems = [problem for name in sorted(request.selected) for problem in _lacks(name, graph, kept, request)]
    problems += _damaged(graph, kept, request, workspace)
    if problems:
        raise ExecutionError(*problems)
    return kept


def _take(name: str, graph: Graph, found: Mapping[str, StepRecord], source: str | None) -> StepRecord:
    record = found.get(name)
    if record is not None and record.status == SUCCEEDED:
        return replace(record, cached=True, reason=f"outputs of execution {source}")
    return StepRecord(name, graph.steps[name].type, SKIPPED, reason="not selected")


def _lacks(name: str, graph: Graph, kept: Mapping[str, StepRecord], request: Request) -> list[str]:
    """Return what a selected step needs and the source execution does not have."""
    source = f"execution {request.source!r}" if request.source else "no source execution"
    problems = [
        f"step {name!r} depends on {need!r}, which is not selected and did not succeed in {source}; select it too"
        for need in sorted(graph.needs[name])
        if need in kept and kept[need].status != SUCCEEDED
    ]
    condition, wanted = graph.branches.get(name, ("", True))
    record = kept.get(condition)
    if record and record.status == SUCCEEDED and record.results.get("Outcome") is not wanted:
        problems.append(f"step {name!r} lies in the branch that {source} did not take; select {condition!r} too")
    return problems


def _damaged(graph: Graph, kept: Mapping[str, StepRecord], request: Request, workspace: Workspace) -> list[str]:
    """Return which outputs that selected steps read are not what the source execution made."""
    selected = request.selected or frozenset()
    needed = sorted({need for name in selected for need in graph.needs[name] if need in kept})
    found = {name: _damage(kept[name], request.source, workspace) for name in needed}
    return [
        f"step {name!r}: {damage}; select it too, or start a new execution" for name, damage in found.items() if damage
    ]
