"""Register: every model that trained becomes a version in its segment's registry group, once, with its
verdict.

`describe_package` and `choose_surplus` are pure. `handler` copies artifacts to the registry prefix (which
never expires), makes the packages, and deletes unapproved versions beyond `registry.keep` with the artifacts that
no other version has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from lambda_trigger import evaluation, many, settings, verdicts
from lambda_trigger.evaluation import Evaluation
from lambda_trigger.ports import (
    APPROVED,
    METADATA_LIMIT,
    PENDING,
    REJECTED,
    ModelPackage,
    NewPackage,
    ObjectStore,
    Ports,
    RegistryError,
    Scalar,
    join_uri,
    ports_for,
)
from lambda_trigger.settings import Model, Settings
from lambda_trigger.text import make_logger
from lambda_trigger.verdicts import Verdict
from steps import contract

log = make_logger(__name__)

TRUE, FALSE = "true", "false"
KEPT_BESIDE = (contract.EVALUATION_FILE, contract.SCHEMA_FILE)
"""Files that lie beside a registered artifact, so that nobody has to open it for them."""


def handler(event: Mapping[str, Scalar], context: object) -> dict[str, Scalar]:
    """Register the models of an execution; return `Registered`, the number of versions made."""
    ports = ports_for(context)
    chosen = settings.parse(ports.objects.read_text(str(event[contract.KEY_SETTINGS])))
    found = verdicts.parse(ports.objects.read_text(str(event[contract.KEY_VERDICTS])))
    made = many.for_each(
        chosen.models, lambda model: _register_model(ports, chosen, event, model, found.of(model.slug))
    )
    log.info("registered %d models", sum(made))
    return {contract.OUT_REGISTERED: sum(made)}


def describe_package(
    model: Model, verdict: Verdict, found: Evaluation, event: Mapping[str, Scalar], auto: bool
) -> dict[str, str]:
    """Return a package's metadata: scalars as text; `auto` tells that the gate's verdict approves it."""
    execution = str(event[contract.KEY_EXECUTION])
    values = {
        "model": model.name,
        "mae": found.mae,
        "baseline_mae": found.baseline_mae,
        "autogluon_version": found.autogluon_version,
        "python_version": found.python_version,
        "sha256": found.sha256,
        "data_version": event[contract.TRAIN_DATA_VERSION],
        "execution": execution,
        "accepted": TRUE if verdict.accepted else FALSE,
        "auto_approved": TRUE if auto else FALSE,
        "token": make_token(execution, model.slug),
    }
    return as_metadata(values)


def as_metadata(values: Mapping[str, Scalar | None]) -> dict[str, str]:
    """Return values as the registry takes them: text of at most 256 characters, nothing empty."""
    texts = {key: str(value)[:METADATA_LIMIT] for key, value in values.items() if value is not None}
    return {key: text for key, text in texts.items() if text}


def make_token(*parts: str) -> str:
    """Return the token under which registering something twice is the same as once."""
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def choose_surplus(packages: Iterable[ModelPackage], keep: int) -> tuple[ModelPackage, ...]:
    """Return the unapproved packages beyond the `keep` newest of them; `packages` come newest first."""
    unapproved = [package for package in packages if package.status != APPROVED]
    return tuple(unapproved[max(keep, 1) :])


def copy_artifact(objects: ObjectStore, source: str, registry: str, slug: str, sha256: str) -> str:
    """Copy an artifact to its place in the registry unless it is there; return its URI."""
    target = join_uri(registry, slug, sha256, contract.MODEL_FILE)
    if not objects.exists(target):
        objects.copy(source, target)
    return target


def _register_model(
    ports: Ports, chosen: Settings, event: Mapping[str, Scalar], model: Model, verdict: Verdict
) -> bool:
    """Register one model; tell whether a version was made."""
    group = chosen.group(model)
    ports.registry.ensure_group(group)
    if verdict.status != contract.TRAINED:
        return False
    found = evaluation.read(ports.objects, event, model)
    auto = chosen.approval == "auto" and verdict.accepted
    metadata = describe_package(model, verdict, found, event, auto)
    known = _find_registered(ports, group.name, join_uri(event[contract.KEY_REGISTRY], model.slug), found.sha256)
    if known is None:
        ports.registry.register(_new_package(ports.objects, chosen, event, model, found, metadata))
    elif auto and known.status == PENDING:
        changed = {key: metadata[key] for key in ("accepted", "auto_approved", "execution")}
        ports.registry.set_status(known, APPROVED, changed)
    _prune(ports, group.name, chosen.keep, join_uri(event[contract.KEY_REGISTRY], model.slug))
    return known is None


def _find_registered(ports: Ports, group: str, folder: str, sha256: str | None) -> ModelPackage | None:
    """Return the version that has an artifact already; versions are described one by one, so only if there may be one.

    A new artifact is not in the registry's `folder` yet: that spares a call for every version there ever was.
    """
    if not sha256 or not ports.objects.exists(join_uri(folder, sha256, contract.MODEL_FILE)):
        return None
    return next((package for package in ports.registry.packages(group) if package.sha256 == sha256), None)


def _new_package(
    objects: ObjectStore,
    chosen: Settings,
    event: Mapping[str, Scalar],
    model: Model,
    found: Evaluation,
    metadata: Mapping[str, str],
) -> NewPackage:
    if not found.sha256:
        raise RegistryError(f"{evaluation.uri_of(event, model)}: a trained model without the sha256 of its artifact")
    registry = str(event[contract.KEY_REGISTRY])
    source = join_uri(event[contract.model_key(model.unit)], model.slug, contract.MODEL_FILE)
    artifact = copy_artifact(objects, source, registry, model.slug, found.sha256)
    for name in KEPT_BESIDE:
        beside = join_uri(registry, model.slug, found.sha256, name)
        if not objects.exists(beside):
            objects.copy(join_uri(event[contract.evaluation_key(model.unit)], model.slug, name), beside)
    return NewPackage(
        group=chosen.group(model).name,
        status=APPROVED if metadata["auto_approved"] == TRUE else PENDING,
        artifact_uri=artifact,
        image_uri=str(event[contract.KEY_IMAGE]),
        token=metadata["token"],
        metadata=metadata,
        evaluation_uri=join_uri(registry, model.slug, found.sha256, contract.EVALUATION_FILE),
    )


def _prune(ports: Ports, group: str, keep: int, folder: str) -> None:
    """Delete surplus versions and, of `folder`, what only they refer to; a version goes before its artifact."""
    unapproved = [package for status in (PENDING, REJECTED) for package in ports.registry.packages(group, status)]
    surplus = choose_surplus(sorted(unapproved, key=lambda p: (p.created, p.version), reverse=True), keep)
    others = ports.registry.packages(group) if surplus else ()
    kept = {package.artifact_uri for package in others if package not in surplus}
    for package in surplus:
        ports.registry.delete(package)
        artifact = join_uri(folder, package.sha256, contract.MODEL_FILE)
        if package.sha256 and package.artifact_uri == artifact and artifact not in kept:
            ports.objects.delete(artifact)
            for name in KEPT_BESIDE:
                ports.objects.delete(join_uri(folder, package.sha256, name))
