"""Measuring on the holdout: whole for the errors, a seeded and bounded sample for the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import prepared_rows
import pyarrow.parquet
import pytest

from steps import job, measurement
from steps.evaluation import Measured

pq: Any = pyarrow.parquet
COLUMNS = tuple(prepared_rows.KINDS)


class FakePredictor:
    """Predicts 15; tells a leaderboard and importances like AutoGluon's."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def predict(self, data: pd.DataFrame) -> pd.Series[float]:
        return pd.Series(15.0, index=data.index, dtype="float32")

    def leaderboard(self, data: pd.DataFrame) -> pd.DataFrame:
        self.asked["leaderboard"] = data
        rows = [("slow", -2.0, -3.0, 9.0, 0.5), ("good", -2.5, -1.0, 3.0, 0.1), ("none", -2.5, float("nan"), 1.0, 0.1)]
        return pd.DataFrame(rows, columns=["model", "score_val", "score_test", "fit_time", "pred_time_test"])

    def feature_importance(self, data: pd.DataFrame, **arguments: Any) -> pd.DataFrame:
        self.asked["importances"] = arguments
        return pd.DataFrame({"importance": [-0.1, 2.0], "stddev": [float("nan"), 0.2]}, index=["day", "carrier"])


class BrokenPredictor(FakePredictor):
    """Fails at everything but predicting."""

    def leaderboard(self, data: pd.DataFrame) -> pd.DataFrame:
        raise ValueError("cell 'secret'")

    def feature_importance(self, data: pd.DataFrame, **arguments: Any) -> pd.DataFrame:
        raise KeyError("secret")


def holdout(folder: Path, rows: int, **changes: Any) -> measurement.Holdout:
    prepared_rows.write_parts(folder, prepared_rows.table(rows, first=1000))
    given = {
        "parts": tuple(sorted(folder.glob("*.parquet"))),
        "columns": COLUMNS,
        "label": prepared_rows.LABEL,
        "id": "id",
        "categories": ("code",),
        "model": "EWR",
        "seed": 0,
    }
    return measurement.Holdout(**{**given, **changes})


def measured_of(rows: int, rate: float) -> measurement.Measurement:
    sample = pd.DataFrame({name: np.zeros(rows) for name in ("a", "b", "y")})
    return measurement.Measurement(Measured(rows, 1.0, 1.0, None, 1.0), rate, None, sample, "y", np.zeros(rows))


def test_errors_are_those_of_the_whole_holdout(tmp_path: Path) -> None:
    found = measurement.measure(FakePredictor(), holdout(tmp_path, 150), baseline=10.0)
    labels = prepared_rows.table(150)[prepared_rows.LABEL].to_numpy()
    assert found.errors.rows == 150
    assert found.errors.mae == pytest.approx(np.abs(labels - 15).mean())
    assert found.errors.baseline_mae == pytest.approx(np.abs(labels - 10).mean())
    assert found.rows_per_second > 0
    assert found.errors.mae_interval is not None
    assert found.errors.mae_interval.low < found.errors.mae < found.errors.mae_interval.high


def test_labels_that_are_infinite_measure_nothing_and_warn_of_nothing(tmp_path: Path) -> None:
    given = holdout(tmp_path, 20)
    table = pq.read_table(given.parts[0]).to_pandas()
    table.loc[3, prepared_rows.LABEL] = float("inf")
    table.to_parquet(given.parts[0])
    with pytest.raises(job.StepError, match="the MAE on 20 holdout rows is not a finite number"):
        measurement.measure(FakePredictor(), given, baseline=0.0)


def test_predictions_come_with_id_and_label_in_order(tmp_path: Path) -> None:
    found = measurement.measure(FakePredictor(), holdout(tmp_path, 120), baseline=0.0).predictions
    assert found.schema.names == ["id", "actual", "predicted"]
    assert found["id"].to_pylist() == list(range(1000, 1120))
    assert found["actual"].to_pylist() == prepared_rows.table(120)[prepared_rows.LABEL].to_pylist()
    assert set(found["predicted"].to_pylist()) == {15.0}


@pytest.mark.parametrize("id_column", [None, "flight"])
def test_training_files_may_have_no_id(tmp_path: Path, id_column: str | None) -> None:
    found = measurement.measure(FakePredictor(), holdout(tmp_path, 20, id=id_column), baseline=0.0)
    assert found.predictions.schema.names == ["actual", "predicted"]


def test_a_large_holdout_is_sampled_by_seed(tmp_path: Path) -> None:
    rows = measurement.PREDICTION_ROWS + 5_000
    given = holdout(tmp_path, rows)
    first = measurement.measure(FakePredictor(), given, baseline=0.0)
    again = measurement.measure(FakePredictor(), given, baseline=0.0)
    assert first.errors.rows == rows
    assert first.predictions.num_rows == measurement.PREDICTION_ROWS
    assert first.predictions.equals(again.predictions)
    assert len(first.sample) == measurement.SAMPLE_ROWS
    assert list(first.sample.columns) == [*COLUMNS, prepared_rows.LABEL]
    ids = first.predictions["id"].to_pylist()
    assert ids == sorted(set(ids))


def test_another_seed_chooses_other_rows() -> None:
    first, other = measurement.choose(1000, 10, 1), measurement.choose(1000, 10, 2)
    assert len(set(first)) == 10
    assert list(first) != list(other)
    assert list(measurement.choose(3, 10, 1)) == [0, 1, 2]


def test_no_holdout_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(job.StepError, match="no holdout rows"):
        measurement.measure(FakePredictor(), holdout(tmp_path, 0), baseline=0.0)


def test_the_leaderboard_has_positive_errors_best_first() -> None:
    found = measurement.leaderboard(FakePredictor(), measured_of(100, 1e6), 10.0)
    assert [entry["model"] for entry in found] == ["good", "slow", "none"]
    assert found[0] == {
        "model": "good",
        "score_val": 2.5,
        "fit_seconds": 3.0,
        "predict_seconds": 0.1,
        "rows_per_second": 1000.0,
        "holdout_mae": 1.0,
        "holdout_rows": 100,
    }
    assert found[2]["holdout_mae"] is None


def test_importances_are_sorted_and_free_of_nan() -> None:
    found = measurement.importances(FakePredictor(), measured_of(100, 1e6), 10.0)
    assert found == [
        {"feature": "carrier", "importance": 2.0, "standard_deviation": 0.2},
        {"feature": "day", "importance": -0.1, "standard_deviation": None},
    ]


@pytest.mark.parametrize(
    ("rows", "rate", "fit_seconds", "sample", "shuffles"),
    [
        (5000, 1e9, 1.0, 1000, 3),
        (50, 1e9, 1.0, 50, 3),
        (5000, 1000.0, 1.0, 1000, 1),
        (5000, 100.0, 1.0, 100, 1),
        (5000, 100.0, 60.0, 300, 1),
        (5000, 0.1, 1.0, 1, 1),
    ],
)
def test_slow_models_get_fewer_rows_and_shuffles(
    rows: int, rate: float, fit_seconds: float, sample: int, shuffles: int
) -> None:
    predictor = FakePredictor()
    measurement.importances(predictor, measured_of(rows, rate), fit_seconds)
    assert predictor.asked["importances"]["subsample_size"] == sample
    assert predictor.asked["importances"]["num_shuffle_sets"] == shuffles


def test_a_slow_model_shortens_the_leaderboards_sample() -> None:
    predictor = FakePredictor()
    found = measurement.leaderboard(predictor, measured_of(5000, 100.0), 1.0)
    assert len(predictor.asked["leaderboard"]) == 200
    assert found[0]["holdout_rows"] == 200


class Sizes(FakePredictor):
    """Remembers how many rows it was given."""

    def predict(self, data: pd.DataFrame) -> pd.Series[float]:
        self.asked["rows"], self.asked["columns"] = len(data), list(data.columns)
        return super().predict(data)


@pytest.mark.parametrize(("rate", "rows"), [(1e9, 10_000), (100.0, 200)])
def test_a_small_holdout_is_timed_in_a_whole_batch_of_its_features_unless_the_model_is_slow(
    rate: float, rows: int
) -> None:
    predictor = Sizes()
    assert measurement.batch_rate(predictor, measured_of(30, rate), 1.0) > 0
    assert predictor.asked == {"rows": rows, "columns": ["a", "b"]}


def test_details_that_cannot_be_made_stay_empty_and_cost_no_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    measured = measurement.measure(BrokenPredictor(), holdout(tmp_path / "rows", 20), baseline=0.0)
    measurement.write_details(BrokenPredictor(), measured, 1.0, tmp_path)
    assert prepared_rows.read_json(tmp_path / "leaderboard.json") == []
    assert prepared_rows.read_json(tmp_path / "feature_importance.json") == []
    assert pq.read_table(tmp_path / "holdout_predictions.parquet").num_rows == 20
    assert "no leaderboard (ValueError" in caplog.text
    assert "secret" not in caplog.text
