"""Executions on AWS that are there: find, follow, show, list, stop, fetch."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines import aws_results, executions_table, fetching, following, logs, results
from pipelines.aws import executions, objects
from pipelines.aws.executions import Deployed, Execution
from pipelines.board import Known
from pipelines.desk import Desk, open_pipeline
from pipelines.errors import AwsError, DefinitionError, ExecutionError, UnknownExecutionError, nearest
from pipelines.executions_table import Line
from pipelines.local import document
from pipelines.local.step import Definition
from pipelines.progress import open_progress
from pipelines.usage import Asked
from steps import contract

RECENT = 100
"""Executions that a list shows, and among which a mistyped ID is looked for."""
PAST = 3
"""Executions whose steps tell how long a step takes; each is a call."""


@dataclass(frozen=True)
class Call:
    """One command: what it asks for, of which pipeline."""

    asked: Asked
    arguments: argparse.Namespace
    desk: Desk


def show_status(call: Call) -> int:
    """Show an execution and its steps; follow it where asked."""
    found = find(call)
    if call.arguments.follow:
        return follow(call, found.arn)
    result = aws_results.collect(call.desk, following.read_now(call.desk, found.arn))
    sys.stdout.write(executions_table.render_status(result, as_json=call.arguments.json))
    return 0


def show_list(call: Call) -> int:
    """List the newest executions of both pipelines."""
    desk = call.desk
    open_pipeline(desk)
    lines = [_line(one) for one in executions.list_executions(desk.cloud, desk.pipeline, RECENT)]
    scoring = replace(desk, mode=contract.PREDICT_MODE)
    if executions.read_pipeline(desk.cloud, scoring.pipeline):
        others = executions.list_executions(desk.cloud, scoring.pipeline, RECENT)
        lines += [_line(one, scoring.mode) for one in others]
    newest = sorted(lines, key=lambda line: line.started, reverse=True)[:RECENT]
    sys.stdout.write(executions_table.render_list(newest, as_json=call.arguments.json))
    return 0


def stop(call: Call) -> int:
    """Ask for a running execution to be stopped."""
    desk, found = call.desk, find(call)
    if found.is_over:
        raise ExecutionError(f"--stop {found.id}: is {found.status} already")
    executions.stop_execution(desk.cloud, found.arn, desk.outside.make_token())
    sys.stdout.write(f"execution {found.id} is being stopped with its jobs; {say_follow(desk, found)}\n")
    return 0


def fetch(call: Call) -> int:
    """Copy report, summary and predictions of an execution into a folder."""
    desk, found = call.desk, find(call)
    steps = executions.list_steps(desk.cloud, found.arn)
    uri = aws_results.published(desk, steps)
    if uri is None:
        failed = [step for step in steps if step.status == executions.FAILED]
        command = aws_results.debug_command(desk, found, failed)
        more = f"; bring the inputs of the step that failed here with: {command}" if command else ""
        raise ExecutionError(f"--fetch {found.id}: it is {found.status} and has published no predictions{more}")
    bucket, _, key = uri.removeprefix("s3://").partition("/")

    def fill(folder: Path) -> Mapping[str, int]:
        listed = objects.list_objects(desk.cloud, bucket, f"{key}/")
        total = sum(item.size for item in listed) / 1e6
        sys.stderr.write(f"fetching {len(listed)} files, {total:.1f} MB, from {uri}\n")
        objects.download_prefix(desk.cloud, bucket, f"{key}/", folder)
        return {item.key.removeprefix(f"{key}/"): item.size for item in listed if not item.key.endswith("/")}

    made = fetching.fetch(f"{desk.pipeline}-{found.id}", call.arguments.to or Path(), fill)
    sys.stdout.write(f"{made}\n")
    return 0


def follow(call: Call, arn: str, definition: Definition | None = None) -> int:
    """Show an execution until its end, then what it came to; return the exit code."""
    desk, execution = call.desk, arn.rpartition("/")[2]
    shown = definition or _definition_of(desk, arn)
    with open_progress(shown, execution, known_of(desk, arn)) as progress:
        try:
            ended = following.follow(desk, arn, [step.name for step in shown.every_step()], progress)
        except (KeyboardInterrupt, Exception):
            progress.say(f"no longer followed, but the execution goes on; {_say_on(desk, execution)}")
            raise
    result = aws_results.collect(desk, ended)
    sys.stdout.write(results.as_json(result) if call.arguments.json else results.as_table(result))
    return result.exit_code


def known_of(desk: Desk, arn: str) -> Known:
    """Return what the last executions that succeeded tell of how long one takes; nothing where they cannot be read."""
    taken: dict[str, list[float]] = {}
    if logs.is_quiet():
        return Known()
    with contextlib.suppress(AwsError):
        recent = executions.list_executions(desk.cloud, desk.pipeline, PAST * 3)
        past = [one for one in recent if one.status == executions.SUCCEEDED and one.arn != arn][:PAST]
        for step in (step for one in past for step in executions.list_steps(desk.cloud, one.arn)):
            if step.status == executions.SUCCEEDED and not step.cached and step.ended is not None:
                taken.setdefault(step.name, []).append(step.ended - step.started)
    return Known(taken, parallelism=desk.settings.parallelism)


def _definition_of(desk: Desk, arn: str) -> Definition:
    """Return the definition that an execution runs; an empty one where this version cannot read it."""
    try:
        return document.parse(executions.read_definition(desk.cloud, arn))
    except DefinitionError:
        return Definition((), (), None, "")


def find(call: Call, pipeline: Deployed | None = None) -> Execution:
    """Return the execution that the command names by ID or ARN, or the newest.

    Raises:
        UnknownExecutionError: there is no such execution; names one that is meant, perhaps.
        ExecutionError: there is none at all.
    """
    desk = call.desk
    pipeline = pipeline or open_pipeline(desk)
    if call.asked.execution is None:
        newest = executions.list_executions(desk.cloud, desk.pipeline, 1)
        if not newest:
            start = desk.say_run(desk.mode_option)
            raise ExecutionError(f"pipeline {desk.pipeline} has no execution yet; start one with: {start}")
        return newest[0]
    name = call.asked.execution.rpartition("/")[2]
    found = executions.read_execution(desk.cloud, f"{pipeline.arn}/execution/{name}") if _may_be_id(name) else None
    if found is None or not _names(found, call.asked.execution):
        recent = [one.id for one in executions.list_executions(desk.cloud, desk.pipeline, RECENT)]
        raise UnknownExecutionError(
            f"{call.asked.execution}: pipeline {desk.pipeline} has no such execution{_hint(name, recent)}"
        )
    return found


def find_elsewhere(desk: Desk, execution: str | None) -> Desk | None:
    """Return the desk of the other pipeline if that has an execution, given by ID or ARN."""
    name = (execution or "").rpartition("/")[2]
    other = replace(desk, mode=next(mode for mode in contract.MODES if mode != desk.mode))
    pipeline = executions.read_pipeline(desk.cloud, other.pipeline) if _may_be_id(name) else None
    found = executions.read_execution(desk.cloud, f"{pipeline.arn}/execution/{name}") if pipeline else None
    return other if found and _names(found, execution or "") else None


def _may_be_id(name: str) -> bool:
    return name.isascii() and name.isalnum()


def _names(found: Execution, given: str) -> bool:
    """Tell whether an ID or ARN names an execution; the ARN of another account's does not."""
    return given in (found.id, found.arn)


def _hint(name: str, recent: list[str]) -> str:
    return nearest(name, recent) or (f"; the newest are {', '.join(recent[:3])}" if recent else "; there is none yet")


def _line(one: Execution, mode: str = contract.FULL) -> Line:
    seconds = (one.ended - one.started).total_seconds() if one.ended else None
    return Line(one.id, one.status, one.started, seconds, one.name, one.description, mode)


def say_follow(desk: Desk, one: Execution) -> str:
    """Return the command that follows an execution."""
    return f"follow it with: {desk.say_run(f'--status {one.id}', '--follow')}"


def _say_on(desk: Desk, execution: str) -> str:
    """Return how to go on following an execution, and how to stop it."""
    following_it, stopping = desk.say_run(f"--status {execution}", "--follow"), desk.say_run(f"--stop {execution}")
    return f"follow it with:\n  {following_it}\nor stop it with:\n  {stopping}"
