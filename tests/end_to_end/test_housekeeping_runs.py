"""After `--gc` what stays can be used as before: nothing trains again, and a kept execution can be run from a step."""

from __future__ import annotations

import json

import pytest
from user_project import Project, make_rows

pytestmark = pytest.mark.slow


def test_after_a_removal_a_run_is_still_cached_and_runs_from_a_step(project: Project) -> None:
    project.configure(models=[{"name": "EWR", "where": {"origin": "EWR"}}], rest="skip")
    first = project.run()
    assert first.result is not None, first.stderr
    project.write("train.csv", make_rows(300, 8))
    changed = project.run()
    project.write("train.csv", make_rows(600, 1))
    again = project.run()
    assert changed.result is not None
    assert again.result is not None
    assert again.statuses("Train") == {"Train-EWR": ("Succeeded", True)}
    names = [run.result["execution"] for run in (first, changed, again)]

    listed = project.command("run", "--gc", "--keep", "1")
    assert (listed.returncode, f"executions that go: {names[1]}\n" in listed.stdout) == (0, True), listed.stderr
    done = project.command("run", "--gc", "--keep", "1", "--yes", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kept"] == {
        names[2]: "is one of the newest 1",
        names[0]: f"{names[2]} uses its outputs",
    }
    assert sorted(path.name for path in (project.workspace / "executions").iterdir()) == [names[0], names[2]]
    unchanged = project.run()
    assert unchanged.statuses("Train") == {"Train-EWR": ("Succeeded", True)}
    assert unchanged.statuses("Prepare") == {
        "PrepareTraining": ("Succeeded", True),
        "PreparePrediction": ("Succeeded", True),
    }
    assert unchanged.predictions().equals(again.predictions())
    later = project.run("--from", "PostProcess", "--of", names[2])
    assert later.code == 0, later.stderr
    assert later.predictions().equals(again.predictions())
    assert json.loads(project.registry("list", "--json").stdout)
