"""Settings that are sound one by one and contradict each other, as sentences with key paths.

Used by `settings` alone, as the last check of a config. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from steps import contract

if TYPE_CHECKING:
    from pipelines.settings import Settings

PUBLISHED = ("prediction", "model", "source", contract.ROW)
"""Columns of the predictions, which no id may be called."""
SERVICE_RUNTIME = 777_600
"""Seconds that the service gives a job at most."""


def contradictions(settings: Settings) -> list[str]:
    """Return what no single key of the settings can tell, each with its key path."""
    data, found = settings.data, []
    if data.holdout.method == "time" and not data.time:
        found.append("data.time: missing; holdout method 'time' needs the name of the time column")
    if data.holdout.method == "group" and not data.holdout.group:
        found.append("data.holdout.group: missing; holdout method 'group' needs the name of the group column")
    if data.label == data.id:
        found.append("data.id: is the same column as data.label; name the column that identifies a row")
    kept = {"label": data.label, "id": data.id}
    found += [
        f"data.drop: drops {column!r}, which is the {role}" for role, column in kept.items() if column in data.drop
    ]
    if data.id in PUBLISHED:
        found.append(f"data.id: {data.id!r} is a column of the predictions; rename the id in the raw files")
    longest, needed = settings.instances.train.max_runtime, settings.training.longest
    if longest is not None and longest < needed:
        found.append(
            f"instances.train.max_runtime: {longest} s is shorter than two trainings up to their guards ({needed} s); "
            "raise it, leave it out, or lower training.time_limit"
        )
    if needed > SERVICE_RUNTIME:
        found.append(
            f"training.time_limit: two trainings up to their guards take {needed} s, a job ends after "
            f"{SERVICE_RUNTIME} s; lower it"
        )
    if bool(settings.network.subnets) != bool(settings.network.security_groups):
        found.append("network: has only one of subnets and security_groups; a job in a VPC needs both")
    if settings.retention_days < settings.cache_days:
        found.append("retention_days: shorter than cache_days, so that cached outputs would be deleted; raise it")
    return found + _of_speed(settings) + _of_drift(settings)


def _of_speed(settings: Settings) -> list[str]:
    """Return where training, or a model's own with it, asks for the same thing in two units."""
    models = settings.models if isinstance(settings.models, tuple) else ()
    own = {f"models[{at}].training": model.name for at, model in enumerate(models)}
    own |= {f"models.overrides.{name}.training": name for name in getattr(settings.models, "overrides", {})}
    asked = {"training": settings.training} | {path: settings.training_of(name) for path, name in own.items()}
    both = [path for path, training in asked.items() if training.infer_limit and training.min_rows_per_second]
    return [
        f"{path}.min_rows_per_second: infer_limit is given too, the same thing in seconds per row; keep one of them"
        + (", and set the other to null here if it comes from training" if path != "training" else "")
        for path in (both[:1] if both[:1] == ["training"] else both)
    ]


def _of_drift(settings: Settings) -> list[str]:
    """Return which limits would never warn; a default of `warn` gives way to whatever limit fails."""
    limits = {name: getattr(settings.drift, name) for name in ("unseen", "nulls", "psi")}
    return [
        f"drift.{name}.warn: {limit.warn:g} is above drift.{name}.fail, {limit.fail:g}, so that it would never warn; "
        "lower it, or leave it out"
        for name, limit in limits.items()
        if "warn" in limit.model_fields_set and None not in (limit.warn, limit.fail) and limit.warn > limit.fail
    ]
