"""How long an execution will still take, from what its steps took before; and which steps decide it."""

from __future__ import annotations

import pytest
from small_pipelines import TOOK, shaped

from pipelines.local.estimate import OVERDUE, Room, chain, estimate, room, typical, unlikely
from pipelines.local.schedule import build_graph

GRAPH = build_graph(shaped())
EXPECTED = typical(GRAPH.steps, TOOK)
LOST = unlikely(GRAPH, {})
PLENTY, TWO = Room(None, None, {}), room(GRAPH, 2, None, lambda _: None)


def test_a_step_is_expected_to_take_the_median_of_its_last_times() -> None:
    assert typical(GRAPH.steps, {"Train-EWR": [9.0, 1.0, 2.0]})["Train-EWR"] == 2.0


def test_a_step_never_seen_borrows_from_steps_that_run_the_same_program() -> None:
    assert EXPECTED["Train-LGA"] == 15.0
    assert EXPECTED["Infer-LGA"] == EXPECTED["Infer-EWRFallback"] == 4.0


def test_a_step_of_which_nothing_is_known_is_left_out_and_there_is_no_estimate() -> None:
    known = typical(GRAPH.steps, {"PrepareTraining": [3.0]})

    assert "Train-EWR" not in known
    assert known["Judge"] == 0.0
    assert estimate(GRAPH, known, {}, LOST, PLENTY) is None


def test_what_has_ended_needs_not_be_known() -> None:
    over = {name for name in GRAPH.steps if name != "PostProcess"}

    found = estimate(GRAPH, {"PostProcess": 2.0}, {}, over, PLENTY)

    assert found is not None
    assert (found.seconds, found.critical) == (2.0, ("PostProcess",))


def test_with_a_machine_for_each_step_the_longest_chain_decides() -> None:
    found = estimate(GRAPH, EXPECTED, {}, LOST, PLENTY)

    assert found is not None
    assert found.seconds == 3 + 20 + 4 + 2
    assert found.critical[:2] == ("PrepareTraining", "Train-JFK")
    assert found.critical[-1] == "PostProcess"


def test_on_two_cores_steps_wait_for_one_another() -> None:
    """Of three trainings the odd one goes first with both cores, then two side by side; likewise the predictions."""
    found = estimate(GRAPH, EXPECTED, {}, LOST, TWO)

    assert found is not None
    assert found.seconds == 3 + (10 + 20) + (4 + 4) + 2
    assert found.critical[:3] == ("PrepareTraining", "Train-EWR", "Train-JFK")


def test_parallelism_bounds_the_steps_at_work() -> None:
    found = estimate(GRAPH, EXPECTED, {}, LOST, Room(None, 1, {}))

    assert found is not None
    assert found.seconds == 3 + (10 + 20 + 15) + 3 * 4 + 2


def test_what_a_step_has_taken_so_far_is_not_counted_again() -> None:
    over = LOST | {"PrepareTraining", "Train-EWR", "Train-LGA"}

    found = estimate(GRAPH, EXPECTED, {"Train-JFK": 15.0}, over, PLENTY)

    assert found is not None
    assert found.seconds == 5 + 4 + 2


def test_a_step_that_is_overdue_is_given_a_little_more() -> None:
    over = set(GRAPH.steps) - {"PostProcess"}

    found = estimate(GRAPH, EXPECTED, {"PostProcess": 60.0}, over, PLENTY)

    assert found is not None
    assert found.seconds == pytest.approx(60 * OVERDUE)


def test_the_first_branch_is_expected_unless_the_last_execution_took_the_other() -> None:
    assert {name for name in GRAPH.steps if name.endswith("Fallback")} == LOST
    assert unlikely(GRAPH, {"MaeGate": False}) == {"Infer-EWR", "Infer-JFK", "Infer-LGA", "PostProcess"}


def test_thousands_of_steps_are_estimated_in_the_time_of_a_glance() -> None:
    graph = build_graph(shaped([f"m{number}" for number in range(500)]))
    seconds = typical(graph.steps, {**TOOK, "Train-m0": [10.0], "Infer-m0": [4.0]})

    found = estimate(graph, seconds, {}, unlikely(graph, {}), room(graph, 2, None, lambda _: None))

    assert found is not None
    assert found.seconds == 3 + 500 * 10 / 2 + 500 * 4 / 2 + 2


def test_the_end_is_decided_by_the_needs_that_ended_last() -> None:
    starts = {"PrepareTraining": 0.0, "Train-EWR": 3.0, "Train-JFK": 3.0, "Judge": 24.0}
    ends = {"PrepareTraining": 3.0, "Train-EWR": 13.0, "Train-JFK": 24.0, "Judge": 24.1}

    assert chain(GRAPH, starts, ends) == ("PrepareTraining", "Train-JFK", "Judge")


def test_a_step_that_waited_for_cores_follows_the_one_that_gave_them() -> None:
    starts = {"PrepareTraining": 0.0, "Train-EWR": 3.0, "Train-JFK": 13.0}
    ends = {"PrepareTraining": 3.0, "Train-EWR": 13.0, "Train-JFK": 24.0}

    assert chain(GRAPH, starts, ends) == ("PrepareTraining", "Train-EWR", "Train-JFK")
    assert chain(GRAPH, starts, ends, patience=30.0) == ("PrepareTraining", "Train-JFK")


def test_nothing_has_no_chain() -> None:
    assert chain(GRAPH, {}, {}) == ()
