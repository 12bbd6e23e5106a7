"""Forecasts the steps of an execution that has not been started: compiled, but with nothing put into the workspace."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from pipelines import surroundings
from pipelines.local.cache import Digests, file_digest
from pipelines.local.forecast import Forecast, Oracle
from pipelines.local.overlay import Overlay
from pipelines.local.request import Request
from pipelines.local.workspace import Workspace


def forecast(request: Request, files: Mapping[str, bytes], workspace: Workspace) -> tuple[Forecast, ...]:
    """Return what would become of each step.

    Args:
        request: the execution as it would be started.
        files: objects by URI that a start would put into the workspace: code, settings, manifests.
        workspace: where it would run.
    """
    with tempfile.TemporaryDirectory() as folder:
        front = Workspace(Path(folder).resolve())
        for uri, content in files.items():
            path = front.path(uri)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        digests = Digests(workspace.cache / "digests.sqlite")
        try:
            seen = Overlay(workspace.root, workspace.mounts, front=front)
            return Oracle(request, seen, _digest(digests, front.root), surroundings.fingerprint()).forecast()
        finally:
            digests.close()


def _digest(digests: Digests, passing: Path) -> Callable[[Path], str]:
    """Return what gives a file's sha256 without remembering those below a folder that is about to go."""

    def digest(path: Path) -> str:
        return file_digest(path) if path.is_relative_to(passing) else digests.of(path)

    return digest
