"""A default whose versions are not those of today: seen, refused, trained again, served. And one that was changed."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from model_archives import member, metadata, packed
from user_project import Project, make_rows

from steps import contract

pytestmark = pytest.mark.slow
REJECTING = ("--set", "MaeThreshold=0.000001")


@pytest.fixture
def trained(project: Project) -> Project:
    """Return a project of one segment whose version 1 is approved."""
    project.write("train.csv", make_rows(300, 1, ("EWR",)))
    project.write("predict.csv", make_rows(30, 2, ("EWR",), first=10_000).drop(columns="y"))
    first = project.run()
    assert first.code == 0, first.stderr
    assert project.registry("approve", "EWR").returncode == 0
    return project


def package(project: Project, version: int = 1) -> Path:
    return project.workspace / "registry" / "small-EWR" / f"{version}.json"


def loads_here(project: Project) -> dict[int, bool]:
    rows = json.loads(project.registry("list", "--json").stdout)
    return {row["version"]: row["loads_here"] for row in rows}


def test_a_default_of_another_autogluon_is_refused_refreshed_and_served(trained: Project) -> None:
    assert loads_here(trained) == {1: True}
    assert "nothing to refresh" in trained.registry("refresh", "--all").stdout
    found = json.loads(package(trained).read_text(encoding="utf-8"))
    found["metadata"]["autogluon_version"] = "0.8.2"
    package(trained).write_text(json.dumps(found), encoding="utf-8")

    listed = loads_here(trained)
    refused = trained.run(*REJECTING)
    for path in trained.raw.iterdir():
        path.unlink()  # what it was trained on lies in the workspace
    refreshed = trained.registry("refresh", "--all", "--json")

    assert listed == {1: False}
    assert refused.result is not None, refused.stderr
    assert refused.code == 1
    assert "default v1 was trained with AutoGluon 0.8.2" in refused.result["error"]
    assert "refresh EWR" in refused.result["error"]
    assert "InferFallback-EWR" not in refused.statuses("Infer")
    assert refreshed.returncode == 0, refreshed.stderr
    (row,) = json.loads(refreshed.stdout)
    assert (row["refreshed_from"], row["version"], row["status"]) == (1, 2, "Approved")
    assert row["difference"] == pytest.approx(0)
    assert loads_here(trained) == {1: False, 2: True}
    made = json.loads(package(trained, 2).read_text(encoding="utf-8"))["metadata"]
    assert (made["refreshed_from"], made["data_version"]) == ("1", found["metadata"]["data_version"])
    going_on = trained.command("run", "--retry", refused.result["execution"], "--json")
    assert going_on.returncode == 0, going_on.stderr
    model = json.loads(going_on.stdout)["models"]["EWR"]
    assert (model["served_by"], model["model_version"]) == ("default", 2)


class Trap:
    """Opening the pickle of one makes a file: whoever loads it runs it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_registered_artifact_that_was_changed_is_not_opened(trained: Project) -> None:
    trap = trained.folder / "opened"
    pickled = pickle.dumps(Trap(trap))
    members = (member(f"predictor/{name}.pkl", content=pickled) for name in ("predictor", "learner.2"))
    hostile = packed(*members, text=metadata())
    (path,) = (trained.workspace / "s3").rglob(f"registry/EWR/*/{contract.MODEL_FILE}")
    flipped = bytearray(path.read_bytes())
    flipped[len(flipped) // 2] ^= 1

    for content in (bytes(flipped), hostile):
        path.write_bytes(content)
        run = trained.run(*REJECTING)
        assert run.result is not None, run.stderr
        assert run.code == 1
        assert "the artifact of model EWR has sha256" in run.result["error"]
        assert "it is not opened" in run.result["error"]
        assert run.result["predictions"] is None
        assert not trap.exists()

    pickle.loads(pickled)
    assert trap.exists(), "the trap works"
