"""Counting segments by the steps' own process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.discovery import count_segments
from pipelines.errors import DataError
from pipelines.models import Census, Segment, choose_models
from pipelines.settings import Settings, validate
from steps import contract


def config(**changes: Any) -> Settings:
    return validate({"data": {"label": "y", "id": "id"}, "models": {"by": "s"}, **changes}, "c.yml")


def raw(folder: Path, train: str, predict: str) -> Path:
    (folder / "train.csv").write_text("id,s,y\n" + train, encoding="utf-8")
    (folder / "predict.csv").write_text("id,s\n" + predict, encoding="utf-8")
    return folder


def test_segments_are_counted_by_their_text_and_rows_without_one_apart(tmp_path: Path) -> None:
    folder = raw(tmp_path, "1,007,1\n2,NA,2\n3,NA,\n4,,4\n5,日本 [a],5\n", "1,007\n2,new\n3,\n4,\n")

    assert count_segments(config(), folder) == Census(
        (Segment("007", 1, 1), Segment("NA", 1, 0), Segment("new", 0, 1), Segment("日本 [a]", 1, 0)),
        Segment("", 1, 2),
    )


def test_rows_of_listed_models_are_counted_and_those_of_none_apart(tmp_path: Path) -> None:
    listed = [{"name": "A", "where": {"s": ["a", "b"]}}, {"name": "C", "where": {"s": "c"}}]
    folder = raw(tmp_path, "1,a,1\n2,b,2\n3,x,3\n", "1,c\n2,a\n")

    assert count_segments(config(models=listed), folder) == Census(
        (Segment("A", 2, 1), Segment("C", 0, 1)), Segment("", 1, 0)
    )


def test_a_column_of_nulls_goes_to_the_pooled_model(tmp_path: Path) -> None:
    folder = raw(tmp_path, "".join(f"{i},,{i}\n" for i in range(40)), "1,\n")
    census = count_segments(config(), folder)

    assert census == Census((), Segment("", 40, 1))
    assert [model.name for model in choose_models(config(), census)] == [contract.POOLED_NAME]


def test_a_missing_raw_folder_is_named_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such raw folder"):
        count_segments(config(), tmp_path / "nowhere")


def test_what_is_wrong_with_the_data_is_the_users_error_and_not_a_traceback(tmp_path: Path) -> None:
    folder = raw(tmp_path, "1,a,1\n", "1,a\n")

    with pytest.raises(DataError) as caught:
        count_segments(config(models={"by": "segmnt"}), folder)
    assert "segmnt" in str(caught.value)
    assert "Traceback" not in str(caught.value)
