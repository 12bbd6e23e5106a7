"""What a workspace holds that may be removed, and what refers to it: the facts that `collection` decides upon.

An I/O seam that reads and changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.collection import (
    CODE,
    DATA,
    DEBUG,
    ENTRY,
    EXECUTION,
    MANIFEST,
    MEMO,
    OUTBOX,
    SETTINGS,
    TRASH,
    Held,
    Inventory,
    Item,
)
from pipelines.errors import PipelineError, WorkspaceError
from pipelines.local import history
from pipelines.local.cache import read_entry
from pipelines.local.replay import FETCHED
from pipelines.local.workspace import Workspace, list_files
from pipelines.memo import MEMO_DIR, read_note
from pipelines.origin import Origin
from pipelines.watch.ledger import read_queued
from steps import contract

EXECUTIONS_DIR, OUTBOX_DIR, DEBUG_DIR, TRASH_DIR = "executions", "outbox", "debug", "trash"
APPROVED = "Approved"
"""Status of a registered version that may serve."""
_OUTPUT = re.compile(rf"s3://[^/]+/[^/]+/{EXECUTIONS_DIR}/([^/]+)(?:/.*)?", re.DOTALL)
_DIGEST = re.compile(r"[0-9a-f]{64}")


def take_inventory(workspace: Workspace) -> Inventory:
    """Return what there is, and who needs it."""
    executions = tuple(_held(workspace, folder) for folder in _folders(workspace.root / EXECUTIONS_DIR))
    return Inventory(executions, tuple(_items(workspace)), dict(_pins(workspace)))


def _held(workspace: Workspace, folder: Path) -> Held:
    """Return what is known of an execution; one whose log cannot be read needs nothing but its own."""
    running = history.is_locked(folder)
    try:
        past = history.read_past(folder)
    except (PipelineError, ValueError, KeyError, TypeError):
        past = None
    origin = _origin(folder)
    sources = {source for source in (past and past.source, origin and origin.source) if source}
    parameters = past.parameters if past else origin.parameters if origin else {}
    records = past.records.values() if past else ()
    told = [
        text for record in records for text in _texts([record.outputs, record.results, [f.uri for f in record.files]])
    ]
    fetched = [text.rstrip("/") for path in (folder / FETCHED).glob("*.json") for text in _texts(_read(path))]
    return Held(
        id=folder.name,
        started=past.first_start if past else _started(folder, origin),
        status=_status(workspace, folder.name) if past else "unfinished",
        running=running,
        uses=frozenset({*sources, *_executions_in([*told, *fetched])}),
        names=_names(folder, [*parameters.values(), *fetched]),
    )


def _status(workspace: Workspace, execution: str) -> str:
    return history.load(workspace, execution).status


def _origin(folder: Path) -> Origin | None:
    try:
        return Origin.read(folder)
    except (OSError, ValueError, TypeError):
        return None


def _started(folder: Path, origin: Origin | None) -> float:
    try:
        return datetime.fromisoformat(origin.started).timestamp() if origin else folder.stat().st_mtime
    except (ValueError, TypeError):
        return folder.stat().st_mtime


def _names(folder: Path, others: Iterable[Any]) -> frozenset[str] | None:
    """Return what a definition names, its sha256, and `others` such as parameters; None where it cannot be read."""
    try:
        text = (folder / history.DEFINITION_FILE).read_bytes()
        definition = json.loads(text)
    except FileNotFoundError:
        return frozenset(map(str, others))
    except (OSError, ValueError, RecursionError):
        return None
    found = (text.rstrip("/") for text in _texts(definition))
    return frozenset({*found, *map(str, others), hashlib.sha256(text).hexdigest()})


def _texts(value: Any) -> Iterator[str]:
    """Yield every text inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _executions_in(texts: Iterable[str]) -> Iterator[str]:
    """Yield the executions below whose folders the URIs among some texts lie."""
    for text in texts:
        if found := _OUTPUT.fullmatch(text):
            yield found[1]


def _pins(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Yield the executions to which the registry, the newest predictions and the queues of watchers refer."""
    for group in _folders(workspace.root / contract.REGISTRY_DIR):
        packages = {int(path.stem): _read(path) for path in group.glob("*.json") if path.stem.isdecimal()}
        for package in packages.values():
            yield from ((name, "the registry") for name in _executions_in(_texts(package)))
        yield from ((name, f"the default model of {group.name}") for name in _trainer(packages))
    for path in (workspace.root / "s3").glob(f"*/*/{contract.PREDICTIONS_DIR}/{contract.LATEST_FILE}"):
        yield from ((name, contract.LATEST_FILE) for name in _executions_in(_texts(_read(path))))
    yield from ((name, "the queue of --watch") for name in read_queued(workspace.root))


def _trainer(packages: Mapping[int, Any]) -> Iterator[str]:
    """Yield the execution that trained the newest approved version: a refresh trains it again from its data."""
    approved = [n for n, found in packages.items() if isinstance(found, dict) and found.get("status") == APPROVED]
    metadata = packages[max(approved)].get("metadata") if approved else None
    if isinstance(metadata, dict) and isinstance(metadata.get("execution"), str):
        yield metadata["execution"]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _items(workspace: Workspace) -> Iterator[Item]:
    root = workspace.root
    yield from (
        _entry(workspace, path) for path in sorted(workspace.cache.glob("*.json")) if _DIGEST.fullmatch(path.stem)
    )
    yield from (_memo(path) for path in sorted((workspace.cache / MEMO_DIR).glob("*/*.json")))
    for kind, name in ((EXECUTION, EXECUTIONS_DIR), (OUTBOX, OUTBOX_DIR), (DEBUG, DEBUG_DIR)):
        yield from (_item(kind, folder, owner=folder.name) for folder in _folders(root / name))
    for folder in _folders(root / TRASH_DIR):
        yield _item(TRASH, folder)
    for bucket in _folders(root / "s3"):
        for prefix in _folders(bucket):
            yield from _objects(workspace, prefix)


def _objects(workspace: Workspace, prefix: Path) -> Iterator[Item]:
    """Yield what lies below the prefix of a pipeline; a folder without bundles is no pipeline's."""
    bundles = {
        kind: [path for group in _folders(prefix / name) for path in _folders(group) if _DIGEST.fullmatch(path.name)]
        for kind, name in ((CODE, "code"), (SETTINGS, "settings"))
    }
    if not any(bundles.values()):
        return
    for kind, paths in bundles.items():
        yield from (_item(kind, path, name=workspace.uri(path)) for path in paths)
    for path in _folders(prefix / contract.MANIFESTS_DIR):
        yield _item(MANIFEST, path, name=path.name)
    for path in _folders(prefix / EXECUTIONS_DIR):
        yield _item(DATA, path, owner=path.name)


def _item(kind: str, path: Path, owner: str = "", name: str = "") -> Item:
    return Item(kind, path, owner, name, links=tuple(_links(path)))


def _memo(path: Path) -> Item:
    note = read_note(path)
    fault = "it cannot be read" if note is None else ""
    return Item(MEMO, path, name=note.name if note else "", fault=fault, links=tuple(_links(path)))


def _entry(workspace: Workspace, path: Path) -> Item:
    entry, links = read_entry(path), tuple(_links(path))
    if entry is None:
        return Item(ENTRY, path, fault="it cannot be read", links=links)
    uris = [file.uri for file in entry.files]
    gone = any(not _is_there(workspace, uri) for uri in uris)
    uses = frozenset(_executions_in([*uris, *entry.outputs.values()]))
    return Item(ENTRY, path, uses=uses, fault="its outputs are gone" if gone else "", links=links)


def _is_there(workspace: Workspace, uri: str) -> bool:
    try:
        return workspace.path(uri).is_file()
    except (WorkspaceError, OSError, ValueError):
        return False


def _links(path: Path) -> Iterator[tuple[int, int, int]]:
    """Yield inode, size and number of links of every file; what a link leads to is not looked at."""
    for file in [path] if path.is_file() else [file for _, file in list_files(path)]:
        try:
            stat = os.lstat(file)
        except FileNotFoundError:
            continue
        yield stat.st_ino, stat.st_size, stat.st_nlink


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []
