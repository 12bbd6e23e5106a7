"""That forks of a process with AutoGluon and its learners imported neither hang nor learn anything else: by many."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import prepared_rows
import psutil
import pytest

from steps import fitting, job, trial, warm
from steps.train import Launch

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux only")]
LEARNERS: tuple[dict[str, dict[str, int]], ...] = (
    {"GBM": {"num_boost_round": 20}},
    {"XGB": {"n_estimators": 20}},
    {"CAT": {"iterations": 20}},
    {"RF": {"n_estimators": 20}},
    {
        "GBM": {"num_boost_round": 20},
        "XGB": {"n_estimators": 20},
        "CAT": {"iterations": 20},
        "RF": {"n_estimators": 20},
    },
)
FORKS = 30
SIDE_BY_SIDE = 4
GUARD = trial.Guard(240, 60)


def fit(tree: prepared_rows.Tree, folder: Path, learners: Any, threads: int, launch: Launch) -> dict[str, Any]:
    """Return what a fit found out about the model, without what hangs on time (importances do: they have a budget)."""
    model = {"name": "<EWR>", "slug": "EWR", "training": {**tree.training, "hyperparameters": learners}}
    settings = {"label": prepared_rows.LABEL, "id": prepared_rows.ID, "categories": ["code"]}
    request = fitting.Request.of(model, settings, str(tree.input("prepared", "EWR")), 120, threads)
    folder.mkdir()
    fitting.write_request(folder, request)
    assert launch(folder, GUARD, trial.child_environment(os.environ, threads)) == trial.Outcome(trial.TRAINED)
    found = fitting.result_dir(folder, "evaluation")
    evaluation = job.read_json(found / "evaluation.json")
    board = job.read_json(found / "leaderboard.json")
    return {
        "metrics": evaluation["regression_metrics"],
        "models": sorted((entry["model"], entry["holdout_mae"], entry["score_val"]) for entry in board),
        "predictions": (found / "holdout_predictions.parquet").read_bytes(),
    }


@pytest.mark.parametrize("threads", [1, 2])
def test_many_forks_side_by_side_all_end_with_what_a_process_of_its_own_finds(tmp_path: Path, threads: int) -> None:
    tree = prepared_rows.Tree(tmp_path)
    tree.prepared("EWR", prepared_rows.table(300), prepared_rows.table(60, seed=1, first=300))

    def fitted(number: int, launch: Launch) -> dict[str, Any]:
        folder = tmp_path / f"{launch.__qualname__}-{number}"
        return fit(tree, folder, LEARNERS[number % len(LEARNERS)], threads, launch)

    expected = [fitted(number, trial.run) for number in range(len(LEARNERS))]
    others = set(psutil.Process().children())  # of tests before this one: a resource tracker stays
    with warm.Warm() as forks, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        assert fitted(0, forks.run) == expected[0]
        (server,) = set(psutil.Process().children()) - others
        before = server.num_threads()
        found = list(pool.map(lambda number: fitted(number, forks.run), range(1, FORKS)))
        assert found == [expected[number % len(LEARNERS)] for number in range(1, FORKS)]
        assert server.num_threads() <= before  # it has imported and forked, and done nothing else
