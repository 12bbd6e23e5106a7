"""Messages on a terminal hold what a name holds, and nothing of it acts."""

from __future__ import annotations

import pytest

from pipelines import compile as compiling
from pipelines import terminal


def test_a_line_is_one_line() -> None:
    assert terminal.line("a\nb\x1b[2J") == r"a\nb\x1b[2J"


def test_lines_of_our_own_stay() -> None:
    assert terminal.lines("a\nb\r") == "a\nb\\r"


def test_no_line_of_a_paragraph_passes_for_another_message() -> None:
    assert terminal.paragraph("error: x\nerror: y\n") == "error: x\n  error: y"


def test_a_command_shows_a_hostile_argument_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert compiling.main(["--config", "no\n\x1b[2Jerror: such.yml"]) == 2

    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    assert len([line for line in shown.splitlines() if line.startswith("error:")]) == 1
