"""The short form of `make chaos`: real runs, killed at random moments, end as if nothing had been."""

from __future__ import annotations

from pathlib import Path

import chaos
import pandas as pd
import pytest
from small_pipeline import Project

pytestmark = pytest.mark.slow


def test_runs_killed_at_random_moments_end_with_the_bytes_of_an_undisturbed_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = chaos.main(["--runs", "2", "--kills", "6", "--seed", "1"])

    assert code == 0, capsys.readouterr().out


def test_the_harness_counts_what_is_lost_doubled_or_different(tmp_path: Path) -> None:
    """A run that differs in each way from its reference is found out: the check can fail."""
    project = Project(tmp_path / "run")
    project.make()
    assert project.start_new().wait() == 0, project.said()
    published = project.published()
    reference = chaos.Reference({**published, "predictions/part-00009.parquet": "0"}, 48, 1.0)
    marker = project.markers()[0]
    for path in (marker.parent / "predictions").glob("*.parquet"):
        frame = pd.read_parquet(path)
        pd.concat([frame.iloc[1:], frame.iloc[-1:]]).to_parquet(path)
    (project.workspace / "tmp" / "1-left").touch()
    tally = chaos.Tally()
    chaos.check(project, reference, tally)

    assert dict(tally.found) == {"differences": 2, "lost": 1, "doubled": 1, "left-over temporary files": 1}
