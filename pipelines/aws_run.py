"""Executions on AWS: start, go on, run again, look, stop and fetch, over the deployed pipeline.

`start` reads as the flow: settings, account, stack, deployed definition, raw folder, versions, manifests, start. What
runs is the definition that is deployed; this machine only asks for it and watches.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from pipelines import aws_executions, parameters, results, selection, step_inputs, usage
from pipelines.aws import executions, objects
from pipelines.aws.executions import Execution, Start
from pipelines.aws_executions import RECENT, Call, find, find_elsewhere, follow, say_follow
from pipelines.desk import Desk, Outside, open_desk, open_pipeline
from pipelines.errors import ExecutionError, SettingsError, UnknownExecutionError
from pipelines.following import POLL
from pipelines.local import document
from pipelines.local.step import Definition
from pipelines.local.values import as_text
from pipelines.rawdata import RawData, read_listing, roles_of
from pipelines.usage import Asked
from steps import contract

MOST_SELECTED = 50
"""Steps that a selective execution may name
(https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_SelectiveExecutionConfig.html)."""
_DESCRIPTION = 3072
Scalar = str | int | float | bool


def run(asked: Asked, arguments: argparse.Namespace, outside: Outside) -> int:
    """Do what a command line asks for; return the exit code."""
    desk = replace(open_desk(arguments.config, arguments.env, outside), mode=arguments.mode)
    try:
        return _ACTIONS[asked.action](Call(asked, arguments, desk))
    except UnknownExecutionError:
        other = find_elsewhere(desk, asked.execution)
        if other is None:
            raise
        return _ACTIONS[asked.action](Call(asked, arguments, other))


def start(call: Call) -> int:
    """Start a new execution."""
    desk, pipeline = call.desk, open_pipeline(call.desk)
    definition = document.parse(pipeline.definition)
    raw = _read_raw(desk, call.arguments.raw)
    given = {**parameters.read_own(call.arguments.overrides), contract.RAW_DATA_URI: raw.uri, **raw.versions}
    found = parameters.check(definition, given, desk.settings)
    _refuse_beside_another(desk)
    _put_manifests(desk, raw)
    return _begin(call, definition, found, f"started by hand, raw data {raw.uri}")


def rerun(call: Call) -> int:
    """Start an execution with the parameters and data versions of another one."""
    desk, pipeline = call.desk, open_pipeline(call.desk)
    definition, source = document.parse(pipeline.definition), find(call, pipeline)
    found = _again(desk, definition, source, call.arguments.overrides)
    _refuse_beside_another(desk)
    return _begin(call, definition, found, f"again what {source.id} was started with")


def run_from(call: Call) -> int:
    """Run a step and all after it again; the other steps keep the results of the source execution."""
    desk, step, pipeline = call.desk, call.arguments.from_step, open_pipeline(call.desk)
    definition, source = document.parse(pipeline.definition), find(call, pipeline)
    if not source.is_over:
        raise ExecutionError(f"--of {source.id}: is {source.status}; wait for its end, or stop it with --stop")
    selected = [s.name for s in definition.every_step() if s.name in selection.downstream(definition, step)]
    if len(selected) > MOST_SELECTED:
        raise ExecutionError(
            f"--from {step}: {len(selected)} steps would run again, the service takes {MOST_SELECTED}; name a later "
            f"step, or start all of it again with --rerun {source.id}"
        )
    found = _again(desk, definition, source, call.arguments.overrides)
    _refuse_beside_another(desk)
    return _begin(call, definition, found, f"{step} and all after it, from {source.id}", source, tuple(selected))


def retry(call: Call) -> int:
    """Go on with a failed or stopped execution, repeating nothing that succeeded."""
    desk, found = call.desk, find(call)
    if not found.is_over:
        raise ExecutionError(f"--retry {found.id}: is {found.status}; {say_follow(desk, found)}")
    if found.status == executions.SUCCEEDED:
        again = desk.say_run(f"--rerun {found.id}")
        raise ExecutionError(f"--retry {found.id}: it has succeeded; start it again with: {again}")
    _refuse_beside_another(desk)
    executions.retry_execution(desk.cloud, found.arn, desk.outside.make_token(), desk.settings.parallelism)
    return _watch(call, found.arn, "goes on", {})


def show_versions(call: Call) -> int:
    """Print both data versions of the raw folder, and write their manifests."""
    raw = _read_raw(call.desk, call.arguments.raw)
    _put_manifests(call.desk, raw)
    sys.stdout.write("".join(f"{name}={version}\n" for name, version in raw.versions.items()))
    return 0


_ACTIONS: Mapping[str, Callable[[Call], int]] = {
    usage.START: start,
    usage.VERSION: show_versions,
    usage.RETRY: retry,
    usage.FROM: run_from,
    usage.RERUN: rerun,
    usage.STATUS: aws_executions.show_status,
    usage.LIST: aws_executions.show_list,
    usage.STOP: aws_executions.stop,
    usage.FETCH: aws_executions.fetch,
    usage.FETCH_INPUTS: step_inputs.fetch,
}


def _read_raw(desk: Desk, given: str | None) -> RawData:
    """Return the raw folder in S3 with its versions."""
    uri = given or desk.settings.data.raw or ""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        found = f"{uri} is a folder on this machine" if uri else "data.raw is not set"
        raw = f"s3://{desk.stack.RawBucketName}/FOLDER/"
        raise SettingsError(f"{found}; copy the files to the raw bucket and give the folder with --raw {raw}")
    if bucket != desk.stack.RawBucketName:
        note = f"{bucket} is not the raw bucket {desk.stack.RawBucketName}; the jobs must be allowed to read it"
        sys.stderr.write(f"warning: {note}\n")
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    listed = objects.list_objects(desk.cloud, bucket, prefix, desk.settings.max_objects)
    files = (contract.DataFile(item.key.removeprefix(prefix), item.etag, item.size) for item in listed)
    return read_listing(desk.settings, f"s3://{bucket}/{prefix}", files, roles_of(desk.mode))


def _put_manifests(desk: Desk, raw: RawData) -> None:
    """Write the manifests of both data versions where the definition reads them.

    Equal files in another raw folder have the same versions; their manifests are replaced by those of this folder.
    """
    for version, texts in raw.manifests.items():
        for name, text in texts.items():
            desk.write_text(f"{desk.prefix}/{contract.MANIFESTS_DIR}/{version}/{name}", text)


def _again(desk: Desk, definition: Definition, source: Execution, overrides: list[str]) -> dict[str, Scalar]:
    """Return the parameters of an earlier execution, with others where asked, for the pipeline as it is now."""
    declared = {parameter.name for parameter in definition.parameters}
    known = executions.read_parameters(desk.cloud, source.arn)
    kept = {name: value for name, value in known.items() if name in declared}
    return parameters.check(definition, {**kept, **parameters.read_own(overrides)}, desk.settings)


def _refuse_beside_another(desk: Desk) -> None:
    """Refuse to start beside a running execution, where the configuration says so."""
    if desk.settings.concurrency != "refuse":
        return
    recent = executions.list_executions(desk.cloud, desk.pipeline, RECENT)
    running = next((one for one in recent if not one.is_over), None)
    if running:
        raise ExecutionError(
            f"execution {running.id} is {running.status}, and the config says concurrency: refuse; "
            f"{say_follow(desk, running)}"
        )


def _begin(
    call: Call,
    definition: Definition,
    values: Mapping[str, Scalar],
    description: str,
    source: Execution | None = None,
    selected: tuple[str, ...] = (),
) -> int:
    desk = call.desk
    moment = datetime.fromtimestamp(desk.outside.clock(), UTC)
    chosen = Start(
        pipeline=desk.pipeline,
        parameters={name: as_text(value) for name, value in values.items()},
        token=desk.outside.make_token(),
        name=f"run-{moment:%Y%m%d-%H%M%S}",
        description=" ".join(description.split())[:_DESCRIPTION],
        parallelism=desk.settings.parallelism,
        source=source.arn if source else None,
        selected=selected,
    )
    arn = executions.start_execution(desk.cloud, chosen)
    return _watch(call, arn, "has been started", chosen.parameters, definition)


def _watch(call: Call, arn: str, done: str, values: Mapping[str, str], definition: Definition | None = None) -> int:
    """Say what was done with an execution; follow it where asked. Return the exit code."""
    desk, execution = call.desk, arn.rpartition("/")[2]
    told = {"execution": execution, "arn": arn, "status": results.EXECUTING, "link": desk.execution_link(execution)}
    if call.arguments.json and not call.arguments.follow:
        sys.stdout.write(json.dumps({**told, "parameters": dict(values)}, ensure_ascii=False) + "\n")
        return 0
    versions = [f"  {name}={values[name]}" for name in parameters.VERSIONS if name in values]
    lines = [f"execution {execution} {done}", *versions, f"  studio  {told['link']}"]
    if call.arguments.follow:
        sys.stderr.write("\n".join(lines) + "\n")
        desk.outside.sleep(POLL)  # what was just asked for may not show yet
        return follow(call, arn, definition)
    lines.append(f"follow it with: {desk.say_run(f'--status {execution}', '--follow')}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
