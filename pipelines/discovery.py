"""Count the rows of each segment in a raw folder, by running `steps.segments` as a process of its own.

The operator's side does not read data itself; the process has the same code and libraries as the steps.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from pipelines import slices
from pipelines.errors import DataError
from pipelines.models import Census
from pipelines.settings import Model, Segments, Settings
from steps import contract

ROOT = Path(__file__).resolve().parent.parent


def count_segments(settings: Settings, raw: Path, roles: tuple[str, ...] = slices.ROLES) -> Census:
    """Return the rows of each segment (or listed model) in the raw folder's files of these roles.

    Raises:
        DataError: the folder is missing, or its files cannot be read as the settings promise.
    """
    return Census.from_json(read_counts(settings, raw, roles))


def read_counts(settings: Settings, raw: Path, roles: tuple[str, ...] = slices.ROLES) -> dict[str, Any]:
    """Return what `steps.segments` prints; errors as of `count_segments`."""
    if not raw.is_dir():
        raise DataError(f"{raw}: no such raw folder; give the folder with the raw files with --raw")
    with tempfile.TemporaryDirectory() as folder:
        request = Path(folder) / "request.json"
        request.write_text(contract.to_json(make_request(settings, roles)), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "steps.segments",
            "--settings",
            str(request),
            "--raw",
            str(raw.resolve()),
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == 2:
        raise DataError(*done.stderr.strip().splitlines())
    if done.returncode:
        raise RuntimeError(f"steps.segments ended with {done.returncode}:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def make_request(settings: Settings, roles: tuple[str, ...] = slices.ROLES) -> dict[str, object]:
    """Return the part of the settings that the counts depend on, as `steps.segments` reads it."""
    data = settings.data
    return {
        "roles": list(roles),
        "glob_train": list(data.train),
        "glob_predict": list(data.predict),
        "label": data.label,
        "id": data.id,
        "drop": list(data.drop),
        "delimiter": data.delimiter,
        "segment": slices.segment_column(settings),
        "min_rows": settings.min_rows,
        "on_segment_failure": settings.on_segment_failure,
        "models": None if isinstance(settings.models, Segments) else [_listed(model) for model in settings.models],
    }


def _listed(model: Model) -> dict[str, object]:
    where = {column: list(values) for column, values in model.where.items()} if model.where else None
    globs = {"train": model.train and list(model.train), "predict": model.predict and list(model.predict)}
    return {"name": model.name, "slug": model.name, "where": where, **globs, "pooled": False}
