"""An account to deploy into, and every request that deploying and destroying make, for the tests of roles.

The real templates, config and code are deployed; only the account, the programs and the clock stand in.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from fake_answers import NUMBER, REGION
from fake_aws import FakeAws, Request

from pipelines import deploy
from pipelines.aws.cloud import Cloud
from pipelines.aws.watch import Watch
from pipelines.outside import Outside

ROOT = Path(__file__).resolve().parent.parent.parent
REGISTRY = f"{NUMBER}.dkr.ecr.{REGION}.amazonaws.com"
DEPLOY_BUCKET = f"flights-deploy-{NUMBER}-{REGION}"
RAW_BUCKET, ARTIFACT_BUCKET = f"flights-raw-{NUMBER}-{REGION}", f"flights-artifacts-{NUMBER}-{REGION}"
THEIR_BUCKET = "their-raw"
TOPIC = f"arn:aws:sns:{REGION}:{NUMBER}:flights-mails"
PROCESSING, AUTOGLUON = "flights-processing", "flights-autogluon"
MAILS = "\nnotifications: {emails: [ann@example.com, bob@example.com]}\n"


def new_account() -> FakeAws:
    """Return an account that holds nothing, and in which stacks give what the templates say."""
    return _with_outputs(FakeAws(page=20))


def copied(aws: FakeAws) -> FakeAws:
    """Return an account of its own that holds the same, and that nobody has asked anything yet."""
    copy = deepcopy(replace(aws, on_stack=FakeAws.on_stack))
    copy.requests.clear()
    return _with_outputs(copy)


def _with_outputs(aws: FakeAws) -> FakeAws:
    aws.on_stack = lambda name, parameters: _outputs(aws, name, parameters)
    return aws


def _outputs(aws: FakeAws, name: str, parameters: dict[str, str]) -> dict[str, str]:
    if name.endswith("-cicd"):
        return _cicd_outputs(aws)
    raw, artifacts = (
        parameters["ExistingRawBucket"] or RAW_BUCKET,
        parameters["ExistingArtifactBucket"] or ARTIFACT_BUCKET,
    )
    aws.buckets |= {raw: True, artifacts: True}
    return {
        "RawBucketName": raw,
        "ArtifactBucketName": artifacts,
        "JobRoleArn": parameters["ExistingJobRoleArn"] or f"arn:aws:iam::{NUMBER}:role/flights-job",
        "PipelineRoleArn": parameters["ExistingPipelineRoleArn"] or f"arn:aws:iam::{NUMBER}:role/flights-pipeline",
        "TopicArn": TOPIC,
        "KeyArn": f"arn:aws:kms:{REGION}:{NUMBER}:key/1",
        "TriggerFunctionName": "flights-trigger",
        "EnvironmentName": parameters["EnvironmentName"],
    }


def _cicd_outputs(aws: FakeAws) -> dict[str, str]:
    aws.buckets[DEPLOY_BUCKET] = False
    aws.projects.add("flights-images")
    for repository in (PROCESSING, AUTOGLUON):
        aws.images.setdefault(repository, {})
    return {
        "DeployBucketName": DEPLOY_BUCKET,
        "ProcessingRepositoryUri": f"{REGISTRY}/{PROCESSING}",
        "AutogluonRepositoryUri": f"{REGISTRY}/{AUTOGLUON}",
        "ImageProjectName": "flights-images",
        "StackRoleArn": f"arn:aws:iam::{NUMBER}:role/flights-stack",
    }


@dataclass
class Operator:
    """A person at a machine with this repository, a config of their own and (perhaps) a Docker engine."""

    aws: FakeAws
    folder: Path
    engine: bool = True
    answer: str = ""
    said: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)
    failing_images: set[str] = field(default_factory=set)
    now: datetime = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __post_init__(self) -> None:
        for name in ("pipeline-config.yml", "flights.segments.lock.yml"):
            shutil.copy(ROOT / "config" / name, self.folder / name)

    @property
    def config(self) -> Path:
        """Return the config file."""
        return self.folder / "pipeline-config.yml"

    def configure(self, text: str) -> None:
        """Add keys to the config."""
        self.config.write_text(self.config.read_text(encoding="utf-8") + text, encoding="utf-8")

    def deploy(self, *options: str) -> int:
        """Run the command; return its exit code."""
        with contextlib.chdir(self.folder):  # so that every operator calls the config the same
            return deploy.main(["--config", self.config.name, *options], self._outside())

    def _outside(self) -> Outside:
        client = _shared_clients(self.aws)
        return Outside(
            root=ROOT,
            cloud=lambda region, account: Cloud(REGION, NUMBER, client),
            run=self._run,
            watch=Watch(self.said.append, lambda seconds: None),
            ask=lambda question: self.answer,
            show=self.shown.append,
            now=lambda: self.now,
        )

    def _run(self, command: Sequence[str]) -> int:
        self.commands.append(list(command))
        if command[0] == "docker":
            return 0 if self.engine else 1
        image, uri, tag = command[-3:]
        if image in self.failing_images:
            return 1
        self.aws.push_image(uri.partition("/")[2], tag)
        return 0


def _shared_clients(aws: FakeAws):  # the type of a boto3 client is not known here
    clients: dict[str, object] = {}

    def client(service: str) -> object:
        if service not in clients:
            clients[service] = aws.client(service)
        return clients[service]

    return client


def deploy_calls() -> list[Request]:
    """Return every request of plans and deployments: the first, one that changes much, one by CodeBuild."""
    with tempfile.TemporaryDirectory() as folder:
        operator = Operator(new_account(), Path(folder))
        operator.configure(MAILS)
        _done(operator.deploy("--cicd"))
        operator.aws.requests.clear()
        _done(operator.deploy("--plan"))
        _fail_first(operator)
        _done(operator.deploy("--build", "codebuild"))
        _change_much(operator)
        _done(operator.deploy("--plan"))
        _done(operator.deploy())
        return list(operator.aws.requests)


def _fail_first(operator: Operator) -> None:
    """Let the stack's first making fail, so that what is left of it is removed by the next."""
    operator.aws.stack_failures["Topic"] = "Limit exceeded for topics"
    if operator.deploy("--build", "codebuild") != 1:
        raise AssertionError("the stack was made")
    operator.aws.stack_failures.clear()


def _change_much(operator: Operator) -> None:
    """Leave an image without use, an address without wish, and change stack, raw bucket, tags and pipeline."""
    aws = operator.aws
    aws.buckets[THEIR_BUCKET] = True
    stale = aws.push_image(PROCESSING, "0123456789abcdef")
    aws.images[PROCESSING][stale].add(f"used-{stale.removeprefix('sha256:')[:12]}")
    aws.confirm("bob@example.com")
    _start(aws)
    _register(aws)
    text = operator.config.read_text(encoding="utf-8").replace(", bob@example.com", "")
    operator.config.write_text(
        f"{text}\nparallelism: 3\nretention_days: 120\ntags: {{team: delays}}\naws: {{raw_bucket: {THEIR_BUCKET}}}\n",
        encoding="utf-8",
    )


def _start(aws: FakeAws) -> None:
    """Add an execution of the pipeline as it is, without asking as anybody."""
    aws.executions.append(
        {
            "PipelineArn": aws.pipelines["flights"]["PipelineArn"],
            "PipelineExecutionArn": f"{aws.pipelines['flights']['PipelineArn']}/execution/000000000001",
            "PipelineExecutionStatus": "Succeeded",
            "CreationTime": aws.now,
            "LastModifiedTime": aws.now,
            "parameters": {},
            "steps": [],
            "definition": aws.pipelines["flights"]["PipelineDefinition"],
        }
    )


def _register(aws: FakeAws) -> None:
    group = next(iter(sorted(aws.groups)))
    aws.packages.append(
        {
            "ModelPackageGroupName": group,
            "ModelPackageVersion": 1,
            "ModelPackageArn": f"arn:aws:sagemaker:{REGION}:{NUMBER}:model-package/{group}/1",
            "CreationTime": aws.now,
            "ModelPackageStatus": "Completed",
            "ModelApprovalStatus": "Approved",
            "InferenceSpecification": {"Containers": [{"Image": f"{REGISTRY}/{AUTOGLUON}@sha256:{'0' * 64}"}]},
        }
    )


def destroy_calls() -> list[Request]:
    """Return every request of removing a deployment with its data, and then what deploying itself needed."""
    with tempfile.TemporaryDirectory() as folder:
        operator = Operator(new_account(), Path(folder))
        _done(operator.deploy("--cicd"))
        _done(operator.deploy())
        operator.aws.requests.clear()
        _done(operator.deploy("--destroy", "--yes", "--data"))
        _done(operator.deploy("--destroy", "--cicd", "--yes", "--images"))
        return list(operator.aws.requests)


def _done(code: int) -> None:
    if code:
        raise AssertionError(f"exit code {code}")
