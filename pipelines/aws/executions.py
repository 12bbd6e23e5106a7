"""Pipelines and executions of SageMaker Pipelines: read, start, retry, stop, and their steps and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipelines.aws.cloud import Cloud, translated
from pipelines.errors import AwsError

EXECUTING = ("Executing", "Stopping")
SUCCEEDED, FAILED, STOPPED = "Succeeded", "Failed", "Stopped"
TERMINAL = (SUCCEEDED, FAILED, STOPPED, "CompletedWithFailures")
PAGE = 100
"""Items of one page, the most that these calls allow: an execution's steps mostly come in one."""
_MISSING = "ResourceNotFound"


@dataclass(frozen=True)
class Deployed:
    """A pipeline as it is deployed; `definition` is its JSON."""

    name: str
    arn: str
    definition: str


@dataclass(frozen=True)
class Start:
    """A start to ask for; `token` makes asking twice the same as once.

    `selected` steps run again, all others keep what they came to in the execution `source`; empty means: all run.
    """

    pipeline: str
    parameters: Mapping[str, str]
    token: str
    name: str
    description: str
    parallelism: int
    source: str | None = None
    selected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Execution:
    """An execution; `ended` is None while it goes on, and where a listing does not tell."""

    arn: str
    status: str
    started: datetime
    ended: datetime | None = None
    name: str = ""
    description: str = ""
    reason: str = ""

    @property
    def id(self) -> str:
        """Return the last part of its ARN, by which people name it."""
        return self.arn.rpartition("/")[2]

    @property
    def is_over(self) -> bool:
        """Tell whether nothing of it will run any more unless it is retried."""
        return self.status in TERMINAL


@dataclass(frozen=True)
class StepState:
    """A step that has started; times are in seconds since the epoch.

    `cached` says that its results are those of the execution `source`. `job` is the ARN of its processing job,
    `function` and `results` the function's name and the outputs of a Lambda step.
    """

    name: str
    status: str
    started: float
    ended: float | None
    cached: bool
    reason: str
    job: str | None
    source: str | None
    function: str | None = None
    results: Mapping[str, str] = field(default_factory=dict)


def read_pipeline(cloud: Cloud, name: str) -> Deployed | None:
    """Return a deployed pipeline, or None where there is none of this name."""
    try:
        with translated(f"pipeline {name} cannot be read"):
            found = cloud.client("sagemaker").describe_pipeline(PipelineName=name)
    except AwsError as error:
        if _says_missing(error):
            return None
        raise
    return Deployed(found["PipelineName"], found["PipelineArn"], found["PipelineDefinition"])


def start_execution(cloud: Cloud, start: Start) -> str:
    """Start an execution; return its ARN."""
    more: dict[str, Any] = {}
    if start.source:
        steps = [{"StepName": name} for name in start.selected]
        more["SelectiveExecutionConfig"] = {"SourcePipelineExecutionArn": start.source, "SelectedSteps": steps}
    with translated(f"pipeline {start.pipeline} cannot be started"):
        made = cloud.client("sagemaker").start_pipeline_execution(
            PipelineName=start.pipeline,
            PipelineExecutionDisplayName=start.name,
            PipelineExecutionDescription=start.description,
            PipelineParameters=[{"Name": name, "Value": value} for name, value in start.parameters.items()],
            ParallelismConfiguration={"MaxParallelExecutionSteps": start.parallelism},
            ClientRequestToken=start.token,
            **more,
        )
    return str(made["PipelineExecutionArn"])


def retry_execution(cloud: Cloud, arn: str, token: str, parallelism: int) -> None:
    """Go on with a failed or stopped execution, under the same ARN."""
    with translated(f"execution {arn.rpartition('/')[2]} cannot be retried"):
        cloud.client("sagemaker").retry_pipeline_execution(
            PipelineExecutionArn=arn,
            ClientRequestToken=token,
            ParallelismConfiguration={"MaxParallelExecutionSteps": parallelism},
        )


def stop_execution(cloud: Cloud, arn: str, token: str) -> None:
    """Ask for an execution to be stopped, with the jobs that are running."""
    with translated(f"execution {arn.rpartition('/')[2]} cannot be stopped"):
        cloud.client("sagemaker").stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=token)


def read_execution(cloud: Cloud, arn: str) -> Execution | None:
    """Return an execution, or None where there is none of this ARN."""
    try:
        with translated(f"execution {arn.rpartition('/')[2]} cannot be read"):
            found = cloud.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
    except AwsError as error:
        if _says_missing(error):
            return None
        raise
    over = found["PipelineExecutionStatus"] in TERMINAL
    return Execution(
        arn=found["PipelineExecutionArn"],
        status=found["PipelineExecutionStatus"],
        started=found["CreationTime"].astimezone(UTC),
        ended=found["LastModifiedTime"].astimezone(UTC) if over else None,
        name=found.get("PipelineExecutionDisplayName", ""),
        description=found.get("PipelineExecutionDescription", ""),
        reason=found.get("FailureReason", ""),
    )


def _says_missing(error: AwsError) -> bool:
    return error.code == _MISSING or "does not exist" in str(error)


def list_executions(cloud: Cloud, pipeline: str, most: int) -> list[Execution]:
    """Return the newest executions of a pipeline, newest first."""
    with translated(f"executions of {pipeline} cannot be listed"):
        pages = (
            cloud.client("sagemaker")
            .get_paginator("list_pipeline_executions")
            .paginate(
                PipelineName=pipeline,
                SortBy="CreationTime",
                SortOrder="Descending",
                PaginationConfig={"MaxItems": most, "PageSize": min(most, PAGE)},
            )
        )
        return [_summary(item) for page in pages for item in page["PipelineExecutionSummaries"]]


def _summary(found: Mapping[str, Any]) -> Execution:
    return Execution(
        arn=found["PipelineExecutionArn"],
        status=found["PipelineExecutionStatus"],
        started=found["StartTime"].astimezone(UTC),
        name=found.get("PipelineExecutionDisplayName", ""),
        description=found.get("PipelineExecutionDescription", ""),
        reason=found.get("PipelineExecutionFailureReason", ""),
    )


def list_steps(cloud: Cloud, arn: str) -> list[StepState]:
    """Return the steps of an execution that have started, in the order in which they did."""
    with translated(f"steps of {arn.rpartition('/')[2]} cannot be listed"):
        pages = (
            cloud.client("sagemaker")
            .get_paginator("list_pipeline_execution_steps")
            .paginate(PipelineExecutionArn=arn, SortOrder="Ascending", PaginationConfig={"PageSize": PAGE})
        )
        return [_state(item) for page in pages for item in page["PipelineExecutionSteps"]]


def _state(found: Mapping[str, Any]) -> StepState:
    metadata, ended = found.get("Metadata", {}), found.get("EndTime")
    taken = found.get("CacheHitResult") or found.get("SelectiveExecutionResult")
    outputs = metadata.get("Lambda", {}).get("OutputParameters", [])
    started = found.get("StartTime") or ended
    return StepState(
        name=found["StepName"],
        status=found["StepStatus"],
        started=started.timestamp() if started else 0.0,
        ended=ended.timestamp() if ended else None,
        cached=taken is not None,
        reason=found.get("FailureReason", ""),
        job=metadata.get("ProcessingJob", {}).get("Arn"),
        source=(taken or {}).get("SourcePipelineExecutionArn"),
        function=metadata.get("Lambda", {}).get("Arn", "").rpartition(":")[2] or None,
        results={item["Name"]: item["Value"] for item in outputs},
    )


def read_parameters(cloud: Cloud, arn: str) -> dict[str, str]:
    """Return the parameter values of an execution."""
    with translated(f"parameters of {arn.rpartition('/')[2]} cannot be listed"):
        pages = (
            cloud.client("sagemaker")
            .get_paginator("list_pipeline_parameters_for_execution")
            .paginate(PipelineExecutionArn=arn, PaginationConfig={"PageSize": PAGE})
        )
        return {item["Name"]: item["Value"] for page in pages for item in page["PipelineParameters"]}


def read_definition(cloud: Cloud, arn: str) -> str:
    """Return the definition that an execution was started with."""
    with translated(f"the definition of {arn.rpartition('/')[2]} cannot be read"):
        found = cloud.client("sagemaker").describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    return str(found["PipelineDefinition"])
