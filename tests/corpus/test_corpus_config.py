"""Malformed config files: every command refuses them before anything is read or made."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from corpus_case import SECRET, Answer, Case, check, each_case

from pipelines import compile as compiling
from pipelines import registry


@each_case("config")
def test_a_malformed_config_is_refused(case: Case, command: Callable[..., Answer], tmp_path: Path) -> None:
    path = _place(case, tmp_path)
    overlay = ("--env", case.given["env"]) if "env" in case.given else ()
    workspace = tmp_path / "ws"

    check(case, command("--local", "--config", path, "--raw", tmp_path, "--workspace", workspace, *overlay))

    assert not workspace.exists()
    assert not case.secret or SECRET in path.read_text(encoding="utf-8")


def _place(case: Case, folder: Path) -> Path:
    """Return the path of the case's config, in a folder where nobody else's files give hints."""
    for source in case.path.parent.glob(f"{case.path.stem}*.yml") if case.file else ():
        shutil.copy(source, folder / source.name)
    if "bytes" in case.given:
        (folder / "config.yml").write_bytes(case.given["bytes"].encode("latin-1"))
    if case.given.get("make") == "folder":
        (folder / "config.yml").mkdir()
    if case.given.get("make") == "data file":
        (folder / "config.yml").write_text("1,2,3\n" * 1_000_000)
    return folder / (case.file or "config.yml")


def test_every_command_says_the_same(command: Callable[..., Answer], tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("data: {label: y, id: id}\nmodles: {by: region}\n")
    problems = [f"{path}: models: missing; this setting has no default", f"{path}: modles: unknown key"]

    for main, words in [(compiling.main, []), (registry.main, ["--local", "list"])]:
        answer = command("--config", path, *words, main=main)

        assert answer.exit == 2
        assert [problem for problem in problems if problem not in answer.shown] == []
        assert len(answer.shown.splitlines()) == 2
