"""Events of any JSON: a function sees what is meant for it, or says what is missing; it never breaks."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lambda_world import RAW, LambdaWorld

from lambda_trigger import markers, status
from lambda_trigger.markers import Marker
from lambda_trigger.ports import EventError
from lambda_trigger.status import DETAIL_TYPE, Change

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner))
PUT = LambdaWorld().event("day/go.run", "v1")
RECORD = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}
NOTIFIED = {"Records": [{**RECORD, "s3": {"bucket": {"name": RAW}, "object": {"key": "day/go.run", "sequencer": "1"}}}]}
ARN = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/flights"
ENDED = {
    "source": "aws.sagemaker",
    "detail-type": DETAIL_TYPE,
    "time": "2026-01-01T00:00:00Z",
    "detail": {
        "currentPipelineExecutionStatus": "Failed",
        "pipelineArn": ARN,
        "pipelineExecutionArn": f"{ARN}/execution/1",
    },
}


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every value inside a document."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, part in parts for found in [(*path, key), *places(part, (*path, key))]]


def spoiled(event: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return an event with another value at a path; with `...` without it."""
    found = copy.deepcopy(event)
    inside = found
    for key in path[:-1]:
        inside = inside[key]
    if value is ...:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return found


def check(event: Any) -> None:
    try:
        found = markers.read(event, RAW)
        change = status.read_change(event)
    except EventError:
        return
    assert all(isinstance(marker, Marker) and marker.keys and marker.token("p", marker.keys[0]) for marker in found)
    assert change is None or (isinstance(change, Change) and change.claim.endswith(".json"))


@given(JSON)
@settings(max_examples=50)
def test_any_json_is_no_event_of_ours(event: Any) -> None:
    assert markers.read(event, RAW) == ()
    assert status.read_change(event) is None


@given(st.sampled_from([PUT, NOTIFIED, ENDED]), st.data())
@settings(max_examples=100)
def test_an_event_with_anything_in_one_place_is_read_or_refused(event: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(places(event)))

    check(spoiled(event, path, data.draw(JSON | st.just(...))))


def test_the_events_that_are_spoiled_are_good_ones() -> None:
    assert [len(markers.read(event, RAW)) for event in (PUT, NOTIFIED)] == [1, 1]
    assert status.read_change(ENDED) is not None
