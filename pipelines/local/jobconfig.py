"""The two files below /opt/ml/config that SageMaker gives every processing container.

An I/O seam. See https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.local.job import Job

_ARN = "arn:aws:sagemaker:local:000000000000:processing-job/"
_NAME_LIMIT = 63


def write_config(job: Job, root: Path, name: str, hosts: Sequence[str], number: int) -> None:
    """Write `processingjobconfig.json` and `resourceconfig.json` for the host `number`."""
    folder = root / "config"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "output").mkdir(exist_ok=True)
    resources = {"current_host": hosts[number], "hosts": list(hosts)}
    for file, content in (("processingjobconfig", _job_config(job, name)), ("resourceconfig", resources)):
        (folder / f"{file}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def _job_config(job: Job, name: str) -> dict[str, Any]:
    """Return the request as the definition has it, with every expression computed."""
    settings = dict(job.settings or {})
    job_name = re.sub(r"[^A-Za-z0-9]+", "-", f"pipelines-{name}")[:_NAME_LIMIT].strip("-")
    inputs, outputs = settings.get("ProcessingInputs") or [], settings.get("ProcessingOutputConfig") or {}
    return {
        "ProcessingJobArn": _ARN + job_name,
        "ProcessingJobName": job_name,
        "AppSpecification": {
            "ImageUri": job.image,
            "ContainerEntrypoint": list(job.entrypoint),
            "ContainerArguments": list(job.arguments),
        },
        "Environment": dict(job.environment),
        "ProcessingInputs": [
            {"AppManaged": False, **raw, "S3Input": {**raw["S3Input"], "S3Uri": item.uri}}
            for raw, item in zip(inputs, job.inputs, strict=True)
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {"AppManaged": False, **raw, "S3Output": {**raw["S3Output"], "S3Uri": item.uri}}
                for raw, item in zip(outputs.get("Outputs") or [], job.outputs, strict=True)
            ],
            "KmsKeyId": outputs.get("KmsKeyId"),
        },
        "ProcessingResources": settings.get("ProcessingResources"),
        "RoleArn": settings.get("RoleArn"),
        "StoppingCondition": {"MaxRuntimeInSeconds": job.max_runtime},
    }
