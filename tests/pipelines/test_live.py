"""The live table as a user sees it: in a pseudo-terminal of some size, as text on the screen."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
import screen
from rich.cells import cell_len
from rich.console import Console
from small_pipelines import board, event, ran

from pipelines.board import Board
from pipelines.live import MOST_ROWS, LiveProgress

ROOT = Path(__file__).resolve().parents[2]
SHOW = """
import sys, time
sys.path[:0] = ["tests/fakes", "tests/pipelines/local"]
from small_pipelines import TOOK, event, shaped
from pipelines.board import Known
from pipelines.progress import open_progress
with open_progress(shaped(), "e1", Known(TOOK, cores=2)) as shown:
    now = time.time()
    shown.watch(event("PrepareTraining", "Executing", now - 3))
    shown.watch(event("PrepareTraining", "Succeeded", now))
    shown.watch(event("Train-EWR", "Executing", now))
    shown.say("a mail")
    time.sleep(0.6)
    shown.watch(event("Train-EWR", "Failed", now + 1, "no rows"))
"""


def drawn(shown: Board, width: int = 80, height: int = 40) -> list[str]:
    """Return what a terminal of this size shows of a board."""
    stream = io.StringIO()
    live = LiveProgress(shown, "e1", stream)
    live._console.size = (width, height)
    console = Console(file=stream, width=width, height=height, force_terminal=False)
    console.print(live.draw())
    return stream.getvalue().splitlines()


def started(names: list[str]) -> Board:
    shown, clock = board(names)
    ran(shown, "PrepareTraining", 90.0, 100.0)
    for name in names[:2]:
        shown.take(event(f"Train-{name}", "Executing", 100.0))
    clock.now = 105.0
    return shown


def test_a_step_is_told_by_a_sign_and_a_word_with_its_time_and_what_it_usually_takes() -> None:
    lines = drawn(started(["EWR", "JFK", "LGA"]))

    assert lines[0].startswith("execution e1  1 of 10 steps, 15 s, about ")
    assert any(line.split()[:4] == ["✓", "PrepareTraining", "Succeeded", "10"] for line in lines)
    assert any("▶ Train-EWR" in line and "Executing" in line and "5.0 s of ~10 s" in line for line in lines)
    assert any(line.startswith("* ▶ Train-EWR") for line in lines), "the critical path is marked"
    assert any("· PostProcess" in line and "Waiting" in line for line in lines)


def test_the_last_line_of_a_step_s_log_stands_beside_it_while_it_works(tmp_path: Path) -> None:
    log = tmp_path / "steps/Train-EWR/log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("2026-11-26 22:07:08,245 INFO Fitting model: LightGBM\x1b[2J\n")
    shown, _ = board(folder=tmp_path)
    shown.take(event("Train-EWR", "Executing", 100.0))

    assert any("Train-EWR" in line and r"Fitting model: LightGBM\x1b[2J" in line for line in drawn(shown, 100))


def test_many_models_are_counted_by_kind_and_those_at_work_and_failed_are_named() -> None:
    shown = started([f"m{number}" for number in range(300)])
    for number in range(2, 150):
        ran(shown, f"Train-m{number}", 100.0, 105.0)
    shown.take(event("Train-m150", "Failed", 104.0, "no rows"))

    lines = drawn(shown)

    counts = next(line for line in lines if "█" in line and "Train " in line)
    assert counts.endswith("149 of 300, 2 Executing, 1 Failed")
    assert any(line.split() == ["✓", "PrepareTraining", "Succeeded", "10", "s"] for line in lines)
    assert any("▶ Train-m0" in line for line in lines)
    assert any("✗ Train-m150" in line and "no rows" in line for line in lines)
    assert len(lines) < 12


@pytest.mark.parametrize("height", [10, 16, 24])
def test_a_low_terminal_is_never_overrun(height: int) -> None:
    assert len(drawn(started(["EWR", "JFK", "LGA"]), height=height)) < height
    many = [f"m{number}" for number in range(300)]
    shown = started(many)
    for name in many:
        shown.take(event(f"Train-{name}", "Executing", 100.0))

    lines = drawn(shown, height=height)

    assert len(lines) <= height
    assert "more" in lines[-1]


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize(
    ("names", "more"),
    [(["EWR", "JFK"], []), (["EWR"], ["とても長い日本語の名前" * 4, "x" * 200]), ([f"m{n}" for n in range(40)], [])],
)
def test_no_line_is_wider_than_the_terminal(width: int, names: list[str], more: list[str]) -> None:
    shown = started(names)
    for name in more:
        shown.take(event(f"Train-{name}", "Executing", 100.0))

    assert max(map(cell_len, drawn(shown, width))) <= width


def test_few_steps_are_shown_one_by_one_on_a_terminal_of_the_usual_size() -> None:
    lines = drawn(started([f"m{number}" for number in range(9)]), height=40)

    assert sum("Train-" in line for line in lines) == 9
    assert len(lines) <= MOST_ROWS + 1


def test_a_terminal_that_knows_ascii_only_gets_ascii_signs() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    live = LiveProgress(started(["EWR"]), "e1", stream)

    assert (live._sign("Succeeded"), live._sign("Failed")) == ("+", "x")


def show(size: tuple[int, int] = (100, 40), **environment: str) -> screen.Terminal:
    return screen.run([sys.executable, "-c", SHOW], ROOT, size, environment)


def test_a_user_sees_the_table_change_in_place_below_what_was_said() -> None:
    seen = show()

    assert seen.code == 0
    assert seen.seen(r"Train-EWR +Executing")
    text = seen.screen.text()
    assert text.count("execution e1") == 1, "drawn in place"
    assert text.index("a mail") < text.index("execution e1") < text.index("critical path: PrepareTraining 3.0 s")
    assert "Train-EWR failed: no rows" in text
    assert "✗ Train-EWR" in text
    assert seen.screen.colours


def test_no_color_takes_colours_and_leaves_signs_and_words() -> None:
    seen = show(NO_COLOR="1", FORCE_COLOR="1")

    assert seen.screen.colours == set()
    assert "✗ Train-EWR" in seen.screen.text()


def test_a_dumb_terminal_gets_lines() -> None:
    seen = show(TERM="dumb")

    assert "\x1b" not in seen.raw
    assert seen.screen.text().startswith("execution e1: 10 steps")
