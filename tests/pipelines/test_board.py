"""The steps of an execution as they are: states, times, the estimate, and the path that decided how long it took."""

from __future__ import annotations

import pytest
from local_definitions import processing
from local_outcomes import definition
from small_pipelines import board, event, ran

from pipelines.board import Board, Known, say_about, say_seconds


def test_steps_of_the_branch_that_is_not_expected_are_neither_shown_nor_counted() -> None:
    shown, _ = board()

    assert shown.counts() == (0, 10)
    assert not any(row.name.endswith("Fallback") for row in shown.rows())


def test_the_other_branch_is_shown_once_it_is_taken() -> None:
    shown, _ = board()
    for name in ("Infer-EWR", "Infer-JFK", "Infer-LGA", "PostProcess"):
        shown.take(event(name, "Skipped", 101.0))

    assert {row.name for row in shown.rows() if "Infer" in row.name} == {
        f"Infer-{m}Fallback" for m in ("EWR", "JFK", "LGA")
    }


def test_where_nothing_tells_that_steps_are_skipped_a_step_of_the_other_branch_does() -> None:
    """On AWS a step that does not run is in no list."""
    shown, _ = board(cores=None)
    shown.take(event("Infer-EWRFallback", "Executing", 101.0))

    assert "Infer-EWR" not in [row.name for row in shown.rows()]


def test_the_time_of_a_step_at_work_goes_on_and_that_of_one_that_ended_stands_still() -> None:
    shown, clock = board()
    shown.take(event("PrepareTraining", "Executing", 100.0))
    clock.now = 102.0
    assert shown.rows()[0].seconds == 2.0

    shown.take(event("PrepareTraining", "Succeeded", 103.0))
    clock.now = 200.0

    assert shown.rows()[0].seconds == 3.0
    assert shown.took("Train-EWR") == 0.0


def test_a_step_that_is_tried_again_counts_from_its_new_start() -> None:
    shown, clock = board()
    ran(shown, "PrepareTraining", 100.0, 101.0, "Failed")
    shown.take(event("PrepareTraining", "Executing", 110.0))
    clock.now = 112.0

    assert shown.took("PrepareTraining") == 2.0


def test_nothing_is_estimated_before_a_job_really_runs_for_all_may_come_from_the_cache() -> None:
    shown, clock = board()
    shown.take(event("PrepareTraining", "Starting", 100.0))
    assert shown.remaining() is None

    clock.now = 101.0
    shown.take(event("PrepareTraining", "Executing", 101.0))

    assert shown.remaining() == pytest.approx(2 + 10 + 20 + 8 + 2)


def test_the_estimate_counts_down_and_follows_what_happens() -> None:
    shown, clock = board()
    shown.take(event("PrepareTraining", "Executing", 100.0))
    first = shown.remaining()
    clock.now = 101.5
    assert first is not None
    assert shown.remaining() == pytest.approx(first - 1.5)

    clock.now = 102.0
    shown.take(event("PrepareTraining", "Succeeded", 102.0))
    for name in ("Train-EWR", "Train-JFK", "Train-LGA"):
        shown.take(event(name, "Cached", 102.0))
    clock.now = 103.0

    assert shown.remaining() == pytest.approx(10.0)


def test_nothing_is_estimated_any_more_once_a_step_has_failed() -> None:
    shown, clock = board()
    ran(shown, "PrepareTraining", 100.0, 101.0)
    shown.take(event("Train-EWR", "Executing", 101.0))
    clock.now = 102.0
    shown.take(event("Train-JFK", "Failed", 102.0, "no rows"))

    assert shown.remaining() is None
    assert shown.failed() == ["Train-JFK"]


def test_the_critical_path_is_marked_while_it_runs_and_named_at_the_end() -> None:
    shown, clock = board(["EWR", "JFK"])
    shown.take(event("PrepareTraining", "Executing", 100.0))
    assert "Train-JFK" in {row.name for row in shown.rows() if row.is_critical}

    ran(shown, "PrepareTraining", 100.0, 103.0)
    ran(shown, "Train-EWR", 103.0, 113.0)
    ran(shown, "Train-JFK", 103.0, 124.0)
    for name in ("Judge", "MaeGate"):
        ran(shown, name, 124.0, 124.0)
    ran(shown, "Infer-JFK", 124.0, 128.0)
    ran(shown, "PostProcess", 128.0, 130.0)
    clock.now = 140.0

    expected = (
        "critical path: PrepareTraining 3.0 s > Train-JFK 21 s > Infer-JFK 4.0 s > PostProcess 2.0 s; 30 s of 30 s"
    )
    assert shown.path() == expected


def test_many_steps_of_a_kind_on_the_critical_path_are_one_part_of_it() -> None:
    names = [f"m{number}" for number in range(6)]
    shown, _ = board(names)
    ran(shown, "PrepareTraining", 100.0, 103.0)
    for number, name in enumerate(names):
        ran(shown, f"Train-{name}", 103.0 + 10 * number, 113.0 + 10 * number)

    assert shown.path() == "critical path: PrepareTraining 3.0 s > 6 x Train 1 min; 1 min 3 s of 1 min 3 s"


def test_an_execution_in_which_nothing_took_any_time_has_no_path() -> None:
    shown, _ = board()
    shown.take(event("PrepareTraining", "Cached", 100.0))
    shown.take(event("Train-EWR", "Cached", 100.0))

    assert shown.path() == ""


def test_a_segment_that_the_name_of_a_step_does_not_show_stands_beside_it() -> None:
    tags = [{"Key": "segment", "Value": "東京 (すべて)"}]
    step = processing("Train-x3f9")
    step["Arguments"]["Tags"] = tags
    shown = Board(definition(step, processing("Train-EWR")), Known())

    assert [row.label for row in shown.rows()] == ["Train-x3f9 (東京 (すべて))", "Train-EWR"]


def test_a_step_that_the_definition_does_not_know_is_shown_all_the_same() -> None:
    shown = Board(definition(), Known())
    ran(shown, "Other", 100.0, 101.0)

    assert [(row.name, row.state) for row in shown.rows()] == [("Other", "Succeeded")]
    assert shown.counts() == (1, 1)


@pytest.mark.parametrize(
    ("seconds", "exact", "about"),
    [
        (0.04, "0.0 s", "1 s"),
        (9.94, "9.9 s", "10 s"),
        (9.96, "10 s", "10 s"),
        (42.4, "42 s", "40 s"),
        (59.7, "1 min", "60 s"),
        (125.0, "2 min 5 s", "2 min"),
        (3580.0, "59 min 40 s", "1 h"),
        (3800.0, "1 h 3 min", "1 h 5 min"),
    ],
)
def test_times_are_told_as_people_tell_them(seconds: float, exact: str, about: str) -> None:
    assert (say_seconds(seconds), say_about(seconds)) == (exact, about)
