from __future__ import annotations

from steps import report_columns


def test_numbers_are_told_by_five_quantiles_and_texts_by_shares_of_categories() -> None:
    points = [float(n) for n in range(200)]
    trained = {"columns": {"n": {"points": points}, "t": {"top": {"a": 3, "b": 1}, "counts": {"a": 3, "b": 1}}}}
    asked = {"columns": {"n": {"points": [2 * p for p in points]}, "t": {"counts": {"a": 1, "z": 3}, "others": 0}}}
    assert report_columns.shifts(["t", "n", "gone"], trained, asked) == [
        {"name": "t", "categories": ["a", "b"], "training": [0.75, 0.25], "predict": [0.25, 0.0]},
        {"name": "n", "training": [10.0, 50.0, 100.0, 150.0, 190.0], "predict": [20.0, 100.0, 200.0, 300.0, 380.0]},
    ]
    assert report_columns.shifts(["n"], trained, {}) == []


def test_errors_of_an_older_training_are_none() -> None:
    assert report_columns.errors(None) == []
    given = [{"feature": "a", "kind": "number", "bins": [{"low": 1 / 3, "rows": 4, "null": True}]}]
    assert report_columns.errors(given)[0]["bins"] == [{"low": 0.33333, "rows": 4, "null": True}]
