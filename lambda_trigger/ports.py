"""The seams of the Lambda code: object store, model registry, executions, notifier and clock, as protocols.

Every handler takes its ports from `ports_for(context)`: boto3 adapters on AWS (`lambda_trigger.aws`),
folders on one machine (`lambda_trigger.folders`). Nothing here does I/O, and foreign errors never pass a
port: each adapter turns them into a PortError.

PortError          base: the outside world said no
+- StoreError      an object cannot be read, written, listed, copied or deleted
+- RegistryError   a model package cannot be listed, made, changed or deleted
+- ExecutionError  an execution of the pipeline cannot be started, listed or described
+- NotifyError     a message cannot be delivered
+- EventError      an event is not of the form in which its service sends it
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from steps.contract import DataFile, Versions

Scalar = str | int | float | bool
Status = Literal["PendingManualApproval", "Approved", "Rejected"]
PENDING: Status = "PendingManualApproval"
APPROVED: Status = "Approved"
REJECTED: Status = "Rejected"

METADATA_LIMIT = 256
"""Characters of one metadata value of a model package
(https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html)."""


class PortError(Exception):
    """The outside world refused or could not be reached; the message says what was being done."""


class StoreError(PortError):
    """An object cannot be read, written, listed, copied or deleted."""


class RegistryError(PortError):
    """A model package or its group cannot be listed, made, changed or deleted."""


class ExecutionError(PortError):
    """An execution of the pipeline cannot be started, listed or described."""


class NotifyError(PortError):
    """A message cannot be delivered."""


class EventError(PortError):
    """An event is not of the form in which its service sends it."""


@dataclass(frozen=True)
class TaggedText:
    """An object's text together with the etag that proves it unchanged in a conditional put."""

    text: str
    etag: str


@dataclass(frozen=True)
class ModelGroup:
    """The registered models of one segment; `model` is the name that people see."""

    name: str
    pipeline: str
    model: str


@dataclass(frozen=True)
class NewPackage:
    """A model version to register; `token` makes registering it twice the same as once."""

    group: str
    status: Status
    artifact_uri: str
    image_uri: str
    token: str
    metadata: Mapping[str, str]
    evaluation_uri: str | None = None


@dataclass(frozen=True)
class ModelPackage:
    """A registered model version. `created` is aware and in UTC; metadata are scalars as text."""

    group: str
    version: int
    status: Status
    artifact_uri: str
    image_uri: str
    sha256: str
    created: datetime
    arn: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Execution:
    """An execution of the pipeline; `name` is what Studio shows, `maker` who started it, `reason` why it failed."""

    arn: str
    name: str
    status: str
    started: datetime
    description: str = ""
    maker: str = ""
    reason: str = ""

    @property
    def id(self) -> str:
        """Return the last part of the ARN, under which everything of this execution is stored."""
        return self.arn.rpartition("/")[2]


@dataclass(frozen=True)
class NewExecution:
    """An execution to start; `token` makes starting it twice the same as once."""

    pipeline: str
    name: str
    description: str
    token: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Step:
    """A step of an execution, with the name of its processing job or of its Lambda function, where it has one."""

    name: str
    status: str
    reason: str = ""
    job: str = ""
    function: str = ""


@dataclass(frozen=True)
class Job:
    """A processing job; `reason` is what it said of its failure itself, else what the service says."""

    name: str
    reason: str


class Executions(Protocol):
    """Executions of SageMaker pipelines. Every method raises ExecutionError where the service fails."""

    def definition(self, pipeline: str) -> str:
        """Return the deployed definition of a pipeline."""

    def definition_of(self, execution: str) -> str:
        """Return the definition that an execution (by its ARN) runs."""

    def start(self, execution: NewExecution) -> str:
        """Start an execution, or find the one that was started with the same token; return its ARN."""

    def recent(self, pipeline: str, after: datetime) -> Iterator[Execution]:
        """Yield the executions of a pipeline that were started after a moment, newest first, without their makers."""

    def describe(self, execution: str) -> Execution:
        """Return an execution by its ARN."""

    def steps(self, execution: str) -> Iterator[Step]:
        """Yield the steps of an execution (by its ARN) that have begun, in the order of their beginning."""

    def job(self, job: str) -> Job:
        """Return a processing job by its name, in any case of letters."""


class ObjectStore(Protocol):
    """Objects by their `s3://bucket/key` URI. Every method raises StoreError where the store fails."""

    def read_text(self, uri: str) -> str:
        """Return an object's text."""

    def read_tagged(self, uri: str) -> TaggedText | None:
        """Return an object's text and etag, or None if there is no such object."""

    def write_text(self, uri: str, text: str) -> None:
        """Write an object as a whole."""

    def replace(self, uri: str, text: str, etag: str | None) -> bool:
        """Write an object if it still has `etag` (None: if there is none); tell whether it was written."""

    def read_start(self, uri: str, count: int, version: str = "") -> bytes | None:
        """Return the first `count` bytes of an object (of one version, where the store keeps them), or None."""

    def files(self, prefix: str) -> Iterator[DataFile]:
        """Yield all objects below a prefix that ends in `/`, by key relative to it; nothing that ends in `/`."""

    def exists(self, uri: str) -> bool:
        """Tell whether there is such an object."""

    def copy(self, source: str, target: str) -> None:
        """Copy an object as a whole."""

    def delete(self, uri: str) -> None:
        """Delete an object if it is there."""

    def upload(self, source: Path, uri: str) -> None:
        """Write a file's bytes to an object."""

    def download(self, uri: str, target: Path) -> None:
        """Write an object's bytes to a file."""

    def locate(self, uri: str) -> str:
        """Return where a person finds an object or prefix: its URI, or its path on this machine."""


class ModelRegistry(Protocol):
    """Registered models by group. Every method raises RegistryError where the registry fails."""

    def ensure_group(self, group: ModelGroup) -> None:
        """Make a group unless it is there."""

    def groups(self, pipeline: str) -> tuple[ModelGroup, ...]:
        """Return the groups of a pipeline, by name."""

    def packages(self, group: str, status: Status | None = None) -> Iterator[ModelPackage]:
        """Yield a group's packages, newest first; nothing for a group that does not exist."""

    def register(self, package: NewPackage) -> ModelPackage:
        """Make a package, or return the one that was made with the same token."""

    def set_status(self, package: ModelPackage, status: Status, metadata: Mapping[str, str]) -> None:
        """Set a package's approval status and overwrite the given metadata values."""

    def delete(self, package: ModelPackage) -> None:
        """Delete a package; its artifact stays."""


class Notifier(Protocol):
    """Where messages for people go."""

    def publish(self, subject: str, body: str, context: Mapping[str, str]) -> None:
        """Deliver a message; `context` has `execution`, `kind` and `language` (its code). Raises NotifyError."""


@dataclass(frozen=True)
class Deployment:
    """Where the functions are deployed; on one machine nothing of this is known."""

    pipeline: str = ""
    prefix: str = ""
    raw_bucket: str = ""
    region: str = ""
    studio_domain: str = ""


@dataclass(frozen=True)
class Ports:
    """All that a handler may touch. `flags` are the options that a command in a message needs (`--local`).

    `service` is None on one machine, where the local engine and not a Lambda function knows the executions; `pause`
    waits for some seconds. `here` are the versions with which every default is loaded; None on AWS, where a registered
    version is loaded in its own image.
    """

    objects: ObjectStore
    registry: ModelRegistry
    notifier: Notifier
    clock: Callable[[], datetime]
    flags: str = ""
    service: Executions | None = None
    deployment: Deployment = Deployment()
    pause: Callable[[float], None] = time.sleep
    here: Versions | None = None

    @property
    def executions(self) -> Executions:
        """Return the service that runs the pipeline."""
        if self.service is None:
            raise ExecutionError("there is no SageMaker Pipelines on this machine; this function is for AWS")
        return self.service

    def command(self, module: str, arguments: str) -> str:
        """Return a command for a person to copy, such as `python -m pipelines.run --local --retry ID`."""
        return " ".join(part for part in ("python -m", f"pipelines.{module}", self.flags, arguments) if part)


def ports_for(context: object) -> Ports:
    """Return the ports that a local context carries, else those of AWS."""
    ports = getattr(context, "ports", None)
    if isinstance(ports, Ports):
        return ports
    from lambda_trigger import aws

    return aws.ports_from(os.environ)


def invocation_of(context: object) -> str:
    """Return what tells one invocation from others; Lambda's own retries of an event have the same."""
    return str(getattr(context, "aws_request_id", None) or uuid.uuid4())


def join_uri(prefix: Scalar, *names: str) -> str:
    """Return the URI of `names` below a prefix, with or without a slash at its end."""
    return "/".join([str(prefix).rstrip("/"), *names])
