"""`--from STEP` selects the step and everything that waits for it."""

from __future__ import annotations

from typing import Any

import pytest
from local_outcomes import definition, ping

from pipelines.errors import ExecutionError
from pipelines.selection import downstream

CHAIN = definition(ping("A"), ping("B", DependsOn=["A"]), ping("C", DependsOn=["B"]), ping("D"))


def test_a_step_selects_what_waits_for_it_directly_or_not() -> None:
    assert downstream(CHAIN, "B") == {"B", "C"}


def test_a_step_that_nothing_waits_for_selects_itself() -> None:
    assert downstream(CHAIN, "D") == {"D"}


def test_an_unknown_step_is_answered_with_the_nearest() -> None:
    steps = definition(ping("PostProcess"))

    with pytest.raises(ExecutionError, match="did you mean PostProcess"):
        downstream(steps, "Postproces")


def job(name: str, uri: str, **changes: Any) -> dict[str, Any]:
    """Return a processing step that writes below this URI."""
    output = {"OutputName": "o", "S3Output": {"S3Uri": uri, "LocalPath": "/opt/ml/o", "S3UploadMode": "EndOfJob"}}
    arguments = {
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large"}},
        "AppSpecification": {"ImageUri": "i", "ContainerEntrypoint": ["python3"]},
        "ProcessingOutputConfig": {"Outputs": [output]},
        "RoleArn": "r",
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **changes}


def test_steps_that_write_below_one_uri_are_selected_together() -> None:
    """A reader takes the URI from the first of them: with one alone it would read the others' from nowhere."""
    shared = "s3://b/infer"
    steps = definition(
        job("Infer-a", shared),
        job("Infer-b", shared),
        job("Other", "s3://b/other"),
        ping("Post", DependsOn=["Infer-a"]),
    )

    assert downstream(steps, "Infer-b") == {"Infer-a", "Infer-b", "Post"}
