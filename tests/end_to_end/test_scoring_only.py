"""Scoring only: new files are scored by the approved defaults, as behind the gate, and nothing is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from user_project import SEGMENTS, Project, Run, make_rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose defaults are approved, with new files of which nothing is trained."""
    made = Project(tmp_path_factory.mktemp("scoring"))
    made.configure()
    made.write("train.csv", make_rows(300, 1))
    made.write("predict.csv", make_rows(30, 2, first=1000).drop(columns="y"))
    assert made.run().code == 0
    for segment in SEGMENTS:
        assert made.registry("approve", segment).returncode == 0
    return made


def drop(project: Project, name: str, rows: pd.DataFrame) -> Path:
    """Put new rows into a folder of their own."""
    folder = project.folder / name
    folder.mkdir(exist_ok=True)
    rows.drop(columns="y").to_csv(folder / "predict.csv", index=False)
    return folder


def score(project: Project, folder: Path, *arguments: str) -> Run:
    return project.run("--mode", "predict", "--raw", str(folder), *arguments)


def test_new_files_are_scored_completely_and_nothing_is_trained(trained: Project) -> None:
    folder = drop(trained, "new", make_rows(45, 3, first=5000))

    plan = trained.command("run", "--raw", str(folder), "--mode", "predict", "--plan")
    done = score(trained, folder)

    assert done.code == 0, done.stderr
    assert "default v1, MAE" in plan.stdout
    assert list(done.predictions()["id"]) == list(range(5000, 5045))
    assert done.served() == dict.fromkeys(SEGMENTS, "default")
    assert not done.statuses("Train")
    assert not done.statuses("Register")
    assert all(model["mae"] is not None and model["model_version"] == 1 for model in done.result["models"].values())
    latest = trained.workspace / "s3/small-artifacts-not-set/small/predictions/latest.json"
    assert done.result["execution"] in latest.read_text()
    listed = trained.command("run", "--list").stdout.splitlines()
    assert listed[0].split()[5] == "mode"
    assert " predict " in listed[1]


def test_the_predictions_are_those_that_the_same_defaults_make_behind_the_gate(trained: Project) -> None:
    behind_the_gate = trained.run("--set", "MaeThreshold=0.001")
    alone = score(trained, trained.raw)

    assert behind_the_gate.served() == dict.fromkeys(SEGMENTS, "default")
    pd.testing.assert_frame_equal(alone.predictions(), behind_the_gate.predictions(), check_exact=True)


def test_rows_without_a_default_stop_the_run_until_one_is_approved_or_are_left_out(trained: Project) -> None:
    """A segment that waits for approval is named with its command; `skip` delivers the others."""
    folder = drop(trained, "later", make_rows(45, 4, first=7000))
    assert trained.registry("reject", "JFK", "1").returncode == 0

    refused = score(trained, folder)
    trained.configure(fallback={"on_missing_default": "skip"})
    degraded = score(trained, folder)
    trained.configure()
    assert trained.registry("approve", "JFK").returncode == 0
    going_on = trained.command("run", "--retry", refused.result["execution"], "--json")

    assert refused.code == 1
    assert "no approved default model for 1 segment: JFK" in refused.result["error"]
    assert "approve JFK" in refused.result["error"]
    assert (degraded.code, degraded.result["status"]) == (3, "Degraded")
    assert set(degraded.predictions()["model"]) == {"EWR", "LGA"}
    assert going_on.returncode == 0, going_on.stderr


def test_files_whose_columns_a_default_lacks_are_refused_with_the_nearest_name(trained: Project) -> None:
    rows = make_rows(45, 5, first=8000).rename(columns={"kind": "kinds"})

    done = score(trained, drop(trained, "renamed", rows))

    assert done.code == 1
    assert "'kind'" in done.result["error"]
    assert "'kinds'" in done.result["error"]


def test_a_marker_that_asks_for_it_is_served_by_the_watcher(trained: Project) -> None:
    inbox = trained.folder / "inbox"
    drop(trained, "inbox", make_rows(45, 6, first=9000))
    (inbox / "go.run").write_text("mode: predict\n")

    done = trained.command("run", "--watch", str(inbox), "--once", "--settle", "0", "--json")

    served = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    assert (served["status"], {m["served_by"] for m in served["models"].values()}) == ("Succeeded", {"default"})
    assert not [name for name in served["steps"] if name.startswith("Train")]
    assert len(pd.read_parquet(served["predictions"])) == 45
