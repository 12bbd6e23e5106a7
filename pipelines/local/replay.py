"""Runs one step of an execution once more, alone: same inputs, arguments and environment, in a folder of its own.

The execution, the object store, the cache and the registry stay as they are: inputs are copied out, outputs stay in
the folder. `foreground` is the seam through which the command runs.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import ExecutionError, nearest
from pipelines.local import values
from pipelines.local.document import parse
from pipelines.local.durable import write_atomically
from pipelines.local.failure import explain_exit
from pipelines.local.history import read_past
from pipelines.local.job import Job
from pipelines.local.jobconfig import write_config
from pipelines.local.launch import Exit, Task
from pipelines.local.orphans import find_processes
from pipelines.local.record import SUCCEEDED, StepRecord
from pipelines.local.schedule import Graph, build_graph, core_shares
from pipelines.local.staging import Objects, find_objects, inside, read_json, stage_inputs
from pipelines.local.step import PROCESSING, Definition, Step
from pipelines.local.workspace import Workspace, list_files

FOLDER = "debug"
FETCHED = "fetched"
"""Folder of an execution that holds the jobs that were brought here from AWS."""
ROOM = 1.1
"""What the inputs need, and a little for what the step writes."""
Run = Callable[[Task], Exit]


@dataclass(frozen=True)
class Recorded:
    """A step's job as an execution had it, its share of the cores, and how it ended there, if it came to that."""

    execution_id: str
    step: Step
    job: Job
    threads: int
    record: StepRecord | None


@dataclass(frozen=True)
class Replayed:
    """How the step ended now; `differing` are files of outputs, None where there is nothing to compare with."""

    folder: Path
    exit: Exit
    reason: str
    files: int
    differing: tuple[str, ...] | None


def recall(workspace: Workspace, execution_id: str, definition: Definition, name: str, cores: int) -> Recorded:
    """Return a step's job with every expression computed as the execution had it.

    Raises:
        ExecutionError: it has no such Processing step, or what the step needs did not succeed in it.
    """
    graph, past = build_graph(definition), read_past(workspace.execution(execution_id))
    step = find_step(graph.steps, name)
    if past is None:
        raise ExecutionError(f"execution {execution_id!r} was never started; start it first")
    _check_needs(graph, name, past.records, execution_id)
    scope = values.Scope(
        parameters=past.parameters,
        execution=values.execution_variables(past.pipeline, execution_id, past.first_start),
        steps=graph.steps,
        records=past.records,
        read_json=lambda uri: read_json(workspace, uri),
    )
    assert step.job is not None  # noqa: S101 - a Processing step that was parsed has a job
    threads = core_shares(graph, cores, past.parallelism or definition.parallelism)[name]
    return Recorded(execution_id, step, values.resolve_job(step.job, scope), threads, past.records.get(name))


def save_fetched(workspace: Workspace, execution_id: str, step: str, text: str) -> None:
    """Keep the job of a step that was brought here from elsewhere, as the definition of one step."""
    write_atomically(workspace.execution(execution_id) / FETCHED / f"{step}.json", text, workspace.scratch)


def has_fetched(workspace: Workspace, execution_id: str) -> bool:
    """Tell whether an execution is one of which steps were brought here."""
    return (workspace.execution(execution_id) / FETCHED).is_dir()


def recall_fetched(workspace: Workspace, execution_id: str, name: str, cores: int) -> Recorded:
    """Return a step's job that was brought here.

    Raises:
        ExecutionError: it was not.
    """
    folder = workspace.execution(execution_id) / FETCHED
    known = sorted(path.stem for path in folder.glob("*.json"))
    if name not in known:
        raise ExecutionError(
            f"--only {name}: of execution {execution_id} only {', '.join(known)} have been brought here"
            f"{nearest(name, known)}; bring it with --fetch {execution_id} --only {name}"
        )
    (step,) = parse((folder / f"{name}.json").read_text(encoding="utf-8")).steps
    assert step.job is not None  # noqa: S101 - a Processing step that was parsed has a job
    scope = values.Scope({}, {}, {name: step}, {}, lambda uri: read_json(workspace, uri))
    return Recorded(execution_id, step, values.resolve_job(step.job, scope), cores, None)


def find_step(steps: Mapping[str, Step], name: str) -> Step:
    """Return the Processing step of a name.

    Raises:
        ExecutionError: there is none; names the nearest, or all.
    """
    jobs = [step.name for step in steps.values() if step.type == PROCESSING]
    if name in jobs:
        return steps[name]
    there = f"the Processing steps of the execution are {', '.join(jobs)}"
    if name in steps:
        raise ExecutionError(f"--only {name}: is a {steps[name].type} step, which is no job to run alone; {there}")
    raise ExecutionError(f"--only {name}: there is no such step{nearest(name, jobs) or f'; {there}'}")


def _check_needs(graph: Graph, name: str, records: Mapping[str, StepRecord], execution_id: str) -> None:
    lacking = [need for need in sorted(graph.needs[name]) if need not in records or records[need].status != SUCCEEDED]
    if lacking:
        raise ExecutionError(
            f"--only {name}: it has no inputs in execution {execution_id}, because {', '.join(lacking)} did not "
            "succeed there; name an execution that came that far, with --of ID"
        )


def replay(workspace: Workspace, recorded: Recorded, run: Run) -> Replayed:
    """Run a step in a folder of its own, one host after another, and compare what it wrote.

    Raises:
        ExecutionError: an input is not there any more, there is no room for it, or it is being run already.
    """
    folder = workspace.root / FOLDER / recorded.execution_id / recorded.step.name
    objects = find_objects(recorded.job, workspace)
    if find_processes(folder):
        raise ExecutionError(f"{folder}: the step is being run there in another terminal; end it there first")
    shutil.rmtree(folder, ignore_errors=True)
    check_room(workspace.root, sum(o.path.stat().st_size for found in objects.values() for o in found))
    hosts = [f"algo-{n + 1}" for n in range(recorded.job.instances)]
    end, reason, roots = Exit(0), "", list[Path]()
    for number, host in enumerate(hosts):
        task = _prepare(recorded, objects, folder / host if len(hosts) > 1 else folder, hosts, number)
        roots.append(task.root)
        end = run(task)
        if end.code:
            reason = explain_exit(end, task)
            break
    files = {} if end.code else _outputs(recorded.job, roots)
    return Replayed(folder, end, reason, len(files), None if end.code else _compare(recorded.record, files))


def check_room(folder: Path, size: int) -> None:
    """Refuse to begin what the disk has no room for.

    Raises:
        ExecutionError: says how much there is, and how much it takes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < size * ROOM:
        raise ExecutionError(
            f"{folder}: {size / 1e6:,.0f} MB are to be copied, {free / 1e6:,.0f} MB are free; make room, "
            "or give another --workspace"
        )


def _prepare(recorded: Recorded, objects: Objects, home: Path, hosts: Sequence[str], number: int) -> Task:
    root, job = home / "opt" / "ml", recorded.job
    stage_inputs(job, objects, root, number, copy=True)
    write_config(job, root, f"{recorded.execution_id}-{recorded.step.name}", hosts, number)
    return Task(
        step=recorded.step.name,
        host=hosts[number],
        image=job.image,
        command=(*job.entrypoint, *job.arguments),
        environment=job.environment,
        root=root,
        log=home / "log.txt",
        cores=(),
        threads=max(1, recorded.threads // len(hosts)),
        timeout=None,
        stopped=lambda: False,
    )


def _outputs(job: Job, roots: Sequence[Path]) -> dict[str, Path]:
    """Return the files that the step would publish, by the name of their output and their key in it."""
    return {
        f"{output.name}/{key}": path
        for output in job.outputs
        for root in roots
        for key, path in list_files(inside(root, output.path))
    }


def _compare(record: StepRecord | None, files: Mapping[str, Path]) -> tuple[str, ...] | None:
    """Return the files whose content is not what the execution has, or that one of the two lacks.

    Of a step that was taken from the cache the files lie under another execution, by the same keys.
    """
    if record is None or record.status != SUCCEEDED:
        return None
    places = sorted(((uri.rstrip("/") + "/", name) for name, uri in record.outputs.items()), reverse=True)
    known = {_key(file.uri, places): file.sha256 for file in record.files}
    return tuple(
        name
        for name in sorted({*known, *files})
        if name not in known or name not in files or _digest(files[name]) != known[name]
    )


def _key(uri: str, places: Sequence[tuple[str, str]]) -> str:
    return next((f"{name}/{uri.removeprefix(place)}" for place, name in places if uri.startswith(place)), uri)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
