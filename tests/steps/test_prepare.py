"""PrepareTraining and PreparePrediction from raw files to prepared folders."""

from __future__ import annotations

import datetime
import hashlib
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prepare_stage import RAW, Stage, by_region, load, model, parts_of, rows, table

from steps import contract, prepare
from steps.job import StepError


@pytest.fixture
def stage(tmp_path, monkeypatch):
    return Stage(tmp_path, monkeypatch)


def write_plain(stage, train_rows=10, predict_rows=4):
    regions = ["north", "south"]
    lines = [f"{n},{regions[n % 2]},{n * 1.5},{n % 3},{n}" for n in range(train_rows)]
    stage.write("train.csv", "\n".join(["id,region,x,k,y", *lines]) + "\n")
    lines = [f"{100 + n},{regions[n % 2]},{n},{n % 3}" for n in range(predict_rows)]
    stage.write("predict.csv", "\n".join(["id,region,x,k", *lines]) + "\n")


def everything(folder, slug):
    return rows(folder / slug / "train") + rows(folder / slug / "holdout")


def test_each_model_gets_its_rows_split_into_train_and_holdout(stage):
    write_plain(stage)

    out = stage.train(by_region("north", "south"))

    assert load(out / "north" / "status.json") == {
        "status": "prepared",
        "rows": 5,
        "train_rows": 4,
        "holdout_rows": 1,
        "dropped_null_label": 0,
        "reason": None,
    }
    assert sorted(row["id"] for row in everything(out, "north")) == [0, 2, 4, 6, 8]
    assert {row["region"] for row in everything(out, "south")} == {"south"}
    assert table(out / "north" / "train").schema == pa.schema(
        [
            ("id", pa.int64()),
            ("y", pa.float64()),
            ("region", pa.string()),
            ("x", pa.float64()),
            ("k", pa.float64()),
        ]
    )


def test_the_global_schema_holds_kinds_and_no_statistics(stage):
    write_plain(stage)
    stage.train(by_region("north", "east"), rest="skip")

    assert load(contract.output_dir("schema") / "schema.json") == {
        "columns": [
            {"name": "region", "kind": "text"},
            {"name": "x", "kind": "number"},
            {"name": "k", "kind": "number"},
        ],
        "label": "y",
        "id": "id",
        "segment": "region",
        "trained": {"north": True, "east": False},
    }


def test_a_models_schema_lists_null_rates_and_categories(stage):
    stage.write("train.csv", "id,region,x,y\n1,a,,1\n2,a,2,2\n3,b,3,3\n")

    out = stage.train(by_region("a", "b"))

    assert load(out / "a" / "schema.json") == {
        "format": 1,
        "model": "a",
        "slug": "a",
        "label": "y",
        "id": "id",
        "segment": "region",
        "columns": [
            {"name": "region", "kind": "text", "null_rate": 0.0, "categories": ["a"]},
            {"name": "x", "kind": "number", "null_rate": 0.5, "categories": None},
        ],
        "ignored": [],
    }


def test_prediction_rows_keep_their_order_and_position_over_all_files(stage):
    write_plain(stage)
    models = by_region("north", "south")
    stage.train(models)
    stage.write("predict-2.csv", "x,k,region,id\n7,1,north,300\n")

    out = stage.predict(models)

    found = rows(parts_of(out) / "north")
    assert [(row["__row__"], row["id"], row["x"]) for row in found] == [(0, 300, 7.0), (1, 100, 0.0), (3, 102, 2.0)]
    assert [row["__row__"] for row in rows(parts_of(out) / "south")] == [2, 4]
    files = load(out / "data.json")["files"]
    assert [(file["key"], file["rows"]) for file in files] == [("predict-2.csv", 1), ("predict.csv", 4)]
    assert all(file["bytes"] > 0 for file in files)
    assert load(out / "data.json")["id_type"] == "int64"


def test_equal_data_give_equal_bytes_and_another_segments_rows_change_nothing(stage):
    write_plain(stage, train_rows=60)
    models = by_region("north", "south")
    out = stage.train(models)
    before = {path.name: path.read_bytes() for path in (out / "north").rglob("*") if path.is_file()}
    stage.write("train-2.csv", "y,id,region,x,k\n9,1000,south,1,1\n")

    out = stage.train(models)

    after = {path.name: path.read_bytes() for path in (out / "north").rglob("*") if path.is_file()}
    assert after == before


def test_odd_segment_values_are_taken_literally(stage):
    names = ["Very Good", "C (all)", "a/b", "007", "7", "NA", "東京", "it's", 'say "x"']
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    stage.write("train.csv", "id,region,x,y\n" + "".join(f"{n},{q},{n},{n}\n" for n, q in enumerate(quoted)))
    stage.write("predict.csv", "id,region,x\n" + "".join(f"{n},{q},{n}\n" for n, q in enumerate(quoted)))
    models = by_region(*names)

    trained = stage.train(models)
    predicted = stage.predict(models)

    for n, spec in enumerate(models):
        assert [row["region"] for row in everything(trained, spec["slug"])] == [names[n]]
        assert [row["__row__"] for row in rows(parts_of(predicted) / spec["slug"])] == [n]


def test_odd_column_names_are_taken_literally(stage):
    names = ["a.b", "a.B", 'q"uote', "it's", "with space", "日本語", "select", "c0", "m", "h"]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    cells = ",".join(str(n) for n in range(len(names)))
    stage.write("train.csv", f"id,region,y,{header}\n1,a,1,{cells}\n2,a,2,{cells}\n")
    stage.write("predict.csv", f"id,region,{header}\n1,a,{cells}\n")
    models = by_region("a")

    trained = stage.train(models)
    predicted = stage.predict(models)

    assert table(trained / "a" / "train").column_names == ["id", "y", "region", *names]
    assert [rows(parts_of(predicted) / "a")[0][name] for name in names] == [float(n) for n in range(len(names))]


def test_eighty_columns_with_dots_and_nulls_and_tiny_segments_work(stage):
    names = [f"f.{n}" for n in range(80)]
    lines = [
        f"{n},{s},{n}," + ",".join("" if (n + c) % 3 else str(c) for c in range(80)) for n, s in enumerate("aabbbbbc")
    ]
    stage.write("train.csv", "\n".join(["id,region,y," + ",".join(names), *lines]) + "\n")

    out = stage.train(by_region("a", "b", "c"))

    sizes = {slug: load(out / slug / "status.json")["holdout_rows"] for slug in "abc"}
    assert sizes == {"a": 1, "b": 1, "c": 0}
    assert table(out / "c" / "holdout").num_rows == 0


def test_bom_crlf_and_quoted_newlines_are_read(stage):
    stage.write("train.csv", b'\xef\xbb\xbfid,region,note,y\r\n1,a,"two\r\nlines",1\r\n2,a,"say ""hi""",2\r\n')

    out = stage.train(by_region("a"))

    assert sorted(row["note"] for row in everything(out, "a")) == ['say "hi"', "two\r\nlines"]


def test_bool_time_and_empty_columns_get_their_kinds(stage):
    stage.write(
        "train.csv",
        "id,region,flag,day,at,void,code,y\n"
        "1,a,true,2026-01-02,2026-01-02T03:04:05+02:00,,007,1\n2,a,False,,2026-01-02 03:04Z,,12,2\n",
    )

    out = stage.train(by_region("a"))

    first = next(row for row in everything(out, "a") if row["id"] == 1)
    assert first["flag"] == 1.0
    assert first["day"] == datetime.datetime(2026, 1, 2)
    assert first["at"] == datetime.datetime(2026, 1, 2, 1, 4, 5)
    assert first["code"] == "007"
    assert "void" not in first
    assert load(out / "a" / "schema.json")["ignored"] == ["void"]
    assert load(out / "data.json")["columns"] == {
        "region": "text",
        "flag": "bool",
        "day": "datetime",
        "at": "datetime",
        "code": "text",
    }


def test_a_column_that_is_whole_in_one_file_and_broken_in_another_is_a_number(stage):
    stage.write("train-1.csv", "id,region,x,y\n1,a,1,1\n")
    stage.write("train-2.csv", "id,region,x,y\n2,a,1.5,1\n")

    out = stage.train(by_region("a"))

    assert sorted(row["x"] for row in everything(out, "a")) == [1.0, 1.5]


def test_a_prediction_column_of_nulls_stays_a_number(stage):
    write_plain(stage)
    models = by_region("north", "south")
    stage.train(models)
    stage.write("predict.csv", "id,region,x,k\n1,north,,1\n")

    out = stage.predict(models)

    assert table(parts_of(out) / "north").schema.field("x").type == pa.float64()
    assert rows(parts_of(out) / "north")[0]["x"] is None
    assert load(out / "south" / "status.json") == {"status": "prepared", "rows": 0, "reason": None}
    assert table(parts_of(out) / "south").schema == table(parts_of(out) / "north").schema


def test_a_label_in_the_prediction_files_is_ignored_and_reported_as_extra(stage):
    write_plain(stage)
    stage.write("predict.csv", "id,region,x,k,y,more\n1,north,1,1,oops,2\n")
    models = by_region("north", "south")
    stage.train(models)

    out = stage.predict(models)

    assert load(out / "data.json")["extra_columns"] == ["y", "more"]
    assert table(parts_of(out) / "north").column_names == ["__row__", "id", "region", "x", "k"]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [(["1", "2"], [1, 2]), (["01", "2"], ["01", "2"]), (["a", "2"], ["a", "2"]), (["99999999999999999999", "2"], None)],
)
def test_ids_keep_their_own_type(stage, ids, expected):
    stage.write("train.csv", f"id,region,x,y\n{ids[0]},a,1,1\n{ids[1]},a,2,2\n")

    out = stage.train(by_region("a"))

    assert sorted((row["id"] for row in everything(out, "a")), key=str) == sorted(expected or ids, key=str)


def test_training_files_may_lack_the_id(stage):
    stage.write("train.csv", "region,x,y\na,1,1\na,2,2\n")

    out = stage.train(by_region("a"))

    assert table(out / "a" / "train").column_names == ["y", "region", "x"]


def test_parquet_is_typed_by_its_columns(stage):
    stage.write_parquet(
        "train.parquet",
        {
            "id": pa.array([1, 2, 3]),
            "region": pa.array([7, 7, 8]),
            "word": pa.array(["1", "2", "3"]).dictionary_encode(),
            "flag": pa.array([True, None, False]),
            "day": pa.array([datetime.date(2026, 1, 1)] * 3),
            "at": pa.array([datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)] * 3, pa.timestamp("ns", "Asia/Tokyo")),
            "void": pa.nulls(3),
            "y": pa.array([1, 2, None], pa.int32()),
        },
    )

    out = stage.train(by_region("7", "8"), max_null_label_fraction=0.5)

    assert load(out / "data.json")["columns"] == {
        "region": "text",
        "word": "text",
        "flag": "bool",
        "day": "datetime",
        "at": "datetime",
    }
    assert {row["region"] for row in everything(out, "7")} == {"7"}
    assert everything(out, "7")[0]["at"] == datetime.datetime(2026, 1, 1)
    assert load(out / "8" / "status.json") == {
        "status": "skipped",
        "rows": 0,
        "train_rows": 0,
        "holdout_rows": 0,
        "dropped_null_label": 1,
        "reason": "no training rows with a label",
    }


def test_an_index_that_pandas_wrote_is_neither_a_feature_nor_an_extra_column(stage):
    about = {b"pandas": json.dumps({"index_columns": ["__index_level_0__"]}).encode()}
    for name, key in (("train", "y"), ("predict", "id")):
        columns = {"__index_level_0__": [90, 91], "region": ["a", "a"], "x": [1, 2], key: [3, 4]}
        pq.write_table(pa.table(columns).replace_schema_metadata(about), stage.raw / f"{name}.parquet")

    schema = load(stage.train(by_region("a")).parent / "schema" / "schema.json")
    assert [column["name"] for column in schema["columns"]] == ["region", "x"]
    predicted = stage.predict(by_region("a"))

    assert rows(parts_of(predicted) / "a")[0]["x"] == 1
    assert "__index_level_0__" not in table(parts_of(predicted) / "a").column_names
    assert load(predicted / "data.json")["extra_columns"] == []


def test_an_index_that_pandas_wrote_may_be_dropped_by_its_name(stage):
    about = {b"pandas": json.dumps({"index_columns": ["__index_level_0__"]}).encode()}
    columns = {"region": ["a", "a"], "x": [1, 2], "y": [3, 4], "__index_level_0__": [90, 91]}
    pq.write_table(pa.table(columns).replace_schema_metadata(about), stage.raw / "train.parquet")

    stage.train(by_region("a"), drop=["__index_level_0__"])


def test_parquet_to_predict_after_csv_training_gets_the_training_kinds(stage):
    stage.write("train.csv", "id,region,x,code,y\n1,a,1,A1,1\n2,a,2,7,2\n3,a,2,B,2\n")
    stage.write_parquet(
        "predict.parquet", {"id": ["q", "r"], "region": ["a", None], "x": ["5", None], "code": [7.0, 8.5]}
    )
    models = by_region("a", pooled=True)
    stage.train(models)

    out = stage.predict(models)

    assert rows(parts_of(out) / "a") == [{"__row__": 0, "id": "q", "region": "a", "x": 5.0, "code": "7"}]
    assert rows(parts_of(out) / "pooled") == [{"__row__": 1, "id": "r", "region": None, "x": None, "code": "8.5"}]


def test_infinite_features_become_null_with_a_warning(stage):
    stage.write_parquet("train.parquet", {"region": ["a", "a"], "x": [1.0, float("inf")], "y": [1.0, 2.0]})

    out = stage.train(by_region("a"))

    assert load(out / "data.json")["warnings"] == ["column 'x': 1 cells are infinite or not a number, read as empty"]
    assert sorted(everything(out, "a"), key=lambda row: row["y"])[1]["x"] is None


def test_infinite_cells_to_predict_are_read_as_empty_as_in_training(stage):
    stage.write_parquet("train.parquet", {"region": ["a", "a"], "x": [1.0, float("inf")], "y": [1.0, 2.0]})
    stage.write_parquet("predict.parquet", {"id": [1, 2], "region": ["a", "a"], "x": [float("-inf"), 3.0]})
    stage.train(by_region("a"))

    out = stage.predict(by_region("a"))

    assert [row["x"] for row in rows(parts_of(out) / "a")] == [None, 3.0]


def test_the_pooled_model_trains_on_all_rows_with_the_same_holdout_and_scores_the_rest(stage):
    write_plain(stage, train_rows=20)
    stage.write("train-2.csv", "id,region,x,k,y\n50,rare,1,1,1\n51,,1,1,1\n52,rare,,1,\n")
    stage.write("predict.csv", "id,region,x,k\n1,north,1,1\n2,,1,1\n3,unseen,1,1\n4,rare,1,1\n")
    models = by_region("north", "south", pooled=True)

    out = stage.train(models)
    predicted = stage.predict(models)

    assert len(everything(out, "pooled")) == 22
    held = {row["id"] for slug in ("north", "south") for row in rows(out / slug / "holdout")}
    assert held <= {row["id"] for row in rows(out / "pooled" / "holdout")}
    assert len(rows(out / "pooled" / "holdout")) == len(held) + 1
    assert load(out / "data.json")["rest_rows"] == 2
    assert load(out / "pooled" / "status.json")["dropped_null_label"] == 1
    assert [row["__row__"] for row in rows(parts_of(predicted) / "pooled")] == [1, 2, 3]
    assert load(predicted / "data.json")["skipped_rows"] == 0


@pytest.mark.parametrize("seed", range(4))
def test_every_row_is_in_one_model_dropped_or_skipped(stage, seed):
    chance = random.Random(seed)
    regions = [chance.choice(["north", "south", "east", ""]) for _ in range(60)]
    labels = [chance.choice(["1", "2.5", ""]) for _ in regions]
    cells = list(zip(range(60), regions, labels, strict=True))
    stage.write("train.csv", "id,region,x,y\n" + "".join(f"{n},{r},{n},{y}\n" for n, r, y in cells))
    stage.write("predict.csv", "id,region,x\n" + "".join(f"{n},{r},{n}\n" for n, r, _ in cells))
    models, rest = by_region("north", "south", pooled=seed % 2 == 0), "skip"

    trained = stage.train(models, rest=rest)
    predicted = stage.predict(models, rest=rest)

    data = load(trained / "data.json")
    own = [row["id"] for slug in ("north", "south") for row in everything(trained, slug)]
    assert len(own) == len(set(own))
    assert len(own) + data["rest_rows"] + data["dropped_null_label"] == 60
    assert data["dropped_null_label"] == labels.count("")
    positions = [row["__row__"] for model in models for row in rows(parts_of(predicted) / model["slug"])]
    assert len(positions) == len(set(positions)) == 60 - load(predicted / "data.json")["skipped_rows"]


def test_rest_skip_drops_and_counts_the_rows_of_no_model(stage):
    write_plain(stage)
    models = by_region("north")
    stage.train(models, rest="skip")

    out = stage.predict(models, rest="skip")

    assert load(out / "data.json")["skipped_rows"] == 2
    assert [row["__row__"] for row in rows(parts_of(out) / "north")] == [0, 2]


def test_the_rows_of_a_segment_without_training_rows_go_to_the_pooled_model(stage):
    write_plain(stage)
    stage.write("predict.csv", "id,region,x,k\n1,east,1,1\n")
    models = by_region("north", "south", "east", pooled=True)
    stage.train(models)

    out = stage.predict(models)

    assert load(out / "pooled" / "status.json")["rows"] == 1
    assert load(out / "data.json")["warnings"] == []


def test_the_rows_of_a_segment_without_training_rows_are_skipped_with_a_warning(stage):
    write_plain(stage)
    stage.write("predict.csv", "id,region,x,k\n1,east,1,1\n2,north,1,1\n3,east,1,1\n4,,1,1\n")
    models = by_region("north", "south", "east")
    stage.train(models, rest="skip")

    out = stage.predict(models, rest="skip")

    data = load(out / "data.json")
    assert [load(out / slug / "status.json")["rows"] for slug in ("north", "south", "east")] == [1, 0, 0]
    assert (data["rest_rows"], data["skipped_rows"]) == (3, 3)
    assert data["warnings"] == ["model 'east' has no rows to train on: its 2 rows to predict are skipped"]


@pytest.mark.parametrize("rest", ["fail", "pooled"])
def test_the_rows_of_a_segment_without_training_rows_are_an_error_where_rest_is_not_skipped(stage, rest):
    write_plain(stage)
    stage.write("predict.csv", "id,region,x,k\n1,east,1,1\n2,north,1,1\n3,east,1,1\n")
    models = by_region("north", "south", "east")
    stage.train(models)

    with pytest.raises(StepError, match=r"^model 'east' has 2 rows to predict but none to train on"):
        stage.predict(models, rest=rest)


def test_models_may_have_files_of_their_own(stage):
    stage.write("train-a.csv", "id,x,y\n1,1,1\n2,2,2\n")
    stage.write("train-b.csv", "id,x,y\n3,1,1\n")
    models = [model("A", train=["train-a*"], predict=["predict-a*"]), model("B", train=["*-b.csv"], predict=["none*"])]

    out = stage.train(models, segment=None)

    assert sorted(row["id"] for row in everything(out, "A")) == [1, 2]
    assert [row["id"] for row in everything(out, "B")] == [3]


def test_a_single_model_without_a_filter_takes_every_row(stage):
    write_plain(stage)

    out = stage.train([model("all")], segment=None)

    assert load(out / "all" / "status.json")["rows"] == 10


def test_where_compares_numbers_in_parquet_by_value(stage):
    stage.write_parquet("train.parquet", {"k": [1.0, 2.0, 1.0], "x": [1, 2, 3], "y": [1, 2, 3]})
    models = [model("one", where={"k": ["1"]}), model("two", where={"k": ["2.0"]})]

    out = stage.train(models, segment=None)

    assert load(out / "one" / "status.json")["rows"] == 2
    assert load(out / "two" / "status.json")["rows"] == 1


@pytest.mark.parametrize("method", ["time", "group"])
def test_holdout_by_time_takes_the_latest_and_by_group_whole_groups(stage, method):
    lines = [f"{n},a,2026-01-{n % 28 + 1:02d},g{n % 5},{n}" for n in range(20)]
    stage.write("train.csv", "\n".join(["id,region,at,team,y", *lines]) + "\n")
    holdout = {"method": method, "fraction": 0.2, "group": "team" if method == "group" else None}

    out = stage.train(by_region("a"), time="at", holdout=holdout, drop=["team"])

    train, held = rows(out / "a" / "train"), rows(out / "a" / "holdout")
    assert len(held) == 4
    if method == "time":
        assert {row["id"] for row in held} == {16, 17, 18, 19}
    else:
        assert len({row["id"] % 5 for row in held}) == 1
        assert not {row["id"] % 5 for row in held} & {row["id"] % 5 for row in train}


def test_the_profile_describes_label_and_columns(stage):
    stage.write("train.csv", "id,region,x,y\n1,a,1,1\n2,a,,2\n3,a,3,6\n")

    profile = load(stage.train(by_region("a")) / "a" / "profile.json")

    assert (profile["rows"], profile["train_rows"], profile["holdout_rows"]) == (3, 2, 1)
    assert (profile["label"]["mean"], profile["label"]["median"], profile["label"]["max"]) == (3.0, 2.0, 6.0)
    assert len(profile["label"]["histogram"]["edges"]) == 21
    assert sum(profile["label"]["histogram"]["counts"]) == 3
    region = {"kind": "text", "null_rate": 0.0, "top": {"a": 3}, "counts": {"a": 3}, "others": 0}
    assert profile["columns"]["region"] == region
    assert profile["columns"]["x"]["mean"] == 2.0
    assert (len(profile["columns"]["x"]["points"]), set(profile["columns"]["x"]["points"])) == (200, {1.0, 3.0})


def test_equal_rows_have_equal_profiles_whatever_other_models_hold(stage):
    rows_of_a = "".join(f"{n},a,{n % 13},{n}\n" for n in range(50))
    stage.write("train.csv", "id,region,x,y\n" + rows_of_a)
    alone = (stage.train(by_region("a", "b")) / "a" / "profile.json").read_bytes()
    stage.write("train.csv", "id,region,x,y\n" + "".join(f"{n + 100},b,{n},{n}\n" for n in range(30)) + rows_of_a)

    beside = (stage.train(by_region("a", "b")) / "a" / "profile.json").read_bytes()

    assert alone == beside


def message(stage, prepare_files, *arguments, **changes):
    with pytest.raises(StepError) as error:
        prepare_files(*arguments, **changes)
    assert "SECRET" not in str(error.value)
    return str(error.value)


BAD_TRAINING = {
    "missing label": ("id,region,Y1,x\n1,a,1,1\n", ["'y'", "data.label", "'Y1'", "train.csv"]),
    "label of words": ("id,region,x,y\n1,a,1,1\n2,a,1,SECRET\n", ["label 'y'", "train.csv", "1 of 2"]),
    "duplicate ids": ("id,region,x,y\n7,a,1,1\n8,a,1,1\n7,a,1,1\n", ["'id'", "1 duplicates", "row 1 ", "row 3 "]),
    "null ids": ("id,region,x,y\n,a,1,1\n8,a,1,1\n", ["'id'", "empty in 1 rows", "row 1 of 'train.csv'"]),
    "mixed types": ("id,region,x,z,y\n1,a,1,1,1\n2,a,SECRET,SECRET,1\n", ["'x'", "'z'", "1 of 2", "data.categories"]),
    "no rows": ("id,region,x,y\n", ["train.csv", "no rows"]),
    "empty file": ("", ["train.csv", "is empty"]),
    "open quote": ('id,region,x,y\n1,a,1,1\n2,a,"SECRET,1\n', ["train.csv", "line 3", "quoting"]),
    "text after quote": ('id,region,x,y\n1,a,"1"SECRET,1\n', ["train.csv", "line 2", "quoting"]),
    "too many fields": ("id,region,x,y\n1,a,1,1\n2,a,1,1,SECRET\n", ["train.csv", "line 3", "5 fields", "expected 4"]),
    "too few fields": ("id,region,x,y\n1,a,SECRET\n", ["train.csv", "line 2", "3 fields"]),
    "latin-1": (b"id,region,x,y\n1,a,\xe9SECRET,1\n", ["train.csv", "line 2", "UTF-8"]),
    "utf-16": ("id,region,x,y\n".encode("utf-16"), ["train.csv", "line 1", "UTF-16"]),
    "cut character": (b"id,region,x,y\n1,a,1,\xe6\x97", ["train.csv", "line 2", "UTF-8"]),
    "mixed line ends": (b"id,region,x,y\r\n1,a,1,1\n2,a,1,1\r\n", ["train.csv", "CRLF"]),
    "duplicate header": ("id,region,x,x,y\n1,a,1,1,1\n", ["train.csv", "duplicate", "'x'"]),
    "empty header": ("id,region,,y\n1,a,1,1\n", ["train.csv", "without a name", "3"]),
    "our own column": ("id,region,__row__,y\n1,a,1,1\n", ["train.csv", "__row__"]),
    "null labels": ("id,region,x,y\n1,a,1,\n2,a,1,\n3,a,1,1\n", ["label 'y'", "2 of 3"]),
    "no features": ("id,y\n1,1\n", ["no feature"]),
    "quote in header": ('id,region,"x"a,y\n1,a,1,1\n', ["train.csv", "header", "quoting"]),
}


@pytest.mark.parametrize("case", BAD_TRAINING)
def test_bad_training_data_are_one_message_without_cells(stage, case):
    content, expected = BAD_TRAINING[case]
    stage.write("train.csv", content)
    segment = None if case == "no features" else "region"
    models = [model("a")] if segment is None else by_region("a")

    found = message(stage, stage.train, models, segment=segment)

    assert [part for part in expected if part not in found] == []


def test_problems_of_several_files_are_reported_together(stage):
    stage.write("train-1.csv", 'id,region,x,y\n1,a,"SECRET,1\n')
    stage.write("train-2.csv", "id,region,x,y\n1,a,1\n")

    found = message(stage, stage.train, by_region("a"))

    assert "2 problems" in found
    assert "train-1.csv" in found
    assert "train-2.csv" in found


def test_files_with_other_columns_are_named(stage):
    stage.write("train-1.csv", "id,region,x,y\n1,a,1,1\n")
    stage.write("train-2.csv", "id,region,z,y\n2,a,1,1\n")

    found = message(stage, stage.train, by_region("a"))

    assert "'train-2.csv' differs from 'train-1.csv': it lacks 'x' and has 'z' besides" in found


def test_kinds_that_differ_between_parquet_files_are_an_error(stage):
    stage.write_parquet("train-1.parquet", {"region": ["a"], "x": [1], "y": [1]})
    stage.write_parquet("train-2.parquet", {"region": ["a"], "x": ["SECRET"], "y": [1]})

    assert "'x' has mixed types over the files" in message(stage, stage.train, by_region("a"))


def test_nested_columns_and_infinite_labels_are_errors(stage):
    stage.write_parquet("train.parquet", {"region": ["a"], "x": [[1]], "y": [float("nan")]})

    found = message(stage, stage.train, by_region("a"))

    assert "'x' in 'train.parquet' is nested" in found
    assert "label 'y' in 'train.parquet': 1 cells are infinite" in found


def test_a_damaged_parquet_file_is_named(stage):
    stage.write("train.parquet", b"PAR1 this is no Parquet")

    assert "'train.parquet' is not a readable Parquet file" in message(stage, stage.train, by_region("a"))


def test_settings_that_name_absent_columns_are_reported_together(stage):
    write_plain(stage)
    models = [model("a", where={"regoin": ["a"]})]

    found = message(stage, stage.train, models, drop=["zz"], time="when", categories=["kk"])

    for part in ("'regoin' (models where)", "nearest: 'region'", "data.drop", "data.time", "data.categories"):
        assert part in found


def test_overlapping_filters_name_both_models_and_the_count(stage):
    write_plain(stage)
    models = [model("one", where={"region": ["north"]}), model("two", where={"k": ["0"], "region": ["north", "south"]})]

    found = message(stage, stage.train, models, segment=None, rest="skip")

    assert "'one', 'two' all take the same 2 rows" in found


def test_rest_fail_names_column_and_count(stage):
    write_plain(stage)
    models = by_region("north")

    assert "5 rows belong to no model by column 'region'" in message(stage, stage.train, models, rest="fail")
    stage.train(models, rest="skip")
    assert "2 rows belong to no model" in message(stage, stage.predict, models, rest="fail")


def test_text_as_time_column_is_an_error(stage):
    write_plain(stage)

    holdout = {"method": "time", "fraction": 0.2, "group": None}
    found = message(stage, stage.train, by_region("north", "south"), time="region", holdout=holdout)

    assert "'region' (data.time) holds neither" in found


def test_columns_that_prediction_files_lack_are_named_with_the_nearest(stage):
    write_plain(stage)
    stage.train(by_region("north", "south"))
    stage.write("predict.csv", "idd,region,X,k\n1,north,1,1\n")

    found = message(stage, stage.predict, by_region("north", "south"))

    assert "column 'id' (data.id) is not in 'predict.csv'; nearest: 'idd'" in found
    assert "column 'x' (a training column) is not in 'predict.csv'; nearest: 'X'" in found


def test_prediction_cells_of_another_kind_and_bad_ids_are_reported_together(stage):
    write_plain(stage)
    stage.train(by_region("north", "south"))
    stage.write("predict.csv", "id,region,x,k\n1,north,SECRET,1\n1,north,1,1_000\n")

    found = message(stage, stage.predict, by_region("north", "south"))

    assert "column 'x' in 'predict.csv': 1 non-empty cells are not of kind number" in found
    assert "column 'k' in 'predict.csv': 1 non-empty cells are not of kind number" in found
    assert "1 duplicates" in found


def test_an_empty_prediction_file_gives_empty_parts(stage):
    write_plain(stage)
    stage.train(by_region("north", "south"))
    stage.write("predict.csv", "id,region,x,k\n")

    out = stage.predict(by_region("north", "south"))

    assert load(out / "data.json")["rows"] == 0
    assert table(parts_of(out) / "north").column_names == ["__row__", "id", "region", "x", "k"]


def manifest_of(stage, change):
    """Prepare training with a manifest that was changed after the run was started."""
    write_plain(stage)
    stage.train(by_region("north", "south"))
    path = contract.input_dir("manifest") / "manifest.json"
    manifest = load(path)
    files = [contract.DataFile(**entry) for entry in manifest["files"]]
    change(manifest, stage.raw / "train.csv")
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return ["training", "--version", contract.data_version(files), "--raw", RAW]


MANIFEST_CHANGES = {
    "other files": (lambda manifest, _: manifest["files"][0].update(etag="x"), "data version"),
    "file gone": (lambda _, path: path.unlink(), "'train.csv' is in the manifest but not in the raw folder"),
    "file grown": (lambda _, path: path.write_bytes(path.read_bytes() + b"\n"), "changed: "),
    "file edited": (lambda _, path: path.write_bytes(path.read_bytes().replace(b"9", b"8")), "sha256"),
}


@pytest.mark.parametrize("case", MANIFEST_CHANGES)
def test_files_that_are_not_those_of_the_manifest_are_refused(stage, case):
    change, expected = MANIFEST_CHANGES[case]
    arguments = manifest_of(stage, change)

    with pytest.raises(StepError, match=expected):
        prepare.main(arguments)


def test_an_etag_that_is_no_sha256_is_not_compared(stage):
    write_plain(stage)
    stage.train(by_region("north", "south"))
    file = contract.DataFile(
        "train.csv", hashlib.md5(b"x").hexdigest() + "-2", (stage.raw / "train.csv").stat().st_size
    )
    for name, text in contract.manifests(RAW, [file]).items():
        (contract.input_dir("manifest") / name).write_text(text, encoding="utf-8")

    prepare.main(["training", "--version", contract.data_version([file]), "--raw", RAW])

    assert (contract.output_dir("train") / "data.json").is_file()


def test_row_groups_hold_a_hundred_thousand_rows_at_most(stage):
    lines = "".join(f"{n},a,{n % 7},1\n" for n in range(230_000))
    stage.write("train.csv", "id,region,x,y\n" + lines)
    stage.write("predict.csv", "id,region,x,y\n" + lines)
    models = by_region("a")
    stage.train(models)

    part = pq.ParquetFile(parts_of(stage.predict(models)) / "a" / "part-00000.parquet")

    assert [part.metadata.row_group(n).num_rows for n in range(part.num_row_groups)] == [100_000, 100_000, 30_000]
    assert part.read(["__row__"]).column(0).to_pylist() == list(range(230_000))
