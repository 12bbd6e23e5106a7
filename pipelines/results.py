"""What an execution came to: the engine's outcome and the files it left become one Result, shown as table or JSON."""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import terminal, textgrid
from pipelines.errors import ExecutionError
from pipelines.local.step import PROCESSING
from pipelines.options import say_command
from steps import contract

if TYPE_CHECKING:
    from pipelines.local.engine import Outcome
    from pipelines.local.workspace import Workspace
    from pipelines.origin import Origin

SUCCEEDED, DEGRADED, FAILED = "Succeeded", "Degraded", "Failed"
EXECUTING, STOPPING, STOPPED = "Executing", "Stopping", "Stopped"
GOING_ON = (EXECUTING, STOPPING)
EXIT_CODES = {SUCCEEDED: 0, DEGRADED: 3, EXECUTING: 0, STOPPING: 0}
"""By status; whatever else an execution came to is 1."""
MOST_TAILS = 3
"""Failed steps whose logs are shown; the others are mostly ended because of them."""
NO_TAILS: Mapping[str, Sequence[str]] = {}


@dataclass(frozen=True)
class Result:
    """The result of an execution as people and programs get it; places are paths on this machine, or URIs on AWS.

    `link` opens the execution in Studio; None on this machine. `debug` is the command that runs the step that failed
    alone, or that brings its inputs here.
    """

    execution: str
    status: str
    predictions: str | None
    report: str | None
    gate: Mapping[str, Any]
    models: Mapping[str, Mapping[str, Any]]
    seconds: float
    error: str | None
    next: str | None
    logs: tuple[str, ...]
    steps: Mapping[str, Mapping[str, Any]]
    link: str | None = None
    debug: str | None = None

    @property
    def is_judged(self) -> bool:
        """Tell whether there was a gate: not where the run scores only."""
        return self.gate.get("passed") is not None

    @property
    def exit_code(self) -> int:
        """Return the process exit code of this status."""
        return EXIT_CODES.get(self.status, 1)


def collect(workspace: Workspace, origin: Origin, outcome: Outcome, hint: str = "") -> Result:
    """Return the result of an ended execution from its outcome, its summary and its verdicts."""
    folder = published(workspace, outcome)
    summary = read_json(folder / contract.SUMMARY_FILE) if folder else None
    verdicts = verdicts_of(workspace, outcome)
    return Result(
        execution=origin.execution,
        status=_status(outcome, summary),
        predictions=_path(folder, contract.PREDICTIONS_DIR),
        report=_path(folder, contract.REPORT_FILE),
        gate={"passed": _passed(origin, verdicts), "threshold": origin.threshold},
        models=models_of(summary, verdicts, judged=origin.mode == contract.FULL),
        seconds=round(outcome.seconds, 3),
        error=_error(outcome),
        next=next_command(outcome.failed[0].name, origin, hint) if outcome.failed else None,
        logs=tuple(str(workspace.root / record.log) for record in outcome.failed if record.log),
        steps=_steps(outcome),
        debug=debug_command(outcome, hint),
    )


def _passed(origin: Origin, verdicts: Mapping[str, Any]) -> bool | None:
    """Tell whether the gate let all models pass; None where there is no gate."""
    return bool(verdicts.get("passed", False)) if origin.mode == contract.FULL else None


def _status(outcome: Outcome, summary: Mapping[str, Any] | None) -> str:
    if outcome.status != SUCCEEDED:
        return {"Started": EXECUTING, STOPPED: STOPPED}.get(outcome.status, FAILED)
    return DEGRADED if summary and summary.get("status") == DEGRADED else SUCCEEDED


def published(workspace: Workspace, outcome: Outcome) -> Path | None:
    """Return the folder of the published predictions, if this execution came that far."""
    for name in (contract.POSTPROCESS, contract.POSTPROCESS + contract.FALLBACK):
        record = outcome.steps.get(name)
        if record and record.status == SUCCEEDED:
            return workspace.path(record.outputs[contract.OUT_PREDICTIONS])
    return None


def verdicts_of(workspace: Workspace, outcome: Outcome) -> Mapping[str, Any]:
    """Return what Judge wrote, or what is recorded of the defaults; empty where neither has run."""
    record = outcome.steps.get(contract.JUDGE) or outcome.steps.get(contract.CHOOSE_DEFAULTS)
    if not record or contract.OUT_VERDICTS not in record.results:
        return {}
    found: Mapping[str, Any] = read_json(workspace.path(str(record.results[contract.OUT_VERDICTS])))
    return found


def read_json(path: Path, kind: type = dict) -> Any:
    """Return the object (or what else `kind` says) in a JSON file of an execution.

    Raises:
        ExecutionError: the file is gone or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, kind):
        raise ExecutionError(
            f"{path}: is gone or damaged; make it again in an execution of its own, with --from and --of"
        )
    return found


def _path(folder: Path | None, name: str) -> str | None:
    return str(folder / name) if folder and (folder / name).exists() else None


def models_of(
    summary: Mapping[str, Any] | None, verdicts: Mapping[str, Any], *, judged: bool
) -> dict[str, dict[str, Any]]:
    """Return what is known of every model by its name: from the summary, else from Judge's verdicts.

    `accepted` is None where nothing was judged, since the run scores only.
    """
    found = _summary_models(summary) if summary else _verdict_models(verdicts)
    return found if judged else {name: {**model, "accepted": None} for name, model in found.items()}


def _summary_models(summary: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: _model(found, found["served_by"]) for name, found in summary["models"].items()}


def _verdict_models(verdicts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {found["name"]: _model(found, None) for found in verdicts.get("models", {}).values()}


def _model(found: Mapping[str, Any], served_by: str | None) -> dict[str, Any]:
    return {
        "mae": found.get("mae"),
        "mae_low": found.get("mae_low"),
        "mae_high": found.get("mae_high"),
        "baseline_mae": found.get("baseline_mae"),
        "threshold": found.get("threshold"),
        "improvement": found.get("improvement"),
        "accepted": found.get("accepted"),
        "reasons": list(found.get("reasons") or ()),
        "served_by": served_by,
        "rows": found.get("rows", 0),
        "model_version": found.get("model_version"),
        "failure": found.get("failure") or (found.get("why") or None if found.get("rows_waiting") else None),
        **({"custom_metrics": figures} if (figures := found.get("custom_metrics")) else {}),
    }


def _error(outcome: Outcome) -> str | None:
    return "; ".join(f"{record.name}: {record.reason}" for record in outcome.failed) or None


def _steps(outcome: Outcome) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "status": record.status,
            "cached": record.cached,
            "seconds": round(record.seconds, 3),
            "peak_memory_mb": record.peak_memory_mb,
            "reason": record.reason,
        }
        for name, record in outcome.steps.items()
    }


def threshold_of(parameters: Mapping[str, Any]) -> float | None:
    """Return the absolute threshold of an execution, or None where the relative rule alone decides."""
    value = parameters.get(contract.MAE_THRESHOLD)
    return None if value is None or float(value) >= contract.UNLIMITED_MAE else float(value)


def as_json(result: Result) -> str:
    """Return the result as one JSON object on one line."""
    return json.dumps({**result.__dict__, "logs": list(result.logs)}, ensure_ascii=False) + "\n"


def as_table(result: Result, tails: Mapping[str, Sequence[str]] = NO_TAILS) -> str:
    """Return the result as text for people: a table of models, then where things are and what to do next.

    `tails` are the last lines of logs, by the place of the log.
    """
    lines = ["", *_model_lines(result)] if result.models else [""]
    lines += [f"{name}: left out: {m['failure']}" for name, m in result.models.items() if m.get("failure")]
    took = f"{'for' if result.status in GOING_ON else 'in'} {result.seconds:.1f} s"
    lines += ["", f"{result.status} {took}: execution {result.execution}"]
    places = {"predictions": result.predictions, "report": result.report, "studio": result.link}
    lines += [terminal.line(f"  {name:<12} {place}") for name, place in places.items() if place]
    for log in result.logs:
        lines.append(terminal.line(f"  log          {log}"))
        lines += [terminal.line(f"    | {line}") for line in tails.get(log, ())]
    if result.error:
        lines.append(terminal.paragraph(f"error: {result.error}"))
    if result.next and result.next not in (result.error or ""):
        lines.append(f"{'follow it' if result.status in GOING_ON else 'go on'} with: {result.next}")
    if result.debug:
        lines.append(f"debug with: {result.debug}")
    return "\n".join(lines) + "\n"


def debug_command(outcome: Outcome, hint: str) -> str | None:
    """Return the command that runs the first step that failed again with pdb; a step without a job has none."""
    step = next((record.name for record in outcome.failed if record.type == PROCESSING), None)
    return step and say_command("run", "--local", hint, f"--only {step} --of {outcome.execution_id}", "--debug")


def retry_command(execution: str, hint: str) -> str:
    """Return the command that goes on with an execution."""
    return say_command("run", "--local", hint, f"--retry {execution}")


def next_command(failed: str, origin: Origin, hint: str) -> str:
    """Return the command after a failure in step `failed`: mended data are another version, limits other settings."""
    if failed in (contract.PREPARE_TRAINING, contract.PREPARE_PREDICTION, contract.CHECK_DATA):
        mode = "" if origin.mode == contract.FULL else f"--mode {origin.mode}"
        return say_command("run", "--local", hint, mode, f"--raw {shlex.quote(origin.raw)}")
    return retry_command(origin.execution, hint)


def _model_lines(result: Result) -> list[str]:
    heads = ("model", "MAE", "95 %", "threshold", "baseline", "better by", "gate", "served by", "rows")
    rows = [heads, *(_row(name, model) for name, model in result.models.items())]
    shown = [at for at, head in enumerate(heads) if result.is_judged or head not in ("threshold", "gate")]
    right = [position for position, at in enumerate(shown) if heads[at] not in ("model", "gate", "served by")]
    return textgrid.lines([tuple(row[at] for at in shown) for row in rows], right=right)


def _row(name: str, model: Mapping[str, Any]) -> tuple[str, ...]:
    version = f" v{model['model_version']}" if model["model_version"] else ""
    return (
        name,
        _number(model["mae"]),
        _interval(model["mae_low"], model["mae_high"]),
        _number(model["threshold"]),
        _number(model["baseline_mae"]),
        "-" if model["improvement"] is None else f"{model['improvement']:.1f} %",
        "passed" if model["accepted"] else "; ".join(model["reasons"]) or "-",
        f"{model['served_by']}{version}" if model["served_by"] else "-",
        str(model["rows"]),
    )


def _number(value: float | None) -> str:
    return "-" if value is None or abs(value) >= contract.UNLIMITED_MAE else f"{value:.4g}"


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else " to ".join(f"{end:#.4g}".rstrip(".") for end in (low, high))


def unknown_execution(root: Path, execution: str) -> str:
    """Return the sentence for an execution that is not in the workspace, with the nearest that is."""
    folder = root / "executions"
    known = sorted((p.name for p in folder.iterdir()), reverse=True) if folder.is_dir() else []
    near = difflib.get_close_matches(execution, known, 1, 0.5) or known[:1]
    hint = f"; did you mean {near[0]}?" if near else "; there is none in this workspace yet"
    return f"{execution}: no such execution in {folder}{hint}"
