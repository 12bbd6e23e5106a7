"""A proposal made whole: facts in, the columns' meaning and a commented config out. Pure but for what `ask` reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from pipelines import column_names, division, file_roles, proposal, terminal
from pipelines.errors import DataError
from pipelines.file_roles import Roles
from pipelines.proposal import Choice, Data, Proposal, Wanted
from pipelines.survey import Counts, Facts, File, Question

Ask = Callable[[Question], Counts]
ALONE = "all"
"""Name of the model where nothing divides the rows."""
MOST_MODELS = 50
TIME_LIMIT = 60
"""Seconds per model in a first config: results soon, and more once the data are understood."""


@dataclass(frozen=True)
class Draft:
    """What is proposed: the meaning of the columns, the files by role, and the models (by column, or listed)."""

    proposal: Proposal
    roles: Roles
    models: Any
    globs: Mapping[str, tuple[str, ...]]
    delimiter: str


def propose(facts: Facts, wanted: Wanted, ask: Ask) -> Draft:
    """Return a draft for these files.

    Args:
        facts: what the files hold.
        wanted: what a person says about the columns.
        ask: counts over all rows.

    Raises:
        DataError: label or id cannot be found, or what a person says does not hold; all problems at once.
    """
    assigned = file_roles.assign(facts, wanted.label)
    data = Data.of(assigned)
    problems = proposal.check(data, wanted)
    if problems:
        raise DataError(*problems)
    found = _settle(facts, data, wanted, ask)
    globs = {role: _globs(assigned, facts, role) for role in ("train", "predict")}
    return Draft(found, assigned, _models(found, assigned, globs), globs, facts.delimiter)


def _settle(facts: Facts, data: Data, wanted: Wanted, ask: Ask) -> Proposal:
    """Return what each column is for; problems of label, id and time together."""
    problems: list[str] = []
    label = _try(problems, lambda: proposal.guess_label(data, wanted))
    time = _try(problems, lambda: proposal.guess_time(data, wanted))
    counts = ask(
        Question(
            {role: data.roles.keys(role) for role in ("train", "predict")},
            proposal.id_candidates(data, wanted, label and label.column),
            division.candidates(data, wanted, label and label.column),
            label and label.column,
            facts.delimiter,
        )
    )
    id_ = _try(problems, lambda: proposal.guess_id(data, wanted, counts))
    if label is None or time is None or id_ is None or problems:
        raise DataError(*problems)
    segment = _prefer_files(data.roles, division.guess(wanted, counts, (label.column, id_.column, time[0].column)))
    named = [label.column, id_.column, segment.column, time[0].column]
    keep = (segment.column, time[0].column)
    drop = proposal.guess_drop(data, str(label.column), str(id_.column), keep, counts)
    categories = proposal.guess_categories(data, [*named, *drop])
    return Proposal(label, id_, time[0], segment, time[1], drop, categories, tuple(_notes(facts, data, label)))


def _try(problems: list[str], guess: Callable[[], Any]) -> Any:
    try:
        return guess()
    except DataError as error:
        problems += error.problems
        return None


def _notes(facts: Facts, data: Data, label: Choice) -> list[str]:
    """Return what a person should know besides: files left out, rows without a label, nothing to predict yet."""
    notes = []
    if data.roles.neither:
        names = ", ".join(file.key for file in data.roles.neither[:5])
        notes.append(f"left out: {names}, whose columns are neither those to train on nor those to predict")
    column = data.train.get(label.column or "")
    empty = column.rows - column.filled if column else 0
    if not data.has_predict:
        rows = f"; {empty:,} rows have no {label.column!r}: if these are to be predicted, add --split" if empty else ""
        notes.append(
            "there are no files to predict yet: put some beside the others as predict*.csv, with the same columns but "
            f"the label{rows}"
        )
    elif empty:
        notes.append(f"{empty:,} training rows have no {label.column!r} and are not trained on")
    if facts.delimiter != ",":
        notes.append(f"the CSV files are divided by {facts.delimiter!r}")
    return notes


def _globs(assigned: Roles, facts: Facts, role: str) -> tuple[str, ...]:
    keys = assigned.keys(role)
    return file_roles.globs(keys, facts.keys, role) if keys else (f"{role}*",)


def _models(found: Proposal, assigned: Roles, globs: Mapping[str, Sequence[str]]) -> Any:
    """Return `models` of the config: by column, else one per pair of files, else one for all rows."""
    if found.segment.column is not None:
        return {"by": found.segment.column}
    if topics := _topics(assigned):
        return [
            {"name": topic, "train": _one(train), "predict": _one(test) or f"predict*{file_roles.literal(topic)}*"}
            for topic, (train, test) in topics.items()
        ]
    return [{"name": ALONE, "train": _plain(globs["train"]), "predict": _plain(globs["predict"])}]


def _topics(assigned: Roles) -> dict[str, tuple[list[str], list[str]]]:
    """Return the pairs of files that can have a model each; empty where one has too few rows."""
    rows = {file.key: file.rows for file in assigned.train}
    topics = file_roles.pairs(assigned)
    enough = all(sum(rows[key] for key in train) >= division.MIN_ROWS for train, _ in topics.values())
    return topics if enough else {}


def _prefer_files(assigned: Roles, segment: Choice) -> Choice:
    """Return a segment, or none where files that pair by name divide the rows better than an unnamed column."""
    topics = _topics(assigned)
    if not topics or segment.given or (segment.column and column_names.like_segment(segment.column) > 0):
        return segment
    return Choice(None, f"one model for each of {len(topics)} files that pair by name", segment.others)


def _one(keys: Sequence[str]) -> Any:
    return _plain([file_roles.literal(key) for key in keys])


def _plain(globs: Sequence[str]) -> Any:
    return globs[0] if len(globs) == 1 else list(globs)


def name_pipeline(*places: str) -> str:
    """Return a pipeline's name made from the first of these names that holds letters; `tabular` where none does."""
    for place in places:
        words = [word for word in column_names.words(place) if word.isascii()]
        if name := "-".join(words)[:40].strip("-"):
            return name
    return "tabular"


def document(draft: Draft, name: str, raw: str) -> dict[str, Any]:
    """Return the config that a draft stands for."""
    found = draft.proposal
    data: dict[str, Any] = {"raw": raw}
    if isinstance(draft.models, dict):
        data |= {role: _plain(globs) for role, globs in draft.globs.items() if tuple(globs) != (f"{role}*",)}
    data |= {"delimiter": draft.delimiter} if draft.delimiter != "," else {}
    data |= {"label": found.label.column, "id": found.id.column}
    data |= {"time": found.time.column} if found.time.column else {}
    data |= {"holdout": {"method": "time"}} if found.by_time else {}
    data |= {"drop": list(found.drop)} if found.drop else {}
    data |= {"categories": list(found.categories)} if found.categories else {}
    return {
        "pipeline": {"name": name},
        "data": data,
        "models": draft.models,
        "training": {"time_limit": TIME_LIMIT},
        "fallback": {"policy": "per_model", "on_missing_default": "skip"},
    }


def text(draft: Draft, name: str, raw: str) -> str:
    """Return the config file: short, with a reason beside each line."""
    config = document(draft, name, raw)
    why = _comments(draft)
    lines = ["# Proposed by python -m pipelines.init; change what is wrong. Every key: docs/reference/settings.md."]
    lines += [f"pipeline: {_flow(config['pipeline'])}", "data:"]
    lines += [_line(f"  {key}: {_flow(value)}", why.get(key)) for key, value in config["data"].items()]
    if isinstance(config["models"], dict):
        lines.append(_line(f"models: {_flow(config['models'])}", why["segment"]))
    else:
        lines += ["models:", *(f"  - {_flow(model)}" for model in config["models"])]
    lines.append(
        _line(f"training: {_flow(config['training'])}", "seconds per model: short, for first results; default 600")
    )
    lines.append(
        _line(f"fallback: {_flow(config['fallback'])}", "leave out a segment whose model fails, deliver the others")
    )
    lines.append("# gate: {mae: 10}   the largest error that is good enough; now a model must beat the median only")
    written = "\n".join(lines) + "\n"
    return written if yaml.safe_load(written) == config else yaml.safe_dump(config, sort_keys=False)


def _comments(draft: Draft) -> dict[str, str]:
    found = draft.proposal
    return {
        "raw": "as seen from where commands are run",
        "label": _say(found.label),
        "id": _say(found.id),
        "time": _say(found.time),
        "segment": _say(found.segment),
        "holdout": "measured on the last rows, because those to predict are later than all to train on",
        "drop": "; ".join(dict.fromkeys(found.drop.values())),
        "categories": "; ".join(dict.fromkeys(found.categories.values())),
    }


def _say(choice: Choice) -> str:
    return choice.reason + (f"; or {', '.join(choice.others)}" if choice.others else "")


def _line(setting: str, why: str | None) -> str:
    return f"{setting}  # {terminal.line(why)}" if why else setting


def _flow(value: Any) -> str:
    """Return a value as YAML in one line."""
    dumped = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**9, sort_keys=False)
    return dumped.removesuffix("\n").removesuffix("\n...")


def explain(draft: Draft) -> list[tuple[str, str, str]]:
    """Return per role what is proposed, and why."""
    found = draft.proposal
    rows = [
        (role, ", ".join(draft.globs[role]) if files else "-", _say_files(files))
        for role, files in (("train", draft.roles.train), ("predict", draft.roles.predict))
    ]
    chosen = (("label", found.label), ("id", found.id), ("time", found.time), ("segment", found.segment))
    rows += [(role, choice.column or "-", _say_close(role, choice)) for role, choice in chosen]
    if found.by_time:
        rows.append(("holdout", "time", _comments(draft)["holdout"]))
    rows += [("drop", name, why) for name, why in found.drop.items()]
    rows += [("category", name, why) for name, why in found.categories.items()]
    return rows


def _say_files(files: Sequence[File]) -> str:
    if not files:
        return "no files yet"
    return f"{len(files)} file{'s' if len(files) > 1 else ''}, {sum(file.rows for file in files):,} rows"


def _say_close(role: str, choice: Choice) -> str:
    hints = f"; close: {', '.join(choice.others)} (--{role} NAME)" if choice.others else ""
    return choice.reason + hints
