"""The raw folder of a run on AWS: which files it holds, which of them are data, and what is wrong with them.

`choose` is pure and follows the rules that a run on one machine follows (`pipelines.rawdata`); only `read` lists.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from lambda_trigger.ports import ObjectStore
from steps import contract
from steps.contract import DataFile

TRAIN, PREDICT = "train", "predict"
VERSIONS = {TRAIN: contract.TRAIN_DATA_VERSION, PREDICT: contract.PREDICT_DATA_VERSION}
"""The pipeline parameter that carries the version of each role's files."""
HINTED, COMPARED = 3, 500
"""Missing files for which a similar name is looked for, and names that each is compared with."""
SHOWN = 20
"""Files of one kind of problem that a mail names one by one."""


@dataclass(frozen=True)
class RawFolder:
    """The visible files of a raw folder; `is_cut` tells that there are more than may be."""

    uri: str
    files: tuple[DataFile, ...]
    is_cut: bool = False


@dataclass(frozen=True)
class RawData:
    """The data files of a raw folder by role."""

    uri: str
    files: Mapping[str, tuple[DataFile, ...]]

    @property
    def parameters(self) -> dict[str, str]:
        """Return the pipeline parameters that say which data a run is of."""
        versions = {VERSIONS[role]: contract.data_version(files) for role, files in self.files.items()}
        return {contract.RAW_DATA_URI: self.uri, **versions}

    @property
    def manifests(self) -> dict[str, dict[str, str]]:
        """Return the manifest files of each data version."""
        return {contract.data_version(files): contract.manifests(self.uri, files) for files in self.files.values()}


def read(objects: ObjectStore, uri: str, limit: int) -> RawFolder:
    """Return the files of a raw folder that no dot hides, listed no further than one beyond `limit`."""
    files: list[DataFile] = []
    for file in objects.files(uri):
        if contract.is_hidden(file.key):
            continue
        if len(files) == limit:
            return RawFolder(uri, tuple(files), is_cut=True)
        files.append(file)
    return RawFolder(uri, tuple(files))


def choose(
    folder: RawFolder, globs: Mapping[str, Sequence[str]], limit: int, mode: str = contract.FULL
) -> tuple[RawData, list[str]]:
    """Return the data files that the globs name, and every reason why no run of a mode can start from them."""
    roles = VERSIONS if mode == contract.FULL else (PREDICT,)
    chosen = {role: tuple(f for f in folder.files if contract.matches(f.key, globs[role])) for role in roles}
    data = RawData(folder.uri, chosen)
    if folder.is_cut:
        return data, [
            f"{folder.uri}: holds more than {limit} files (max_objects); take away what is no data of this run, "
            "or raise max_objects in the config and deploy"
        ]
    if odd_keys := _odd_keys(chosen):
        return data, odd_keys
    problems = [
        f"{folder.uri}: no file matches data.{role} ({', '.join(globs[role])}); {_there(folder, globs[role])}"
        for role in chosen
        if not chosen[role]
    ]
    both = sorted({f.key for f in chosen.get(TRAIN, ())} & {f.key for f in chosen[PREDICT]})
    problems += _say_files(both, "matches both data.train and data.predict; rename it, or make the globs distinct")
    odd = sorted(
        {f.key for files in chosen.values() for f in files if not f.key.lower().endswith((".csv", ".parquet"))}
    )
    problems += _say_files(odd, "is neither .csv nor .parquet; convert it, take it away, or narrow the glob")
    return data, problems


def _odd_keys(chosen: Mapping[str, Sequence[DataFile]]) -> list[str]:
    """Return what is wrong with the keys of data files, of which a job makes paths on its disk."""
    keys = sorted({file.key for files in chosen.values() for file in files})
    problems = [f"the file name {key!a} {wrong}" for key in keys if (wrong := contract.key_problem(key))]
    return problems[:SHOWN] + _say_rest(problems, "files of such names")


def check_promised(folder: RawFolder, promised: Mapping[str, int | None]) -> list[str]:
    """Return which files that a marker promises are missing or of another size; None stands for any size."""
    sizes = {file.key: file.size for file in folder.files}
    missing = sorted(name for name in promised if name not in sizes)
    hints = [_nearest(name, _beside(name, sizes)) for name in missing[:HINTED]]
    problems = [
        f"files: {name} is not in {folder.uri}{hints[number] if number < HINTED else ''}"
        for number, name in enumerate(missing[:SHOWN])
    ]
    problems += _say_rest(missing, "missing files")
    differing = sorted(n for n, size in promised.items() if n in sizes and size is not None and sizes[n] != size)
    problems += [f"files: {n} has {sizes[n]} bytes, the marker says {promised[n]}" for n in differing[:SHOWN]]
    return problems + _say_rest(differing, "files of another size")


def _say_files(keys: Sequence[str], problem: str) -> list[str]:
    return [f"{key}: {problem}" for key in keys[:SHOWN]] + _say_rest(keys, f"files: each {problem}")


def _say_rest(keys: Sequence[str], kind: str) -> list[str]:
    return [f"and {len(keys) - SHOWN} more {kind}"] if len(keys) > SHOWN else []


def _there(folder: RawFolder, globs: Sequence[str]) -> str:
    keys = [file.key for file in folder.files if not contract.is_marker(file.key)]
    if not keys:
        return "the folder has no files beside the marker"
    listed = ", ".join(keys[:5]) + (" ..." if len(keys) > 5 else "")
    return f"there is {listed}{_nearest(globs[0], keys[:COMPARED])}"


def _beside(name: str, names: Iterable[str]) -> list[str]:
    """Return names of the same sub-folder, few enough to compare: a function has no minute for a hint."""
    place = name.rpartition("/")[0]
    return list(islice((other for other in names if other.rpartition("/")[0] == place), COMPARED))


def _nearest(name: str, names: Mapping[str, object] | Sequence[str]) -> str:
    close = difflib.get_close_matches(name, list(names), 1, 0.4)
    return f"; did you mean {close[0]}?" if close else ""
