"""Malformed model artifacts: none is registered, and nothing of one is unpacked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import archive_makers
from corpus_case import Answer, Case, check, each_case, files_in

from pipelines import registry

CONFIG = "pipeline: {name: flights}\ndata: {label: y, id: id}\nmodels: [{name: EWR, where: {region: EWR}}]\n"


def register(command: Callable[..., Answer], folder: Path) -> Answer:
    (folder / "config.yml").write_text(CONFIG)
    words = ["--local", "--config", folder / "config.yml", "--workspace", folder / "ws"]
    return command(*words, "register", "EWR", folder / "model.tar.gz", main=registry.main)


@each_case("archives")
def test_a_malformed_artifact_is_not_registered(case: Case, command: Callable[..., Answer], tmp_path: Path) -> None:
    getattr(archive_makers, case.given["make"])(tmp_path / "model.tar.gz")

    check(case, register(command, tmp_path))

    assert files_in(tmp_path / "ws") == {}
    assert {path.name for path in tmp_path.iterdir()} <= {"config.yml", "model.tar.gz", "ws"}


def test_the_artifact_that_all_cases_spoil_is_registered(command: Callable[..., Answer], tmp_path: Path) -> None:
    archive_makers.good(tmp_path / "model.tar.gz")

    answer = register(command, tmp_path)

    assert answer.exit == 0, answer.shown
    assert any(path.endswith("model.tar.gz") for path in files_in(tmp_path / "ws"))
