"""Registered models trained again with today's code and libraries, on the data that they were trained on.

The core of `pipelines.registry refresh`, the same for a workspace and for AWS: only how a model is fitted again
(`Refit`) differs. The new artifact is checked like one that is registered by hand, its MAE (on the same holdout rows)
compared with the recorded one, and what is not worse than the tolerance allows takes the old version's place.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_trigger import evaluation
from lambda_trigger.evaluation import Evaluation
from lambda_trigger.ports import APPROVED, PENDING, ModelGroup, ModelPackage, NewPackage, PortError, Status
from lambda_trigger.register import FALSE, as_metadata, make_token
from lambda_trigger.text import quote_argument
from pipelines import catalog as catalogs
from pipelines.artifact import Artifact, take
from pipelines.catalog import Catalog
from pipelines.errors import PipelineError, RegistryError
from pipelines.local.step import Definition
from steps import contract


@dataclass(frozen=True)
class Wanted:
    """A version that is to be fitted again: the one that serves its model by default."""

    group: ModelGroup
    slug: str
    package: ModelPackage

    @property
    def execution(self) -> str | None:
        """Return the execution that trained it, or None for an artifact that was registered by hand."""
        return self.package.metadata.get("execution")


@dataclass(frozen=True)
class Place:
    """Where a model is trained: its Train step, and the folders of its prepared rows and of those of its whole job."""

    step: str
    prepared: str
    needed: frozenset[str]


def find_place(models: Iterable[Mapping[str, Any]], slug: str) -> Place:
    """Return where a model is trained, by the models in the settings of a definition's PrepareTraining step."""
    known = list(models)
    shard = next((model.get("shard") for model in known if model["slug"] == slug), None)
    together = {slug, *(model["slug"] for model in known if shard and model.get("shard") == shard)}
    needed = frozenset(contract.prepared_folder(each, shard) for each in together)
    return Place(f"{contract.TRAIN}-{shard or slug}", contract.prepared_folder(slug, shard), needed)


def settings_of(definition: Definition) -> str | None:
    """Return the URI of the settings that the PrepareTraining step of a definition reads, or None if it reads none."""
    steps = [step.arguments for step in definition.every_step() if step.name == contract.PREPARE_TRAINING]
    inputs = [given for arguments in steps for given in arguments.get("ProcessingInputs") or ()]
    uris = [given["S3Input"]["S3Uri"] for given in inputs if given["InputName"] == contract.IN_SETTINGS]
    return f"{uris[0]}/{contract.SETTINGS_FILE}" if uris else None


@dataclass(frozen=True)
class Refitted:
    """What training again has left: URIs of its evaluation and artifact, its execution and the image it ran in."""

    execution: str
    evaluation_uri: str
    artifact_uri: str
    image_uri: str


Refit = Callable[[Wanted], Refitted]
"""Trains the model of a version again; a PipelineError tells why that cannot be."""


@dataclass(frozen=True)
class Rules:
    """What happens to a refitted model: by which share its MAE may be worse, and whether somebody else approves it."""

    tolerance: float
    pending: bool = False


@dataclass(frozen=True)
class Refreshed:
    """What became of one model; `problem` says why it was not trained again, or why it waits."""

    model: str
    slug: str
    refreshed_from: int
    old_mae: float | None
    version: int | None = None
    new_mae: float | None = None
    status: str | None = None
    loads_here: bool | None = None
    problem: str | None = None

    @property
    def difference(self) -> float | None:
        """Return by which share the new MAE is above the old one."""
        return _difference(self.old_mae, self.new_mae)

    def to_json(self) -> dict[str, Any]:
        """Return the row that `--json` prints."""
        return {**self.__dict__, "difference": self.difference}


def choose(catalog: Catalog, model: str | None) -> list[Wanted]:
    """Return the version that serves a model, or, without a model, every serving version that does not load here.

    Raises:
        RegistryError: there is no such model, or no version of it is approved.
    """
    if model is None:
        serving = (_serving(catalog, group) for group in catalogs.groups(catalog))
        return [wanted for wanted in serving if wanted and catalogs.loads_here(catalog, wanted.package) is False]
    group = catalogs.find_group(catalog, model)
    found = _serving(catalog, group)
    if found is None:
        raise RegistryError(
            f"{group.model}: no version is approved, so none is to be refreshed; see them with: "
            + catalog.ports.command("registry", "list")
        )
    return [found]


def _serving(catalog: Catalog, group: ModelGroup) -> Wanted | None:
    package = catalogs.serving_version(catalog, group)
    return Wanted(group, catalogs.slug_of(catalog, group), package) if package else None


def refresh(catalog: Catalog, wanted: list[Wanted], refit: Refit, rules: Rules) -> Iterator[Refreshed]:
    """Train one model after the other again and register what comes of it; one that fails stops no other."""
    for one in wanted:
        try:
            yield _refresh(catalog, one, refit, rules)
        except (PipelineError, PortError) as error:
            loads = catalogs.loads_here(catalog, one.package)
            yield Refreshed(**_identity(one), loads_here=loads, problem=" ".join(str(error).split()))


def _identity(wanted: Wanted) -> dict[str, Any]:
    package = wanted.package
    old = catalogs.number(package.metadata.get("mae"))
    return {
        "model": wanted.group.model,
        "slug": wanted.slug,
        "refreshed_from": package.version,
        "old_mae": old,
    }


def _refresh(catalog: Catalog, wanted: Wanted, refit: Refit, rules: Rules) -> Refreshed:
    refitted = refit(wanted)
    found = _evaluation(catalog, refitted)
    waits = _why_pending(wanted, found, rules)
    package = _register(catalog, wanted, refitted, found, PENDING if waits else APPROVED)
    return Refreshed(
        **_identity(wanted),
        version=package.version,
        new_mae=found.mae,
        status=package.status,
        loads_here=catalogs.loads_here(catalog, package),
        problem=None if package.status == APPROVED else waits or f"version {package.version} is {package.status}",
    )


def _evaluation(catalog: Catalog, refitted: Refitted) -> Evaluation:
    found = evaluation.parse(catalog.ports.objects.read_text(refitted.evaluation_uri))
    if found.status != contract.TRAINED or not found.sha256:
        reason = found.reason or f"its training is {found.status}"
        raise RegistryError(f"could not be trained again in execution {refitted.execution}: {reason}")
    return found


def _why_pending(wanted: Wanted, found: Evaluation, rules: Rules) -> str:
    """Return why a refitted model is not approved, or nothing."""
    old = catalogs.number(wanted.package.metadata.get("mae"))
    worse = _difference(old, found.mae)
    if rules.pending:
        return "it waits, as --pending asked for"
    if worse is None:
        return "there are no two MAEs to compare"
    if worse > rules.tolerance:
        return (
            f"its MAE is {worse:.1%} above that of version {wanted.package.version} (tolerance {rules.tolerance:.1%})"
        )
    return ""


def _difference(old: float | None, new: float | None) -> float | None:
    if old is None or new is None:
        return None
    if old <= 0:
        return 0.0 if new <= old else None
    return (new - old) / old


def _register(catalog: Catalog, wanted: Wanted, refitted: Refitted, found: Evaluation, status: Status) -> ModelPackage:
    """Copy the artifact to the registry and make a version of it, unless it has one; return that version.

    Training again may give the very same artifact: then its own version is told what the artifact says of itself.
    """
    objects, registry = catalog.ports.objects, catalog.ports.registry
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / contract.MODEL_FILE
        objects.download(refitted.artifact_uri, path)
        artifact = take(path, Path(folder), refitted.artifact_uri)
        if artifact.sha256 != found.sha256:
            raise RegistryError(
                f"{refitted.artifact_uri}: has sha256 {artifact.sha256}, {contract.EVALUATION_FILE} says "
                f"{found.sha256}: it is not registered; refresh the model again"
            )
        target = catalogs.store(catalog, wanted.slug, artifact)
    beside = f"{target.rpartition('/')[0]}/{contract.EVALUATION_FILE}"
    if not objects.exists(beside):
        objects.copy(refitted.evaluation_uri, beside)
    known = next((p for p in registry.packages(wanted.group.name) if p.sha256 == artifact.sha256), None)
    if known is None:
        return registry.register(_new_package(wanted, refitted, found, artifact, (target, beside), status))
    versions = {key: str(artifact.metadata[key]) for key in ("autogluon_version", "python_version")}
    approved = status == APPROVED and known.status == PENDING
    registry.set_status(known, APPROVED if approved else known.status, {**versions, "auto_approved": FALSE})
    return next(p for p in registry.packages(wanted.group.name) if p.version == known.version)


def _new_package(
    wanted: Wanted,
    refitted: Refitted,
    found: Evaluation,
    artifact: Artifact,
    places: tuple[str, str],
    status: Status,
) -> NewPackage:
    values = {
        "model": wanted.group.model,
        "mae": found.mae,
        "baseline_mae": found.baseline_mae,
        "autogluon_version": artifact.metadata["autogluon_version"],
        "python_version": artifact.metadata["python_version"],
        "sha256": artifact.sha256,
        "data_version": wanted.package.metadata.get("data_version"),
        "execution": refitted.execution,
        "refreshed_from": wanted.package.version,
        "auto_approved": FALSE,
    }
    return NewPackage(
        group=wanted.group.name,
        status=status,
        artifact_uri=places[0],
        image_uri=refitted.image_uri,
        token=make_token("refresh", refitted.execution, wanted.group.name),
        metadata=as_metadata(values),
        evaluation_uri=places[1],
    )


def approval(catalog: Catalog, row: Refreshed) -> str | None:
    """Return the command that approves a refitted version which waits."""
    if row.version is None or row.status == APPROVED:
        return None
    return catalog.ports.command("registry", f"approve {quote_argument(row.model, row.slug)} {row.version}")


def unrecorded(catalog: Catalog, wanted: Wanted, why: str) -> RegistryError:
    """Return the error of a version whose training data cannot be had again, with the command that trains anew."""
    start = catalog.ports.command("run", "--raw FOLDER")
    return RegistryError(
        f"the data that version {wanted.package.version} was trained on cannot be had again ({why}); train on today's "
        f"with: {start}"
    )
