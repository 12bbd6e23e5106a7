"""One AWS account and region as the operator's commands see it: clients, who is calling, and errors in plain words.

Every function of `pipelines.aws` takes a Cloud; tests hand in one whose clients a stand-in answers. Nothing here is
imported before a command needs AWS.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from pipelines.errors import AwsError

log = logging.getLogger(__name__)
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, ProfileNotFound)
_LOGGED_OUT = (SSOError, TokenRetrievalError, CredentialRetrievalError)
NO_CREDENTIALS = "NoCredentials"
"""The code of an error that only a person with credentials can mend."""
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})


@dataclass(frozen=True)
class Cloud:
    """An account and a region; `client` returns the boto3 client of a service by boto3's name for it."""

    region: str
    account: str
    client: Callable[[str], Any]

    @property
    def partition(self) -> str:
        """Return the partition that the region lies in, such as `aws`."""
        return _partition(self.region)


@functools.cache  # a session reads all of AWS's endpoints to tell
def _partition(region: str) -> str:
    return str(boto3.session.Session().get_partition_for_region(region))


def open_cloud(region: str | None, account: str | None) -> Cloud:
    """Return the account that the caller's credentials belong to.

    Args:
        region: the region of the config; else that of the caller's profile or environment.
        account: the account number that the config promises, or None to take any.

    Raises:
        AwsError: there are no usable credentials, no region, or they belong to another account.
    """
    with translated("who is calling cannot be told"):
        session = boto3.session.Session(region_name=region)
        if not session.region_name:
            raise NoRegionError
        make: Any = session.client  # typed per service only; here the service is a value
        clients: dict[str, Any] = {}

        def client(service: str) -> Any:
            if service not in clients:
                config = Config(retries={"mode": "adaptive", "max_attempts": 8})
                clients[service] = make(service, config=config)
                clients[service].meta.events.register("before-call", _tell)
            return clients[service]

        number = str(client("sts").get_caller_identity()["Account"])
    if account and number != account:
        raise AwsError(
            f"the credentials belong to account {number}, the config says aws.account: {account}; use others"
        )
    return Cloud(session.region_name, number, client)


def _tell(model: Any, **_: Any) -> None:
    """Log a call by its name; parameters may hold what is nobody's business."""
    log.debug("%s: %s", model.service_model.service_name, model.name)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn boto3's errors into an AwsError that says what was being done and what to do next."""
    try:
        yield
    except _NO_CREDENTIALS as error:
        advice = "give some with AWS_PROFILE or `aws configure`"
        raise AwsError(f"{doing}: no AWS credentials found ({error}); {advice}", NO_CREDENTIALS) from error
    except _LOGGED_OUT as error:
        raise AwsError(f"{doing}: {error}; log in again, such as with `aws sso login`", NO_CREDENTIALS) from error
    except NoRegionError as error:
        raise AwsError(f"{doing}: no region is set; set aws.region in the config, or AWS_DEFAULT_REGION") from error
    except ClientError as error:
        raise AwsError(f"{doing}: {error_message(error)}{_advise(error)}", error_code(error)) from error
    except BotoCoreError as error:
        raise AwsError(f"{doing}: {error}") from error


def error_code(error: ClientError) -> str:
    """Return the service's code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    """Return the service's words for an error."""
    return str(error.response.get("Error", {}).get("Message", "")) or str(error)


def _advise(error: ClientError) -> str:
    if error_code(error) in _EXPIRED:
        return "; the credentials have expired or are not valid here, get new ones"
    if error_code(error) in _DENIED:
        return "; the caller's role does not allow it, see docs/aws.md, Roles"
    return ""
