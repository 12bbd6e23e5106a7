"""Infer on several instances: what is published is what one instance publishes, whichever of them had which part."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from user_project import SEGMENTS, Project, Run, make_rows

pytestmark = pytest.mark.slow

LARGE = 1_000_001
"""Rows of one segment: a part holds a million at most."""
APART, ONE_JOB = 50, 17
"""Step ceilings for three models: a job each, one shard."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("instances"))
    made.write("train.csv", make_rows(600, 1))
    few = make_rows(120, 2, first=10_000_000)
    rows = pd.concat([few, make_rows(LARGE, 3, SEGMENTS[:1])])
    made.write("predict.parquet", rows.sample(frac=1, random_state=4).drop(columns="y"))
    return made


def run(project: Project, instances: int, ceiling: int = APART) -> Run:
    project.configure(instances={"infer": {"count": instances}}, step_ceiling=ceiling, rest="fail")
    done = project.run()
    assert done.code == 0, done.stderr
    return done


def told(done: Run) -> dict[str, dict[str, object]]:
    """Return what the summary says of each model, without times."""
    assert done.result is not None
    summary = json.loads((Path(str(done.result["predictions"])).parent / "summary.json").read_text(encoding="utf-8"))
    timed = ("seconds", "rows_per_second")
    return {name: {k: v for k, v in m.items() if k not in timed} for name, m in summary["models"].items()}


@pytest.mark.parametrize("ceiling", [APART, ONE_JOB], ids=["a job for each model", "one job"])
def test_two_instances_publish_what_one_does(project: Project, ceiling: int) -> None:
    """One segment has two parts, one for each instance; of the others one instance has none."""
    one, two = run(project, 1, ceiling), run(project, 2, ceiling)

    pd.testing.assert_frame_equal(one.predictions(), two.predictions(), check_exact=True)
    assert len(two.predictions()) == LARGE + 120
    hosts = {path.name for path in project.workspace.rglob("part-00*-00000.parquet")}
    assert hosts >= {"part-001-00000.parquet", "part-002-00000.parquet"}
    one_told, two_told = told(one), told(two)
    assert one_told == two_told
