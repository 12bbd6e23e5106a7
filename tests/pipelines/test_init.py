"""`python -m pipelines.init`: what it refuses. The whole way is in end_to_end/test_beginning.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from raw_folder import shops, without, write_csv

from pipelines import settings
from pipelines.init import main

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    write_csv(folder / "train.csv", shops(100))
    write_csv(folder / "predict.csv", without(shops(10, 1000), "price"))
    return folder


def test_a_config_that_is_there_is_kept(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "shop" / "pipeline-config.yml"
    config.parent.mkdir()
    config.write_text("mine")

    assert run(tmp_path / "shop", "--from", raw) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert (
        f"error: {config}: is there already; look at it, give another folder, or overwrite it with --force" in found.err
    )
    assert config.read_text() == "mine"


def test_all_that_is_wrong_with_the_places_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")

    assert run(tmp_path / "file", "--from", tmp_path / "nowhere") == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert "is a file; give the folder" in errors[0]
    assert "nowhere: no such folder; give the folder with the raw files" in errors[1]


def test_files_on_aws_and_a_file_in_place_of_a_folder_are_refused(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "shop", "--from", "s3://bucket/raw/") == 2
    assert "copy some of them here first" in capsys.readouterr().err
    assert run(tmp_path / "shop", "--from", raw / "train.csv") == 2
    assert "is a file; give the folder that it lies in" in capsys.readouterr().err
    assert not (tmp_path / "shop").exists()


def test_wrong_columns_write_nothing(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "shop", "--from", raw, "--label", "prise", "--segment", "stor") == 2

    found = capsys.readouterr()
    assert found.out == ""
    assert len(found.err.splitlines()) == 2
    assert "did you mean 'price'?" in found.err
    assert "did you mean 'store'?" in found.err
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize("arguments", [["shop"], ["--from", "x"], ["shop", "--form", "x"]])
def test_bad_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m pipelines.init" in capsys.readouterr().err


def test_help_is_shown_without_loading_what_reads_data_or_compiles() -> None:
    code = (
        "import sys; from pipelines.init import parser; parser().format_help(); "
        "print([name for name in ('sagemaker', 'pydantic', 'yaml', 'duckdb') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_a_single_file_with_both_is_split_where_somebody_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = shops(200)
    prices = ["" if n % 10 < 2 else value for n, value in enumerate(rows["price"])]
    write_csv(tmp_path / "data" / "houses.csv", {**rows, "price": prices})

    assert run(tmp_path / "one", "--from", tmp_path / "data") == 0
    assert "40 rows have no 'price': if these are to be predicted, add --split" in capsys.readouterr().out
    assert run(tmp_path / "two", "--from", tmp_path / "data", "--split", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(line["segment"], line["train_rows"], line["predict_rows"]) for line in found["plan"]["lines"]] == [
        ("north", 80, 20),
        ("south", 80, 20),
    ]
    assert settings.load(tmp_path / "two" / "pipeline-config.yml").data.raw == str(tmp_path / "two" / "raw")


def test_a_split_where_there_is_nothing_to_split_is_refused(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "shop", "--from", raw, "--split") == 2
    assert "--split: there are files to predict already; leave it out" in capsys.readouterr().err
