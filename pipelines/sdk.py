"""The SageMaker SDK made to compile without account, network or noise, and quickly. Standard library until it is used.

Four things of SDK 3.27 that a compiler must not suffer: it asks for a region and keys at import, it reads defaults
from files of the machine, a session makes seven clients (0.4 s) of which compiling uses none, and ProcessingStep opens
a local session per step (0.7 s each) to read one method's name.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
NO_DEFAULTS = str(Path(__file__).parent / "no-sdk-defaults.yml")


@contextmanager
def without_account(region: str) -> Iterator[None]:
    """Give the SDK a region and inert keys while it is imported and used; hide the machine's own and its advice."""
    wanted = {
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_ACCESS_KEY_ID": "compile-only",
        "AWS_SECRET_ACCESS_KEY": "compile-only",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": NO_DEFAULTS,
        "SAGEMAKER_USER_CONFIG_OVERRIDE": NO_DEFAULTS,
    }
    before = {key: os.environ.get(key) for key in [*wanted, *PROFILES]}
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    os.environ.update(wanted)
    for name in PROFILES:
        os.environ.pop(name, None)
    logging.getLogger("sagemaker").setLevel(logging.ERROR)
    logging.getLogger("sagemaker.config").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.handlers[:], root.level = handlers, level
        _forget_session()
        for key, value in before.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value


def _forget_session() -> None:
    """Drop the session that the SDK opened at import, or later calls to AWS would use its inert keys."""
    boto3 = sys.modules.get("boto3")
    if boto3 is not None:
        boto3.DEFAULT_SESSION = None  # type: ignore[attr-defined]


@dataclass(frozen=True)
class InertSession:
    """Stands in for the boto3 session of a PipelineSession: it knows its region, and its clients can call nothing."""

    region_name: str

    def client(self, *_: object, **__: object) -> object:
        """Return something that has no operation."""
        return object()

    resource = client


class _LocalClientName:
    """Stands in for the SDK's LocalSagemakerClient, of which ProcessingStep reads a method's name only."""

    def create_processing_job(self) -> None:
        """Do nothing: only the name is read."""


@contextmanager
def quick_and_quiet(region: str) -> Iterator[None]:
    """Import and use the SDK without an account, without its needless local sessions and without its advice."""
    with without_account(region):
        from sagemaker.mlops.workflow import steps

        original = steps.LocalSagemakerClient
        steps.LocalSagemakerClient = _LocalClientName
        try:
            yield
        finally:
            steps.LocalSagemakerClient = original
