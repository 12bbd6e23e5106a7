"""Models that share jobs predict what those with jobs of their own do, fresh ones and defaults, on one core or two."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import pytest
from user_project import Project, Run, make_rows

pytestmark = pytest.mark.slow

SEGMENTS = ("A a", "B", "C/c", "D", "E", "日本")
APART, TWO_JOBS, ONE_JOB = 50, 20, 17
"""Step ceilings for six models: a job each, two shards, one shard."""


def configure(project: Project, ceiling: int, **changes: object) -> None:
    training = {"hyperparameters": {"GBM": {"num_boost_round": 30}, "XGB": {"n_estimators": 30}}}
    project.configure(training=training, rest="fail", step_ceiling=ceiling, **changes)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("shards"))
    made.write("train.csv", make_rows(1200, 1, SEGMENTS))
    made.write("predict.csv", make_rows(120, 2, SEGMENTS, first=10_000).drop(columns="y"))
    return made


@pytest.fixture(scope="module")
def apart(project: Project) -> Run:
    configure(project, APART)
    return project.run()


@contextmanager
def cores(count: int) -> Iterator[None]:
    """Let what is started in here run on so many cores of this machine."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:count]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def jobs(run: Run, prefix: str = "Train-") -> list[str]:
    return sorted(run.statuses(prefix))


def maes(run: Run) -> dict[str, float]:
    assert run.result is not None, run.stderr
    return {name: model["mae"] for name, model in run.result["models"].items()}


@pytest.mark.parametrize(("ceiling", "used"), [(TWO_JOBS, 1), (TWO_JOBS, 2), (ONE_JOB, 2), (APART, 1)])
def test_fresh_models_predict_the_same_in_one_or_many_jobs_on_one_or_two_cores(
    project: Project, apart: Run, ceiling: int, used: int
) -> None:
    configure(project, ceiling)

    with cores(used):
        run = project.run("--no-cache")

    assert (apart.code, run.code) == (0, 0), run.stderr
    assert len(jobs(apart)) == len(SEGMENTS)
    assert jobs(run) == {TWO_JOBS: ["Train-shard-01", "Train-shard-02"], ONE_JOB: ["Train-shard-01"]}.get(
        ceiling, jobs(apart)
    )
    assert maes(run) == maes(apart)
    pd.testing.assert_frame_equal(run.predictions(), apart.predictions(), check_exact=True)


def test_an_unchanged_shard_is_not_trained_again(project: Project, apart: Run) -> None:
    configure(project, TWO_JOBS)
    assert apart.code == project.run().code == 0

    again = project.run()

    assert all(cached for _, cached in again.statuses("Train-").values())


def test_defaults_and_fresh_models_of_a_shard_predict_what_they_do_apart(project: Project, apart: Run) -> None:
    for name in SEGMENTS[:4]:
        assert project.registry("approve", name).returncode == 0
    ratio = sorted(maes(apart).values())[2]
    gate, fallback = {"mae": ratio}, {"policy": "per_model", "on_missing_default": "skip"}

    configure(project, APART, gate=gate, fallback=fallback)
    expected = project.run()
    configure(project, TWO_JOBS, gate=gate, fallback=fallback)
    run = project.run()

    assert jobs(run, "InferFallback-") == ["InferFallback-shard-01", "InferFallback-shard-02"]
    assert {"fresh", "default"} <= set(run.served().values())
    assert run.served() == expected.served()
    assert run.code == expected.code
    pd.testing.assert_frame_equal(run.predictions(), expected.predictions(), check_exact=True)


def test_a_segment_that_fails_takes_no_other_of_its_shard_with_it(project: Project, apart: Run) -> None:
    assert apart.code == 0
    rows = make_rows(1200, 1, SEGMENTS)
    rows.loc[rows["origin"] == "D", "y"] = 1.0
    project.write("train.csv", rows)
    configure(project, ONE_JOB, fallback={"policy": "per_model", "on_missing_default": "fail"})

    run = project.run()

    assert run.code == 0, run.stderr
    assert run.served()["D"] == "default"
    assert run.served()["E"] == "fresh"
