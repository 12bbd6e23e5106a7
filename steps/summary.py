"""What a run came to, in one mapping: `summary.json`, which the CLI, the mails and the report all tell.

PostProcess reads the inputs into a `Run`; the functions here are pure and only arrange what other steps found:
they decide nothing (Judge and Decide did) and read no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steps import contract, speed
from steps.language import ENGLISH, Language

SUCCEEDED = "Succeeded"
DEGRADED = "Degraded"
SERVED = (
    (
        "{part:,} of {count:,} segment served by fresh models",
        "{part:,} of {count:,} segments served by fresh models",
        "{part:,} of {count:,} served by fresh models",
    ),
    (
        "{part:,} of {count:,} segment served by DEFAULT",
        "{part:,} of {count:,} segments served by DEFAULT",
        "{part:,} of {count:,} served by DEFAULT",
    ),
    ("{part:,} of {count:,} SKIPPED",) * 3,
    ("{part:,} of {count:,} FAILED",) * 3,
)
"""How the headline tells who served: of one segment, of several, and after another part of the sentence."""
_NAMED = 3
"""Segments that a sentence names before it says how many more there are."""
_FIGURES = ("mae", "mae_low", "mae_high", "baseline_mae", "improvement", "threshold", "holdout_rows")

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Model:
    """One model of the run: `folder` is its inference output with its `parts`, the rest the content of its JSON files.

    `job` names the Train and Infer steps that served it: its own slug, or its shard.
    """

    name: str
    slug: str
    pooled: bool
    job: str
    folder: Path
    inference: Json
    evaluation: Json
    verdict: Json
    decision: Json | None = None
    checked: Json = field(default_factory=dict)
    parts: tuple[Path, ...] = ()

    @property
    def source(self) -> str:
        """Who served the segment: fresh, default or skipped."""
        return str(self.inference["source"])

    @property
    def rows(self) -> int:
        """Rows that were predicted."""
        return int(self.inference["rows"])

    @property
    def failure(self) -> str | None:
        """Why the segment's rows could not be prepared or scored although the run went on, or None."""
        failed = self.inference.get("status") == contract.FAILED
        return str(self.inference.get("reason") or "no reason was given") if failed else None

    @property
    def waiting(self) -> int:
        """Rows that were to be predicted and were not; 0 also for a failed segment whose rows could not be counted."""
        return int(self.inference.get("rows_waiting") or 0) if self.source == contract.SKIPPED else 0

    @property
    def why(self) -> str:
        """Why this model served the segment, or nobody did."""
        if self.failure is not None:
            return self.failure
        return str((self.decision or {}).get("reason") or self.inference.get("reason") or "")


@dataclass(frozen=True)
class Run:
    """Everything that PostProcess was given. `raw` is the URI of the raw data, `policy` Decide's, if it ran.

    A run whose `mode` is to score only has no training data.
    `started` is when the execution began, `timing` what PostProcess itself took so far; both only the report tells.
    """

    execution: str
    raw: str
    train_version: str
    predict_version: str
    settings: Json
    parameters: Mapping[str, str]
    verdicts: Json
    train_data: Json
    predict_data: Json
    models: tuple[Model, ...]
    policy: str | None = None
    notes: tuple[str, ...] = ()
    mode: str = contract.FULL
    started: str | None = None
    timing: Json = field(default_factory=dict)


def status_of(models: Sequence[Model]) -> str:
    """Return Degraded when a segment with rows to predict got no predictions, or one has failed."""
    return DEGRADED if any(model.waiting or model.failure is not None for model in models) else SUCCEEDED


def suffix_of(models: Sequence[Model], mode: str) -> str:
    """Return what the names of Infer and PostProcess end with: where the gate's else branch ran."""
    return contract.FALLBACK * (mode == contract.FULL and any(model.decision is not None for model in models))


def summarize(run: Run, rows: int) -> dict[str, Any]:
    """Return `summary.json` of a run that published `rows` predictions."""
    return {
        "execution": run.execution,
        "status": status_of(run.models),
        "headline": headline(run.models),
        "mode": run.mode,
        "pipeline": run.settings["pipeline"],
        "policy": run.policy,
        "rows": rows,
        "predict_rows": run.predict_data["rows"],
        "gate": {
            key: run.verdicts.get(key) for key in ("passed", "threshold", "max_baseline_ratio", "min_holdout_rows")
        },
        "models": {model.name: _model(model) for model in run.models},
        "data": _data(run),
        "parameters": dict(run.parameters),
    }


def headline(models: Sequence[Model], language: Language = ENGLISH) -> list[str]:
    """Return the verdict in one or two sentences: what the gate said, and who served the segments."""
    return [_gate_sentence(models, language), _served_sentence(models, language)]


def rejected(models: Sequence[Model]) -> list[Model]:
    """Return the models that the gate turned down; one that was not to be trained is not among them."""
    return [m for m in models if not m.verdict.get("accepted") and not m.verdict.get("ignored")]


def reasons(model: Model) -> list[str]:
    """Return why the gate turned a model down."""
    found = [str(reason) for reason in model.verdict.get("reasons") or ()]
    return found or [str(model.evaluation.get("reason") or "rejected")]


def _gate_sentence(models: Sequence[Model], language: Language) -> str:
    count, down = len([m for m in models if not m.verdict.get("ignored")]), len(rejected(models))
    if not count:
        return language.say("No model was trained")
    if not down:
        return language.count(count, "The model passed the gate", "All {count:,} models passed the gate")
    if count == 1:
        return language.say("{down} of {count} model was rejected by the gate", down=down, count=count)
    return language.count(
        down,
        "{count:,} of {all:,} models was rejected by the gate",
        "{count:,} of {all:,} models were rejected by the gate",
        all=count,
    )


def _served_sentence(models: Sequence[Model], language: Language) -> str:
    wanted = [m for m in models if m.rows or m.waiting or m.failure is not None]
    if not wanted:
        return language.say("There was nothing to predict")
    by_source = (
        [m for m in wanted if m.source == contract.FRESH],
        [m for m in wanted if m.source == contract.DEFAULT],
        [m for m in wanted if m.source == contract.SKIPPED and m.failure is None],
        [m for m in wanted if m.failure is not None],
    )
    told = [(texts, len(found)) for texts, found in zip(SERVED, by_source, strict=True) if found]
    said = [
        language.say(texts[2 if at else int(len(wanted) > 1)], part=part, count=len(wanted))
        for at, (texts, part) in enumerate(told)
    ]
    causes = [m for m in models if m.failure is not None or m in rejected(models)]
    return language.say(", ").join(said) + _because(causes, language)


def _because(models: Sequence[Model], language: Language) -> str:
    if not models:
        return ""
    reasons_of = ((m.name, language.quote(m.failure or reasons(m)[0])) for m in models[:_NAMED])
    named = language.say("; ").join(language.say("{name}: {text}", name=name, text=text) for name, text in reasons_of)
    left = len(models) - _NAMED
    told = named if left <= 0 else language.say("{named}; and {count:,} more", named=named, count=left)
    return language.say(" ({text})", text=told)


def _model(model: Model) -> dict[str, Any]:
    verdict, inference, evaluation = model.verdict, model.inference, model.evaluation
    return {
        "slug": model.slug,
        **{key: verdict.get(key) for key in _FIGURES},
        "accepted": bool(verdict.get("accepted")),
        "reasons": list(verdict.get("reasons") or ()),
        "served_by": model.source,
        "why": model.why,
        "rows": model.rows,
        "rows_waiting": model.waiting,
        "failure": model.failure,
        "model_version": inference.get("version"),
        "train_rows": evaluation.get("train_rows"),
        "status": verdict.get("status") or evaluation.get("status"),
        "reason": evaluation.get("reason"),
        "autogluon_version": inference.get("autogluon_version") or evaluation.get("autogluon_version"),
        "warnings": [*speed.warnings(evaluation), *(inference.get("warnings") or ())],
        "drift": _drift(model),
        **({"custom_metrics": figures} if (figures := evaluation.get("custom_metrics")) else {}),
    }


def _drift(model: Model) -> dict[str, Any]:
    """Return what CheckData found: the column that moved most, its PSI, and what there was to warn of."""
    worst = model.checked.get("worst") or {}
    return {
        "column": worst.get("column"),
        "psi": worst.get("psi"),
        "warnings": list(model.checked.get("warnings") or ()),
    }


def _data(run: Run) -> dict[str, Any]:
    train, predict = run.train_data, run.predict_data
    return {
        "train_version": run.train_version,
        "predict_version": run.predict_version,
        "raw": run.raw,
        "train_rows": train["rows"],
        "dropped_null_label": train.get("dropped_null_label", 0),
        "train_rest_rows": train.get("rest_rows", 0),
        "train_skipped_rows": train.get("skipped_rows", 0),
        "rest_rows": predict.get("rest_rows", 0),
        "skipped_rows": predict.get("skipped_rows", 0),
        "ignored": list(train.get("ignored") or ()),
        "extra_columns": list(predict.get("extra_columns") or ()),
        "warnings": [*(train.get("warnings") or ()), *(predict.get("warnings") or ()), *run.notes],
    }
