"""The raw folder of a local run: files, digests, versions, and what is refused."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import DataError
from pipelines.rawdata import RawData, read_listing, read_raw, roles_of
from pipelines.settings import Settings, validate
from steps import contract


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    for name in ("train_1.csv", "north/train_2.PARQUET", "predict.csv", "notes.txt", "go.run", "train.run"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def config(**changes: Any) -> Settings:
    data = {"label": "y", "id": "id", **changes.pop("data", {})}
    return validate({"data": data, "models": {"by": "r"}, **changes}, "c.yml")


def read(folder: Path, **changes: Any) -> RawData:
    return read_raw(config(**changes), folder, folder.parent / "digests.json", folder.parent / "scratch")


def refused(folder: Path, **changes: Any) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        read(folder, **changes)
    return caught.value.problems


def keys(files: tuple[contract.DataFile, ...]) -> list[str]:
    return [file.key for file in files]


@pytest.mark.parametrize("name", ["train\n.csv", "train\x1b[2J.csv"])
def test_a_data_file_whose_name_no_log_could_show_is_refused(raw: Path, name: str) -> None:
    (raw / name).write_text("x")

    problems = refused(raw)

    assert len(problems) == 1
    assert problems[0].endswith("holds control characters or is not UTF-8; rename the file")


def test_other_files_may_be_called_anything(raw: Path) -> None:
    (raw / "notes\n.csv").write_text("x")

    assert keys(read(raw).predict) == ["predict.csv"]


@pytest.mark.parametrize(
    "key", ["../train.csv", "/train.csv", "a/./train.csv", "a//train.csv", "a/../train.csv", "train\udcff.csv"]
)
def test_a_key_of_a_listing_that_is_no_plain_path_is_hidden_or_refused(key: str) -> None:
    listed = [contract.DataFile(key, "e", 1), contract.DataFile("predict.csv", "e", 1)]

    with pytest.raises(DataError, match=r"rename the file|no file matches"):
        read_listing(config(data={"train": ["*train*"]}), "s3://raw/day/", listed)


def test_globs_choose_files_by_key_or_name_and_markers_are_never_data(raw: Path) -> None:
    found = read(raw)

    assert keys(found.train) == ["north/train_2.PARQUET", "train_1.csv"]
    assert keys(found.predict) == ["predict.csv"]
    assert found.uri == f"s3://local-raw{raw.resolve()}/"


def test_a_glob_with_a_folder_chooses_in_that_folder_only(raw: Path) -> None:
    assert keys(read(raw, data={"train": "north/*"}).train) == ["north/train_2.PARQUET"]


def test_files_are_described_by_their_sha256_and_size(raw: Path) -> None:
    (file,) = read(raw).predict

    assert file.size == len("predict.csv")
    assert file.etag == hashlib.sha256(b"predict.csv").hexdigest()


def test_training_and_prediction_data_have_a_version_each(raw: Path) -> None:
    before = read(raw)
    (raw / "predict.csv").write_text("new rows")
    after = read(raw)

    assert before.versions[contract.TRAIN_DATA_VERSION] == after.versions[contract.TRAIN_DATA_VERSION]
    assert before.versions[contract.PREDICT_DATA_VERSION] != after.versions[contract.PREDICT_DATA_VERSION]


def test_a_version_follows_content_not_time(raw: Path) -> None:
    before = read(raw).versions
    for path in raw.rglob("*"):
        os.utime(path, (1, 1))

    assert read(raw).versions == before


def test_manifests_lie_under_the_versions(raw: Path) -> None:
    found = read(raw)

    assert set(found.manifests) == set(found.versions.values())
    manifest = json.loads(found.manifests[found.versions[contract.TRAIN_DATA_VERSION]][contract.MANIFEST_FILE])
    assert [file["key"] for file in manifest["files"]] == keys(found.train)
    assert manifest["raw"] == found.uri


def test_unchanged_files_are_not_read_again(raw: Path, tmp_path: Path) -> None:
    read(raw)
    digests = tmp_path / "digests.json"
    known = json.loads(digests.read_text())
    marked = {path: [*stamp, "known"] for path, (*stamp, _) in known.items()}
    digests.write_text(json.dumps(marked))

    assert [file.etag for file in read(raw).predict] == ["known"]


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"x": 3}'])
def test_broken_digests_are_made_anew(raw: Path, tmp_path: Path, text: str) -> None:
    expected = read(raw).versions
    (tmp_path / "digests.json").write_text(text)

    assert read(raw).versions == expected


def test_a_missing_raw_folder_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere") == (
        f"{tmp_path}/nowhere: no such raw folder; give the folder with the raw files with --raw",
    )


def test_globs_without_a_file_are_all_reported_with_what_is_there(raw: Path) -> None:
    first, second = refused(raw, data={"train": "trian*", "predict": ["next*", "later*"]})

    assert first.startswith(f"{raw}: no file matches data.train (trian*); there is go.run, ")
    assert first.endswith("; did you mean train.run?")
    assert second.startswith(f"{raw}: no file matches data.predict (next*, later*); there is ")


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()

    assert all(problem.endswith("; the folder is empty") for problem in refused(tmp_path / "raw"))


def test_a_file_that_both_globs_match_is_refused(raw: Path) -> None:
    (problem,) = refused(raw, data={"predict": ["predict*", "train_1*"]})

    assert problem == f"{raw}/train_1.csv: matches both data.train and data.predict; make the globs distinct"


def test_a_file_in_another_format_is_refused(raw: Path) -> None:
    (raw / "train.xlsx").write_text("x")

    assert refused(raw) == (f"{raw}/train.xlsx: is neither .csv nor .parquet; convert it or narrow the glob",)


def test_more_files_than_max_objects_are_refused(raw: Path) -> None:
    assert refused(raw, max_objects=5) == (
        f"{raw}: holds more files than max_objects: 5; raise it, or give a folder with fewer",
    )


def test_globs_of_single_models_count_too(raw: Path) -> None:
    both = [{"name": "N", "train": "north/*", "predict": "predict*"}, {"name": "R", "where": {"r": "a"}}]
    own = [{"name": "N", "train": "north/*", "predict": "predict*"}]

    assert keys(read(raw, models=both).train) == ["north/train_2.PARQUET", "train_1.csv"]
    assert keys(read(raw, models=own).train) == ["north/train_2.PARQUET"]


URI = "s3://raw/day/"


def listed(*names: str, **changes: Any) -> RawData:
    return read_listing(config(**changes), URI, (contract.DataFile(name, f"e{name}", 1) for name in names))


def test_a_listing_of_s3_is_read_by_the_same_rules_as_a_folder() -> None:
    found = listed("", "north/", "north/train_2.PARQUET", "predict.csv", "train_1.csv", "go.run", ".x/train.csv")

    assert keys(found.train) == ["north/train_2.PARQUET", "train_1.csv"]
    assert keys(found.predict) == ["predict.csv"]
    assert found.uri == URI


def test_what_is_wrong_with_a_listing_is_named_with_its_uri() -> None:
    with pytest.raises(DataError) as caught:
        listed("train.xlsx", "trian.csv")

    assert caught.value.problems == (
        "s3://raw/day: no file matches data.predict (predict*); there is train.xlsx, trian.csv",
        "s3://raw/day/train.xlsx: is neither .csv nor .parquet; convert it or narrow the glob",
    )


def test_a_listing_is_read_no_further_than_to_see_that_it_is_too_long() -> None:
    read_so_far: list[str] = []

    def endless() -> Iterator[contract.DataFile]:
        for number in itertools.count():
            read_so_far.append(f"train{number}.csv")
            yield contract.DataFile(read_so_far[-1], "e", 1)

    with pytest.raises(DataError, match="more files than max_objects: 5"):
        read_listing(config(max_objects=5), URI, endless())

    assert len(read_so_far) == 6


def test_a_folder_with_files_to_predict_alone_will_do_where_nothing_is_trained(raw: Path) -> None:
    (raw / "train_1.csv").unlink()
    (raw / "north/train_2.PARQUET").unlink()

    found = read_raw(config(), raw, raw.parent / "digests.json", raw.parent / "scratch", roles_of("predict"))

    assert list(found.versions) == [contract.PREDICT_DATA_VERSION]
    assert list(found.manifests) == [contract.data_version(found.predict)]
    assert len(refused(raw)) == 1


def test_the_version_of_the_files_to_predict_is_the_same_in_every_mode(raw: Path) -> None:
    found = read_raw(config(), raw, raw.parent / "digests.json", raw.parent / "scratch", roles_of("predict"))

    assert found.versions.items() <= read(raw).versions.items()
