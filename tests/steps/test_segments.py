from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prepare_stage import model

from steps import segments

SETTINGS = {
    "glob_train": ["train*"],
    "glob_predict": ["predict*"],
    "label": "y",
    "id": "id",
    "delimiter": ",",
    "drop": ["note"],
    "segment": "region",
    "models": None,
    "min_rows": 30,
}


def run(tmp_path, capsys, **changes):
    """Return exit code, what was printed as JSON (None: nothing) and the errors."""
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({**SETTINGS, **changes}), encoding="utf-8")
    code = segments.main(["--settings", str(path), "--raw", str(tmp_path / "raw")])
    printed = capsys.readouterr()
    return code, json.loads(printed.out) if printed.out else None, printed.err


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "train.csv").write_text('id,region,y\n1,b,1\n2,"a, b",2\n3,NA,\n4,,5\n5,007,1\n6,b,2\n', encoding="utf-8")
    (folder / "predict.csv").write_text("region,id\nb,1\n東京,2\n,3\n", encoding="utf-8")
    (folder / "train.run").write_text("")
    return folder


def test_segments_are_counted_in_both_roles_and_sorted(tmp_path, raw, capsys):
    code, found, _ = run(tmp_path, capsys)

    assert code == 0
    assert found["segments"] == [
        {"value": "007", "train_rows": 1, "predict_rows": 0},
        {"value": "NA", "train_rows": 0, "predict_rows": 0},
        {"value": "a, b", "train_rows": 1, "predict_rows": 0},
        {"value": "b", "train_rows": 2, "predict_rows": 1},
        {"value": "東京", "train_rows": 0, "predict_rows": 1},
    ]
    assert found["null"] == {"train_rows": 1, "predict_rows": 1}
    assert (found["train_rows"], found["predict_rows"]) == (5, 3)
    assert found["models"] == []


def test_columns_that_the_prediction_files_lack_are_found_in_the_headers(tmp_path, raw, capsys):
    (raw / "train.csv").write_text("id,region,kind,note,y\n1,b,x,z,1\n", encoding="utf-8")
    (raw / "predict.csv").write_text("region,idd,kinds\nb,1,x\n", encoding="utf-8")

    code, found, _ = run(tmp_path, capsys)

    assert code == 0
    assert found["absent"] == [
        "column 'id' (data.id) is not in 'predict.csv'; nearest: 'idd', 'kinds'",
        "column 'kind' (a training column) is not in 'predict.csv'; nearest: 'kinds', 'idd'",
    ]


def test_nothing_is_absent_where_the_headers_agree(tmp_path, raw, capsys):
    assert run(tmp_path, capsys)[1]["absent"] == []


def test_listed_models_are_counted_with_the_rows_of_none(tmp_path, raw, capsys):
    models = [model("B", where={"region": ["b"]}), model("odd", where={"region": ["007", "NA"]})]

    code, found, _ = run(tmp_path, capsys, segment=None, models=models)

    assert code == 0
    assert found["models"] == [
        {"name": "B", "train_rows": 2, "predict_rows": 1},
        {"name": "odd", "train_rows": 1, "predict_rows": 0},
    ]
    assert found["unmatched"] == {"train_rows": 2, "predict_rows": 2}


def test_an_index_that_pandas_wrote_is_no_column_in_the_census(tmp_path, raw, capsys):
    pd.DataFrame({"region": ["b"], "id": [7], "y": [1]}, index=[5]).to_parquet(raw / "train-2.parquet")

    code, found, errors = run(tmp_path, capsys)

    assert (code, errors) == (0, "")
    assert next(s for s in found["segments"] if s["value"] == "b")["train_rows"] == 3


def test_whole_numbers_in_parquet_read_like_in_csv(tmp_path, raw, capsys):
    (raw / "train.csv").unlink()
    pq.write_table(pa.table({"region": [7.0, None], "y": [1, 2]}), raw / "train.parquet")

    _, found, _ = run(tmp_path, capsys)

    assert found["segments"][0] == {"value": "7", "train_rows": 1, "predict_rows": 0}


def test_rows_of_two_models_are_an_error(tmp_path, raw, capsys):
    models = [model("B", where={"region": ["b"]}), model("C", where={"region": ["b", "NA"]})]

    code, found, errors = run(tmp_path, capsys, segment=None, models=models)

    assert (code, found) == (2, None)
    assert "'B', 'C' all take the same 2 rows" in errors


def test_problems_of_both_roles_are_reported_together(tmp_path, raw, capsys):
    (raw / "predict.csv").rename(raw / "score.csv")

    code, _, errors = run(tmp_path, capsys, label="Y", segment="Region")

    assert code == 2
    assert "no file for glob 'predict*'" in errors
    assert "column 'Y' (data.label) is not in 'train.csv'; nearest: 'y'" in errors
    assert "column 'Region' (models.by) is not in 'train.csv'; nearest: 'region'" in errors


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'id,region,y\n1,"SECRET,1\n', "line 2"),
        (b"id,region,y\n1,SECRET\n", "line 2"),
        (b"id,region,y\n1,\xff,1\n", "UTF-8"),
        (b"", "is empty"),
    ],
)
def test_unreadable_files_are_named_without_their_text(tmp_path, raw, capsys, content, expected):
    (raw / "train.csv").write_bytes(content)

    code, _, errors = run(tmp_path, capsys)

    assert code == 2
    assert "train.csv" in errors
    assert expected in errors
    assert "SECRET" not in errors


def test_a_missing_raw_folder_is_an_error(tmp_path, capsys):
    code, _, errors = run(tmp_path, capsys)

    assert code == 2
    assert "does not exist" in errors


OWN = [model(name, train=[f"train-{name}*"], predict=[f"predict-{name}*"]) for name in ("a", "b")]


@pytest.fixture
def own(raw):
    """Each model has files of its own; the training file of `a` is broken in its last line."""
    for path in raw.iterdir():
        path.unlink()
    (raw / "train-a.csv").write_text("id,x,y\n1,1,1\n2,2,2\n3,3,3,3\n")
    (raw / "train-b.csv").write_text("id,x,y\n4,1,1\n")
    (raw / "predict-a.csv").write_text("id,x\n1,1\n")
    (raw / "predict-b.csv").write_text("id,x\n4,1\n5,1\n")
    return raw


def test_a_broken_file_of_one_isolated_model_counts_by_its_lines(tmp_path, own, capsys):
    code, found, _ = run(tmp_path, capsys, models=OWN, segment=None, on_segment_failure="isolate")

    assert code == 0
    assert [(m["name"], m["train_rows"], m["predict_rows"]) for m in found["models"]] == [("a", 3, 1), ("b", 1, 2)]
    assert found["unmatched"] == {"train_rows": 0, "predict_rows": 0}


def test_a_broken_file_is_an_error_where_segments_are_not_isolated(tmp_path, own, capsys):
    code, found, errors = run(tmp_path, capsys, models=OWN, segment=None)

    assert (code, found) == (2, None)
    assert "train-a.csv" in errors


def test_files_of_a_role_that_nobody_asks_for_are_not_looked_at(raw, tmp_path, capsys):
    (raw / "train.csv").unlink()

    code, found, _ = run(tmp_path, capsys, roles=["predict"])

    assert code == 0
    assert [(entry["value"], entry["train_rows"], entry["predict_rows"]) for entry in found["segments"]] == [
        ("b", 0, 1),
        ("東京", 0, 1),
    ]
    assert (found["null"]["predict_rows"], found["absent"]) == (1, [])
