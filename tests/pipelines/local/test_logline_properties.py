"""Event logs that somebody has changed anywhere: each tells what happened, or is damaged in a line that is named."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.errors import ExecutionError
from pipelines.local import history
from pipelines.local.record import FileRecord, StepEvent, StepRecord
from pipelines.local.workspace import Workspace

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=6), SCALARS, max_size=2)
FILES = (FileRecord("s3://b/x", "0" * 64, 5),)
RECORD = StepRecord(
    "A", "Processing", "Succeeded", False, 2.0, 1.5, "", 9.5, {"o": "s3://b/"}, {"R": 1}, "a.log", FILES
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("ws"))


@pytest.fixture(scope="module")
def lines(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the log of an execution of one step."""
    log = history.History(workspace.execution("run-1"))
    log.add_execution("Started", 1.0, parameters={"P": 1}, pipeline="p", source=None, selected=None, parallelism=2)
    log.add_step(StepEvent("A", "Processing", "Executing", 2.0))
    log.add_step(StepEvent("A", "Processing", "Succeeded", 3.5), RECORD)
    log.add_execution("Succeeded", 4.0)
    log.close()
    return [json.loads(line) for line in path_of(workspace).read_text().splitlines()]


def path_of(workspace: Workspace) -> Path:
    return workspace.execution("run-1") / history.EVENTS_FILE


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value inside a document."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from places(part, (*path, key))


def outcome_of(workspace: Workspace, text: str) -> None:
    """Read a log; whatever it tells must be fit to be shown."""
    path_of(workspace).write_text(text, encoding="utf-8")
    with contextlib.suppress(ExecutionError):
        found = history.load(workspace, "run-1")
        assert found.status.upper()
        assert found.seconds >= 0
        assert all(record.status.upper() and record.reason.upper() is not None for record in found.steps.values())


@given(st.data())
@settings(max_examples=100)
def test_a_log_changed_anywhere_is_read_or_damaged(
    workspace: Workspace, lines: list[dict[str, Any]], data: st.DataObject
) -> None:
    changed = copy.deepcopy(lines)
    *above, last = data.draw(st.sampled_from(list(places(lines))))
    inside: Any = changed
    for key in above:
        inside = inside[key]
    value = data.draw(JSON | st.just(...))
    if value is ...:
        del inside[last]
    else:
        inside[last] = value

    outcome_of(workspace, "".join(f"{json.dumps(line)}\n" for line in changed))


@given(st.text(max_size=40))
@example("{}\n")
@example("[]\n")
@example("5\n")
@settings(max_examples=50)
def test_any_text_is_read_or_damaged(workspace: Workspace, lines: list[dict[str, Any]], text: str) -> None:
    outcome_of(workspace, text)
    outcome_of(workspace, f"{json.dumps(lines[0])}\n{text}\n")


def test_the_log_that_is_changed_is_a_good_one(workspace: Workspace, lines: list[dict[str, Any]]) -> None:
    path_of(workspace).write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    assert history.load(workspace, "run-1").steps == {"A": RECORD}
