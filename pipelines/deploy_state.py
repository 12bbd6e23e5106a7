"""What an account holds of a release: stacks, images, pipeline. Reads and compiles; changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pipelines import compile as compiling
from pipelines.aws import definitions, objects, repositories, stacks, subscriptions
from pipelines.aws.cloud import Cloud
from pipelines.compile import Both
from pipelines.deploy_plan import (
    Contents,
    ImagePlan,
    PipelinePlan,
    Plan,
    StackPlan,
    bundle_files,
    check_account,
    check_functions,
    has_outdated_marks,
    plan_images,
    plan_pipeline,
    plan_stack,
    stack_problems,
)
from pipelines.deployment import (
    IMAGES,
    CicdStack,
    PipelineStack,
    cicd_outputs,
    cicd_stack,
    deploy_bucket,
    deployed_settings,
    pipeline_outputs,
    pipeline_stack,
    repository,
)
from pipelines.errors import AwsError
from pipelines.options import say_command
from pipelines.release import Release, cicd_request, expected_outputs, image_repositories, pipeline_request
from pipelines.settings import Settings
from steps import contract

MOST_EXECUTIONS = 200
"""Executions whose definitions are read to find images that nothing uses any more; with more, none is given up."""

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Ground:
    """The stacks, and the images of every repository."""

    cicd: CicdStack
    stack: StackPlan
    package_new: bool
    there: Mapping[str, tuple[repositories.Image, ...]]
    images: tuple[ImagePlan, ...]


def read_ground(cloud: Cloud, release: Release) -> Ground:
    """Return what a deployment builds upon.

    Raises:
        AwsError: it cannot begin, with every reason.
    """
    cicd, stack = (
        stacks.read_stack(cloud, cicd_stack(release.name)),
        stacks.read_stack(cloud, pipeline_stack(release.name)),
    )
    problems = stack_problems(stack, pipeline_stack(release.name), release.tags)
    problems += _bucket_problems(cloud, release.settings)
    if stack is None or not stack.made:
        problems += _left_buckets(cloud, release)
    if cicd is None or not cicd.made or not cicd.outputs:
        again = say_command("deploy", "--cicd", release.flags)
        problems.append(
            f"there is no stack {cicd_stack(release.name)} in {cloud.region}; an admin makes it with: {again}"
        )
    if problems or cicd is None:
        raise _together(problems)
    given = cicd_outputs(cicd.outputs)
    request = pipeline_request(release, given, cloud.account, cloud.region, cloud.partition)
    uris = image_repositories(release, given)
    there = {i: repositories.list_images(cloud, repositories.repository_name(uri)) for i, uri in uris.items()}
    return Ground(
        cicd=given,
        stack=_stack_plan(cloud, request, stack),
        package_new=not objects.object_exists(cloud, given.DeployBucketName, release.package.key),
        there=there,
        images=plan_images(release.image_tags, uris, there),
    )


def _together(problems: list[str]) -> AwsError:
    """Return one error that says everything at once."""
    error = AwsError(problems[0])
    error.problems = tuple(problems)
    return error


def _stack_plan(cloud: Cloud, request: stacks.StackRequest, stack: stacks.Stack | None) -> StackPlan:
    text = stacks.read_template(cloud, request.name) if stack and stack.made else ""
    return plan_stack(request, stack, text)


def _bucket_problems(cloud: Cloud, settings: Settings) -> list[str]:
    bucket = settings.aws.raw_bucket
    if bucket is None or objects.sends_events(cloud, bucket):
        return []
    configuration = "'{\"EventBridgeConfiguration\": {}}'"
    return [
        f"aws.raw_bucket: {bucket} does not send its events to EventBridge, so nothing would start; turn it on with: "
        f"aws s3api put-bucket-notification-configuration --bucket {bucket} "
        f"--notification-configuration {configuration} "
        "(which replaces the bucket's other notifications; add them to the JSON to keep them)"
    ]


def _left_buckets(cloud: Cloud, release: Release) -> list[str]:
    """Return the buckets that an earlier stack has left, whose names a new one would want."""
    made, aws = expected_outputs(release, cloud.account, cloud.region, cloud.partition), release.settings.aws
    wanted = {
        "aws.raw_bucket": (made.RawBucketName, aws.raw_bucket),
        "aws.bucket": (made.ArtifactBucketName, aws.bucket),
    }
    return [
        f"bucket {name} is there already, left by an earlier stack; go on with it by {key}: {name} in the config, or "
        "empty it and remove it"
        for key, (name, given) in wanted.items()
        if not given and objects.bucket_exists(cloud, name)
    ]


def _left_of_cicd(cloud: Cloud, release: Release) -> list[str]:
    """Return the repositories and the bucket that an earlier stack has left, whose names a new one would want."""
    names = [repository(release.name, image) for image in IMAGES]
    left = [f"repository {name}" for name in names if repositories.repository_exists(cloud, name)]
    bucket = deploy_bucket(release.name, cloud.account, cloud.region)
    left += [f"bucket {bucket}"] if objects.bucket_exists(cloud, bucket) else []
    again = say_command("deploy", "--destroy --cicd --images", release.flags)
    found = f"{', '.join(left)}: there already, left by an earlier stack; remove what is left with: {again}"
    return [found] if left else []


def read_cicd(cloud: Cloud, release: Release) -> StackPlan:
    """Return the CI/CD stack as it is and shall be.

    Raises:
        AwsError: it cannot be changed now.
    """
    stack = stacks.read_stack(cloud, cicd_stack(release.name))
    problems = stack_problems(stack, cicd_stack(release.name), release.tags)
    if stack is None or not stack.made:
        problems += _left_of_cicd(cloud, release)
    if problems:
        raise _together(problems)
    request = cicd_request(release, cloud.account, cloud.region, cloud.partition)
    return _stack_plan(cloud, request, stack)


def read_plan(cloud: Cloud, release: Release, ground: Ground, stack: StackPlan, now: Clock) -> Plan:
    """Return everything that a deployment would do; `stack` knows its changes."""
    return Plan(
        account=cloud.account,
        region=cloud.region,
        environment=release.tags["environment"],
        stack=stack,
        package=release.package.key,
        package_new=ground.package_new,
        images=ground.images,
        pipeline=read_pipeline_plan(cloud, release, ground, now),
        warnings=release.warnings,
    )


def read_pipeline_plan(cloud: Cloud, release: Release, ground: Ground, now: Clock) -> PipelinePlan:
    """Compile the release with what the stack gives, or will give, and compare it with what the account holds."""
    stack = ground.stack.stack
    made = stack is not None and stack.made
    outputs = _outputs(cloud, release, stack if made else None)
    references = {plan.image: plan.reference for plan in ground.images}
    settings = deployed_settings(release.settings, outputs, references, cloud.account, cloud.region)
    check_account(settings)
    compiled = compiling.compile_both(settings, release.models)
    for each in compiled.all:
        check_functions(each.text, release)
    contents = _contents(cloud, release, outputs, compiled, made)
    if has_outdated_marks(compiled.whole.text, ground.there):
        contents = replace(contents, kept_images=_kept_images(cloud, release, contents, now))
    return plan_pipeline(release, settings, compiled, outputs, contents, ground.there, ground.images)


def _outputs(cloud: Cloud, release: Release, stack: stacks.Stack | None) -> PipelineStack:
    if stack is None:
        return expected_outputs(release, cloud.account, cloud.region, cloud.partition)
    return pipeline_outputs(stack.outputs)


def _contents(cloud: Cloud, release: Release, outputs: PipelineStack, compiled: Both, made: bool) -> Contents:
    keys = tuple(bundle_files(compiled))
    return Contents(
        missing=objects.missing_keys(cloud, outputs.ArtifactBucketName, keys) if made else keys,
        pipeline=_read_own(cloud, release, contract.FULL),
        scoring=_read_own(cloud, release, contract.PREDICT_MODE),
        groups=definitions.list_groups(cloud, release.name),
        addresses=subscriptions.list_addresses(cloud, outputs.TopicArn) if made else (),
    )


def _read_own(cloud: Cloud, release: Release, mode: str) -> definitions.DeployedPipeline | None:
    """Return the pipeline of a mode, as it is; one without the tag is taken for this deployment's.

    Raises:
        AwsError: the one of this name is another deployment's.
    """
    name = contract.pipeline_name(release.name, mode)
    found = definitions.read_pipeline(cloud, name)
    owner = found.tags.get("pipeline", release.name) if found else release.name
    if owner != release.name:
        use = "" if mode == contract.FULL else " for scoring only"
        raise AwsError(
            f"pipeline {name} is there and belongs to {owner!r}; {release.name} needs the name{use}: set "
            "another pipeline.name for one of them"
        )
    return found


def _kept_images(cloud: Cloud, release: Release, contents: Contents, now: Clock) -> frozenset[str] | None:
    """Return the images that packages and young executions name, or None where those cannot all be read."""
    since = now() - timedelta(days=release.settings.retention_days)
    there = {contract.FULL: contents.pipeline, contract.PREDICT_MODE: contents.scoring}
    names = [contract.pipeline_name(release.name, mode) for mode, found in there.items() if found is not None]
    executed = [definitions.execution_images(cloud, name, since, MOST_EXECUTIONS) for name in names]
    known = [images for images in executed if images is not None]
    if len(known) < len(executed):
        return None
    return frozenset().union(*known, definitions.package_images(cloud, contents.groups))
