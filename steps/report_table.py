"""The table of all models, the key figures above it and what the charts over all models show. Pure.

Numbers go out as numbers, because the page sorts by them.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from steps import contract, shift, summary
from steps.language import Language
from steps.report_figures import Json, figure, interval, percent

METRICS = 3
"""Metrics of the user's own that have a column; more are told in each model's details only."""

Tile = tuple[str, str, str]


def tiles(run: summary.Run, found: Json, say: Language) -> list[Tile]:
    """Return the key figures: title, value, what it is."""
    judged = [model for model in run.models if not model.verdict.get("ignored")]
    passed = len(judged) - len(summary.rejected(run.models))
    better = [m.verdict["improvement"] for m in judged if m.verdict.get("improvement") is not None]
    seconds = sum(_seconds(model.evaluation.get("fit_seconds")) for model in run.models)
    predictions = (say("Predictions"), figure(found["rows"]), say("of {rows} rows to predict", rows=_whole(found)))
    if run.mode != contract.FULL or not judged:
        return [predictions, *_untrained_tiles(run, say)]
    typical = percent(statistics.median(better) if better else None)
    return [
        predictions,
        (say("Passed the gate"), say("{passed} of {all}", passed=f"{passed:,}", all=f"{len(judged):,}"), say("models")),
        (say("Better than the baseline"), typical, say("MAE below the median predictor's, median of the models")),
        (say("Training"), say("{seconds} s", seconds=f"{seconds:,.0f}"), say("fit time, all models together")),
    ]


def _untrained_tiles(run: summary.Run, say: Language) -> list[Tile]:
    """Return the figures of a run that trained nothing."""
    served = sum(model.source == contract.DEFAULT for model in run.models)
    seconds = sum(_seconds(model.inference.get("seconds")) for model in run.models)
    count = say("{passed} of {all}", passed=f"{served:,}", all=f"{len(run.models):,}")
    return [
        (say("Served by defaults"), count, say("models")),
        (say("Inference"), say("{seconds} s", seconds=f"{seconds:,.1f}"), say("all models together")),
    ]


def _whole(found: Json) -> str:
    return f"{found['predict_rows']:,}"


def _seconds(value: Any) -> float:
    return float(value or 0)


def verdict_of(model: summary.Model) -> tuple[str, str]:
    """Return the gate's word on a model, and its tone."""
    if model.verdict.get("accepted"):
        return "passed", "good"
    if not model.verdict or model.verdict.get("ignored"):
        return "not trained", "none"
    failed = model.evaluation.get("status") == contract.FAILED
    return ("failed" if failed else "rejected"), "bad"


def against(model: summary.Model) -> list[str]:
    """Return why the gate turned a model down; nothing of one that it did not."""
    return [] if verdict_of(model)[1] in ("good", "none") else summary.reasons(model)


def metrics_of(model: summary.Model) -> dict[str, float]:
    """Return the metrics of the user's own, by name."""
    return {str(name): value for name, value in (model.evaluation.get("custom_metrics") or {}).items()}


def metric_names(models: Sequence[summary.Model]) -> list[str]:
    """Return the metrics of the user's own that get a column."""
    names = dict.fromkeys(name for model in models for name in metrics_of(model))
    return list(names)[:METRICS]


def rows(models: Sequence[summary.Model], say: Language) -> list[dict[str, Any]]:
    """Return a line of the table for each model."""
    metrics = metric_names(models)
    return [_row(model, metrics, say) for model in models]


def _row(model: summary.Model, metrics: Sequence[str], say: Language) -> dict[str, Any]:
    word, tone = verdict_of(model)
    verdict, reasons, own = model.verdict, against(model), metrics_of(model)
    return {
        "name": model.name,
        "verdict": say(word),
        "tone": tone,
        "reasons": [say.quote(reason) for reason in reasons],
        "served": model.source if model.failure is None else contract.FAILED,
        "why": "" if model.why == "; ".join(reasons) else say.quote(model.why),  # said once, beside the verdict
        "version": model.inference.get("version"),
        "interval": interval(verdict, say),
        "numbers": [
            *(verdict.get(key) for key in ("mae", "threshold", "baseline_mae")),
            verdict.get("improvement"),
            model.rows,
            verdict.get("holdout_rows"),
            model.evaluation.get("fit_seconds"),
            model.inference.get("rows_per_second"),
            *(own.get(name) for name in metrics),
        ],
        "drift": shift.mark(model.checked, say),
    }


def overview(models: Sequence[summary.Model]) -> list[dict[str, Any]]:
    """Return what the charts over all models show of each."""
    return [_overview(model) for model in models]


def _overview(model: summary.Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "tone": verdict_of(model)[1],
        "mae": model.verdict.get("mae"),
        "low": model.verdict.get("mae_low"),
        "high": model.verdict.get("mae_high"),
        "threshold": model.verdict.get("threshold"),
        "baseline": model.verdict.get("baseline_mae"),
        "fit": _seconds(model.evaluation.get("fit_seconds")),
        "infer": _seconds(model.inference.get("seconds")),
    }
