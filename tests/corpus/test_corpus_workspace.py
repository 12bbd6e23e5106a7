"""Damaged workspaces: a command says which file, and takes nothing for good that is not."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import workspace_makers
from corpus_case import Answer, Case, check, each_case, files_in
from local_definitions import Lab, processing
from test_corpus_cache import Writer

from lambda_trigger.folders import local_ports
from lambda_trigger.ports import ModelGroup, NewPackage
from pipelines import registry, run
from pipelines.local.workspace import Workspace
from pipelines.origin import Origin

CONFIG = "pipeline: {name: flights}\ndata: {label: y, id: id}\nmodels: [{name: EWR, where: {region: EWR}}]\n"


@pytest.fixture
def workspace(tmp_path: Path, raw: Path, command: Callable[..., Answer]) -> Path:
    """Return a workspace with a finished execution, a registered model and known digests of the raw files."""
    root, execution = tmp_path / "ws", workspace_makers.EXECUTION
    (tmp_path / "config.yml").write_text(CONFIG)
    Lab(root, launcher=Writer()).run([processing("Prepare", outputs=["out"])], execution_id=execution)
    facts = {"pipeline": "flights", "bucket": "b", "config": str(tmp_path / "config.yml"), "environment": None}
    more = {"started": "2026-01-01T00:00:00+00:00", "parameters": {}, "threshold": None}
    request = Origin(execution=execution, raw=str(raw), **facts, **more).to_json()
    (root / "executions" / execution / "request.json").write_text(request)
    models = local_ports(root, Workspace(root, {}).path, io.StringIO()).registry
    models.ensure_group(ModelGroup("flights-EWR", "flights", "EWR"))
    models.register(NewPackage("flights-EWR", "Approved", "s3://b/m", "image", "token", {"sha256": "a"}))
    assert give(command, tmp_path, "--print-version", "--raw", str(raw)).exit == 0
    return root


def give(command: Callable[..., Answer], folder: Path, *words: str) -> Answer:
    main = registry.main if words[0] in ("list", "approve") else run.main
    config = [] if words[0].startswith("--") and "--raw" not in words else ["--config", folder / "config.yml"]
    return command("--local", *config, "--workspace", folder / "ws", *words, main=main)


@each_case("workspace")
def test_a_damaged_workspace_is_noticed(
    case: Case, command: Callable[..., Answer], workspace: Path, tmp_path: Path
) -> None:
    getattr(workspace_makers, case.given["make"])(workspace)
    before = files_in(workspace) if workspace.is_dir() else {}
    words = [word.replace("RAW", str(tmp_path / "raw")) for word in case.given["words"]]

    check(case, give(command, tmp_path, *words))

    made = (files_in(workspace) if workspace.is_dir() else {}).keys() - before.keys()
    assert {path for path in made if not path.endswith("/lock") and "raw-digests" not in path} == set()
