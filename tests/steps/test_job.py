"""How a step runs as a process: exit code, the one line of a failure, settings."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import contract, job

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ml_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(tmp_path / "ml"))
    return tmp_path / "ml"


def run_step(folder: Path, body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a tiny step whose main has `body`, as a process."""
    script = folder / "tiny.py"
    script.write_text(f"from steps import job\n\ndef main(argv):\n    {body}\n\njob.run(main)\n")
    environment = {"PYTHONPATH": str(ROOT), contract.ML_ROOT_VARIABLE: str(folder / "ml")}
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def message(folder: Path) -> str:
    return (folder / "ml" / "output" / "message").read_text(encoding="utf-8")


def test_a_step_that_ends_well_exits_0_and_writes_no_message(tmp_path: Path) -> None:
    done = run_step(tmp_path, "print(argv)", "training", "--version", "v")

    assert (done.returncode, done.stdout) == (0, "['training', '--version', 'v']\n")
    assert not (tmp_path / "ml" / "output").exists()


def test_a_step_error_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    done = run_step(tmp_path, "raise job.StepError('train.csv: 3 rows\\n  have no id')")

    assert done.returncode == 1
    assert message(tmp_path) == "train.csv: 3 rows have no id"
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.endswith("ERROR train.csv: 3 rows have no id\n")


@pytest.mark.parametrize(
    "statement",
    ["raise job.StepError({0})", "job.log.warning('%s: not trained', {0})", "job.log.info('%(x)s', {{'x': {0}}})"],
)
def test_no_name_forges_a_line_of_the_log_or_moves_the_cursor(tmp_path: Path, statement: str) -> None:
    name = "x\n2026-01-01 00:00:00 INFO all is well\r\x1b[2K\x1b[1Agone\u2028\u202e 100%"
    done = run_step(tmp_path, statement.format(ascii(name)))

    assert len(done.stderr.splitlines()) == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", done.stderr)
    assert r"\x1b[2K\x1b[1Agone" in done.stderr
    if "StepError" in statement:
        assert message(tmp_path) == r"x 2026-01-01 00:00:00 INFO all is well \x1b[2K\x1b[1Agone \u202e 100%"


def test_each_frame_of_a_bug_is_a_record_of_its_own(tmp_path: Path) -> None:
    done = run_step(tmp_path, "float(argv[0])", "SECRET")

    assert len(done.stderr.splitlines()) > 2
    assert all(re.match(r"\d{4}-\d\d-\d\d .* ERROR ", line) for line in done.stderr.splitlines())


@pytest.mark.parametrize(
    "body",
    [
        "float(argv[0])",
        "{}[argv[0]]",
        "exec('try: float(argv[0])\\nexcept ValueError as error: raise RuntimeError(str(error)) from error')",
        "exec('try: float(argv[0])\\nexcept ValueError as error: raise RuntimeError(str(error))')",
    ],
)
def test_the_value_that_a_bugs_text_quotes_reaches_neither_log_nor_message(tmp_path: Path, body: str) -> None:
    done = run_step(tmp_path, body, "SECRET")

    assert done.returncode == 1
    assert "SECRET" not in done.stderr + done.stdout + message(tmp_path)
    assert 'tiny.py", line 4, in main' in done.stderr


def test_a_bug_is_logged_by_its_types_and_frames_causes_included(tmp_path: Path) -> None:
    body = "exec('try: float(argv[0])\\nexcept ValueError as error: raise RuntimeError(str(error)) from error')"
    done = run_step(tmp_path, body, "SECRET")

    assert message(tmp_path) == "RuntimeError in tiny.py; see the step's log"
    assert done.stderr.index("ERROR RuntimeError") < done.stderr.index("caused by ValueError")


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    run_step(
        tmp_path, "exec('import errno, os\\nraise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), argv[0])')", "SECRET"
    )

    assert message(tmp_path) == "OSError (No space left on device) in tiny.py; see the step's log"


def test_errors_that_cause_each_other_are_told_once() -> None:
    first, second = ValueError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first

    assert job.describe(first).splitlines() == ["ValueError", "caused by KeyError"]


def test_bad_arguments_keep_the_exit_code_of_argparse_and_leave_a_message(tmp_path: Path) -> None:
    done = run_step(tmp_path, "__import__('argparse').ArgumentParser().parse_args(argv)", "--odd")

    assert done.returncode == 2
    assert message(tmp_path) == "tiny.py does not take the arguments it was given; see the step's log"
    assert "unrecognized arguments: --odd" in done.stderr


def test_asking_for_help_leaves_no_message(tmp_path: Path) -> None:
    done = run_step(tmp_path, "__import__('argparse').ArgumentParser().parse_args(argv)", "--help")

    assert done.returncode == 0
    assert not (tmp_path / "ml" / "output").exists()


@pytest.mark.parametrize("text", ["x" * 5000, "日" * 600, "é" * 1024, "a" + "日" * 400])
def test_a_message_is_cut_to_1_kb_of_whole_characters(ml_root: Path, text: str) -> None:
    job.write_message(text)
    written = (ml_root / "output" / "message").read_bytes()

    assert contract.MESSAGE_LIMIT - 3 < len(written) <= contract.MESSAGE_LIMIT
    assert text.startswith(written.decode())


@given(text=st.text(alphabet=st.characters(), max_size=600) | st.text(max_size=10).map(lambda part: part + "\ud800"))
@settings(max_examples=60, deadline=None)
def test_any_message_is_one_line_of_at_most_1_kb_of_utf8(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("ml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(contract.ML_ROOT_VARIABLE, str(folder))
        job.write_message(text)
    written = (folder / "output" / "message").read_bytes()

    assert len(written) <= contract.MESSAGE_LIMIT
    assert len(written.decode().splitlines()) <= 1
    assert contract.escape_controls(written.decode()) == written.decode()


def test_settings_are_read_from_the_settings_input(ml_root: Path) -> None:
    job.write_json(ml_root / "processing" / "input" / "settings" / "settings.json", {"label": "遅れ"})

    assert job.read_settings() == {"label": "遅れ"}


def test_json_is_written_in_the_projects_form_below_new_folders(tmp_path: Path) -> None:
    job.write_json(tmp_path / "a" / "b.json", {"z": 1, "a": 2})

    assert (tmp_path / "a" / "b.json").read_text() == contract.to_json({"a": 2, "z": 1})
    assert job.read_json(tmp_path / "a" / "b.json") == {"a": 2, "z": 1}
