"""The `prepare` hook in the prepare steps: what it gets and returns, and what it must leave as it is."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prepare_stage import Stage, by_region, load, model, parts_of, rows, table

from steps import contract
from steps.hooks import HookError
from steps.job import StepError

MODELS = by_region("N", "S")
CODE = """
def prepare(frame, context):
    frame["total"] = frame["size"] * frame["price"]
    frame["weekday"] = frame["day"].dt.day_name()
    return frame.drop(columns=["price"])
"""
DROPS = """
def prepare(frame, context):
    return frame[frame["size"] > 5] if context.training else frame
"""


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    found = Stage(tmp_path, monkeypatch)
    found.write("train.csv", csv(60, label=True))
    found.write("predict.csv", csv(8))
    return found


def csv(count: int, label: bool = False) -> str:
    names = ["id", "region", "size", "price", "day", "fragile", *(["y"] if label else [])]
    lines = [",".join(names)]
    for n in range(count):
        cells = [str(n), "NS"[n % 2], str(n % 12), "" if n % 7 == 0 else str(n / 4), f"2026-01-{n % 28 + 1:02d}"]
        lines.append(",".join([*cells, "true" if n % 3 else "false", *([str(n * 2.0)] if label else [])]))
    return "\n".join(lines) + "\n"


def train_and_predict(
    stage: Stage, code: str, models: list[dict[str, Any]] = MODELS, **changes: Any
) -> tuple[Path, Path]:
    stage.code = code
    return stage.train(models, **changes), stage.predict(models, **changes)


def test_training_and_prediction_have_the_columns_that_the_hook_returns(stage: Stage) -> None:
    train, predict = train_and_predict(stage, CODE)
    kinds = {
        "region": "text",
        "size": "number",
        "day": "datetime",
        "fragile": "bool",
        "total": "number",
        "weekday": "text",
    }

    assert {c["name"]: c["kind"] for c in load(train / "N" / "schema.json")["columns"]} == kinds
    assert table(train / "N" / "train").column_names == ["id", "y", *kinds]
    assert table(parts_of(predict) / "N").column_names == ["__row__", "id", *kinds]
    assert list(load(predict / "N" / "profile.json")["columns"]) == sorted(kinds)
    assert load(train / "data.json")["columns"] == kinds


def test_what_describes_the_columns_is_computed_on_what_the_hook_returns(stage: Stage) -> None:
    """Categories, null rates and points are what CheckData and the report compare."""
    train, predict = train_and_predict(stage, CODE)
    columns = {column["name"]: column for column in load(train / "N" / "schema.json")["columns"]}

    assert "Friday" in columns["weekday"]["categories"]
    assert 0 < columns["total"]["null_rate"] < 0.3
    assert load(train / "N" / "profile.json")["columns"]["total"]["max"] > 0
    assert load(predict / "N" / "profile.json")["columns"]["weekday"]["counts"]


def test_rows_keep_id_label_and_order_and_are_computed_from_themselves(stage: Stage) -> None:
    train, predict = train_and_predict(stage, CODE)
    found = [*rows(train / "S" / "train"), *rows(train / "S" / "holdout")]

    assert sorted(row["id"] for row in found) == list(range(1, 60, 2))
    assert all(row["y"] == row["id"] * 2 for row in found)
    assert all(row["total"] in (None, row["size"] * row["id"] / 4) for row in found)
    assert [(row["__row__"], row["id"]) for row in rows(parts_of(predict) / "S")] == [(n, n) for n in (1, 3, 5, 7)]


def test_the_same_rows_are_held_out_with_and_without_a_hook(stage: Stage) -> None:
    def held(train: Path) -> list[int]:
        return [row["id"] for row in rows(train / "N" / "holdout")]

    without = held(stage.train(MODELS))
    stage.code = CODE
    assert held(stage.train(MODELS)) == without


def test_the_same_files_give_the_same_bytes(stage: Stage) -> None:
    stage.code = CODE + "    # rows\n"
    path = stage.train(MODELS) / "N" / "train" / "part-00000.parquet"
    first = path.read_bytes()

    assert (stage.train(MODELS) / "N" / "train" / "part-00000.parquet").read_bytes() == first


def test_columns_arrive_with_the_same_types_in_training_and_prediction(stage: Stage) -> None:
    code = """
SEEN = []
def prepare(frame, context):
    types = [f"{name} {frame[name].dtype}" for name in frame.columns if name != "y"]
    frame["types"] = "; ".join(types)
    return frame
"""
    train, predict = train_and_predict(stage, code)
    seen = {row["types"] for folder in (train / "N" / "train", parts_of(predict) / "N") for row in rows(folder)}

    assert seen == {"id int64; region object; size float64; price float64; day datetime64[us]; fragile boolean"}


def test_the_hook_is_told_model_step_and_whether_it_trains(stage: Stage) -> None:
    code = """
def prepare(frame, context):
    told = (context.step, context.model, context.slug, context.training, context.label, context.id, context.seed)
    frame["told"] = repr(told)
    return frame
"""
    train, predict = train_and_predict(stage, code, models=[model("Nord #1", "Nord-1")])

    assert rows(train / "Nord-1" / "train")[0]["told"] == repr(
        ("PrepareTraining", "Nord #1", "Nord-1", True, "y", "id", 0)
    )
    assert rows(parts_of(predict) / "Nord-1")[0]["told"] == repr(
        ("PreparePrediction", "Nord #1", "Nord-1", False, "y", "id", 0)
    )


def test_training_rows_may_be_dropped_and_are_counted(stage: Stage) -> None:
    train, predict = train_and_predict(stage, DROPS, models=by_region("N", "S", pooled=True))
    kept = [row["size"] for part in ("train", "holdout") for row in rows(train / "N" / part)]

    assert min(kept) > 5
    status, data = load(train / "N" / "status.json"), load(train / "data.json")
    assert status["rows"] + status["dropped_by_prepare"] == 30
    assert data["dropped_by_prepare"] == 60 - load(train / "pooled" / "status.json")["rows"] == 30
    assert "prepare dropped 30 training rows" in data["warnings"]
    assert load(predict / "N" / "status.json")["rows"] == 4


def test_a_segment_that_lost_all_its_rows_has_nothing_to_train_on(stage: Stage) -> None:
    stage.code = "def prepare(frame, context):\n    return frame if context.model == 'N' else frame[frame['size'] > 99]"
    train = stage.train(MODELS)

    assert load(train / "S" / "status.json")["status"] == contract.SKIPPED
    assert load(train.parent / "schema" / "schema.json")["trained"] == {"N": True, "S": False}


def test_a_column_without_a_value_in_some_rows_has_the_kind_that_it_has_in_others(stage: Stage) -> None:
    stage.code = (
        "def prepare(frame, context):\n    frame['x'] = 'big' if context.slug == 'S' else None\n    return frame"
    )
    train = stage.train(MODELS)

    assert {row["x"] for row in rows(train / "N" / "train")} == {None}
    assert load(train / "N" / "schema.json")["columns"][-1]["kind"] == "text"
    assert {row["x"] for row in rows(train / "S" / "train")} == {"big"}


def test_a_column_without_any_value_is_ignored_with_a_warning(stage: Stage) -> None:
    train, predict = train_and_predict(stage, "def prepare(frame, context):\n    frame['x'] = None\n    return frame")

    assert load(train / "N" / "schema.json")["ignored"] == ["x"]
    assert "x" not in table(parts_of(predict) / "N").column_names
    assert "column 'x', made by prepare, is empty in all rows and is ignored" in load(train / "data.json")["warnings"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return None", "for N: returned NoneType; return the frame"),
        ("return frame.drop(columns='id')", "for N: dropped 'id'; return the frame with it"),
        ("return frame.drop(columns='y')", "for N: dropped 'y'; return the frame with it"),
        (
            "return frame.assign(y=frame.y + 1)",
            "for N: changed 'id' or 'y', the order of rows, or returned rows twice; ",
        ),
        ("return frame[::-1]", "for N: changed 'id' or 'y', the order of rows"),
        ("return pd.concat([frame, frame])", "returned rows twice (30 rows given, 60 returned); "),
        ("return pd.concat([frame[:3], frame[:2]])", "returned rows twice (30 rows given, 5 returned); "),
        ("return frame[['id', 'y']]", "for N: returned no columns beside 'id' and 'y'; keep at least one"),
        ("return frame.assign(a=[[1]] * len(frame))", "for N: column 'a' holds values of type list"),
        ("return frame.assign(a=1 / (frame['size'] * 0))", "for N: column 'a' has 30 infinite values"),
        (
            "return frame.assign(a=frame['size'] - frame['size'].mean())",
            "for N: gives rows another 'a' when it is given",
        ),
        ("return frame[frame['id'] >= frame['id'].mean()]", "for N: drops other rows when it is given fewer"),
        ("return frame['no such']", "(my_steps.py:4) raised KeyError: 'no such'"),
        (
            "return frame.assign(a=frame['size'].astype(str) if context.slug == 'S' else frame['size'])",
            "returned column 'a' with values of kind text, and of kind number for other rows; make it one kind",
        ),
        (
            "return frame.assign(**{context.slug: 1})",
            "must return the same columns for all rows, but a chunk has no column 'S'",
        ),
    ],
)
def test_what_a_hook_does_wrong_in_training_is_told(stage: Stage, body: str, told: str) -> None:
    stage.code = f"import pandas as pd\n\ndef prepare(frame, context):\n    {body}\n"
    with pytest.raises(HookError) as caught:
        stage.train(MODELS)

    assert str(caught.value).startswith("hook prepare (my_steps.py")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return frame[frame['size'] > 5]", "for N: returned 1 of 4 rows; return every row once"),
        ("return frame[::-1]", "for N: changed 'id', the order of rows, or returned rows twice; "),
        ("return frame.assign(id=0)", "for N: changed 'id', the order of rows"),
        ("return frame.drop(columns='size')", "but a chunk has no column 'size', there are: 'region', "),
        ("return frame.assign(z=1)", "but a chunk has a column 'z' that others have not"),
        ("return frame.assign(size='a')", "but a chunk has a column 'size' of kind text, number elsewhere"),
        ("return frame.assign(y=1)", "for N: column 'y' is the label, which rows to predict have not"),
    ],
)
def test_rows_to_predict_keep_number_ids_order_and_the_columns_of_training(stage: Stage, body: str, told: str) -> None:
    with pytest.raises(HookError) as caught:
        train_and_predict(stage, f"def prepare(frame, context):\n    if context.training: return frame\n    {body}\n")

    assert told in str(caught.value)


def test_a_message_names_counts_and_never_a_cell(stage: Stage) -> None:
    stage.write("predict.csv", csv(8).replace(",N,", ",secret,", 1).replace("0,secret", "0,N"))
    with pytest.raises(HookError) as caught:
        train_and_predict(
            stage, "def prepare(frame, context):\n    return frame[:1] if not context.training else frame\n"
        )

    assert "secret" not in str(caught.value)


def test_without_ids_in_training_rows_are_known_by_their_labels_in_order(stage: Stage) -> None:
    stage.write("train.csv", "\n".join(line.partition(",")[2] for line in csv(60, label=True).splitlines()) + "\n")
    stage.code = DROPS
    train = stage.train(MODELS)

    assert table(train / "N" / "train").column_names[0] == "y"
    assert all(row["y"] / 2 % 12 == row["size"] > 5 for row in rows(train / "N" / "train"))


def test_isolated_segments_are_left_out_where_the_hook_fails_for_their_rows(stage: Stage) -> None:
    code = "def prepare(frame, context):\n    assert context.slug != 'S', 'no S'\n    return frame\n"
    train, predict = train_and_predict(stage, code, on_segment_failure="isolate")

    assert load(train / "S" / "status.json")["status"] == contract.FAILED
    assert load(train / "S" / "status.json")["reason"].endswith("raised AssertionError: no S")
    assert load(train / "N" / "status.json")["rows"] == 30
    assert load(predict / "S" / "status.json")["status"] == contract.FAILED
    assert len(rows(parts_of(predict) / "N")) == 4


def test_a_hook_that_fails_for_all_isolated_segments_fails_the_step(stage: Stage) -> None:
    stage.code = "def prepare(frame, context):\n    raise ValueError('never')\n"
    with pytest.raises(StepError, match="raised ValueError: never"):
        stage.train(MODELS, on_segment_failure="isolate")


def test_training_data_that_were_prepared_by_other_code_are_refused(stage: Stage) -> None:
    stage.train(MODELS)
    stage.code = CODE
    with pytest.raises(StepError, match=r"prepared with other code \(hook prepare\): run PrepareTraining again"):
        stage.predict(MODELS)


def test_chunks_are_bounded_and_all_rows_go_through_the_hook(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """The hook is called with at most 100,000 rows at a time, so that data may be larger than memory."""
    count = 100_050
    frame = pd.DataFrame({"id": range(count), "size": range(count), "y": 0.5})
    stage.write("train.csv", frame.to_csv(index=False))
    stage.code = """
def prepare(frame, context):
    context.log.info("%d rows", len(frame))
    return frame.assign(double=frame["size"] * 2)
"""
    with caplog.at_level(logging.INFO):
        train = stage.train([model("all")], segment=None)

    assert [r.getMessage() for r in caplog.records if r.name == "hook"] == ["100000 rows", "100 rows", "50 rows"]
    whole = pd.concat(pd.read_parquet(train / "all" / part) for part in ("train", "holdout"))
    assert len(whole) == count
    assert (whole["double"] == whole["size"] * 2).all()
