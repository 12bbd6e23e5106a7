"""Removing a deployment: what would go and what stays, then removing it. Data stay unless told otherwise.

Model package groups are never removed: they may hold the only record of an approved model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.aws import definitions, objects, repositories, stacks
from pipelines.aws.cloud import Cloud
from pipelines.deploy_plan import removal_problems
from pipelines.deployment import IMAGES, cicd_stack, deploy_bucket, pipeline_stack, repository
from pipelines.errors import AwsError
from pipelines.outside import Outside
from pipelines.release import Release, expected_outputs
from steps import contract

DEPLOYED_FOLDERS = ("code/", "settings/")
"""What deploying put below the pipeline's folder of the artifact bucket; the rest are data."""
UPLOADED_FOLDERS = ("lambda/", "templates/", "source/")
"""What deploying put into the deploy bucket."""


@dataclass(frozen=True)
class Teardown:
    """What would be removed, in this order, and what stays with the reason."""

    pipeline: str | None
    prefixes: tuple[tuple[str, str], ...]
    repositories: tuple[str, ...]
    stack: stacks.Stack | None
    buckets: tuple[str, ...]
    kept: tuple[str, ...] = field(default=())
    scoring: str | None = None

    @property
    def pipelines(self) -> tuple[str, ...]:
        """Return the pipelines that there are, the whole one and the one that scores only."""
        return tuple(name for name in (self.pipeline, self.scoring) if name)

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to remove."""
        return not (self.pipelines or self.prefixes or self.repositories or self.stack or self.buckets)

    def removed(self) -> list[str]:
        """Return what would be removed."""
        found = [f"pipeline {name}" for name in self.pipelines]
        found += [f"objects of s3://{bucket}/{prefix}" for bucket, prefix in self.prefixes]
        found += [f"stack {self.stack.name} with its resources"] if self.stack else []
        found += [f"repository {name} with its images" for name in self.repositories]
        return [*found, *(f"bucket {bucket}" for bucket in self.buckets)]

    def lines(self) -> list[str]:
        """Return what would be removed and what stays, for people."""
        return [*(f"- {text}" for text in self.removed()), *(f"  kept: {text}" for text in self.kept)]


def plan_teardown(cloud: Cloud, release: Release, data: bool) -> Teardown:
    """Return what would go of the pipeline and its stack.

    Args:
        cloud: where.
        release: what was deployed.
        data: remove the data buckets that the stack made as well, with all they hold.
    """
    stack = stacks.read_stack(cloud, pipeline_stack(release.name))
    _check(stack, pipeline_stack(release.name), release.tags)
    outputs = expected_outputs(release, cloud.account, cloud.region, cloud.partition)
    aws = release.settings.aws
    made = [
        b
        for b, given in ((outputs.RawBucketName, aws.raw_bucket), (outputs.ArtifactBucketName, aws.bucket))
        if not given
    ]
    there = [bucket for bucket in made if objects.bucket_exists(cloud, bucket)]
    full = [bucket for bucket in there if data or not _holds_data(cloud, bucket, release.name)]
    purged = [(bucket, "") for bucket in full if not objects.is_empty(cloud, bucket)]
    whole, scoring = (contract.pipeline_name(release.name, mode) for mode in contract.MODES)
    return Teardown(
        pipeline=whole if _is_ours(definitions.read_pipeline(cloud, whole), release) else None,
        scoring=scoring if _is_ours(definitions.read_pipeline(cloud, scoring), release) else None,
        prefixes=(*_deployed_prefixes(cloud, release, outputs.ArtifactBucketName, full), *purged),
        repositories=(),
        stack=stack,
        buckets=tuple(full),
        kept=(
            *(_kept_bucket(bucket) for bucket in there if bucket not in full),
            *_kept_elsewhere(release, stack),
            *_kept_groups(cloud, release),
        ),
    )


def plan_cicd_teardown(cloud: Cloud, release: Release, images: bool) -> Teardown:
    """Return what would go of the CI/CD stack; `images` removes those of its repositories as well.

    Raises:
        AwsError: the pipeline's stack is there still, which this one made.
    """
    stack = stacks.read_stack(cloud, cicd_stack(release.name))
    _check(stack, cicd_stack(release.name), release.tags)
    if stacks.read_stack(cloud, pipeline_stack(release.name)):
        raise AwsError(
            f"stack {pipeline_stack(release.name)} is there still; remove it first: deploy --destroy without --cicd"
        )
    bucket = deploy_bucket(release.name, cloud.account, cloud.region)
    buckets = (bucket,) if objects.bucket_exists(cloud, bucket) else ()
    names = [repository(release.name, image) for image in IMAGES]
    held = tuple(name for name in names if repositories.repository_exists(cloud, name))
    return Teardown(
        pipeline=None,
        prefixes=tuple((name, "") for name in buckets if not objects.is_empty(cloud, name)),
        repositories=held if images else (),
        stack=stack,
        buckets=buckets,
        kept=() if images else tuple(f"repository {name} with its images; give --images to remove it" for name in held),
    )


def _is_ours(found: definitions.DeployedPipeline | None, release: Release) -> bool:
    """Tell whether there is a pipeline, and it is no other deployment's."""
    return found is not None and found.tags.get("pipeline", release.name) == release.name


def _check(stack: stacks.Stack | None, name: str, tags: Mapping[str, str]) -> None:
    problems = removal_problems(stack, name, tags)
    if problems:
        raise AwsError(problems[0])


def _holds_data(cloud: Cloud, bucket: str, name: str) -> bool:
    """Tell whether a bucket holds more than what deploying put there."""
    own = tuple(f"{name}/{folder}" for folder in DEPLOYED_FOLDERS)
    return any(not key.startswith(own) for key in objects.versioned_keys(cloud, bucket))


def _deployed_prefixes(cloud: Cloud, release: Release, bucket: str, purged: list[str]) -> list[tuple[str, str]]:
    """Return the folders that deploying filled and that hold something, by bucket."""
    places = [(deploy_bucket(release.name, cloud.account, cloud.region), folder) for folder in UPLOADED_FOLDERS]
    if bucket not in purged:
        places += [(bucket, f"{release.name}/{folder}") for folder in DEPLOYED_FOLDERS]
    there = {name for name in {name for name, _ in places} if objects.bucket_exists(cloud, name)}
    return [(name, prefix) for name, prefix in places if name in there and objects.list_objects(cloud, name, prefix)]


def _kept_bucket(bucket: str) -> str:
    return (
        f"bucket {bucket}, which holds data; give --data to remove it, or name it as aws.bucket or aws.raw_bucket to "
        "deploy upon it again"
    )


def _kept_elsewhere(release: Release, stack: stacks.Stack | None) -> list[str]:
    """Return what outlives the stack, or lies in what was given to it."""
    key = stack.outputs.get("KeyArn", "") if stack else ""
    found = (
        [f"key {key}, with which logs may be read; schedule its deletion in KMS"]
        if key and not release.settings.kms
        else []
    )
    bucket = release.settings.aws.bucket
    return found + ([f"executions, manifests and registered models in the given bucket {bucket}"] if bucket else [])


def _kept_groups(cloud: Cloud, release: Release) -> list[str]:
    groups = definitions.list_groups(cloud, release.name)
    return [f"{len(groups)} model package groups with their models; nothing here removes those"] if groups else []


def tear_down(cloud: Cloud, teardown: Teardown, outside: Outside) -> None:
    """Remove what a teardown lists; what the stack removed with itself is not missed."""
    say = outside.watch.say
    for name in teardown.pipelines:
        say(f"removing pipeline {name}")
        definitions.delete_pipeline(cloud, name)
    for bucket, prefix in teardown.prefixes:
        say(f"removing s3://{bucket}/{prefix}")
        objects.purge(cloud, bucket, prefix)
    if teardown.stack:
        say(f"removing stack {teardown.stack.name}; this takes minutes")
        stacks.delete(cloud, teardown.stack, outside.watch)
    for name in teardown.repositories:
        say(f"removing repository {name}")
        repositories.delete_repository(cloud, name)
    for bucket in teardown.buckets:
        if objects.bucket_exists(cloud, bucket):
            say(f"removing bucket {bucket}")
            objects.delete_bucket(cloud, bucket)
