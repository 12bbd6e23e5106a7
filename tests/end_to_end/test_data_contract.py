"""Training data, data to predict and approved default against each other in whole runs, before anything is trained."""

from __future__ import annotations

import pandas as pd
import pytest
from user_project import SEGMENTS, Project, Run, make_rows

pytestmark = pytest.mark.slow


def asked(*segments: str) -> pd.DataFrame:
    return make_rows(300, 2, segments or SEGMENTS, first=10_000).drop(columns="y")


def trained(project: Project) -> list[str]:
    """Return the names of the Train steps that have begun in any execution."""
    return sorted(path.name for path in (project.workspace / "executions").rglob("*Train-*"))


def outcome(done: Run, name: str) -> dict:
    assert done.result is not None, done.stderr
    summary = pd.read_json(done.result["report"].replace("report.html", "summary.json"), typ="series")
    return summary["models"][name]


def test_a_shift_is_warned_of_and_with_a_fail_limit_stops_the_run_before_anything_is_trained(project: Project) -> None:
    shifted = asked()
    shifted.loc[shifted["origin"] == "JFK", "x.1"] += 3
    project.write("predict.csv", shifted)
    project.configure(drift={"psi": {"fail": 1}})

    stopped = project.run()

    assert stopped.code == 1
    assert stopped.result is not None
    assert "JFK: column 'x.1': PSI " in stopped.result["error"]
    assert "drift.psi.fail is 1" in stopped.result["error"]
    assert "EWR: column" not in stopped.result["error"]
    assert stopped.result["steps"]["CheckData"]["status"] == "Failed"
    assert trained(project) == []

    project.configure()
    warned = project.run()
    assert warned.code == 0, warned.stderr
    assert set(warned.statuses("Prepare").values()) == {("Succeeded", True)}
    assert outcome(warned, "JFK")["drift"]["column"] == "x.1"
    assert outcome(warned, "JFK")["drift"]["warnings"][0].startswith("column 'x.1': PSI ")
    assert outcome(warned, "EWR")["drift"]["warnings"] == []
    assert trained(project)
    mails = [path.read_text() for path in (project.workspace / "outbox").rglob("*trained*")]
    assert any("JFK: column 'x.1': PSI" in mail for mail in mails)


def test_renamed_and_retyped_columns_are_named_at_once_and_nothing_is_trained(project: Project) -> None:
    project.write("predict.csv", asked().rename(columns={"kind": "kinds", "x.1": "x.2"}))

    planned = project.command("run", "--raw", str(project.raw), "--plan")
    done = project.run()

    assert planned.returncode == 0
    assert "'kind' (a training column)" in planned.stderr
    assert done.code == 1
    assert done.result is not None
    assert [part for part in ("'kind'", "nearest: 'kinds'", "'x.1'", "'x.2'") if part not in done.result["error"]] == []
    assert trained(project) == []

    project.write("predict.csv", asked().assign(**{"x.1": "tell-nobody"}))
    retyped = project.run()
    assert retyped.code == 1
    assert "'x.1'" in retyped.stderr
    assert "tell-nobody" not in retyped.stderr + retyped.stdout
    assert trained(project) == []


def test_a_default_of_another_schema_is_a_warning_or_a_failure_as_set(project: Project) -> None:
    project.write("train.csv", make_rows(300, 1, ("JFK",)))
    project.write("predict.csv", asked("JFK"))
    assert project.run().code == 0
    assert project.registry("approve", "JFK").returncode == 0
    project.write("train.csv", make_rows(300, 1, ("JFK",)).rename(columns={"kind": "sort"}))
    project.write("predict.csv", asked("JFK").rename(columns={"kind": "sort"}))
    lacking = "the approved default (version 1) could not serve these rows: column 'kind' is missing"
    project.configure(drift={"default": "fail"})

    stopped = project.run()

    assert stopped.code == 1
    assert stopped.result is not None
    assert f"JFK: {lacking}" in stopped.result["error"]
    assert len(trained(project)) == 1, "only the first run has trained"

    project.configure()
    warned = project.run()
    assert warned.code == 0, warned.stderr
    (warning,) = outcome(warned, "JFK")["drift"]["warnings"]
    assert warning.startswith(lacking)
