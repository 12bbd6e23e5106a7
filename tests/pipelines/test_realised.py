"""Realised errors of every segment, and the verdict against what the holdout promised."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished_executions import finish, model

from pipelines import realised
from pipelines.realised import Errors, Promise, judge
from pipelines.runs import Run
from pipelines.truth import Truth

PROMISE = Promise(10.0, 9.0, 11.0)


@pytest.mark.parametrize(
    ("mae", "rows", "expected"),
    [
        (9.0, 100, "within"),
        (10.9, 100, "within"),
        (11.5, 100, "worse"),
        (8.0, 100, "better"),
        (11.1, 100, "too few rows"),
        (8.9, 100, "too few rows"),
        (20.0, 29, "too few rows"),
    ],
)
def test_the_verdict_is_worse_or_better_only_beyond_chance(mae: float, rows: int, expected: str) -> None:
    assert judge(Errors(rows, 0, mae, mae, 0.0, 1.0), PROMISE) == expected


def test_without_a_promise_or_rows_nothing_is_claimed() -> None:
    assert judge(Errors(100, 0, 1.0, 1.0, 0.0, 1.0), None) == "no promise"
    assert judge(Errors(0, 5, None, None, None, None), PROMISE) == "too few rows"


def test_errors_are_those_of_the_rows_with_a_truth(tmp_path: Path) -> None:
    rows = [("a", 1.0, "A"), ("b", 5.0, "A"), ("c", 0.0, "A"), ("d", 2.0, "B")]
    finish(tmp_path, "e1", rows, models={"A": model(), "B": model(mae_low=None)})
    (tmp_path / "t.csv").write_text("id,y\na,2\nb,2\nc,\nz,9\n")

    found = realised.evaluate(Run("e1", tmp_path), Truth(tmp_path / "t.csv", "id", "y"))

    assert found.segments["A"].errors == Errors(2, 1, 2.0, pytest.approx(5**0.5), 1.0, pytest.approx(2**0.5))
    assert found.segments["A"].promise == PROMISE
    assert found.segments["B"].errors == Errors(0, 1, None, None, None, None)
    assert found.segments["B"].promise is None
    assert found.unpredicted == 1
    assert (found.to_json()["rows"], found.to_json()["without_truth"]) == (2, 2)


def test_a_default_model_has_no_promise_from_this_holdout(tmp_path: Path) -> None:
    finish(tmp_path, "e1", [("a", 1.0, "A")], source="default")
    (tmp_path / "t.csv").write_text("id,y\na,2\n")

    found = realised.evaluate(Run("e1", tmp_path), Truth(tmp_path / "t.csv", "id", "y"))

    assert found.segments["A"].verdict == "no promise"
