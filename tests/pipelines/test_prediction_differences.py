"""Predictions of two executions are compared id by id, whatever the order and type of the ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import prediction_differences


def part(path: Path, rows: list[tuple[Any, float, str]], id_name: str = "id") -> list[Path]:
    columns = [
        pa.array([r[0] for r in rows]),
        pa.array([r[1] for r in rows], pa.float64()),
        pa.array([r[2] for r in rows]),
    ]
    names = [id_name, "prediction", "model", "source"]
    pq.write_table(pa.table([*columns, pa.array(["fresh"] * len(rows), pa.string())], names=names), path)
    return [path]


def test_rows_are_counted_and_differences_described_by_model(tmp_path: Path) -> None:
    first = part(tmp_path / "1.parquet", [("a", 1.0, "A"), ("b", 2.0, "A"), ("c", 3.0, "B"), ("old", 0.0, "B")])
    second = part(
        tmp_path / "2.parquet", [("c", 3.0, "B"), ("b", 4.0, "A"), ("a", 0.0, "A"), ("new", 9.0, "A")], "Model"
    )

    total, models = prediction_differences.compare(first, second, tmp_path / "spill")

    assert total is not None
    assert (total.both, total.only_first, total.only_second, total.changed) == (3, 1, 1, 2)
    assert (total.mean, total.median, total.p95, total.max) == (1.0, 1.0, pytest.approx(1.9), 2.0)
    assert models["A"].shift == 0.5
    assert (models["B"].both, models["B"].only_first, models["B"].changed) == (1, 1, 0)


def test_a_row_goes_with_the_model_that_served_it_in_the_second(tmp_path: Path) -> None:
    first, second = part(tmp_path / "1.parquet", [(7, 1.0, "(pooled)")]), part(tmp_path / "2.parquet", [(7, 2.0, "A")])

    assert list(prediction_differences.compare(first, second, tmp_path / "spill")[1]) == ["A"]


def test_numbers_as_ids_meet_the_same_ids_as_text(tmp_path: Path) -> None:
    first, second = part(tmp_path / "1.parquet", [(7, 1.0, "A")]), part(tmp_path / "2.parquet", [("7", 2.0, "A")])

    total, _ = prediction_differences.compare(first, second, tmp_path / "spill")

    assert total is not None
    assert total.both == 1


def test_without_a_common_row_there_is_no_difference_and_without_rows_nothing(tmp_path: Path) -> None:
    one, other = part(tmp_path / "1.parquet", [("a", 1.0, "A")]), part(tmp_path / "2.parquet", [("b", 1.0, "A")])
    none = part(tmp_path / "3[a].parquet", [])

    total, _ = prediction_differences.compare(one, other, tmp_path / "spill")

    assert total is not None
    assert (total.both, total.mean, total.p95) == (0, None, None)
    assert prediction_differences.compare(none, none, tmp_path / "spill") == (None, {})
