from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import routing


class Folder:
    """Keeps the chunks that it is given."""

    def __init__(self):
        self.chunks = []
        self.is_finished = False

    def add(self, rows):
        assert not self.is_finished
        self.chunks.append(rows.column("r").to_pylist())

    def finish(self):
        self.is_finished = True


def distribute(models, batch_rows, chunk_rows, pooled=None):
    """Distribute numbered rows; return the folders by model."""
    models = np.array(models, np.int16)
    rows = pa.record_batch({"r": np.arange(len(models))})
    batches = [
        (models[first : first + batch_rows], rows.slice(first, batch_rows))
        for first in range(0, len(models), batch_rows)
    ]
    sizes = {int(m): int((models == m).sum()) for m in set(models.tolist()) if m != routing.NOBODY}
    if pooled is not None:
        sizes[pooled] = int((models != routing.NOBODY).sum())
    folders = {}
    group = {model: size for model, size in sizes.items() if size}
    routing.distribute(batches, group, pooled, lambda m: folders.setdefault(m, Folder()), chunk_rows)
    return folders


MODELS = st.lists(st.integers(-1, 3), max_size=40)


@given(MODELS, st.integers(1, 7), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_each_model_gets_its_rows_in_order_in_chunks_that_do_not_depend_on_the_batches(models, batch_rows, chunk_rows):
    folders = distribute(models, batch_rows, chunk_rows)

    assert set(folders) == set(models) - {routing.NOBODY}
    for model, folder in folders.items():
        assert [row for chunk in folder.chunks for row in chunk] == [n for n, m in enumerate(models) if m == model]
        assert all(len(chunk) == chunk_rows for chunk in folder.chunks[:-1])
        assert 0 < len(folder.chunks[-1]) <= chunk_rows
        assert folder.is_finished


@given(MODELS, st.integers(1, 7))
@settings(max_examples=30, deadline=None)
def test_the_pooled_model_gets_every_row_that_has_a_model(models, batch_rows):
    folders = distribute(models, batch_rows, 4, pooled=3)

    found = [row for chunk in folders[3].chunks for row in chunk] if 3 in folders else []
    assert found == [n for n, m in enumerate(models) if m != routing.NOBODY]


@given(st.dictionaries(st.integers(0, 9), st.integers(0, 20)), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_every_model_with_rows_is_in_one_group_and_no_group_waits_for_more_than_it_may(sizes, most):
    found = list(routing.groups(sizes, most, rows=8))

    assert [item for group in found for item in group.items()] == sorted(
        (model, size) for model, size in sizes.items() if size
    )
    assert all(sum(min(size, 8) for size in group.values()) <= most or len(group) == 1 for group in found)


def test_rows_of_a_code_without_a_model_are_nobodys():
    lookup = routing.Lookup({7: 1, 3: 0, 5: None})

    assert lookup.models(np.array([3, 7, 5, 4, 9, -1])).tolist() == [0, 1, -1, -1, -1, -1]
    assert routing.Lookup({}).models(np.array([0, -1])).tolist() == [-1, -1]
    assert routing.sizes({3: 10, 7: 2, 5: 4}, {7: 0, 3: 0, 5: None}) == {0: 12}


def test_more_rows_wait_where_there_is_more_memory_and_fewer_where_they_are_wider():
    assert routing.most_waiting(1 << 30, 10) > routing.most_waiting(1 << 28, 10)
    assert routing.most_waiting(1 << 30, 10) > routing.most_waiting(1 << 30, 100) > 0
