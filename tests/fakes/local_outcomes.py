"""Small definitions, outcomes and origins for the tests of what is made from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines.local import document
from pipelines.local.engine import Outcome, StepRecord
from pipelines.local.step import Definition
from pipelines.local.workspace import Workspace
from pipelines.origin import Origin
from steps import contract


def ping(name: str, **changes: Any) -> dict[str, Any]:
    """Return a Lambda step."""
    settings = {"Std:Join": {"On": "/", "Values": ["s3://b/p/settings/lambda/1", "settings.json"]}}
    step = {"Name": name, "Type": "Lambda", "FunctionArn": "arn:aws:lambda:r:0:function:p-ping"}
    return {**step, "Arguments": {"Settings": settings}, "OutputParameters": [], **changes}


def definition(*steps: dict[str, Any]) -> Definition:
    """Return the parsed definition of these steps."""
    return document.parse(json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": list(steps)}))


def origin(**changes: Any) -> Origin:
    """Return what an execution was started from."""
    facts: dict[str, Any] = {
        "execution": "e1",
        "pipeline": "p",
        "bucket": "b",
        "config": "config/pipeline-config.yml",
        "environment": None,
        "raw": "raw",
        "started": "2026-01-01T00:00:00+00:00",
        "parameters": {},
        "threshold": 20.0,
    }
    return Origin(**{**facts, **changes})


def workspace(root: Path) -> Workspace:
    """Return an empty workspace."""
    return Workspace(root, {})


def published(root: Path, summary: dict[str, Any] | None, verdicts: dict[str, Any] | None) -> Outcome:
    """Write what Judge and PostProcess leave behind, and return the outcome that refers to it."""
    steps: dict[str, StepRecord] = {}
    if verdicts is not None:
        write(root / "s3/b/judge" / contract.VERDICTS_FILE, verdicts)
        steps["Judge"] = StepRecord(
            "Judge", "Lambda", "Succeeded", results={"VerdictsUri": "s3://b/judge/verdicts.json"}
        )
    if summary is not None:
        write(root / "s3/b/out" / contract.SUMMARY_FILE, summary)
        (root / "s3/b/out/predictions").mkdir()
        (root / "s3/b/out/report.html").touch()
        steps["PostProcess"] = StepRecord(
            "PostProcess", "Processing", "Succeeded", outputs={"predictions": "s3://b/out"}
        )
    return Outcome("e1", "Succeeded", steps, 1.5)


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(contract.to_json(content), encoding="utf-8")
