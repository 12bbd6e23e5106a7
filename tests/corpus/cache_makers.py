"""What may have happened to a cache with one entry: done where a case asks for it, by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.local.entry import SEAL, _seal
from pipelines.local.workspace import Workspace


def _entries(workspace: Workspace) -> list[Path]:
    """Return the files of the entry: by its key, and as the newest of its step."""
    return sorted(workspace.cache.rglob("*.json"))


def _write(workspace: Workspace, change: Callable[[bytes], bytes]) -> None:
    for path in _entries(workspace):
        path.write_bytes(change(path.read_bytes()))


def _change(workspace: Workspace, change: Callable[[Any], Any], seal: bool = True) -> None:
    """Change the entry's JSON, and seal it again as somebody would who knows how."""

    def changed(content: bytes) -> bytes:
        found = json.loads(content)
        found.pop(SEAL)
        found = change(found)
        return json.dumps({**found, SEAL: _seal(found) if seal else "0" * 64}).encode()

    _write(workspace, changed)


def _output(workspace: Workspace) -> Path:
    return next((workspace.root / "s3").rglob("part"))


def empty(workspace: Workspace) -> None:
    _write(workspace, lambda _: b"")


def cut_off(workspace: Workspace) -> None:
    _write(workspace, lambda content: content[: len(content) // 2])


def nul_bytes(workspace: Workspace) -> None:
    _write(workspace, lambda content: b"\0" * len(content))


def not_utf_8(workspace: Workspace) -> None:
    _write(workspace, lambda content: content.replace(b"Prepare", b"Pr\xe9pare"))


def a_list(workspace: Workspace) -> None:
    _write(workspace, lambda _: b'["SECRET-1234"]')


def a_number(workspace: Workspace) -> None:
    _write(workspace, lambda _: b"5")


def nested_deeply(workspace: Workspace) -> None:
    _write(workspace, lambda _: b"[" * 100_000)


def endless_number(workspace: Workspace) -> None:
    _write(workspace, lambda _: b'{"sha256": ' + b"9" * 5000 + b"}")


def one_letter_changed(workspace: Workspace) -> None:
    _write(workspace, lambda content: content.replace(b"run-1", b"run-7"))


def without_a_seal(workspace: Workspace) -> None:
    _write(workspace, lambda content: json.dumps({k: v for k, v in json.loads(content).items() if k != SEAL}).encode())


def another_seal(workspace: Workspace) -> None:
    _change(workspace, lambda found: found, seal=False)


def without_files(workspace: Workspace) -> None:
    _change(workspace, lambda found: {key: value for key, value in found.items() if key != "files"})


def files_a_text(workspace: Workspace) -> None:
    _change(workspace, lambda found: {**found, "files": "SECRET-1234"})


def size_a_text(workspace: Workspace) -> None:
    _change(workspace, lambda found: {**found, "files": [{**file, "size": "5"} for file in found["files"]]})


def outputs_a_list(workspace: Workspace) -> None:
    _change(workspace, lambda found: {**found, "outputs": ["out"]})


def output_a_number(workspace: Workspace) -> None:
    _change(workspace, lambda found: {**found, "outputs": {"out": 5}})


def another_key(workspace: Workspace) -> None:
    _change(workspace, lambda found: {**found, "key": "0" * 64})


def another_steps_entry(workspace: Workspace) -> None:
    _change(workspace, lambda found: {**found, "components": {**found["components"], "arguments": ["other"]}})


def execution_outside(workspace: Workspace) -> None:
    _change(workspace, lambda found: {**found, "execution": "../../outside"})


def file_outside(workspace: Workspace) -> None:
    _change(workspace, lambda found: {**found, "files": [{**f, "uri": "s3://bucket/../../x"} for f in found["files"]]})


def file_with_a_nul(workspace: Workspace) -> None:
    _change(workspace, lambda found: {**found, "files": [{**f, "uri": "s3://bucket/a\0b"} for f in found["files"]]})


def output_gone(workspace: Workspace) -> None:
    _output(workspace).unlink()


def output_cut_off(workspace: Workspace) -> None:
    _output(workspace).write_text("who")


def output_of_same_size(workspace: Workspace) -> None:
    _output(workspace).write_text("wrong")


def output_a_folder(workspace: Workspace) -> None:
    path = _output(workspace)
    path.unlink()
    path.mkdir()


def output_a_link_to_itself(workspace: Workspace) -> None:
    path = _output(workspace)
    path.unlink()
    path.symlink_to(path)


def execution_removed(workspace: Workspace) -> None:
    shutil.rmtree(workspace.root / "s3")


def entry_a_link_to_nothing(workspace: Workspace) -> None:
    for path in _entries(workspace):
        path.unlink()
        path.symlink_to(path.with_name("gone"))


def digests_damaged(workspace: Workspace) -> None:
    """The base of known digests is damaged, and the entry is gone with it."""
    for path in workspace.cache.rglob("*"):
        if path.is_file():
            path.write_bytes(b"SECRET-1234" * 10)
