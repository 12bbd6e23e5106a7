"""Each mistake in config or data ends with a clear message and nothing published; no cell's value is shown."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from user_project import Project, make_rows

pytestmark = pytest.mark.slow
SECRET = "tell-nobody"


def _train(project: Project) -> pd.DataFrame:
    return make_rows(600, 1)


def _ask(project: Project) -> pd.DataFrame:
    return make_rows(90, 2, first=10_000).drop(columns="y")


def remove_label(project: Project) -> None:
    project.write("train.csv", _train(project).rename(columns={"y": "yy"}))


def label_is_text(project: Project) -> None:
    frame = _train(project).astype({"y": object})
    frame.loc[5, "y"] = SECRET
    project.write("train.csv", frame)


def ids_twice_in_prediction(project: Project) -> None:
    frame = _ask(project)
    frame.loc[7, "id"] = frame.loc[3, "id"]
    project.write("predict.csv", frame)


def ids_twice_in_training(project: Project) -> None:
    frame = _train(project)
    frame.loc[7, "id"] = frame.loc[3, "id"]
    project.write("train.csv", frame)


def column_only_in_training(project: Project) -> None:
    project.write("predict.csv", _ask(project).rename(columns={"kind": "kinds"}))


def mixed_types(project: Project) -> None:
    frame = _train(project).astype({"x.1": object})
    frame.loc[5, "x.1"] = SECRET
    project.write("train.csv", frame)


def mixed_types_in_prediction(project: Project) -> None:
    frame = _ask(project).astype({"x.1": object})
    frame.loc[5, "x.1"] = SECRET
    project.write("predict.csv", frame)


def empty_file(project: Project) -> None:
    (project.raw / "train.csv").write_text("")


def header_only(project: Project) -> None:
    project.write("train.csv", _train(project).iloc[:0])


def broken_quoting(project: Project) -> None:
    path = project.raw / "train.csv"
    path.write_text(path.read_text() + f'9999,"{SECRET},0.5,a,3\n')


def too_many_fields(project: Project) -> None:
    path = project.raw / "train.csv"
    path.write_text(path.read_text() + f"9999,EWR,0.5,a,3,{SECRET}\n")


def wrong_encoding(project: Project) -> None:
    path = project.raw / "train.csv"
    path.write_bytes(path.read_bytes() + "9999,EWR,0.5,\u00e9,3\n".encode("latin-1"))


def no_prediction_file(project: Project) -> None:
    (project.raw / "predict.csv").rename(project.raw / "forecast.csv")


def no_segment_column(project: Project) -> None:
    project.write("train.csv", _train(project).rename(columns={"origin": "orgin"}))


def not_parquet(project: Project) -> None:
    (project.raw / "train.csv").rename(project.raw / "train.parquet")


def not_a_table(project: Project) -> None:
    (project.raw / "train.json").write_text("{}")


def overlapping_filters(project: Project) -> None:
    kinds = [{"name": "a", "where": {"kind": "a"}}, {"name": "e", "where": {"origin": "EWR"}}]
    project.configure(models=kinds)


def unknown_filter_column(project: Project) -> None:
    project.configure(models=[{"name": "a", "where": {"kinds": "a"}}])


def rest_refused(project: Project) -> None:
    project.write("predict.csv", pd.concat([_ask(project), make_rows(1, 9, ("new",), 20_000).drop(columns="y")]))
    project.configure(rest="fail")


DATA: dict[Callable[[Project], None], tuple[str, ...]] = {
    remove_label: ("train.csv", "'y'", "yy"),
    label_is_text: ("train.csv", "'y'", "1"),
    ids_twice_in_prediction: ("predict.csv", "'id'"),
    ids_twice_in_training: ("train.csv", "'id'"),
    column_only_in_training: ("predict.csv", "'kind'", "kinds"),
    mixed_types: ("train.csv", "'x.1'"),
    mixed_types_in_prediction: ("predict.csv", "'x.1'"),
    empty_file: ("train.csv",),
    header_only: ("train.csv",),
    broken_quoting: ("train.csv", "line"),
    too_many_fields: ("train.csv", "line"),
    wrong_encoding: ("train.csv", "UTF-8", "line"),
    no_prediction_file: ("predict", "forecast.csv"),
    no_segment_column: ("train.csv", "'origin'", "orgin"),
    not_parquet: ("train.parquet",),
    not_a_table: ("train.json",),
    overlapping_filters: ("'a'", "'e'"),
    unknown_filter_column: ("'kinds'", "'kind'"),
    rest_refused: ("'origin'",),
}


@pytest.mark.parametrize("spoil", DATA, ids=lambda spoil: spoil.__name__)
def test_bad_data_end_with_a_message_that_names_the_place(project: Project, spoil: Callable[[Project], None]) -> None:
    spoil(project)

    done = project.run()

    assert done.code in (1, 2), done.stderr
    message = done.stderr + done.stdout
    assert [part for part in DATA[spoil] if part not in message] == []
    assert SECRET not in message
    assert "Traceback" not in message
    assert not list((project.workspace / "s3").rglob("_SUCCESS"))


USAGE: dict[tuple[str, ...], tuple[str, ...]] = {
    ("--set", "MaeThreshold=0"): ("MaeThreshold", "above 0"),
    ("--set", "MaeThreshold=-3"): ("MaeThreshold", "above 0"),
    ("--set", "MaeThreshold=nan"): ("MaeThreshold",),
    ("--set", "MaeThreshold=low"): ("MaeThreshold", "Float"),
    ("--set", "MaeTreshold=3"): ("MaeTreshold", "MaeThreshold"),
    ("--set", "FallbackPolicy=some"): ("FallbackPolicy", "per_model"),
    ("--set", "TrainTimeLimitSeconds=soon"): ("TrainTimeLimitSeconds", "Integer"),
    ("--set", "MaeThreshold"): ("Name=Value",),
    ("--retry", "nothing"): ("nothing", "no such execution"),
    ("--from", "Train"): ("--of",),
    ("--raw", "/nowhere"): ("/nowhere",),
    ("--definition", "/nowhere.json"): ("/nowhere.json",),
}


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_bad_usage_exits_2_with_a_message_that_names_it(project: Project, arguments: tuple[str, ...]) -> None:
    done = project.run(*arguments)

    assert done.code == 2, done.stderr
    assert [part for part in USAGE[arguments] if part not in done.stderr] == []
    assert "Traceback" not in done.stderr
