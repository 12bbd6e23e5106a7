"""Two executions of a workspace: what differs between them, as table and as JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from finished_executions import finish, model
from local_outcomes import write

from pipelines import comparison
from pipelines.comparison import Pair
from pipelines.run import main
from pipelines.runs import Run

ROWS = [("x", 1.0, "A"), ("y", 2.0, "B")]
VERSIONS = {"TrainDataVersion": "1" * 64, "PredictDataVersion": "2" * 64, "RawDataUri": "s3://r/", "Season": "winter"}


def two(root: Path) -> tuple[Run, Run]:
    """Return two executions between which everything differs that can."""
    train = {"seed": 0, "models": [{"name": "A", "training": {"seed": 0}}, {"name": "B", "training": {"seed": 0}}]}
    finish(
        root,
        "e1",
        ROWS,
        models={"A": model(), "B": model(mae=5.0)},
        settings={"train-A": train, "postprocess": {"csv": False}, "infer-B": {}},
        code={"train": {"steps/train.py": "1", "steps/job.py": "1"}, "infer": {"steps/job.py": "1"}},
        parameters=VERSIONS,
    )
    finish(
        root,
        "e2",
        [("x", 3.0, "A"), ("z", 2.0, "C")],
        models={"A": model(mae=12.0, accepted=False, served_by="default"), "C": model(mae=1e12)},
        settings={"train-A": json.loads(json.dumps(train).replace("0", "1")), "postprocess": {"csv": False}},
        code={"train": {"steps/train.py": "2", "steps/job.py": "2"}, "infer": {"steps/job.py": "2"}},
        parameters={**VERSIONS, "TrainDataVersion": "3" * 64, "Season": "summer"},
        started="2026-01-02T00:00:00+00:00",
    )
    for version, etag in (("1" * 64, "a"), ("3" * 64, "b")):
        files = [{"key": "north.csv", "etag": etag}, {"key": "south.csv", "etag": "s"}]
        write(root / f"s3/b/p/manifests/{version}/manifest.json", {"files": files})
    return Run("e1", root), Run("e2", root)


def test_data_parameters_settings_and_code_that_differ_are_named(tmp_path: Path) -> None:
    found = comparison.compare(*two(tmp_path))

    assert found.data["train"].files == ("north.csv",)
    assert not found.data["predict"].version.differs
    assert found.parameters == {"Season": Pair("winter", "summer")}
    assert found.settings == {"seed (0 -> 1)": ("train-A",), "training.seed (0 -> 1)": ("train-A",)}
    assert found.code == {"steps/job.py": ("train", "infer"), "steps/train.py": ("train",)}
    assert found.gone == ()


def test_models_are_compared_by_name_and_a_failed_training_has_no_mae(tmp_path: Path) -> None:
    models = comparison.compare(*two(tmp_path)).models

    assert {name: pair.only_in for name, pair in models.items()} == {"A": None, "B": "first", "C": "second"}
    assert (models["A"].mae_difference, models["A"].accepted) == (2.0, Pair(True, False))
    assert models["C"].mae == Pair(None, None)
    assert models["A"].predictions is not None
    assert models["A"].predictions.max == 2.0


def test_an_execution_and_itself_differ_in_nothing(tmp_path: Path) -> None:
    run, _ = two(tmp_path)

    found = comparison.compare(run, run)

    assert (found.parameters, found.settings, found.code) == ({}, {}, {})
    assert found.predictions is not None
    assert found.predictions.changed == 0


def test_what_is_gone_is_said_and_the_rest_compared(tmp_path: Path) -> None:
    two(tmp_path)
    finish(tmp_path, "e3", None, settings={"postprocess": {"csv": True}}, code={"train": {"steps/train.py": "3"}})
    shutil.rmtree(tmp_path / "s3/b/p/settings/postprocess")
    shutil.rmtree(tmp_path / "s3/b/p/code/train")

    found = comparison.compare(Run("e1", tmp_path), Run("e3", tmp_path))

    assert found.predictions is None
    assert [text.split(": ")[-1] for text in found.gone[1:]] == [
        "is gone or damaged; make it again in an execution of its own, with --from and --of",
        "the code is gone",
    ]
    assert "e3: it is Failed and has published no predictions" in found.gone[0]


def test_the_command_prints_a_table_and_one_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two(tmp_path)
    line = ["--local", "--workspace", str(tmp_path), "--compare", "e1"]

    assert main([*line, "e2"]) == 0
    table = capsys.readouterr().out
    assert main([*line, "--last", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    assert "train files changed: north.csv" in table
    assert found["executions"] == {"first": "e1", "second": "e2"}
    assert found["models"]["B"]["only_in"] == "first"


def test_an_unknown_execution_is_bad_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two(tmp_path)

    assert main(["--local", "--workspace", str(tmp_path), "--compare", "e1", "e9"]) == 2
    assert "e9: no such execution" in capsys.readouterr().err


def test_an_execution_that_scores_only_is_told_apart_by_its_mode_and_has_no_verdicts(tmp_path: Path) -> None:
    served = {"A": model(accepted=False, served_by="default")}
    finish(tmp_path, "e1", ROWS[:1], models={"A": model()}, parameters=VERSIONS)
    scoring = {name: value for name, value in VERSIONS.items() if name != "TrainDataVersion"}
    finish(tmp_path, "e2", ROWS[:1], models=served, parameters=scoring, mode="predict", source="default")

    found = comparison.compare(Run("e1", tmp_path), Run("e2", tmp_path))
    table = comparison.comparison_text.as_table(found)

    assert found.mode == Pair("full", "predict")
    assert found.models["A"].accepted == Pair(True, None)
    assert [line.split() for line in table.splitlines() if line.startswith("mode ")] == [["mode", "full", "predict"]]
    assert "passed -> -" in table


def test_data_that_neither_execution_has_are_not_compared(tmp_path: Path) -> None:
    scoring = {name: value for name, value in VERSIONS.items() if name != "TrainDataVersion"}
    for name in ("e1", "e2"):
        finish(tmp_path, name, ROWS[:1], parameters=scoring, mode="predict")

    table = comparison.comparison_text.as_table(comparison.compare(Run("e1", tmp_path), Run("e2", tmp_path)))

    assert "train data" not in table
    assert "predict data" in table
