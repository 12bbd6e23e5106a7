"""A deployed pipeline in a stand-in account, the operator's commands run over it, and the requests that they make."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lambda_world
import model_archives
from botocore.model import OperationModel
from fake_answers import NUMBER, REGION, FakeError
from fake_aws import FakeAws, Request

from lambda_trigger.aws_registry import SageMakerRegistry
from lambda_trigger.ports import ModelGroup, NewPackage, Status
from pipelines import registry, run
from pipelines.aws.cloud import Cloud
from pipelines.desk import Outside
from steps import contract

CONFIG = "pipeline: {name: Flights}\ndata: {label: y, id: id}\nmodels: {by: s}\nparallelism: 5\n"
RAW, ARTIFACTS = "flights-raw", "flights-artifacts"
OUTPUTS = {
    "RawBucketName": RAW,
    "ArtifactBucketName": ARTIFACTS,
    "JobRoleArn": f"arn:aws:iam::{NUMBER}:role/Flights-job",
    "PipelineRoleArn": f"arn:aws:iam::{NUMBER}:role/Flights-pipeline",
    "TopicArn": f"arn:aws:sns:{REGION}:{NUMBER}:Flights",
    "KeyArn": f"arn:aws:kms:{REGION}:{NUMBER}:key/1",
    "TriggerFunctionName": "Flights-trigger",
    "EnvironmentName": "",
}
SHOW = """
import os, pathlib
root = pathlib.Path(os.environ["ML_ROOT"], "processing/input")
print(sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()))
print(os.environ["PARAMETER_Season"])
"""
"""What a failed job runs: it shows what it was given."""
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()


def _processing(name: str, output: str, depends_on: tuple[str, ...] = ()) -> dict[str, Any]:
    place = {"Std:Join": {"On": "/", "Values": ["s3://b/executions", {"Get": "Execution.PipelineExecutionId"}, output]}}
    target = {"S3Uri": place, "LocalPath": f"/opt/ml/processing/output/{output}", "S3UploadMode": "EndOfJob"}
    return {
        "Name": name,
        "Type": "Processing",
        "DependsOn": list(depends_on),
        "Arguments": {
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
            },
            "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": ["python3"]},
            "RoleArn": "role",
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": output, "S3Output": target, "AppManaged": False}]},
        },
    }


def definition(models: int = 1) -> dict[str, Any]:
    """Return a small definition: PrepareTraining, then a Train step per model, then PostProcess."""
    trains = [_processing(f"Train-{n}", f"model-{n}", (contract.PREPARE_TRAINING,)) for n in range(models)]
    names = tuple(step["Name"] for step in trains)
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [
            {"Name": contract.RAW_DATA_URI, "Type": "String"},
            {"Name": contract.TRAIN_DATA_VERSION, "Type": "String"},
            {"Name": contract.PREDICT_DATA_VERSION, "Type": "String"},
            {"Name": contract.MAE_THRESHOLD, "Type": "Float", "DefaultValue": 20.0},
        ],
        "Steps": [
            _processing(contract.PREPARE_TRAINING, "train"),
            *trains,
            _processing(contract.POSTPROCESS, "predictions", names),
        ],
    }


def scoring_definition() -> dict[str, Any]:
    """Return a small definition of the pipeline that scores only."""
    whole = definition()
    kept = (contract.RAW_DATA_URI, contract.PREDICT_DATA_VERSION)
    steps = [_processing(contract.PREPARE_PREDICTION, "predict"), _processing(contract.POSTPROCESS, "predictions")]
    parameters = [parameter for parameter in whole["Parameters"] if parameter["Name"] in kept]
    return {**whole, "Parameters": parameters, "Steps": steps}


def job_input(name: str, uri: str, kind: str = "S3Prefix") -> dict[str, Any]:
    """Return an input as the description of a job has it."""
    source = {"S3Uri": uri, "LocalPath": f"{contract.INPUT_ROOT}/{name}", "S3DataType": kind, "S3InputMode": "File"}
    return {"InputName": name, "AppManaged": False, "S3Input": {**source, "S3CompressionType": "None"}}


@dataclass
class Account(FakeAws):
    """An account whose answers may fail: `failing` holds the codes with which the next calls of an operation do."""

    failing: dict[str, list[str]] = field(default_factory=dict)

    def _serve(self, model: OperationModel, parameters: dict[str, Any]) -> dict[str, Any]:
        if self.failing.get(model.name):
            raise FakeError(self.failing[model.name].pop(0), "Rate exceeded")
        return super()._serve(model, parameters)


@dataclass
class Operator:
    """Somebody with a config in a folder and an account; `while_asleep` is what happens there at each pause."""

    root: Path
    aws: Account = field(default_factory=Account)
    pauses: list[float] = field(default_factory=list)
    while_asleep: list[Callable[[], object]] = field(default_factory=list)

    def deploy(self, models: int = 1, config: str = CONFIG) -> Operator:
        """Write the config, make the stack and the pipeline, put raw files into the raw bucket."""
        (self.root / "c.yml").write_text(config, encoding="utf-8")
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in OUTPUTS.items()]
        self.aws.add_stack("Flights-pipeline", Outputs=outputs)
        self.aws.deploy_pipeline("Flights", definition(models))
        self.aws.deploy_pipeline("Flights-predict", scoring_definition())
        for name in ("train_1.csv", "train_2.csv", "predict.csv", "go.run"):
            self.aws.objects[RAW, f"day/{name}"] = name.encode()
        return self

    def cli(self, *arguments: str) -> tuple[int, str, str]:
        """Run `pipelines.run`; return exit code, stdout and stderr."""
        return self._main(run.main, "--config", str(self.root / "c.yml"), *arguments)

    def registry(self, *arguments: str) -> tuple[int, str, str]:
        """Run `pipelines.registry`; return exit code, stdout and stderr."""
        return self._main(registry.main, "--config", str(self.root / "c.yml"), *arguments)

    def _main(self, main: Callable[..., int], *arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(arguments, self.outside)
        return code, out.getvalue(), err.getvalue()

    @property
    def outside(self) -> Outside:
        """Return the outside world of the commands: this account, a clock that stands, and no waiting."""
        tokens = (hashlib.md5(str(n).encode(), usedforsecurity=False).hexdigest() for n in range(1000))
        cloud = Cloud(REGION, NUMBER, functools.cache(self.aws.client))
        return Outside(lambda *_: cloud, lambda: NOW, self._sleep, lambda: next(tokens))

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if not self.while_asleep:
            raise AssertionError("it waits for something that never happens")
        self.while_asleep.pop(0)()

    def start(self) -> str:
        """Start an execution as the trigger would; return its ARN."""
        names = (contract.RAW_DATA_URI, contract.TRAIN_DATA_VERSION, contract.PREDICT_DATA_VERSION)
        values = dict(zip(names, (f"s3://{RAW}/day/", "1" * 64, "2" * 64), strict=True))
        token = f"trigger-{len(self.aws.executions):032d}"
        started = self.aws.client("sagemaker").start_pipeline_execution(
            PipelineName="Flights",
            ClientRequestToken=token,
            PipelineParameters=[{"Name": name, "Value": value} for name, value in values.items()],
        )
        self.aws.requests.clear()
        return str(started["PipelineExecutionArn"])

    def end(self, arn: str, status: str = "Succeeded", *, degraded: bool = False) -> None:
        """End an execution; one that succeeds has published predictions."""
        if status == "Succeeded":
            self.publish(arn, degraded=degraded)
        self.aws.end_execution(arn, status)

    def publish(self, arn: str, *, degraded: bool = False) -> None:
        """Add a PostProcess step with what it writes."""
        folder = f"Flights/executions/{arn.rpartition('/')[2]}/predictions"
        output = {"S3Uri": f"s3://{ARTIFACTS}/{folder}", "LocalPath": "/o", "S3UploadMode": "EndOfJob"}
        outputs = [{"OutputName": contract.OUT_PREDICTIONS, "S3Output": output}]
        self.aws.add_job(arn, contract.POSTPROCESS, "Succeeded", ProcessingOutputConfig={"Outputs": outputs})
        marker = contract.DEGRADED_FILE if degraded else contract.SUCCESS_FILE
        model = {"mae": 9.5, "threshold": 20.0, "accepted": True, "served_by": "fresh", "rows": 7, "improvement": 5.0}
        summary = {"status": "Degraded" if degraded else "Succeeded", "models": {"東京": model}}
        files = {
            contract.SUMMARY_FILE: json.dumps(summary),
            contract.REPORT_FILE: "<html>",
            f"{contract.PREDICTIONS_DIR}/part-0.parquet": "rows",
            marker: "{}",
        }
        for name, text in files.items():
            self.aws.objects[ARTIFACTS, f"{folder}/{name}"] = text.encode()

    def fail_job(self, arn: str, step: str = "Train-0", **changes: Any) -> None:
        """Add a job that has failed, with inputs of every kind: code, settings, results, one object, raw files."""
        run = f"Flights/executions/{arn.rpartition('/')[2]}"
        files = {
            "Flights/code/train/1/steps/train.py": "code",
            "Flights/settings/train/1/settings.json": "{}",
            f"{run}/train/0/part-0.parquet": "rows",
            f"{run}/decide/decision.json": "{}",
            "Flights/manifests/1/files.json": json.dumps([{"prefix": f"s3://{RAW}/day/"}, "train_1.csv"]),
        }
        self.aws.objects |= {(ARTIFACTS, key): text.encode() for key, text in files.items()}
        inputs = [
            job_input("code", f"s3://{ARTIFACTS}/Flights/code/train/1"),
            job_input("settings", f"s3://{ARTIFACTS}/Flights/settings/train/1/"),
            job_input("prepared", f"s3://{ARTIFACTS}/{run}/train/0"),
            job_input("decision", f"s3://{ARTIFACTS}/{run}/decide/decision.json"),
            job_input("raw", f"s3://{ARTIFACTS}/Flights/manifests/1/files.json", "ManifestFile"),
        ]
        target = {"S3Uri": f"s3://{ARTIFACTS}/{run}/model", "LocalPath": f"{contract.OUTPUT_ROOT}/model"}
        outputs = [{"OutputName": "model", "S3Output": {**target, "S3UploadMode": "EndOfJob"}}]
        request = {
            "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": ["python3", "-c", SHOW]},
            "Environment": {"PARAMETER_Season": "winter"},
            "ProcessingInputs": inputs,
            "ProcessingOutputConfig": {"Outputs": outputs},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "RoleArn": OUTPUTS["JobRoleArn"],
        }
        self.aws.add_job(arn, step, "Failed", ExitMessage="too few rows", **{**request, **changes})

    def judge(self, arn: str, verdicts: dict[str, Any]) -> None:
        """Add a Judge step with its verdicts."""
        key = f"Flights/executions/{arn.rpartition('/')[2]}/judge/verdicts.json"
        self.aws.objects[ARTIFACTS, key] = json.dumps(verdicts).encode()
        results = [{"Name": contract.OUT_VERDICTS, "Value": f"s3://{ARTIFACTS}/{key}"}]
        function = f"arn:aws:lambda:{REGION}:{NUMBER}:function:Flights-judge"
        self.aws.add_step(arn, contract.JUDGE, Metadata={"Lambda": {"Arn": function, "OutputParameters": results}})

    def job(self, arn: str, step: str, outputs: dict[str, str]) -> None:
        """Add a step whose processing job has written outputs, by name below the execution's folder."""
        folder = f"s3://{ARTIFACTS}/Flights/executions/{arn.rpartition('/')[2]}"
        made = [
            {
                "OutputName": name,
                "S3Output": {"S3Uri": f"{folder}/{place}", "LocalPath": "/o", "S3UploadMode": "EndOfJob"},
            }
            for name, place in outputs.items()
        ]
        self.aws.add_job(arn, step, "Succeeded", ProcessingOutputConfig={"Outputs": made})

    def prepare(self, slug: str) -> str:
        """Leave an execution that has prepared a model's training data; return its ID."""
        arn = self.start()
        self.job(arn, contract.PREPARE_TRAINING, {contract.OUT_TRAIN: "train"})
        key = f"Flights/executions/{arn.rpartition('/')[2]}/train/{slug}/status.json"
        self.aws.objects[ARTIFACTS, key] = b"{}"
        self.aws.end_execution(arn, "Succeeded")
        return arn.rpartition("/")[2]

    def train(self, slug: str, **changes: Any) -> None:
        """End the newest execution, which has trained a model."""
        arn = self.aws.executions[-1]["PipelineExecutionArn"]
        folder = f"Flights/executions/{arn.rpartition('/')[2]}"
        artifact = model_archives.packed(text=model_archives.metadata(model=slug, slug=slug))
        found = lambda_world.evaluation(mae=10.0, artifact={"sha256": hashlib.sha256(artifact).hexdigest()}, **changes)
        self.aws.objects[ARTIFACTS, f"{folder}/model/{slug}/model.tar.gz"] = artifact
        self.aws.objects[ARTIFACTS, f"{folder}/evaluation/{slug}/evaluation.json"] = json.dumps(found).encode()
        self.job(arn, f"Train-{slug}", {contract.OUT_MODEL: "model", contract.OUT_EVALUATION: "evaluation"})
        self.aws.end_execution(arn, "Succeeded")

    def version(self, model: str, status: Status = "PendingManualApproval", **metadata: str) -> None:
        """Register a version of a model as a run would."""
        port = SageMakerRegistry(self.aws.client("sagemaker"))
        port.ensure_group(ModelGroup(f"Flights-{model}", "Flights", model))
        known = len(list(port.packages(f"Flights-{model}")))
        values = {"sha256": f"{model}{known}", "mae": "12.5", "execution": "run-1", **metadata}
        new = NewPackage(f"Flights-{model}", status, "s3://b/m", "image", f"{model} {known}", values)
        port.register(new)
        self.aws.requests.clear()

    def artifact(self, **changes: Any) -> Path:
        """Write a model artifact; return its path."""
        path = self.root / "model.tar.gz"
        path.write_bytes(model_archives.packed(text=model_archives.metadata(**changes)))
        return path


def operator_calls() -> list[Request]:
    """Return every request of all actions of `pipelines.run` and `pipelines.registry`, in the good case."""
    with tempfile.TemporaryDirectory() as folder:
        operator = Operator(Path(folder)).deploy(config=f"{CONFIG}concurrency: refuse\n")
        return [*_run_actions(operator), *_registry_actions(operator)]


def _run_actions(operator: Operator) -> list[Request]:
    raw, aws = f"s3://{RAW}/day/", operator.aws
    recorded: list[Request] = []

    def record(*arguments: str) -> None:
        recorded.extend(_recorded(operator, operator.cli, *arguments))

    record("--print-version", "--raw", raw)
    record("--raw", raw, "--mode", "predict")
    scoring = aws.executions[-1]["PipelineExecutionArn"]
    aws.end_execution(scoring, "Failed")
    record("--retry", scoring.rpartition("/")[2])
    record("--stop", scoring.rpartition("/")[2])
    aws.end_execution(scoring, "Stopped")
    aws.forget_tokens()
    record("--raw", raw)
    arn = aws.executions[-1]["PipelineExecutionArn"]
    record("--stop", "--last")
    operator.fail_job(arn)
    aws.end_execution(arn, "Failed")
    record("--status", "--last")
    record("--fetch", "--last", "--only", "Train-0", "--workspace", str(operator.root / "ws"))
    operator.while_asleep.append(lambda: operator.end(arn))
    record("--retry", "--last", "--follow")
    for options in (("--rerun", "--last"), ("--from", contract.POSTPROCESS, "--last")):
        record(*options)
        operator.end(aws.executions[-1]["PipelineExecutionArn"])
    operator.judge(arn, {"passed": True, "models": {}})
    record("--status", arn)
    record("--list")
    record("--fetch", "--last", "--to", str(operator.root))
    return recorded


def _registry_actions(operator: Operator) -> list[Request]:
    operator.version("EWR")
    operator.version("EWR")
    path = str(operator.artifact())
    operator.aws.objects["elsewhere", "model.tar.gz"] = operator.artifact(mae=8.0).read_bytes()
    recorded: list[Request] = []
    for arguments in (
        ("list",),
        ("approve", "EWR", "1"),
        ("reject", "EWR", "1"),
        ("register", "JFK", path),
        ("register", "EWR", "--model-data", "s3://elsewhere/model.tar.gz", "--pending"),
    ):
        recorded += _recorded(operator, operator.registry, *arguments)
    operator.version("0", "Approved", execution=operator.prepare("0"))
    operator.while_asleep.append(lambda: operator.train("0"))
    operator.aws.forget_tokens()  # each command begins anew with the same ones here
    return [*recorded, *_recorded(operator, operator.registry, "refresh", "0")]


def _recorded(operator: Operator, cli: Callable[..., tuple[int, str, str]], *arguments: str) -> list[Request]:
    operator.aws.requests.clear()
    code, out, err = cli(*arguments)
    assert code in (0, 1), f"{arguments}: {out}{err}"
    return list(operator.aws.requests)
