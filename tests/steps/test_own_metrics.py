"""Figures of the user's own: what a hook may return, and where they go."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steps import own_metrics
from steps.hooks import Context, HookError, Hooks

GATHERED = own_metrics.Gathered([np.array([1.0, 2.0]), np.array([3.0])], [np.array([1.0, 1.0]), np.array([5.0])])
CONTEXT = Context("Train", "A", "A", True, "y", "id", {}, {}, 0, logging.getLogger("hook"))


def compute(function: Any) -> dict[str, float]:
    return own_metrics.compute(Hooks("my_steps.py", {"metrics": function}, Path(), {}), CONTEXT, GATHERED)


def test_the_hook_gets_all_rows_of_the_holdout_at_once_in_order() -> None:
    found = compute(lambda actual, predicted, context: {"b": len(actual), "a": np.float32(sum(predicted - actual))})

    assert found == {"a": 1.0, "b": 3.0}
    assert list(found) == ["a", "b"]


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (3.0, "returned float; return a dict of names and numbers"),
        ({"x": float("nan")}, "returned 'x' that is no finite number (nan); leave it out then"),
        ({"x": np.inf}, "returned 'x' that is no finite number (inf)"),
        ({"x": "1"}, "returned 'x' of type str; return a number"),
        ({"x": True}, "returned 'x' of type bool; return a number"),
        ({"x": None, "": 1}, "returned 'x' of type NoneType; return a number; a name that is no text"),
        ({"a\nb": 1}, "a name that is no text of 1 to 100 characters; name every figure"),
        ({str(n): n for n in range(51)}, "returned 51 figures; return at most 50"),
    ],
)
def test_what_is_no_figure_is_told(returned: Any, told: str) -> None:
    with pytest.raises(HookError) as caught:
        compute(lambda actual, predicted, context: returned)

    assert str(caught.value).startswith("hook metrics (my_steps.py) returned ")
    assert told in str(caught.value)
