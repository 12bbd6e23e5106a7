"""The raw folder of a run: which files it holds, what they are for, and the data versions made from them.

A folder on this machine is read only to digest its files; a digest is kept with the file's size, time and inode, so
that unchanged files are not read again. On AWS the listing of S3 tells as much, by the same rules.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines import slices
from pipelines.errors import DataError
from pipelines.local.durable import write_atomically
from pipelines.settings import Settings
from steps import contract

RAW_BUCKET = "local-raw"
"""Bucket under which the local engine sees the whole disk, read-only, for raw data."""


_VERSIONS = {"train": contract.TRAIN_DATA_VERSION, "predict": contract.PREDICT_DATA_VERSION}


def roles_of(mode: str) -> tuple[str, ...]:
    """Return what raw files are for in a run of a mode: one that scores only needs none to train on."""
    return slices.ROLES if mode == contract.FULL else ("predict",)


@dataclass(frozen=True)
class RawData:
    """The training and the prediction files of a raw folder, with their versions; `roles` are those that count."""

    uri: str
    train: tuple[contract.DataFile, ...]
    predict: tuple[contract.DataFile, ...]
    roles: tuple[str, ...] = slices.ROLES

    @property
    def versions(self) -> dict[str, str]:
        """Return the data version of each role by the name of its pipeline parameter."""
        return {_VERSIONS[role]: contract.data_version(files) for role, files in self._sets()}

    @property
    def manifests(self) -> dict[str, dict[str, str]]:
        """Return the manifest files of each data version."""
        return {contract.data_version(files): contract.manifests(self.uri, files) for _, files in self._sets()}

    def _sets(self) -> list[tuple[str, tuple[contract.DataFile, ...]]]:
        sets = {"train": self.train, "predict": self.predict}
        return [(role, sets[role]) for role in self.roles]


def read_raw(
    settings: Settings, folder: Path, digests: Path, scratch: Path, roles: tuple[str, ...] = slices.ROLES
) -> RawData:
    """Return the data files of a raw folder with their versions.

    Args:
        settings: tells the globs and how many objects a folder may hold.
        folder: the raw folder.
        digests: file in which digests are kept between runs.
        scratch: folder in which it lies while it is written.
        roles: what files are needed for.

    Raises:
        DataError: the folder is missing, holds too many files, or none for a glob; all problems at once.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such raw folder; give the folder with the raw files with --raw")
    chosen = _choose(settings, str(folder), _visible_keys(folder), roles)
    _check_readable(folder, [key for keys in chosen.values() for key in keys])
    cache = _Digests(digests)
    files = {role: tuple(cache.describe(folder, key) for key in chosen[role]) for role in chosen}
    cache.save(scratch)
    uri = f"s3://{RAW_BUCKET}{folder.resolve().as_posix()}/"
    return RawData(uri, files.get("train", ()), files["predict"], roles)


def read_listing(
    settings: Settings, uri: str, objects: Iterable[contract.DataFile], roles: tuple[str, ...] = slices.ROLES
) -> RawData:
    """Return the data files among the objects below an S3 URI with their versions.

    Args:
        settings: tells the globs and how many objects a folder may hold.
        uri: the raw folder, with a slash at its end.
        objects: what lies below it; read no further than to see that there are too many.
        roles: what files are needed for.

    Raises:
        DataError: there are too many objects, or none for a glob; all problems at once.
    """
    visible = (file for file in objects if not file.key.endswith("/") and not contract.is_hidden(file.key))
    files = {file.key: file for file in itertools.islice(visible, settings.max_objects + 1)}
    chosen = _choose(settings, uri.rstrip("/"), sorted(files), roles)
    sets = {role: tuple(files[key] for key in keys) for role, keys in chosen.items()}
    return RawData(uri, sets.get("train", ()), sets["predict"], roles)


def _choose(settings: Settings, place: str, keys: list[str], roles: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the keys of each role's data files; refuse what no run could read."""
    if len(keys) > settings.max_objects:
        raise DataError(
            f"{place}: holds more files than max_objects: {settings.max_objects}; raise it, or give a folder with fewer"
        )
    globs = {role: slices.data_globs(settings, role) for role in roles}
    chosen = {role: [key for key in keys if contract.matches(key, globs[role])] for role in globs}
    _check_files(place, keys, chosen, globs)
    return chosen


def _visible_keys(folder: Path) -> list[str]:
    """Return the keys of the files below a folder that no dot hides; a link to a folder above is not followed."""
    keys: list[str] = []
    for place, folders, files in os.walk(folder, followlinks=True):
        above = {str(path.resolve()) for path in (Path(place), *Path(place).parents)}
        folders[:] = [n for n in folders if not n.startswith(".") and str((Path(place) / n).resolve()) not in above]
        keys += [(Path(place) / name).relative_to(folder).as_posix() for name in files if not name.startswith(".")]
    return sorted(keys)


def _check_files(folder: str, keys: list[str], chosen: dict[str, list[str]], globs: dict[str, tuple[str, ...]]) -> None:
    chosen_keys = sorted({key for role in chosen for key in chosen[role]})
    problems = [
        f"{folder}: the file name {key!a} {wrong}" for key in chosen_keys if (wrong := contract.key_problem(key))
    ]
    if problems:
        raise DataError(*problems)
    problems = [
        f"{folder}: no file matches data.{role} ({', '.join(globs[role])}); {_there(keys, globs[role])}"
        for role in chosen
        if not chosen[role]
    ]
    problems += [
        f"{folder}/{key}: matches both data.train and data.predict; make the globs distinct"
        for key in sorted(set(chosen.get("train", ())) & set(chosen["predict"]))
    ]
    odd = {key for role in chosen for key in chosen[role] if Path(key).suffix.lower() not in (".csv", ".parquet")}
    problems += [f"{folder}/{key}: is neither .csv nor .parquet; convert it or narrow the glob" for key in sorted(odd)]
    if problems:
        raise DataError(*problems)


def _check_readable(folder: Path, keys: Iterable[str]) -> None:
    """Refuse what no step could read; to pass over it would be to train on fewer rows than are there."""
    problems = [
        f"{folder}/{key}: is no file, or a link to nothing; mend it, or take it away"
        for key in keys
        if not (folder / key).is_file()
    ]
    problems += [
        f"{folder}/{key}: cannot be read (no permission); let this user read it, or take it away"
        for key in keys
        if (folder / key).is_file() and not os.access(folder / key, os.R_OK)
    ]
    if problems:
        raise DataError(*problems)


def _there(keys: list[str], globs: tuple[str, ...]) -> str:
    if not keys:
        return "the folder is empty"
    near = difflib.get_close_matches(globs[0], keys, 1, 0.4)
    listed = ", ".join(keys[:5]) + (" ..." if len(keys) > 5 else "")
    return f"there is {listed}" + (f"; did you mean {near[0]}?" if near else "")


def _is_digest(found: list[object]) -> bool:
    return len(found) == 1 and isinstance(found[0], str)


class _Digests:
    """sha256 of files, kept by path with size, time and inode."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            known = {}
        self.known: dict[str, list[object]] = known if isinstance(known, dict) else {}

    def describe(self, folder: Path, key: str) -> contract.DataFile:
        """Return a file's key, sha256 and size."""
        path = (folder / key).resolve()
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        entry = self.known.get(str(path))
        if not isinstance(entry, list) or entry[:3] != stamp or not _is_digest(entry[3:]):
            with path.open("rb") as file:
                entry = [*stamp, hashlib.file_digest(file, "sha256").hexdigest()]
            self.known[str(path)] = entry
        return contract.DataFile(key, str(entry[3]), stat.st_size)

    def save(self, scratch: Path) -> None:
        """Write the digests for the next run, whole or not at all."""
        write_atomically(self.path, json.dumps(self.known), scratch)
