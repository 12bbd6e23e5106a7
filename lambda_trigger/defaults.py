"""ChooseDefaults: what is registered of the segments' approved defaults, where a run scores only.

Writes `schema.json`, the defaults' columns by which PreparePrediction types the rows, and `verdicts.json`, in which no
model is judged and each has the figures recorded for its default. Which default serves is Decide's to say, once the
rows are known (docs/decisions/019). `merge_columns` and `describe` are pure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lambda_trigger import evaluation, many
from lambda_trigger.decide import find_default, say_missing
from lambda_trigger.evaluation import MOST_BYTES, Evaluation
from lambda_trigger.ports import ModelPackage, ObjectStore, Ports, Scalar, StoreError, join_uri
from lambda_trigger.settings import Model, Settings
from lambda_trigger.text import list_names, make_logger
from lambda_trigger.verdicts import Verdict, Verdicts
from steps import contract

log = make_logger(__name__)

NUMERIC = frozenset({"number", "bool"})
"""Kinds that stand for each other: booleans are stored as numbers."""
BY_POOLED = "no approved default model of its own: the pooled default serves its rows"


class DefaultsError(Exception):
    """The approved defaults cannot serve together, or nobody can tell which columns they take."""


@dataclass(frozen=True)
class Known:
    """The approved default of a model, its columns by name with their kinds, and its evaluation; None: not recorded."""

    model: Model
    package: ModelPackage
    columns: Mapping[str, str] | None
    evaluation: Evaluation | None = None
    raw: Mapping[str, str] | None = None
    ignored: tuple[str, ...] = ()
    """Columns of the files, where the user's own code makes others of them, and those that are left out then."""


def handle(ports: Ports, chosen: Settings, event: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Find the defaults of all models; return `SchemaUri`, the folder of the schema, and `VerdictsUri`.

    Raises:
        MissingDefaultError: no segment has an approved default.
        DefaultsError: their columns are not known, or contradict each other.
    """
    execution = str(event[contract.KEY_EXECUTION])
    read = many.for_each(chosen.models, lambda model: _read(ports, chosen, execution, model))
    found = {each.model.slug: each for each in read if each is not None}
    if not found:
        raise say_missing(ports, chosen, chosen.models, execution)
    schema = join_uri(event[contract.KEY_OUTPUT], contract.OUT_SCHEMA)
    ports.objects.write_text(join_uri(schema, contract.SCHEMA_FILE), contract.to_json(_schema(chosen, found)))
    uri = join_uri(event[contract.KEY_OUTPUT], contract.VERDICTS_FILE)
    models = tuple(describe(model, found.get(model.slug), has_pooled(chosen, found)) for model in chosen.models)
    ports.objects.write_text(uri, Verdicts(execution, None, None, chosen.gate.min_holdout_rows, models).to_json())
    log.info("found %d defaults of %d models", len(found), len(chosen.models))
    return {contract.OUT_DEFAULTS_SCHEMA: schema, contract.OUT_VERDICTS: uri}


def has_pooled(chosen: Settings, found: Mapping[str, Known]) -> bool:
    """Tell whether the pooled model has an approved default, which then serves whoever has none."""
    return any(model.pooled and model.slug in found for model in chosen.models)


def merge_columns(known: Sequence[Known]) -> list[dict[str, str]]:
    """Return the columns that any of the defaults takes, each once, in the order in which they are met.

    Raises:
        DefaultsError: a column is of different kinds, or not one default has its columns recorded.
    """
    merged: dict[str, str] = {}
    first: dict[str, Known] = {}
    problems = []
    for default in known:
        for name, kind in (default.columns or {}).items():
            there = merged.setdefault(name, kind)
            other = first.setdefault(name, default)
            if there != kind and {there, kind} <= NUMERIC:
                merged[name] = "number"
            elif there != kind:
                problems.append(f"column {name!r} is {there} for {_say(other)}, {kind} for {_say(default)}")
    if problems:
        raise DefaultsError(
            f"the approved defaults do not take the same rows: {'; '.join(problems)}. Refresh or approve versions that "
            "were trained on the same columns, then start again"
        )
    if not merged:
        raise DefaultsError(
            f"nobody can tell which columns the approved defaults take: {list_names([_say(d) for d in known])} were "
            f"registered without {contract.SCHEMA_FILE}; register their artifacts again (register MODEL ARTIFACT), "
            "which writes it, or run the whole pipeline (--mode full)"
        )
    return [{"name": name, "kind": kind} for name, kind in merged.items()]


def describe(model: Model, known: Known | None, pooled: bool) -> Verdict:
    """Return what stands for the verdict on a model: the figures recorded for its default; nothing is judged."""
    metadata = known.package.metadata if known else {}
    mae, baseline = _number(metadata.get("mae")), _number(metadata.get("baseline_mae"))
    measured = known.evaluation if known else None
    return Verdict(
        name=model.name,
        slug=model.slug,
        status=contract.DEFAULT,
        accepted=False,
        ignored=True,
        mae=mae,
        baseline_mae=baseline,
        improvement=(baseline - mae) / baseline * 100 if mae is not None and baseline else None,
        threshold=None,
        holdout_rows=(measured.holdout_rows if measured else None) or 0,
        reasons=(BY_POOLED,) if known is None and pooled else (),
        mae_low=measured.mae_low if measured else None,
        mae_high=measured.mae_high if measured else None,
    )


def _say(known: Known) -> str:
    return f"version {known.package.version} of {known.model.name}"


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _schema(chosen: Settings, found: Mapping[str, Known]) -> dict[str, Any]:
    """Return the schema in the form in which PrepareTraining writes it.

    `trained` says whose rows the model of their own takes: without a pooled default they wait there for one.
    """
    pooled = has_pooled(chosen, found)
    trained = {model.slug: model.slug in found or not pooled for model in chosen.models}
    known = list(found.values())
    columns = merge_columns(known)
    whole = {"label": "", "id": "", "segment": chosen.drift.segment, "trained": trained}
    if all(each.raw is None for each in known):
        return {**whole, "columns": columns}
    raw = merge_columns([replace(each, columns=each.raw if each.raw is not None else each.columns) for each in known])
    empty = sorted({name for each in known for name in each.ignored} - {column["name"] for column in columns})
    return {**whole, "columns": raw, "prepared": {"columns": columns, "empty": empty}}


def _read(ports: Ports, chosen: Settings, execution: str, model: Model) -> Known | None:
    package = find_default(ports.registry, chosen.group(model).name, execution)
    if package is None:
        return None
    folder = package.artifact_uri.rpartition("/")[0]
    known = Known(model, package, None, _read_evaluation(ports.objects, folder, package))
    return _with_columns(known, ports.objects, join_uri(folder, contract.SCHEMA_FILE))


def _with_columns(known: Known, objects: ObjectStore, uri: str) -> Known:
    """Return a default with the columns that lie beside its artifact, if any: Infer looks into the artifact itself."""
    try:
        found = objects.read_tagged(uri)
        if found is None:
            return known
        schema = json.loads(found.text)
        raw = _kinds(schema["raw"]) if "raw" in schema else None
        ignored = tuple(str(name) for name in schema.get("ignored", ()))
        return replace(known, columns=_kinds(schema["columns"]), raw=raw, ignored=ignored)
    except (ValueError, KeyError, TypeError, AttributeError):
        log.warning("%s cannot be read as a schema", uri)
        return known


def _kinds(columns: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {str(column["name"]): str(column["kind"]) for column in columns}


def _read_evaluation(objects: ObjectStore, folder: str, package: ModelPackage) -> Evaluation | None:
    """Return the evaluation that lies beside the artifact, if it is this artifact's."""
    try:
        content = objects.read_start(join_uri(folder, contract.EVALUATION_FILE), MOST_BYTES)
    except StoreError as error:
        log.warning("%s", error)
        return None
    found = evaluation.parse(content.decode("utf-8", "replace")) if content else None
    return found if found and found.sha256 == package.sha256 else None
