"""Brings here what a step of an execution on AWS was given, to run it here: `--fetch ID --only STEP`.

The objects lie in the workspace as its object store has them, `s3/<bucket>/<key>`; the job, as the service describes
it, becomes a definition of one step in the execution's folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.aws import executions, jobs, objects
from pipelines.aws.executions import StepState
from pipelines.aws_executions import Call, find
from pipelines.desk import Desk
from pipelines.errors import ExecutionError, nearest
from pipelines.local import document, replay
from pipelines.local.job import Input, Job
from pipelines.local.workspace import Workspace
from pipelines.options import say_command, say_options

_SHOWN_FROM = 50_000_000
"""Bytes below which a download is over before its progress could be read."""


@dataclass(frozen=True)
class Wanted:
    """An object of an input."""

    bucket: str
    key: str
    size: int


def fetch(call: Call) -> int:
    """Bring the inputs of a step's job into the workspace, and say how to run it; return the exit code."""
    desk, step, workspace = call.desk, call.arguments.only, Workspace(call.arguments.workspace)
    found = find(call)
    arn = find_job(desk, executions.list_steps(desk.cloud, found.arn), step)
    text = one_step(step, jobs.read_request(desk.cloud, arn))
    (parsed,) = document.parse(text).steps
    assert parsed.job is not None  # noqa: S101 - a Processing step that was parsed has a job
    wanted = {(item.bucket, item.key): item for item in _inputs(desk, parsed.job)}
    _download(desk, workspace, list(wanted.values()))
    replay.save_fetched(workspace, found.id, step, text)
    own = say_options(call.arguments.config, call.arguments.env, call.arguments.workspace)
    command = say_command("run", "--local", own, f"--only {step} --of {found.id}", "--debug")
    sys.stdout.write(f"{step} of {found.id}: {len(wanted)} files are here\ndebug with: {command}\n")
    return 0


def find_job(desk: Desk, steps: list[StepState], name: str) -> str:
    """Return the ARN of a step's processing job; where its results were taken over, of the job that made them.

    Raises:
        ExecutionError: the execution has started no such step, or it is no job; names the nearest, or all.
    """
    step = next((step for step in steps if step.name == name), None)
    if step and step.job:
        return step.job
    if step and step.source:
        return find_job(desk, executions.list_steps(desk.cloud, step.source), name)
    known = [step.name for step in steps if step.job or (step.source and not step.function)]
    what = "is no processing job, and has no inputs to bring" if step else "the execution has started no such step"
    hint = nearest(name, known) or f"; its jobs are {', '.join(known) or 'none'}"
    raise ExecutionError(f"--only {name}: {what}{hint}")


def one_step(name: str, request: dict[str, Any]) -> str:
    """Return the definition of one step that asks for what a job was asked to do."""
    step = {"Name": name, "Type": "Processing", "Arguments": request}
    return json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [step]}, sort_keys=True, indent=1)


def _inputs(desk: Desk, job: Job) -> Iterator[Wanted]:
    """Yield the objects of every input.

    Raises:
        ExecutionError: one holds nothing any more.
    """
    for item in job.inputs:
        found = list(_objects(desk, item))
        if not found:
            raise ExecutionError(
                f"{item.uri} of input {item.name!r} holds nothing any more; executions are kept for retention_days, "
                "start a new one"
            )
        yield from found


def _objects(desk: Desk, item: Input) -> Iterator[Wanted]:
    yield from _below(desk, item.uri)
    if not item.manifest:
        return
    prefix, keys = read_manifest(item.uri, desk.read_json(item.uri))
    there = {f"s3://{found.bucket}/{found.key}": found for found in _below(desk, prefix)}
    uris = [prefix.rstrip("/") + "/" + key for key in keys]
    missing = [uri for uri in uris if uri not in there]
    if missing:
        raise ExecutionError(
            *(f"{uri}: is named by the manifest {item.uri}, and is not there any more" for uri in missing)
        )
    yield from (there[uri] for uri in uris)


def read_manifest(uri: str, content: Any) -> tuple[str, list[str]]:
    """Return prefix and keys of a ManifestFile.

    Raises:
        ExecutionError: it is none.
    """
    parts: list[Any] = content if isinstance(content, list) and content else [None]
    prefix = parts[0].get("prefix") if isinstance(parts[0], dict) else None
    if not isinstance(prefix, str) or not all(isinstance(key, str) for key in parts[1:]):
        raise ExecutionError(f'{uri}: is no manifest; expected a list of {{"prefix": "s3://..."}} and keys')
    return prefix, parts[1:]


def _below(desk: Desk, uri: str) -> list[Wanted]:
    """Return the objects of a folder, or the one object of a URI that names one."""
    bucket, _, key = uri.rstrip("/").removeprefix("s3://").partition("/")
    folder = objects.list_objects(desk.cloud, bucket, f"{key}/" if key else "")
    found = folder or [item for item in objects.list_objects(desk.cloud, bucket, key) if item.key == key]
    return [Wanted(bucket, item.key, item.size) for item in found if not item.key.endswith("/")]


def _download(desk: Desk, workspace: Workspace, wanted: list[Wanted]) -> None:
    """Write every object to its place; what was fetched before is fetched again, it may have changed.

    Raises:
        WorkspaceError: a key would be written outside its bucket's folder.
    """
    places = [(item, workspace.target(f"s3://{item.bucket}/{item.key}")) for item in wanted]
    total = sum(item.size for item in wanted)
    replay.check_room(workspace.root, total)
    sys.stderr.write(f"fetching {len(wanted)} files, {total / 1e6:.1f} MB, into {workspace.root / 's3'}\n")
    progress = Progress(total)
    for item, place in places:
        objects.download_object(desk.cloud, item.bucket, item.key, place, progress.add)


class Progress:
    """Says how far a large download is, at every tenth of it."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0

    def add(self, size: int) -> None:
        """Count bytes that have arrived."""
        before, self._done = self._done * 10 // max(1, self._total), self._done + size
        if self._total >= _SHOWN_FROM and self._done * 10 // self._total > before:
            sys.stderr.write(f"  {self._done * 10 // self._total * 10} %\n")
