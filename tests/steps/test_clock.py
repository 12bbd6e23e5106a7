from __future__ import annotations

from datetime import UTC, datetime

from steps import clock


def test_a_watch_tells_when_it_was_made_and_the_seconds_since() -> None:
    before = datetime.now(UTC)
    watch = clock.Watch()
    found = clock.span(watch.to_json())
    assert found is not None
    assert abs((found[0] - before).total_seconds()) < 60
    assert 0 <= (found[1] - found[0]).total_seconds() < 60


def test_what_the_service_and_what_a_step_writes_is_read_as_utc() -> None:
    told = datetime(2026, 11, 26, 20, 0, tzinfo=UTC)
    texts = (
        "2026-11-26T20:00:00.000Z",
        "2026-11-26T20:00:00+00:00",
        "2026-11-26T20:00:00",
        "2026-11-26T21:00:00+01:00",
    )
    assert [clock.parse(text) for text in texts] == [told] * 4
    assert [clock.parse(text) for text in (None, "", "soon", 3)] == [None] * 4


def test_works_side_by_side_last_from_the_first_start_to_the_last_end() -> None:
    one = {"started": "2026-11-26T20:00:00+00:00", "seconds": 10.0}
    other = {"started": "2026-11-26T20:00:08+00:00", "seconds": 5.5}
    assert clock.merge([other, None, one]) == {"started": "2026-11-26T20:00:00.000+00:00", "seconds": 13.5}
    assert clock.merge([None, {}]) is None
