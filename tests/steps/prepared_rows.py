"""Prepared rows as PrepareTraining and PreparePrediction write them, for the tests of Train and Infer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

pq: Any = pyarrow.parquet

LABEL = "délai (min)"
ID = "id"
KINDS = {"dist.km": "number", "carrier": "text", "late": "bool", "day": "datetime", "code": "text"}
CARRIERS = ("AA", "B 6", "NA", "日本")


def table(rows: int, seed: int = 0, first: int = 0) -> pa.Table:
    """Return features, label and id; the label depends on distance and carrier."""
    random = np.random.default_rng(seed)
    carriers = random.integers(0, len(CARRIERS), rows)
    distance = random.normal(500, 100, rows)
    late = random.integers(0, 2, rows)
    label = distance / 50 + carriers * 3.0 + late * 2 + random.normal(0, 0.3, rows)
    hours = pa.array(random.integers(0, 500, rows) * 3_600_000_000, pa.timestamp("us"))
    codes = [f"00{value}" for value in random.integers(1, 5, rows)]
    return pa.table(
        {
            ID: pa.array(range(first, first + rows), pa.int64()),
            LABEL: pa.array(label),
            "dist.km": pa.array(distance, mask=random.random(rows) < 0.05),
            "carrier": pa.array([CARRIERS[index] for index in carriers], pa.string()),
            "late": pa.array(late.astype(np.float64)),
            "day": hours,
            "code": pa.array(codes, pa.string()),
        }
    )


def schema(slug: str, name: str) -> dict[str, Any]:
    """Return the per-model schema that fits `table`."""
    categories = {"carrier": sorted(CARRIERS), "code": ["001", "002", "003", "004"]}
    columns = [
        {"name": column, "kind": kind, "null_rate": 0.0, "categories": categories.get(column)}
        for column, kind in KINDS.items()
    ]
    return {
        "format": 1,
        "model": name,
        "slug": slug,
        "label": LABEL,
        "id": ID,
        "segment": None,
        "columns": columns,
        "ignored": [],
    }


@dataclass(frozen=True)
class Tree:
    """One step's `/opt/ml`."""

    root: Path
    training: Mapping[str, Any] = field(
        default_factory=lambda: {
            "presets": "medium_quality",
            "hyperparameters": {"GBM": {"num_boost_round": 20}},
            "excluded_model_types": [],
            "seed": 0,
            "infer_limit": None,
            "time_guard": 1.5,
        }
    )

    def input(self, *parts: str) -> Path:
        return self.root.joinpath("processing", "input", *parts)

    def output(self, *parts: str) -> Path:
        return self.root.joinpath("processing", "output", *parts)

    def settings(self, content: Mapping[str, Any]) -> None:
        write_json(self.input("settings", "settings.json"), content)

    def train_settings(self, models: Sequence[str], **changes: Any) -> None:
        specs = [{"name": f"<{m}>", "slug": m, "pooled": False, "training": dict(self.training)} for m in models]
        base = {"label": LABEL, "id": ID, "on_transient_failure": "fail", "categories": ["code"], "models": specs}
        self.settings({**base, **changes})

    def infer_settings(self, models: Sequence[str], **changes: Any) -> None:
        specs = [{"name": f"<{m}>", "slug": m, "ignore": []} for m in models]
        drift = {"unseen": 0.01, "nulls": 0.1}
        whole = {"label": LABEL, "id": ID, "batch_rows": 64, "drift": drift, "max_runtime": 3600, "models": specs}
        self.settings({**whole, **changes})

    def prepared(self, slug: str, train: pa.Table, holdout: pa.Table, status: str = "prepared") -> Path:
        folder = self.input("prepared", slug)
        shutil.rmtree(folder, ignore_errors=True)
        write_parts(folder / "train", train)
        write_parts(folder / "holdout", holdout)
        rows = {"train_rows": train.num_rows, "holdout_rows": holdout.num_rows}
        total = train.num_rows + holdout.num_rows
        write_json(folder / "status.json", {"status": status, "rows": total, "reason": None, **rows})
        write_json(folder / "schema.json", schema(slug, f"<{slug}>"))
        edges = np.linspace(0, 30, 21).tolist()
        write_json(folder / "profile.json", {"label": {"histogram": {"edges": edges, "counts": [0] * 20}}})
        return folder

    def predict(self, slug: str, rows: pa.Table, status: str = "prepared") -> Path:
        folder = self.input("predict", slug)
        shutil.rmtree(folder, ignore_errors=True)
        if LABEL in rows.column_names:
            rows = rows.drop_columns([LABEL])
        if "__row__" not in rows.column_names:
            rows = rows.add_column(0, "__row__", pa.array(np.arange(rows.num_rows) * 3, pa.int64()))
        parts = self.input("parts", slug)
        shutil.rmtree(parts, ignore_errors=True)
        write_parts(parts, rows)
        write_json(folder / "status.json", {"status": status, "rows": rows.num_rows, "reason": None})
        return folder


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def write_parts(folder: Path, rows: pa.Table, files: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    size = max(1, -(-rows.num_rows // files))
    for number, first in enumerate(range(0, max(rows.num_rows, 1), size)):
        pq.write_table(rows.slice(first, size), folder / f"part-{number:05d}.parquet", row_group_size=50)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
