"""Places and options that a local run refuses before it reads anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.run import main

CONFIG = "data: {label: y, id: id}\nmodels: {by: s}\n"


def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run with a config and a raw folder; return the one line of an exit code 2."""
    (tmp_path / "c.yml").write_text(CONFIG)
    (tmp_path / "raw").mkdir(exist_ok=True)
    common = ["--local", "--config", str(tmp_path / "c.yml"), "--raw", str(tmp_path / "raw")]

    assert main([*common, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_workspace_that_would_become_raw_data_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "lies in the raw folder" in refused(tmp_path, capsys, "--workspace", str(tmp_path / "raw/ws"))


def test_a_hidden_workspace_in_the_raw_folder_is_no_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It goes on to say that there are no data files, twice: for training and for prediction."""
    (tmp_path / "c.yml").write_text(CONFIG)
    (tmp_path / "raw/.local").mkdir(parents=True)
    (tmp_path / "raw/.local/train.csv").touch()
    raw = str(tmp_path / "raw")

    code = main(["--local", "--config", str(tmp_path / "c.yml"), "--raw", raw, "--workspace", f"{raw}/.local"])

    assert code == 2
    assert capsys.readouterr().err.count("the folder is empty") == 2


def test_a_workspace_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()

    assert "cannot be made" in refused(tmp_path, capsys, "--workspace", str(tmp_path / "file"))


@pytest.mark.parametrize("options", [("--plan", "--retry", "x"), ("--retry", "x", "--from", "y", "--of", "z")])
def test_only_one_action_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]) -> None:
    assert "give one of them only" in refused(tmp_path, capsys, *options)


def test_what_an_action_would_ignore_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = ("--workspace", str(tmp_path / "ws"))

    assert "--no-cache" in refused(tmp_path, capsys, "--retry", "x", "--no-cache", *workspace)
