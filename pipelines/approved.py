"""The models of a run that scores only: what the registry of a workspace holds in place of training data.

A segment with an approved default has a model of its own. So has one of which only unapproved versions are there, if
no pooled default serves its rows: Decide then says which command approves it. All others are the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lambda_trigger.decide import find_default
from lambda_trigger.folders import REGISTRY_DIR, SCRATCH_DIR, FolderRegistry, read_clock
from lambda_trigger.ports import ModelPackage, ModelRegistry
from pipelines import models
from pipelines.catalog import number
from pipelines.errors import RegistryError
from pipelines.local.workspace import Workspace
from pipelines.models import Census, ModelSpec, Segment
from pipelines.options import say_command
from pipelines.settings import Segments, Settings
from steps import contract


@dataclass(frozen=True)
class Serving:
    """The approved default of a model: its version and the MAE that was recorded for it, None where none was."""

    version: int
    mae: float | None


def read_registered(settings: Settings, workspace: Workspace) -> dict[str, Serving | None]:
    """Return the registered models of a workspace by name, with their approved defaults; None: none is approved."""
    root = workspace.root
    return describe(settings, FolderRegistry(root / REGISTRY_DIR, read_clock, root / SCRATCH_DIR))


def describe(settings: Settings, registry: ModelRegistry) -> dict[str, Serving | None]:
    """Return the models of a pipeline that have a version, with their approved defaults."""
    groups = registry.groups(settings.pipeline.name)
    there = [group for group in groups if next(registry.packages(group.name), None)]
    return {group.model: _serving(find_default(registry, group.name, execution="")) for group in there}


def _serving(package: ModelPackage | None) -> Serving | None:
    return Serving(package.version, number(package.metadata.get("mae"))) if package else None


def choose_models(
    settings: Settings, census: Census, registered: Mapping[str, Serving | None], hint: str = ""
) -> tuple[ModelSpec, ...]:
    """Return the models of a run that scores only.

    Args:
        settings: the configuration.
        census: the rows to predict of each segment.
        registered: what `read_registered` found.
        hint: options with which a command means this workspace.

    Raises:
        RegistryError: nothing is approved at all.
        DataError: rows belong to no model, and `rest` is `fail`.
    """
    if not any(registered.values()):
        raise RegistryError(_say_nothing(settings, registered, hint))
    pooled = settings.rest == "pooled" and registered.get(contract.POOLED_NAME) is not None
    own = [n for n, serving in registered.items() if n != contract.POOLED_NAME and (serving or not pooled)]
    own += [] if isinstance(settings.models, Segments) or pooled else [model.name for model in settings.models]
    rows = {segment.value: segment for segment in census.segments}
    counted = [
        replace(rows.get(name) or Segment(name, 0, 0), train_rows=settings.min_rows if name in own else 0)
        for name in sorted({*rows, *own})
    ]
    unmatched = replace(census.unmatched, train_rows=0)
    return models.choose_models(_without_overrides(settings), Census(tuple(counted), unmatched))


def say_served(settings: Settings, workspace: Workspace, chosen: Iterable[ModelSpec]) -> dict[str, str]:
    """Return by model's name which version serves its segment, with its recorded MAE, or what is missing."""
    registered = read_registered(settings, workspace)
    pooled = any(model.pooled and registered.get(model.name) for model in chosen)
    otherwise = "no approved default, the pooled one serves" if pooled else "no approved default"
    return {model.name: _say(registered.get(model.name)) or otherwise for model in chosen}


def _say(serving: Serving | None) -> str:
    if serving is None:
        return ""
    return f"default v{serving.version}" + (f", MAE {serving.mae:.4g}" if serving.mae is not None else "")


def _without_overrides(settings: Settings) -> Settings:
    """Return settings of which no training is asked: an override may well name a segment that nobody approved yet."""
    if not isinstance(settings.models, Segments):
        return settings
    return settings.model_copy(update={"models": settings.models.model_copy(update={"overrides": {}})})


def _say_nothing(settings: Settings, registered: Mapping[str, Serving | None], hint: str) -> str:
    approve = say_command("registry", "--local", hint, "approve MODEL")
    if registered:
        return (
            f"--mode predict: no default model of {settings.pipeline.name} is approved, so that nothing can be scored; "
            f"approve one of each segment with: {approve}"
        )
    run = say_command("run", "--local", hint)
    return (
        f"--mode predict: nothing of {settings.pipeline.name} is registered in this workspace; run the whole pipeline "
        f"first ({run}), then approve what it trained with: {approve}"
    )
