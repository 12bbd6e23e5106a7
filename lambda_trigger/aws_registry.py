"""The model registry port over the SageMaker Model Registry; `lambda_trigger.aws` joins it to the others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_trigger.aws_errors import error_code, translated
from lambda_trigger.ports import (
    METADATA_LIMIT,
    ModelGroup,
    ModelPackage,
    NewPackage,
    RegistryError,
    Status,
)

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

TOKEN_LIMIT = 36
"""Characters of a ClientToken of CreateModelPackage."""
_NOT_IN_METADATA = re.compile(r"[^\w .:/+\-@]")
"""What a metadata value of a model package may not hold; `=` is ours to escape with."""


@dataclass(frozen=True)
class SageMakerRegistry:
    """ModelRegistry over the SageMaker Model Registry."""

    client: SageMakerClient

    def ensure_group(self, group: ModelGroup) -> None:
        """Make a model package group unless it is there; its description carries the model's name."""
        with translated(RegistryError, f"model package group {group.name} cannot be made"):
            if self._has_group(group.name):
                return
            description = "".join(c if c.isprintable() else " " for c in f"{group.pipeline}: {group.model}")[:1024]
            try:
                self.client.create_model_package_group(
                    ModelPackageGroupName=group.name, ModelPackageGroupDescription=description
                )
            except ClientError:
                if not self._has_group(group.name):  # else somebody else was quicker
                    raise

    def groups(self, pipeline: str) -> tuple[ModelGroup, ...]:
        """Return the groups of a pipeline: those with its name in their description, by name."""
        with translated(RegistryError, f"model package groups of {pipeline} cannot be listed"):
            pages = self.client.get_paginator("list_model_package_groups").paginate(
                NameContains=f"{pipeline}-", SortBy="Name", SortOrder="Ascending"
            )
            listed = [group for page in pages for group in page["ModelPackageGroupSummaryList"]]
        described = [(g["ModelPackageGroupName"], g.get("ModelPackageGroupDescription", "")) for g in listed]
        parsed = [(name, *description.partition(": ")) for name, description in described]
        return tuple(ModelGroup(name, owner, model) for name, owner, _, model in parsed if owner == pipeline)

    def packages(self, group: str, status: Status | None = None) -> Iterator[ModelPackage]:
        """Yield a group's packages, newest first, described one by one: most callers need only the first."""
        for arn in self._arns(group, {"ModelApprovalStatus": status} if status else {}):
            with translated(RegistryError, f"{arn}: cannot be described"):
                try:
                    found = self._describe(arn)
                except ClientError as error:
                    if _says_missing(error):
                        continue  # somebody has deleted it since it was listed; those after it are there
                    raise
            yield found

    def _arns(self, group: str, chosen: dict[str, Any]) -> Iterator[str]:
        with translated(RegistryError, f"model packages of {group} cannot be listed"):
            try:
                pages = self.client.get_paginator("list_model_packages").paginate(
                    ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", **chosen
                )
                for page in pages:
                    yield from (summary["ModelPackageArn"] for summary in page["ModelPackageSummaryList"])
            except ClientError as error:
                if not _says_missing(error):
                    raise

    def register(self, package: NewPackage) -> ModelPackage:
        """Create a model package; the token makes a second call return the first one's package."""
        with translated(RegistryError, f"a model package of {package.group} cannot be made"):
            made = self.client.create_model_package(**_creation(package))
            return self._describe(made["ModelPackageArn"])

    def set_status(self, package: ModelPackage, status: Status, metadata: Mapping[str, str]) -> None:
        """Set the approval status; the service merges the metadata into what is there."""
        changed: dict[str, Any] = {"CustomerMetadataProperties": encode_metadata(metadata)} if metadata else {}
        with translated(RegistryError, f"{package.arn}: cannot be set to {status}"):
            self.client.update_model_package(ModelPackageArn=package.arn, ModelApprovalStatus=status, **changed)

    def delete(self, package: ModelPackage) -> None:
        """Delete a model package; its artifact stays."""
        with translated(RegistryError, f"{package.arn}: cannot be deleted"):
            try:
                self.client.delete_model_package(ModelPackageName=package.arn)
            except ClientError as error:
                if not _says_missing(error):
                    raise

    def _has_group(self, group: str) -> bool:
        try:
            self.client.describe_model_package_group(ModelPackageGroupName=group)
        except ClientError as error:
            if _says_missing(error):
                return False
            raise
        return True

    def _describe(self, arn: str) -> ModelPackage:
        return parse_package(dict(self.client.describe_model_package(ModelPackageName=arn)))


def parse_package(found: Mapping[str, Any]) -> ModelPackage:
    """Return the ModelPackage of a DescribeModelPackage response; the artifact by URL or by data source."""
    container = found.get("InferenceSpecification", {}).get("Containers", [{}])[0]
    source = container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri", "")
    metadata = decode_metadata(found.get("CustomerMetadataProperties", {}))
    return ModelPackage(
        group=found.get("ModelPackageGroupName", ""),
        version=int(found.get("ModelPackageVersion", 0)),
        status=found.get("ModelApprovalStatus", "PendingManualApproval"),
        artifact_uri=container.get("ModelDataUrl") or source,
        image_uri=container.get("Image", ""),
        sha256=metadata.get("sha256", ""),
        created=found["CreationTime"].astimezone(UTC),
        arn=found["ModelPackageArn"],
        metadata=metadata,
    )


def encode_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return metadata in the letters that the service allows: others (brackets) as `=` and UTF-8 in hex."""
    encoded = {key: _NOT_IN_METADATA.sub(_escape, value) for key, value in metadata.items() if value}
    return {key: _cut(value) for key, value in encoded.items()}


def decode_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return metadata as they were before `encode_metadata`."""
    return {key: re.sub(r"(?:=[0-9A-F]{2})+", _unescape, value) for key, value in metadata.items()}


def _escape(found: re.Match[str]) -> str:
    return "".join(f"={byte:02X}" for byte in found[0].encode())


def _unescape(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("=", "")).decode("utf-8", errors="replace")


def _cut(value: str) -> str:
    """Cut a value to the limit, but not in the middle of an escape."""
    return value if len(value) <= METADATA_LIMIT else re.sub(r"=[0-9A-F]?$", "", value[:METADATA_LIMIT])


def _creation(package: NewPackage) -> dict[str, Any]:
    image = {"Image": package.image_uri} if package.image_uri else {}
    request: dict[str, Any] = {
        "ModelPackageGroupName": package.group,
        "ModelApprovalStatus": package.status,
        "InferenceSpecification": {
            "Containers": [{**image, "ModelDataUrl": package.artifact_uri}],
            "SupportedContentTypes": ["application/x-parquet"],
            "SupportedResponseMIMETypes": ["application/x-parquet"],
        },
        "ClientToken": hashlib.sha256(package.token.encode()).hexdigest()[:TOKEN_LIMIT],
        "CustomerMetadataProperties": encode_metadata({**package.metadata, "token": package.token}),
    }
    if package.evaluation_uri:
        statistics = {"ContentType": "application/json", "S3Uri": package.evaluation_uri}
        request["ModelMetrics"] = {"ModelQuality": {"Statistics": statistics}}
    return request


def _says_missing(error: ClientError) -> bool:
    """Tell whether the registry has no such thing: it says so in a ValidationException's text."""
    message = str(error.response.get("Error", {}).get("Message", ""))
    return error_code(error) == "ResourceNotFound" or "does not exist" in message
