"""What a run does again: only what its inputs' bytes have changed for, shown on twelve segments of a file each."""

from __future__ import annotations

from pathlib import Path

import pytest
from user_project import Project, Run, make_rows

pytestmark = pytest.mark.slow

SEGMENTS = tuple(f"S{number:02d}" for number in range(12))
TOUCHED = "S07"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("reuse"))
    made.configure(training={"hyperparameters": {"GBM": {"num_boost_round": 40}}}, rest="fail", output={"csv": True})
    for number, segment in enumerate(SEGMENTS):
        made.write(f"train-{segment}.csv", make_rows(240, number, (segment,), first=1000 * number))
        rows = make_rows(10, 100 + number, (segment,), first=100_000 + 1000 * number)
        made.write(f"predict-{segment}.csv", rows.drop(columns="y"))
    return made


@pytest.fixture(scope="module")
def runs(project: Project) -> tuple[Run, Run, Run]:
    """Return a cold run, one of the same files, and one after a training file of one segment has changed."""
    cold, again = project.run(), project.run()
    number = SEGMENTS.index(TOUCHED)
    project.write(f"train-{TOUCHED}.csv", make_rows(241, 50, (TOUCHED,), first=1000 * number))
    return cold, again, project.run()


def trained(run: Run) -> list[str]:
    return [name for name, (_, cached) in run.statuses("Train-").items() if not cached]


def bytes_of(run: Run) -> dict[str, bytes]:
    assert run.result is not None
    folder = Path(run.result["predictions"])
    return {path.name: path.read_bytes() for path in [*folder.glob("*.parquet"), folder.parent / "predictions.csv"]}


def test_an_unchanged_run_prepares_and_trains_nothing_and_predicts_the_same_bytes(runs: tuple[Run, Run, Run]) -> None:
    cold, again, _ = runs

    assert cold.code == again.code == 0, cold.stderr
    assert len(trained(cold)) == len(SEGMENTS)
    assert trained(again) == []
    assert all(cached for _, cached in again.statuses("Prepare").values())
    assert bytes_of(again) == bytes_of(cold)


def test_one_changed_file_trains_exactly_its_segment_and_leaves_the_others_predictions(
    runs: tuple[Run, Run, Run],
) -> None:
    cold, _, changed = runs
    before, after = cold.predictions(), changed.predictions()
    others = before["model"] != TOUCHED

    assert trained(changed) == [f"Train-{TOUCHED}"]
    assert before[others].equals(after[others])
    assert not before[~others].equals(after[~others])
    assert before["id"].tolist() == after["id"].tolist()


def test_from_post_process_runs_it_and_the_functions_after_it_and_nothing_else(
    project: Project, runs: tuple[Run, Run, Run]
) -> None:
    last = runs[2]
    assert last.result is not None
    again = project.command("run", "--json", "--from", "PostProcess", "--of", last.result["execution"])
    found = Run(again.returncode, None, again.stdout, again.stderr)
    log = [line.split()[1:3] for line in found.stderr.splitlines() if line[2:3] == ":"]
    ran = sorted(name for name, status in log if status == "Succeeded")

    assert again.returncode == 0, again.stderr
    assert ran == ["NotifyFinished", "PostProcess", "RegisterModels"]
