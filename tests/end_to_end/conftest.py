"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from user_project import Project, make_rows


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.configure()
    made.write("train.csv", make_rows(600, 1))
    made.write("predict.csv", make_rows(90, 2, first=10_000).drop(columns="y"))
    return made
