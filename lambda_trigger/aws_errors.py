"""How errors of boto3 become PortErrors: at this seam and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from lambda_trigger.ports import PortError


@contextmanager
def translated(kind: Callable[[str], PortError], doing: str) -> Iterator[None]:
    """Turn boto3's errors into a PortError."""
    try:
        yield
    except (ClientError, BotoCoreError, Boto3Error) as error:
        raise kind(f"{doing}: {error}") from error


def error_code(error: ClientError) -> str:
    """Return the service's code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))
