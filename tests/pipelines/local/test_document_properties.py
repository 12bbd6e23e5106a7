"""Definitions that somebody has changed anywhere: each is run as written, or refused with sentences."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines import limits
from pipelines.errors import DefinitionError
from pipelines.local import document
from pipelines.local.schedule import build_graph, core_shares

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "flights.definition.json").read_text(encoding="utf-8"))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ODD = st.sampled_from(
    [[], {}, [[]], {"Get": "Steps.X"}, {"Std:Join": {}}, {"Std:JsonGet": {}}, "MaeGate", 1e400, 10**400]
)
JSON = SCALARS | ODD | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=6), SCALARS, max_size=2)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value inside a document."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from places(part, (*path, key))


PLACES = list(places(GOLDEN))


@example([(("ParallelismConfiguration", "MaxParallelExecutionSteps"), 10**400)])
@example([(("Parameters", 0, "Type"), ...)])
@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON | st.just(...)), min_size=1, max_size=2))
@settings(max_examples=120)
def test_a_definition_changed_anywhere_is_read_or_refused(changes: list[tuple[tuple[str | int, ...], Any]]) -> None:
    found = copy.deepcopy(GOLDEN)
    for path, value in changes:
        _put(found, path, value)
    text = json.dumps(found)

    try:
        definition = document.parse(text)
    except DefinitionError as error:
        refused = error.problems
    else:
        refused = ()
    assert all(problem.strip() for problem in refused)
    if not refused:
        limits.check(json.loads(text))
        core_shares(build_graph(definition), 4, definition.parallelism)


def _put(document: Any, path: tuple[str | int, ...], value: Any) -> None:
    """Put a value at a path, or take away what is there; nothing where an earlier change has taken the place."""
    try:
        for key in path[:-1]:
            document = document[key]
        if value is ...:
            del document[path[-1]]
        else:
            document[path[-1]] = value
    except (KeyError, IndexError, TypeError):
        return


@given(
    st.text(max_size=30)
    | st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)).map(json.dumps)
)
@settings(max_examples=50)
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(DefinitionError):
        document.parse(text)
