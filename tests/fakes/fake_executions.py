"""SageMaker Pipelines as far as the project uses them: pipelines, executions, their steps and processing jobs.

Stricter than the service is known to be: a start refuses undeclared, missing and wrongly typed parameters, and a
repeated ClientRequestToken gives the first execution. `forget_tokens` is the service after a token's life.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fake_answers import NUMBER, REGION, SAGEMAKER, FakeError, Paged

MORNING = datetime(2026, 11, 23, 9, tzinfo=UTC)
ROLE = f"arn:aws:iam::{NUMBER}:role/flights-pipeline"
_KEPT_APART = ("parameters", "steps", "definition")
_SUMMARY = {
    "PipelineExecutionArn": "PipelineExecutionArn",
    "StartTime": "CreationTime",
    "PipelineExecutionStatus": "PipelineExecutionStatus",
    "PipelineExecutionDescription": "PipelineExecutionDescription",
    "PipelineExecutionDisplayName": "PipelineExecutionDisplayName",
    "PipelineExecutionFailureReason": "FailureReason",
}


@dataclass
class FakeExecutions(Paged):
    """Pipelines by name, executions in the order of their start, processing jobs by name.

    An execution is the answer of DescribePipelineExecution with `parameters`, `steps` and `definition` besides.
    `now` is when the next execution starts; each start moves it on by a second.
    """

    pipelines: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    start_tokens: dict[str, str] = field(default_factory=dict)
    now: datetime = MORNING

    def deploy_pipeline(self, name: str, definition: Mapping[str, Any]) -> None:
        """Make or change a pipeline."""
        known = self.pipelines.get(name, {"CreationTime": self.now})
        self.pipelines[name] = {
            **known,
            "PipelineArn": f"{SAGEMAKER}:pipeline/{name.lower()}",
            "PipelineName": name,
            "PipelineDefinition": json.dumps(definition),
            "RoleArn": known.get("RoleArn", ROLE),
            "PipelineStatus": "Active",
            "LastModifiedTime": self.now,
        }

    def forget_tokens(self) -> None:
        """Forget which starts were asked for, as the service does after some time."""
        self.start_tokens.clear()

    def end_execution(self, arn: str, status: str = "Succeeded", reason: str = "") -> None:
        """Set the status of an execution, and its reason where it failed."""
        found = self._execution(arn)
        found["PipelineExecutionStatus"] = status
        found["LastModifiedTime"] = self.now
        found.update({"FailureReason": reason} if reason else {})

    def add_step(self, arn: str, name: str, status: str = "Succeeded", **more: Any) -> dict[str, Any]:
        """Add a step to an execution: `more` are further keys of the answer, such as FailureReason."""
        step = {"StepName": name, "StartTime": self.now, "StepStatus": status, "AttemptCount": 1, **more}
        self._execution(arn)["steps"].append(step)
        return step

    def add_job(self, arn: str, step: str, status: str = "Failed", **more: Any) -> str:
        """Add a step whose processing job has ended; `more` are keys of the job's answer, such as ExitMessage."""
        name = f"pipelines-{arn.rpartition('/')[2]}-{step}-{len(self.jobs):04d}"[:63]
        job = f"{SAGEMAKER}:processing-job/{name}"
        self.jobs[name] = {
            "ProcessingJobName": name,
            "ProcessingJobArn": job,
            "ProcessingJobStatus": "Completed" if status == "Succeeded" else status,
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
            },
            "AppSpecification": {"ImageUri": "image"},
            "CreationTime": self.now,
            **more,
        }
        failed = {"FailureReason": "ClientError: see the job"} if status == "Failed" else {}
        self.add_step(arn, step, status, Metadata={"ProcessingJob": {"Arn": job}}, **failed)
        return name

    def status_event(self, arn: str, ended: str = "2026-11-23T10:00:00.000Z") -> dict[str, Any]:
        """Return the event that EventBridge gets when an execution has its present status."""
        found = self._execution(arn)
        return {
            "id": "event",
            "source": "aws.sagemaker",
            "detail-type": "SageMaker Model Building Pipeline Execution Status Change",
            "account": NUMBER,
            "region": REGION,
            "time": "2026-11-23T10:00:01Z",
            "resources": [found["PipelineArn"], arn],
            "detail": {
                "pipelineArn": found["PipelineArn"],
                "pipelineExecutionArn": arn,
                "pipelineExecutionDisplayName": found.get("PipelineExecutionDisplayName", ""),
                "currentPipelineExecutionStatus": found["PipelineExecutionStatus"],
                "previousPipelineExecutionStatus": "Executing",
                "executionStartTime": found["CreationTime"].isoformat(),
                "executionEndTime": ended,
            },
        }

    def _on_create_pipeline(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["PipelineName"] in self.pipelines:
            raise FakeError("ValidationException", f"Pipeline with name {given['PipelineName']} already exists.")
        return self._put_pipeline(given)

    def _on_update_pipeline(self, given: dict[str, Any]) -> dict[str, Any]:
        self._pipeline(given["PipelineName"])
        return self._put_pipeline(given)

    def _on_delete_pipeline(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self._pipeline(given["PipelineName"])
        del self.pipelines[found["PipelineName"]]
        return {"PipelineArn": found["PipelineArn"]}

    def _put_pipeline(self, given: dict[str, Any]) -> dict[str, Any]:
        text = given.get("PipelineDefinition")
        if text is None:
            place = given["PipelineDefinitionS3Location"]
            objects: dict[tuple[str, str], bytes] = getattr(self, "objects", {})
            text = objects[place["Bucket"], place["ObjectKey"]].decode()
        self.deploy_pipeline(given["PipelineName"], json.loads(text))
        kept = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
        found = self.pipelines[given["PipelineName"]]
        found.update({"PipelineDefinition": text, **{key: given[key] for key in kept if key in given}})
        return {"PipelineArn": found["PipelineArn"]}

    def _on_describe_pipeline(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._pipeline(given["PipelineName"])

    def _on_start_pipeline_execution(self, given: dict[str, Any]) -> dict[str, Any]:
        pipeline, token = self._pipeline(given["PipelineName"]), given["ClientRequestToken"]
        if token in self.start_tokens:
            return {"PipelineExecutionArn": self.start_tokens[token]}
        values = _checked_values(json.loads(pipeline["PipelineDefinition"]), self._given_values(given))
        number = len(self.executions) + 1
        arn = f"{pipeline['PipelineArn']}/execution/{number:012d}"
        self.now += timedelta(seconds=1)
        named = ("PipelineExecutionDisplayName", "PipelineExecutionDescription", "SelectiveExecutionConfig")
        self.executions.append(
            {
                "PipelineArn": pipeline["PipelineArn"],
                "PipelineExecutionArn": arn,
                "PipelineExecutionStatus": "Executing",
                "CreationTime": self.now,
                "LastModifiedTime": self.now,
                "CreatedBy": {"IamIdentity": {"Arn": f"arn:aws:sts::{NUMBER}:assumed-role/flights-trigger/x"}},
                **{key: given[key] for key in (*named, "ParallelismConfiguration") if key in given},
                "parameters": values,
                "steps": [],
                "definition": pipeline["PipelineDefinition"],
            }
        )
        self.start_tokens[token] = arn
        return {"PipelineExecutionArn": arn}

    def _given_values(self, given: dict[str, Any]) -> dict[str, str]:
        """Return the parameters of a start; a selective execution takes the others from its source."""
        source = given.get("SelectiveExecutionConfig", {}).get("SourcePipelineExecutionArn")
        known: dict[str, str] = self._execution(source)["parameters"] if source else {}
        return {**known, **{item["Name"]: item["Value"] for item in given.get("PipelineParameters", [])}}

    def _on_retry_pipeline_execution(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self._execution(given["PipelineExecutionArn"])
        if found["PipelineExecutionStatus"] not in ("Failed", "Stopped"):
            raise FakeError("ValidationException", "Only a failed or stopped execution can be retried.")
        found["PipelineExecutionStatus"] = "Executing"
        return {"PipelineExecutionArn": found["PipelineExecutionArn"]}

    def _on_stop_pipeline_execution(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self._execution(given["PipelineExecutionArn"])
        if found["PipelineExecutionStatus"] not in ("Executing", "Stopping"):
            raise FakeError("ConflictException", "The execution is not running.")
        found["PipelineExecutionStatus"] = "Stopping"
        return {"PipelineExecutionArn": found["PipelineExecutionArn"]}

    def _on_list_pipeline_executions(self, given: dict[str, Any]) -> dict[str, Any]:
        pipeline = self._pipeline(given["PipelineName"])
        after = given.get("CreatedAfter", datetime.min.replace(tzinfo=UTC))
        chosen = [e for e in self.executions if e["PipelineArn"] == pipeline["PipelineArn"]]
        backwards = given.get("SortOrder", "Descending") == "Descending"
        ordered = sorted(chosen, key=lambda e: e["CreationTime"], reverse=backwards)
        found = [e for e in ordered if e["CreationTime"] >= after]
        summaries = [{name: e[key] for name, key in _SUMMARY.items() if key in e} for e in found]
        return self.paged(given, "PipelineExecutionSummaries", summaries)

    def _on_describe_pipeline_execution(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self._execution(given["PipelineExecutionArn"])
        return {key: value for key, value in found.items() if key not in _KEPT_APART}

    def _on_describe_pipeline_definition_for_execution(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self._execution(given["PipelineExecutionArn"])
        return {"PipelineDefinition": found["definition"], "CreationTime": found["CreationTime"]}

    def _on_list_pipeline_execution_steps(self, given: dict[str, Any]) -> dict[str, Any]:
        steps = self._execution(given["PipelineExecutionArn"])["steps"]
        ordered = steps if given.get("SortOrder") == "Ascending" else steps[::-1]
        return self.paged(given, "PipelineExecutionSteps", ordered)

    def _on_list_pipeline_parameters_for_execution(self, given: dict[str, Any]) -> dict[str, Any]:
        values = self._execution(given["PipelineExecutionArn"])["parameters"]
        return self.paged(given, "PipelineParameters", [{"Name": k, "Value": v} for k, v in values.items()])

    def _on_describe_processing_job(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given["ProcessingJobName"]
        if name not in self.jobs:
            raise FakeError("ValidationException", f"Could not find requested job with name: {name}")
        return self.jobs[name]

    def _pipeline(self, name: str) -> dict[str, Any]:
        found = self.pipelines.get(name) or next((p for p in self.pipelines.values() if p["PipelineArn"] == name), None)
        if found is None:
            raise FakeError("ResourceNotFound", f"Pipeline '{name}' does not exist.")
        return found

    def _execution(self, arn: str) -> dict[str, Any]:
        found = next((e for e in self.executions if e["PipelineExecutionArn"] == arn), None)
        if found is None:
            raise FakeError("ResourceNotFound", f"Pipeline execution with ARN {arn} does not exist.")
        return found


def _checked_values(definition: dict[str, Any], given: dict[str, str]) -> dict[str, str]:
    """Return the value of every declared parameter, as text; refuse what the service would."""
    declared = {parameter["Name"]: parameter for parameter in definition.get("Parameters", [])}
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise FakeError("ValidationException", f"Unknown parameters: {unknown}")
    missing = sorted(name for name in set(declared) - set(given) if "DefaultValue" not in declared[name])
    if missing:
        raise FakeError("ValidationException", f"Missing required parameters: {missing}")
    for name, value in given.items():
        if not _is_of_type(declared[name], value):
            raise FakeError("ValidationException", f"Parameter {name}: {value!r} is no {declared[name]['Type']}")
    defaults = {name: _as_text(p["DefaultValue"]) for name, p in declared.items() if "DefaultValue" in p}
    return {name: given.get(name, defaults.get(name, "")) for name in declared}


def _is_of_type(parameter: dict[str, Any], value: str) -> bool:
    try:
        {"Integer": int, "Float": float}.get(parameter["Type"], str)(value)
    except ValueError:
        return False
    if parameter["Type"] == "Boolean" and value.lower() not in ("true", "false"):
        return False
    return value in parameter.get("EnumValues", [value])


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
