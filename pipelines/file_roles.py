"""Which files of a raw folder are to train on and which to predict, and the globs that name them. Pure.

Names decide first, what the files hold next: rows to predict lack a column, or have it empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from pipelines import column_names, survey
from pipelines.survey import Column, Facts, File
from steps import contract


@dataclass(frozen=True)
class Roles:
    """The files of each role, those of neither, and why."""

    train: tuple[File, ...]
    predict: tuple[File, ...]
    neither: tuple[File, ...]
    reason: str

    def keys(self, role: str) -> tuple[str, ...]:
        """Return the keys of the files of `train` or `predict`."""
        return tuple(file.key for file in getattr(self, role))


def assign(facts: Facts, label: str | None = None) -> Roles:
    """Return the role of each file; `label` is the column to predict, where somebody has said so."""
    named = {role: [f for f in facts.files if column_names.role_of(f.key) == role] for role in ("train", "predict")}
    silent = [file for file in facts.files if column_names.role_of(file.key) is None]
    train, predict = named["train"], named["predict"]
    if train and predict:
        return _roles(facts, train, predict, "by their names")
    if train:
        found = [file for file in silent if _waits(file, train, label)]
        return _roles(facts, train, found, "by their names" if not found else "by name, and by what they lack")
    if predict:
        found = [file for file in silent if _waits(predict[0], [file], label)]
        found = found or [file for file in silent if set(file.names) >= set(predict[0].names)]
        if found:
            return _roles(facts, found, predict, "by the names of the files to predict")
    return _by_content(facts, label)


def _roles(facts: Facts, train: Sequence[File], predict: Sequence[File], reason: str) -> Roles:
    taken = {file.key for file in (*train, *predict)}
    return Roles(tuple(train), tuple(predict), tuple(f for f in facts.files if f.key not in taken), reason)


def _waits(file: File, train: Sequence[File], label: str | None) -> bool:
    """Tell whether a file has the columns of the training files but for a number, or has that number empty."""
    known = survey.merge(train)
    lacks = [known[name] for name in known if name not in file.names]
    if len(set(file.names) & set(known)) < max(1, len(known) // 2):
        return False
    if label in known:
        column = file.column(label) if label else None
        return column is None or not column.filled
    empty = [known[column.name] for column in file.columns if column.name in known and not column.filled]
    return any(_is_measure(column) for column in (*lacks, *empty))


def _is_measure(column: Column) -> bool:
    """Tell whether a column holds numbers that tell no rows apart, as a label does."""
    is_id = column_names.like_id(column.name) >= 1 or column.is_serial
    return column.kind == survey.NUMBER and not is_id


def _by_content(facts: Facts, label: str | None) -> Roles:
    """Return the roles of files whose names say nothing: the fullest are to train on."""
    fullest = max(facts.files, key=lambda file: (len(_measures(file)), file.rows))
    same = [file for file in facts.files if _measures(file) >= _measures(fullest)]
    if label and any(_has(file, label) for file in facts.files):
        same = [file for file in facts.files if _has(file, label)]
    others = [file for file in facts.files if file not in same]
    predict = [file for file in others if _waits(file, same, label)]
    short = [file for file in others if file not in predict and set(file.names) == set(fullest.names)]
    reason = "by what they hold: rows to predict lack a number that the others have"
    return _roles(facts, [*same, *short], predict, reason if predict else "all files have the same columns filled")


def _measures(file: File) -> set[str]:
    return {column.name for column in file.columns if _is_measure(column)}


def _has(file: File, label: str) -> bool:
    column = file.column(label)
    return column is not None and column.filled > 0


def globs(keys: Sequence[str], every: Iterable[str], role: str) -> tuple[str, ...]:
    """Return globs that name these files and no other of `every`: a pattern where there is one, else their names."""
    every = list(every)
    for glob in _patterns(keys, role):
        if [key for key in every if contract.matches(key, [glob])] == [key for key in every if key in set(keys)]:
            return (glob,)
    return tuple(literal(key) for key in sorted(keys))


def _patterns(keys: Sequence[str], role: str) -> list[str]:
    names = [key.rpartition("/")[2] for key in keys]
    folders = {key.rpartition("/")[0] for key in keys}
    stems, suffixes = [name.rpartition(".")[0] for name in names], {name.rpartition(".")[2] for name in names}
    prefix = re.sub(r"[\W\d_]+$", "", _shared(stems))
    found = [f"{role}*", f"{role}*.csv", f"{role}*.parquet"]
    if len(prefix) > 1:
        found += [f"{literal(prefix)}*", *(f"{literal(prefix)}*.{suffix}" for suffix in suffixes if len(suffixes) == 1)]
    if len(folders) == 1 and (folder := folders.pop()):
        found += [f"{literal(folder)}/*"]
    tail = re.search(r"[^\W\d_]+\.\w+$", _shared([name[::-1] for name in names])[::-1])
    found += [f"*{literal(tail[0])}"] if tail and len(keys) > 1 else []
    return found


def _shared(names: Sequence[str]) -> str:
    """Return the characters with which all names begin."""
    return "".join(letters[0] for letters in takewhile(lambda found: len({*found}) == 1, zip(*names, strict=False)))


def literal(name: str) -> str:
    """Return the glob that names one file only."""
    return re.sub(r"([*?[])", r"[\1]", name)


def pairs(roles: Roles) -> dict[str, tuple[list[str], list[str]]]:
    """Return the training and prediction files by what their names say besides their role: product lines, plants.

    Empty where that does not tell every file's partner.
    """
    found: dict[str, tuple[list[str], list[str]]] = {}
    for n, role in enumerate(("train", "predict")):
        for key in roles.keys(role):
            found.setdefault(_topic(key), ([], []))[n].append(key)
    whole = len(found) > 1 and all(
        topic and train and (test or not roles.predict) for topic, (train, test) in found.items()
    )
    return dict(sorted(found.items())) if whole else {}


def _topic(key: str) -> str:
    """Return the words of a key without those of its role and without its suffix, as they are written."""
    said = column_names.TRAIN_WORDS | column_names.PREDICT_WORDS
    stem = key.rsplit(".", 1)[0]
    for part in (*column_names.TRAIN_PARTS, *column_names.PREDICT_PARTS):
        stem = stem.replace(part, " ")
    left = [word for word in re.split(r"[\s/_.\-]+", stem) if word and word.casefold() not in said]
    return " ".join(left)
