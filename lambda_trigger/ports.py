"""The seams of the Lambda code: object store, model registry, notifier and clock, as protocols.

Every handler takes its ports from `ports_for(context)`: boto3 adapters on AWS (`lambda_trigger.aws`),
folders on one machine (`lambda_trigger.folders`). Nothing here does I/O, and foreign errors never pass a
port: each adapter turns them into a PortError.

PortError          base: the outside world said no
+- StoreError      an object cannot be read, written, copied or deleted
+- RegistryError   a model package cannot be listed, made, changed or deleted
+- NotifyError     a message cannot be delivered
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

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
    """An object cannot be read, written, copied or deleted."""


class RegistryError(PortError):
    """A model package or its group cannot be listed, made, changed or deleted."""


class NotifyError(PortError):
    """A message cannot be delivered."""


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
        """Deliver a message; `context` has `execution` and `kind`. Raises NotifyError."""


@dataclass(frozen=True)
class Ports:
    """All that a handler may touch. `flags` are the options that a command in a message needs (`--local`)."""

    objects: ObjectStore
    registry: ModelRegistry
    notifier: Notifier
    clock: Callable[[], datetime]
    flags: str = ""

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


def join_uri(prefix: Scalar, *names: str) -> str:
    """Return the URI of `names` below a prefix, with or without a slash at its end."""
    return "/".join([str(prefix).rstrip("/"), *names])
