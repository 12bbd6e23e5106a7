"""Prepare takes the memory it is given: a file larger than that gives the same bytes, as do more threads."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from prepare_stage import Stage, by_region

from steps import contract

LIMIT = 80 << 20
ROWS = 300_000


def write_wide_rows(path):
    """Write rows of some 400 bytes each, more than LIMIT in all, with cells of every kind and some empty ones."""
    position = np.arange(ROWS)
    texts = pa.array([f"{n:03d}-" * 90 for n in range(100)]).take(pa.array(position % 100))
    regions = pa.array(["a", "b", "c", "d"]).take(pa.array(position % 4))
    values = np.random.default_rng(0).normal(size=ROWS)
    columns = {
        "id": position,
        "region": regions,
        "x": pa.array(values, mask=position % 7 == 0),
        "text": texts,
        "y": pa.array(values * 2, mask=position % 11 == 0),
    }
    pyarrow.csv.write_csv(pa.table(columns), path)


def contents(folder):
    """Return every file's bytes; of data.json, which tells when it was made, all but that."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    data = json.loads(found[contract.DATA_FILE])
    assert data.pop("timing")
    return {**found, contract.DATA_FILE: data}


@pytest.mark.slow
def test_a_file_larger_than_the_memory_limit_and_more_threads_give_the_same_bytes(tmp_path, monkeypatch):
    stage = Stage(tmp_path, monkeypatch)
    write_wide_rows(stage.raw / "train.csv")
    write_wide_rows(stage.raw / "predict.csv")
    models = by_region("a", "b", "c", pooled=True)
    expected = contents(stage.train(models)), contents(stage.predict(models))

    monkeypatch.setenv("PREPARE_MEMORY_LIMIT", f"{LIMIT >> 20}MB")
    assert (stage.raw / "train.csv").stat().st_size > LIMIT
    assert (contents(stage.train(models)), contents(stage.predict(models))) == expected

    monkeypatch.setenv("PREPARE_MEMORY_LIMIT", "500MB")
    monkeypatch.setenv("CORES", "4")
    assert (contents(stage.train(models)), contents(stage.predict(models))) == expected
