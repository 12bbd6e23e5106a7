"""What a deployment is made of, as far as repository and config determine it: read before any account is seen.

Two machines with the same checkout and config hold the same release; what the account adds (outputs of stacks, digests
of images) comes later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines import image_tags, template
from pipelines.aws.stacks import StackRequest
from pipelines.compile import choose
from pipelines.deployment import CicdStack, PipelineStack, cicd_stack, pipeline_stack
from pipelines.errors import SettingsError
from pipelines.lambda_package import LambdaPackage, lambda_package
from pipelines.models import ModelSpec
from pipelines.options import DEFAULT_CONFIG, say_options
from pipelines.settings import Settings, load

TEMPLATES = Path("config/cloudformation")
_ECR_IMAGE = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[a-z.]+/(?P<name>[^:@]+)")
_COMMIT_FOLDER = 20
"""Characters of its name that CodePipeline keeps in the keys of what it stores."""
NO_ENVIRONMENT = "default"
"""The environment of a deployment without an overlay."""
BUCKET_NAME = 63
"""Characters of a bucket's name (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html)."""
LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""Days that CloudWatch Logs can keep a log
(https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html)."""


@dataclass(frozen=True)
class Release:
    """A config with its environment and models, and the content-addressed things that the repository yields.

    `image_tags` leaves out images that the config names itself; `base` is what the others are built upon, None for what
    the Dockerfiles name. `repository_config` is the config's path in the repository, if it is not the usual one.
    """

    settings: Settings
    config: Path
    environment: str | None
    models: tuple[ModelSpec, ...]
    pipeline_template: str
    cicd_template: str
    package: LambdaPackage
    image_tags: Mapping[str, str]
    image_sources: Mapping[str, bytes]
    base: str | None = None
    repository_config: str | None = None

    @property
    def name(self) -> str:
        """Return the pipeline's name."""
        return self.settings.pipeline.name

    @property
    def flags(self) -> str:
        """Return the options with which a command means this deployment."""
        return say_options(self.config, self.environment)

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags of everything that is made."""
        own = {"pipeline": self.name, "environment": self.environment or NO_ENVIRONMENT}
        return {**self.settings.tags, **own}

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what a careful person would ask about before deploying."""
        found = []
        if not self.settings.notifications.emails:
            found.append("notifications.emails is empty: nobody gets the mails; name addresses there")
        if (
            self.settings.data.raw
            and not self.settings.data.raw.startswith("s3://")
            and not self.settings.aws.raw_bucket
        ):
            found.append(
                f"data.raw: {self.settings.data.raw} is a folder of this machine; on AWS the raw bucket holds the data"
            )
        if self.settings.aws.bucket:
            found.append(
                f"aws.bucket: nothing expires in a given bucket; let {self.settings.aws.bucket}/{self.name}/executions/"
                f" expire after retention_days: {self.settings.retention_days} by a lifecycle rule of your own"
            )
        return tuple(found)


def read_release(root: Path, config: Path, environment: str | None) -> Release:
    """Return the release of the checkout below `root` with a config and its overlay.

    Args:
        root: where `containers/`, `steps/` and the templates lie.
        config: the config file.
        environment: name of the overlay, or None.

    Raises:
        PipelineError: the config cannot be used or deployed, or something of the repository is missing.
    """
    settings = load(config, environment)
    problems = _deploy_problems(settings)
    if problems:
        raise SettingsError(*(f"{config}: {problem}" for problem in problems))
    base, place = settings.images.base, _below(root, config)
    inside = config.resolve().is_relative_to(root)
    if settings.cicd.repository and not inside:
        raise SettingsError(f"{config}: CodePipeline deploys a config of the repository; put it below {root}")
    return Release(
        settings=settings,
        config=place,
        environment=environment,
        models=choose(settings, config, None, frozen=True),
        pipeline_template=_read(root / TEMPLATES / "pipeline.yml"),
        cicd_template=_read(root / TEMPLATES / "cicd.yml"),
        package=lambda_package(root),
        image_tags={i: tag for i, tag in image_tags.image_tags(root, base).items() if not getattr(settings.images, i)},
        image_sources=image_tags.build_sources(root),
        base=base,
        repository_config=place.as_posix() if inside and place != DEFAULT_CONFIG else None,
    )


def _below(root: Path, config: Path) -> Path:
    """Return a config's path as commands name it from the repository, wherever it was named from."""
    whole = config.resolve()
    return whole.relative_to(root) if whole.is_relative_to(root) else config


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}); run the command of a whole checkout"
        ) from error


def name_problems(settings: Settings, region: str) -> list[str]:
    """Return which buckets would have a name too long for S3, as the stacks make them in a region."""
    made = [
        "deploy",
        *(["raw"] if not settings.aws.raw_bucket else []),
        *(["artifacts"] if not settings.aws.bucket else []),
    ]
    longest = max(made, key=len)
    most = BUCKET_NAME - len(f"-{longest}-{'0' * 12}-{region}")
    name = settings.pipeline.name
    if len(name) <= most:
        return []
    return [
        f"pipeline.name: {name} has {len(name)} characters; with '-{longest}-', account and {region} a bucket's name"
        f" may have {BUCKET_NAME}, so at most {most}; shorten it, or name existing buckets (aws.bucket, aws.raw_bucket)"
    ]


def _deploy_problems(settings: Settings) -> list[str]:
    found = name_problems(settings, settings.aws.region) if settings.aws.region else []
    days, kms = settings.log_retention_days, settings.kms or ""
    if days not in LOG_DAYS:
        close = min(LOG_DAYS, key=lambda known: abs(known - days))
        found.append(f"log_retention_days: {days}: CloudWatch keeps logs for certain numbers of days only; use {close}")
    if kms and ("alias/" in kms or (kms.startswith("arn:") and ":key/" not in kms)):
        found.append(f"kms: {kms}: roles can be granted a key by its ARN or ID only; give those of the alias's key")
    return found


def pipeline_request(release: Release, cicd: CicdStack, account: str, region: str, partition: str) -> StackRequest:
    """Return the pipeline's stack as it shall be."""
    settings = release.settings
    code = {"CodeBucket": cicd.DeployBucketName, "CodeKey": release.package.key}
    own = {
        "EnvironmentName": release.environment or NO_ENVIRONMENT,
        "ExistingJobRoleArn": settings.aws.role,
        "ExistingProcessingRepositoryArn": repository_arn(settings.images.processing, partition),
        "ExistingAutogluonRepositoryArn": repository_arn(settings.images.autogluon, partition),
        "RetentionDays": settings.retention_days,
        "TriggerConcurrency": settings.aws.trigger_concurrency,
        "StudioDomain": settings.aws.studio_domain,
        "CommandFlags": release.flags,
        "Subnets": ",".join(settings.network.subnets),
    }
    given = {**_shared_parameters(release, account, region, partition), **code, **own}
    return _request(pipeline_stack(release.name), release.pipeline_template, given, release.tags, cicd.StackRoleArn)


def repository_arn(image: str | None, partition: str) -> str | None:
    """Return the ARN of the ECR repository that an image's URI names, None for an image of another registry."""
    found = _ECR_IMAGE.match(image or "")
    return f"arn:{partition}:ecr:{found['region']}:{found['account']}:repository/{found['name']}" if found else None


def cicd_request(release: Release, account: str, region: str, partition: str) -> StackRequest:
    """Return the CI/CD stack as it shall be; the caller's own rights make it."""
    cicd = release.settings.cicd
    own = {
        "EnvironmentName": release.environment,
        "ConfigFile": release.repository_config,
        "CommitFolder": f"{release.name}-cicd"[:_COMMIT_FOLDER],
        "Repository": cicd.repository,
        "Branch": cicd.branch,
        "ConnectionArn": cicd.connection,
    }
    given = {**_shared_parameters(release, account, region, partition), **own}
    return _request(cicd_stack(release.name), release.cicd_template, given, release.tags, None)


def _shared_parameters(release: Release, account: str, region: str, partition: str) -> dict[str, object]:
    settings = release.settings
    kms = settings.kms
    key = kms if not kms or kms.startswith("arn:") else f"arn:{partition}:kms:{region}:{account}:key/{kms}"
    return {
        "PipelineName": release.name,
        "LowerName": release.name.lower(),
        "ExistingRawBucket": settings.aws.raw_bucket,
        "ExistingArtifactBucket": settings.aws.bucket,
        "ExistingPipelineRoleArn": settings.aws.pipeline_role,
        "ExistingLambdaRoleArn": settings.aws.lambda_role,
        "ExistingKeyArn": key,
        "PermissionsBoundary": settings.permissions_boundary,
        "LogRetentionDays": settings.log_retention_days,
    }


def _request(
    name: str, text: str, given: Mapping[str, object], tags: Mapping[str, str], role: str | None
) -> StackRequest:
    """Return a request with those of the values that the template takes; nothing given is the empty text."""
    taken = template.parameters(text)
    values = {key: str(value) if value is not None else "" for key, value in given.items() if key in taken}
    return StackRequest(name, text, values, tags, role)


def expected_outputs(release: Release, account: str, region: str, partition: str) -> PipelineStack:
    """Return what the pipeline's stack will give once it is made: its names are fixed by the template."""
    name, aws = release.name, release.settings.aws
    lower, roles = name.lower(), f"arn:{partition}:iam::{account}:role/{name}"
    return PipelineStack(
        RawBucketName=aws.raw_bucket or f"{lower}-raw-{account}-{region}",
        ArtifactBucketName=aws.bucket or f"{lower}-artifacts-{account}-{region}",
        JobRoleArn=aws.role or f"{roles}-job",
        PipelineRoleArn=aws.pipeline_role or f"{roles}-pipeline",
        TopicArn=f"arn:{partition}:sns:{region}:{account}:{name}-mails",
        KeyArn="",
        TriggerFunctionName=f"{name}-trigger",
        EnvironmentName=release.environment or NO_ENVIRONMENT,
    )


def image_repositories(release: Release, cicd: CicdStack) -> dict[str, str]:
    """Return the URI of every image's repository."""
    uris = {"processing": cicd.ProcessingRepositoryUri, "autogluon": cicd.AutogluonRepositoryUri}
    return {image: uris[image] for image in release.image_tags}
