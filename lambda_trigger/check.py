"""Check: training data, data to predict and approved defaults against each other, before anything is trained.

Where a run scores only there are no training data: then rows that do not fit the defaults fail it.
What is compared and said is pure (`stability`, `findings`). `handler` reads the profiles that the prepare steps wrote
and the schemas of the defaults, writes `contract.json`, and raises where a limit that fails a run is passed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lambda_trigger import findings, many, settings, stability
from lambda_trigger.decide import find_default
from lambda_trigger.findings import Checked, Default
from lambda_trigger.ports import ObjectStore, Ports, Scalar, StoreError, join_uri, ports_for
from lambda_trigger.settings import Drift, Model, Settings
from lambda_trigger.text import make_logger
from steps import contract

log = make_logger(__name__)

NAMED = 50
"""Failures that the message names; all of them are in `contract.json`."""
NO_ROWS = "no rows to predict"
NOT_COMPARED = "scoring only: there are no training data to compare with"


class DriftError(Exception):
    """The data pass limits that fail a run; the message names all of them and what to do."""


class MisfitError(Exception):
    """Rows to predict do not fit the defaults that are to score them; the message says what to do."""


def handler(event: Mapping[str, Scalar], context: object) -> dict[str, Scalar]:
    """Check the data of all models; return `ContractUri` and `Warnings`, the number of warnings.

    Raises:
        DriftError: a measure passes its `fail` limit, or a default does not fit and `drift.default` is `fail`.
        MisfitError: a default does not fit where the run scores only.
    """
    ports = ports_for(context)
    chosen = settings.parse(ports.objects.read_text(str(event[contract.KEY_SETTINGS])))
    models = many.for_each(chosen.models, lambda model: _check_model(ports, chosen, event, model))
    scores_only = contract.KEY_TRAIN not in event
    notes = () if scores_only else findings.find_strangers(chosen.drift.ignore, _columns_of(ports.objects, event))
    uri = join_uri(event[contract.KEY_OUTPUT], contract.CONTRACT_FILE)
    ports.objects.write_text(uri, findings.to_json(str(event[contract.KEY_EXECUTION]), chosen.drift, models, notes))
    failures = [f"{model.name}: {failure}" for model in models for failure in model.verdict.failures]
    if failures and scores_only:
        raise MisfitError(_say_misfits(failures, ports.objects.locate(uri)))
    if failures:
        raise DriftError(_say_failures(failures, ports.objects.locate(uri)))
    warnings = findings.count_warnings(models, notes)
    log.info("checked %d models, %d warnings", len(models), warnings)
    return {contract.OUT_CONTRACT: uri, contract.OUT_WARNINGS: warnings}


def _check_model(ports: Ports, chosen: Settings, event: Mapping[str, Scalar], model: Model) -> Checked:
    predict = join_uri(event[contract.KEY_PREDICT], model.prepared)
    waiting = _read(ports.objects, predict, contract.STATUS_FILE)
    if waiting["status"] != contract.PREPARED or not waiting["rows"]:
        return Checked(model.name, model.slug, reason=waiting.get("reason") or NO_ROWS)
    asked = _read(ports.objects, predict, contract.PROFILE_FILE)
    default = _check_default(ports, chosen, event, model, asked)
    if contract.KEY_TRAIN not in event:
        verdict = findings.judge({}, default, replace(chosen.drift, default="fail"), model.pooled)
        return Checked(model.name, model.slug, 0, asked["rows"], NOT_COMPARED, default=default, verdict=verdict)
    train = join_uri(event[contract.KEY_TRAIN], model.prepared)
    trained = _read(ports.objects, train, contract.STATUS_FILE)
    if trained["status"] != contract.PREPARED:
        verdict = findings.judge({}, default, chosen.drift, model.pooled)
        reason = trained.get("reason") or trained["status"]
        return Checked(model.name, model.slug, 0, asked["rows"], reason, default=default, verdict=verdict)
    profile = _read(ports.objects, train, contract.PROFILE_FILE)
    columns = stability.compare(profile, asked, _left_out(chosen.drift, model))
    verdict = findings.judge(columns, default, chosen.drift, model.pooled)
    return Checked(model.name, model.slug, profile["rows"], asked["rows"], None, columns, default, verdict)


def _read(objects: ObjectStore, folder: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(objects.read_text(join_uri(folder, name)))
    return found


def _left_out(limits: Drift, model: Model) -> tuple[str, ...]:
    """Return the columns that are not compared: a pooled model's segments to predict are others by design."""
    return (*limits.ignore, *((limits.segment,) if limits.segment and model.pooled else ()))


def _columns_of(objects: ObjectStore, event: Mapping[str, Scalar]) -> list[str]:
    return list(_read(objects, str(event[contract.KEY_TRAIN]), contract.DATA_FILE)["columns"])


def _check_default(
    ports: Ports, chosen: Settings, event: Mapping[str, Scalar], model: Model, asked: Mapping[str, Any]
) -> Default | None:
    """Return what the default lacks for the rows to predict, or why that cannot be told; None where there is none."""
    package = find_default(ports.registry, chosen.group(model).name, str(event[contract.KEY_EXECUTION]))
    if package is None:
        return None
    uri = join_uri(package.artifact_uri.rpartition("/")[0], contract.SCHEMA_FILE)
    kinds = {name: str(column["kind"]) for name, column in asked["columns"].items()}
    try:
        found = ports.objects.read_tagged(uri)
        if found is None:
            return Default(package.version, unchecked=f"not checked: it was registered without {contract.SCHEMA_FILE}")
        return Default(package.version, findings.find_mismatches(json.loads(found.text), kinds))
    except (StoreError, ValueError, KeyError, TypeError):
        log.warning("%s cannot be read as a schema; the default of %s is not checked", uri, model.slug)
        return Default(package.version, unchecked=f"not checked: its {contract.SCHEMA_FILE} cannot be read")


def _say_failures(failures: list[str], where: str) -> str:
    lines = [
        f"{len(failures)} limit{'s' if len(failures) > 1 else ''} of `drift` passed, so that nothing was trained:",
        *(f"  {failure}" for failure in failures[:NAMED]),
        *([f"  and {len(failures) - NAMED} more"] if len(failures) > NAMED else []),
        f"All measures are in {where}. Mend the files or change `drift` in the config, then start a new run.",
    ]
    return "\n".join(lines)


def _say_misfits(failures: list[str], where: str) -> str:
    lines = [
        f"the rows to predict do not fit {len(failures)} approved default{'s' if len(failures) > 1 else ''}, so that "
        "nothing was scored:",
        *(f"  {failure}" for failure in failures[:NAMED]),
        *([f"  and {len(failures) - NAMED} more"] if len(failures) > NAMED else []),
        f"All of it is in {where}. Bring the prediction files to the models' columns, or approve versions that were "
        "trained on these, then start a new run.",
    ]
    return "\n".join(lines)
