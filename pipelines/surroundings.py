"""The outside world of a local execution: process launcher, Lambda code with local ports, clock, fingerprint.

The only place of the operator's side that knows `lambda_trigger`: a function `<pipeline>-<name>` is
`lambda_trigger.<name>:handler`, on AWS by its CloudFormation name and here by this convention.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import io
import platform
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lambda_trigger.folders import LocalContext, local_ports
from pipelines.errors import DefinitionError
from pipelines.local.engine import World
from pipelines.local.launch import ProcessLauncher
from pipelines.local.workspace import Workspace

if TYPE_CHECKING:
    from pipelines.progress import Progress

DEPENDENCIES = (
    "autogluon.tabular",
    "catboost",
    "duckdb",
    "lightgbm",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "xgboost",
    "xgboost-cpu",
)
"""Libraries whose version may change what a step computes: another version, another cache key."""

Scalar = str | int | float | bool


def make_world(workspace: Workspace, pipeline: str, progress: Progress, hint: str) -> World:
    """Return the outside world of an execution in this workspace."""
    console = _Console(progress.say)
    ports = local_ports(workspace.root, workspace.path, console, hint)
    return World(
        workspace=workspace,
        launcher=ProcessLauncher(),
        call_lambda=_caller(pipeline, LocalContext(ports)),
        clock=time.time,
        fingerprint=fingerprint(),
    )


def _caller(pipeline: str, context: LocalContext) -> Callable[[str, dict[str, Scalar]], Mapping[str, Scalar]]:
    def call(function: str, event: dict[str, Scalar]) -> Mapping[str, Scalar]:
        result: Mapping[str, Scalar] = _handler(pipeline, function)(event, context)
        return result

    return call


def _handler(pipeline: str, function: str) -> Callable[[Mapping[str, Scalar], Any], Any]:
    name = function.rpartition(":")[2].removeprefix(f"{pipeline}-")
    module = f"lambda_trigger.{name}"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or importlib.util.find_spec(module) is None:
        raise DefinitionError(
            f"function {function}: there is no lambda_trigger/{name}.py; write it with handler(event, context)"
        )
    handler: Callable[[Mapping[str, Scalar], Any], Any] = importlib.import_module(module).handler
    return handler


def fingerprint() -> str:
    """Return a digest of the interpreter and of the libraries that decide what a step computes."""
    versions = [f"python {platform.python_version()} {platform.machine()}"]
    for name in DEPENDENCIES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} none")
    return hashlib.sha256("\n".join(versions).encode()).hexdigest()


class _Console(io.StringIO):
    """Hands whole lines to the progress display, so that mails and the live table do not write over each other."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say, self._rest = say, ""

    def write(self, text: str) -> int:
        """Show every line that is complete, those of one call together."""
        *lines, self._rest = (self._rest + text).split("\n")
        if lines:
            self._say("\n".join(lines))
        return len(text)
