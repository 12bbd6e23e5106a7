"""Prepare raw files: `python -m steps.prepare training|prediction --version V --raw URI`.

First step of a run. Checks that the files are those the run was started with, then hands over to
`prepare_training` or `prepare_prediction`. Reads and writes only below the step's own folders.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Sequence
from typing import Any

from steps import assignment, contract, job, prepare_prediction, prepare_training, rawfile
from steps.intake import Settings
from steps.rawfile import Source
from steps.schema import Schema

TRAINING = "training"
PREDICTION = "prediction"
ROLES = {TRAINING: assignment.TRAIN, PREDICTION: assignment.PREDICT}

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> None:
    """Prepare the files of one kind; raise StepError when data or settings do not allow it."""
    arguments = _parse(argv)
    settings = job.read_settings()
    source = _open_source(settings, ROLES[arguments.kind], arguments.version, arguments.raw)
    log.info("%d files of version %s", len(source.files), source.version)
    scratch = contract.ml_root() / "processing" / "scratch"
    try:
        if arguments.kind == TRAINING:
            prepare_training.prepare(Settings.from_json(settings), source, scratch)
        else:
            schema = Schema.from_json(job.read_json(contract.input_dir(contract.IN_SCHEMA) / contract.SCHEMA_FILE))
            chosen = prepare_prediction.Settings.from_json(settings)
            prepare_prediction.prepare(chosen, schema, source, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m steps.prepare", description=__doc__)
    parser.add_argument("kind", choices=sorted(ROLES), help="which files of the raw folder to prepare")
    parser.add_argument("--version", required=True, help="data version that the run was started with")
    parser.add_argument("--raw", required=True, help="URI of the raw folder that the run was started with")
    return parser.parse_args(argv)


def _open_source(settings: dict[str, Any], role: str, version: str, raw: str) -> Source:
    """Return the raw files, proven to be those of the data version."""
    rules = assignment.read_rules(settings["models"], role)
    manifest = job.read_json(contract.input_dir(contract.IN_MANIFEST) / contract.MANIFEST_FILE)
    globs = assignment.effective_globs(settings["glob"], rules)
    listed = rawfile.check_manifest(manifest, version, globs)
    folder = contract.input_dir(contract.IN_RAW)
    rawfile.check_files(listed, folder)
    files = rawfile.open_files([file.key for file in listed], folder, settings["delimiter"])
    return Source(tuple(files), version, raw)


if __name__ == "__main__":
    job.run(main)
