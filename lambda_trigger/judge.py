"""Judge: every rule of the gate on every model, after all trainings and before the gate's condition.

`judge` is pure. `handler` reads the evaluations, writes `verdicts.json` and returns how many models were
rejected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from lambda_trigger import evaluation, many, settings
from lambda_trigger.evaluation import Evaluation
from lambda_trigger.ports import Scalar, join_uri, ports_for
from lambda_trigger.settings import Gate, Model, Settings
from lambda_trigger.text import compare_numbers, format_number, make_logger
from lambda_trigger.verdicts import Verdict, Verdicts
from steps import contract

log = make_logger(__name__)


class ThresholdError(Exception):
    """A threshold is none that a MAE can be compared with."""


def handler(event: Mapping[str, Scalar], context: object) -> dict[str, Scalar]:
    """Judge the models of an execution; return `Rejected` and `VerdictsUri`.

    Raises:
        StoreError: a model's evaluation is not there.
        ThresholdError: the threshold is no number above 0.
    """
    objects = ports_for(context).objects
    chosen = settings.parse(objects.read_text(str(event[contract.KEY_SETTINGS])))
    read = many.for_each(chosen.models, lambda model: evaluation.read(objects, event, model))
    found = {model.slug: each for model, each in zip(chosen.models, read, strict=True)}
    verdicts = judge(chosen, found, read_threshold(event[contract.KEY_THRESHOLD]), str(event[contract.KEY_EXECUTION]))
    uri = join_uri(event[contract.KEY_OUTPUT], contract.VERDICTS_FILE)
    objects.write_text(uri, verdicts.to_json())
    log.info("rejected %d of %d models", len(verdicts.rejected), len(verdicts.models))
    return {contract.OUT_REJECTED: len(verdicts.rejected), contract.OUT_VERDICTS: uri}


def read_threshold(value: Scalar) -> float:
    """Return an absolute threshold: NaN would let every model pass, as no number is above it.

    Raises:
        ThresholdError: it is no number above 0 and below the MAE of a failed training.
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not 0 < number < contract.FAILED_MAE:
        raise ThresholdError(
            f"{contract.MAE_THRESHOLD} is {value!r}, expected a number above 0 and below 1e12; start again with one"
        )
    return number


def judge(chosen: Settings, found: Mapping[str, Evaluation], threshold: float, execution: str) -> Verdicts:
    """Return the verdicts on all models; `found` has an evaluation per slug."""
    gate = chosen.gate
    return Verdicts(
        execution=execution,
        threshold=_absolute_rule(threshold),
        max_baseline_ratio=gate.max_baseline_ratio,
        min_holdout_rows=gate.min_holdout_rows,
        models=tuple(judge_model(model, found[model.slug], threshold, gate) for model in chosen.models),
    )


def judge_model(model: Model, found: Evaluation, threshold: float, gate: Gate) -> Verdict:
    """Return the verdict on one model with every reason against it."""
    limit = _absolute_rule(threshold if model.threshold is None else read_threshold(model.threshold))
    ignored = found.status == contract.SKIPPED
    trained = found.status == contract.TRAINED
    reasons = _reasons_against(found, limit, gate) if trained else (_untrained_reason(found),)
    return Verdict(
        name=model.name,
        slug=model.slug,
        status=found.status,
        accepted=not reasons,
        ignored=ignored,
        mae=found.mae if trained else None,
        baseline_mae=found.baseline_mae,
        improvement=_improvement(found) if trained else None,
        threshold=limit,
        holdout_rows=found.holdout_rows or 0,
        reasons=reasons,
        mae_low=found.mae_low if trained else None,
        mae_high=found.mae_high if trained else None,
    )


def _absolute_rule(threshold: float) -> float | None:
    """Return the threshold, or None where it stands for "the relative rule alone decides"."""
    return threshold if threshold < contract.UNLIMITED_MAE else None


def _untrained_reason(found: Evaluation) -> str:
    return found.reason or ("no training rows" if found.status == contract.SKIPPED else "training failed")


def _reasons_against(found: Evaluation, limit: float | None, gate: Gate) -> tuple[str, ...]:
    reasons = []
    if found.holdout_rows is None:
        reasons.append(f"no count of holdout rows, at least {gate.min_holdout_rows} required")
    elif found.holdout_rows < gate.min_holdout_rows:
        reasons.append(f"{found.holdout_rows} holdout rows, at least {gate.min_holdout_rows} required")
    if found.mae is None:
        reasons.append("MAE is not a finite number")
    elif found.mae < 0:
        reasons.append(f"MAE is {format_number(found.mae)}, and no error is below 0")
    else:
        if limit is not None and not found.mae <= limit:
            reasons.append("MAE " + compare_numbers(found.mae, ">", "threshold", limit))
        if gate.max_baseline_ratio is not None:
            reasons += _reasons_of_baseline(found.mae, found.baseline_mae, gate.max_baseline_ratio)
    return tuple(reasons)


def _reasons_of_baseline(mae: float, baseline: float | None, ratio: float) -> list[str]:
    """Return what the relative rule says; it fails closed without a usable baseline."""
    if baseline is None:
        return ["baseline MAE is not a finite number, so nothing shows that the model has learned anything"]
    if baseline <= 0:
        return [f"baseline is {format_number(baseline)} (constant label): no model can be better"]
    if ratio == 1.0:
        return [] if mae < baseline else ["MAE " + compare_numbers(mae, ">=", "baseline", baseline)]
    limit = ratio * baseline
    shown = f"({format_number(ratio)} x baseline {format_number(baseline)})"
    return [] if mae <= limit else [f"MAE {compare_numbers(mae, '>', '', limit)} {shown}"]


def _improvement(found: Evaluation) -> float | None:
    """Return by how many percent the MAE is below the baseline's."""
    if found.mae is None or not found.baseline_mae or found.baseline_mae < 0:
        return None
    percent = (found.baseline_mae - found.mae) / found.baseline_mae * 100
    return percent if math.isfinite(percent) else None
