"""Malformed raw files: a run says which file, column and row, and shows no cell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import raw_makers
import yaml
from corpus_case import SECRET, Case, check, each_case, published_in, read_cases
from raw_flow import follow

from pipelines.settings import validate

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG = {"data": {"label": "y", "id": "id"}, "models": {"by": "region"}, "rest": "pooled"}


@each_case("raw")
def test_malformed_raw_files_are_refused(
    case: Case, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(case, raw)
    config = validate({**CONFIG, **case.given.get("config", {})}, "config.yml")

    check(case, follow(config, raw, tmp_path, monkeypatch))

    assert published_in(tmp_path) == []


def spoil(case: Case, raw: Path) -> None:
    """Put a case's file in place of a good one, or do to the folder what the case says."""
    if case.file:
        shutil.copy(case.path, raw / f"{case.given.get('role', 'train')}.csv")
    else:
        getattr(raw_makers, case.given["make"])(raw)


WHOLE = ("mixed cells", "parquet damaged inside", "prediction of another type", "name beyond utf 8", "no header")


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in read_cases("raw") if c.id in WHOLE], ids=lambda case: case.id)
def test_the_command_says_the_same_as_the_steps(case: Case, raw: Path, tmp_path: Path) -> None:
    spoil(case, raw)
    (tmp_path / "config.yml").write_text(yaml.safe_dump({**CONFIG, **case.given.get("config", {})}))
    command = [sys.executable, "-m", "pipelines.run", "--local", "--config", str(tmp_path / "config.yml")]
    words = ["--raw", str(raw), "--workspace", str(tmp_path / "ws")]
    done = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)

    shown = " ".join((done.stderr + done.stdout).split())  # the table of results wraps long messages
    assert done.returncode == case.exit, shown
    assert [part for part in case.says if part not in shown] == []
    assert [word for word in ("Traceback", SECRET) if word in shown] == []
    assert published_in(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_refused(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (raw / "train.csv").chmod(0)

    answer = follow(validate(CONFIG, "config.yml"), raw, tmp_path, monkeypatch)

    assert answer.exit == 2
    assert "train.csv: cannot be read (no permission); let this user read it, or take it away" in answer.shown
