from __future__ import annotations

from itertools import groupby

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import chunk


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 7), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_chunks_hold_every_row_once_and_their_size_does_not_depend_on_the_batches(models, batch_rows, chunk_rows):
    models = sorted(models)
    whole = pa.table({"m": pa.array(models, pa.int32()), "r": list(range(len(models)))})

    found = list(chunk.cut(whole.to_batches(batch_rows), chunk_rows))

    assert [row for _, table in found for row in table.column("r").to_pylist()] == list(range(len(models)))
    assert all(set(table.column("m").to_pylist()) == {model} for model, table in found)
    for _, of_model in groupby(found, key=lambda item: item[0]):
        sizes = [table.num_rows for _, table in of_model]
        assert all(size == chunk_rows for size in sizes[:-1])
        assert 0 < sizes[-1] <= chunk_rows


def test_parts_without_rows_are_written_with_their_columns(tmp_path):
    layout = pa.schema([chunk.field("a", "text"), chunk.field("b", "datetime")])

    with chunk.PartWriter(tmp_path, ("train", "holdout"), layout) as parts:
        parts.write("train", layout.empty_table())

    assert parts.rows == {"train": 0, "holdout": 0}
    assert pq.read_table(tmp_path / "holdout" / chunk.PART_FILE).schema == layout
