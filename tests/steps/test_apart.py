"""The children of an Infer step share its time; what happens to them is in test_infer and test_isolated_segments."""

from __future__ import annotations

from steps import apart


def test_the_children_of_a_job_have_the_most_part_of_its_time_together() -> None:
    assert apart.seconds_left(1000, passed=0.0) == 900.0
    assert apart.seconds_left(1000, passed=850.0) == 50.0
    assert apart.seconds_left(1000, passed=2000.0) == 1.0
    assert apart.seconds_left(1000, passed=100.0, waiting=4) == 200.0
