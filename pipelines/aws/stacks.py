"""CloudFormation stacks: what one is now, what a change set would change, and making, changing and removing one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pipelines.aws.cloud import Cloud, error_code, error_message, translated
from pipelines.aws.watch import Watch
from pipelines.errors import AwsError, DeployError

BODY_LIMIT = 51_200
"""Bytes of a template that go with the request; a larger one is read from S3
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html)."""
UNMADE = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_COMPLETE")
"""States of a stack that holds nothing usable: it was reviewed only, or its first making failed."""
SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
"""States in which the stack's template is what was asked for last."""
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_CANCELLED = "cancelled"
_CARRIED_OUT = ("ChangeSetNotFound", "ChangeSetNotFoundException", "InvalidChangeSetStatus")
_PATIENCE = 10
"""Looks at a change set that shall be removed while it is being worked out."""
_POLL, _LONGEST = 5.0, 3600.0
_IDLE = 6
"""Looks after which a stack that shows no work is taken to have done it."""


@dataclass(frozen=True)
class Stack:
    """A stack as it is."""

    name: str
    arn: str
    status: str
    reason: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def busy(self) -> bool:
        """Tell whether somebody is changing it now."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def made(self) -> bool:
        """Tell whether it was ever made as a whole."""
        return self.status not in UNMADE


@dataclass(frozen=True)
class StackRequest:
    """A stack as it shall be; `url` is where a template lies that is too large for a request."""

    name: str
    template: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    role: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Change:
    """One resource of a change set; `replacement` is True, False, Conditional or empty."""

    action: str
    resource: str
    kind: str
    replacement: str


@dataclass(frozen=True)
class ChangeSet:
    """What a request would change, not yet carried out; `changes` is empty where outputs or tags alone would."""

    stack: str
    name: str
    changes: tuple[Change, ...]


def read_outputs(cloud: Cloud, stack_name: str) -> dict[str, str] | None:
    """Return the outputs of a stack by name, or None if there is no such stack or it was never made as a whole."""
    stack = read_stack(cloud, stack_name)
    return dict(stack.outputs) if stack and stack.made and stack.outputs else None


def read_stack(cloud: Cloud, name: str) -> Stack | None:
    """Return a stack by its name or ARN, or None."""
    with translated(f"stack {name} cannot be described"):
        try:
            found = cloud.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in error_message(error):
                return None
            raise
    return _stack(found[0]) if found else None


def _stack(found: Mapping[str, Any]) -> Stack:
    return Stack(
        name=found["StackName"],
        arn=found.get("StackId", found["StackName"]),
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        outputs={item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", ())},
        parameters={item["ParameterKey"]: item.get("ParameterValue", "") for item in found.get("Parameters", ())},
        tags={item["Key"]: item["Value"] for item in found.get("Tags", ())},
    )


def read_template(cloud: Cloud, name: str) -> str:
    """Return the text of a stack's template as it was given."""
    with translated(f"template of stack {name} cannot be read"):
        found = cloud.client("cloudformation").get_template(StackName=name, TemplateStage="Original")
    return str(found.get("TemplateBody", ""))


def propose(cloud: Cloud, request: StackRequest, new: bool, watch: Watch) -> ChangeSet | None:
    """Return what a request would change, by a change set that waits to be executed or discarded.

    None is a request that changes nothing: CloudFormation fails its change set, which is removed.

    Raises:
        DeployError: the template or a parameter is refused, with CloudFormation's reason.
    """
    client, name = cloud.client("cloudformation"), f"deploy-{uuid.uuid4().hex}"
    body = {"TemplateURL": request.url} if request.url else {"TemplateBody": request.template}
    with translated(f"stack {request.name}: the change set cannot be made"):
        client.create_change_set(
            StackName=request.name,
            ChangeSetName=name,
            ChangeSetType="CREATE" if new else "UPDATE",
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in sorted(request.parameters.items())],
            Tags=_tags(request.tags),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            **body,
            **({"RoleARN": request.role} if request.role else {}),
        )
        change_set = ChangeSet(request.name, name, ())
        try:
            return _reviewed(cloud, change_set, watch)
        except BaseException:
            with suppress(AwsError):  # why the review ended matters more
                _discard_unfinished(cloud, change_set, watch)
            raise


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _reviewed(cloud: Cloud, change_set: ChangeSet, watch: Watch) -> ChangeSet | None:
    """Wait until CloudFormation has worked out the changes; remove the change set if it found nothing to do."""
    for _ in watch.polls(f"change set of stack {change_set.stack}", 2.0, 600.0):
        found = _describe(cloud, change_set)
        if found["Status"] == "CREATE_COMPLETE":
            return ChangeSet(change_set.stack, change_set.name, _changes(cloud, change_set, found))
        if found["Status"] == "FAILED":
            break
    reason = str(found.get("StatusReason", "no reason given"))
    discard(cloud, change_set)
    if any(words in reason for words in _NO_CHANGES):
        return None
    raise DeployError(f"stack {change_set.stack}: the change set failed: {reason}")


def _describe(cloud: Cloud, change_set: ChangeSet, **more: str) -> dict[str, Any]:
    client = cloud.client("cloudformation")
    found: dict[str, Any] = client.describe_change_set(
        StackName=change_set.stack, ChangeSetName=change_set.name, **more
    )
    return found


def _changes(cloud: Cloud, change_set: ChangeSet, page: dict[str, Any]) -> tuple[Change, ...]:
    found = list(page.get("Changes", ()))
    while page.get("NextToken"):
        page = _describe(cloud, change_set, NextToken=page["NextToken"])
        found += page.get("Changes", ())
    resources = [item["ResourceChange"] for item in found if "ResourceChange" in item]
    return tuple(
        Change(item["Action"], item["LogicalResourceId"], item["ResourceType"], item.get("Replacement", ""))
        for item in resources
    )


def discard(cloud: Cloud, change_set: ChangeSet) -> None:
    """Remove a change set that shall not be carried out; one that was is gone already."""
    with translated(f"change set of stack {change_set.stack} cannot be removed"):
        try:
            cloud.client("cloudformation").delete_change_set(StackName=change_set.stack, ChangeSetName=change_set.name)
        except ClientError as error:
            if error_code(error) not in _CARRIED_OUT:
                raise


def _discard_unfinished(cloud: Cloud, change_set: ChangeSet, watch: Watch) -> None:
    """Remove a change set that CloudFormation may be working out still, which it does not let go before."""
    for _ in range(_PATIENCE):
        if _describe(cloud, change_set)["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            break
        watch.pause(2.0)
    discard(cloud, change_set)


def execute(cloud: Cloud, change_set: ChangeSet, watch: Watch) -> Stack:
    """Carry out a change set and return the stack as it then is.

    Raises:
        DeployError: a resource could not be made or changed; names the first one and its reason.
    """
    before = read_stack(cloud, change_set.stack)
    last = _newest_event(cloud, change_set.stack)
    with translated(f"stack {change_set.stack} cannot be changed"):
        cloud.client("cloudformation").execute_change_set(
            StackName=change_set.stack, ChangeSetName=change_set.name, DisableRollback=False
        )
    stack = _settled(cloud, change_set.stack, before.status if before else "", last, watch)
    if stack is None or stack.status not in SETTLED:
        raise DeployError(_failure(cloud, change_set.stack, last, stack))
    return stack


def delete(cloud: Cloud, stack: Stack, watch: Watch) -> None:
    """Remove a stack and wait until it is gone.

    Raises:
        DeployError: a resource could not be removed; names the first one and its reason.
    """
    last = _newest_event(cloud, stack.arn)
    with translated(f"stack {stack.name} cannot be removed"):
        cloud.client("cloudformation").delete_stack(StackName=stack.name)
    found = _settled(cloud, stack.arn, stack.status, last, watch)
    if found is not None and found.status != "DELETE_COMPLETE":
        raise DeployError(_failure(cloud, stack.arn, last, found))


def _settled(cloud: Cloud, name: str, before: str, last: str, watch: Watch) -> Stack | None:
    """Tell events until nothing goes on any more; return the stack, None if it is gone.

    Right after the request a stack can look as it did `before`: work has begun once it says or shows anything new.
    """
    polls, begun = 0, False
    for _ in watch.polls(f"stack {name}", _POLL, _LONGEST):
        stack = read_stack(cloud, name)
        for event in _events_since(cloud, name, last) if stack else ():
            last, begun = str(event["EventId"]), True
            watch.say(_event_line(event))
        polls, begun = polls + 1, begun or stack is None or stack.status != before
        if stack is None or ((begun or polls > _IDLE) and not stack.busy):
            break
    return stack


def _newest_event(cloud: Cloud, name: str) -> str:
    with translated(f"events of stack {name} cannot be read"):
        try:
            events = cloud.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
        except ClientError as error:
            if "does not exist" in error_message(error):
                return ""
            raise
    return str(events[0]["EventId"]) if events else ""


def _events_since(cloud: Cloud, name: str, last: str) -> list[dict[str, Any]]:
    """Return the events after one, oldest first."""
    found: list[dict[str, Any]] = []
    with translated(f"events of stack {name} cannot be read"):
        for page in cloud.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=name):
            for event in page["StackEvents"]:
                if event["EventId"] == last:
                    return found[::-1]
                found.append(event)
    return found[::-1]


def _event_line(event: Mapping[str, Any]) -> str:
    moment = event["Timestamp"].astimezone().strftime("%H:%M:%S")
    what = f"{event['LogicalResourceId']:<32} {event.get('ResourceStatus', ''):<20} {event.get('ResourceType', '')}"
    return f"  {moment} {what} {event.get('ResourceStatusReason', '')}".rstrip()


def _failure(cloud: Cloud, name: str, last: str, stack: Stack | None) -> str:
    shown = stack.name if stack else name
    status = stack.status if stack else "gone"
    for event in _events_since(cloud, name, last) if stack else ():
        reason = str(event.get("ResourceStatusReason", ""))
        if event.get("ResourceStatus", "").endswith("_FAILED") and reason and _CANCELLED not in reason:
            where = f"{event['LogicalResourceId']} ({event.get('ResourceType', '')})"
            return f"stack {shown}: {status}: {where}: {reason}; mend it and deploy again"
    reason = stack.reason if stack else ""
    return f"stack {shown}: {status}: {reason or 'CloudFormation gives no reason, see its events in the console'}"
