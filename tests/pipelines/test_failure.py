"""A failed local run is mailed with step, segment, reason and the command to go on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local_outcomes import definition, origin, ping, workspace

from pipelines.failure import mail_failure
from pipelines.local.engine import Outcome, ProcessLauncher, StepRecord, World


def mailed(root: Path, *steps: dict[str, Any], kind: str = "Lambda") -> list[tuple[str, dict[str, Any]]]:
    calls: list[tuple[str, dict[str, Any]]] = []
    world = World(workspace(root), ProcessLauncher(), lambda name, event: calls.append((name, event)) or {})
    failed = StepRecord("Ping", kind, "Failed", reason="no default")
    mail_failure(world, definition(*steps), origin(), Outcome("e1", "Failed", {}, 1.0, (failed,)), "--config my.yml")
    return calls


def test_the_mail_names_step_reason_and_command(tmp_path: Path) -> None:
    [(function, event)] = mailed(tmp_path, ping("Ping"))

    assert function == "p-notify"
    assert event["Kind"] == "failed"
    assert (event["Step"], event["Reason"]) == ("Ping", "no default")
    assert event["Command"] == "python -m pipelines.run --local --config my.yml --retry e1"
    assert event["Debug"] == ""
    assert event["Settings"] == "s3://b/p/settings/lambda/1/settings.json"


def test_the_mail_of_a_failed_job_names_the_command_that_debugs_it(tmp_path: Path) -> None:
    [(_, event)] = mailed(tmp_path, ping("Ping"), kind="Processing")

    assert event["Debug"] == "python -m pipelines.run --local --config my.yml --only Ping --of e1 --debug"


def test_a_definition_without_settings_for_lambda_code_sends_no_mail(tmp_path: Path) -> None:
    assert mailed(tmp_path, ping("Ping", Arguments={})) == []
