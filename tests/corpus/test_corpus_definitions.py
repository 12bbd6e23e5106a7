"""Malformed definitions: the engine refuses what it could not run as written, before anything is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from corpus_case import Answer, Case, check, each_case

CONFIG = "data: {label: y, id: id}\nmodels: [{name: north, where: {region: north}}]\n"


@each_case("definitions")
def test_a_malformed_definition_is_refused(
    case: Case, command: Callable[..., Answer], raw: Path, tmp_path: Path
) -> None:
    config, workspace = tmp_path / "config.yml", tmp_path / "ws"
    config.write_text(CONFIG)
    words = ("--local", "--config", config, "--raw", raw, "--workspace", workspace)

    check(case, command(*words, "--definition", case.path))

    written = {path.relative_to(workspace).parent.as_posix() for path in workspace.rglob("*") if path.is_file()}
    assert written <= {"cache", "cache/memo/counts"}, "what is known of the raw files, and nothing of an execution"
