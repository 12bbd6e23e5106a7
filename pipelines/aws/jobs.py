"""Processing jobs of SageMaker: why one failed, and where it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.aws.cloud import Cloud, translated


@dataclass(frozen=True)
class Job:
    """A processing job; `reason` is what its code said, else what the service says. `outputs` are URIs by name."""

    name: str
    reason: str
    outputs: Mapping[str, str]


def read_job(cloud: Cloud, arn: str) -> Job:
    """Return a processing job by its ARN."""
    name = arn.rpartition("/")[2]
    with translated(f"processing job {name} cannot be read"):
        found = cloud.client("sagemaker").describe_processing_job(ProcessingJobName=name)
    outputs = found.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return Job(
        name=name,
        reason=found.get("ExitMessage") or found.get("FailureReason", ""),
        outputs={item["OutputName"]: item["S3Output"]["S3Uri"] for item in outputs if "S3Output" in item},
    )
