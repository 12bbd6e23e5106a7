"""The `postprocess` hook: what it may do with the predictions, and what is proven of what it returns."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from postprocess_inputs import ARGUMENTS, PASSED, build

from steps import contract, hooknames, job, postprocess
from steps.hooks import HookError

SMALL = tuple(dataclasses.replace(sample, rows=50) for sample in PASSED)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(tmp_path))
    return tmp_path


def run(root: Path, body: str | None, samples: tuple = SMALL, csv: bool = False) -> pa.Table:
    """Run PostProcess with a hook of this body; return the published table."""
    shutil.rmtree(contract.output_dir(contract.OUT_PREDICTIONS), ignore_errors=True)
    build(root, samples, csv=csv)
    if body is not None:
        folder = contract.input_dir(contract.IN_CODE) / hooknames.FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "my_steps.py").write_text(f"def postprocess(predictions, context):\n    {body}\n", encoding="utf-8")
        path = contract.input_dir(contract.IN_SETTINGS) / contract.SETTINGS_FILE
        entry = {"file": "my_steps.py", "hooks": ["postprocess"], "parameters": {}}
        job.write_json(path, {**job.read_json(path), "code": entry, "seed": 0})
    postprocess.main(ARGUMENTS)
    return pq.read_table(contract.output_dir(contract.OUT_PREDICTIONS) / contract.PREDICTIONS_DIR)


def test_a_hook_changes_predictions_and_adds_columns_in_the_same_rows(root: Path) -> None:
    plain = run(root, None)
    body = "return predictions.assign(prediction=predictions.prediction.clip(0), late=predictions.prediction > 15)"
    found = run(root, body)

    assert found.column_names == ["id", "prediction", "model", "source", "late"]
    assert found.select(["id", "model", "source"]).equals(plain.select(["id", "model", "source"]))
    assert found["prediction"].to_pylist() == [max(value, 0.0) for value in plain["prediction"].to_pylist()]
    assert found["late"].to_pylist() == [float(value > 15) for value in plain["prediction"].to_pylist()]


def test_a_hook_that_returns_what_it_got_publishes_the_same_bytes(root: Path) -> None:
    run(root, None)
    path = contract.output_dir(contract.OUT_PREDICTIONS) / contract.PREDICTIONS_DIR / "part-00000.parquet"
    plain = path.read_bytes()
    run(root, "return predictions")

    assert path.read_bytes() == plain


def test_columns_that_are_added_are_in_the_csv_too(root: Path) -> None:
    run(root, "return predictions.assign(note=['=1+1'] * len(predictions))", csv=True)
    table = pyarrow.csv.read_csv(contract.output_dir(contract.OUT_PREDICTIONS) / "predictions.csv")

    assert set(table["note"].to_pylist()) == {"'=1+1"}


def test_more_rows_than_a_chunk_keep_their_order_and_columns_without_a_value_in_some_chunks(root: Path) -> None:
    body = "return predictions.assign(rare=predictions.id.where(predictions.id > 260_000))"
    found = run(root, body, PASSED)

    assert found["id"].to_pylist() == list(range(100_000, 267_000))
    assert found["rare"].null_count == 160_001


def test_a_column_without_any_value_is_not_published(root: Path) -> None:
    assert run(root, "return predictions.assign(nothing=None)").column_names[-1] == "source"


def test_without_rows_the_schema_is_as_ever(root: Path) -> None:
    nobody = tuple(dataclasses.replace(sample, rows=0) for sample in PASSED)

    assert run(root, "raise ValueError", nobody).column_names == ["id", "prediction", "model", "source"]


def test_the_context_names_the_step_and_no_model(root: Path) -> None:
    found = run(root, "return predictions.assign(told=repr((context.step, context.model, context.training)))")

    assert found["told"][0].as_py() == repr(("PostProcess", "", False))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return predictions[1:]", "returned 149 of 150 rows; return every row once"),
        ("return predictions[::-1]", "changed 'id' or 'model' or 'source', the order of rows"),
        ("return predictions.assign(model='x')", "changed 'id' or 'model' or 'source'"),
        ("return predictions.drop(columns='source')", "dropped 'source'; return the frame with it"),
        ("return predictions.drop(columns='prediction')", "returned no columns beside 'id' and 'model' and 'source'"),
        (
            "return predictions.drop(columns='prediction').assign(x=1)",
            "returned 150 of 150 rows without a number as 'prediction'; every row needs a finite one",
        ),
        ("return predictions.assign(prediction='a')", "without a number as 'prediction'"),
        ("return predictions.assign(prediction=None)", "returned no row with a number as 'prediction'"),
        (
            "return predictions.assign(prediction=predictions.prediction.where(predictions.id > 100_003))",
            "returned 4 of 150 rows without a number as 'prediction'",
        ),
        ("return predictions.assign(prediction=float('inf'))", "column 'prediction' has 150 infinite values"),
        ("return predictions.assign(rank=predictions.prediction.rank())", "gives rows another 'rank' when it is given"),
        ("return predictions.x", "(my_steps.py:2) raised AttributeError: "),
    ],
)
def test_what_must_stay_is_proven_and_nothing_is_published(root: Path, body: str, told: str) -> None:
    with pytest.raises(HookError) as caught:
        run(root, body)

    assert str(caught.value).startswith("hook postprocess (my_steps.py")
    assert told in str(caught.value)
    assert not contract.output_dir(contract.OUT_PREDICTIONS).exists()
