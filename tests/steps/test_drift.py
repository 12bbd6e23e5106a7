"""Rates and distributions over batches: the same numbers however the rows are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from steps.drift import Distribution, Limits, Rates

COLUMNS: list[dict[str, Any]] = [
    {"name": "carrier", "kind": "text", "null_rate": 0.5, "categories": ["AA", "NA"]},
    {"name": "tail", "kind": "text", "null_rate": 0.0, "categories": None},
    {"name": "dist", "kind": "number", "null_rate": 0.05, "categories": None},
]


def rates(carrier: list[str | None], dist: list[float | None], batch: int, limits: Limits | None = None) -> Rates:
    found = Rates(COLUMNS, limits)
    rows = pa.table(
        {
            "carrier": pa.array(carrier, pa.string()),
            "tail": pa.array(["new"] * len(carrier)),
            "dist": pa.array(dist, pa.float64()),
        }
    )
    for piece in rows.to_batches(max_chunksize=batch):
        found.add(piece)
    return found


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_nulls_and_unseen_categories_are_counted_over_batches(batch: int) -> None:
    found = rates(["AA", "secret", None, "NA"], [1.0, None, None, None], batch)
    assert found.unseen() == {"carrier": 0.25}
    assert found.nulls()["carrier"] == {"train": 0.5, "predict": 0.25}
    assert found.nulls()["dist"] == {"train": 0.05, "predict": 0.75}


def test_warnings_name_columns_and_rates_but_no_cell() -> None:
    warnings = rates(["AA", "secret", None, "NA"], [1.0, None, None, None], 2).warnings()
    assert warnings == [
        "column 'carrier': 25.0% of the rows have a category that training did not see",
        "column 'carrier': 25.0% of the rows are null, in training 50.0%",
        "column 'dist': 75.0% of the rows are null, in training 5.0%",
    ]


def test_small_differences_are_no_warning() -> None:
    carriers: list[str | None] = ["AA"] * 100 + [None] * 99 + ["new"]
    found = rates(carriers, [1.0] * 200, 64)
    assert found.unseen() == {"carrier": 0.005}
    assert found.warnings() == []


def test_limits_and_columns_to_ignore_come_from_the_settings() -> None:
    def warned(**found: Any) -> int:
        limits = Limits.from_json({"unseen": 0.3, "nulls": 0.3, "ignore": [], **found})
        return len(rates(["AA", "secret", None, "NA"], [1.0, None, None, None], 2, limits).warnings())

    assert warned() == 1
    assert warned(nulls=None) == 0
    assert warned(unseen=0.2) == 2
    assert warned(unseen=0.2, nulls=0.2, ignore=["carrier"]) == 1


def test_no_rows_have_no_rates() -> None:
    assert (Rates(COLUMNS).nulls(), Rates(COLUMNS).unseen(), Rates(COLUMNS).warnings()) == ({}, {}, [])


def test_predictions_beyond_the_labels_range_count_in_the_end_bins() -> None:
    found = Distribution.over([0.0, 1.0, 2.0])
    found.add(np.array([-5.0, 0.5]))
    found.add(np.array([1.5, 99.0, 2.0]))
    told = found.to_json()
    assert told["histogram"] == {"edges": [0.0, 1.0, 2.0], "counts": [2, 3]}
    assert (told["min"], told["max"]) == (-5.0, 99.0)
    assert told["mean"] == pytest.approx(19.6)
    assert told["std"] == pytest.approx(np.std([-5.0, 0.5, 1.5, 99.0, 2.0], ddof=1))


@pytest.mark.parametrize("edges", [None, [], [3.0], [3.0, 3.0]])
def test_without_a_range_the_first_batch_makes_the_bins(edges: list[float] | None) -> None:
    found = Distribution.over(edges)
    found.add(np.array([]))
    found.add(np.array([1.0, 3.0]))
    found.add(np.array([50.0]))
    told = found.to_json()["histogram"]
    assert (told["edges"][0], told["edges"][-1], len(told["counts"])) == (1.0, 3.0, 20)
    assert sum(told["counts"]) == 3


def test_equal_predictions_have_a_histogram_too() -> None:
    found = Distribution.over(None)
    found.add(np.full(4, 7.0))
    assert sum(found.to_json()["histogram"]["counts"]) == 4
    assert found.to_json()["std"] == 0.0


def test_no_predictions_are_nulls_not_numbers() -> None:
    assert Distribution.over([0.0, 1.0]).to_json()["mean"] is None
