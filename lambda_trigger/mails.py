"""The texts of the mails, for people: what happened first, then figures, then what to do next. Pure.

A mail names models, columns, counts and figures, never a cell's value, and holds no link that grants
access. Its body is in the language of its run, its subject in English: SNS has long taken ASCII alone, and a mail that
the service refuses for its subject reaches nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lambda_trigger.summary import ModelSummary, Summary
from lambda_trigger.text import format_interval, format_number, format_table, list_names
from lambda_trigger.verdicts import Verdict, Verdicts
from steps import contract
from steps.contract import escape_controls
from steps.language import ENGLISH, Language


@dataclass(frozen=True)
class Mail:
    """Subject and body of a mail, and the code of the body's language."""

    subject: str
    body: str
    language: str = ENGLISH.code

    def context(self, execution: str, kind: str) -> dict[str, str]:
        """Return what a Notifier wants to know of it."""
        return {"execution": execution, "kind": kind, "language": self.language}


@dataclass(frozen=True)
class Run:
    """The run that a mail speaks of; `facts` are lines below the first, `when` is the time of the mail.

    The facts and what other records say are English; the mail has them in `language`.
    """

    pipeline: str
    execution: str
    when: str
    facts: Mapping[str, str]
    language: Language = ENGLISH


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
ENDED = {"Failed": "FAILED", "Stopped": "was STOPPED", "CompletedWithFailures": "COMPLETED WITH FAILURES"}
SOURCES = (contract.FRESH, contract.DEFAULT, contract.SKIPPED)
"""What a mail says of who served, by their names in summary.json."""
HEADS = ("MODEL", "MAE", "95 %", "THRESHOLD", "BASELINE", "IMPROVEMENT")
"""What heads the columns of the models' figures."""
LABELS = ("execution", "time", "rows", "predictions", "report", "summary", "marker", "stopped while running")
"""What heads a fact, besides the facts of notify and status."""


def started(run: Run, models: Sequence[str]) -> Mail:
    """Return the mail that a run has started."""
    language = run.language
    first = language.count(
        len(models),
        "{pipeline}: run started with {count} model ({names})",
        "{pipeline}: run started with {count} models ({names})",
        pipeline=run.pipeline,
        names=list_names(models, 10, language),
    )
    return Mail(f"{run.pipeline}: run {run.execution} started", _join(first, _facts(run)), language.code)


def trained(run: Run, verdicts: Verdicts, order: Sequence[str], drift: Sequence[str] = ()) -> Mail:
    """Return the mail with MAE, threshold, baseline and verdict of every model; `order` has their slugs.

    `drift` are the warnings of CheckData, in the language of the run.
    """
    models, language = [verdicts.of(slug) for slug in order], run.language
    reasons = [_say_of(language, m.name, language.list_quoted(m.reasons)) for m in models if m.reasons]
    blocks = (_facts(run), _verdict_table(language, models), "\n".join(reasons), _say_drift(language, drift))
    first, subject = (_say_gate(spoken, run.pipeline, models) for spoken in (language, ENGLISH))
    return Mail(subject, _join(first, *blocks), language.code)


def _say_gate(language: Language, pipeline: str, models: Sequence[Verdict]) -> str:
    rejected = [model.name for model in models if model.rejected]
    count = sum(not model.ignored for model in models)
    if not rejected:
        return language.say("{pipeline}: all {count} models passed the gate", pipeline=pipeline, count=count)
    return language.say(
        "{pipeline}: the gate rejected {rejected} of {count} models ({names})",
        pipeline=pipeline,
        rejected=len(rejected),
        count=count,
        names=list_names(rejected, language=language),
    )


def _say_drift(language: Language, warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    rest = len(warnings) - WARNINGS
    more = [f"  {language.say('and {count} more, in the report', count=rest)}"] if rest > 0 else []
    first = language.count(
        len(warnings),
        "Data to predict unlike training data, {count} warning:",
        "Data to predict unlike training data, {count} warnings:",
    )
    return "\n".join([first, *(f"  {escape_controls(warning)}" for warning in warnings[:WARNINGS]), *more])


def finished(run: Run, summary: Summary, places: Places) -> Mail:
    """Return the mail that predictions are published; its first line says who served them."""
    language = run.language
    rows = language.say("{rows} predictions for {wanted} rows", rows=summary.rows, wanted=summary.predict_rows)
    facts = {"rows": rows, "predictions": places.predictions, "report": places.report, "summary": places.summary}
    steps = [language.say("Next:"), *(f"  {step}" for step in places.next_steps)] if places.next_steps else []
    left_out = [m for m in summary.models if m.failure is not None]
    failures = "\n".join(_say_of(language, m.name, _say_failed(language, m)) for m in left_out)
    table = _served_table(language, summary.models)
    first, subject = (first_line(run.pipeline, summary, spoken) for spoken in (language, ENGLISH))
    blocks = (_facts(run), table, failures, _lines(language, facts), "\n".join(steps))
    return Mail(subject, _join(first, *blocks), language.code)


def failed(run: Run, ending: Ending) -> Mail:
    """Return the mail that a run has failed or was stopped: where, why, and the commands that run it again."""
    language = run.language
    reasons = [_say_failure(language, step) for step in ending.steps]
    other = ending.reason and not ending.steps
    blocks = (
        _facts(run),
        _lines(language, {"stopped while running": list_names(ending.stopped, 10, language)}),
        *reasons,
        f"{language.say('Reason:')}\n{_indent(language.quote_lines(ending.reason))}" if other else "",
        "\n".join([language.say("Run it again with:"), *(f"  {line}" for line in ending.commands)])
        if ending.commands
        else "",
        f"{language.say('Debug the step with:')}\n  {ending.debug}" if ending.debug else "",
    )
    first, subject = (_say_ending(spoken, run.pipeline, ending) for spoken in (language, ENGLISH))
    return Mail(subject, _join(first, *blocks), language.code)


def _say_ending(language: Language, pipeline: str, ending: Ending) -> str:
    word = ENDED.get(ending.status, ending.status)
    ended, others = language.say(word) if word in ENDED.values() else word, len(ending.steps) - 1
    if not ending.steps:
        return language.say("{pipeline}: run {ended}", pipeline=pipeline, ended=ended)
    step = _say_step(language, ending.steps[0])
    if not others:
        return language.say("{pipeline}: run {ended} in {step}", pipeline=pipeline, ended=ended, step=step)
    return language.count(
        others,
        "{pipeline}: run {ended} in {step} and {count} more step",
        "{pipeline}: run {ended} in {step} and {count} more steps",
        pipeline=pipeline,
        ended=ended,
        step=step,
    )


def refused(pipeline: str, marker: str, when: str, problems: Sequence[str], language: Language = ENGLISH) -> Mail:
    """Return the mail that a marker has started nothing: everything that is wrong, and what to do."""
    name = escape_controls(marker.rpartition("/")[2])
    first, subject = (_say_refusal(spoken, pipeline, name, len(problems)) for spoken in (language, ENGLISH))
    listed = (f"  - {escape_controls(language.quote(problem))}" for problem in problems)
    wrong = "\n".join([language.say("What is wrong:"), *listed])
    again = language.say("Mend it, then put the marker there again: each new version of it is looked at once.")
    facts = _lines(language, {"marker": marker, "time": when})
    return Mail(subject, _join(first, facts, wrong, again), language.code)


def _say_refusal(language: Language, pipeline: str, name: str, problems: int) -> str:
    return language.count(
        problems,
        "{pipeline}: NO run started by {name}, {count} problem",
        "{pipeline}: NO run started by {name}, {count} problems",
        pipeline=pipeline,
        name=name,
    )


def _say_step(language: Language, step: FailedStep) -> str:
    if not step.model:
        return escape_controls(step.name)
    return escape_controls(language.say("{name} ({model})", name=step.name, model=step.model))


def _say_failure(language: Language, step: FailedStep) -> str:
    head = language.say("{step}:", step=_say_step(language, step))
    log = f"\n  {language.say('log: {link}', link=step.log)}" if step.log else ""
    return f"{head}\n{_indent(language.quote_lines(step.reason))}{log}"


def first_line(pipeline: str, summary: Summary, language: Language = ENGLISH) -> str:
    """Return who served the run in one line: degraded first, then defaults and why, then fresh models."""
    models, say = summary.models, language.say
    unserved = [model.name for model in models if model.is_unserved]
    empty = sum(model.served_by == contract.SKIPPED and not model.is_unserved for model in models)
    defaults, fresh = (sum(m.served_by == source for m in models) for source in (contract.DEFAULT, contract.FRESH))
    parts, count = [], len(models)
    if summary.degraded:
        parts.append(_say_degraded(language, unserved, count))
    if defaults:
        parts.append(_say_defaults(language, models, defaults))
    if (fresh and not defaults) or not parts:
        parts.append(say("{fresh} of {count} served by fresh models", fresh=fresh, count=count))
    if empty:
        parts.append(say("{empty} without rows to predict", empty=empty))
    return say("{pipeline}: {text}", pipeline=pipeline, text=say(", ").join(parts))


def _say_degraded(language: Language, unserved: Sequence[str], count: int) -> str:
    number = len(unserved)
    if not unserved:
        return language.say("DEGRADED, {unserved} of {count} not served", unserved=number, count=count)
    names = list_names(unserved, language=language)
    return language.say(
        "DEGRADED, {unserved} of {count} not served ({names})", unserved=number, count=count, names=names
    )


def _say_defaults(language: Language, models: Sequence[ModelSummary], defaults: int) -> str:
    """Return how many defaults served, with the models that the gate turned down, in brackets."""
    down = [m for m in models if not m.accepted and m.served_by == contract.DEFAULT and m.status != contract.DEFAULT]
    if not down:
        return language.say("{defaults} of {count} served by DEFAULT", defaults=defaults, count=len(models))
    causes = list_names([_cause(language, model) for model in down], language=language)
    return language.say(
        "{defaults} of {count} served by DEFAULT ({causes})", defaults=defaults, count=len(models), causes=causes
    )


def _cause(language: Language, model: ModelSummary) -> str:
    if model.mae is not None and model.threshold is not None and model.mae > model.threshold:
        mae, threshold = format_number(model.mae), format_number(model.threshold)
        return language.say("{name} MAE {mae} > {threshold}", name=model.name, mae=mae, threshold=threshold)
    if not model.reasons:
        return model.name
    return language.say("{name} {reason}", name=model.name, reason=language.quote(model.reasons[0]))


def _verdict_table(language: Language, models: Sequence[Verdict]) -> str:
    rows = [(m, m.holdout_rows, _say_verdict(language, m)) for m in models]
    return _table(language, (language.say("HOLDOUT"), language.say("VERDICT")), rows)


def _served_table(language: Language, models: Sequence[ModelSummary]) -> str:
    rows = [(m, m.rows, _say_served(language, m)) for m in models]
    return _table(language, (language.say("ROWS"), language.say("SERVED BY")), rows)


def _table(
    language: Language, ending: tuple[str, str], models: Sequence[tuple[Verdict | ModelSummary, int, str]]
) -> str:
    """Return the table of the models' figures; `ending` heads the two columns that each mail has of its own."""
    rows = [
        (
            m.name,
            format_number(m.mae),
            format_interval(m.mae_low, m.mae_high, language),
            format_number(m.threshold),
            format_number(m.baseline_mae),
            _percent(m.improvement),
            str(count),
            verdict,
        )
        for m, count, verdict in models
    ]
    return format_table([(*map(language.say, HEADS), *ending), *rows], frozenset(range(1, 7)))


def _say_verdict(language: Language, model: Verdict) -> str:
    if model.ignored:
        return language.say("not trained")
    return language.say("accepted") if model.accepted else language.say("REJECTED")


def _say_failed(language: Language, model: ModelSummary) -> str:
    """Return why nobody served a segment; the rows that wait are unknown where its files cannot be read."""
    failure = language.quote(model.failure or "")
    if model.rows_waiting:
        return language.count(
            model.rows_waiting,
            "FAILED, {count} row without a prediction: {failure}",
            "FAILED, {count} rows without a prediction: {failure}",
            failure=failure,
        )
    return language.say(
        "FAILED, its rows, none of which could be counted, without a prediction: {failure}", failure=failure
    )


def _say_served(language: Language, model: ModelSummary) -> str:
    if model.failure is not None:
        return language.say("nobody - FAILED, see below")
    source = language.say(model.served_by) if model.served_by in SOURCES else model.served_by
    version, why = model.model_version, language.quote(model.why)
    if model.served_by == contract.FRESH or not why:
        return source if version is None else language.say("{source} version {version}", source=source, version=version)
    if version is None:
        return language.say("{source} - {why}", source=source, why=why)
    return language.say("{source} version {version} - {why}", source=source, version=version, why=why)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} %"


def _facts(run: Run) -> str:
    quoted = {name: run.language.quote(value) for name, value in run.facts.items()}
    return _lines(run.language, {"execution": run.execution, "time": run.when, **quoted})


def _lines(language: Language, facts: Mapping[str, str]) -> str:
    rows = [(language.say("{name}:", name=language.say(name)), value) for name, value in facts.items() if value]
    return format_table(rows) if rows else ""


def _say_of(language: Language, name: str, text: str) -> str:
    return escape_controls(language.say("{name}: {text}", name=name, text=text))


def _indent(text: str) -> str:
    return "\n".join(f"  {escape_controls(line)}" for line in text.splitlines())


def _join(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"
