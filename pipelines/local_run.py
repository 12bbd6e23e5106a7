"""Executions on this machine: settings and raw folder in, one result out.

`start` reads as the flow: load, choose models, compile, put the files where the definition expects them, execute,
report. The engine gets the definition and nothing else; the Lambda code gets local ports.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines import compile as compiling
from pipelines import failure, models, results, selection, settings, surroundings
from pipelines.bundles import Bundle
from pipelines.errors import ExecutionError, SettingsError
from pipelines.local import document, values
from pipelines.local.engine import Request, execute
from pipelines.local.step import Definition
from pipelines.local.workspace import Workspace
from pipelines.origin import REQUEST_FILE, Origin
from pipelines.progress import open_progress
from pipelines.rawdata import RAW_BUCKET, RawData, read_raw
from pipelines.settings import Settings
from steps import contract


def start(arguments: argparse.Namespace) -> int:
    """Start a new execution and follow it to its end; return the exit code."""
    config, folder, workspace = _open(arguments)
    raw = read_raw(config, folder, workspace.root / "cache" / "raw-digests.json")
    definition, bundles = _definition(arguments, config, folder)
    given = {contract.RAW_DATA_URI: raw.uri, **raw.versions, **_overrides(arguments.overrides)}
    parameters = values.parameter_values(definition, given)
    _check_threshold(parameters)
    _store(workspace, config, bundles, raw)
    origin = _origin(arguments, config, folder, parameters)
    origin.save(workspace.root / "executions" / origin.execution)
    common = {**_limits(config), "use_cache": not arguments.no_cache, "pipeline": origin.pipeline}
    request = Request(origin.execution, definition, given, **common)
    return _carry_out(arguments, origin, request, workspace)


def retry(arguments: argparse.Namespace) -> int:
    """Go on with a failed execution, repeating nothing that succeeded; return the exit code."""
    workspace = _workspace(arguments.workspace)
    origin, definition = _recorded(workspace, arguments.retry)
    request = Request(
        origin.execution, definition, origin.parameters, resume=True, **_limits(None), pipeline=origin.pipeline
    )
    return _carry_out(arguments, origin, request, workspace)


def rerun(arguments: argparse.Namespace) -> int:
    """Run a step of an earlier execution and all after it again, as an execution of its own; return the exit code."""
    workspace = _workspace(arguments.workspace)
    source, definition = _recorded(workspace, arguments.of)
    selected = selection.downstream(definition, arguments.from_step)
    given = {**source.parameters, **_overrides(arguments.overrides)}
    fresh = {**source.__dict__, "execution": _execution_id(), "started": _now(), "parameters": given}
    origin = Origin(**fresh)
    origin.save(workspace.root / "executions" / origin.execution)
    request = Request(
        origin.execution,
        definition,
        given,
        source=source.execution,
        selected=selected,
        use_cache=False,
        **_limits(None),
        pipeline=origin.pipeline,
    )
    return _carry_out(arguments, origin, request, workspace)


def show_versions(arguments: argparse.Namespace) -> int:
    """Print both data versions of the raw folder."""
    config, folder, workspace = _open(arguments)
    raw = read_raw(config, folder, workspace.root / "cache" / "raw-digests.json")
    for name, version in raw.versions.items():
        print(f"{name}={version}")  # noqa: T201 - the result, on stdout
    return 0


def show_plan(arguments: argparse.Namespace) -> int:
    """Print segments, rows, models and steps; spend nothing."""
    from pipelines import discovery, plan

    config, folder, workspace = _open(arguments)
    raw = read_raw(config, folder, workspace.root / "cache" / "raw-digests.json")
    census = discovery.count_segments(config, folder)
    chosen = models.choose_models(config, census)
    compiled = compiling.compile_pipeline(config, chosen, local=True)
    definition = document.parse(compiled.text)
    values.parameter_values(
        definition, {contract.RAW_DATA_URI: raw.uri, **raw.versions, **_overrides(arguments.overrides)}
    )
    sys.stdout.write(plan.render(plan.draw(config, chosen, census, compiled.text), as_json=arguments.json))
    for warning in compiled.warnings:
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201
    return 0


def _open(arguments: argparse.Namespace) -> tuple[Settings, Path, Workspace]:
    config = settings.load(arguments.config, arguments.env)
    folder = arguments.raw or config.data.raw
    if not folder:
        raise SettingsError(f"{arguments.config}: data.raw is not set; give the raw folder with --raw FOLDER")
    return config, Path(folder), _workspace(arguments.workspace)


def _workspace(root: Path) -> Workspace:
    return Workspace(root.resolve(), {RAW_BUCKET: Path("/")})


def _definition(arguments: argparse.Namespace, config: Settings, folder: Path) -> tuple[Definition, tuple[Bundle, ...]]:
    """Return the definition to execute, compiled or from a file, and the bundles it may refer to."""
    chosen = compiling.choose(config, arguments.config, str(folder), frozen=False)
    if not arguments.definition:
        compiled = compiling.compile_pipeline(config, chosen, local=True)
        for warning in compiled.warnings:
            print(f"warning: {warning}", file=sys.stderr)  # noqa: T201
        return document.parse(compiled.text), compiled.bundles
    try:
        text = arguments.definition.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{arguments.definition}: cannot be read; give a file that pipelines.compile wrote"
        ) from error
    return document.parse(text), _all_bundles(arguments, config, folder, chosen)


def _all_bundles(
    arguments: argparse.Namespace, config: Settings, folder: Path, chosen: tuple[models.ModelSpec, ...]
) -> tuple[Bundle, ...]:
    """Return the bundles of every form in which this config compiles: with these data, frozen, and as locked."""
    forms = {chosen, compiling.choose(config, arguments.config, str(folder), frozen=True)}
    with contextlib.suppress(SettingsError):
        forms.add(compiling.choose(config, arguments.config, None, frozen=True))
    return tuple(bundle for form in forms for bundle in compiling.draw(config, form)[1])


def _overrides(pairs: list[str]) -> dict[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise SettingsError(*(f"--set {pair}: expected Name=Value, such as MaeThreshold=12" for pair in wrong))
    return dict(pair.split("=", 1) for pair in pairs)


def _check_threshold(parameters: Mapping[str, Any]) -> None:
    threshold = parameters.get(contract.MAE_THRESHOLD)
    if threshold is not None and not 0 < float(threshold) < contract.FAILED_MAE:
        raise SettingsError(f"--set {contract.MAE_THRESHOLD}: {threshold} is not a MAE; expected a number above 0")


def _store(workspace: Workspace, config: Settings, bundles: tuple[Bundle, ...], raw: RawData) -> None:
    """Put code bundles, settings slices and manifests where the definition expects them."""
    from pipelines.account import resolve_account

    prefix = resolve_account(config).prefix
    files = {f"{bundle.uri}/{name}": content for bundle in bundles for name, content in bundle.files.items()}
    for version, manifests in raw.manifests.items():
        files |= {f"{prefix}/manifests/{version}/{name}": text.encode() for name, text in manifests.items()}
    for uri, content in files.items():
        _write(workspace.path(uri), content)


def _write(path: Path, content: bytes) -> None:
    """Write a file as a whole; a content-addressed file that is there already is left alone."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


def _origin(arguments: argparse.Namespace, config: Settings, folder: Path, parameters: Mapping[str, Any]) -> Origin:
    from pipelines.account import resolve_account

    return Origin(
        execution=_execution_id(),
        pipeline=config.pipeline.name,
        bucket=resolve_account(config).bucket,
        config=str(arguments.config),
        environment=arguments.env,
        raw=str(folder),
        started=_now(),
        parameters=dict(parameters),
        threshold=results.threshold_of(parameters),
    )


def _execution_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _recorded(workspace: Workspace, execution: str) -> tuple[Origin, Definition]:
    """Return what an earlier execution was started from, and its definition."""
    folder = workspace.root / "executions" / execution
    try:
        origin = Origin(**json.loads((folder / REQUEST_FILE).read_text(encoding="utf-8")))
        text = (folder / "definition.json").read_text(encoding="utf-8")
    except (OSError, ValueError, TypeError) as error:
        raise ExecutionError(results.unknown_execution(workspace.root, execution)) from error
    return origin, document.parse(text)


def _limits(config: Settings | None) -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"cores": cores, "parallelism": config.parallelism if config else None}


def _carry_out(arguments: argparse.Namespace, origin: Origin, request: Request, workspace: Workspace) -> int:
    """Execute, mail a failure, and show the result; return the exit code."""
    with open_progress(request.definition, origin.execution) as progress:
        world = surroundings.make_world(workspace, origin.pipeline, progress, _hint(arguments, origin))
        outcome = execute(request, world, progress.watch)
        if outcome.status == "Failed":
            failure.mail_failure(world, request.definition, origin, outcome, _hint(arguments, origin))
    result = results.collect(workspace, origin, outcome)
    sys.stdout.write(results.as_json(result) if arguments.json else results.as_table(result, _hint(arguments, origin)))
    return result.exit_code


def _hint(arguments: argparse.Namespace, origin: Origin) -> str:
    """Return the options that a command needs beside `--local` to mean the same configuration and workspace."""
    options = []
    if origin.config != str(compiling.DEFAULT_CONFIG):
        options += ["--config", origin.config]
    if arguments.workspace != Path(".local"):
        options += ["--workspace", str(arguments.workspace)]
    return " ".join(options)
