"""Cores and memory of instance types: known for what a Processing job may run on, and never guessed."""

from __future__ import annotations

import boto3
import pytest

from pipelines.instances import Machine, machine_of
from pipelines.settings import Instance

UNKNOWN = {"g7", "g7e"}
"""Families that the service takes and the table does not have."""


@pytest.mark.parametrize(
    ("name", "cores", "memory"),
    [
        ("ml.t3.medium", 2, 4),
        ("ml.t3.large", 2, 8),
        ("ml.m5.large", 2, 8),
        ("ml.m5.xlarge", 4, 16),
        ("ml.m5.24xlarge", 96, 384),
        ("ml.c5.9xlarge", 36, 72),
        ("ml.c4.8xlarge", 36, 60),
        ("ml.r5.2xlarge", 8, 64),
        ("ml.m7i-flex.16xlarge", 64, 256),
        ("ml.p3.2xlarge", 8, 61),
        ("ml.g6e.xlarge", 4, 32),
    ],
)
def test_an_instance_type_has_its_cores_and_memory(name: str, cores: int, memory: float) -> None:
    assert machine_of(name) == Machine(cores, memory)


@pytest.mark.parametrize(
    "name", ["", "m5.xlarge", "ml.m5", "ml.m5.huge", "ml.zz9.xlarge", "ml.m5.0xlarge", "p2.xlarge"]
)
def test_what_is_not_known_is_not_guessed(name: str) -> None:
    assert machine_of(name) is None


def test_every_type_that_a_processing_job_may_have_is_known_but_for_the_newest() -> None:
    client = boto3.client("sagemaker", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
    names = client.meta.service_model.shape_for("ProcessingInstanceType").enum

    assert {name.split(".")[1] for name in names if machine_of(name) is None} == UNKNOWN
    assert Instance().type in names
