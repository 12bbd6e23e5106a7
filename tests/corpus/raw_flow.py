"""The way of raw files up to the prepared ones, in this process: listed, counted, and prepared by both steps.

What a run does before any training, in its order and with its code; only the processes between are left out.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus_case import Answer

from pipelines import discovery, models, rawdata, slices
from pipelines.errors import PipelineError
from pipelines.models import Census
from pipelines.settings import Settings
from steps import contract, prepare, segments
from steps.job import StepError

KINDS = (("training", slices.PREPARE_TRAINING, "train"), ("prediction", slices.PREPARE_PREDICTION, "predict"))


def follow(config: Settings, raw: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Return what becomes of a raw folder: exit code 2 before a run begins, 1 in a step, 0 where all is prepared."""
    monkeypatch.setenv("CORES", "1")
    monkeypatch.setenv("PREPARE_MEMORY_LIMIT", "500MB")
    try:
        data = rawdata.read_raw(config, raw, root / "digests.json", root / "scratch")
        counted = segments.count(discovery.make_request(config), raw)
        chosen = models.choose_models(config, Census.from_json(counted))
    except (PipelineError, StepError) as error:
        return Answer(2, str(error))
    parts = slices.slices(config, chosen, "bucket")
    try:
        for kind, part, role in KINDS:
            monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(root / kind))
            _lay_out(data, raw, role, contract.to_json(parts[part]))
            if kind == "prediction":
                schema = root / "training" / "processing" / "output" / contract.OUT_SCHEMA
                contract.input_dir(contract.IN_SCHEMA).symlink_to(schema)
            version = contract.data_version(getattr(data, role))
            prepare.main([kind, "--version", version, "--raw", data.uri])
    except StepError as error:
        return Answer(1, str(error))
    return Answer(0, "")


def _lay_out(data: rawdata.RawData, raw: Path, role: str, settings: str) -> None:
    """Put a prepare step's inputs where the job finds them."""
    for name, texts in [
        (contract.IN_SETTINGS, {contract.SETTINGS_FILE: settings}),
        (contract.IN_MANIFEST, contract.manifests(data.uri, getattr(data, role))),
    ]:
        contract.input_dir(name).mkdir(parents=True)
        for file, text in texts.items():
            (contract.input_dir(name) / file).write_text(text, encoding="utf-8")
    contract.input_dir(contract.IN_RAW).symlink_to(raw)
