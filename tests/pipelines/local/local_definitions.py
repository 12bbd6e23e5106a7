"""Builds small definitions as the SageMaker SDK compiles them, and runs them in a workspace of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.local import document
from pipelines.local.difference import Explain, say_plainly
from pipelines.local.engine import Launcher, Outcome, ProcessLauncher, Request, StepEvent, World, execute
from pipelines.local.workspace import Workspace

Json = dict[str, Any]
EXECUTION_ID: Json = {"Get": "Execution.PipelineExecutionId"}
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:"
PRELUDE = """
import json, os, pathlib, sys
root = pathlib.Path(os.environ['ML_ROOT'])
def source(name): return root / 'processing/input' / name
def write(name, text):
    path = root / 'processing/output' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
def text(name):
    return ','.join(sorted(p.read_text() for p in source(name).rglob('*') if p.is_file()))
"""


def join(*parts: Any, on: str = "/") -> Json:
    return {"Std:Join": {"On": on, "Values": list(parts)}}


def parameter_ref(name: str) -> Json:
    return {"Get": f"Parameters.{name}"}


def output_of(step: str, name: str) -> Json:
    return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['{name}'].S3Output.S3Uri"}


def result_of(step: str, name: str) -> Json:
    return {"Get": f"Steps.{step}.OutputParameters['{name}']"}


def json_get(step: str, file: str, path: str) -> Json:
    return {"Std:JsonGet": {"PropertyFile": {"Get": f"Steps.{step}.PropertyFiles.{file}"}, "Path": path}}


def below(step: str, output: str) -> Json:
    """The URI that a step writes an output to: the execution's own folder."""
    return join("s3://bucket/runs", EXECUTION_ID, step, output)


def processing(
    name: str,
    code: str = "pass",
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | list[str] | None = None,
    arguments: list[Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    instances: int = 1,
    max_runtime: int | None = None,
    cache: bool = False,
    image: Any = "image:1",
    **keys: Any,
) -> Json:
    """A Processing step that runs Python code; an input is a URI or a mapping with more of its S3Input."""
    targets = {key: below(name, key) for key in outputs} if isinstance(outputs, list) else dict(outputs or {})
    body: Json = {
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": instances}},
        "AppSpecification": {
            "ImageUri": image,
            "ContainerEntrypoint": ["python3", "-c", PRELUDE + code],
            "ContainerArguments": arguments or [],
        },
        "RoleArn": "arn:aws:iam::000000000000:role/any",
        "ProcessingInputs": [_input(key, value) for key, value in (inputs or {}).items()],
        "ProcessingOutputConfig": {"Outputs": [_output(key, uri) for key, uri in targets.items()]},
        "Environment": dict(environment or {}),
    }
    if max_runtime:
        body["StoppingCondition"] = {"MaxRuntimeInSeconds": max_runtime}
    cached = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"}} if cache else {}
    return {"Name": name, "Type": "Processing", "Arguments": body, **cached, **keys}


def _input(name: str, value: Any) -> Json:
    more = value if isinstance(value, dict) and "S3Uri" in value else {"S3Uri": value}
    plain = {"LocalPath": f"/opt/ml/processing/input/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": {**plain, "S3DataDistributionType": "FullyReplicated", **more}}


def _output(name: str, uri: Any) -> Json:
    path = f"/opt/ml/processing/output/{name}"
    return {"OutputName": name, "S3Output": {"S3Uri": uri, "LocalPath": path, "S3UploadMode": "EndOfJob"}}


def lambda_step(
    name: str,
    function: str,
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, str] | None = None,
    **keys: Any,
) -> Json:
    declared = [{"OutputName": key, "OutputType": kind} for key, kind in (outputs or {}).items()]
    body = {"Arguments": dict(inputs or {}), "FunctionArn": FUNCTION + function, "OutputParameters": declared}
    return {"Name": name, "Type": "Lambda", **body, **keys}


def condition(name: str, conditions: list[Json], then: list[Json], other: list[Json], **keys: Any) -> Json:
    body = {"Conditions": conditions, "IfSteps": then, "ElseSteps": other}
    return {"Name": name, "Type": "Condition", "Arguments": body, **keys}


def compare(kind: str, left: Any, right: Any) -> Json:
    return {"Type": kind, "LeftValue": left, "RightValue": right}


def definition_text(steps: list[Json], parameters: list[Json] | None = None, **keys: Any) -> str:
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters or [], "Steps": steps, **keys})


@dataclass
class Lab:
    """A workspace with Lambda functions as plain Python functions, and all events of the runs in it."""

    root: Path
    functions: dict[str, Callable[[dict[str, Any]], Mapping[str, Any]]] = field(default_factory=dict)
    launcher: Launcher = field(default_factory=lambda: ProcessLauncher(grace=0.5))
    mounts: dict[str, Path] = field(default_factory=dict)
    fingerprint: str = ""
    explain: Explain = say_plainly
    events: list[StepEvent] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    free: float | None = None
    expected: list[tuple[tuple[str, ...], dict[str, str], int]] = field(default_factory=list)
    count: int = 0

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.root, self.mounts)

    @property
    def world(self) -> World:
        def call(arn: str, event: dict[str, Any]) -> Mapping[str, Any]:
            return self.functions[arn.removeprefix(FUNCTION)](event)

        def expect(command: Sequence[str], environment: Mapping[str, str], threads: int) -> None:
            self.expected.append((tuple(command), dict(environment), threads))

        more: dict[str, Any] = {"fingerprint": self.fingerprint, "explain": self.explain, "expect": expect}
        more["free_memory"] = lambda: self.free
        return World(self.workspace, self.launcher, call, sleep=self.waits.append, **more)

    def put(self, uri: str, text: str) -> None:
        path = self.workspace.path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def get(self, uri: str) -> str:
        return self.workspace.path(uri).read_text()

    def keys(self, uri: str) -> list[str]:
        return [stored.key for stored in self.workspace.objects(uri)]

    def run(self, steps: list[Json], declared: list[Json] | None = None, **request: Any) -> Outcome:
        """Run steps as a new execution, `run-1`, `run-2` and so on, unless `execution_id` says otherwise."""
        self.count += 1
        self.events.clear()
        text = definition_text(steps, declared)
        given = {"execution_id": f"run-{self.count}", "parameters": {}, **request}
        return execute(Request(definition=document.parse(text), **given), self.world, self.events.append)

    def started(self) -> list[str]:
        return [event.step for event in self.events if event.status == "Starting"]


def statuses(outcome: Outcome) -> dict[str, str]:
    """Status by step, `Cached` for what an earlier execution made."""
    return {name: "Cached" if record.cached else record.status for name, record in outcome.steps.items()}
