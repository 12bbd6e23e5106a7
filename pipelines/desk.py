"""A deployed pipeline as the operator's commands see it: its account, its stack, its settings, and the way to people.

Wiring: it knows Lambda code as `surroundings` and `registry` do, and hands out its ports and links.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lambda_trigger import links
from lambda_trigger.aws import FLAGS_VARIABLE, S3Objects, ports_from, split_uri
from lambda_trigger.ports import PortError, Ports
from pipelines import settings
from pipelines.aws import executions, objects, stacks
from pipelines.aws.cloud import Cloud, open_cloud
from pipelines.aws.executions import Deployed, StepState
from pipelines.deployment import PipelineStack, pipeline_outputs, pipeline_stack
from pipelines.errors import AwsError
from pipelines.options import say_command, say_options
from pipelines.settings import Settings
from steps import contract


def _make_token() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Outside:
    """The outside world of commands on AWS; tests hand in their own.

    `connect` opens an account, by region and number where the config names them; `make_token` gives a new
    ClientRequestToken, so that the retries of one call start one execution.
    """

    connect: Callable[[str | None, str | None], Cloud] = open_cloud
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    make_token: Callable[[], str] = _make_token


@dataclass(frozen=True)
class Desk:
    """A deployed pipeline; `flags` are the options that a command in a message needs, `mode` which of the two it is."""

    settings: Settings
    cloud: Cloud
    stack: PipelineStack
    flags: str
    outside: Outside
    mode: str = contract.FULL

    @property
    def pipeline(self) -> str:
        """Return the name of the pipeline of this mode."""
        return contract.pipeline_name(self.settings.pipeline.name, self.mode)

    @property
    def mode_option(self) -> str:
        """Return the option with which a start means this mode, nothing for the usual one."""
        return "" if self.mode == contract.FULL else f"--mode {self.mode}"

    @property
    def prefix(self) -> str:
        """Return the URI below which everything of both pipelines lies."""
        return f"s3://{self.stack.ArtifactBucketName}/{self.settings.pipeline.name}"

    def say_run(self, *options: str) -> str:
        """Return a command of `pipelines.run` for a person to copy."""
        return say_command("run", self.flags, *options)

    def execution_link(self, execution: str) -> str:
        """Return the address of an execution in Studio."""
        return links.execution_link(self.pipeline, execution, self.cloud.region, self.settings.aws.studio_domain or "")

    def log_link(self, step: StepState) -> str | None:
        """Return the address of a step's log, where it has one."""
        if step.job:
            return links.log_link(step.job.rpartition("/")[2], self.cloud.region)
        return links.function_log_link(step.function, self.cloud.region) if step.function else None

    def read_json(self, uri: str) -> Any:
        """Return the content of a JSON object, or None where it is not there, or not any more."""
        bucket, key = split_uri(uri)
        content = objects.read_object(self.cloud, bucket, key)
        return None if content is None else json.loads(content)

    def write_text(self, uri: str, text: str) -> None:
        """Write an object unless it has this very text already; of two who write at once one wins, whole."""
        store = S3Objects(self.cloud.client("s3"))
        try:
            if store.replace(uri, text, None):
                return
            known = store.read_tagged(uri)
            if known is None or known.text != text:
                store.replace(uri, text, known.etag if known else None)
        except PortError as error:
            raise AwsError(str(error)) from error

    def has(self, uri: str) -> bool:
        """Tell whether there is such an object."""
        return objects.object_exists(self.cloud, *split_uri(uri))


def open_desk(config: Path, environment: str | None, outside: Outside) -> Desk:
    """Return the deployed pipeline of a configuration.

    Raises:
        SettingsError: the configuration cannot be used.
        AwsError: there are no credentials, or nothing is deployed there.
    """
    chosen = settings.load(config, environment)
    cloud = _connect(chosen, outside)
    flags, name = say_options(config, environment), chosen.pipeline.name
    outputs = stacks.read_outputs(cloud, pipeline_stack(name))
    if outputs is None:
        raise _not_deployed(f"there is no stack {pipeline_stack(name)}", cloud, flags)
    return Desk(chosen, cloud, pipeline_outputs(outputs), flags, outside)


def _connect(chosen: Settings, outside: Outside) -> Cloud:
    try:
        return outside.connect(chosen.aws.region, chosen.aws.account)
    except AwsError as error:
        raise AwsError(f"{error}; or work on this machine with --local", error.code) from error


def open_pipeline(desk: Desk) -> Deployed:
    """Return the deployed pipeline.

    Raises:
        AwsError: the stack is there, but not yet the pipeline.
    """
    found = executions.read_pipeline(desk.cloud, desk.pipeline)
    if found is None:
        raise _not_deployed(f"there is no pipeline {desk.pipeline}", desk.cloud, desk.flags)
    return found


def _not_deployed(found: str, cloud: Cloud, flags: str) -> AwsError:
    command = say_command("deploy", flags)
    return AwsError(
        f"{found} in {cloud.region} of account {cloud.account}; deploy it first with `{command}`, or work on this "
        "machine with --local"
    )


def open_ports(desk: Desk) -> Ports:
    """Return the ports of the Lambda code over the desk's account, for commands that share its core."""
    environment: Mapping[str, str] = {FLAGS_VARIABLE: desk.flags}
    return replace(ports_from(environment, desk.cloud.client), service=None)
