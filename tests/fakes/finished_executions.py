"""Executions of a workspace that have ended, written by hand as the engine and the steps leave them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from local_outcomes import definition, origin, ping, write

from pipelines.local.history import History
from pipelines.local.record import StepEvent, StepRecord
from steps import contract

Row = tuple[Any, float, str]
"""Id, prediction, model."""


def model(**facts: Any) -> dict[str, Any]:
    """Return what summary.json holds of a model."""
    found = {"mae": 10.0, "mae_low": 9.0, "mae_high": 11.0, "accepted": True, "served_by": "fresh", "rows": 2}
    return {**found, **facts}


def finish(
    root: Path,
    name: str,
    rows: Sequence[Row] | None,
    *,
    models: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    code: Mapping[str, Mapping[str, str]] | None = None,
    source: str = "fresh",
    started: str = "2026-01-01T00:00:00+00:00",
    **facts: Any,
) -> None:
    """Add an execution; one without rows has failed before anything was published."""
    made = origin(execution=name, started=started, raw=str(root / "raw"), **facts)
    base = f"s3://b/p/executions/{name}"
    folder = root / "s3/b/p/executions" / name
    found = models or {"A": model()}
    records = [_judge(folder, base, found), *_trained(folder, base, found)]
    records += [_published(folder, base, rows, found, source)] if rows is not None else []
    addressed = [*_store(root, "settings", _texts(settings or {})), *_store(root, "code", code or {})]
    execution = root / "executions" / name
    execution.mkdir(parents=True)
    (execution / "request.json").write_text(made.to_json())
    (execution / "definition.json").write_text(definition(ping("Ping", Arguments=dict(addressed))).text)
    history = History(execution)
    history.add_execution("Started", 100.0)
    for record in records:
        history.add_step(StepEvent(record.name, record.type, record.status, 101.0), record)
    history.add_execution("Succeeded" if rows is not None else "Failed", 102.0)
    history.close()


def _judge(folder: Path, base: str, models: Mapping[str, Mapping[str, Any]]) -> StepRecord:
    judged = {f"slug-{n}": {**found, "name": name} for n, (name, found) in enumerate(models.items())}
    write(folder / "judge" / contract.VERDICTS_FILE, {"passed": True, "models": judged})
    return StepRecord("Judge", "Lambda", "Succeeded", results={"VerdictsUri": f"{base}/judge/verdicts.json"})


def _trained(folder: Path, base: str, models: Mapping[str, Any]) -> list[StepRecord]:
    records = []
    for number, name in enumerate(models):
        board = [{"fit_seconds": 1.0, "holdout_mae": 9.5, "model": f"best of {name}"}]
        path = folder / f"train/slug-{number}/slug-{number}/leaderboard.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(board))
        outputs = {contract.OUT_EVALUATION: f"{base}/train/slug-{number}"}
        records.append(StepRecord(f"Train-{number}", "Processing", "Succeeded", outputs=outputs))
    return records


def _published(folder: Path, base: str, rows: Sequence[Row], models: Mapping[str, Any], source: str) -> StepRecord:
    write(folder / "out" / contract.SUMMARY_FILE, {"status": "Succeeded", "models": dict(models)})
    (folder / "out/predictions").mkdir()
    columns = {
        "id": [row[0] for row in rows],
        "prediction": pa.array([row[1] for row in rows], pa.float64()),
        "model": [row[2] for row in rows],
        "source": [source for _ in rows],
    }
    pq.write_table(pa.table(columns), folder / "out/predictions/part-00000.parquet")
    return StepRecord("PostProcess", "Processing", "Succeeded", outputs={"predictions": f"{base}/out"})


def _texts(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    return {kind: {contract.SETTINGS_FILE: json.dumps(found)} for kind, found in settings.items()}


def _store(root: Path, what: str, kinds: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    """Write files by their content's address; return the URIs as a definition refers to them."""
    uris = []
    for kind, files in kinds.items():
        digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
        for name, text in files.items():
            path = root / "s3/b/p" / what / kind / digest / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        uris.append((f"{what}-{kind}", f"s3://b/p/{what}/{kind}/{digest}"))
    return uris
