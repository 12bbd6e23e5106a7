from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.settings import Images
from pipelines.versions import ROOT, read_installed, read_locked
from steps.contract import Versions

DIGEST = "@sha256:" + "a" * 64


def test_the_installed_versions_are_those_of_this_environment() -> None:
    found = read_installed()

    assert found is not None
    assert f"autogluon.tabular=={found.autogluon}" in (ROOT / "requirements.lock").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ({}, Versions("1.2.3", "3.11")),
        ({"base": f"mirror.example.com/python:3.12-slim{DIGEST}"}, Versions("1.2.3", "3.12")),
        ({"base": f"debian:bookworm{DIGEST}"}, None),
        ({"autogluon": f"000000000000.dkr.ecr.us-east-1.amazonaws.com/own{DIGEST}"}, None),
    ],
)
def test_the_locked_versions_are_those_of_lock_and_base_image(
    tmp_path: Path, images: dict[str, str], expected: Versions | None
) -> None:
    folder = tmp_path / "containers" / "autogluon"
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text("# x\nautogluon.core==9\nautogluon.tabular==1.2.3\n")
    (folder / "Dockerfile").write_text("ARG BASE=public.example.com/library/python:3.11-slim-bookworm\nFROM ${BASE}\n")

    assert read_locked(Images.model_validate(images), tmp_path) == expected


def test_the_repositorys_own_image_tells_its_versions() -> None:
    assert read_locked(Images()) is not None


def test_a_version_loads_where_autogluon_and_pythons_minor_number_are_the_same() -> None:
    here = Versions("1.6.3", "3.11.7")

    assert here.loads(Versions("1.6.3", "3.11.99"))
    assert not here.loads(Versions("1.6.3", "3.1.7"))
    assert not here.loads(Versions("1.6.2", "3.11.7"))
    assert str(here) == "AutoGluon 1.6.3 and Python 3.11"
    assert Versions.of({"autogluon_version": "1.6.3", "python_version": ""}) is None
