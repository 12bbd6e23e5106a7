"""The texts of the mails, for people: what happened first, then figures, then what to do next. Pure.

A mail names models, columns, counts and figures, never a cell's value, and holds no link that grants
access.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lambda_trigger.summary import ModelSummary, Summary
from lambda_trigger.text import format_number, format_table, list_names
from lambda_trigger.verdicts import Verdict, Verdicts


@dataclass(frozen=True)
class Mail:
    """Subject and body of a mail."""

    subject: str
    body: str


@dataclass(frozen=True)
class Run:
    """The run that a mail speaks of; `facts` are lines below the first, `when` is the time of the mail."""

    pipeline: str
    execution: str
    when: str
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Places:
    """Where people find what a run published, and the command for what they would do next, if anything."""

    predictions: str
    report: str
    summary: str
    next_steps: Sequence[str]


def started(run: Run, models: Sequence[str]) -> Mail:
    """Return the mail that a run has started."""
    first = f"{run.pipeline}: run started with {_count(len(models), 'model')} ({list_names(models, 10)})"
    return Mail(f"{run.pipeline}: run {run.execution} started", _join(first, _facts(run)))


def trained(run: Run, verdicts: Verdicts, order: Sequence[str]) -> Mail:
    """Return the mail with MAE, threshold, baseline and verdict of every model; `order` has their slugs."""
    models = [verdicts.of(slug) for slug in order]
    rejected = [model.name for model in models if model.rejected]
    judged = [model for model in models if not model.ignored]
    first = f"{run.pipeline}: all {len(judged)} models passed the gate"
    if rejected:
        share = f"{len(rejected)} of {len(judged)} models"
        first = f"{run.pipeline}: the gate rejected {share} ({list_names(rejected)})"
    reasons = [f"{m.name}: {'; '.join(m.reasons)}" for m in models if m.reasons]
    return Mail(first, _join(first, _facts(run), _verdict_table(models), "\n".join(reasons)))


def finished(run: Run, summary: Summary, places: Places) -> Mail:
    """Return the mail that predictions are published; its first line says who served them."""
    first = first_line(run.pipeline, summary)
    where = {"predictions": places.predictions, "report": places.report, "summary": places.summary}
    facts = {"rows": f"{summary.rows} predictions for {summary.predict_rows} rows", **where}
    next_steps = "\n".join(["Next:", *(f"  {step}" for step in places.next_steps)]) if places.next_steps else ""
    return Mail(first, _join(first, _facts(run), _served_table(summary.models), _lines(facts), next_steps))


def failed(run: Run, step: str, model: str, reason: str, command: str) -> Mail:
    """Return the mail that a run has failed: where, why, and the command that runs it again."""
    where = f"{step} ({model})" if model else step
    first = f"{run.pipeline}: run FAILED in {where}"
    again = f"Run it again with:\n  {command}" if command else ""
    return Mail(first, _join(first, _facts(run), f"Reason:\n{_indent(reason)}", again))


def first_line(pipeline: str, summary: Summary) -> str:
    """Return who served the run in one line: degraded first, then defaults and why, then fresh models."""
    models, count = summary.models, len(summary.models)
    unserved = [model for model in models if model.is_unserved]
    empty = sum(model.served_by == "skipped" and not model.is_unserved for model in models)
    defaults = sum(model.served_by == "default" for model in models)
    fresh = sum(model.served_by == "fresh" for model in models)
    parts = []
    if summary.degraded:
        named = f" ({list_names([model.name for model in unserved])})" if unserved else ""
        parts.append(f"DEGRADED, {len(unserved)} of {count} not served{named}")
    if defaults:
        parts.append(f"{defaults} of {count} served by DEFAULT{_causes(models)}")
    if (fresh and not defaults) or not parts:
        parts.append(f"{fresh} of {count} served by fresh models")
    if empty:
        parts.append(f"{empty} without rows to predict")
    return f"{pipeline}: {', '.join(parts)}"


def _causes(models: Sequence[ModelSummary]) -> str:
    """Return why defaults served: the models that the gate turned down, in brackets."""
    causes = [_cause(model) for model in models if not model.accepted and model.served_by == "default"]
    return f" ({list_names(causes)})" if causes else ""


def _cause(model: ModelSummary) -> str:
    if model.mae is not None and model.threshold is not None and model.mae > model.threshold:
        return f"{model.name} MAE {format_number(model.mae)} > {format_number(model.threshold)}"
    return f"{model.name} {model.reasons[0]}" if model.reasons else model.name


def _verdict_table(models: Sequence[Verdict]) -> str:
    return _table(("HOLDOUT", "VERDICT"), [(m, m.holdout_rows, _say_verdict(m)) for m in models])


def _served_table(models: Sequence[ModelSummary]) -> str:
    return _table(("ROWS", "SERVED BY"), [(m, m.rows, _say_served(m)) for m in models])


def _table(ending: tuple[str, str], models: Sequence[tuple[Verdict | ModelSummary, int, str]]) -> str:
    """Return the table of the models' figures; `ending` heads the two columns that each mail has of its own."""
    rows = [
        (
            m.name,
            *(format_number(figure) for figure in (m.mae, m.threshold, m.baseline_mae)),
            _percent(m.improvement),
            str(count),
            verdict,
        )
        for m, count, verdict in models
    ]
    return format_table(
        [("MODEL", "MAE", "THRESHOLD", "BASELINE", "IMPROVEMENT", *ending), *rows], frozenset(range(1, 6))
    )


def _say_verdict(model: Verdict) -> str:
    return "not trained" if model.ignored else "accepted" if model.accepted else "REJECTED"


def _say_served(model: ModelSummary) -> str:
    version = f" version {model.model_version}" if model.model_version is not None else ""
    return model.served_by + version + ("" if model.served_by == "fresh" or not model.why else f" - {model.why}")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} %"


def _facts(run: Run) -> str:
    return _lines({"execution": run.execution, "time": run.when, **run.facts})


def _lines(facts: Mapping[str, str]) -> str:
    return format_table([(f"{name}:", value) for name, value in facts.items() if value])


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _join(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"
