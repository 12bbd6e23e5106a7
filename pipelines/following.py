"""Follows an execution on AWS to its end: one call for its status and one paged call for its steps per poll.

What is shown are the step events that the display of a local run takes, made from what changed since the last poll.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipelines.aws import executions
from pipelines.aws.executions import Execution, StepState
from pipelines.desk import Desk
from pipelines.errors import AwsError
from pipelines.local.record import StepEvent
from pipelines.progress import Progress

POLL, LONGEST = 10.0, 120.0
"""Seconds between polls; more after an answer that asks for patience."""
PATIENCE = 20
"""Polls that may fail one after the other before following is given up."""
_THROTTLED = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})
_PASSING = frozenset({"", "InternalFailure", "InternalServerError", "ServiceUnavailable", "RequestTimeout"})
"""Errors that pass by themselves; those without a code are of the network."""


@dataclass(frozen=True)
class Ended:
    """An execution that has come to its end, and its steps."""

    execution: Execution
    steps: tuple[StepState, ...]


def follow(desk: Desk, arn: str, names: Iterable[str], progress: Progress) -> Ended:
    """Show every step of an execution as it goes on; return when the execution is over.

    Args:
        desk: the deployed pipeline.
        arn: the execution.
        names: every step of its definition.
        progress: where steps are shown.

    Raises:
        AwsError: the service refuses to tell, or has not answered for a long time.
    """
    known: dict[str, StepEvent] = {}
    failures, pause = 0, POLL
    while True:
        try:
            ended = read_now(desk, arn)
        except AwsError as error:
            failures, pause = failures + 1, min(2 * pause, LONGEST)
            if failures > PATIENCE or error.code not in _THROTTLED | _PASSING:
                raise
        else:
            failures, pause = 0, max(POLL, pause / 2)
            known |= _show(progress, transitions(known, ended.steps))
            if ended.execution.is_over:
                _show(progress, _never_begun(names, known, desk.outside.clock()))
                return ended
        desk.outside.sleep(pause)


def read_now(desk: Desk, arn: str) -> Ended:
    """Return an execution and its steps as they are now.

    Raises:
        AwsError: the service refuses to tell, or there is no such execution.
    """
    execution = executions.read_execution(desk.cloud, arn)
    if execution is None:
        raise AwsError(f"{arn}: there is no such execution any more", "ResourceNotFound")
    latest = {step.name: step for step in executions.list_steps(desk.cloud, arn)}  # a retried step may stand twice
    return Ended(execution, tuple(latest.values()))


def transitions(known: Mapping[str, StepEvent], steps: Iterable[StepState]) -> Iterator[StepEvent]:
    """Yield what has happened to the steps since the events that are known, beginnings before ends."""
    for step in steps:
        status = shown_status(step)
        last = known.get(step.name)
        if last is not None and last.status == status:
            continue
        if status != "Executing" and (last is None or last.status != "Executing"):
            yield StepEvent(step.name, "", "Executing", step.started)
        at = step.started if status == "Executing" or step.ended is None else step.ended
        yield StepEvent(step.name, "", status, at, step.reason)


def shown_status(step: StepState) -> str:
    """Return a step's status in the words of a local run."""
    if step.status == executions.SUCCEEDED and step.cached:
        return "Cached"
    return "Executing" if step.status == "Starting" else step.status


def _never_begun(names: Iterable[str], known: Mapping[str, StepEvent], at: float) -> Iterator[StepEvent]:
    return (StepEvent(name, "", "Skipped", at) for name in names if name not in known)


def _show(progress: Progress, events: Iterable[StepEvent]) -> dict[str, StepEvent]:
    shown = {}
    for event in events:
        progress.watch(event)
        shown[event.step] = event
    return shown
