"""An execution as an object: frames of predictions, models and leaderboards."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished_executions import finish, model

from pipelines.errors import ExecutionError
from pipelines.runs import Run


def test_predictions_models_and_leaderboards_are_frames(tmp_path: Path) -> None:
    finish(
        tmp_path, "e1", [("x", 1.5, "A"), ("y", 2.5, "Very Good")], models={"A": model(), "Very Good": model(mae=7.0)}
    )

    run = Run("e1", tmp_path)

    assert run.predictions().to_dict("list")["prediction"] == [1.5, 2.5]
    assert run.models().loc["Very Good", "mae"] == 7.0
    assert list(run.models().index) == ["A", "Very Good"]
    assert list(run.leaderboard("Very Good").columns) == ["model", "holdout_mae", "fit_seconds"]
    assert run.leaderboard("Very Good").loc[0, "model"] == "best of Very Good"
    assert repr(run) == "Run('e1'): Succeeded"


def test_without_an_id_it_is_the_newest(tmp_path: Path) -> None:
    finish(tmp_path, "e1", [], started="2026-01-02T00:00:00+00:00")
    finish(tmp_path, "e2", [], started="2026-01-01T00:00:00+00:00")

    assert Run(workspace=tmp_path).execution == "e1"


def test_what_is_not_there_is_said_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ExecutionError, match="nothing has run in the workspace"):
        Run(workspace=tmp_path)
    finish(tmp_path, "e1", None, models={"Very Good": model()})

    with pytest.raises(ExecutionError, match=r"did you mean e1\?"):
        Run("e2", tmp_path)
    with pytest.raises(ExecutionError, match=r"no model 'Very God'; did you mean 'Very Good'\?"):
        Run("e1", tmp_path).leaderboard("Very God")
    with pytest.raises(ExecutionError, match="it is Failed and has published no predictions"):
        Run("e1", tmp_path).predictions()


def test_files_that_are_gone_are_an_error_with_their_place(tmp_path: Path) -> None:
    finish(tmp_path, "e1", [("x", 1.0, "A")])
    for path in tmp_path.rglob("*.parquet"):
        path.unlink()
    for path in tmp_path.rglob("leaderboard.json"):
        path.unlink()

    with pytest.raises(ExecutionError, match="predictions are gone"):
        Run("e1", tmp_path).predictions()
    with pytest.raises(ExecutionError, match=r"left no leaderboard\.json"):
        Run("e1", tmp_path).leaderboard("A")
    with pytest.raises(ExecutionError, match="no settings of postprocess"):
        Run("e1", tmp_path).settings("postprocess")
