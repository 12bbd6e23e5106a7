from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import contract
from steps.sample import POINTS, RowSample, points, rank


def sample(values: list[np.ndarray]) -> RowSample:
    found = RowSample(["x"])
    for part in values:
        found.add(pa.table({"x": pa.array(part, pa.float64(), from_pandas=True)}))
    return found


def test_no_two_positions_have_the_same_rank_and_ranks_do_not_depend_on_the_chunk() -> None:
    whole = rank(0, 30_000)

    assert len(set(whole.tolist())) == 30_000
    assert rank(7_000, 5).tolist() == whole[7_000:7_005].tolist()


@pytest.mark.parametrize("cuts", [(), (1,), (9_999, 10_001), (12_345, 20_000, 20_001)])
def test_the_sample_is_the_same_however_the_rows_are_cut(cuts: tuple[int, ...]) -> None:
    values = np.random.default_rng(3).normal(size=30_000)

    assert sample(np.split(values, cuts)).points("x") == sample([values]).points("x")


def test_a_large_column_is_sampled_evenly() -> None:
    found = sample([np.arange(100_000.0)[start : start + 10_000] for start in range(0, 100_000, 10_000)])

    assert len(found._ranks) == contract.SAMPLE_ROWS
    assert np.abs(np.array(found.points("x")) / 100_000 - (np.arange(POINTS) + 0.5) / POINTS).max() < 0.02


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50))
@settings(max_examples=50, deadline=None)
def test_points_are_values_that_are_there_in_order_each_for_an_equal_share(values: list[float]) -> None:
    found = points(np.array(values))

    assert len(found) == POINTS
    assert found == sorted(found)
    assert set(found) <= {float(f"{value:.9g}") for value in values}


def test_nulls_and_infinities_are_no_points() -> None:
    assert set(sample([np.array([1.0, np.nan, np.inf, 2.0])]).points("x")) == {1.0, 2.0}
    assert sample([np.array([np.nan])]).points("x") == []
    assert sample([]).points("x") == []
