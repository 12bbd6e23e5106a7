"""A segment whose rows or files are at fault is left out, and the others are prepared as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prepare_stage import Stage, by_region, load, model, parts_of, rows

from steps import assignment, contract, isolation
from steps.isolation import Scope
from steps.job import StepError

NAMES = ("east", "north", "south")
SECRET = "tell-nobody"
ISOLATE = {"on_segment_failure": "isolate"}
Rows = dict[str, list[dict[str, Any]]]
Fault = Callable[[Rows], None]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def make(first: int = 0, label: bool = True) -> Rows:
    """Return 40 rows of each region; ids are unique over all."""
    found: Rows = {}
    for at, name in enumerate(NAMES):
        ids = range(first + at * 100, first + at * 100 + 40)
        found[name] = [{"id": n, "region": name, "x": n * 0.5, "k": f"k{n % 3}"} for n in ids]
        for row in found[name] if label else ():
            row["y"] = row["x"] * 2
    return found


def csv(of_rows: list[dict[str, Any]]) -> str:
    lines = [",".join("" if value is None else str(value) for value in row.values()) for row in of_rows]
    return "\n".join([",".join(of_rows[0]), *lines]) + "\n"


def shuffled(found: Rows) -> str:
    """Return one file in which rows of all regions alternate."""
    return csv([row for together in zip(*found.values(), strict=True) for row in together])


def write_own(stage: Stage, start: str, found: Rows) -> None:
    for name, of_rows in found.items():
        stage.write(f"{start}-{name}.csv", csv(of_rows))


OWN = [model(name, train=[f"train-{name}*"], predict=[f"predict-{name}*"]) for name in NAMES]


def snapshot(folder: Path, *names: str) -> dict[str, bytes]:
    paths = [path for name in names for path in sorted((folder / name).rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def label_is_text(found: Rows) -> None:
    found["north"][3]["y"] = SECRET


def label_is_text_everywhere_in_it(found: Rows) -> None:
    for row in found["north"]:
        row["y"] = SECRET


def column_is_mixed(found: Rows) -> None:
    found["north"][3]["x"] = SECRET


def column_is_of_another_kind(found: Rows) -> None:
    for row in found["north"]:
        row["x"] = SECRET


def id_is_empty(found: Rows) -> None:
    found["north"][7]["id"] = None


def id_is_doubled(found: Rows) -> None:
    found["north"][7]["id"] = found["north"][9]["id"]


def several_things(found: Rows) -> None:
    label_is_text(found)
    column_is_mixed(found)
    id_is_doubled(found)


TRAINING: dict[Fault, str] = {
    label_is_text: "label 'y' in 'train.csv': 1 of 40 non-empty cells are not numbers",
    label_is_text_everywhere_in_it: "label 'y' in 'train.csv': 40 of 40 non-empty cells are not numbers",
    column_is_mixed: "column 'x' has mixed types in 'train.csv': 39 of 40 non-empty cells are numbers",
    column_is_of_another_kind: "column 'x': its cells are of kind text, those of most other models of kind number",
    id_is_empty: "id column 'id' is empty in 1 rows",
    id_is_doubled: "id column 'id' has 1 duplicates",
    several_things: "label 'y' in 'train.csv': 1 of 40 non-empty cells are not numbers",
}


@pytest.mark.parametrize("fault", TRAINING, ids=lambda fault: fault.__name__)
def test_rows_of_one_model_that_cannot_be_trained_on_leave_the_others_bytes_alone(stage: Stage, fault: Fault) -> None:
    stage.write("train.csv", shuffled(make()))
    clean = stage.train(by_region(*NAMES))
    before = snapshot(clean, "east", "south")
    schema = load(contract.output_dir("schema") / "schema.json")
    spoiled = make()
    fault(spoiled)
    stage.write("train.csv", shuffled(spoiled))
    with pytest.raises(StepError):
        stage.train(by_region(*NAMES))

    out = stage.train(by_region(*NAMES), **ISOLATE)

    assert snapshot(out, "east", "south") == before
    assert load(contract.output_dir("schema") / "schema.json") == schema
    status = load(out / "north" / "status.json")
    assert (status["status"], status["rows"], status["train_rows"]) == ("failed", 0, 0)
    assert TRAINING[fault] in status["reason"]
    assert SECRET not in status["reason"]


def test_without_a_fault_isolating_changes_no_byte(stage: Stage) -> None:
    stage.write("train.csv", shuffled(make()))
    stage.write("predict.csv", shuffled(make(1000, label=False)))
    before = snapshot(stage.train(by_region(*NAMES)), *NAMES), snapshot(stage.predict(by_region(*NAMES)), *NAMES)

    trained = snapshot(stage.train(by_region(*NAMES), **ISOLATE), *NAMES)

    assert (trained, snapshot(stage.predict(by_region(*NAMES), **ISOLATE), *NAMES)) == before


def test_the_pooled_model_does_not_train_on_rows_that_are_left_out(stage: Stage) -> None:
    found = make()
    column_is_mixed(found)
    stage.write("train.csv", shuffled(found))

    out = stage.train(by_region("north", "south", pooled=True), **ISOLATE)

    pooled = rows(out / "pooled" / "train") + rows(out / "pooled" / "holdout")
    assert {row["region"] for row in pooled} == {"east", "south"}
    assert load(out / "data.json")["rest_rows"] == 40


def test_rest_rows_at_fault_leave_out_the_pooled_model_alone(stage: Stage) -> None:
    found = make()
    column_is_mixed(found)
    stage.write("train.csv", shuffled(found))

    out = stage.train(by_region("east", "south", pooled=True), **ISOLATE)

    statuses = {slug: load(out / slug / "status.json")["status"] for slug in ("east", "south", "pooled")}
    assert statuses == {"east": "prepared", "south": "prepared", "pooled": "failed"}


def test_a_time_column_that_one_models_rows_spoil_leaves_that_model_out(stage: Stage) -> None:
    found = make()
    for name in NAMES:
        for n, row in enumerate(found[name]):
            row["when"] = f"2026-01-{n % 28 + 1:02d}"
    found["north"][2]["when"] = SECRET
    stage.write("train.csv", shuffled(found))
    by_time = {"time": "when", "holdout": {"method": "time", "fraction": 0.2, "group": None}}

    out = stage.train(by_region(*NAMES), **by_time, **ISOLATE)

    assert "column 'when': its cells are of kind text" in load(out / "north" / "status.json")["reason"]
    assert load(contract.output_dir("schema") / "schema.json")["columns"][-1] == {"name": "when", "kind": "datetime"}


def damaged(content: bytes) -> Callable[[Stage, str], None]:
    return lambda stage, name: stage.write(name, content)


def break_last_line(stage: Stage, name: str) -> None:
    stage.write(name, (stage.raw / name).read_text()[:-1] + ",too,many\n")


def break_quoting(stage: Stage, name: str) -> None:
    *lines, last = (stage.raw / name).read_text().splitlines()
    stage.write(name, "\n".join([*lines, f'"{SECRET}{last}']) + "\n")


def rename_column(stage: Stage, name: str) -> None:
    stage.write(name, (stage.raw / name).read_text().replace("region,x,k", "region,xx,k"))


def end_in_latin_1(stage: Stage, name: str) -> None:
    stage.write(name, (stage.raw / name).read_bytes()[:-1] + b"\xe9\n")


FILES: dict[Callable[[Stage, str], None], tuple[str, int | None]] = {
    damaged(b""): ("is empty", 0),
    end_in_latin_1: ("is not UTF-8", 40),
    break_last_line: ("fields, expected", 40),
    break_quoting: ("broken quoting", 40),
    rename_column: ("lacks 'x'", 40),
}


@pytest.mark.parametrize("fault", FILES)
def test_an_own_training_file_that_cannot_be_used_leaves_the_others_bytes_alone(
    stage: Stage, fault: Callable[[Stage, str], None]
) -> None:
    write_own(stage, "train", make())
    before = snapshot(stage.train(OWN), "north", "south")
    fault(stage, "train-east.csv")  # the first of the files, which else sets the columns
    with pytest.raises(StepError):
        stage.train(OWN)

    out = stage.train(OWN, **ISOLATE)

    assert snapshot(out, "north", "south") == before
    status = load(out / "east" / "status.json")
    assert status["status"] == "failed"
    assert FILES[fault][0] in status["reason"]
    assert SECRET not in status["reason"]
    assert load(contract.output_dir("schema") / "schema.json")["trained"]["east"]


def test_an_own_training_file_without_rows_leaves_its_model_out(stage: Stage) -> None:
    write_own(stage, "train", make())
    stage.write("train-east.csv", "id,region,x,k,y\n")

    out = stage.train(OWN, **ISOLATE)

    assert load(out / "east" / "status.json")["reason"] == "file 'train-east.csv' has no rows"


@pytest.mark.parametrize("fault", FILES)
def test_an_own_prediction_file_that_cannot_be_used_leaves_the_others_bytes_and_positions_alone(
    stage: Stage, fault: Callable[[Stage, str], None]
) -> None:
    write_own(stage, "train", make())
    stage.train(OWN)
    write_own(stage, "predict", make(1000, label=False))
    before = snapshot(stage.predict(OWN), "north", "south")
    fault(stage, "predict-east.csv")

    out = stage.predict(OWN, **ISOLATE)

    reason, waiting = FILES[fault]
    status = load(out / "east" / "status.json")
    assert (status["status"], status["rows"], status["rows_waiting"]) == ("failed", 0, waiting)
    assert reason in status["reason"]
    assert load(out / "data.json")["rows"] == 80 + (waiting or 0)
    if waiting:
        assert snapshot(out, "north", "south") == before


def test_rows_that_nothing_can_count_are_told_as_unknown(stage: Stage) -> None:
    write_own(stage, "train", make())
    stage.train(OWN)
    write_own(stage, "predict", make(1000, label=False))
    (stage.raw / "predict-east.csv").unlink()
    stage.write("predict-east.parquet", b"PAR1 and no more")

    out = stage.predict(OWN, **ISOLATE)

    status = load(out / "east" / "status.json")
    assert (status["status"], status["rows_waiting"]) == ("failed", None)
    assert [row["__row__"] for row in rows(parts_of(out) / "north")] == list(range(40))


def unaccounted(out: Path, *models: str) -> int:
    """Return the rows to predict that are neither prepared nor said to wait; PostProcess publishes only without any."""
    told = [load(out / name / "status.json") for name in models]
    data = load(out / "data.json")
    return int(data["rows"] - data["skipped_rows"] - sum(one["rows"] + (one.get("rows_waiting") or 0) for one in told))


def test_rows_that_can_be_counted_wait_beside_those_that_cannot(stage: Stage) -> None:
    write_own(stage, "train", make())
    stage.train(OWN)
    write_own(stage, "predict", make(1000, label=False))
    stage.write("predict-east-2.parquet", b"PAR1 and no more")

    out = stage.predict(OWN, **ISOLATE)

    assert load(out / "east" / "status.json")["rows_waiting"] == 40
    assert unaccounted(out, *NAMES) == 0


def test_rows_of_an_untrained_model_wait_with_the_pooled_one_that_was_to_take_them(stage: Stage) -> None:
    listed = by_region("east", "south", pooled=True)
    trained = make()
    stage.write("train.csv", csv(trained["east"] + trained["north"]))
    stage.train(listed)
    asked = make(1000, label=False)
    column_is_mixed(asked)
    stage.write("predict.csv", shuffled(asked))

    out = stage.predict(listed, **ISOLATE)

    status = load(out / "pooled" / "status.json")
    assert (status["status"], status["rows"], status["rows_waiting"]) == ("failed", 0, 80)
    assert unaccounted(out, "east", "south", "pooled") == 0


def test_a_large_file_that_breaks_at_its_end_leaves_positions_alone(stage: Stage) -> None:
    write_own(stage, "train", make())
    stage.train(OWN)
    write_own(stage, "predict", make(1_000_000, label=False))
    many = [{"id": n, "region": "north", "x": 1, "k": "k1"} for n in range(150_000)]
    stage.write("predict-north.csv", csv(many))
    break_last_line(stage, "predict-north.csv")

    out = stage.predict(OWN, **ISOLATE)

    assert load(out / "north" / "status.json")["rows_waiting"] == 150_000
    assert [row["__row__"] for row in rows(parts_of(out) / "south")] == list(range(150_040, 150_080))


PREDICTION: dict[Fault, str] = {
    column_is_mixed: "column 'x' in 'predict.csv': 1 non-empty cells are not of kind number",
    id_is_empty: "id column 'id' is empty in 1 rows, first in row 23 of 'predict.csv'",
    id_is_doubled: "id column 'id' has 1 duplicates",
}


@pytest.mark.parametrize("fault", PREDICTION, ids=lambda fault: fault.__name__)
def test_rows_of_one_model_that_cannot_be_predicted_leave_the_others_bytes_alone(stage: Stage, fault: Fault) -> None:
    stage.write("train.csv", shuffled(make()))
    stage.train(by_region(*NAMES))
    stage.write("predict.csv", shuffled(make(1000, label=False)))
    before = snapshot(stage.predict(by_region(*NAMES)), "east", "south")
    spoiled = make(1000, label=False)
    fault(spoiled)
    stage.write("predict.csv", shuffled(spoiled))
    with pytest.raises(StepError):
        stage.predict(by_region(*NAMES))

    out = stage.predict(by_region(*NAMES), **ISOLATE)

    assert snapshot(out, "east", "south") == before
    status = load(out / "north" / "status.json")
    assert (status["status"], status["rows"], status["rows_waiting"]) == ("failed", 0, 40)
    assert PREDICTION[fault] in status["reason"]
    assert SECRET not in status["reason"]
    assert load(out / "data.json")["rows"] == 120


def id_is_that_of_another_model(found: Rows) -> None:
    found["north"][7]["id"] = found["south"][7]["id"]


def all_labels_are_text(found: Rows) -> None:
    for name in NAMES:
        found[name][0]["y"] = SECRET


def labels_are_missing(found: Rows) -> None:
    for name in NAMES:
        for row in found[name][5:]:
            row["y"] = None


NOBODYS: dict[Fault, str] = {
    id_is_that_of_another_model: "has 1 duplicates",
    all_labels_are_text: "3 of 120 non-empty cells are not numbers",
    labels_are_missing: "max_null_label_fraction",
}


@pytest.mark.parametrize("fault", NOBODYS, ids=lambda fault: fault.__name__)
def test_what_is_no_single_models_fails_the_step_although_segments_are_isolated(stage: Stage, fault: Fault) -> None:
    found = make()
    fault(found)
    stage.write("train.csv", shuffled(found))
    with pytest.raises(StepError, match=NOBODYS[fault]):
        stage.train(by_region(*NAMES), **ISOLATE)


def test_what_fails_the_step_is_told_together_with_what_would_have_been_left_out(stage: Stage) -> None:
    found = make()
    column_is_mixed(found)
    id_is_that_of_another_model(found)
    found["east"][0]["id"] = found["south"][0]["id"]
    stage.write("train.csv", shuffled(found))
    with pytest.raises(StepError) as raised:
        stage.train(by_region(*NAMES), **ISOLATE)
    assert "1. model 'north': column 'x' has mixed types" in str(raised.value)
    assert "2. id column 'id' has 1 duplicates" in str(raised.value)


def test_rows_of_two_models_fail_the_step_although_segments_are_isolated(stage: Stage) -> None:
    stage.write("train.csv", shuffled(make()))
    models = [*by_region(*NAMES), model("both", where={"k": ["k1"]})]
    with pytest.raises(StepError, match="all take the same"):
        stage.train(models, **ISOLATE)


def test_a_broken_common_file_fails_the_step_although_segments_are_isolated(stage: Stage) -> None:
    stage.write("train.csv", shuffled(make()))
    break_last_line(stage, "train.csv")
    with pytest.raises(StepError, match="fields, expected"):
        stage.train(by_region(*NAMES), **ISOLATE)


def test_files_of_two_models_with_different_columns_blame_nobody(stage: Stage) -> None:
    found = make()
    write_own(stage, "train", {name: found[name] for name in ("east", "north")})
    rename_column(stage, "train-east.csv")
    with pytest.raises(StepError, match="give all files the same columns"):
        stage.train(OWN[:2], **ISOLATE)


def test_a_file_that_changed_since_the_start_fails_the_step_although_segments_are_isolated(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_own(stage, "train", make())
    listed = stage._arguments

    def change_afterwards(kind: str, start: str) -> list[str]:
        arguments = listed(kind, start)
        stage.write("train-east.csv", (stage.raw / "train-east.csv").read_text().replace("k1", "k9"))
        return arguments

    stage._arguments = change_afterwards  # type: ignore[method-assign]
    with pytest.raises(StepError, match=r"'train-east\.csv' changed"):
        stage.train(OWN, **ISOLATE)


def rules(*specs: dict[str, Any]) -> tuple[assignment.Rule, ...]:
    return assignment.read_rules(specs, assignment.TRAIN)


def test_a_file_is_a_models_own_only_where_nobody_else_names_it() -> None:
    own = rules(model("a", train=["a*"]), model("b", train=["b*", "ab*"]), model("(pooled)", pooled=True))
    mixed = rules(model("a", train=["train-a*"]), model("b", where={"x": ["1"]}))

    assert [Scope(own, ("*",)).owner(key) for key in ("a.csv", "b.csv", "ab.csv", "c.csv")] == [0, 1, None, None]
    assert Scope(mixed, ("train*",)).owner("train-a.csv") is None
    assert Scope(mixed, ("common*",)).owner("train-a.csv") == 0


def test_an_attempt_is_made_again_without_whom_is_to_blame_until_it_holds() -> None:
    seen = []

    def work(scope: Scope) -> str:
        seen.append(sorted(scope.failed))
        for model_at in (0, 1):
            if model_at not in scope.failed:
                scope.settle([f"row {model_at}"], lambda at=model_at: {at: [f"row {at}"]})
        return "done"

    scope = Scope(rules(model("a"), model("b"), model("c")), isolates=True)
    assert isolation.attempt(work, scope) == "done"
    assert seen == [[], [0], [0, 1]]


def test_nothing_is_asked_about_blame_where_segments_are_not_isolated() -> None:
    scope = Scope(rules(model("a"), model("b")))
    with pytest.raises(StepError, match="row 1"):
        isolation.attempt(lambda found: found.settle(["row 1"], lambda: pytest.fail("asked")), scope)


def test_a_step_whose_every_model_is_at_fault_fails() -> None:
    scope = Scope(rules(model("a"), model("(pooled)", pooled=True)), isolates=True)
    with pytest.raises(StepError, match="row 1"):
        isolation.attempt(lambda found: found.settle(["row 1"], lambda: {0: ["row 1"]}), scope)
