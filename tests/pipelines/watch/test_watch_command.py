"""What `--watch` refuses before it looks, and that it ends well where there is nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.run import main
from pipelines.watch.ledger import ledger_folder, locked

CONFIG = "data: {label: y, id: id}\nmodels: {by: s}\n"


def watch(tmp_path: Path, *arguments: str) -> int:
    if not (tmp_path / "c.yml").exists():
        (tmp_path / "c.yml").write_text(CONFIG)
    (tmp_path / "inbox").mkdir(exist_ok=True)
    common = ["--local", "--config", str(tmp_path / "c.yml"), "--workspace", str(tmp_path / "ws"), "--once"]
    return main([*common, "--watch", str(tmp_path / "inbox"), "--settle", "0", *arguments])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--watch", "none"), "--watch none: no such folder"),
        (("--settle", "-1"), "--settle -1.0: is no time"),
        (("--settle", "nan"), "--settle nan: is no time"),
        (("--set", "MaeThreshold"), "expected Name=Value"),
        (("--set", "RawDataUri=s3://b/"), "is computed from the raw folder"),
        (("--config", "none.yml"), "none.yml"),
    ],
)
def test_what_cannot_work_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], expected: str
) -> None:
    assert watch(tmp_path, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert expected in error
    assert error.count("\n") == 1


def test_a_workspace_in_the_watched_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert watch(tmp_path, "--workspace", str(tmp_path / "inbox/ws")) == 2
    assert "lies in the raw folder" in capsys.readouterr().err


def test_a_second_watcher_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with locked(ledger_folder(tmp_path / "ws", tmp_path / "inbox"), Path("inbox")):
        assert watch(tmp_path) == 2
    assert "another watcher serves this folder" in capsys.readouterr().err


def test_an_empty_folder_ends_a_watcher_that_serves_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert watch(tmp_path, "--json") == 0
    assert capsys.readouterr().out == ""


def test_a_marker_beside_no_data_is_refused_with_a_mail_and_the_watcher_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "inbox/a").mkdir(parents=True)
    (tmp_path / "inbox/a/x.run").write_text("MaeThreshold: 3\n")
    (tmp_path / "inbox/y.run").write_text("[no mapping]")

    assert watch(tmp_path, "--json") == 1
    assert watch(tmp_path, "--json") == 0  # they are served
    out, err = capsys.readouterr()
    assert out.count("\n") == 2
    assert "no file matches data.train" in err
    assert len(list((tmp_path / "ws/outbox").glob("*/01-refused.txt"))) == 2
