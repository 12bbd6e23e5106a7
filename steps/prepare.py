"""Prepare raw files: `python -m steps.prepare training|prediction --version V --raw URI`.

First step of a run. Checks that the files are those the run was started with, then hands over to
`prepare_training` or `prepare_prediction`. Reads and writes only below the step's own folders.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from steps import (
    assignment,
    clock,
    contract,
    hooks,
    intake,
    isolation,
    job,
    prepare_prediction,
    prepare_training,
    rawfile,
)
from steps.contract import DataFile
from steps.intake import Settings
from steps.isolation import Scope
from steps.job import StepError
from steps.rawfile import RawFile, Source
from steps.schema import Schema

if TYPE_CHECKING:
    from steps.reshape import Custom

TRAINING = "training"
PREDICTION = "prediction"
ROLES = {TRAINING: assignment.TRAIN, PREDICTION: assignment.PREDICT}

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> None:
    """Prepare the files of one kind; raise StepError when data or settings do not allow it."""
    arguments, watch = _parse(argv), clock.Watch()
    settings = job.read_settings()
    role = ROLES[arguments.kind]
    listed = _list_files(settings, role, arguments.version)
    log.info("%d files of version %s", len(listed), arguments.version)
    scratch = contract.ml_root() / "processing" / "scratch"
    prepare = _training if arguments.kind == TRAINING else _prediction
    try:
        isolation.attempt(
            lambda scope: prepare(settings, Delivered(tuple(listed), arguments.version, arguments.raw), scratch, scope),
            isolation.scope_of(settings, role, settings["glob"]),
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _complete_summary(arguments.kind, listed, watch)


def _complete_summary(kind: str, listed: Sequence[DataFile], watch: clock.Watch) -> None:
    """Add to `data.json`, which no cached step reads, the size of each file and what the work took."""
    output = contract.OUT_TRAIN if kind == TRAINING else contract.OUT_PREDICT
    path, sizes = contract.output_dir(output) / contract.DATA_FILE, {file.key: file.size for file in listed}
    found = job.read_json(path)
    files = [{**file, "bytes": sizes.get(file["key"])} for file in found["files"]]
    job.write_json(path, {**found, "files": files, "timing": watch.to_json()})


@dataclass(frozen=True)
class Delivered:
    """The raw files as the manifest lists them, with their data version and the raw folder's URI."""

    files: tuple[DataFile, ...]
    version: str
    raw: str


def _training(settings: dict[str, Any], delivered: Delivered, scratch: Path, scope: Scope) -> None:
    chosen = Settings.from_json(settings)
    custom = _custom(settings, contract.PREPARE_TRAINING)
    with _checking(delivered, chosen.delimiter, scope) as checked:
        whole = _open_files(delivered, chosen.delimiter, scope, {chosen.label}, intake.named_columns(chosen))
        source = Source(tuple(whole), delivered.version, delivered.raw, checked)
        prepare_training.prepare(chosen, source, scratch, scope, custom)


def _prediction(settings: dict[str, Any], delivered: Delivered, scratch: Path, scope: Scope) -> None:
    schema = Schema.from_json(job.read_json(contract.input_dir(contract.IN_SCHEMA) / contract.SCHEMA_FILE))
    chosen = prepare_prediction.Settings.from_json(settings)
    custom = _custom(settings, contract.PREPARE_PREDICTION)
    needed = {chosen.id, *(column.name for column in schema.columns)}
    named = assignment.where_columns(chosen.rules)
    with _checking(delivered, chosen.delimiter, scope) as checked:
        whole = _open_files(delivered, chosen.delimiter, scope, needed, named)
        lost = (file.key for file in delivered.files if scope.has_lost(file.key))
        blanks = [_blank(whole[0], key, chosen.delimiter) for key in lost]
        files = tuple(sorted([*whole, *blanks], key=lambda file: file.key))
        source = Source(files, delivered.version, delivered.raw, checked)
        request = prepare_prediction.Request(chosen, schema, source, custom)
        prepare_prediction.prepare(request, scratch, scope)


def _custom(settings: dict[str, Any], step: str) -> Custom | None:
    """Return the user's `prepare` hook, or None where there is none."""
    found = hooks.load(settings)
    if found is None:
        return None
    from steps.reshape import Custom  # imports pandas, which nothing else here needs

    return Custom(found, settings, step, step == contract.PREPARE_TRAINING)


@contextmanager
def _checking(delivered: Delivered, delimiter: str, scope: Scope) -> Iterator[Callable[[], frozenset[str]]]:
    """Read all bytes of the files while they are loaded; yield what waits for it.

    What is wrong with the bytes is raised before all else that is wrong, which may follow from it.
    """
    listed = [file for file in delivered.files if not scope.has_lost(file.key)]
    if not listed:
        raise StepError("no file is left that belongs to no failed model")
    with ThreadPoolExecutor(2) as threads:
        threads.submit(pa.array, [0])  # its first array costs a fifth of a second, in which Arrow looks for pandas
        checking = threads.submit(rawfile.check_files, listed, contract.input_dir(contract.IN_RAW), delimiter)
        try:
            yield checking.result
        except Exception:
            checking.result()
            raise


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m steps.prepare", description=__doc__)
    parser.add_argument("kind", choices=sorted(ROLES), help="which files of the raw folder to prepare")
    parser.add_argument("--version", required=True, help="data version that the run was started with")
    parser.add_argument("--raw", required=True, help="URI of the raw folder that the run was started with")
    return parser.parse_args(argv)


def _list_files(settings: dict[str, Any], role: str, version: str) -> list[DataFile]:
    """Return the manifest's files, proven to be those of the data version."""
    manifest = job.read_json(contract.input_dir(contract.IN_MANIFEST) / contract.MANIFEST_FILE)
    globs = assignment.effective_globs(settings["glob"], assignment.read_rules(settings["models"], role))
    return rawfile.check_manifest(manifest, version, globs)


def _open_files(
    delivered: Delivered, delimiter: str, scope: Scope, needed: Collection[str], named: Collection[str]
) -> list[RawFile]:
    """Return the raw files but those of models that failed."""
    folder = contract.input_dir(contract.IN_RAW)
    owner = scope.owner if scope.isolates else None
    keys = [file.key for file in delivered.files if not scope.has_lost(file.key)]
    opened = rawfile.open_files(keys, folder, delimiter, owner, needed, named)
    return [replace(file, is_plain=rawfile.may_be_plain(file.path, delimiter)) for file in opened]


def _blank(like: RawFile, key: str, delimiter: str) -> RawFile:
    """Return what stands in for a file that cannot be used."""
    path = contract.input_dir(contract.IN_RAW) / key
    rows = rawfile.count_rows(path, delimiter)
    return replace(like, key=key, path=path, blank=rows or 0, is_uncountable=rows is None, is_plain=False)


if __name__ == "__main__":
    job.run(main)
