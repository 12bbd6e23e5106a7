"""AWS as far as the Lambda code knows it: boto3 clients whose requests a stateful stand-in answers.

The stand-in sits where botocore's own Stubber sits (its `before-call` event), so that every request passes botocore's
validation and every answer is checked against the output shape. Beyond the Stubber it keeps state, and it enforces
patterns, enums and bounds, which the service does and botocore does not.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.model import OperationModel, Shape
from botocore.response import StreamingBody
from botocore.validate import validate_parameters

ACCOUNT = "arn:aws:sagemaker:us-east-1:123456789012"


class FakeError(Exception):
    """The service's answer is an error."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass
class FakeAws:
    """The state of the account, and every request that was made."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    packages: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    page: int = 2

    def client(self, service: str) -> Any:
        """Return a boto3 client that talks to this account."""
        client = boto3.client(
            service, region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        events = client.meta.events
        events.register_first(f"before-parameter-build.{service}.*", _keep_parameters)
        events.register_first(f"before-call.{service}.*", self._answer)
        return client

    def _answer(self, model: OperationModel, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        parameters = context["given_parameters"]
        self.calls.append((model.name, parameters))
        try:
            found = self._serve(model, parameters)
        except FakeError as error:
            answer = {"Error": {"Code": error.code, "Message": error.message}, "ResponseMetadata": {}}
            return _Http(error.status), answer
        if model.output_shape is not None:
            validate_parameters({k: v for k, v in found.items() if k != "Body"}, model.output_shape)
        return _Http(200), {"ResponseMetadata": {"HTTPStatusCode": 200}, **found}

    def _serve(self, model: OperationModel, parameters: dict[str, Any]) -> dict[str, Any]:
        if model.name in self.broken:
            raise FakeError("AccessDeniedException", f"not authorized to perform {model.name}", 403)
        for problem in violations(model.input_shape, parameters):
            raise FakeError("ValidationException", problem)
        return self._handler(model.name)(parameters) or {}

    def _handler(self, operation: str) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
        handler: Callable[[dict[str, Any]], dict[str, Any] | None] = getattr(self, f"_on_{name}")
        return handler

    # S3

    def _on_get_object(self, given: dict[str, Any]) -> dict[str, Any]:
        content = self._object(given, "NoSuchKey")
        body = StreamingBody(io.BytesIO(content), len(content))
        return {"Body": body, "ETag": _etag(content), "ContentLength": len(content)}

    def _on_head_object(self, given: dict[str, Any]) -> dict[str, Any]:
        content = self._object(given, "404")
        return {"ContentLength": len(content), "ETag": _etag(content)}

    def _on_put_object(self, given: dict[str, Any]) -> dict[str, Any]:
        place, body = (given["Bucket"], given["Key"]), given["Body"]
        known = self.objects.get(place)
        if "IfNoneMatch" in given and known is not None:
            raise FakeError("PreconditionFailed", "At least one of the pre-conditions did not hold", 412)
        if "IfMatch" in given:
            if known is None:
                raise FakeError("NoSuchKey", "The specified key does not exist.", 404)
            if _etag(known) != given["IfMatch"]:
                raise FakeError("PreconditionFailed", "At least one of the pre-conditions did not hold", 412)
        self.objects[place] = body if isinstance(body, bytes) else body.read()
        return {"ETag": _etag(self.objects[place])}

    def _on_copy_object(self, given: dict[str, Any]) -> dict[str, Any]:
        source = given["CopySource"]
        self.objects[given["Bucket"], given["Key"]] = self._object(source, "NoSuchKey")
        return {}

    def _on_delete_object(self, given: dict[str, Any]) -> None:
        self.objects.pop((given["Bucket"], given["Key"]), None)

    def _object(self, given: dict[str, Any], code: str) -> bytes:
        if (given["Bucket"], given["Key"]) not in self.objects:
            raise FakeError(code, "The specified key does not exist.", 404)
        return self.objects[given["Bucket"], given["Key"]]

    # SageMaker

    def _on_describe_model_package_group(self, given: dict[str, Any]) -> dict[str, Any]:
        group = self.groups.get(given["ModelPackageGroupName"])
        if group is None:
            raise FakeError("ValidationException", f"ModelPackageGroup {ACCOUNT}:x does not exist.")
        return {**group, "CreatedBy": {}}

    def _on_create_model_package_group(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given["ModelPackageGroupName"]
        if name in self.groups:
            raise FakeError("ValidationException", "Model Package Group already exists.")
        arn = f"{ACCOUNT}:model-package-group/{name}"
        self.groups[name] = {
            **given,
            "ModelPackageGroupArn": arn,
            "CreationTime": datetime.now(UTC),
            "ModelPackageGroupStatus": "Completed",
        }
        return {"ModelPackageGroupArn": arn}

    def _on_list_model_package_groups(self, given: dict[str, Any]) -> dict[str, Any]:
        found = [g for name, g in sorted(self.groups.items()) if given["NameContains"] in name]
        return self._paged(given, "ModelPackageGroupSummaryList", found)

    def _on_list_model_packages(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given["ModelPackageGroupName"]
        if name not in self.groups:
            raise FakeError("ValidationException", f"ModelPackageGroup {name} does not exist.")
        status = given.get("ModelApprovalStatus")
        found = [p for p in self.packages if p["ModelPackageGroupName"] == name]
        chosen = [p for p in found if status in (None, p["ModelApprovalStatus"])]
        backwards = given.get("SortBy") == "CreationTime" and given.get("SortOrder") == "Descending"
        ordered = sorted(chosen, key=lambda p: p["CreationTime"], reverse=backwards)
        keys = ("ModelPackageArn", "CreationTime", "ModelPackageStatus", "ModelApprovalStatus")
        return self._paged(
            given, "ModelPackageSummaryList", [{key: package[key] for key in keys} for package in ordered]
        )

    def _paged(self, given: dict[str, Any], key: str, found: list[dict[str, Any]]) -> dict[str, Any]:
        first = int(given.get("NextToken", 0))
        following = {"NextToken": str(first + self.page)} if first + self.page < len(found) else {}
        return {key: found[first : first + self.page], **following}

    def _on_create_model_package(self, given: dict[str, Any]) -> dict[str, Any]:
        token, group = given["ClientToken"], given["ModelPackageGroupName"]
        if token in self.tokens:
            return {"ModelPackageArn": self.tokens[token]}
        if group not in self.groups:
            raise FakeError("ValidationException", f"ModelPackageGroup {group} does not exist.")
        version = self.groups[group].get("last", 0) + 1
        self.groups[group]["last"] = version
        arn = f"{ACCOUNT}:model-package/{group}/{version}"
        self.tokens[token] = arn
        kept = {key: value for key, value in given.items() if key != "ClientToken"}
        self.packages.append(
            {
                **kept,
                "ModelPackageName": group,
                "ModelPackageVersion": version,
                "ModelPackageArn": arn,
                "CreationTime": datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=len(self.packages)),
                "ModelPackageStatus": "Completed",
                "ModelPackageStatusDetails": {"ValidationStatuses": []},
            }
        )
        return {"ModelPackageArn": arn}

    def _on_describe_model_package(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._package(given["ModelPackageName"])

    def _on_update_model_package(self, given: dict[str, Any]) -> dict[str, Any]:
        package = self._package(given["ModelPackageArn"])
        package["ModelApprovalStatus"] = given["ModelApprovalStatus"]
        package["CustomerMetadataProperties"].update(given.get("CustomerMetadataProperties", {}))
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def _on_delete_model_package(self, given: dict[str, Any]) -> None:
        self.packages.remove(self._package(given["ModelPackageName"]))

    def _package(self, arn: str) -> dict[str, Any]:
        found = next((p for p in self.packages if p["ModelPackageArn"] == arn), None)
        if found is None:
            raise FakeError("ValidationException", f"ModelPackage {arn} does not exist.")
        return found

    # SNS

    def _on_publish(self, given: dict[str, Any]) -> dict[str, Any]:
        self.messages.append(given)
        return {"MessageId": str(len(self.messages))}


@dataclass(frozen=True)
class _Http:
    status_code: int


def _keep_parameters(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["given_parameters"] = dict(params)


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def violations(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """Yield what a request breaks of the model's patterns, enums and bounds."""
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, item in value.items():
            yield from violations(shape.members[name], item, f"{path}.{name}")
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            yield from violations(shape.member, item, f"{path}[{number}]")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from violations(shape.key, key, f"{path} key")
            yield from violations(shape.value, item, f"{path}[{key}]")
    elif shape.type_name == "string" and isinstance(value, str):
        yield from _text_violations(shape, value, path)


def _text_violations(shape: Shape, value: str, path: str) -> Iterator[str]:
    limits = shape.metadata
    if not limits.get("min", 0) <= len(value) <= limits.get("max", len(value)):
        yield f"{path}: {len(value)} characters"
    if value not in limits.get("enum", [value]):
        yield f"{path}: {value!r} is not in the enum"
    if "pattern" in limits and not re.fullmatch(_python_pattern(limits["pattern"]), value):
        yield f"{path}: {value!r} does not match {limits['pattern']}"


def _python_pattern(pattern: str) -> str:
    """Return a pattern of the service in Python's syntax: Unicode classes, and the odd end of metadata patterns."""
    simple = re.sub(r"\$\{\d+,\d+\}$", "", pattern)

    def widen(found: re.Match[str]) -> str:
        inside = re.sub(r"\\p\{[LNM]\}", r"\\w", found[0].replace(r"\p{Z}", r"\s"))
        return "(?:" + inside.replace(r"\p{S}", "").replace(r"\p{P}", "") + (r"|[^\w\s])" if "{P}" in found[0] else ")")

    return re.sub(r"\[(?:\\.|[^\]])*\\p\{.*?\](?=[*{)])", widen, simple)
