"""Which steps `--from STEP` runs again: the step and everything that depends on it. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping

from pipelines.errors import ExecutionError
from pipelines.local.schedule import build_graph, dependencies
from pipelines.local.step import Definition


def downstream(definition: Definition, step: str) -> frozenset[str]:
    """Return a step, all steps that wait for it, directly or not, and those that share an output URI with one of them.

    Raises:
        ExecutionError: the definition has no such step.
    """
    needs = dependencies(definition)
    if step not in needs:
        near = difflib.get_close_matches(step, needs, 1, 0.4)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(needs))}"
        raise ExecutionError(f"--from {step}: no such step in the definition of that execution; {hint}")
    together = _sharing_outputs(definition)
    found = {step}
    while more := _next(found, needs, together):
        found |= more
    return frozenset(found)


def _next(found: set[str], needs: Mapping[str, frozenset[str]], together: list[frozenset[str]]) -> set[str]:
    waiting = {name for name, needed in needs.items() if needed & found}
    sharing = {name for group in together if group & found for name in group}
    return (waiting | sharing) - found


def _sharing_outputs(definition: Definition) -> list[frozenset[str]]:
    """Return groups of steps of one branch that write below one URI, which a reader takes from one of them for all."""
    branches = build_graph(definition).branches
    groups: dict[str, set[str]] = {}
    for step in definition.every_step():
        for output in (step.arguments.get("ProcessingOutputConfig") or {}).get("Outputs") or []:
            place = json.dumps([branches.get(step.name), output["S3Output"]["S3Uri"]], sort_keys=True)
            groups.setdefault(place, set()).add(step.name)
    return [frozenset(group) for group in groups.values()]
