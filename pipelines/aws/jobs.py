"""Processing jobs of SageMaker: why one failed, where it writes, and what it was asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.aws.cloud import Cloud, translated

REQUEST = (
    *("ProcessingResources", "AppSpecification", "RoleArn", "ProcessingInputs", "ProcessingOutputConfig"),
    *("Environment", "StoppingCondition", "NetworkConfig"),
)
"""What a job's description repeats of its request, which is what a step of a definition asks for."""


@dataclass(frozen=True)
class Job:
    """A processing job; `reason` is what its code said, else what the service says. `outputs` are URIs by name."""

    name: str
    reason: str
    outputs: Mapping[str, str]


def read_job(cloud: Cloud, arn: str) -> Job:
    """Return a processing job by its ARN."""
    name, found = _describe(cloud, arn)
    outputs = found.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return Job(
        name=name,
        reason=found.get("ExitMessage") or found.get("FailureReason", ""),
        outputs={item["OutputName"]: item["S3Output"]["S3Uri"] for item in outputs if "S3Output" in item},
    )


def read_request(cloud: Cloud, arn: str) -> dict[str, Any]:
    """Return what a processing job was asked to do, in the form of a definition's Arguments, every value computed."""
    _, found = _describe(cloud, arn)
    return {key: found[key] for key in REQUEST if key in found}


def _describe(cloud: Cloud, arn: str) -> tuple[str, Mapping[str, Any]]:
    name = arn.rpartition("/")[2]
    with translated(f"processing job {name} cannot be read"):
        return name, cloud.client("sagemaker").describe_processing_job(ProcessingJobName=name)
