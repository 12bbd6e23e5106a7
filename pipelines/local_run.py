"""Executions on this machine: settings and raw folder in, one result out.

`start` reads as the flow: load, choose models, compile, put the files where the definition expects them, execute,
report. The engine gets the definition and nothing else; the Lambda code gets local ports.
"""

from __future__ import annotations

import argparse
import logging
import secrets
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines import (
    approved,
    comparison,
    executable,
    failure,
    housekeeping,
    local_executions,
    logs,
    parameters,
    results,
    runs_page,
    selection,
    settings,
    step_run,
    surroundings,
    usage,
)
from pipelines.board import Known
from pipelines.bundles import Bundle
from pipelines.errors import ExecutionError, SettingsError
from pipelines.local import document
from pipelines.local.cores import own_cores
from pipelines.local.durable import write_atomically
from pipelines.local.engine import Outcome, Request, World, execute
from pipelines.local.history import DEFINITION_FILE
from pipelines.local.staging import put_objects
from pipelines.local.step import Definition
from pipelines.local.workspace import Workspace
from pipelines.options import say_options
from pipelines.origin import REQUEST_FILE, Origin
from pipelines.progress import Progress, open_progress
from pipelines.rawdata import RawData, read_raw, roles_of
from pipelines.recall import Recall
from pipelines.results import Result
from pipelines.runs_page import Recorder
from pipelines.settings import Settings
from pipelines.usage import Asked
from steps import contract

log = logging.getLogger(__name__)
Choose = Callable[[Definition, Settings], Mapping[str, str]]
Display = Callable[[Definition, str, Known], AbstractContextManager[Progress]]


def run(asked: Asked, arguments: argparse.Namespace) -> int:
    """Do what a command line asks for; return the exit code."""
    match asked.action:
        case usage.START:
            return start(arguments)
        case usage.PLAN:
            return show_plan(arguments)
        case usage.VERSION:
            return show_versions(arguments)
        case usage.LIST:
            return local_executions.show_list(arguments)
        case usage.GC:
            return housekeeping.collect(arguments)
        case _:
            return _ON_EXECUTION[asked.action](arguments, asked)


def start(arguments: argparse.Namespace) -> int:
    """Start a new execution and follow it to its end; return the exit code."""
    return _show(arguments, start_execution(arguments, _execution_id()))


def start_execution(
    arguments: argparse.Namespace, execution: str, choose: Choose | None = None, display: Display = open_progress
) -> Result:
    """Start an execution of a raw folder under an ID, and follow it to its end.

    Args:
        arguments: the command line; `raw` is the folder.
        execution: the ID, which no execution has yet.
        choose: gives values of parameters besides those of `--set`, once it is known which there are.
        display: opens what shows the execution while it runs.
    """
    config, folder, workspace = _open(arguments)
    raw = _read_raw(config, folder, workspace, arguments.mode)
    recall = Recall(workspace, raw.versions, uses=not arguments.no_cache, roles=raw.roles)
    definition, bundles = executable.choose_definition(
        config, arguments.config, folder, arguments.definition, recall, arguments.mode, arguments.env
    )
    own = {**parameters.read_own(arguments.overrides), **(choose(definition, config) if choose else {})}
    given = {**own, contract.RAW_DATA_URI: raw.uri, **raw.versions}
    found = parameters.check(definition, given, config)
    objects = _store(workspace, config, bundles, raw.manifests)
    origin = replace(_origin(arguments, config, folder, found), execution=execution)
    more = {"use_cache": not arguments.no_cache, "parallelism": config.parallelism, "objects": objects}
    return _carry_out(arguments, origin, _request(origin, definition, **more), workspace, display)


def retry(arguments: argparse.Namespace, asked: Asked) -> int:
    """Go on with a failed execution, repeating nothing that succeeded; return the exit code."""
    return _show(arguments, resume_execution(arguments, asked))


def resume_execution(arguments: argparse.Namespace, asked: Asked, display: Display = open_progress) -> Result:
    """Go on with an execution that failed or was cut off, and follow it to its end."""
    workspace = _workspace(arguments.workspace)
    origin, definition = _recorded(workspace, asked)
    _check_raw(arguments, asked.action, origin)
    parameters.check_same(definition, origin.parameters, parameters.read_pairs(arguments.overrides))
    return _carry_out(arguments, origin, _request(origin, definition, resume=True), workspace, display)


def rerun(arguments: argparse.Namespace, asked: Asked) -> int:
    """Start an execution with the parameters and data versions of another one, with today's code and configuration."""
    workspace = _workspace(arguments.workspace)
    source, _ = _recorded(workspace, asked)
    config = settings.load(Path(source.config), source.environment)
    raw = _read_raw(config, Path(source.raw), workspace, source.mode)
    changed = [name for name, version in raw.versions.items() if version != source.parameters.get(name)]
    if changed:
        raise ExecutionError(
            f"--rerun {source.execution}: {' and '.join(changed)} cannot be had again, the files in {source.raw} have "
            "changed since; start a new execution with --raw"
        )
    recall = Recall(workspace, raw.versions, uses=not arguments.no_cache, roles=raw.roles)
    definition, bundles = executable.choose_definition(
        config, Path(source.config), Path(source.raw), None, recall, source.mode, source.environment
    )
    found = _again(arguments, definition, source, config)
    objects = _store(workspace, config, bundles, raw.manifests)
    origin = source.again(_execution_id(), _now(), found, results.threshold_of(found))
    origin = replace(origin, cause=f"--rerun {source.execution}")
    more = {"use_cache": not arguments.no_cache, "parallelism": config.parallelism, "objects": objects}
    return _show(arguments, _carry_out(arguments, origin, _request(origin, definition, **more), workspace))


def run_from(arguments: argparse.Namespace, asked: Asked) -> int:
    """Run a step and all after it again as an execution of its own, with today's code and configuration.

    As SageMaker's selective execution does: steps that are not selected keep the results of the source execution, the
    others run as the pipeline is now.
    """
    workspace = _workspace(arguments.workspace)
    source, _ = _recorded(workspace, asked)
    _check_raw(arguments, asked.action, source)
    config = settings.load(Path(source.config), source.environment)
    recall = Recall(workspace, roles=roles_of(source.mode))
    definition, bundles = executable.choose_definition(
        config, Path(source.config), Path(source.raw), None, recall, source.mode, source.environment
    )
    selected = selection.downstream(definition, arguments.from_step)
    found = _again(arguments, definition, source, config)
    objects = _store(workspace, config, bundles, {})
    origin = source.again(_execution_id(), _now(), found, results.threshold_of(found))
    cause = f"--from {arguments.from_step} --of {source.execution}"
    origin = replace(origin, source=source.execution, selected=tuple(sorted(selected)), cause=cause)
    more = {"use_cache": False, "parallelism": config.parallelism, "objects": objects}
    return _show(arguments, _carry_out(arguments, origin, _request(origin, definition, **more), workspace))


def _again(
    arguments: argparse.Namespace, definition: Definition, source: Origin, config: Settings
) -> dict[str, parameters.Scalar]:
    """Return the parameters of an earlier execution, with others where asked, for the pipeline as it is now."""
    declared = {parameter.name for parameter in definition.parameters}
    kept = {name: value for name, value in source.parameters.items() if name in declared}
    return parameters.check(definition, {**kept, **parameters.read_own(arguments.overrides)}, config)


def _check_raw(arguments: argparse.Namespace, action: str, origin: Origin) -> None:
    """Refuse another raw folder than the one that the execution was started with."""
    if arguments.raw and Path(arguments.raw).resolve() != Path(origin.raw).resolve():
        raise SettingsError(f"--raw {arguments.raw}: {action} goes on with {origin.raw}; start a new execution instead")


def _request(origin: Origin, definition: Definition, **more: Any) -> Request:
    cores = len(own_cores())
    chosen = None if origin.selected is None else frozenset(origin.selected)
    return Request(
        execution_id=origin.execution,
        definition=definition,
        parameters=origin.parameters,
        source=origin.source,
        selected=chosen,
        cores=cores,
        pipeline=origin.pipeline,
        **more,
    )


def show_versions(arguments: argparse.Namespace) -> int:
    """Print the data versions of the raw folder: both, or of the files to predict alone."""
    config, folder, workspace = _open(arguments)
    raw = _read_raw(config, folder, workspace, arguments.mode)
    for name, version in raw.versions.items():
        print(f"{name}={version}")  # noqa: T201 - the result, on stdout
    return 0


def show_plan(arguments: argparse.Namespace) -> int:
    """Print segments, rows, models, steps and cost, with --explain what each step would do; spend nothing."""
    from pipelines import cost, plan

    config, folder, workspace = _open(arguments)
    raw = _read_raw(config, folder, workspace, arguments.mode)
    recall = Recall(workspace, raw.versions, roles=raw.roles)
    census = recall.count_segments(config, folder)
    chosen = executable.choose_models(config, arguments.config, folder, recall, arguments.mode, arguments.env)
    compiled = recall.compile_pipeline(config, chosen, mode=arguments.mode)
    definition = document.parse(compiled.text)
    given = {**parameters.read_own(arguments.overrides), contract.RAW_DATA_URI: raw.uri, **raw.versions}
    found = parameters.check(definition, given, config)
    forecasts = None
    if arguments.explain:
        from pipelines import outlook

        request = _request(_origin(arguments, config, folder, found), definition)
        forecasts = outlook.forecast(request, _files(config, compiled.bundles, raw.manifests), workspace)
    served = approved.say_served(config, workspace, compiled.models) if arguments.mode != contract.FULL else None
    drawn = plan.draw(config, compiled.models, census, compiled.text, served)
    past = local_executions.step_seconds(workspace.root, config.pipeline.name)
    bill = cost.bill(compiled.text, config, past)
    sys.stdout.write(plan.render(drawn, bill, as_json=arguments.json, forecasts=forecasts))
    for warning in (*compiled.warnings, *plan.warnings(census), *surroundings.library_warnings()):
        log.warning(warning)
    return 0


def _open(arguments: argparse.Namespace) -> tuple[Settings, Path, Workspace]:
    config = settings.load(arguments.config, arguments.env)
    folder = arguments.raw or config.data.raw
    if not folder:
        raise SettingsError(f"{arguments.config}: data.raw is not set; give the raw folder with --raw FOLDER")
    return config, Path(folder), open_beside(arguments.workspace, Path(folder))


def open_beside(root: Path, folder: Path) -> Workspace:
    """Return the workspace in a folder, made where needed.

    Raises:
        SettingsError: it lies in the folder of raw files, or cannot be made.
    """
    _check_place(root, folder)
    return _workspace(root)


def _check_place(root: Path, folder: Path) -> None:
    """Refuse a workspace whose files would be raw data of the next run; a hidden one is passed over."""
    inside, raw = root.resolve(), folder.resolve()
    if inside.is_relative_to(raw) and not contract.is_hidden(inside.relative_to(raw).as_posix()):
        raise SettingsError(f"--workspace {root}: lies in the raw folder {folder}; give one outside, or a hidden name")


def _workspace(root: Path) -> Workspace:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError(
            f"--workspace {root}: cannot be made ({reason}); give a folder that can be written"
        ) from error
    taken = [name for name in ("cache", "executions", "s3", "tmp") if (root / name).exists() > (root / name).is_dir()]
    if taken:
        raise SettingsError(
            *(f"--workspace {root}: has a file where its folder {n} belongs; move it away" for n in taken)
        )
    return local_executions.open_workspace(root)


def _read_raw(config: Settings, folder: Path, workspace: Workspace, mode: str) -> RawData:
    return read_raw(config, folder, workspace.cache / "raw-digests.json", workspace.scratch, roles_of(mode))


def _store(
    workspace: Workspace, config: Settings, bundles: tuple[Bundle, ...], manifests: Mapping[str, Mapping[str, str]]
) -> dict[str, bytes]:
    """Put code bundles, settings slices and manifests where the definition expects them; return them by URI."""
    objects = _files(config, bundles, manifests)
    put_objects(objects, workspace)
    return objects


def _files(
    config: Settings, bundles: tuple[Bundle, ...], manifests: Mapping[str, Mapping[str, str]]
) -> dict[str, bytes]:
    """Return code bundles, settings slices and manifests by the URI at which the definition expects them."""
    from pipelines.account import resolve_account

    prefix = resolve_account(config).prefix
    files = {f"{bundle.uri}/{name}": content for bundle in bundles for name, content in bundle.files.items()}
    for version, texts in manifests.items():
        folder = f"{prefix}/{contract.MANIFESTS_DIR}/{version}"
        files |= {f"{folder}/{name}": text.encode() for name, text in texts.items()}
    return files


def _origin(arguments: argparse.Namespace, config: Settings, folder: Path, found: Mapping[str, Any]) -> Origin:
    from pipelines.account import resolve_account

    return Origin(
        execution=_execution_id(),
        pipeline=config.pipeline.name,
        bucket=resolve_account(config).bucket,
        config=str(arguments.config),
        environment=arguments.env,
        raw=str(folder),
        started=_now(),
        parameters=dict(found),
        threshold=results.threshold_of(found),
        cause=getattr(arguments, "cause", ""),
        mode=arguments.mode,
    )


def _execution_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _recorded(workspace: Workspace, asked: Asked) -> tuple[Origin, Definition]:
    """Return what an earlier execution was started from, and its definition."""
    return local_executions.read(workspace.root, local_executions.find(workspace.root, asked))


def _carry_out(
    arguments: argparse.Namespace,
    origin: Origin,
    request: Request,
    workspace: Workspace,
    display: Display = open_progress,
) -> Result:
    """Execute, mail a failure, and return the result."""
    hint = say_options(Path(origin.config), origin.environment, arguments.workspace)
    _write_down(origin, request, workspace)
    request, known = local_executions.foresee(workspace, request)
    with (
        display(request.definition, origin.execution, known) as progress,
        runs_page.keep(workspace, origin, request.definition, progress) as page,
        surroundings.open_world(workspace, origin.pipeline, progress, hint, arguments.launcher) as world,
    ):
        outcome = _execute(request, world, page, progress, hint)
        if outcome.status == "Failed":
            failure.mail_failure(world, request.definition, origin, outcome, hint)
    return results.collect(workspace, origin, outcome, hint)


def _show(arguments: argparse.Namespace, result: Result) -> int:
    """Print a result; return the exit code."""
    tails = local_executions.log_tails(result)
    sys.stdout.write(results.as_json(result) if arguments.json else results.as_table(result, tails))
    return result.exit_code


def _write_down(origin: Origin, request: Request, workspace: Workspace) -> None:
    """Keep what it is started from, before its ID is shown: from here on it can be resumed whatever happens."""
    folder = workspace.execution(origin.execution)
    if not request.resume:
        write_atomically(folder / DEFINITION_FILE, request.definition.text, workspace.scratch)
    write_atomically(folder / REQUEST_FILE, origin.to_json(), workspace.scratch)


def _execute(request: Request, world: World, page: Recorder, progress: Progress, hint: str) -> Outcome:
    try:
        return execute(request, world, page.watch)
    except KeyboardInterrupt:
        stopped = f"stopped; go on with: {results.retry_command(request.execution_id, hint)}"
        log.warning(stopped) if logs.is_quiet() else progress.say(stopped)
        raise


_ON_EXECUTION: Mapping[str, Callable[[argparse.Namespace, Asked], int]] = {
    usage.RETRY: retry,
    usage.RERUN: rerun,
    usage.FROM: run_from,
    usage.STATUS: local_executions.show_status,
    usage.STOP: local_executions.stop,
    usage.FETCH: local_executions.fetch,
    usage.COMPARE: comparison.show,
    usage.ONLY: step_run.run_step,
}
