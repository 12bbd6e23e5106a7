"""The outside world of a local execution: launchers, Lambda code with local ports, clock, fingerprint.

The only place of the operator's side that knows `lambda_trigger`: a function `<pipeline>-<name>` is
`lambda_trigger.<name>:handler`, on AWS by its CloudFormation name and here by this convention.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import io
import platform
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambda_trigger.folders import LocalContext, local_ports
from pipelines import explain
from pipelines.account import NOT_SET
from pipelines.deployment import IMAGES
from pipelines.errors import DefinitionError, ExecutionError
from pipelines.image_tags import LIBRARIES, image_tags
from pipelines.instances import machine_of
from pipelines.local import container
from pipelines.local.engine import World
from pipelines.local.forks import ForkLauncher
from pipelines.local.launch import Launcher, ProcessLauncher
from pipelines.local.request import expect_nothing
from pipelines.local.workspace import Workspace
from pipelines.versions import read_installed

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

FORK, PROCESS, DOCKER = "fork", "process", "docker"
"""The launchers: steps that need AutoGluon as forks of one process that imported it, all as processes of their own, or
in containers."""
FORKED = ("steps.train", "steps.infer")
IMPORTED = (
    "autogluon.tabular",
    "catboost",
    "lightgbm",
    "networkx",
    "pandas",
    "pyarrow.compute",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "xgboost",
)
"""What nearly every training and inference needs; what is not here they import for themselves."""
ROOT = Path(__file__).resolve().parent.parent

Scalar = str | int | float | bool


@contextmanager
def open_world(
    workspace: Workspace, pipeline: str, progress: Progress, hint: str, launcher: str | None = None
) -> Iterator[World]:
    """Give the outside world of an execution in this workspace; processes kept for its steps end with the block."""
    console = _Console(progress.say)
    here = None if launcher == DOCKER else read_installed()
    ports = local_ports(workspace.root, workspace.path, console, hint, here)
    with _launching(launcher) as (chosen, stamp):
        yield World(
            workspace=workspace,
            launcher=chosen,
            call_lambda=_caller(pipeline, LocalContext(ports)),
            clock=time.time,
            fingerprint=stamp,
            say=progress.say,
            explain=explain.say_changes,
            machine_of=machine_of,
            expect=chosen.expect if isinstance(chosen, ForkLauncher) else expect_nothing,
        )


@contextmanager
def _launching(launcher: str | None) -> Iterator[tuple[Launcher, str]]:
    """Give a launcher, and what a step's result depends on besides its definition."""
    if launcher == DOCKER:
        yield _containers()
    elif launcher == PROCESS:
        yield ProcessLauncher(), fingerprint()
    else:
        with ForkLauncher(FORKED, IMPORTED) as forks:
            yield forks, fingerprint()


def _containers() -> tuple[Launcher, str]:
    """Return the launcher over the images of this repository, and their ids, which stand for what a step computes."""
    names = local_images(ROOT)
    found = container.image_ids(tuple(names.values()))
    missing = [image for image, name in names.items() if name not in found]
    if missing:
        raise ExecutionError(
            f"--launcher docker: image {', '.join(missing)} is not built; build them with: make containers"
        )
    stamp = "\n".join(f"image-{image} {found[name]}" for image, name in names.items())
    return container.ContainerLauncher(lambda uri: engine_image(uri, names)), stamp


def local_images(root: Path) -> dict[str, str]:
    """Return what `make containers` calls each image on this machine."""
    return {image: f"segment-pipeline-{image}:{tag}" for image, tag in image_tags(root).items()}


def engine_image(uri: str, names: Mapping[str, str]) -> str:
    """Return the engine's image for a definition's: the placeholder of an image is the one built here."""
    return next((names[image] for image in IMAGES if uri.endswith(f"-{image}:{NOT_SET}")), uri)


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


def fingerprint(added: Path = ROOT / LIBRARIES) -> str:
    """Return the interpreter and the libraries that decide what a step computes with their versions, one a line.

    A library stands there once, however often it is added and however its name is written.
    """
    names: dict[str, str] = {}
    for name in (*DEPENDENCIES, *added_libraries(added)):
        names.setdefault(re.sub(r"[-_.]+", "-", name).lower(), name)
    versions = [f"{name} {_installed(name) or 'none'}" for name in names.values()]
    return "\n".join([f"python {platform.python_version()} {platform.machine()}", *versions])


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def library_warnings(added: Path = ROOT / LIBRARIES) -> Iterator[str]:
    """Yield a sentence for each added library of which another version than the one asked for is installed."""
    for line in added.read_text(encoding="utf-8").splitlines() if added.is_file() else ():
        asked = re.match(r"\s*([A-Za-z0-9][\w.-]*)\s*==\s*([\w.!+-]+)\s*(?:#|$)", line)
        if asked and (installed := _installed(asked[1])) != asked[2]:
            found = f"{installed} is installed" if installed else "it is not installed"
            yield f"{LIBRARIES} asks for {asked[1]} {asked[2]}, but {found}: steps run with what is there; make install"


def added_libraries(path: Path) -> Iterator[str]:
    """Yield the names of the libraries that the user has added."""
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        if found := re.match(r"\s*([A-Za-z0-9][\w.-]*)", line):
            yield found[1]


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
