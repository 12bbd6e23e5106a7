"""Batches of prepared rows: one dtype per kind everywhere, and predictions that are proven numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import prepared_rows
import pyarrow as pa
import pytest

from steps import job, scoring

FEATURES = list(prepared_rows.KINDS)


class FakePredictor:
    """Returns what it was made with, or raises it."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def predict(self, data: pd.DataFrame) -> Any:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def frame(column: pa.Array, categories: tuple[str, ...] = ()) -> pd.DataFrame:
    return scoring.frame(pa.table({"c": column}), ["c"], categories)


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (pa.array([1.5, None]), "float64"),
        (pa.array([1, None], pa.int64()), "float64"),
        (pa.array([True, None]), "float64"),
        (pa.array([None, None], pa.float64()), "float64"),
        (pa.array(["NA", None]), "object"),
        (pa.array(["a", "a"]).dictionary_encode(), "object"),
        (pa.array([None, None], pa.string()), "object"),
        (pa.array([datetime(2026, 1, 1), None], pa.timestamp("us")), "datetime64[ns]"),
        (pa.array([None, None], pa.timestamp("us")), "datetime64[ns]"),
        (pa.array([20000, None], pa.date32()), "datetime64[ns]"),
    ],
)
def test_a_kind_has_one_dtype_with_nulls_and_without(column: pa.Array, dtype: str) -> None:
    assert str(frame(column)["c"].dtype) == dtype
    assert frame(column)["c"].isna().sum() == column.null_count


def test_declared_categories_arrive_as_categories() -> None:
    found = frame(pa.array(["007", "7", None]), ("c", "another"))["c"]
    assert str(found.dtype) == "category"
    assert list(found.cat.categories) == ["007", "7"]


def test_a_date_that_means_never_is_the_latest_there_is_and_nulls_stay_null() -> None:
    values = [datetime(9999, 12, 31), datetime(1, 1, 1), None, datetime(2026, 2, 3, 4, 5, 6)]
    found = frame(pa.array(values, pa.timestamp("us")))["c"]
    assert found[0].year == 2262
    assert found[1].year == 1678
    assert found[2] is pd.NaT
    assert found[3] == pd.Timestamp(2026, 2, 3, 4, 5, 6)
    zoned = pa.array([datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    assert frame(zoned)["c"][0] == pd.Timestamp(2026, 1, 1)


def test_batches_are_bounded_and_hold_every_row_in_order(tmp_path: Path) -> None:
    rows = prepared_rows.table(230)
    prepared_rows.write_parts(tmp_path, rows, files=3)
    parts = scoring.parts(tmp_path)
    batches = list(scoring.batches(parts, ["id", "carrier"], 60))
    assert scoring.count_rows(parts) == 230
    assert max(batch.num_rows for batch in batches) <= 60
    assert [value for batch in batches for value in batch.column("id").to_pylist()] == rows["id"].to_pylist()
    assert batches[0].schema.names == ["id", "carrier"]


def test_reading_whole_gives_the_frame_of_the_batches(tmp_path: Path) -> None:
    prepared_rows.write_parts(tmp_path, prepared_rows.table(100))
    parts = scoring.parts(tmp_path)
    whole = scoring.read(parts, FEATURES, ["code"])
    pieces = [scoring.frame(batch, FEATURES, ["code"]) for batch in scoring.batches(parts, FEATURES, 30)]
    assert whole.astype(object).equals(pd.concat(pieces, ignore_index=True).astype(object))


def test_predictions_are_float64_one_per_row() -> None:
    found = scoring.predict(FakePredictor(pd.Series([1.5, 2.5], dtype="float32")), pd.DataFrame({"a": [1, 2]}), "EWR")
    assert found.dtype == np.float64
    assert found.tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([1.0], "model EWR returned 1 predictions for 2 rows"),
        ([1.0, float("nan")], "model EWR: 1 of 2 predictions of a batch are null or infinite"),
        ([float("inf"), float("-inf")], "model EWR: 2 of 2 predictions"),
    ],
)
def test_what_is_no_prediction_of_these_rows_is_refused(result: list[float], message: str) -> None:
    with pytest.raises(job.StepError, match=message):
        scoring.predict(FakePredictor(result), pd.DataFrame({"a": [1, 2]}), "EWR")


def test_what_a_predictor_raises_is_told_without_its_text() -> None:
    with pytest.raises(job.StepError, match=r"score a batch of 1 rows \(ValueError at test_scoring") as caught:
        scoring.predict(FakePredictor(ValueError("could not convert 'secret'")), pd.DataFrame({"a": [1]}), "EWR")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_running_out_of_memory_is_no_matter_of_the_model() -> None:
    with pytest.raises(MemoryError):
        scoring.predict(FakePredictor(MemoryError()), pd.DataFrame({"a": [1]}), "EWR")
