"""Malformed and foreign events: a function does nothing with what is not meant for it, and says what is missing."""

from __future__ import annotations

import json

import pytest
from corpus_case import Answer, Case, check, each_case
from lambda_world import LambdaWorld

from lambda_trigger import status, trigger
from lambda_trigger.ports import PortError

HANDLERS = {"trigger": trigger.handler, "status": status.handler}


@each_case("events")
def test_a_malformed_event_starts_and_mails_nothing(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    world = LambdaWorld()
    world.deploy()
    world.put_data()
    world.put("day/go.run")
    before = dict(world.aws.objects)
    caplog.set_level("INFO")

    function = case.given.get("function", "trigger")
    answer = _give(case, function, world)

    check(case, Answer(answer.exit, answer.shown + caplog.text))
    assert (world.aws.executions, world.mails) == ([], [])
    assert world.aws.objects == before


def _give(case: Case, function: str, world: LambdaWorld) -> Answer:
    event = json.loads(case.path.read_text(encoding="utf-8"))
    try:
        return Answer(HANDLERS[function](event, world.context(function)), "")
    except PortError as error:
        return Answer(type(error).__name__, str(error))
