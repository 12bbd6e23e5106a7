"""The executions port over SageMaker Pipelines; `lambda_trigger.aws` joins it to the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambda_trigger.aws_errors import translated
from lambda_trigger.ports import Execution, ExecutionError, Job, NewExecution, Step

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

PAGE = 100
"""The largest page of the service's lists of executions and steps."""


@dataclass(frozen=True)
class SageMakerExecutions:
    """Executions over SageMaker Pipelines."""

    client: SageMakerClient

    def definition(self, pipeline: str) -> str:
        """Return the deployed definition of a pipeline."""
        with translated(ExecutionError, f"pipeline {pipeline} cannot be described"):
            return str(self.client.describe_pipeline(PipelineName=pipeline)["PipelineDefinition"])

    def definition_of(self, execution: str) -> str:
        """Return the definition that an execution runs, which a later deployment does not change."""
        with translated(ExecutionError, f"the definition of {execution} cannot be read"):
            found = self.client.describe_pipeline_definition_for_execution(PipelineExecutionArn=execution)
            return str(found["PipelineDefinition"])

    def start(self, execution: NewExecution) -> str:
        """Start an execution; the service returns the first one's ARN for a token that it knows."""
        with translated(ExecutionError, f"an execution of {execution.pipeline} cannot be started"):
            started = self.client.start_pipeline_execution(
                PipelineName=execution.pipeline,
                PipelineExecutionDisplayName=execution.name,
                PipelineExecutionDescription=execution.description,
                PipelineParameters=[{"Name": k, "Value": v} for k, v in sorted(execution.parameters.items())],
                ClientRequestToken=execution.token,
            )
            return str(started["PipelineExecutionArn"])

    def recent(self, pipeline: str, after: datetime) -> Iterator[Execution]:
        """Yield the executions started after a moment, newest first."""
        with translated(ExecutionError, f"executions of {pipeline} cannot be listed"):
            pages = self.client.get_paginator("list_pipeline_executions").paginate(
                PipelineName=pipeline,
                CreatedAfter=after,
                SortBy="CreationTime",
                SortOrder="Descending",
                PaginationConfig={"PageSize": PAGE},
            )
            for page in pages:
                for found in page["PipelineExecutionSummaries"]:
                    yield _parse_execution(found, found["StartTime"])

    def describe(self, execution: str) -> Execution:
        """Return an execution with who made it."""
        with translated(ExecutionError, f"{execution} cannot be described"):
            found = self.client.describe_pipeline_execution(PipelineExecutionArn=execution)
            return _parse_execution(found, found["CreationTime"])

    def steps(self, execution: str) -> Iterator[Step]:
        """Yield the steps of an execution, the first to begin first."""
        with translated(ExecutionError, f"steps of {execution} cannot be listed"):
            pages = self.client.get_paginator("list_pipeline_execution_steps").paginate(
                PipelineExecutionArn=execution, SortOrder="Ascending", PaginationConfig={"PageSize": PAGE}
            )
            for page in pages:
                yield from map(_parse_step, page["PipelineExecutionSteps"])

    def job(self, job: str) -> Job:
        """Return a processing job with its ExitMessage, else its FailureReason.

        Its name in an ARN may be in lower case; that of its log streams is the one in the answer.
        """
        with translated(ExecutionError, f"job {job} cannot be described"):
            found = self.client.describe_processing_job(ProcessingJobName=job)
            return Job(found["ProcessingJobName"], found.get("ExitMessage") or found.get("FailureReason") or "")


def _parse_execution(found: Mapping[str, Any], started: datetime) -> Execution:
    maker = found.get("CreatedBy", {})
    return Execution(
        arn=found["PipelineExecutionArn"],
        name=found.get("PipelineExecutionDisplayName", ""),
        status=found.get("PipelineExecutionStatus", ""),
        started=started.astimezone(UTC),
        description=found.get("PipelineExecutionDescription", ""),
        maker=maker.get("UserProfileName") or maker.get("IamIdentity", {}).get("Arn", ""),
        reason=found.get("FailureReason") or found.get("PipelineExecutionFailureReason", ""),
    )


def _parse_step(found: Mapping[str, Any]) -> Step:
    metadata = found.get("Metadata", {})
    return Step(
        name=found["StepName"],
        status=found["StepStatus"],
        reason=found.get("FailureReason", ""),
        job=metadata.get("ProcessingJob", {}).get("Arn", "").rpartition("/")[2],
        function=metadata.get("Lambda", {}).get("Arn", "").rpartition(":")[2],
    )
