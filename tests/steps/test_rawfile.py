from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from steps import rawfile, utf8
from steps.job import StepError

INDEX = "__index_level_0__"


def test_a_glob_matches_the_key_or_its_file_name():
    assert rawfile.choose(["a/train-1.csv", "train.CSV", "x.csv"], ["train*"]) == ["a/train-1.csv", "train.CSV"]


def test_a_glob_without_files_says_what_is_nearest_or_there():
    with pytest.raises(StepError, match=r"no file for glob 'train\*'; nearest: 'trian.csv'"):
        rawfile.choose(["trian.csv"], ["train*"])
    with pytest.raises(StepError, match=r"there are: 'zz\.csv'"):
        rawfile.choose(["zz.csv"], ["train*"])
    with pytest.raises(StepError, match="there are none"):
        rawfile.choose([], ["train*"])


def test_files_that_are_not_data_are_named():
    with pytest.raises(StepError, match=r"'train.txt' matches glob 'train\*' but is neither"):
        rawfile.choose(["train.csv", "train.txt"], ["train*"])


def test_a_run_marker_is_never_data():
    assert rawfile.choose(["train.csv", "train.run", "a/train.run"], ["train*"]) == ["train.csv"]


def test_a_key_that_leaves_the_raw_folder_is_refused(tmp_path):
    (tmp_path / "secret.csv").write_text("a\n")
    (tmp_path / "raw").mkdir()

    with pytest.raises(StepError, match="not in the raw folder"):
        rawfile.check_files([rawfile.DataFile("../secret.csv", "", 2)], tmp_path / "raw", ",")


@pytest.mark.parametrize("key", ["/etc/train.csv", "../train.csv", "a/../train.csv", "train\n.csv", "a//train.csv"])
def test_a_manifest_that_names_no_plain_key_is_refused_before_anything_is_opened(key, tmp_path):
    entry = {"key": key, "etag": "e", "size": 2}
    version = rawfile.contract.data_version([rawfile.DataFile(**entry)])

    with pytest.raises(StepError, match=r"rename the file|no file for glob") as caught:
        rawfile.check_manifest({"files": [entry]}, version, ["*train*"])
    assert "\n" not in str(caught.value)
    with pytest.raises(StepError, match="not in the raw folder"):
        rawfile.check_files([rawfile.DataFile(**entry)], tmp_path, ",")


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_line_of_a_wrong_byte_does_not_depend_on_how_the_file_is_read(size):
    content = "a,é\nb,日本\n".encode() + b"c,\xff\n"
    check = utf8.Utf8()

    accepted = all(check.feed(content[start : start + size]) for start in range(0, len(content), size))

    assert not accepted
    assert check.line == 3


def test_a_header_may_be_quoted_over_lines_and_of_another_delimiter(tmp_path):
    (tmp_path / "a.csv").write_text('"x\ny";"a;b"\n1;2\n')

    [file] = rawfile.open_files(["a.csv"], tmp_path, ";")

    assert file.columns == ("x\ny", "a;b")


def write_pandas(path, columns, index_columns):
    about = index_columns if isinstance(index_columns, bytes) else json.dumps({"index_columns": index_columns}).encode()
    pq.write_table(pa.table(columns).replace_schema_metadata({b"pandas": about}), path)


def test_an_index_without_a_name_that_pandas_wrote_is_no_column(tmp_path):
    frame = pd.concat([pd.DataFrame({"x": [1, 2], "y": [3, 4]})] * 2)
    frame[frame["x"] > 1].to_parquet(tmp_path / "train-1.parquet")
    (tmp_path / "train-2.csv").write_text("x,y\n1,2\n")

    files = rawfile.open_files(["train-1.parquet", "train-2.csv"], tmp_path, ",")

    assert [file.columns for file in files] == [("x", "y"), ("x", "y")]
    assert files[0].stored == (rawfile.INTEGER, rawfile.INTEGER)


def test_an_index_with_a_name_stays_a_column(tmp_path):
    pd.DataFrame({"x": [1, 2]}, index=pd.Index([7, 8], name="id")).to_parquet(tmp_path / "train.parquet")

    assert rawfile.open_files(["train.parquet"], tmp_path, ",")[0].columns == ("x", "id")


def test_an_index_that_somebody_asks_for_stays_a_column(tmp_path):
    write_pandas(tmp_path / "a.parquet", {"x": [1], INDEX: [2]}, [INDEX])

    for asked in ({"needed": [INDEX]}, {"named": [INDEX]}):
        assert rawfile.open_files(["a.parquet"], tmp_path, ",", **asked)[0].columns == ("x", INDEX)


@pytest.mark.parametrize("about", [b"{", b"\xff", b"[1]", b"[" * 100_000, None, 3, [], [{"kind": "range"}, 1, [INDEX]]])
def test_a_column_that_pandas_does_not_list_as_an_index_stays_whatever_it_is_called(about, tmp_path):
    write_pandas(tmp_path / "a.parquet", {"x": [1], INDEX: [2]}, about)
    (tmp_path / "b.csv").write_text(f"x,{INDEX}\n1,2\n")

    files = rawfile.open_files(["a.parquet", "b.csv"], tmp_path, ",")

    assert [file.columns for file in files] == [("x", INDEX), ("x", INDEX)]
