"""The SageMaker pipeline itself: its definition, role, parallelism, tags; and the model package groups beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from pipelines.aws.cloud import Cloud, error_code, error_message, translated

DIGEST = re.compile(r"[\w.-]+/[\w./-]+@sha256:[0-9a-f]{64}")
"""An image by its digest, as definitions and model packages name it."""
_AT_ONCE = 100
"""Model packages that one request describes."""


@dataclass(frozen=True)
class PipelineRequest:
    """A pipeline as it shall be."""

    name: str
    definition: str
    role: str
    description: str
    parallelism: int
    tags: Mapping[str, str]


@dataclass(frozen=True)
class DeployedPipeline:
    """A pipeline as it is."""

    arn: str
    definition: Mapping[str, Any]
    role: str
    description: str
    parallelism: int | None
    tags: Mapping[str, str]


def read_pipeline(cloud: Cloud, name: str) -> DeployedPipeline | None:
    """Return a pipeline, or None."""
    client = cloud.client("sagemaker")
    with translated(f"pipeline {name} cannot be described"):
        try:
            found = client.describe_pipeline(PipelineName=name)
        except ClientError as error:
            if _says_missing(error):
                return None
            raise
        pages = client.get_paginator("list_tags").paginate(ResourceArn=found["PipelineArn"])
        tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
    return DeployedPipeline(
        arn=found["PipelineArn"],
        definition=json.loads(found["PipelineDefinition"]),
        role=found.get("RoleArn", ""),
        description=found.get("PipelineDescription", ""),
        parallelism=found.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps"),
        tags=tags,
    )


def create_pipeline(cloud: Cloud, request: PipelineRequest) -> None:
    """Make a pipeline, with its tags."""
    with translated(f"pipeline {request.name} cannot be made"):
        cloud.client("sagemaker").create_pipeline(**_arguments(request), Tags=_tags(request.tags))


def update_pipeline(cloud: Cloud, request: PipelineRequest) -> None:
    """Change a pipeline; a running execution goes on with the definition that it was started with."""
    with translated(f"pipeline {request.name} cannot be changed"):
        cloud.client("sagemaker").update_pipeline(**_arguments(request))


def _arguments(request: PipelineRequest) -> dict[str, Any]:
    return {
        "PipelineName": request.name,
        "PipelineDescription": request.description,
        "PipelineDefinition": request.definition,
        "RoleArn": request.role,
        "ParallelismConfiguration": {"MaxParallelExecutionSteps": request.parallelism},
    }


def tag_pipeline(cloud: Cloud, arn: str, tags: Mapping[str, str]) -> None:
    """Set tags of a pipeline; others stay."""
    with translated(f"{arn} cannot be tagged"):
        cloud.client("sagemaker").add_tags(ResourceArn=arn, Tags=_tags(tags))


def delete_pipeline(cloud: Cloud, name: str) -> None:
    """Remove a pipeline, not its executions' outputs."""
    with translated(f"pipeline {name} cannot be removed; stop its executions first"):
        cloud.client("sagemaker").delete_pipeline(PipelineName=name)


def list_groups(cloud: Cloud, pipeline: str) -> frozenset[str]:
    """Return the names of the model package groups that begin with a pipeline's name."""
    with translated(f"model package groups of {pipeline} cannot be listed"):
        pages = cloud.client("sagemaker").get_paginator("list_model_package_groups").paginate(NameContains=pipeline)
        names = [group["ModelPackageGroupName"] for page in pages for group in page["ModelPackageGroupSummaryList"]]
    return frozenset(name for name in names if name.startswith(f"{pipeline}-"))


def create_group(cloud: Cloud, name: str, description: str, tags: Mapping[str, str]) -> None:
    """Make a model package group."""
    with translated(f"model package group {name} cannot be made"):
        cloud.client("sagemaker").create_model_package_group(
            ModelPackageGroupName=name, ModelPackageGroupDescription=description, Tags=_tags(tags)
        )


def package_images(cloud: Cloud, groups: Iterable[str]) -> frozenset[str]:
    """Return the images, by digest, of every model package that nobody has rejected."""
    client, found = cloud.client("sagemaker"), set[str]()
    for group in sorted(groups):
        with translated(f"model packages of {group} cannot be listed"):
            pages = client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
            summaries = [package for page in pages for package in page["ModelPackageSummaryList"]]
            arns = [s["ModelPackageArn"] for s in summaries if s.get("ModelApprovalStatus") != "Rejected"]
            for first in range(0, len(arns), _AT_ONCE):
                answer = client.batch_describe_model_package(ModelPackageArnList=arns[first : first + _AT_ONCE])
                found |= images_in(json.dumps(answer.get("ModelPackageSummaries", {}), default=str))
    return frozenset(found)


def images_in(text: str) -> frozenset[str]:
    """Return the images that a text names by digest."""
    return frozenset(DIGEST.findall(text))


def execution_images(cloud: Cloud, pipeline: str, since: datetime, most: int) -> frozenset[str] | None:
    """Return the images of the executions since a moment; None if there are more than `most` to look at."""
    client, found = cloud.client("sagemaker"), set[str]()
    with translated(f"executions of {pipeline} cannot be listed"):
        pages = client.get_paginator("list_pipeline_executions").paginate(PipelineName=pipeline, CreatedAfter=since)
        arns = [e["PipelineExecutionArn"] for page in pages for e in page["PipelineExecutionSummaries"]]
        if len(arns) > most:
            return None
        for arn in arns:
            answer = client.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
            found |= images_in(answer["PipelineDefinition"])
    return frozenset(found)


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _says_missing(error: ClientError) -> bool:
    return error_code(error) == "ResourceNotFound" or "does not exist" in error_message(error)
