"""What was run can be looked at, fetched and run again, by the commands of the README."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from user_project import Project, make_rows

pytestmark = pytest.mark.slow


def test_an_execution_is_listed_shown_fetched_and_run_again(project: Project) -> None:
    first = project.run()
    assert first.result is not None, first.stderr
    execution = first.result["execution"]

    listed = json.loads(project.command("run", "--list", "--json").stdout)
    status = json.loads(project.command("run", "--status", "--last", "--json").stdout)
    fetched = project.command("run", "--fetch", execution, "--to", str(project.folder))
    again = project.command("run", "--rerun", "--last", "--json")

    assert [(line["execution"], line["status"]) for line in listed] == [(execution, "Succeeded")]
    assert status["models"] == first.result["models"]
    assert fetched.returncode == 0, fetched.stderr
    found = pd.read_parquet(project.folder / f"small-{execution}/predictions")
    assert found.equals(first.predictions())
    assert again.returncode == 0, again.stderr
    repeated = json.loads(again.stdout)
    assert repeated["execution"] != execution
    assert repeated["steps"]["Train-JFK"]["cached"]

    project.write("predict.csv", make_rows(30, 3, first=20_000).drop(columns="y"))
    changed = project.command("run", "--rerun", execution)
    assert changed.returncode == 2
    assert "PredictDataVersion cannot be had again" in changed.stderr
