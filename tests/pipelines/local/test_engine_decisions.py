"""What the engine decides is logged at debug, for whoever asks why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from local_definitions import Lab, processing

from pipelines import logs


def test_cores_cache_keys_and_commands_are_told_at_debug(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab = Lab(tmp_path)
    step = processing("Train-a", "write('model/m', 'm')", outputs=["model"], cache=True)
    with logs.opened("debug"):
        lab.run([step])
        first = capsys.readouterr().err
        lab.run([step])
        second = capsys.readouterr().err

    assert re.search(r"engine: Train-a: may start on cores \(\d+", first)
    assert "processing: Train-a: cache key" in first
    assert "not run before in this workspace" in first
    assert re.search(r"processing: Train-a: \d+ core\(s\), python3 -c", first)
    assert re.search(r"Train-a: cache key [0-9a-f]{12}: outputs of execution run-1", second)
    assert " core(s), " not in second


def test_nothing_of_it_is_said_unless_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with logs.opened("info"):
        Lab(tmp_path).run([processing("Train-a")])

    assert capsys.readouterr().err == ""
