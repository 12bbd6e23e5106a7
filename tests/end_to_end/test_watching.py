"""A watcher that runs as a user runs it serves each writing of a marker once, across TERM and kill -9."""

from __future__ import annotations

from pathlib import Path

import pytest
from watch_soak import Counts, soak

pytestmark = pytest.mark.slow


def test_each_writing_of_a_marker_is_served_once_across_a_restart_and_a_kill(tmp_path: Path) -> None:
    counts = soak(tmp_path, markers=4, rewritten=2, seed=1)

    assert counts == Counts(dropped=6, served=6, doubled=0, lost=0, refused=0, restarts=2, codes=(0, 0))
    assert counts.is_clean
    outbox = tmp_path / "ws/outbox"
    assert sum(1 for _ in outbox.glob("*/*-finished.txt")) >= 6
