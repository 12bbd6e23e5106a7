"""What may have happened to a workspace with one finished execution and one registered model, by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

EXECUTION = "20260101-000000-aaaa"


def _file(workspace: Path, name: str) -> Path:
    return workspace / "executions" / EXECUTION / name


def _edit(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def _log(workspace: Path) -> Path:
    return _file(workspace, "events.jsonl")


def _lines(workspace: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    log = _log(workspace)
    log.write_bytes(b"\n".join(change(log.read_bytes().split(b"\n"))))


def nothing(workspace: Path) -> None:
    assert _log(workspace).is_file()


def torn_last_line(workspace: Path) -> None:
    content = _log(workspace).read_bytes()
    _log(workspace).write_bytes(content + b'{"execution": "Fai')


def damaged_middle_line(workspace: Path) -> None:
    _lines(workspace, lambda lines: [lines[0], b"SECRET-1234" + lines[1][11:], *lines[2:]])


def line_of_nul(workspace: Path) -> None:
    _lines(workspace, lambda lines: [lines[0], b"\0" * 100, *lines[2:]])


def line_a_list(workspace: Path) -> None:
    _lines(workspace, lambda lines: [lines[0], b"[1]", *lines[1:]])


def line_a_number(workspace: Path) -> None:
    _lines(workspace, lambda lines: [b"5", *lines])


def line_nested_deeply(workspace: Path) -> None:
    _lines(workspace, lambda lines: [lines[0], b"[" * 100_000, *lines[1:]])


def line_without_time(workspace: Path) -> None:
    _lines(workspace, lambda lines: [b'{"execution": "Started"}', *lines[1:]])


def line_without_status(workspace: Path) -> None:
    _lines(workspace, lambda lines: [lines[0], b'{"step": "Prepare", "at": 1.0}', *lines[1:]])


def record_of_other_keys(workspace: Path) -> None:
    line = b'{"step": "Prepare", "status": "Succeeded", "at": 1.0, "record": {"files": [], "nmae": "SECRET-1234"}}'
    _lines(workspace, lambda lines: [lines[0], line, *lines[1:]])


def time_a_text(workspace: Path) -> None:
    _lines(workspace, lambda lines: [json.dumps({**json.loads(lines[0]), "at": "soon"}).encode(), *lines[1:]])


def log_empty(workspace: Path) -> None:
    _log(workspace).write_bytes(b"")


def log_gone(workspace: Path) -> None:
    _log(workspace).unlink()


def log_a_folder(workspace: Path) -> None:
    _log(workspace).unlink()
    _log(workspace).mkdir()


def request_gone(workspace: Path) -> None:
    _file(workspace, "request.json").unlink()


def request_cut_off(workspace: Path) -> None:
    path = _file(workspace, "request.json")
    path.write_text(path.read_text()[:40])


def request_a_list(workspace: Path) -> None:
    _file(workspace, "request.json").write_text("[]")


def request_nested_deeply(workspace: Path) -> None:
    _file(workspace, "request.json").write_text("[" * 100_000)


def request_with_another_key(workspace: Path) -> None:
    _edit(_file(workspace, "request.json"), lambda found: {**found, "colour": "blue"})


def request_of_other_types(workspace: Path) -> None:
    _edit(_file(workspace, "request.json"), lambda found: {**found, "config": 5, "raw": None, "parameters": [1]})


def request_without_a_time(workspace: Path) -> None:
    _edit(_file(workspace, "request.json"), lambda found: {**found, "started": "yesterday"})


def definition_gone(workspace: Path) -> None:
    _file(workspace, "definition.json").unlink()


def definition_cut_off(workspace: Path) -> None:
    path = _file(workspace, "definition.json")
    path.write_text(path.read_text()[:40])


def execution_a_file(workspace: Path) -> None:
    shutil.rmtree(workspace / "executions" / EXECUTION)
    (workspace / "executions" / EXECUTION).write_text("SECRET-1234")


def no_executions(workspace: Path) -> None:
    shutil.rmtree(workspace / "executions")


def executions_a_file(workspace: Path) -> None:
    no_executions(workspace)
    (workspace / "executions").write_text("SECRET-1234")


def _package(workspace: Path) -> Path:
    return next((workspace / "registry").glob("*/1.json"))


def package_cut_off(workspace: Path) -> None:
    path = _package(workspace)
    path.write_text(path.read_text()[:40])


def package_a_list(workspace: Path) -> None:
    _package(workspace).write_text('["SECRET-1234"]')


def package_with_another_key(workspace: Path) -> None:
    _edit(_package(workspace), lambda found: {**found, "colour": "SECRET-1234"})


def package_of_other_types(workspace: Path) -> None:
    _edit(_package(workspace), lambda found: {**found, "created": 5, "metadata": None})


def package_nested_deeply(workspace: Path) -> None:
    _package(workspace).write_text("[" * 100_000)


def package_a_folder(workspace: Path) -> None:
    path = _package(workspace)
    path.unlink()
    path.mkdir()


def group_cut_off(workspace: Path) -> None:
    _package(workspace).with_name("group.json").write_text("{")


def group_a_list(workspace: Path) -> None:
    _package(workspace).with_name("group.json").write_text("[1]")


def digests_cut_off(workspace: Path) -> None:
    _write_digests(workspace, '{"/x": [1, 2')


def digests_a_list(workspace: Path) -> None:
    _write_digests(workspace, "[1]")


def digests_nested_deeply(workspace: Path) -> None:
    _write_digests(workspace, "[" * 100_000)


def digests_too_short(workspace: Path) -> None:
    path = workspace / "cache" / "raw-digests.json"
    _edit(path, lambda found: {name: entry[:3] for name, entry in found.items()})


def digest_a_number(workspace: Path) -> None:
    path = workspace / "cache" / "raw-digests.json"
    _edit(path, lambda found: {name: [*entry[:3], 5] for name, entry in found.items()})


def _write_digests(workspace: Path, text: str) -> None:
    (workspace / "cache" / "raw-digests.json").write_text(text)


def cache_a_file(workspace: Path) -> None:
    shutil.rmtree(workspace / "cache")
    (workspace / "cache").write_text("SECRET-1234")


def workspace_a_file(workspace: Path) -> None:
    shutil.rmtree(workspace)
    workspace.write_text("SECRET-1234")
