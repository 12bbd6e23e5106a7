"""Copies what an execution published into a folder of one's own: whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from pipelines.errors import ExecutionError, SettingsError
from steps import contract

Fill = Callable[[Path], Mapping[str, int]]
"""Writes the files into a folder; returns the size that each of them must have, by its path in the folder."""


def fetch(name: str, parent: Path, fill: Fill) -> Path:
    """Return the folder `name` below `parent`, filled; it appears when every file is there in full.

    Raises:
        SettingsError: it is there already, or cannot be made.
        ExecutionError: a file is missing or cut short.
    """
    target = parent / name
    if target.exists():
        raise SettingsError(f"{target}: is there already; remove it, or give another folder with --to DIR")
    temporary = parent / f".{name}.{os.getpid()}"
    try:
        temporary.mkdir(parents=True)
        _check(temporary, fill(temporary), name)
        temporary.replace(target)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError(f"{target}: cannot be written ({reason}); give another folder with --to DIR") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _check(folder: Path, sizes: Mapping[str, int], name: str) -> None:
    """Refuse a folder that is not what was published: PostProcess writes its marker last."""
    if not {contract.SUCCESS_FILE, contract.DEGRADED_FILE} & set(sizes):
        raise ExecutionError(
            f"{name}: nothing is published whole, there is neither {contract.SUCCESS_FILE} nor {contract.DEGRADED_FILE}"
        )
    wrong = [file for file, size in sizes.items() if not _is_whole(folder / file, size)]
    if wrong:
        raise ExecutionError(*(f"{name}/{file}: is not {sizes[file]} bytes long; fetch again" for file in wrong))


def _is_whole(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
