"""The join: order, proof, bytes, and what a spreadsheet must not run."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from steps import contract, joining
from steps.job import StepError


def write(folder: Path, name: str, rows: list[int], served: str = contract.FRESH, **changes: Any) -> joining.Part:
    """Write one model's part: `changes` replace columns, and `id_column` renames the id."""
    folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    id_column = changes.pop("id_column", "id")
    columns: dict[str, Any] = {
        contract.ROW: pa.array(rows, pa.int64()),
        "id": pa.array([row + 100 for row in rows], pa.int64()),
        "prediction": pa.array([row / 4 for row in rows], pa.float64()),
        "model": pa.array([name] * len(rows), pa.string()),
        "source": pa.array([served] * len(rows), pa.string()),
        **changes,
    }
    path = folder / "part-00000.parquet"
    arrays = list(columns.values())
    pq.write_table(pa.Table.from_arrays(arrays, [id_column if n == "id" else n for n in columns]), path)
    return joining.Part(name, served, len(rows), (path,))


def join(
    folder: Path, *parts: joining.Part, rows: int, absent: int = 0, part_rows: int = 1000, **names: str
) -> tuple[joining.Joined, pa.Table]:
    expected = joining.Expected(rows, absent, names.get("id", "id"), names.get("id_type", "int64"))
    target = joining.Target(folder / "out", folder / "spill", folder / "out.csv")
    joined = joining.join(parts, expected, target, part_rows)
    return joined, pa.concat_tables(pq.read_table(target.data / name) for name in joined.files)


def test_the_data_set_holds_each_row_once_in_the_order_of_the_prediction_files(tmp_path: Path) -> None:
    parts = [write(tmp_path, "EWR", [1, 4, 5]), write(tmp_path, "JFK", [0, 2, 3], contract.DEFAULT)]
    joined, table = join(tmp_path, *parts, rows=6)
    assert joined == joining.Joined(6, ("part-00000.parquet",))
    assert table.column_names == ["id", "prediction", "model", "source"]
    assert table["id"].to_pylist() == [100, 101, 102, 103, 104, 105]
    assert table["model"].to_pylist() == ["JFK", "EWR", "JFK", "JFK", "EWR", "EWR"]
    assert table["source"].to_pylist()[:2] == [contract.DEFAULT, contract.FRESH]
    assert table.schema.field("id").type == pa.int64()


def test_text_ids_stay_text(tmp_path: Path) -> None:
    _, table = join(tmp_path, write(tmp_path, "EWR", [0, 1], id=pa.array(["007", 'x,\n"y'])), rows=2)
    assert table["id"].to_pylist() == ["007", 'x,\n"y']


def test_an_id_column_may_be_called_like_a_published_column_in_another_case(tmp_path: Path) -> None:
    _, table = join(tmp_path, write(tmp_path, "EWR", [0, 1], id_column="Model"), rows=2, id="Model")
    assert table.column_names == ["Model", "prediction", "model", "source"]
    assert table["Model"].to_pylist() == [100, 101]


@pytest.mark.parametrize("name", [contract.ROW, "prediction", "model", "source"])
def test_an_id_column_called_like_a_published_column_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StepError, match=f"id column is called '{name}'.*rename it"):
        join(tmp_path, rows=0, id=name)


def test_the_data_set_is_cut_into_parts_of_one_size(tmp_path: Path) -> None:
    joined, table = join(tmp_path, write(tmp_path, "EWR", list(range(400))), rows=400, part_rows=150)
    assert joined.files == ("part-00000.parquet", "part-00001.parquet", "part-00002.parquet")
    assert [pq.read_metadata(tmp_path / "out" / name).num_rows for name in joined.files] == [150, 150, 100]
    assert table["id"].to_pylist() == list(range(100, 500))


def test_many_rows_make_row_groups_of_one_size_and_the_same_bytes_twice(tmp_path: Path) -> None:
    rows = joining.GROUP_ROWS * 2 + 5
    owner = np.random.default_rng(0).integers(0, 2, rows)
    parts = [write(tmp_path, name, np.flatnonzero(owner == at).tolist()) for at, name in enumerate(("a", "b"))]
    written = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        _, table = join(folder, *parts, rows=rows, part_rows=rows)
        assert table["id"].to_numpy().tolist() == list(range(100, rows + 100))
        written.append((folder / "out" / "part-00000.parquet").read_bytes())
    metadata = pq.read_metadata(tmp_path / "one" / "out" / "part-00000.parquet")
    assert [metadata.row_group(at).num_rows for at in range(3)] == [joining.GROUP_ROWS] * 2 + [5]
    assert written[0] == written[1]


def test_a_folder_whose_name_looks_like_a_pattern_is_read_literally(tmp_path: Path) -> None:
    assert join(tmp_path, write(tmp_path / "a[b]*", "EWR", [0, 1]), rows=2)[0].rows == 2


def test_a_model_with_nothing_to_predict_adds_nothing(tmp_path: Path) -> None:
    assert join(tmp_path, write(tmp_path, "EWR", [0]), write(tmp_path, "JFK", []), rows=1)[0].rows == 1


@pytest.mark.parametrize(("id_type", "expected"), [("int64", pa.int64()), ("string", pa.string())])
def test_a_run_without_rows_publishes_one_empty_typed_part(tmp_path: Path, id_type: str, expected: Any) -> None:
    skipped = joining.Part("EWR", contract.SKIPPED, 0, ())
    joined, table = join(tmp_path, skipped, rows=7, absent=7, id_type=id_type)
    assert joined == joining.Joined(0, ("part-00000.parquet",))
    assert table.schema.types == [expected, pa.float64(), pa.string(), pa.string()]


def test_rows_of_a_skipped_model_may_be_absent(tmp_path: Path) -> None:
    _, table = join(tmp_path, write(tmp_path, "EWR", [0, 3]), rows=5, absent=3)
    assert table["id"].to_pylist() == [100, 103]


BROKEN: Mapping[str, tuple[list[int], dict[str, Any], str]] = {
    "a missing row": ([0, 2], {}, "1 rows to predict have no prediction"),
    "a doubled row": ([0, 1, 1], {}, "1 rows are predicted more than once; 1 rows to predict have no prediction"),
    "a row beyond the files": ([0, 1, 9], {}, "1 rows have a number that the prediction files do not have"),
    "a negative row": ([-1, 0, 1], {}, "1 rows have a number"),
    "one row too many": ([0, 1, 2, 2], {}, "1 rows are predicted more than once"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_rows_that_are_not_those_to_predict_publish_nothing(tmp_path: Path, case: str) -> None:
    rows, changes, message = BROKEN[case]
    with pytest.raises(StepError, match=message):
        join(tmp_path, write(tmp_path, "EWR", rows, **changes), rows=3)


def test_a_row_that_was_to_be_skipped_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="1 rows are predicted although they were to be skipped"):
        join(tmp_path, write(tmp_path, "EWR", [0, 1, 2]), rows=3, absent=1)


def test_a_row_without_number_does_not_pass_for_another(tmp_path: Path) -> None:
    part = write(tmp_path, "EWR", [0, 1, 2], **{contract.ROW: pa.array([0, None, 2], pa.int64())})
    with pytest.raises(StepError, match=r"1 rows have a number.*1 rows to predict have no prediction"):
        join(tmp_path, part, rows=3)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_prediction_that_is_null_or_not_finite_is_an_error(tmp_path: Path, value: float | None) -> None:
    part = write(tmp_path, "EWR", [0, 1], prediction=pa.array([1.0, value], pa.float64(), from_pandas=False))
    with pytest.raises(StepError, match="1 predictions are null or not finite"):
        join(tmp_path, part, rows=2)


def test_parts_that_are_not_what_their_models_claim_are_all_named_at_once(tmp_path: Path) -> None:
    fewer = joining.Part("EWR", contract.FRESH, 5, write(tmp_path, "EWR", [0, 1]).files)
    foreign = write(tmp_path, "JFK", [2, 3], model=pa.array(["JFK", "LGA"]))
    unnamed = write(tmp_path, "LGA", [4, 5], source=pa.array([contract.FRESH, None]))
    with pytest.raises(StepError) as caught:
        join(tmp_path, fewer, foreign, unnamed, rows=6)
    assert "EWR: its parts hold 2 rows, inference.json says 5" in str(caught.value)
    assert "JFK: its parts hold rows of another model" in str(caught.value)
    assert "LGA: its parts hold rows of another model" in str(caught.value)


def test_parts_of_another_form_are_all_named_at_once(tmp_path: Path) -> None:
    renamed = write(tmp_path, "EWR", [0], id_column="key")
    text = write(tmp_path, "JFK", [1], prediction=pa.array(["1"]))
    with pytest.raises(StepError, match=r"EWR: part-00000.parquet has the columns.*JFK: part-00000.parquet"):
        join(tmp_path, renamed, text, rows=2)


def test_ids_of_several_types_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="several types in the parts: int64, string"):
        join(tmp_path, write(tmp_path, "EWR", [0]), write(tmp_path, "JFK", [1], id=pa.array(["b"])), rows=2)


def test_a_spreadsheet_runs_no_formula_from_the_csv_and_numbers_stay_numbers(tmp_path: Path) -> None:
    formulas = [
        "=1+1",
        "+1+1",
        "-1-cmd|' /C calc'!A0",
        "@x",
        "\tx",
        "\rx",
        "\nx",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        "-",
        "+1e",
        "-\n1",
    ]
    plain = ["plain", "-1", "+1", "-1.5", "+.5e-3", "-1.", "a=1", "", " =1", "'=1", "１"]
    ids = [*formulas, *plain]
    values = pa.array([-1.5, 2.0, *([0.1] * (len(ids) - 2))], pa.float64())
    part = write(tmp_path, "=cmd", list(range(len(ids))), id=pa.array(ids), prediction=values, id_column="=key")
    _, table = join(tmp_path, part, rows=len(ids), id="=key")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["'=key", "prediction", "model", "source"]
    assert [line[0] for line in lines[1:]] == [*(f"'{text}" for text in formulas), *plain]
    assert [line[1] for line in lines[1:3]] == ["-1.5", "2"]
    assert lines[1][2] == "'=cmd"
    assert table["=key"].to_pylist() == ids


def test_negative_ids_are_numbers_in_the_csv(tmp_path: Path) -> None:
    join(tmp_path, write(tmp_path, "EWR", [0], id=pa.array([-5], pa.int64())), rows=1)
    assert (tmp_path / "out.csv").read_text().splitlines()[1].startswith("-5,")
