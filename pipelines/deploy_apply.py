"""Carrying a deployment's plan out: the one place that makes, changes and uploads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from pipelines.aws import definitions, objects, repositories, stacks, subscriptions
from pipelines.aws.cloud import Cloud
from pipelines.deploy_plan import DefinitionPlan, Mark, PipelinePlan, Plan, StackPlan
from pipelines.deploy_state import Ground, read_ground, read_pipeline_plan
from pipelines.errors import AwsError, DeployError
from pipelines.image_builds import build_images
from pipelines.outside import Outside
from pipelines.release import Release


@dataclass(frozen=True)
class Reviewed:
    """A stack's plan with its changes, and the change set that waits to make them."""

    plan: StackPlan
    change_set: stacks.ChangeSet | None = None


@contextmanager
def reviewed(cloud: Cloud, plan: StackPlan, bucket: str | None, outside: Outside) -> Iterator[Reviewed]:
    """Give a stack's plan as CloudFormation sees it; whatever happens, none of its change sets is left over."""
    found = review(cloud, plan, bucket, outside)
    try:
        yield found
    except BaseException:
        with suppress(AwsError):  # why it failed matters more
            _discard(cloud, found)
        raise
    _discard(cloud, found)


def _discard(cloud: Cloud, found: Reviewed) -> None:
    if found.change_set is not None:
        stacks.discard(cloud, found.change_set)


def review(cloud: Cloud, plan: StackPlan, bucket: str | None, outside: Outside) -> Reviewed:
    """Let CloudFormation say what it would change of a stack that is there; nothing is asked where nothing differs.

    Args:
        cloud: where.
        plan: the stack.
        bucket: where a template lies that is too large for a request.
        outside: for progress.
    """
    if plan.same or plan.new:
        return Reviewed(plan)
    request = _placed(cloud, plan.request, bucket)
    change_set = stacks.propose(cloud, request, False, outside.watch)
    if change_set is None:
        return Reviewed(replace(plan, same=True))
    return Reviewed(replace(plan, changes=change_set.changes), change_set)


def _placed(cloud: Cloud, request: stacks.StackRequest, bucket: str | None) -> stacks.StackRequest:
    """Put a template that is too large for a request where CloudFormation reads it."""
    content = request.template.encode()
    if len(content) <= stacks.BODY_LIMIT:
        return request
    if bucket is None:
        raise DeployError(
            f"the template of {request.name} has {len(content)} bytes, a request takes {stacks.BODY_LIMIT}; shorten it"
        )
    key = f"templates/{hashlib.sha256(content).hexdigest()}.yml"
    if not objects.object_exists(cloud, bucket, key):
        objects.put_missing(cloud, bucket, {key: content})
    return replace(request, url=objects.object_url(cloud, bucket, key))


def apply_stack(cloud: Cloud, reviewed: Reviewed, bucket: str | None, outside: Outside) -> stacks.Stack | None:
    """Make or change a stack; one whose first making failed is removed before.

    Raises:
        DeployError: a resource could not be made, with CloudFormation's reason.
    """
    plan, change_set = reviewed.plan, reviewed.change_set
    if plan.same:
        return plan.stack
    if plan.new:
        if plan.stack is not None and plan.stack.status != "REVIEW_IN_PROGRESS":
            outside.watch.say(f"stack {plan.request.name} was never made as a whole; removing what is left of it")
            stacks.delete(cloud, plan.stack, outside.watch)
        change_set = stacks.propose(cloud, _placed(cloud, plan.request, bucket), True, outside.watch)
    if change_set is None:
        return plan.stack
    outside.watch.say(f"stack {plan.request.name}: {'making' if plan.new else 'changing'} it; this takes minutes")
    return stacks.execute(cloud, change_set, outside.watch)


def apply(
    cloud: Cloud, release: Release, ground: Ground, reviewed: Reviewed, plan: Plan, outside: Outside, way: str | None
) -> PipelinePlan:
    """Carry out a plan in the order in which its parts need each other; return the pipeline's part as it was done.

    Raises:
        DeployError: the stack or an image failed; what was done before stays, and deploying again goes on.
    """
    bucket, say = ground.cicd.DeployBucketName, outside.watch.say
    if plan.package_new:
        say(f"uploading {plan.package}")
        objects.put_missing(cloud, bucket, {plan.package: release.package.content})
    apply_stack(cloud, reviewed, bucket, outside)
    build_images(cloud, ground.cicd, plan.to_build, release, way, outside)
    pipeline = plan.pipeline
    if not reviewed.plan.same or plan.to_build:
        pipeline = _planned_again(cloud, release, outside)
    _apply_pipeline(cloud, pipeline, outside)
    return pipeline


def _planned_again(cloud: Cloud, release: Release, outside: Outside) -> PipelinePlan:
    """Plan the pipeline's part once the stack's outputs and the images' digests are known."""
    ground = read_ground(cloud, release)
    absent = [f"{image.uri}:{image.tag}" for image in ground.images if image.digest is None]
    if absent:
        raise DeployError(f"{', '.join(absent)}: was built, but is not in its repository; look at the build's log")
    return read_pipeline_plan(cloud, release, ground, outside.now)


def _apply_pipeline(cloud: Cloud, plan: PipelinePlan, outside: Outside) -> None:
    say = outside.watch.say
    if plan.uploads:
        say(f"uploading {len(plan.uploads)} files to s3://{plan.bucket}/{plan.request.name}/")
        objects.put_missing(cloud, plan.bucket, plan.uploads)
    for name, description in plan.groups.items():
        say(f"making model package group {name}")
        definitions.create_group(cloud, name, description, plan.request.tags)
    _apply_addresses(cloud, plan, outside)
    for each in plan.definitions:
        _apply_definition(cloud, each, outside)
    for mark in plan.marks:
        _apply_mark(cloud, mark)


def _apply_definition(cloud: Cloud, plan: DefinitionPlan, outside: Outside) -> None:
    if plan.action == "create":
        outside.watch.say(f"making pipeline {plan.request.name}")
        definitions.create_pipeline(cloud, plan.request)
    elif plan.action == "update":
        outside.watch.say(f"changing pipeline {plan.request.name}")
        definitions.update_pipeline(cloud, plan.request)
    if plan.tags and plan.deployed is not None:
        definitions.tag_pipeline(cloud, plan.deployed.arn, plan.tags)


def _apply_addresses(cloud: Cloud, plan: PipelinePlan, outside: Outside) -> None:
    for address in plan.subscribe:
        outside.watch.say(f"subscribing {address}, who must confirm from the mail that comes")
        subscriptions.subscribe(cloud, plan.topic, address)
    for subscription in plan.unsubscribe:
        outside.watch.say(f"unsubscribing {subscription.address}")
        subscriptions.unsubscribe(cloud, subscription)


def _apply_mark(cloud: Cloud, mark: Mark) -> None:
    if mark.digest is None:
        repositories.remove_tag(cloud, mark.repository, mark.tag)
    else:
        repositories.add_tag(cloud, mark.repository, mark.digest, mark.tag)
