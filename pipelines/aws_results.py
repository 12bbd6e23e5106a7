"""What an execution on AWS came to, from its steps and the files they left: the same Result as of a local run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from pipelines import results
from pipelines.aws import executions, jobs
from pipelines.aws.executions import Execution, StepState
from pipelines.desk import Desk
from pipelines.following import Ended
from pipelines.results import Result
from steps import contract

_PUBLISHING = (contract.POSTPROCESS, contract.POSTPROCESS + contract.FALLBACK)
_VERDICTS = (contract.JUDGE, contract.CHOOSE_DEFAULTS)
_GOING_ON = ("Starting", "Executing", "Stopping")
_PREPARING = (contract.PREPARE_TRAINING, contract.PREPARE_PREDICTION)


def collect(desk: Desk, ended: Ended) -> Result:
    """Return the result of an execution, or what is known of it while it goes on."""
    execution, steps = ended.execution, ended.steps
    failed = [step for step in steps if step.status == executions.FAILED and execution.status != executions.SUCCEEDED]
    parameters = executions.read_parameters(desk.cloud, execution.arn)
    folder = published(desk, steps)
    summary = desk.read_json(f"{folder}/{contract.SUMMARY_FILE}") if folder else None
    verdicts = _verdicts(desk, steps)
    return Result(
        execution=execution.id,
        status=_status(desk, execution, folder),
        predictions=f"{folder}/{contract.PREDICTIONS_DIR}/" if folder else None,
        report=f"{folder}/{contract.REPORT_FILE}" if folder else None,
        gate={"passed": _passed(desk, verdicts), "threshold": results.threshold_of(parameters)},
        models=results.models_of(summary, verdicts, judged=desk.mode == contract.FULL),
        seconds=round(_seconds(desk, execution), 3),
        error=_error(desk, execution, failed),
        next=_next(desk, execution, failed, parameters),
        logs=tuple(link for link in map(desk.log_link, failed) if link),
        steps={step.name: _step(desk, step) for step in steps},
        link=desk.execution_link(execution.id),
        debug=debug_command(desk, execution, failed),
    )


def debug_command(desk: Desk, execution: Execution, failed: Iterable[StepState]) -> str | None:
    """Return the command that brings the inputs of the first job that failed here, to run it; None without one."""
    step = next((step.name for step in failed if step.job), None)
    return desk.say_run(f"--fetch {execution.id} --only {step}") if step else None


def published(desk: Desk, steps: Iterable[StepState]) -> str | None:
    """Return the URI of the published predictions, if the execution came that far, without a slash at its end.

    A step that a selective execution took over has written where its own execution said.
    """
    found = next((s for s in steps if s.name in _PUBLISHING and s.status == executions.SUCCEEDED), None)
    if found is None:
        return None
    if found.job is None:
        return published(desk, executions.list_steps(desk.cloud, found.source)) if found.source else None
    uri = jobs.read_job(desk.cloud, found.job).outputs.get(contract.OUT_PREDICTIONS)
    return uri.rstrip("/") if uri else None


def _status(desk: Desk, execution: Execution, folder: str | None) -> str:
    degraded = execution.status == executions.SUCCEEDED and folder and desk.has(f"{folder}/{contract.DEGRADED_FILE}")
    return results.DEGRADED if degraded else execution.status


def _verdicts(desk: Desk, steps: Iterable[StepState]) -> Mapping[str, Any]:
    uri = next((step.results.get(contract.OUT_VERDICTS) for step in steps if step.name in _VERDICTS), None)
    found: Mapping[str, Any] = (desk.read_json(uri) if uri else None) or {}
    return found


def _passed(desk: Desk, verdicts: Mapping[str, Any]) -> bool | None:
    """Tell whether the gate let all models pass; None where there is no gate."""
    return bool(verdicts.get("passed", False)) if desk.mode == contract.FULL else None


def _seconds(desk: Desk, execution: Execution) -> float:
    ended = execution.ended.timestamp() if execution.ended else desk.outside.clock()
    return max(0.0, ended - execution.started.timestamp())


def _error(desk: Desk, execution: Execution, failed: Iterable[StepState]) -> str | None:
    reasons = [f"{step.name}: {_reason(desk, step)}" for step in failed]
    return "; ".join(reasons) or execution.reason or None


def _reason(desk: Desk, step: StepState) -> str:
    """Return why a step failed: what its own code said, else what the service says."""
    said = jobs.read_job(desk.cloud, step.job).reason if step.job else ""
    return said or step.reason or "no reason was given"


def _next(desk: Desk, execution: Execution, failed: Iterable[StepState], parameters: Mapping[str, str]) -> str | None:
    """Return the command after a failure: data that were mended are another data version."""
    if not execution.is_over:
        return desk.say_run(f"--status {execution.id}", "--follow")
    if execution.status == executions.SUCCEEDED:
        return None
    if any(step.name in _PREPARING for step in failed):
        return desk.say_run(desk.mode_option, f"--raw {shlex.quote(parameters.get(contract.RAW_DATA_URI, ''))}")
    return desk.say_run(f"--retry {execution.id}")


def _step(desk: Desk, step: StepState) -> dict[str, Any]:
    now = desk.outside.clock() if step.status in _GOING_ON else step.started
    ended = step.ended if step.ended is not None else now
    return {
        "status": step.status,
        "cached": step.cached,
        "seconds": round(max(0.0, ended - step.started), 3),
        "peak_memory_mb": None,
        "reason": step.reason,
    }
