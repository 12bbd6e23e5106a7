"""A step's folders for tests of the prepare steps: raw files in, prepared files out, as SageMaker lays them out."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from steps import contract, hooknames, prepare

RAW = "s3://bucket/raw/"
SLICE: dict[str, Any] = {
    "pipeline": "test",
    "label": "y",
    "id": "id",
    "delimiter": ",",
    "segment": "region",
    "rest": "pooled",
    "time": None,
    "drop": [],
    "categories": [],
    "holdout": {"method": "random", "fraction": 0.2, "group": None},
    "seed": 0,
    "max_null_label_fraction": 0.5,
}


def model(name: str, slug: str | None = None, **spec: Any) -> dict[str, Any]:
    found = {"name": name, "slug": slug or name, "where": None, "train": None, "predict": None, "pooled": False}
    return {**found, **spec}


def by_region(*names: str, pooled: bool = False) -> list[dict[str, Any]]:
    slugs = contract.slugs(names, "test")
    models = [model(name, slugs[name], where={"region": [name]}) for name in names]
    return models + ([model(contract.POOLED_NAME, "pooled", pooled=True)] if pooled else [])


class Stage:
    """The folders of PrepareTraining and PreparePrediction over one raw folder."""

    def __init__(self, root: Path, monkeypatch: Any) -> None:
        self.raw = root / "raw"
        self.raw.mkdir()
        self.code: str | None = None
        """The user's own code, with a `prepare` hook."""
        self._root = root
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("PREPARE_MEMORY_LIMIT", "500MB")
        monkeypatch.setenv("CORES", "1")

    def write(self, name: str, content: str | bytes) -> None:
        path = self.raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def write_parquet(self, name: str, columns: dict[str, Any]) -> None:
        pq.write_table(pa.table(columns), self.raw / name)

    def train(self, models: list[dict[str, Any]], **changes: Any) -> Path:
        """Run PrepareTraining; return its output folder `train`."""
        self._enter("training", {**SLICE, "glob": ["train*"], "models": models, **changes})
        prepare.main(self._arguments("training", "train"))
        return contract.output_dir(contract.OUT_TRAIN)

    def predict(self, models: list[dict[str, Any]], **changes: Any) -> Path:
        """Run PreparePrediction with the schema of the last training; return its output folder `predict`."""
        self._enter("prediction", {**SLICE, "glob": ["predict*"], "models": models, **changes})
        schema = self._root / "training" / "processing" / "output" / contract.OUT_SCHEMA
        contract.input_dir(contract.IN_SCHEMA).symlink_to(schema)
        prepare.main(self._arguments("prediction", "predict"))
        return contract.output_dir(contract.OUT_PREDICT)

    def _enter(self, name: str, settings: dict[str, Any]) -> None:
        shutil.rmtree(self._root / name, ignore_errors=True)
        self._monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(self._root / name))
        if self.code is not None:
            settings = {**settings, "code": self._deliver(self.code)}
        folder = contract.input_dir(contract.IN_SETTINGS)
        folder.mkdir(parents=True)
        (folder / contract.SETTINGS_FILE).write_text(json.dumps(settings), encoding="utf-8")
        contract.input_dir(contract.IN_RAW).symlink_to(self.raw)

    def _deliver(self, code: str) -> dict[str, Any]:
        folder = contract.input_dir(contract.IN_CODE) / hooknames.FOLDER
        folder.mkdir(parents=True)
        (folder / "my_steps.py").write_text(code, encoding="utf-8")
        return {"file": "my_steps.py", "hooks": ["prepare"], "parameters": {}}

    def _arguments(self, kind: str, start: str) -> list[str]:
        files = [self._describe(path) for path in self.raw.rglob("*") if path.name.startswith(start)]
        folder = contract.input_dir(contract.IN_MANIFEST)
        folder.mkdir(parents=True)
        for name, text in contract.manifests(RAW, files).items():
            (folder / name).write_text(text, encoding="utf-8")
        return [kind, "--version", contract.data_version(files), "--raw", RAW]

    def _describe(self, path: Path) -> contract.DataFile:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return contract.DataFile(path.relative_to(self.raw).as_posix(), digest, path.stat().st_size)


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def parts_of(predicted: Path) -> Path:
    """Return the folder with the parts that belong to PreparePrediction's output folder `predict`."""
    return predicted.parent / contract.OUT_PARTS


def table(folder: Path) -> pa.Table:
    """Return all parts of a folder as one table."""
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("part-*.parquet"))])


def rows(folder: Path) -> list[dict[str, Any]]:
    return table(folder).to_pylist()
