"""What the reference says of the files between the steps is what a real run leaves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from reference_files import FILES, Told
from user_project import Project

from steps import contract

pytestmark = pytest.mark.slow
READ_OTHERWISE = {"METADATA_FILE"}
"""Within an archive."""


def test_every_key_in_a_file_of_a_run_is_in_the_reference_and_none_is_made_up(project: Project) -> None:
    project.configure(fallback={"on_missing_default": "skip"})
    project.run()
    assert project.registry("approve", "JFK").returncode == 0
    rejected = project.run("--set", "MaeThreshold=0.001")
    assert rejected.code == 3, rejected.stderr

    described = {name: told for name, told in FILES.items() if told.keys and name not in READ_OTHERWISE}
    found = {name: list(documents(project.folder, getattr(contract, name))) for name in described}
    assert {n: keys(each) for n, each in found.items()} == {n: set(t.keys.split()) for n, t in described.items()}
    assert {n: keys(m for d in found[n] for m in models(d, t)) for n, t in described.items()} == {
        n: set(t.inner.split()) for n, t in described.items()
    }


def documents(folder: Path, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects in all files of a name, those of a list one by one; evaluations only of models that trained."""
    for path in sorted(folder.rglob(name)):
        if "executions" in path.parts or "manifests" in path.parts or name == contract.LATEST_FILE:
            read = json.loads(path.read_text(encoding="utf-8"))
            yield from read if isinstance(read, list) else [read]


def keys(found: Iterable[Mapping[str, Any]]) -> set[str]:
    return set().union(*found)


def models(document: Mapping[str, Any], told: Told) -> list[Mapping[str, Any]]:
    """Return each model's part of a document that has several."""
    return list(document.get("models", {}).values()) if told.inner else []
