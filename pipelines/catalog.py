"""The registered default models of one pipeline: list, approve, reject, register over ports.

The core of `pipelines.registry`. A Catalog is the same for a workspace and for AWS, only its ports differ. A default
model is the newest approved version of its segment.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_trigger.decide import find_default
from lambda_trigger.ports import APPROVED, PENDING, REJECTED, ModelGroup, ModelPackage, NewPackage, Ports
from lambda_trigger.register import FALSE, as_metadata, make_token
from lambda_trigger.text import quote_argument
from pipelines.artifact import Artifact, take
from pipelines.errors import RegistryError, nearest
from pipelines.settings import Segments, Settings
from steps import contract
from steps.contract import Versions

_COLUMNS = ("version", "status", "mae", "autogluon_version", "python_version", "loads_here", "created", "execution")


@dataclass(frozen=True)
class Catalog:
    """The registered models of one pipeline. `prefix` is the URI below which their artifacts lie.

    `listed` are the models that the config names; `closed` tells that there can be no others. `here` are the versions
    with which a default would be loaded, None where nobody can tell.
    """

    ports: Ports
    pipeline: str
    prefix: str
    listed: tuple[str, ...]
    closed: bool
    timezone: str
    here: Versions | None = None


@dataclass(frozen=True)
class Change:
    """What a command did: one sentence for people, and the notes that they should read."""

    sentence: str
    notes: tuple[str, ...] = ()


def catalog_of(settings: Settings, ports: Ports, pipeline_uri: str, here: Versions | None = None) -> Catalog:
    """Return the catalog of the settings' pipeline, whose objects lie below `pipeline_uri`."""
    discovered = isinstance(settings.models, Segments)
    names = settings.models.overrides if isinstance(settings.models, Segments) else (m.name for m in settings.models)
    return Catalog(
        ports=ports,
        pipeline=settings.pipeline.name,
        prefix=f"{pipeline_uri}/{contract.REGISTRY_DIR}",
        listed=tuple(names),
        closed=not discovered,
        timezone=settings.timezone,
        here=here,
    )


def list_versions(catalog: Catalog) -> list[dict[str, Any]]:
    """Return one row per registered version, newest first within a model; `version` is None for a model without."""
    rows = []
    for group in groups(catalog):
        packages = list(catalog.ports.registry.packages(group.name))
        rows += [_row(catalog, group, package) for package in packages] or [_row(catalog, group, None)]
    return rows


def approve(catalog: Catalog, model: str, version: int | None = None) -> Change:
    """Approve a version, the newest one where none is given.

    Raises:
        RegistryError: there is no such model or version.
    """
    group, package = _find_package(catalog, model, version)
    return _approve(catalog, group, package)


def reject(catalog: Catalog, model: str, version: int) -> Change:
    """Reject a version, so that it serves no segment any more.

    Raises:
        RegistryError: there is no such model or version.
    """
    group, package = _find_package(catalog, model, version)
    catalog.ports.registry.set_status(package, REJECTED, {"auto_approved": FALSE})
    serving = serving_version(catalog, group)
    now = f"version {serving.version} serves by default" if serving else "no approved version is left"
    return Change(f"{group.model}: version {package.version} is rejected", (now,))


def register(catalog: Catalog, model: str, artifact: str, *, pending: bool = False) -> Change:
    """Register an artifact (a path, or an `s3://` URI) as a version of a model, approved unless `pending`.

    Raises:
        RegistryError: the artifact cannot be read or is none of ours, or the config has no such model.
    """
    group = find_group(catalog, model, may_be_new=True)
    registry = catalog.ports.registry
    with tempfile.TemporaryDirectory() as folder:
        found = take(_fetch(catalog, artifact, Path(folder)), Path(folder), artifact)
        target = store(catalog, slug_of(catalog, group), found)
    registry.ensure_group(group)
    package = next((p for p in registry.packages(group.name) if p.sha256 == found.sha256), None)
    if package is None:
        package = _make_package(catalog, group, target, found)
    change = _approve(catalog, group, package) if not pending else _say_pending(group, package)
    trained_for = found.metadata["model"]
    foreign = () if trained_for == group.model else (f"note: it was trained for {trained_for!r}",)
    return Change(change.sentence, (*change.notes, *foreign))


def store(catalog: Catalog, slug: str, found: Artifact) -> str:
    """Copy a checked artifact to its place in the registry, over one that may be damaged; return its URI.

    The columns that the model takes lie beside it, where CheckData finds them without opening it.
    """
    folder = f"{catalog.prefix}/{slug}/{found.sha256}"
    schema = found.metadata["schema"]
    columns = [{key: column[key] for key in ("name", "kind")} for column in schema["columns"]]
    kept = {"columns": columns, **{key: schema[key] for key in ("raw", "ignored") if "raw" in schema and key in schema}}
    catalog.ports.objects.write_text(f"{folder}/{contract.SCHEMA_FILE}", contract.to_json(kept))
    target = f"{folder}/{contract.MODEL_FILE}"
    catalog.ports.objects.upload(found.path, target)
    return target


def _fetch(catalog: Catalog, artifact: str, folder: Path) -> Path:
    """Return the artifact as a file on this machine."""
    if artifact.startswith("s3://"):
        path = folder / contract.MODEL_FILE
        catalog.ports.objects.download(artifact, path)
        return path
    path = Path(artifact)
    if not path.exists():
        raise RegistryError(f"{artifact}: no such file; expected the path of a {contract.MODEL_FILE} or an s3:// URI")
    return path


def _make_package(catalog: Catalog, group: ModelGroup, artifact_uri: str, found: Artifact) -> ModelPackage:
    kept = {key: found.metadata.get(key) for key in ("mae", "autogluon_version", "python_version")}
    values = {**kept, "model": group.model, "sha256": found.sha256, "auto_approved": FALSE}
    package = NewPackage(
        group=group.name,
        status=PENDING,
        artifact_uri=artifact_uri,
        image_uri="",  # Decide takes the image of today for a package without one
        token=make_token("by hand", group.name, found.sha256),
        metadata=as_metadata(values),
    )
    return catalog.ports.registry.register(package)


def _approve(catalog: Catalog, group: ModelGroup, package: ModelPackage) -> Change:
    """Approve by hand: from now on it counts even for the execution that made it."""
    catalog.ports.registry.set_status(package, APPROVED, {"auto_approved": FALSE})
    serving = serving_version(catalog, group)
    sentence = f"{group.model}: version {package.version} is approved"
    if not package.sha256:
        return Change(sentence, ("it has no sha256 recorded, so it serves nothing; register its artifact instead",))
    if serving is None or serving.version == package.version:
        return Change(sentence, ("it serves where the gate turns a fresh model down",))
    newer = f"version {serving.version} is approved too and newer, so it serves; to serve version {package.version}:"
    name = quote_argument(group.model, slug_of(catalog, group))
    return Change(sentence, (newer, "  " + catalog.ports.command("registry", f"reject {name} {serving.version}")))


def _say_pending(group: ModelGroup, package: ModelPackage) -> Change:
    return Change(f"{group.model}: version {package.version} is registered ({package.status})")


def serving_version(catalog: Catalog, group: ModelGroup) -> ModelPackage | None:
    """Return the version that Decide would choose of a group."""
    return find_default(catalog.ports.registry, group.name, execution="")


def _find_package(catalog: Catalog, model: str, version: int | None) -> tuple[ModelGroup, ModelPackage]:
    group = find_group(catalog, model)
    packages = list(catalog.ports.registry.packages(group.name))
    if not packages:
        raise RegistryError(
            f"{group.model}: no version is registered; a run registers what it trains, or register an artifact with: "
            + catalog.ports.command("registry", "register MODEL ARTIFACT")
        )
    found = packages[0] if version is None else next((p for p in packages if p.version == version), None)
    if found is None:
        versions = ", ".join(str(package.version) for package in packages)
        raise RegistryError(f"{group.model}: there is no version {version}; there are {versions}")
    return group, found


def find_group(catalog: Catalog, model: str, *, may_be_new: bool = False) -> ModelGroup:
    """Return the group of a model given by name or by slug.

    Raises:
        RegistryError: there is no such model.
    """
    known = groups(catalog)
    by_name = [group for group in known if group.model == model]
    by_slug = [group for group in known if slug_of(catalog, group) == model]
    if by_name or by_slug:
        return max(by_name or by_slug, key=lambda group: _newest(catalog, group))
    if may_be_new and not catalog.closed:
        return _group(catalog, model, contract.slugs([model], catalog.pipeline)[model])
    names = [group.model for group in known]
    shown = f"; there are: {', '.join(names[:20])}" if names else "; nothing is registered yet"
    raise RegistryError(f"no model is called {model!r}{nearest(model, names) or shown}")


def _newest(catalog: Catalog, group: ModelGroup) -> str:
    """Return when a group got its newest version, to tell groups apart whose model has the same name."""
    newest = next(catalog.ports.registry.packages(group.name), None)
    return newest.created.isoformat() if newest else ""


def groups(catalog: Catalog) -> list[ModelGroup]:
    """Return the groups that exist and those of the models that the config names, by model."""
    known = {group.name: group for group in catalog.ports.registry.groups(catalog.pipeline)}
    registered = {group.model for group in known.values()}
    for name, slug in contract.slugs(catalog.listed, catalog.pipeline).items():
        group = _group(catalog, name, slug)
        if catalog.closed or name not in registered:
            known.setdefault(group.name, group)
    return sorted(known.values(), key=lambda group: (group.model, group.name))


def _group(catalog: Catalog, model: str, slug: str) -> ModelGroup:
    return ModelGroup(contract.group_name(catalog.pipeline, slug), catalog.pipeline, model)


def slug_of(catalog: Catalog, group: ModelGroup) -> str:
    """Return the slug of a group's model."""
    return group.name.removeprefix(contract.group_name(catalog.pipeline, ""))


def _row(catalog: Catalog, group: ModelGroup, package: ModelPackage | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(_COLUMNS)
    row |= {"model": group.model, "slug": slug_of(catalog, group)}
    if package is not None:
        metadata = package.metadata
        row |= {
            "version": package.version,
            "status": package.status,
            "mae": number(metadata.get("mae")),
            "autogluon_version": metadata.get("autogluon_version"),
            "python_version": metadata.get("python_version"),
            "loads_here": loads_here(catalog, package),
            "created": package.created.isoformat(),
            "execution": metadata.get("execution"),
        }
    return row


def loads_here(catalog: Catalog, package: ModelPackage) -> bool | None:
    """Tell whether a version's predictor loads with the versions of today, or None where nobody can tell."""
    trained = Versions.of(package.metadata)
    return catalog.here.loads(trained) if catalog.here and trained else None


def number(text: str | None) -> float | None:
    """Return a figure of a package's metadata; people may have written anything there."""
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
