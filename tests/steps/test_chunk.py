from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from steps import chunk

LAYOUT = pa.schema([chunk.field("a", "text"), chunk.field("b", "number")])


def test_parts_without_rows_are_written_with_their_columns(tmp_path):
    layout = pa.schema([chunk.field("a", "text"), chunk.field("b", "datetime")])

    with ThreadPoolExecutor(1) as threads:
        parts = chunk.PartWriter(tmp_path, ("train", "holdout"), layout, threads)
        parts.write("train", layout.empty_table())
        parts.close()

    assert parts.rows == {"train": 0, "holdout": 0}
    assert pq.read_table(tmp_path / "holdout" / "part-00000.parquet").schema == layout


def test_chosen_rows_are_written_in_order_and_their_texts_as_a_dictionary(tmp_path):
    rows = pa.table({"a": ["x", "y"] * 500, "b": np.arange(1000.0)}, LAYOUT)
    even = np.arange(1000) % 2 == 0

    with ThreadPoolExecutor(2) as threads:
        parts = chunk.PartWriter(tmp_path, ("train", "holdout"), LAYOUT, threads)
        for _ in range(2):
            parts.write("train", rows, even)
            parts.write("holdout", rows, ~even)
        parts.close()

    assert parts.rows == {"train": 1000, "holdout": 1000}
    assert pq.read_table(tmp_path / "train" / "part-00000.parquet") == pa.concat_tables(
        [rows.filter(pa.array(even))] * 2
    )
    metadata = pq.read_metadata(tmp_path / "train" / "part-00000.parquet")
    assert metadata.num_row_groups == 2
    assert metadata.row_group(0).column(0).has_dictionary_page


def test_what_goes_wrong_while_a_part_is_written_is_raised():
    def fail():
        raise OSError("no room")

    with ThreadPoolExecutor(1) as threads:
        line = chunk.Line(threads)
        line.submit(fail)
        with pytest.raises(OSError, match="no room"):
            line.submit(fail)
        line.wait()


def test_a_folder_has_files_of_a_million_rows_at_most_and_none_too_many(tmp_path):
    rows = pa.table({"a": [None] * 100_000, "b": np.arange(100_000.0)}, LAYOUT)

    with ThreadPoolExecutor(1) as threads:
        parts = chunk.PartWriter(tmp_path, ("predict", "train"), LAYOUT, threads)
        for _ in range(20):
            parts.write("predict", rows)
            parts.write("train", rows.slice(0, 80_000))
        parts.write("predict", rows.slice(0, 1))
        parts.close()

    def sizes(name):
        return [pq.read_metadata(path).num_rows for path in sorted((tmp_path / name).iterdir())]

    assert sizes("predict") == [1_000_000, 1_000_000, 1]
    assert sizes("train") == [960_000, 640_000]
    assert sorted(path.name for path in (tmp_path / "train").iterdir()) == ["part-00000.parquet", "part-00001.parquet"]
