"""Decide: which model serves each segment after the gate said no: fresh, a registered default, or none.

`choose` and `models_in_need` are pure. `handler` looks up the defaults of all models, writes
`decision.json` for its slice of DECIDE_WIDTH models (a Lambda step returns 50 values at most) and returns
each one's model and image URI.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lambda_trigger import evaluation, settings, verdicts
from lambda_trigger.ports import (
    APPROVED,
    ModelPackage,
    ModelRegistry,
    ObjectStore,
    Ports,
    Scalar,
    join_uri,
    ports_for,
)
from lambda_trigger.settings import Model, Settings
from lambda_trigger.text import list_names, make_logger, quote_argument
from lambda_trigger.verdicts import Verdict, Verdicts
from steps import contract
from steps.contract import escape_controls

log = make_logger(__name__)

ALL = "all"
PER_MODEL = "per_model"
NO_DEFAULT = "no approved default model"
NOTHING_TO_PREDICT = "no rows to predict"
UNPREPARED = "its rows to predict could not be prepared"


class PolicyError(Exception):
    """The fallback policy is none that we know."""


class MissingDefaultError(Exception):
    """Segments need a default model and none is approved; the message has the commands that help."""


@dataclass(frozen=True)
class Choice:
    """Which model serves a segment, and why."""

    name: str
    slug: str
    source: str
    reason: str
    model_uri: str
    image_uri: str
    sha256: str | None = None
    version: int | None = None
    package: str | None = None


@dataclass(frozen=True)
class Candidates:
    """What `choose` decides on; `fresh` has model URI and sha256 by slug, `defaults` those in need.

    `unprepared` are the slugs of segments whose rows to predict could not be prepared: nobody can serve them. `unfit`
    tells by slug why a default that is approved cannot serve here.
    """

    found: Verdicts
    policy: str
    rows: Mapping[str, int]
    fresh: Mapping[str, tuple[str, str | None]]
    defaults: Mapping[str, ModelPackage]
    image: str
    decision_uri: str
    unprepared: Collection[str] = ()
    unfit: Mapping[str, str] = field(default_factory=dict)


def handler(event: Mapping[str, Scalar], context: object) -> dict[str, Scalar]:
    """Decide for one slice of models; return `DecisionUri`, `DecisionsUri` and each model's and image's URI.

    Raises:
        MissingDefaultError: a segment needs a default and has none, unless `on_missing_default` is `skip`.
    """
    ports = ports_for(context)
    chosen = settings.parse(ports.objects.read_text(str(event[contract.KEY_SETTINGS])))
    first = int(event[contract.KEY_FIRST])
    candidates = _collect(ports, chosen, event, chosen.models[first : first + contract.DECIDE_WIDTH])
    choices = [choose(model, candidates) for model in chosen.models[first : first + contract.DECIDE_WIDTH]]
    ports.objects.write_text(candidates.decision_uri, _to_json(event, candidates.policy, choices))
    log.info("decided for %d models", len(choices))
    outputs: dict[str, Scalar] = {
        contract.OUT_DECISION: candidates.decision_uri,
        contract.OUT_DECISIONS: str(event[contract.KEY_OUTPUT]),
    }
    for position, choice in enumerate(choices):
        model_key, image_key = contract.decide_outputs(position)
        outputs |= {model_key: choice.model_uri, image_key: choice.image_uri}
    return outputs


def models_in_need(models: Sequence[Model], found: Verdicts, policy: str, rows: Mapping[str, int]) -> tuple[Model, ...]:
    """Return the models whose rows cannot be served by their fresh model.

    A model without training rows is not rejected by the gate, but its rows need a default as well; a model
    without rows to predict, or whose rows could not be prepared, never does.
    """
    return tuple(m for m in models if rows[m.slug] > 0 and not _is_fresh(found.of(m.slug), found, policy))


def choose(model: Model, candidates: Candidates) -> Choice:
    """Return which model serves one segment."""
    verdict, default = candidates.found.of(model.slug), candidates.defaults.get(model.slug)
    has_rows = candidates.rows[model.slug] > 0
    if _is_fresh(verdict, candidates.found, candidates.policy) or (verdict.accepted and not has_rows):
        uri, sha256 = candidates.fresh[model.slug]
        return Choice(model.name, model.slug, contract.FRESH, "accepted by the gate", uri, candidates.image, sha256)
    nothing = UNPREPARED if model.slug in candidates.unprepared else NOTHING_TO_PREDICT
    why = _why_not_fresh(verdict, candidates.found) if has_rows else nothing
    if has_rows and default is not None:
        image = default.image_uri or candidates.image
        served = (default.artifact_uri, image, default.sha256, default.version, default.arn)
        return Choice(model.name, model.slug, contract.DEFAULT, why, *served)
    reason = f"{why}; {candidates.unfit.get(model.slug, NO_DEFAULT)}" if has_rows else why
    return Choice(model.name, model.slug, contract.SKIPPED, reason, candidates.decision_uri, candidates.image)


def find_default(registry: ModelRegistry, group: str, execution: str) -> ModelPackage | None:
    """Return the newest approved package of a group, but none that this very execution approved by itself.

    Only a package with a recorded sha256 counts: without one nobody can tell whether its artifact is still
    the one that was approved.
    """
    for package in registry.packages(group, APPROVED):
        own = package.metadata.get("execution") == execution and package.metadata.get("auto_approved") == "true"
        if not own and package.sha256:
            return package
    return None


def why_unfit(package: ModelPackage, here: contract.Versions | None) -> str:
    """Return why a default cannot serve where every predictor is loaded with the versions `here`, or nothing."""
    trained = contract.Versions.of(package.metadata)
    if here is None or trained is None or here.loads(trained):
        return ""
    return f"default v{package.version} was trained with {trained}, here is {here}; refresh it"


def _is_fresh(verdict: Verdict, found: Verdicts, policy: str) -> bool:
    return verdict.accepted and (policy == PER_MODEL or not found.rejected)


def _why_not_fresh(verdict: Verdict, found: Verdicts) -> str:
    if not verdict.accepted:
        return "; ".join(verdict.reasons)
    return f"policy {ALL}: the gate rejected {list_names([other.name for other in found.rejected])}"


def _collect(ports: Ports, chosen: Settings, event: Mapping[str, Scalar], models: Sequence[Model]) -> Candidates:
    """Read all that the decision rests on: the defaults for all models, the rest for this slice."""
    objects, policy = ports.objects, _check_policy(str(event[contract.KEY_POLICY]))
    found = verdicts.parse(objects.read_text(str(event[contract.KEY_VERDICTS])))
    prepared = {model.slug: _read_prepared(objects, event, model) for model in chosen.models}
    unprepared = {slug for slug, status in prepared.items() if status.get("status") == contract.FAILED}
    rows = {slug: 0 if slug in unprepared else int(status["rows"]) for slug, status in prepared.items()}
    accepted = [model for model in models if found.of(model.slug).accepted]
    defaults, unfit = _find_defaults(ports, chosen, models_in_need(chosen.models, found, policy, rows), event)
    return Candidates(
        found=found,
        policy=policy,
        rows=rows,
        fresh={model.slug: _fresh_model(objects, event, model) for model in accepted},
        defaults=defaults,
        image=str(event[contract.KEY_IMAGE]),
        decision_uri=join_uri(event[contract.KEY_OUTPUT], _slice_name(event), contract.DECISION_FILE),
        unprepared=unprepared,
        unfit=unfit,
    )


def _check_policy(policy: str) -> str:
    if policy not in (ALL, PER_MODEL):
        raise PolicyError(
            f"FallbackPolicy is {policy!r}, expected {ALL!r} or {PER_MODEL!r}; start again with one of them"
        )
    return policy


def _slice_name(event: Mapping[str, Scalar]) -> str:
    return f"{int(event[contract.KEY_FIRST]) // contract.DECIDE_WIDTH + 1:02d}"


def _read_prepared(objects: ObjectStore, event: Mapping[str, Scalar], model: Model) -> dict[str, Any]:
    """Return what PreparePrediction says of a model's rows."""
    uri = join_uri(event[contract.KEY_PREDICT], model.slug, contract.STATUS_FILE)
    found: dict[str, Any] = json.loads(objects.read_text(uri))
    return found


def _fresh_model(objects: ObjectStore, event: Mapping[str, Scalar], model: Model) -> tuple[str, str | None]:
    uri = join_uri(event[contract.model_key(model.slug)], model.slug, contract.MODEL_FILE)
    return uri, evaluation.read(objects, event, model).sha256


def _find_defaults(
    ports: Ports, chosen: Settings, need: Sequence[Model], event: Mapping[str, Scalar]
) -> tuple[dict[str, ModelPackage], dict[str, str]]:
    """Return the defaults that can serve, and by slug why an approved one cannot."""
    execution = str(event[contract.KEY_EXECUTION])
    found = {m.slug: find_default(ports.registry, chosen.group(m).name, execution) for m in need}
    approved = {slug: package for slug, package in found.items() if package is not None}
    unfit = {slug: why for slug, package in approved.items() if (why := why_unfit(package, ports.here))}
    missing = [model for model in need if found[model.slug] is None or model.slug in unfit]
    if missing and chosen.on_missing_default == "fail":
        known = {m.slug for m in missing if any(ports.registry.packages(chosen.group(m).name))}
        raise MissingDefaultError(_say_missing(ports, missing, _Known(known, unfit), execution))
    return {slug: package for slug, package in approved.items() if slug not in unfit}, unfit


@dataclass(frozen=True)
class _Known:
    """What there is of models whose default is missing: slugs with a version, and why an approved one cannot serve."""

    registered: Collection[str]
    unfit: Mapping[str, str]


def _say_missing(ports: Ports, missing: Sequence[Model], known: _Known, execution: str) -> str:
    """Return the message: which segments, and for each the command that gives it a default.

    Only those that have a version can approve one; the others need an artifact from elsewhere.
    """
    names = list_names([model.name for model in missing], len(missing))
    retry = ports.command("run", f"--retry {execution}")
    unfit = [model for model in missing if model.slug in known.unfit]
    only = " that loads here" if unfit else ""
    lines = [
        f"{NO_DEFAULT}{only} for {len(missing)} segment{'s' if len(missing) > 1 else ''}: {names}.",
        *(escape_controls(f"{model.name}: {known.unfit[model.slug]}.") for model in unfit),
        f"{'Refresh or approve' if unfit else 'Approve'} a version of each (or register an artifact of your own: "
        "register MODEL ARTIFACT):",
        *(f"  {_command_for(ports, model, known)}" for model in missing),
        "then start the run's failed steps again:",
        f"  {retry}",
    ]
    return "\n".join(lines)


def _command_for(ports: Ports, model: Model, known: _Known) -> str:
    name = quote_argument(model.name, model.slug)
    if model.slug in known.unfit:
        return ports.command("registry", f"refresh {name}")
    has_versions = model.slug in known.registered
    return ports.command("registry", f"approve {name}" if has_versions else f"register {name} MODEL.tar.gz")


def _to_json(event: Mapping[str, Scalar], policy: str, choices: Sequence[Choice]) -> str:
    models = {choice.slug: asdict(choice) for choice in choices}
    return contract.to_json({"execution": event[contract.KEY_EXECUTION], "policy": policy, "models": models})
