"""Which model serves a segment, as decided upstream: `decision.json` in the gate's else branch, else the fresh one.

It reads JSON and finds files; it opens no artifact and decides nothing itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steps import contract, job


@dataclass(frozen=True)
class Delivery:
    """Who serves a segment and why; package and version name a registered default, `artifact` is where it lies."""

    name: str
    slug: str
    source: str
    reason: str
    sha256: str | None
    artifact: Path
    package: str | None = None
    version: int | None = None


def delivery_of(model: Mapping[str, Any]) -> Delivery:
    """Return who serves a model's segment.

    Raises:
        StepError: the model is not in the decision, or has no fresh artifact.
    """
    decision = contract.input_dir(contract.IN_DECISION) / contract.DECISION_FILE
    if decision.is_file():
        return _decided(model, job.read_json(decision))
    return _fresh(model)


def _decided(model: Mapping[str, Any], decision: Mapping[str, Any]) -> Delivery:
    found = decision["models"].get(model["slug"])
    if found is None:
        raise job.StepError(
            f"model {model['name']} is not in {contract.DECISION_FILE}, which has "
            f"{len(decision['models'])} models: run Decide with the same models"
        )
    return Delivery(
        name=model["name"],
        slug=model["slug"],
        source=found["source"],
        reason=found["reason"],
        sha256=found["sha256"],
        artifact=_decided_path(model["slug"], decision.get("prefix"), found),
        package=found["package"],
        version=found["version"],
    )


def _fresh(model: Mapping[str, Any]) -> Delivery:
    path = evaluation_dir(model["slug"]) / contract.EVALUATION_FILE
    if not path.is_file():
        raise job.StepError(f"model {model['name']} has no {contract.EVALUATION_FILE}: run its Train step first")
    found = job.read_json(path)
    if found["status"] == contract.SKIPPED:
        path = _artifact_path(model["slug"])
        return Delivery(model["name"], model["slug"], contract.SKIPPED, found["reason"] or "", None, path)
    if found["artifact"] is None:
        raise job.StepError(
            f"model {model['name']} was not trained ({found['reason']}) and no default was decided on: "
            "approve or register a default model for it"
        )
    return Delivery(
        name=model["name"],
        slug=model["slug"],
        source=contract.FRESH,
        reason="the gate accepted the fresh model",
        sha256=found["artifact"]["sha256"],
        artifact=_artifact_path(model["slug"]),
    )


def evaluation_dir(slug: str) -> Path:
    """Return the folder of a model's small training files."""
    return contract.input_dir(contract.IN_EVALUATION) / slug


def _decided_path(slug: str, prefix: str | None, found: Mapping[str, Any]) -> Path:
    """Return where a chosen artifact lies: the files of a manifest keep their keys below its prefix."""
    if prefix is None:
        return _artifact_path(slug)
    uri = str(found["model_uri"])
    key = uri.removeprefix(prefix)
    if key == uri or contract.key_problem(key):
        raise job.StepError(f"{contract.DECISION_FILE}: {uri} does not lie below {prefix}: run Decide again")
    return contract.input_dir(contract.IN_MODEL) / key


def _artifact_path(slug: str) -> Path:
    """Return where a model's artifact lies: in its own folder when a step serves several models."""
    root = contract.input_dir(contract.IN_MODEL)
    own = root / slug / contract.MODEL_FILE
    return own if own.is_file() else root / contract.MODEL_FILE


def copy_training(slug: str, target: Path) -> None:
    """Copy a model's small training files beside its predictions, those there are."""
    target.mkdir(parents=True, exist_ok=True)
    for name in contract.TRAINING_FILES:
        source = evaluation_dir(slug) / name
        if source.is_file():
            shutil.copyfile(source, target / name)


def copy_profile(slug: str, target: Path) -> None:
    """Copy the profile of a model's rows to predict beside its predictions, where there is one."""
    source = contract.input_dir(contract.IN_PREDICT) / slug / contract.PROFILE_FILE
    if source.is_file():
        shutil.copyfile(source, target / contract.PROFILE_FILE)
