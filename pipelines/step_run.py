"""One step of an execution run once more, alone and in the foreground: `--only STEP --of ID`."""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines import custom_code, explain, local_executions, settings, surroundings
from pipelines.custom_code import CustomCode
from pipelines.errors import ExecutionError, PipelineError, SettingsError
from pipelines.local import foreground, replay
from pipelines.local.cores import own_cores
from pipelines.local.replay import Recorded, Replayed
from pipelines.local.workspace import Workspace
from pipelines.options import say_command, say_options
from pipelines.surroundings import ROOT
from pipelines.usage import Asked
from steps import contract, hooknames

_CODE = f"{contract.INPUT_ROOT}/{contract.IN_CODE}"
_SHOWN = 10


@dataclass(frozen=True)
class Code:
    """Which code runs: the recorded, or `here` the repository's; `changed` are files in which the two differ."""

    here: bool
    changed: tuple[str, ...]


def run_step(arguments: argparse.Namespace, asked: Asked) -> int:
    """Run one Processing step with the inputs, arguments and environment it had; return the exit code."""
    if arguments.launcher == surroundings.DOCKER:
        raise SettingsError(
            "--launcher docker: --only runs a step in the foreground as a process of this environment, where pdb can "
            "reach it, not in a container; leave --launcher out"
        )
    workspace = local_executions.open_workspace(arguments.workspace)
    recorded, hint, own = _recall(arguments, asked, workspace)
    code = compare_code(workspace, recorded, arguments.code, own)
    chosen = with_code_of(recorded, ROOT, own) if code.here else recorded
    chosen = _debugged(chosen) if arguments.debug else chosen
    sys.stderr.write(say_start(recorded, code))
    done = replay.replay(workspace, chosen, functools.partial(foreground.run, own_interrupts=arguments.debug))
    again = f"--only {recorded.step.name} --of {recorded.execution_id}"
    debug = "" if arguments.debug else say_command("run", "--local", hint, again, "--code" * code.here, "--debug")
    sys.stdout.write(say_end(recorded, done, debug))
    return 1 if done.exit.code else 0


def _recall(
    arguments: argparse.Namespace, asked: Asked, workspace: Workspace
) -> tuple[Recorded, str, CustomCode | None]:
    """Return the step as it was recorded, the options that a command in a message needs, and the user's own code."""
    cores = len(own_cores())
    name = local_executions.find(workspace.root, asked).rpartition("/")[2]
    if replay.has_fetched(workspace, name):
        hint = say_options(arguments.config, arguments.env, arguments.workspace)
        recorded = replay.recall_fetched(workspace, name, arguments.only, cores)
        return recorded, hint, _own_code(arguments.config, arguments.env)
    origin, definition = local_executions.read(workspace.root, name)
    hint = say_options(Path(origin.config), origin.environment, arguments.workspace)
    recorded = replay.recall(workspace, name, definition, arguments.only, cores)
    return recorded, hint, _own_code(Path(origin.config), origin.environment)


def _own_code(config: Path, environment: str | None) -> CustomCode | None:
    """Return the user's own code as the configuration names it now; None also where it has gone or is wrong."""
    with contextlib.suppress(PipelineError):
        return custom_code.read(settings.load(config, environment).code)
    return None


def compare_code(workspace: Workspace, recorded: Recorded, here: bool, own: CustomCode | None = None) -> Code:
    """Return which code runs, and the files of the recorded code that are others now in repository and `own` code.

    Raises:
        ExecutionError: the repository's is asked for, and the step takes its code from somewhere else.
    """
    uri = next((item.uri for item in recorded.job.inputs if item.name == contract.IN_CODE), None)
    if uri is None:
        if here:
            raise ExecutionError(f"--code: step {recorded.step.name} has no input {contract.IN_CODE}; leave it out")
        return Code(here=False, changed=())
    there = {stored.key: stored.path.read_bytes() for stored in workspace.objects(uri)}
    now = {key: (ROOT / key).read_bytes() for key in there if (ROOT / key).is_file()}
    if any(explain.is_own(key) for key in there):
        now |= own.files_of(_module(recorded)) if own else {}
    changed = [explain.code_file(key) for key in there if there[key] != now.get(key)]
    return Code(here, tuple(changed))


def _module(recorded: Recorded) -> str:
    """Return the module of `steps` that a step runs."""
    return str(recorded.job.entrypoint[-1]).rpartition(".")[2]


def with_code_of(recorded: Recorded, root: Path, own: CustomCode | None = None) -> Recorded:
    """Return the step with the code of a folder: its files themselves, so that pdb shows and stops in them."""
    environment = {name: value.replace(_CODE, str(root)) for name, value in recorded.job.environment.items()}
    if own:
        environment[hooknames.FOLDER_VARIABLE] = str(own.path.parent.resolve())
    return replace(recorded, job=replace(recorded.job, environment=environment))


def _debugged(recorded: Recorded) -> Recorded:
    own = {**recorded.job.environment, contract.DEBUG_VARIABLE: "1"}
    return replace(recorded, job=replace(recorded.job, environment=own))


def say_start(recorded: Recorded, code: Code) -> str:
    """Return what is run, with which code."""
    which = "the repository's code" if code.here else "the code it had"
    lines = [f"{recorded.step.name} of {recorded.execution_id}, with {which}"]
    if code.changed:
        differs = "differs" if len(code.changed) == 1 else "differ"
        from_what = "from what it had" if code.here else "in the repository; --code runs that"
        lines.append(f"  {_listed(code.changed)} {differs} {from_what}")
    return "\n".join(lines) + "\n"


def say_end(recorded: Recorded, done: Replayed, debug: str) -> str:
    """Return how the step ended, and where its files are."""
    name = f"{recorded.step.name} of {recorded.execution_id}"
    if done.exit.code:
        lines = [f"{name}: failed, exit code {done.exit.code}", f"  folder  {done.folder}", f"error: {done.reason}"]
        return "\n".join([*lines, *([f"debug with: {debug}"] if debug else [])]) + "\n"
    return f"{name}: succeeded, exit code 0\n  outputs {_say_outputs(done)}\n  folder  {done.folder}\n"


def _say_outputs(done: Replayed) -> str:
    if done.differing is None:
        return f"{_count(done.files)}; the execution has none of this step to compare with"
    if not done.differing:
        return f"{_count(done.files)}, the same bytes as in the execution"
    note = "(files that hold measured times never are)"
    return f"{_count(done.files)}; not the same bytes as in the execution: {_listed(done.differing)} {note}"


def _count(files: int) -> str:
    return f"{files} file{'' if files == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
