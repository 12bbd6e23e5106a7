"""What deploying would do: a release compared with what an account holds. Pure: asks and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipelines import template
from pipelines.account import ACCOUNT, NOT_SET, resolve_account
from pipelines.aws.definitions import DeployedPipeline, PipelineRequest, images_in
from pipelines.aws.repositories import Image, repository_name
from pipelines.aws.stacks import SETTLED, Change, Stack, StackRequest
from pipelines.aws.subscriptions import Subscription
from pipelines.compile import Both, Compiled
from pipelines.definition_diff import DefinitionDiff, difference
from pipelines.deployment import PipelineStack
from pipelines.errors import SettingsError
from pipelines.release import Release
from pipelines.settings import Settings
from steps import contract

USED = "used-"
"""Prefix of the tags that spare an image from expiry; the repositories' lifecycle policy names it."""
_DIGEST_CHARACTERS = 12
_GROUP_DESCRIPTION = 1024


@dataclass(frozen=True)
class StackPlan:
    """A stack as it shall be and as it is; `changes` are known once a change set was reviewed."""

    request: StackRequest
    stack: Stack | None
    same: bool
    changes: tuple[Change, ...] = ()

    @property
    def new(self) -> bool:
        """Tell whether the stack has yet to be made."""
        return self.stack is None or not self.stack.made


@dataclass(frozen=True)
class ImagePlan:
    """An image by its content tag; the digest is known once it is in its repository."""

    image: str
    uri: str
    tag: str
    digest: str | None

    @property
    def reference(self) -> str:
        """Return how the definition names the image; by tag only as long as it is not built."""
        return f"{self.uri}@{self.digest}" if self.digest else f"{self.uri}:{self.tag}"


@dataclass(frozen=True)
class Mark:
    """A `used-*` tag to give to a digest of a repository, or (without a digest) to take away."""

    repository: str
    tag: str
    digest: str | None


@dataclass(frozen=True)
class Contents:
    """What an account holds beside the stacks: the whole pipeline, the one that scores only, and what is theirs."""

    missing: tuple[str, ...]
    pipeline: DeployedPipeline | None
    scoring: DeployedPipeline | None
    groups: frozenset[str]
    addresses: tuple[Subscription, ...]
    kept_images: frozenset[str] | None = None
    """Images that packages and executions name; None where that is not known, so that no tag is taken away."""


@dataclass(frozen=True)
class DefinitionPlan:
    """A pipeline as it shall be and as it is; `tags` are those to set."""

    request: PipelineRequest
    deployed: DeployedPipeline | None
    sha256: str
    difference: DefinitionDiff
    fields: tuple[str, ...]
    tags: Mapping[str, str]

    @property
    def action(self) -> str:
        """Return what happens to the pipeline: create, update, or nothing (empty)."""
        if self.deployed is None:
            return "create"
        return "update" if not self.difference.empty or self.fields else ""


@dataclass(frozen=True)
class PipelinePlan(DefinitionPlan):
    """Everything behind the stack that would be made, changed or removed; `scoring` is the pipeline of that mode."""

    scoring: DefinitionPlan
    bucket: str
    raw_bucket: str
    topic: str
    bundles: int
    uploads: Mapping[str, bytes]
    groups: Mapping[str, str]
    subscribe: tuple[str, ...]
    unsubscribe: tuple[Subscription, ...]
    marks: tuple[Mark, ...]

    @property
    def definitions(self) -> tuple[DefinitionPlan, DefinitionPlan]:
        """Return both pipelines."""
        return (self, self.scoring)

    @property
    def empty(self) -> bool:
        """Tell whether nothing would change."""
        parts = (self.uploads, self.groups, self.subscribe, self.unsubscribe, self.marks)
        return not any(parts) and not any(each.action or each.tags for each in self.definitions)


@dataclass(frozen=True)
class Plan:
    """The whole of a deployment: stack, Lambda code, images, pipeline."""

    account: str
    region: str
    environment: str
    stack: StackPlan
    package: str
    package_new: bool
    images: tuple[ImagePlan, ...]
    pipeline: PipelinePlan
    warnings: tuple[str, ...] = field(default=())

    @property
    def empty(self) -> bool:
        """Tell whether nothing would change."""
        return self.stack.same and not self.package_new and not self.to_build and self.pipeline.empty

    @property
    def to_build(self) -> tuple[ImagePlan, ...]:
        """Return the images that no repository holds yet."""
        return tuple(image for image in self.images if image.digest is None)


def plan_stack(request: StackRequest, stack: Stack | None, text: str) -> StackPlan:
    """Compare a stack with what it shall be; `text` is its present template."""
    same = (
        stack is not None
        and stack.status in SETTLED
        and all(stack.parameters.get(key) == value for key, value in request.parameters.items())
        and dict(stack.tags) == dict(request.tags)
        and template.says_the_same(text, request.template)
    )
    return StackPlan(request, stack, same)


def stack_problems(stack: Stack | None, name: str, tags: Mapping[str, str]) -> list[str]:
    """Return why a stack cannot be changed now, or is not ours to change."""
    found = removal_problems(stack, name, tags)
    if stack and stack.status == "DELETE_FAILED":
        found.append(f"stack {name} is {stack.status}: {stack.reason}; mend that, then run --destroy again")
    if stack and stack.status.endswith("ROLLBACK_FAILED") and stack.made:
        found.append(f"stack {name} is {stack.status}: {stack.reason}; continue its rollback in the console first")
    return found


def removal_problems(stack: Stack | None, name: str, tags: Mapping[str, str]) -> list[str]:
    """Return why a stack cannot be removed now, or is not ours to remove."""
    if stack is None:
        return []
    found = []
    if stack.busy:
        found.append(f"stack {name} is {stack.status}: somebody deploys right now; wait until that has ended")
    other = stack.tags.get("environment")
    if other is not None and other != tags["environment"]:
        found.append(
            f"stack {name} belongs to the environment {other!r}, not to {tags['environment']!r}; give --env {other}, "
            "or set another pipeline.name in this environment's overlay"
        )
    return found


def plan_images(
    tags: Mapping[str, str], repositories: Mapping[str, str], there: Mapping[str, Sequence[Image]]
) -> tuple[ImagePlan, ...]:
    """Return every image with its digest, if its repository holds the content tag."""
    return tuple(
        ImagePlan(image, repositories[image], tag, next((i.digest for i in there[image] if tag in i.tags), None))
        for image, tag in tags.items()
    )


def plan_pipeline(
    release: Release,
    settings: Settings,
    compiled: Both,
    outputs: PipelineStack,
    contents: Contents,
    there: Mapping[str, Sequence[Image]],
    images: Sequence[ImagePlan],
) -> PipelinePlan:
    """Compare a compiled release with what the account holds.

    Args:
        release: what shall be deployed.
        settings: the release's settings with what the stack gives.
        compiled: the definitions of these settings.
        outputs: what the stack gives, or will give.
        contents: what the account holds.
        there: the images of every repository.
        images: the images that the definition names.
    """
    request = PipelineRequest(
        name=release.name,
        definition=compiled.whole.sent,
        role=settings.aws.pipeline_role or outputs.PipelineRoleArn,
        description=settings.pipeline.description,
        parallelism=settings.parallelism,
        tags=release.tags,
    )
    scored = replace(
        request,
        name=contract.pipeline_name(release.name, contract.PREDICT_MODE),
        definition=compiled.scoring.sent,
    )
    emails = settings.notifications.emails
    known = {subscription.address for subscription in contents.addresses}
    return PipelinePlan(
        **vars(_plan_definition(request, contents.pipeline, compiled.whole)),
        scoring=_plan_definition(scored, contents.scoring, compiled.scoring),
        bucket=outputs.ArtifactBucketName,
        raw_bucket=outputs.RawBucketName,
        topic=outputs.TopicArn,
        bundles=len({bundle.uri for each in compiled.all for bundle in each.bundles}),
        uploads={key: content for key, content in bundle_files(compiled).items() if key in contents.missing},
        groups={name: text for name, text in wanted_groups(release).items() if name not in contents.groups},
        subscribe=tuple(email for email in emails if email not in known),
        unsubscribe=tuple(s for s in contents.addresses if s.arn and s.address not in emails),
        marks=plan_marks(compiled.whole.text, images, there, contents.kept_images),
    )


def _plan_definition(request: PipelineRequest, deployed: DeployedPipeline | None, compiled: Compiled) -> DefinitionPlan:
    return DefinitionPlan(
        request=request,
        deployed=deployed,
        sha256=compiled.sha256,
        difference=difference(deployed.definition if deployed else None, json.loads(compiled.text)),
        fields=_changed_fields(deployed, request),
        tags=_missing_tags(deployed, request),
    )


def _changed_fields(deployed: DeployedPipeline | None, request: PipelineRequest) -> tuple[str, ...]:
    if deployed is None:
        return ()
    pairs = {
        "role": (deployed.role, request.role),
        "parallelism": (deployed.parallelism, request.parallelism),
        "description": (deployed.description, request.description),
    }
    return tuple(f"{word} {old} -> {new}" for word, (old, new) in pairs.items() if old != new)


def _missing_tags(deployed: DeployedPipeline | None, request: PipelineRequest) -> dict[str, str]:
    """Return the tags to set on a pipeline that is there; a new one is made with its tags."""
    if deployed is None:
        return {}
    return {key: value for key, value in request.tags.items() if deployed.tags.get(key) != value}


def bundle_files(compiled: Both) -> dict[str, bytes]:
    """Return the files of all bundles by their key in the artifact bucket."""
    return {
        f"{bundle.uri.removeprefix('s3://').partition('/')[2]}/{name}": content
        for each in compiled.all
        for bundle in each.bundles
        for name, content in bundle.files.items()
    }


def wanted_groups(release: Release) -> dict[str, str]:
    """Return the model package group of every model with its description, which carries the model's name."""
    described = {m.slug: f"{release.name}: {m.name}" for m in release.models}
    return {
        contract.group_name(release.name, slug): _printable(text)[:_GROUP_DESCRIPTION]
        for slug, text in described.items()
    }


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def plan_marks(
    definition: str, images: Sequence[ImagePlan], there: Mapping[str, Sequence[Image]], kept: frozenset[str] | None
) -> tuple[Mark, ...]:
    """Return the `used-*` tags to give to images that something names, and to take from those that nothing names."""
    named = images_in(definition) | (kept or frozenset())
    marks: list[Mark] = []
    for plan in images:
        used = {name.partition("@")[2] for name in named if name.startswith(f"{plan.uri}@")}
        repository = repository_name(plan.uri)
        for image in there[plan.image]:
            tag = mark_of(image.digest)
            if image.digest in used and tag not in image.tags:
                marks.append(Mark(repository, tag, image.digest))
            elif image.digest not in used and tag in image.tags and kept is not None:
                marks.append(Mark(repository, tag, None))
    return tuple(marks)


def mark_of(digest: str) -> str:
    """Return the tag that spares a digest from expiry."""
    return f"{USED}{digest.removeprefix('sha256:')[:_DIGEST_CHARACTERS]}"


def has_outdated_marks(definition: str, there: Mapping[str, Sequence[Image]]) -> bool:
    """Tell whether an image is marked that the definition does not name, so that others must be asked."""
    named = {name.partition("@")[2] for name in images_in(definition)}
    marked = [image for found in there.values() for image in found if mark_of(image.digest) in image.tags]
    return any(image.digest not in named for image in marked)


def check_functions(definition: str, release: Release) -> None:
    """Refuse a definition that calls a function which the stack does not make.

    Raises:
        SettingsError: names every such function.
    """
    called = {str(step["FunctionArn"]).rpartition(":")[2] for step in _lambda_steps(json.loads(definition)["Steps"])}
    missing = sorted(called - template.functions(release.pipeline_template, release.name))
    if missing:
        raise SettingsError(
            *(
                f"function {name}: the definition calls it, config/cloudformation/pipeline.yml does not make it; add it"
                " there with role, log and alarm, as the others are, and its ARN to PipelineRole, CallFunctions"
                for name in missing
            )
        )


def _lambda_steps(steps: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for step in steps:
        if step["Type"] == "Lambda":
            yield step
        elif step["Type"] == "Condition":
            yield from _lambda_steps([*step["Arguments"]["IfSteps"], *step["Arguments"]["ElseSteps"]])


def check_account(settings: Settings) -> None:
    """Refuse placeholders: a definition that is sent names a real role, bucket, account and images.

    Raises:
        SettingsError: names every value that is not set.
    """
    account = resolve_account(settings)
    values = {
        "aws.role": account.role,
        "aws.bucket": account.bucket,
        "aws.account": account.number,
        "images.processing": account.processing_image,
        "images.autogluon": account.autogluon_image,
    }
    unset = [key for key, value in values.items() if NOT_SET in value or value == ACCOUNT]
    if unset:
        raise SettingsError(
            *(f"{key}: is a placeholder still; the stack gives it: deploy the stack, or set it" for key in unset)
        )
