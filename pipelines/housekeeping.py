"""`--gc`: shows what no kept execution of a workspace needs, asks, and removes it."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

from pipelines import collection, inventory, local_executions, runs_page, textgrid
from pipelines.collection import Collection
from pipelines.disposal import dispose
from pipelines.errors import SettingsError
from pipelines.local.durable import lock_workspace
from pipelines.local.workspace import Workspace

KEEP = 10
"""Executions that stay unless --keep says otherwise."""
Ask = Callable[[str], str | None]
"""Asks a person; None where there is nobody."""


def ask_terminal(question: str) -> str | None:
    """Return what a person at the terminal answers."""
    if not sys.stdin.isatty():
        return None
    print(question, end="", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline()


def collect(arguments: argparse.Namespace, ask: Ask = ask_terminal) -> int:
    """List what can go, and remove it where --yes or a person says so; return the exit code.

    Raises:
        SettingsError: --keep is below 1, or there is no such workspace.
        ExecutionError: an execution is at work in the workspace.
    """
    keep = KEEP if arguments.keep is None else arguments.keep
    if keep < 1:
        raise SettingsError(f"--keep {keep}: give the number of executions that stay, 1 or more")
    if not arguments.workspace.is_dir():
        raise SettingsError(f"--workspace {arguments.workspace}: there is no such workspace; nothing to remove")
    workspace = local_executions.open_workspace(arguments.workspace)
    with lock_workspace(workspace.root, "--gc"):
        found = collection.collect(inventory.take_inventory(workspace), keep)
        if not arguments.json:
            sys.stdout.write(as_table(found))
        agreed = bool(found.removals) and _is_agreed(arguments, ask)
        if agreed:
            dispose(found.removals, workspace.root)
        _refresh_page(workspace)
    sys.stdout.write(as_json(found, removed=agreed) if arguments.json else _say_end(found, agreed))
    return 0


def _refresh_page(workspace: Workspace) -> None:
    """Bring `runs.html` up to date, where there is one: what is gone, and what was killed; no matter if that fails."""
    if (workspace.root / runs_page.PAGE_FILE).exists():
        with contextlib.suppress(OSError):
            runs_page.refresh(workspace)


def _is_agreed(arguments: argparse.Namespace, ask: Ask) -> bool:
    if arguments.yes or arguments.json:
        return bool(arguments.yes)
    answer = ask("remove it? [y/N] ")
    return answer is not None and answer.strip().lower() in ("y", "yes")


def as_table(found: Collection) -> str:
    """Return what goes: kinds with numbers and bytes, then the executions by their ID."""
    if not found.removals:
        return f"{len(found.kept)} executions stay; there is nothing to remove\n"
    rows = [("what", "number", "files", "size")]
    rows += [(kind, str(n), str(files), _size(size)) for kind, n, files, size in collection.count(found.removals)]
    gone = [removal.item.owner for removal in found.removals if removal.item.kind == collection.EXECUTION]
    lines = [*textgrid.lines(rows, right=(1, 2, 3)), ""]
    lines += [f"executions that go: {', '.join(gone)}"] if gone else []
    lines += [f"{name} stays: {why}" for name, why in found.kept.items() if not why.startswith("is one of")]
    return "\n".join([*lines, f"{len(found.kept)} executions stay; {_size(found.freed)} would be free"]) + "\n"


def _say_end(found: Collection, agreed: bool) -> str:
    if agreed:
        return f"removed; {_size(found.freed)} are free\n"
    return "nothing was removed; to remove it without being asked, add --yes\n" if found.removals else ""


def as_json(found: Collection, *, removed: bool) -> str:
    """Return what goes and what stays as one JSON object."""
    content: dict[str, Any] = {
        "removed": removed,
        "bytes": found.freed,
        "kept": dict(found.kept),
        "items": [
            {
                "kind": removal.item.kind,
                "path": str(removal.item.path),
                "files": len(removal.item.links),
                "bytes": removal.item.size,
                "reason": removal.why,
            }
            for removal in found.removals
        ],
    }
    return json.dumps(content, ensure_ascii=False) + "\n"


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"
