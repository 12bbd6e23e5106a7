"""The texts of the mails, for people: what happened first, then figures, then what to do next. Pure.

A mail names models, columns, counts and figures, never a cell's value, and holds no link that grants
access.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lambda_trigger.summary import ModelSummary, Summary
from lambda_trigger.text import format_interval, format_number, format_table, list_names
from lambda_trigger.verdicts import Verdict, Verdicts
from steps.contract import escape_controls


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


@dataclass(frozen=True)
class FailedStep:
    """A step that failed: the model that it serves, if it is one model's, why, and where its log is."""

    name: str
    model: str
    reason: str
    log: str = ""


@dataclass(frozen=True)
class Ending:
    """How a run ended that did not succeed; `commands` are what to do, in this order, `debug` looks into the step.

    `stopped` are the steps that ran when it was stopped; `reason` is the run's own, where no step has failed.
    """

    status: str
    steps: Sequence[FailedStep] = ()
    stopped: Sequence[str] = ()
    reason: str = ""
    commands: Sequence[str] = ()
    debug: str = ""


WARNINGS = 5
"""Warnings of drift that a mail names."""
_SAY_ENDING = {"Failed": "FAILED", "Stopped": "was STOPPED", "CompletedWithFailures": "COMPLETED WITH FAILURES"}


def started(run: Run, models: Sequence[str]) -> Mail:
    """Return the mail that a run has started."""
    first = f"{run.pipeline}: run started with {_count(len(models), 'model')} ({list_names(models, 10)})"
    return Mail(f"{run.pipeline}: run {run.execution} started", _join(first, _facts(run)))


def trained(run: Run, verdicts: Verdicts, order: Sequence[str], drift: Sequence[str] = ()) -> Mail:
    """Return the mail with MAE, threshold, baseline and verdict of every model; `order` has their slugs.

    `drift` are the warnings of CheckData.
    """
    models = [verdicts.of(slug) for slug in order]
    rejected = [model.name for model in models if model.rejected]
    judged = [model for model in models if not model.ignored]
    first = f"{run.pipeline}: all {len(judged)} models passed the gate"
    if rejected:
        share = f"{len(rejected)} of {len(judged)} models"
        first = f"{run.pipeline}: the gate rejected {share} ({list_names(rejected)})"
    reasons = [escape_controls(f"{m.name}: {'; '.join(m.reasons)}") for m in models if m.reasons]
    return Mail(first, _join(first, _facts(run), _verdict_table(models), "\n".join(reasons), _say_drift(drift)))


def _say_drift(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    more = [f"  and {len(warnings) - WARNINGS} more, in the report"] if len(warnings) > WARNINGS else []
    first = f"Data to predict unlike training data, {_count(len(warnings), 'warning')}:"
    return "\n".join([first, *(f"  {escape_controls(warning)}" for warning in warnings[:WARNINGS]), *more])


def finished(run: Run, summary: Summary, places: Places) -> Mail:
    """Return the mail that predictions are published; its first line says who served them."""
    first = first_line(run.pipeline, summary)
    where = {"predictions": places.predictions, "report": places.report, "summary": places.summary}
    facts = {"rows": f"{summary.rows} predictions for {summary.predict_rows} rows", **where}
    next_steps = "\n".join(["Next:", *(f"  {step}" for step in places.next_steps)]) if places.next_steps else ""
    left_out = [m for m in summary.models if m.failure is not None]
    failures = "\n".join(escape_controls(f"{m.name}: {_say_failed(m)}") for m in left_out)
    return Mail(first, _join(first, _facts(run), _served_table(summary.models), failures, _lines(facts), next_steps))


def failed(run: Run, ending: Ending) -> Mail:
    """Return the mail that a run has failed or was stopped: where, why, and the commands that run it again."""
    first = f"{run.pipeline}: run {_SAY_ENDING.get(ending.status, ending.status)}"
    if ending.steps:
        more = f" and {_count(len(ending.steps) - 1, 'more step')}" if len(ending.steps) > 1 else ""
        first += f" in {_say_step(ending.steps[0])}{more}"
    reasons = [_say_failure(step) for step in ending.steps]
    other = f"Reason:\n{_indent(ending.reason)}" if ending.reason and not ending.steps else ""
    stopped = _lines({"stopped while running": list_names(ending.stopped, 10)})
    again = "\n".join(["Run it again with:", *(f"  {line}" for line in ending.commands)]) if ending.commands else ""
    debug = f"Debug the step with:\n  {ending.debug}" if ending.debug else ""
    return Mail(first, _join(first, _facts(run), stopped, *reasons, other, again, debug))


def refused(pipeline: str, marker: str, when: str, problems: Sequence[str]) -> Mail:
    """Return the mail that a marker has started nothing: everything that is wrong, and what to do."""
    name = escape_controls(marker.rpartition("/")[2])
    first = f"{pipeline}: NO run started by {name}, {_count(len(problems), 'problem')}"
    wrong = "\n".join(["What is wrong:", *(f"  - {escape_controls(problem)}" for problem in problems)])
    again = "Mend it, then put the marker there again: each new version of it is looked at once."
    return Mail(first, _join(first, _lines({"marker": marker, "time": when}), wrong, again))


def _say_step(step: FailedStep) -> str:
    return escape_controls(f"{step.name} ({step.model})" if step.model else step.name)


def _say_failure(step: FailedStep) -> str:
    log = f"\n  log: {step.log}" if step.log else ""
    return f"{_say_step(step)}:\n{_indent(step.reason)}{log}"


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
            format_number(m.mae),
            format_interval(m.mae_low, m.mae_high),
            format_number(m.threshold),
            format_number(m.baseline_mae),
            _percent(m.improvement),
            str(count),
            verdict,
        )
        for m, count, verdict in models
    ]
    heads = ("MODEL", "MAE", "95 %", "THRESHOLD", "BASELINE", "IMPROVEMENT", *ending)
    return format_table([heads, *rows], frozenset(range(1, 7)))


def _say_verdict(model: Verdict) -> str:
    return "not trained" if model.ignored else "accepted" if model.accepted else "REJECTED"


def _say_failed(model: ModelSummary) -> str:
    """Return why nobody served a segment; the rows that wait are unknown where its files cannot be read."""
    waiting = _count(model.rows_waiting, "row") if model.rows_waiting else "its rows, none of which could be counted,"
    return f"FAILED, {waiting} without a prediction: {model.failure}"


def _say_served(model: ModelSummary) -> str:
    if model.failure is not None:
        return "nobody - FAILED, see below"
    version = f" version {model.model_version}" if model.model_version is not None else ""
    return model.served_by + version + ("" if model.served_by == "fresh" or not model.why else f" - {model.why}")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} %"


def _facts(run: Run) -> str:
    return _lines({"execution": run.execution, "time": run.when, **run.facts})


def _lines(facts: Mapping[str, str]) -> str:
    rows = [(f"{name}:", value) for name, value in facts.items() if value]
    return format_table(rows) if rows else ""


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _indent(text: str) -> str:
    return "\n".join(f"  {escape_controls(line)}" for line in text.splitlines())


def _join(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"
