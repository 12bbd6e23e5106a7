"""`--from STEP` selects the step and everything that waits for it."""

from __future__ import annotations

import pytest
from local_outcomes import definition, ping

from pipelines.errors import ExecutionError
from pipelines.selection import downstream

CHAIN = definition(ping("A"), ping("B", DependsOn=["A"]), ping("C", DependsOn=["B"]), ping("D"))


def test_a_step_selects_what_waits_for_it_directly_or_not() -> None:
    assert downstream(CHAIN, "B") == {"B", "C"}


def test_a_step_that_nothing_waits_for_selects_itself() -> None:
    assert downstream(CHAIN, "D") == {"D"}


def test_an_unknown_step_is_answered_with_the_nearest() -> None:
    steps = definition(ping("PostProcess"))

    with pytest.raises(ExecutionError, match="did you mean PostProcess"):
        downstream(steps, "Postproces")
