"""Malformed `.run` markers: none starts a run; whoever put it gets one mail with all that is wrong."""

from __future__ import annotations

from corpus_case import Answer, Case, check, each_case
from lambda_world import LambdaWorld

from lambda_trigger import trigger


@each_case("markers")
def test_a_malformed_marker_is_refused_by_mail(case: Case) -> None:
    world = LambdaWorld()
    world.deploy(**case.given.get("settings", {}))
    for key in case.given.get("beside", ["day/train.csv", "day/predict.csv"]):
        world.put(key, b"a\n1\n")
    event = world.put(case.given.get("key", "day/go.run"), _body(case))
    before = dict(world.aws.objects)

    answer = trigger.handler(event, world.context())

    assert world.aws.executions == []
    (mail,) = world.mails
    assert mail["Subject"].isprintable()
    check(case, Answer(*answer["markers"].values(), mail["Message"]))
    made = [key for _, key in world.aws.objects.keys() - before.keys()]
    assert [key.rpartition("/")[0] for key in made] == ["flights/claims/start"]


def _body(case: Case) -> bytes:
    if case.file:
        return case.path.read_bytes()
    return str(case.given.get("body", "")).encode("latin-1") * int(case.given.get("times", 1))
