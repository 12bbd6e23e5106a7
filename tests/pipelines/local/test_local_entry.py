"""An entry of the cache reads back as it was written, or not at all."""

from __future__ import annotations

import json
import random
import string
from dataclasses import asdict
from typing import Any

import pytest
from local_definitions import Lab, processing, statuses

from pipelines.local.cachekey import Components, Content
from pipelines.local.entry import Entry, _seal, dump_entry, parse_entry
from pipelines.local.record import FileRecord

COMPONENTS = Components(
    image="i",
    entrypoint=("python3",),
    arguments=("--a", "日本"),
    environment={"A": "1"},
    instances=1,
    libraries=("lightgbm 4.5.0",),
    inputs={"in": Content("/opt/ml/in", False, False, {"x.csv": "0" * 64})},
    outputs={"out": "/opt/ml/out"},
)
ENTRY = Entry(
    pipeline="p",
    step="Train-a",
    execution="run-1",
    components=COMPONENTS,
    uris={"in": "s3://b/in"},
    outputs={"out": "s3://b/out"},
    files=(FileRecord("s3://b/out/x", "0" * 64, 3),),
)
WRONG: list[Any] = [None, True, 0, -1, 1.5, "", "x", "\ud800", [], [[]], {}, {"": None}, [{"uri": 1}], 10**40]


def sealed(content: dict[str, Any]) -> bytes:
    """An entry of a wrong shape that is sealed as if it were right."""
    return json.dumps({**content, "sha256": _seal(content)}).encode()


def test_an_entry_reads_back_as_it_was_written() -> None:
    assert parse_entry(dump_entry(ENTRY).encode()) == ENTRY


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def test_no_change_of_any_value_in_an_entry_goes_unseen() -> None:
    content = json.loads(dump_entry(ENTRY))
    cases = [(place, wrong) for place in places(content)[1:] for wrong in WRONG]

    for place, wrong in cases:
        assert parse_entry(json.dumps(changed(content, place, wrong)).encode()) is None, (place, wrong)
    assert len(cases) > 300


def test_an_entry_of_a_wrong_shape_is_none_even_if_it_is_sealed() -> None:
    content = {"key": ENTRY.components.key, **asdict(ENTRY)}
    content = json.loads(json.dumps(content))

    for place in places(content)[1:]:
        for wrong in WRONG:
            found = parse_entry(sealed(changed(content, place, wrong)))
            assert found is None or isinstance(found, Entry), (place, wrong)
        shorter = changed(content, place[:-1], {k: v for k, v in content.items() if k != place[0]})
        assert len(place) > 1 or parse_entry(sealed(shorter)) is None, place


@pytest.mark.parametrize("execution", ["../x", "", "a b", "x\x1b[2J"])
def test_an_entry_of_an_execution_that_cannot_be_is_none(execution: str) -> None:
    content = json.loads(dump_entry(ENTRY))
    del content["sha256"]

    assert parse_entry(sealed({**content, "execution": execution})) is None


def noise(rng: random.Random) -> bytes:
    """Bytes that are no entry: random ones, deep nestings, cut and garbled entries."""
    whole = dump_entry(ENTRY).encode()
    kind = rng.randrange(5)
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        return b"[" * rng.randrange(1, 100_000)
    if kind == 2:
        return whole[: rng.randrange(len(whole) - 2)]
    if kind == 3:
        return "".join(rng.choices(string.printable, k=50)).encode()
    at = rng.randrange(1, len(whole) - 2)
    return whole[:at] + bytes([whole[at] ^ (1 << rng.randrange(7))]) + whole[at + 1 :]


def test_noise_is_no_entry_and_never_raises() -> None:
    rng = random.Random(4)
    survivors = [text for text in (noise(rng) for _ in range(2_000)) if parse_entry(text) not in (None, ENTRY)]

    assert survivors == []


@pytest.mark.parametrize("seed", range(8))
def test_a_step_with_a_garbled_entry_runs_again_and_says_so(lab: Lab, seed: int) -> None:
    steps = [processing("Prep", "write('out/x', '1')", outputs=["out"], cache=True)]
    lab.run(steps)
    (path,) = lab.workspace.cache.glob("*.json")
    path.write_bytes(noise(random.Random(seed)))

    outcome = lab.run(steps)

    assert statuses(outcome) == {"Prep": "Succeeded"}
    assert outcome.steps["Prep"].reason == "its cache entry is damaged"
    assert statuses(lab.run(steps)) == {"Prep": "Cached"}


def test_an_entry_under_the_name_of_another_key_is_not_used(lab: Lab) -> None:
    one = processing("Prep", "write('out/x', '1')", outputs=["out"], cache=True)
    other = processing("Prep", "write('out/x', '2')", outputs=["out"], cache=True)
    lab.run([one])
    (first,) = lab.workspace.cache.glob("*.json")
    lab.run([other])
    (second,) = set(lab.workspace.cache.glob("*.json")) - {first}
    second.write_bytes(first.read_bytes())

    outcome = lab.run([other])

    assert outcome.steps["Prep"].reason == "its cache entry is damaged"
    assert lab.get("s3://bucket/runs/run-3/Prep/out/x") == "2"
