"""Claims: of several invocations for one event, one works."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fake_answers import FakeError
from fake_aws import FakeAws
from lambda_cases import Desk

from lambda_trigger import claims
from lambda_trigger.aws import S3Objects
from lambda_trigger.ports import ObjectStore, StoreError

URI = "s3://local/flights/claims/start/x.json"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(params=["folders", "aws"])
def objects(request: pytest.FixtureRequest, desk: Desk) -> ObjectStore:
    return desk.ports.objects if request.param == "folders" else S3Objects(FakeAws().client("s3"))


def test_the_first_to_claim_owns_the_event(objects: ObjectStore) -> None:
    first = claims.make(objects, URI, "one", NOON)
    second = claims.make(objects, URI, "two", NOON)

    assert claims.own(objects, first, "one", NOON) == first
    assert claims.own(objects, second, "two", NOON) is None
    assert (second.owner, second.at, second.is_new) == ("one", NOON, False)


def test_a_finished_claim_belongs_to_nobody_any_more(objects: ObjectStore) -> None:
    first = claims.make(objects, URI, "one", NOON)
    claims.finish(objects, first, {"sent": "yes"})

    found = claims.make(objects, URI, "one", NOON + timedelta(days=1))

    assert found.result == {"sent": "yes"}
    assert claims.own(objects, found, "one", NOON + timedelta(days=1)) is None


def test_lambdas_retry_takes_over_what_its_first_try_left_even_under_another_id(objects: ObjectStore) -> None:
    claims.make(objects, URI, "one", NOON)
    retried = NOON + timedelta(minutes=1)

    assert claims.own(objects, claims.make(objects, URI, "two", retried), "two", retried) is not None


def test_of_two_that_take_over_a_stale_claim_one_wins(objects: ObjectStore) -> None:
    claims.make(objects, URI, "one", NOON)
    later = NOON + claims.STALE
    two, three = claims.make(objects, URI, "two", later), claims.make(objects, URI, "three", later)

    assert claims.own(objects, two, "two", later) is not None
    assert claims.own(objects, three, "three", later) is None


def test_what_a_slow_owner_writes_late_does_not_replace_the_result_of_who_took_over(objects: ObjectStore) -> None:
    slow = claims.make(objects, URI, "one", NOON)
    later = NOON + claims.STALE
    quick = claims.own(objects, claims.make(objects, URI, "two", later), "two", later)
    assert quick is not None

    assert claims.finish(objects, quick, {"sent": "two"})
    assert not claims.finish(objects, slow, {"sent": "one"})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"owner": "x", "at": "soon", "result": {}}'])
def test_an_object_that_is_no_claim_is_an_error_that_names_it(objects: ObjectStore, text: str) -> None:
    objects.write_text(URI, text)

    with pytest.raises(StoreError, match=r"claims/start/x[.]json: is no claim .*; delete it"):
        claims.make(objects, URI, "one", NOON)


class Unheard(FakeAws):
    """Stores a conditional put whose answer gets lost, so that botocore puts again and is refused."""

    def _on_put_object(self, given: dict[str, object]) -> dict[str, object]:
        made = super()._on_put_object(given)
        if "IfMatch" in given:
            raise FakeError("PreconditionFailed", "At least one of the pre-conditions did not hold", 412)
        return made


def test_a_claim_whose_put_was_repeated_is_owned_all_the_same() -> None:
    objects = S3Objects(Unheard().client("s3"))
    claim = claims.make(objects, URI, "one", NOON)
    again = claims.make(objects, URI, "one", NOON)

    assert claim.is_new
    assert claims.own(objects, again, "one", NOON) is not None
