"""Fixtures of the local engine's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_definitions import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "ws")
