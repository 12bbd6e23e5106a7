"""What a deployment is called and what its stacks give: names, outputs, and settings with the outputs filled in. Pure.

Nobody copies an ARN by hand: `deploy`, `run` and `registry` read the outputs of the pipeline's stack and fill them into
the settings, from which the definition is compiled as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from pipelines.errors import AwsError
from pipelines.settings import Settings

IMAGES = ("processing", "autogluon")
"""The images, by their folder in `containers/`."""
EVENT_LAMBDAS = ("trigger", "status")
"""Functions that events start, besides those that the definition calls."""


def pipeline_stack(pipeline: str) -> str:
    """Return the name of the stack made from `config/cloudformation/pipeline.yml`."""
    return f"{pipeline}-pipeline"


def cicd_stack(pipeline: str) -> str:
    """Return the name of the stack made from `config/cloudformation/cicd.yml`."""
    return f"{pipeline}-cicd"


def repository(pipeline: str, image: str) -> str:
    """Return the name of an image's ECR repository, which allows lower case only."""
    return f"{pipeline.lower()}-{image}"


def deploy_bucket(pipeline: str, account: str, region: str) -> str:
    """Return the name of the bucket that the CI/CD stack makes."""
    return f"{pipeline.lower()}-deploy-{account}-{region}"


@dataclass(frozen=True)
class PipelineStack:
    """The outputs of the pipeline's stack, by their names in the template."""

    RawBucketName: str
    ArtifactBucketName: str
    JobRoleArn: str
    PipelineRoleArn: str
    TopicArn: str
    KeyArn: str
    TriggerFunctionName: str
    EnvironmentName: str


@dataclass(frozen=True)
class CicdStack:
    """The outputs of the CI/CD stack, by their names in the template."""

    DeployBucketName: str
    ProcessingRepositoryUri: str
    AutogluonRepositoryUri: str
    ImageProjectName: str
    StackRoleArn: str


def pipeline_outputs(outputs: Mapping[str, str]) -> PipelineStack:
    """Return the outputs of the pipeline's stack.

    Raises:
        AwsError: the stack lacks an output, so it was made by another version of the template.
    """
    return PipelineStack(**_chosen(outputs, PipelineStack))


def cicd_outputs(outputs: Mapping[str, str]) -> CicdStack:
    """Return the outputs of the CI/CD stack.

    Raises:
        AwsError: the stack lacks an output, so it was made by another version of the template.
    """
    return CicdStack(**_chosen(outputs, CicdStack))


def _chosen(outputs: Mapping[str, str], kind: type[PipelineStack] | type[CicdStack]) -> dict[str, str]:
    wanted = [field.name for field in fields(kind)]
    missing = [name for name in wanted if name not in outputs]
    if missing:
        raise AwsError(f"the stack has no output {', '.join(missing)}; deploy again with this version of the project")
    return {name: outputs[name] for name in wanted}


def deployed_settings(
    settings: Settings, stack: PipelineStack, images: Mapping[str, str], account: str, region: str
) -> Settings:
    """Return the settings with what the stack made filled in; `images` are URIs with digest, by IMAGES.

    Values of the config win: an existing role, bucket, key or image that it names is what the stack was told to use.
    """
    aws, own = settings.aws, settings.images
    filled = {"role": stack.JobRoleArn, "bucket": stack.ArtifactBucketName, "region": region, "account": account}
    chosen = {name: getattr(own, name) or images.get(name) for name in IMAGES}
    return settings.model_copy(
        update={
            "aws": aws.model_copy(update={k: getattr(aws, k) or v for k, v in filled.items()}),
            "images": own.model_copy(update=chosen),
        }
    )
