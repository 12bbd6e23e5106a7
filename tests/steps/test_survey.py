"""What `steps.survey` counts in files of which nothing is known yet."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from steps import survey
from steps.job import StepError


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def columns(raw: Path) -> dict:
    return {column["name"]: column for file in survey.survey(raw)["files"] for column in file["columns"]}


def test_cells_are_counted_by_what_they_read_as(tmp_path: Path) -> None:
    found = columns(
        write(tmp_path, "a.csv", "n,code,flag,when,gap\n1,007,true,2026-01-02,\n-2.5,008,false,2026-01-03,x\n")
    )

    assert [found["n"][key] for key in ("filled", "numbers", "whole", "low", "high")] == [2, 2, 1, -2.5, 1.0]
    assert [found["code"][key] for key in ("numbers", "codes")] == [2, 2]
    assert found["flag"]["bools"] == 2
    assert (found["when"]["times"], found["when"]["span"]) == (2, "2026-01-02 00:00:00|2026-01-03 00:00:00")
    assert (found["gap"]["filled"], found["gap"]["distinct"]) == (1, 1)


def test_parquet_is_counted_as_csv_is(tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {"n": [7.0, None], "k": [1, 2], "s": ["007", None], "t": [datetime(2026, 1, 2)] * 2, "l": [[1], [2]]}
    )
    frame.to_parquet(tmp_path / "a.parquet")
    found = columns(tmp_path)

    assert [found["n"][key] for key in ("stored", "filled", "numbers", "whole", "high")] == ["float", 1, 1, 1, 7.0]
    assert (found["k"]["whole"], found["s"]["filled"], found["t"]["times"]) == (2, 1, 2)
    assert found["l"]["stored"] == "unsupported"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a;b\n1,5;2\n2,5;3\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a,b\n1;2,3\n", ","),
        ("a\n1\n", ","),
        ('a|b\n"x|y"|2\n', "|"),
    ],
)
def test_the_delimiter_is_the_one_that_divides_all_lines_alike(tmp_path: Path, text: str, expected: str) -> None:
    assert survey.survey(write(tmp_path, "a.csv", text))["delimiter"] == expected


def test_markers_hidden_files_and_files_of_other_kinds_are_no_data(tmp_path: Path) -> None:
    (tmp_path / ".cache").mkdir()
    write(tmp_path / ".cache", "b.csv", "x\n1\n")
    for name in ("go.run", "notes.txt"):
        write(tmp_path, name, "")
    found = survey.survey(write(tmp_path, "a.csv", "x,y\n1,2\n"))

    assert [file["key"] for file in found["files"]] == ["a.csv"]
    assert found["others"] == ["notes.txt"]


def test_a_file_that_begins_with_a_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"line 1 of 'a.csv' looks like a row, not like a header: 2 of 3 names"):
        survey.survey(write(tmp_path, "a.csv", "north,4.5,2026-01-01\nsouth,2.5,2026-01-02\n"))


def test_problems_of_all_files_are_said_together_without_their_cells(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", ",x\nsecret,1\n")
    write(tmp_path, "b.csv", "x,y\n1,secret\n1,2,3\n")
    with pytest.raises(StepError) as caught:
        survey.survey(write(tmp_path, "c.csv", ""))

    assert "'a.csv' has columns without a name at position 1" in str(caught.value)
    assert "'b.csv', line 3: 3 fields, expected 2" in str(caught.value)
    assert "'c.csv' is empty" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_ids_and_values_are_counted_over_all_files_of_a_role(tmp_path: Path) -> None:
    write(tmp_path, "t1.csv", "id,s,y\n1,a,1\n2,b,\n")
    write(tmp_path, "t2.csv", "s,id,y\na,2,3\n,4,4\n")
    write(tmp_path, "p.csv", "id,s\n9,c\n8,a\n")
    request = {"roles": {"train": ["t1.csv", "t2.csv"], "predict": ["p.csv"]}, "ids": ["id", "y"], "segments": ["s"]}
    found = survey.count({**request, "label": "y", "delimiter": ",", "limit": 10}, tmp_path)

    assert found["ids"] == {
        "id": {"train": [4, 4, 3], "predict": [2, 2, 2]},
        "y": {"train": [4, 3, 3], "predict": None},
    }
    assert found["segments"] == {"s": {"distinct": 3, "values": [["a", 2, 1], ["b", 0, 0], ["c", 0, 1]]}}


def test_no_more_values_are_told_than_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "t.csv", "s,y\n" + "".join(f"s{n},1\n" for n in range(20)))
    request = {"roles": {"train": ["t.csv"]}, "ids": [], "segments": ["s"], "label": "y", "delimiter": ",", "limit": 3}
    found = survey.count(request, tmp_path)["segments"]["s"]

    assert (found["distinct"], len(found["values"])) == (20, 3)


def test_it_prints_json_or_says_on_stderr_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "raw").mkdir()
    write(tmp_path, "request.json", "{}")
    arguments = ["--request", str(tmp_path / "request.json"), "--raw", str(tmp_path / "raw")]
    write(tmp_path / "raw", "a.csv", "x,y\n1,2\n")

    assert survey.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["rows"] == 1
    write(tmp_path / "raw", "a.csv", "")
    assert survey.main(arguments) == 2
    assert "'a.csv' is empty" in capsys.readouterr().err
