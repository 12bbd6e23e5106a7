"""Where everything in a run came from: data, code, images, libraries, settings, artifacts. Pure.

What PostProcess cannot see itself (code, images, settings) the definition hands over in its slice of the settings.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

from steps import summary
from steps.language import Language
from steps.report_figures import ABSENT, Json

SETTINGS = 400
"""Settings that the page shows."""
LIBRARIES = ("duckdb", "jinja2", "numpy", "plotly", "pyarrow")
"""What PostProcess works with."""

Pairs = list[tuple[str, str]]


def facts(run: summary.Run, say: Language) -> Pairs:
    """Return execution, data versions, policy and parameters."""
    found = [
        (say("Execution"), run.execution),
        (say("Execution began (UTC)"), run.started or ABSENT),
        (say("Raw data"), run.raw),
        (say("Training data version"), run.train_version or ABSENT),
        (say("Prediction data version"), run.predict_version),
        (say("Fallback policy"), run.policy or ABSENT),
    ]
    return [*found, *((say("Parameter {name}", name=name), value) for name, value in run.parameters.items())]


def versions(run: summary.Run, say: Language) -> Pairs:
    """Return interpreters and libraries with their versions, of the trainings and of this step."""
    here = [(name, _version(name)) for name in LIBRARIES]
    return [
        ("AutoGluon", _of_models(run.models, "autogluon_version")),
        (say("Python of the training"), _of_models(run.models, "python_version")),
        (say("Python of this page"), platform.python_version()),
        *((say("{library} of this page", library=name), version) for name, version in here if version),
    ]


def _of_models(models: Sequence[summary.Model], key: str) -> str:
    found = {str(value) for m in models for value in [m.evaluation.get(key) or m.inference.get(key)] if value}
    return ", ".join(sorted(found)) or ABSENT


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def code(run: summary.Run) -> Pairs:
    """Return the sha256 of each step's code bundle."""
    return sorted((str(name), str(digest)) for name, digest in (_lineage(run).get("code") or {}).items())


def images(run: summary.Run) -> Pairs:
    """Return the images that the steps run in on AWS."""
    return sorted((str(name), str(uri)) for name, uri in (_lineage(run).get("images") or {}).items())


def settings(run: summary.Run) -> Pairs:
    """Return the settings as lines of a table, keys joined by dots, at most SETTINGS of them."""
    return list(flatten(_lineage(run).get("settings") or {}))[:SETTINGS]


def _lineage(run: summary.Run) -> Json:
    found: Json = run.settings.get("lineage") or {}
    return found


def flatten(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield each leaf of nested settings with the keys that lead to it; a list of plain values is one leaf."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from flatten(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for at, inner in enumerate(value):
            yield from flatten(inner, f"{key}[{at}]")
    else:
        yield key, _leaf(value)


def _leaf(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or ABSENT
    return ABSENT if value in (None, {}) else str(value)


def artifacts(models: Sequence[summary.Model]) -> list[dict[str, Any]]:
    """Return the artifact that served each model, and the one that this run trained."""
    return [_artifact(model) for model in models]


def _artifact(model: summary.Model) -> dict[str, Any]:
    served, trained = model.inference.get("artifact_sha256"), (model.evaluation.get("artifact") or {}).get("sha256")
    return {
        "name": model.name,
        "served": model.source,
        "version": model.inference.get("version"),
        "package": model.inference.get("package"),
        "sha256": served,
        "trained": trained,
        "same": served is not None and served == trained,
        "autogluon": model.inference.get("autogluon_version"),
    }


def data_files(data: Json) -> list[tuple[str, int, int | None]]:
    """Return the raw files of a side: key, rows, bytes where they are known."""
    return [(str(file["key"]), int(file["rows"]), file.get("bytes")) for file in data.get("files") or ()]
