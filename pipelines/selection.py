"""Which steps `--from STEP` runs again: the step and everything that depends on it. Pure."""

from __future__ import annotations

import difflib

from pipelines.errors import ExecutionError
from pipelines.local.schedule import dependencies
from pipelines.local.step import Definition


def downstream(definition: Definition, step: str) -> frozenset[str]:
    """Return a step and all steps that wait for it, directly or not.

    Raises:
        ExecutionError: the definition has no such step.
    """
    needs = dependencies(definition)
    if step not in needs:
        near = difflib.get_close_matches(step, needs, 1, 0.4)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(needs))}"
        raise ExecutionError(f"--from {step}: no such step in the definition of that execution; {hint}")
    found = {step}
    while more := {name for name, needed in needs.items() if name not in found and needed & found}:
        found |= more
    return frozenset(found)
