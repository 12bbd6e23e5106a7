"""AWS as far as the project knows it: boto3 clients whose requests a stateful stand-in answers.

The stand-in sits where botocore's own Stubber sits (its `before-call` event), so that every request passes botocore's
validation and every answer is checked against the output shape. Beyond the Stubber it keeps state, and it enforces
patterns, enums and bounds, which the service does and botocore does not.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.client import ClientMeta
from botocore.model import OperationModel
from botocore.validate import validate_parameters
from fake_answers import REGION, FakeError
from fake_builds import FakeBuilds
from fake_definitions import FakeDefinitions
from fake_executions import FakeExecutions
from fake_notifications import FakeNotifications
from fake_registry import FakeRegistry
from fake_stacks import FakeStacks
from fake_storage import FakeStorage
from fake_subscriptions import FakeSubscriptions
from fake_uploads import FakeUploads
from request_shapes import violations


@dataclass(frozen=True)
class Request:
    """One request that was made: `service` is boto3's name, `operation` the API's, such as PutObject."""

    service: str
    operation: str
    parameters: dict[str, Any]


@dataclass
class FakeAws(
    FakeUploads,
    FakeDefinitions,
    FakeStacks,
    FakeBuilds,
    FakeSubscriptions,
    FakeStorage,
    FakeRegistry,
    FakeExecutions,
    FakeNotifications,
):
    """The state of one account, and every request that was made; each service stands in a module of its own.

    An operation `PutObject` is answered by the method `_on_put_object`. `broken` names operations that are denied.
    """

    requests: list[Request] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Return operation and parameters of every request."""
        return [(request.operation, request.parameters) for request in self.requests]

    def client(self, service: str) -> Any:
        """Return a boto3 client that talks to this account."""
        client = _copied(_client_of(service))
        events = client.meta.events
        events.register_first(f"before-parameter-build.{service}.*", _keep_parameters)
        events.register_first(f"before-call.{service}.*", self._answer)
        return client

    def _answer(self, model: OperationModel, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        parameters = context["given_parameters"]
        self.requests.append(Request(model.service_model.service_name, model.name, parameters))
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


@functools.cache
def _client_of(service: str) -> Any:
    """Return the one client that those of all accounts are copied from: making one takes longer than most tests."""
    return boto3.client(service, region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")


def _copied(client: Any) -> Any:
    """Return a client with event handlers of its own."""
    known, copied = client.meta, object.__new__(type(client))
    vars(copied).update(vars(client))
    copied.meta = ClientMeta(
        copy(known.events),
        known.config,
        known.endpoint_url,
        known.service_model,
        known.method_to_api_mapping,
        known.partition,
    )
    return copied


@dataclass(frozen=True)
class _Http:
    status_code: int


def _keep_parameters(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["given_parameters"] = dict(params)
