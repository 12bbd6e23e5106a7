"""Decide: which model serves each segment after the gate said no: fresh, a registered default, or none.

`choose` and `models_in_need` are pure. `handler` looks up the defaults of all models, writes
`decision.json` for its slice of DECIDE_WIDTH jobs (a Lambda step returns 50 values at most) and returns each
one's model and image URI; the models of a shard are a manifest, and share an image (`sharing`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lambda_trigger import evaluation, many, settings, sharing, verdicts
from lambda_trigger.evaluation import Evaluation
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
from lambda_trigger.sharing import Job, Loads
from lambda_trigger.text import list_names, make_logger, quote_argument
from lambda_trigger.verdicts import Verdict, Verdicts
from steps import contract
from steps.contract import escape_controls

log = make_logger(__name__)

ALL = "all"
PER_MODEL = "per_model"
NO_DEFAULT = "no approved default model"
NOTHING_TO_PREDICT = "no rows to predict"
SCORING_ONLY = "scoring only"
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

    An event of kind `defaults` is ChooseDefaults', of a run that scores only.

    Raises:
        MissingDefaultError: a segment needs a default and has none, unless `on_missing_default` is `skip`.
    """
    ports = ports_for(context)
    chosen = settings.parse(ports.objects.read_text(str(event[contract.KEY_SETTINGS])))
    if event.get(contract.KEY_KIND) == contract.DEFAULTS:
        from lambda_trigger import defaults  # it finds defaults by what is here

        return defaults.handle(ports, chosen, event)
    first = int(event[contract.KEY_FIRST])
    jobs = sharing.jobs_of(chosen.models)[first : first + contract.DECIDE_WIDTH]
    models = [model for job in jobs for model in job.models]
    candidates = _collect(ports, chosen, event, models)
    choices = {model.slug: choose(model, candidates) for model in models}
    prefix = f"{chosen.prefix}/" if any(job.is_shard for job in jobs) else None
    text = _to_json(event, candidates.policy, prefix, choices.values())
    ports.objects.write_text(candidates.decision_uri, text)
    log.info("decided for %d models in %d jobs", len(choices), len(jobs))
    outputs: dict[str, Scalar] = {
        contract.OUT_DECISION: candidates.decision_uri,
        contract.OUT_DECISIONS: str(event[contract.KEY_OUTPUT]),
    }
    for position, job in enumerate(jobs):
        served = _serve(ports.objects, chosen, candidates, job, [choices[model.slug] for model in job.models])
        outputs |= dict(zip(contract.decide_outputs(position), served, strict=True))
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
    if verdict.status == contract.DEFAULT and verdict.reasons:
        nothing = "; ".join(verdict.reasons)
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
    if verdict.status == contract.DEFAULT:
        return SCORING_ONLY
    if not verdict.accepted:
        return "; ".join(verdict.reasons)
    return f"policy {ALL}: the gate rejected {list_names([other.name for other in found.rejected])}"


def _collect(ports: Ports, chosen: Settings, event: Mapping[str, Scalar], models: Sequence[Model]) -> Candidates:
    """Read all that the decision rests on: the defaults for all models, the rest for this slice."""
    objects, policy = ports.objects, _check_policy(str(event[contract.KEY_POLICY]))
    found = verdicts.parse(objects.read_text(str(event[contract.KEY_VERDICTS])))
    read = many.for_each(chosen.models, lambda model: _read_prepared(objects, event, model))
    prepared = {model.slug: each for model, each in zip(chosen.models, read, strict=True)}
    unprepared = {slug for slug, status in prepared.items() if status.get("status") == contract.FAILED}
    rows = {slug: 0 if slug in unprepared else int(status["rows"]) for slug, status in prepared.items()}
    accepted = [model for model in models if found.of(model.slug).accepted]
    fresh = many.for_each(accepted, lambda model: _fresh_model(objects, event, model))
    need = models_in_need(chosen.models, found, policy, rows)
    others = [model for model in chosen.models if rows[model.slug] > 0 and model not in need]
    defaults, unfit = _find_defaults(ports, chosen, _Demand(need, others), event)
    return Candidates(
        found=found,
        policy=policy,
        rows=rows,
        fresh={model.slug: each for model, each in zip(accepted, fresh, strict=True)},
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
    uri = join_uri(event[contract.KEY_PREDICT], model.prepared, contract.STATUS_FILE)
    found: dict[str, Any] = json.loads(objects.read_text(uri))
    return found


def _fresh_model(objects: ObjectStore, event: Mapping[str, Scalar], model: Model) -> tuple[str, str | None]:
    uri = join_uri(event[contract.model_key(model.unit)], model.slug, contract.MODEL_FILE)
    return uri, evaluation.read(objects, event, model).sha256


@dataclass(frozen=True)
class _Demand:
    """The models with rows to predict: those that need a default, and those that their fresh model serves."""

    need: Sequence[Model]
    fresh: Sequence[Model]


def _find_defaults(
    ports: Ports, chosen: Settings, demand: _Demand, event: Mapping[str, Scalar]
) -> tuple[dict[str, ModelPackage], dict[str, str]]:
    """Return the defaults that can serve, and by slug why an approved one cannot."""
    execution, need = str(event[contract.KEY_EXECUTION]), demand.need
    found = many.for_each(need, lambda m: find_default(ports.registry, chosen.group(m).name, execution))
    approved = {model.slug: package for model, package in zip(need, found, strict=True) if package is not None}
    unfit = {slug: why for slug, package in approved.items() if (why := why_unfit(package, ports.here))}
    fitting = {slug: package for slug, package in approved.items() if slug not in unfit}
    unfit |= _find_strangers(ports.objects, chosen, demand, fitting, event)
    missing = [model for model in need if model.slug not in approved or model.slug in unfit]
    if missing and chosen.on_missing_default == "fail":
        raise say_missing(ports, chosen, missing, execution, unfit)
    return {slug: package for slug, package in approved.items() if slug not in unfit}, unfit


def _find_strangers(
    objects: ObjectStore,
    chosen: Settings,
    demand: _Demand,
    defaults: Mapping[str, ModelPackage],
    event: Mapping[str, Scalar],
) -> dict[str, str]:
    """Return by slug why a default cannot serve together with the other models of its shard."""
    image, prefix = str(event[contract.KEY_IMAGE]), f"{chosen.prefix}/"

    def fresh(job: Job) -> Loads | None:
        served = next((model for model in job.models if model in demand.fresh), None)
        return _loads_in(evaluation.read(objects, event, served), image) if served else None

    shared = [model for model in demand.need if model.shard and model.slug in defaults]
    outside = [m for m in shared if not sharing.is_below(prefix, defaults[m.slug].artifact_uri)]
    why = f"whose artifact does not lie below {prefix}; register it again"
    found = {m.slug: f"default v{defaults[m.slug].version} is one {why}" for m in outside}
    fitting = {slug: package for slug, package in defaults.items() if slug not in found}
    return found | sharing.find_strangers(sharing.jobs_of(chosen.models), fitting, fresh, image)


def _loads_in(found: Evaluation, image: str) -> Loads:
    trained = {"autogluon_version": found.autogluon_version, "python_version": found.python_version}
    return contract.Versions.of(trained) or image


@dataclass(frozen=True)
class _Known:
    """What there is of models whose default is missing: slugs with a version, and why an approved one cannot serve."""

    registered: Collection[str]
    unfit: Mapping[str, str]


def say_missing(
    ports: Ports, chosen: Settings, missing: Sequence[Model], execution: str, unfit: Mapping[str, str] | None = None
) -> MissingDefaultError:
    """Return the error that models have no default; `unfit` tells by slug why an approved one cannot serve."""
    registered = {m.slug for m in missing if any(ports.registry.packages(chosen.group(m).name))}
    return MissingDefaultError(_say_missing(ports, missing, _Known(registered, unfit or {}), execution))


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


def _serve(
    objects: ObjectStore, chosen: Settings, candidates: Candidates, job: Job, choices: Sequence[Choice]
) -> tuple[str, str]:
    """Return the URIs of a job's model input and image; those of a shard are written down as a manifest.

    It always names decision.json, since an input that holds nothing fails the job.
    """
    if not job.is_shard:
        return choices[0].model_uri, choices[0].image_uri
    serving = [each for each in choices if each.source != contract.SKIPPED and candidates.rows[each.slug] > 0]
    uri = join_uri(candidates.decision_uri.rpartition("/")[0], f"{job.name}.json")
    artifacts = [candidates.decision_uri, *(each.model_uri for each in serving)]
    objects.write_text(uri, sharing.write_manifest(f"{chosen.prefix}/", artifacts))
    is_fresh = any(each.source == contract.FRESH for each in serving)
    return uri, candidates.image if is_fresh or not serving else serving[0].image_uri


def _to_json(event: Mapping[str, Scalar], policy: str, prefix: str | None, choices: Iterable[Choice]) -> str:
    """Return decision.json; `prefix` is that of the manifests, None where no job has one."""
    models = {choice.slug: asdict(choice) for choice in choices}
    head = {"execution": event[contract.KEY_EXECUTION], "policy": policy, "prefix": prefix}
    return contract.to_json({**head, "models": models})
