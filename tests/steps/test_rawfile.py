from __future__ import annotations

import pytest

from steps import rawfile
from steps.job import StepError


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
        rawfile.check_files([rawfile.DataFile("../secret.csv", "", 2)], tmp_path / "raw")


@pytest.mark.parametrize("key", ["/etc/train.csv", "../train.csv", "a/../train.csv", "train\n.csv", "a//train.csv"])
def test_a_manifest_that_names_no_plain_key_is_refused_before_anything_is_opened(key, tmp_path):
    entry = {"key": key, "etag": "e", "size": 2}
    version = rawfile.contract.data_version([rawfile.DataFile(**entry)])

    with pytest.raises(StepError, match=r"rename the file|no file for glob") as caught:
        rawfile.check_manifest({"files": [entry]}, version, ["*train*"])
    assert "\n" not in str(caught.value)
    with pytest.raises(StepError, match="not in the raw folder"):
        rawfile.check_files([rawfile.DataFile(**entry)], tmp_path)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_line_of_a_wrong_byte_does_not_depend_on_how_the_file_is_read(size):
    content = "a,é\nb,日本\n".encode() + b"c,\xff\n"
    check = rawfile._Utf8()

    accepted = all(check.feed(content[start : start + size]) for start in range(0, len(content), size))

    assert not accepted
    assert check.line == 3


def test_a_header_may_be_quoted_over_lines_and_of_another_delimiter(tmp_path):
    (tmp_path / "a.csv").write_text('"x\ny";"a;b"\n1;2\n')

    [file] = rawfile.open_files(["a.csv"], tmp_path, ";")

    assert file.columns == ("x\ny", "a;b")
