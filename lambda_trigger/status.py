"""Status: an execution that failed, was stopped or completed with failures is mailed once, however often it is told.

A claim per execution, status and end time: an execution that is retried and fails again ends at another time, and is
mailed again. Errors of AWS leave the handler, so that Lambda tries again; the same invocation takes up its own claim.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lambda_trigger import claims, definition, failures, links, mails, settings
from lambda_trigger.event import text_at, value_at
from lambda_trigger.mails import Ending, FailedStep, Mail, Run
from lambda_trigger.ports import (
    Execution,
    ExecutionError,
    Job,
    PortError,
    Ports,
    Step,
    invocation_of,
    join_uri,
    ports_for,
)
from lambda_trigger.text import format_time, make_logger
from steps import contract
from steps.language import ENGLISH, Language

log = make_logger(__name__)

DETAIL_TYPE = "SageMaker Model Building Pipeline Execution Status Change"
CLAIMS = ("claims", "status")
"""Where the claims lie, below the artifact prefix."""
MAILED = ("Failed", "Stopped", "CompletedWithFailures")
RETRIED = ("Failed", "Stopped")
"""What the service goes on with; anything else has to be started again."""


@dataclass(frozen=True)
class Change:
    """The end of an execution, as an event tells it."""

    pipeline: str
    execution: str
    status: str
    ended: str

    @property
    def id(self) -> str:
        """Return the last part of the execution's ARN."""
        return self.execution.rpartition("/")[2]

    @property
    def claim(self) -> str:
        """Return the file name of the claim on this change."""
        return re.sub(r"[^A-Za-z0-9.\-]+", "_", f"{self.id}-{self.status}-{self.ended}") + ".json"


def handler(event: Mapping[str, Any], context: object) -> dict[str, str]:
    """Mail the end of an execution; return `Sent`: "true", or "false" where there is nothing to mail any more."""
    ports, owner = ports_for(context), invocation_of(context)
    change = read_change(event)
    own = {contract.pipeline_name(ports.deployment.pipeline, mode).lower(): mode for mode in contract.MODES}
    if change is None or change.pipeline.lower() not in own:
        log.info("the event tells of no failed or stopped execution of %s", ports.deployment.pipeline)
        return {"Sent": "false"}
    change = replace(change, pipeline=contract.pipeline_name(ports.deployment.pipeline, own[change.pipeline.lower()]))
    uri = join_uri(ports.deployment.prefix, *CLAIMS, change.claim)
    claim = claims.make(ports.objects, uri, owner, ports.clock())
    mine = claims.own(ports.objects, claim, owner, ports.clock())
    if mine is None:
        log.info("%s is mailed already, or is being mailed", change.claim)
        return {"Sent": "false"}
    mail = _write_mail(ports, change)
    ports.notifier.publish(mail.subject, mail.body, mail.context(change.id, change.status.lower()))
    claims.finish(ports.objects, mine, {"sent": ports.clock().isoformat()})
    return {"Sent": "true"}


def read_change(event: Mapping[str, Any]) -> Change | None:
    """Return the end that an event tells of, or None if the execution goes on or has succeeded.

    Raises:
        EventError: an event of SageMaker lacks what SageMaker tells in each.
    """
    if value_at(event, "source") != "aws.sagemaker" or value_at(event, "detail-type") != DETAIL_TYPE:
        return None
    status = text_at(event, "detail", "currentPipelineExecutionStatus")
    if status not in MAILED:
        return None
    return Change(
        pipeline=text_at(event, "detail", "pipelineArn").rpartition("/")[2],
        execution=text_at(event, "detail", "pipelineExecutionArn"),
        status=status,
        ended=str(value_at(event, "detail", "executionEndTime") or value_at(event, "time") or ""),
    )


def _write_mail(ports: Ports, change: Change) -> Mail:
    executions = ports.executions
    execution, steps = executions.describe(change.execution), tuple(executions.steps(change.execution))
    segments, timezone, language = _read_names(ports, change)
    failed = [_describe_step(ports, step, segments) for step in failures.failed_steps(steps)]
    ending = Ending(
        status=change.status,
        steps=failed,
        stopped=failures.stopped_steps(steps),
        reason=execution.reason,
        commands=_commands(ports, change, failed),
        debug=_debug(ports, change, steps),
    )
    when = format_time(ports.clock(), timezone, language)
    return mails.failed(_describe_run(ports, change, when, execution, language), ending)


def _read_names(ports: Ports, change: Change) -> tuple[Mapping[str, str], str, Language]:
    """Return each step's segment as people call it, their time zone and language; a mail is better than none."""
    text = ports.executions.definition_of(change.execution)
    try:
        found = definition.parse(text)
        stored = ports.objects.read_tagged(found.settings_uri)
        chosen = settings.parse(stored.text if stored else "{}")
    except (ExecutionError, ValueError, KeyError, TypeError) as error:
        log.warning("the settings of %s have gone or cannot be used: %r", change.execution, error)
        return {}, "UTC", ENGLISH
    names = {step: chosen.name_of(slug) for step, slug in found.segments.items() if slug}
    return names, chosen.timezone, chosen.language


def _describe_run(ports: Ports, change: Change, when: str, execution: Execution, language: Language) -> Run:
    place = ports.deployment
    link = links.execution_link(change.pipeline, change.id, place.region, place.studio_domain)
    facts = {"name": execution.name, "asked for": execution.description, "view": link}
    return Run(change.pipeline, change.id, when, facts, language)


def _describe_step(ports: Ports, step: Step, segments: Mapping[str, str]) -> FailedStep:
    """Return a failed step with its segment, the job's own words where it left any, and the link to its log."""
    region = ports.deployment.region
    reason, link = failures.read_reason(step.reason), ""
    if step.job:
        job = _find_job(ports, step.job)
        reason, link = job.reason or reason, links.log_link(job.name, region)
    elif step.function:
        link = links.function_log_link(step.function, region)
    return FailedStep(step.name, segments.get(step.name, ""), reason or failures.NO_REASON, link)


def _find_job(ports: Ports, name: str) -> Job:
    """Return a job; a mail without its words is better than none."""
    try:
        return ports.executions.job(name)
    except PortError as error:
        log.warning("why %s failed cannot be read: %s", name, error)
        return Job(name, "")


def _debug(ports: Ports, change: Change, steps: Sequence[Step]) -> str:
    """Return the command that brings the inputs of the first job that failed to somebody's machine."""
    step = next((step.name for step in failures.failed_steps(steps) if step.job), "")
    return ports.command("run", f"--fetch {change.id} --only {step}") if step else ""


def _commands(ports: Ports, change: Change, failed: Sequence[FailedStep]) -> list[str]:
    """Return what to do: what the reasons say to do first, then the command that runs the execution again."""
    first = [command for step in failed for command in failures.commands_in(step.reason)]
    option = "--retry" if change.status in RETRIED else "--rerun"
    return [*dict.fromkeys(first), ports.command("run", f"{option} {change.id}")]
