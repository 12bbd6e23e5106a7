"""A file of realised values is checked whole: every problem at once, none with a cell."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import truth
from pipelines.errors import DataError
from pipelines.prediction_differences import connect
from pipelines.truth import Truth


def loaded(path: Path, id_type: str = "VARCHAR", delimiter: str | None = None) -> list[tuple[object, ...]]:
    with connect(path.parent / "spill") as connection:
        truth.load(connection, Truth(path, "id", "delay", delimiter), id_type)
        return connection.execute(f"SELECT id, actual FROM {truth.TABLE} ORDER BY id").fetchall()


def problems(path: Path, id_type: str = "VARCHAR") -> list[str]:
    with pytest.raises(DataError) as caught:
        loaded(path, id_type)
    assert all(problem.startswith(f"{path}: ") for problem in caught.value.problems)
    return [problem.removeprefix(f"{path}: ") for problem in caught.value.problems]


def csv(folder: Path, text: str) -> Path:
    path = folder / "actuals.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_ids_keep_their_zeros_and_an_empty_label_is_not_known_yet(tmp_path: Path) -> None:
    assert loaded(csv(tmp_path, "other,delay,id\nx,1.5,007\ny,,008\n")) == [("007", 1.5), ("008", None)]


def test_the_delimiter_of_the_configuration_is_taken(tmp_path: Path) -> None:
    assert loaded(csv(tmp_path, "id;delay\na,b;2\n"), delimiter=";") == [("a,b", 2.0)]


def test_parquet_with_numbers_as_ids_is_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"delay": [1, None], "id": [7, 8]}), tmp_path / "actuals.parquet")

    assert loaded(tmp_path / "actuals.parquet", "BIGINT") == [(7, 1.0), (8, None)]


def test_columns_that_are_missing_are_both_told_with_the_nearest(tmp_path: Path) -> None:
    assert problems(csv(tmp_path, "idd,dela\n1,2\n")) == [
        "has no column 'id', the id of this execution; did you mean 'idd'?; rename it",
        "has no column 'delay', the label of this execution; did you mean 'dela'?; rename it",
    ]


def test_a_missing_id_does_not_hide_what_is_wrong_with_the_label(tmp_path: Path) -> None:
    found = problems(csv(tmp_path, "x,delay\n1,late\n2,inf\n"))

    assert found == [
        "has no column 'id', the id of this execution; it has 'x', 'delay'; rename it",
        "1 row(s) have a 'delay' that is no number; leave it empty where it is unknown",
        "1 row(s) have a 'delay' that is not finite; leave it empty where it is unknown",
    ]


def test_empty_foreign_and_repeated_ids_are_counted(tmp_path: Path) -> None:
    found = problems(csv(tmp_path, "id,delay\n,1\nabc,1\n7,1\n7,2\n7,3\n"), "BIGINT")

    assert found == [
        "1 row(s) have no 'id'; give each the id of its prediction",
        "1 row(s) have a 'id' that does not fit the predictions', which are whole numbers",
        "2 row(s) repeat a 'id'; leave one row for each",
    ]


def test_a_file_without_rows_and_one_that_is_none_are_refused(tmp_path: Path) -> None:
    assert problems(csv(tmp_path, "id,delay\n")) == ["has no row; expected a row for each id whose value is known"]
    (tmp_path / "a.parquet").write_bytes(b"no parquet at all")
    assert "cannot be read as Parquet" in problems(tmp_path / "a.parquet")[0]
    with pytest.raises(DataError, match="there is no such file"):
        loaded(tmp_path / "none.csv")
