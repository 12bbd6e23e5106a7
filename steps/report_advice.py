"""What to do after a run, each piece of advice with the commands that do it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from steps import contract, summary
from steps.language import Language

_NAMED = 5

Advice = dict[str, Any]


def advice(run: summary.Run, local: bool, say: Language) -> list[Advice]:
    """Return what to do next: `text`, `note` on the commands and `commands`, this machine's (`local`) or AWS's."""
    down = [m for m in summary.rejected(run.models) if is_trained(m) and not m.waiting and m.failure is None]
    fresh = [m for m in run.models if m.source == contract.FRESH and m.verdict.get("accepted")]
    found = _on_failed(run, local, say)
    found += _on_skipped([m for m in run.models if m.waiting and m.failure is None], local, say)
    if down:
        text = say("Look at the rejected models below. To let one serve all the same, approve it as the default.")
        found.append(_piece(text, _approvals(down, local, say), say))
    if not found and fresh:
        text = say(
            "Nothing needs doing. To have these models as defaults should a later run be rejected, approve them."
        )
        found.append(_piece(text, _approvals(fresh, local, say), say))
    return found or [_piece(say("Nothing needs doing."), [], say)]


def is_trained(model: summary.Model) -> bool:
    """Tell whether this run trained the model."""
    return bool(model.evaluation.get("status") == contract.TRAINED)


def _piece(text: str, commands: Sequence[str], say: Language) -> Advice:
    note = say("Add the --config, --env and --workspace that this run was started with, if any:")
    return {"text": text, "note": note if commands else "", "commands": list(commands)}


def _on_failed(run: summary.Run, local: bool, say: Language) -> list[Advice]:
    """Say why segments failed: mended data need a new run, a job that was ended is run again from its step."""
    failed = [model for model in run.models if model.failure is not None]
    if not failed:
        return []
    start = f"python -m pipelines.run{' --local' * local}"
    scored = [model for model in failed if model.inference.get("failed_step") == contract.INFER]
    suffix = summary.suffix_of(failed, run.mode)
    jobs = dict.fromkeys(model.job for model in scored)
    again = [f"{start} --from {contract.INFER}{suffix}-{name} --of {run.execution}" for name in list(jobs)[:_NAMED]]
    reasons = _reasons(failed, say)
    if again:
        text = say(
            "Failed and left out, the others are not touched by it: {reasons}. Mend the data, then start a new run; "
            "where nothing is wrong with the data, run the step again, and all after it.",
            reasons=reasons,
        )
    else:
        text = say(
            "Failed and left out, the others are not touched by it: {reasons}. Mend the data, then start a new run.",
            reasons=reasons,
        )
    return [_piece(text, [start, *again], say)]


def _on_skipped(skipped: Sequence[summary.Model], local: bool, say: Language) -> list[Advice]:
    """Say why segments were skipped; a default helps only where Decide looked for one."""
    start = f"python -m pipelines.run{' --local' * local}"
    decided = [model for model in skipped if model.decision is not None]
    others = [model for model in skipped if model.decision is None]
    found = []
    if decided:
        found.append(_piece(_mending(decided, say), [*_approvals(decided, local, say), start], say))
    if others:
        text = say(
            "Skipped: {reasons}. Give each of them what it lacks, then start a new run.", reasons=_reasons(others, say)
        )
        found.append(_piece(text, [start], say))
    return found


def _mending(skipped: Sequence[summary.Model], say: Language) -> str:
    """Say what there is to do beside a default: where a training failed, a new one may do."""
    reasons = _reasons(skipped, say)
    if any(model.evaluation.get("status") == contract.FAILED for model in skipped):
        return say(
            "Skipped: {reasons}. Mend the settings or the data of what failed in training (or neither, where the "
            "cause has passed), or approve or register a default for each, then start a new run.",
            reasons=reasons,
        )
    return say("Skipped: {reasons}. Approve or register a default for each, then start a new run.", reasons=reasons)


def _reasons(models: Sequence[summary.Model], say: Language) -> str:
    reasons = [(m.name, say.quote(m.why) or say("no reason was given")) for m in models[:_NAMED]]
    told = say(", ").join(say("{name} ({reason})", name=name, reason=reason) for name, reason in reasons)
    more = len(models) - _NAMED
    return told if more <= 0 else say("{named} and {count} more", named=told, count=f"{more:,}")


def _approvals(models: Sequence[summary.Model], local: bool, say: Language) -> list[str]:
    """Return the commands that give each model a default: one that did not train has nothing to approve."""
    command = f"python -m pipelines.registry{' --local' * local}"
    left = len(models) - _NAMED
    more = [say("# and {count} more", count=f"{left:,}")] if left > 0 else []
    chosen = [(_argument(m), is_trained(m)) for m in models[:_NAMED]]
    return [f"{command} approve {n}" if ok else f"{command} register {n} MODEL.tar.gz" for n, ok in chosen] + more


def _argument(model: summary.Model) -> str:
    """Return a model's name for a shell, or its slug if the name would be an option or break the line."""
    odd = not model.name.isprintable() or model.name.startswith("-")
    return model.slug if odd else shlex.quote(model.name)
