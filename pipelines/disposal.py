"""Removes what a collection names: the one place that takes files away from a workspace.

A cut-off in the middle leaves nothing half-usable: cache entries go before the outputs they name, and a folder is
renamed into the trash before its files go, which the next removal then empties.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from pipelines.collection import ENTRY, MEMO, TRASH, Removal
from pipelines.errors import WorkspaceError
from pipelines.inventory import DEBUG_DIR, EXECUTIONS_DIR, OUTBOX_DIR, TRASH_DIR
from pipelines.memo import MEMO_DIR
from steps import contract

_FOLDERS = (EXECUTIONS_DIR, OUTBOX_DIR, DEBUG_DIR, TRASH_DIR, "cache")
_BELOW_PREFIX = (EXECUTIONS_DIR, "code", "settings", contract.MANIFESTS_DIR)


def dispose(removals: Iterable[Removal], root: Path) -> None:
    """Remove items, in the order given.

    Raises:
        WorkspaceError: an item lies where nothing may be removed, or cannot be.
    """
    trash = root / TRASH_DIR
    chosen = list(removals)
    for removal in chosen:
        _check(removal.item.path, root)
    for folder in sorted({trash, *(removal.item.path.parent for removal in chosen)}):
        _check_unlinked(folder, root)
    try:
        for removal in chosen:
            _take_away(removal, trash)
        if trash.is_dir():
            shutil.rmtree(trash)
    except OSError as error:
        raise WorkspaceError(f"{error.filename}: cannot be removed ({error.strerror}); run --gc again") from error


def _take_away(removal: Removal, trash: Path) -> None:
    path = removal.item.path
    if removal.item.kind in (ENTRY, MEMO):
        path.unlink(missing_ok=True)
    elif removal.item.kind != TRASH:
        trash.mkdir(exist_ok=True)
        path.rename(trash / f"{path.name}-{os.urandom(8).hex()}")


def _check(path: Path, root: Path) -> None:
    parts = path.relative_to(root).parts if path.is_relative_to(root) else ()
    own = len(parts) == 2 and parts[0] in _FOLDERS
    memo = len(parts) == 4 and parts[:2] == ("cache", MEMO_DIR)
    below = len(parts) > 4 and parts[0] == "s3" and parts[3] in _BELOW_PREFIX
    if not (own or memo or below):
        raise WorkspaceError(f"{path}: nothing may be removed there; this is a mistake of --gc, nothing was removed")


def _check_unlinked(folder: Path, root: Path) -> None:
    """Refuse to remove what lies in a folder that a link leads to: it is not the workspace's own."""
    if folder.resolve() != root.resolve() / folder.relative_to(root):
        raise WorkspaceError(
            f"{folder}: is reached through a link, behind which --gc removes nothing; put the folder itself there; "
            "nothing was removed"
        )
