"""Prediction parts: equal input gives equal bytes, large input several files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from steps import partfile

pq: Any = pyarrow.parquet


def write(folder: Path, rows: int, batch: int, id_type: pa.DataType = pa.int64()) -> list[Path]:  # noqa: B008
    folder.mkdir()
    with partfile.Parts(folder, pa.field("n° id", id_type), "C (all)", "default") as parts:
        for first in range(0, rows, batch):
            positions = pa.array(np.arange(first, min(first + batch, rows)))
            parts.write(positions, positions, np.asarray(positions) / 2)
    return parts.paths


def test_a_part_has_position_id_prediction_model_and_source(tmp_path: Path) -> None:
    (path,) = write(tmp_path / "a", 3, 2, pa.string())
    found = pq.read_table(path)
    assert found.schema.names == ["__row__", "n° id", "prediction", "model", "source"]
    assert found.to_pylist()[2] == {
        "__row__": 2,
        "n° id": "2",
        "prediction": 1.0,
        "model": "C (all)",
        "source": "default",
    }


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    (first,), (second,) = write(tmp_path / "a", 500, 64), write(tmp_path / "b", 500, 64)
    assert first.read_bytes() == second.read_bytes()


def test_without_rows_there_is_one_empty_part_with_the_columns(tmp_path: Path) -> None:
    (path,) = write(tmp_path / "a", 0, 10)
    assert pq.read_table(path).num_rows == 0
    assert len(pq.read_schema(path).names) == 5


def test_about_a_million_rows_go_into_one_file(tmp_path: Path) -> None:
    paths = write(tmp_path / "a", 2_100_000, 300_000)
    assert [path.name for path in paths] == ["part-00000.parquet", "part-00001.parquet"]
    assert [pq.read_metadata(path).num_rows for path in paths] == [1_200_000, 900_000]


def test_the_parts_of_several_hosts_have_names_of_their_own(tmp_path: Path) -> None:
    with partfile.Parts(tmp_path, pa.field("id", pa.int64()), "EWR", "fresh", "part-002") as parts:
        pass
    assert [path.name for path in parts.paths] == ["part-002-00000.parquet"]


def test_a_part_is_closed_when_scoring_fails(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="stop"),
        partfile.Parts(tmp_path, pa.field("id", pa.int64()), "EWR", "fresh") as parts,
    ):
        raise ValueError("stop")
    assert pq.read_table(parts.paths[0]).num_rows == 0
