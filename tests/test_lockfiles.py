"""The images hold the versions that development and tests use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pins(path: Path) -> dict[str, str]:
    found = re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;]+)", path.read_text(encoding="utf-8"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


@pytest.mark.parametrize("image", ["processing", "autogluon"])
def test_an_image_pins_the_versions_of_the_development_lock(image: str) -> None:
    locked, inside = pins(ROOT / "requirements.lock"), pins(ROOT / "containers" / image / "requirements.txt")

    assert inside
    assert {name: locked.get(name) for name in inside} == inside


def test_every_line_of_the_lock_is_an_exact_version() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if line and not line.startswith("#") and "==" not in line] == []
