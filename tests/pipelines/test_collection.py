"""What goes and what stays: the newest executions, what may go on, and all that these need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.collection import (
    CODE,
    DATA,
    DEBUG,
    ENTRY,
    EXECUTION,
    KINDS,
    MANIFEST,
    MEMO,
    OUTBOX,
    SETTINGS,
    TRASH,
    Held,
    Inventory,
    Item,
    choose_kept,
    collect,
    count,
)


def held(number: int, status: str = "Succeeded", **facts: Any) -> Held:
    """Execution e1, e2 ...: the higher, the newer."""
    return Held(f"e{number}", float(number), status, **facts)


def kept(*executions: Held, keep: int = 2, **pinned: str) -> dict[str, str]:
    return choose_kept(Inventory(executions, (), pinned), keep)


def removed(inventory: Inventory, keep: int = 1) -> dict[str, str]:
    return {removal.item.path.name: removal.why for removal in collect(inventory, keep).removals}


def item(kind: str, path: str, **facts: Any) -> Item:
    return Item(kind, Path(path), **facts)


def test_the_newest_that_succeeded_stay() -> None:
    assert kept(held(1), held(2), held(3)) == {"e2": "is one of the newest 2", "e3": "is one of the newest 2"}
    assert kept(held(1)) == {"e1": "is one of the newest 2"}
    assert kept() == {}


def test_what_failed_or_was_stopped_since_the_oldest_of_them_can_go_on() -> None:
    found = kept(held(1, "Failed"), held(2), held(3, "Failed"), held(4), held(5, "Stopped"), held(6, "Failed"))

    assert found == {
        "e6": "is one of the newest 2",
        "e5": "is one of the newest 2",
        "e4": "is one of the newest 2",
        "e3": "is Failed, and can go on",
        "e2": "is one of the newest 2",
    }


def test_without_any_success_the_newest_stay() -> None:
    assert set(kept(held(1, "Failed"), held(2, "Failed"), held(3, "Failed"))) == {"e2", "e3"}


def test_a_running_execution_stays_however_old_it_is() -> None:
    assert kept(held(1, "Started", running=True), held(2), held(3))["e1"] == "is running"


def test_an_execution_whose_outputs_a_kept_one_uses_stays_and_so_does_what_it_uses() -> None:
    found = kept(held(1), held(2, uses=frozenset({"e1"})), held(3), held(4, uses=frozenset({"e2", "e4"})), keep=1)

    assert found == {
        "e4": "is one of the newest 1",
        "e2": "e4 uses its outputs",
        "e1": "e2 uses its outputs",
    }


def test_what_the_registry_refers_to_stays() -> None:
    assert kept(held(1), held(2), keep=1, e1="the registry")["e1"] == "the registry refers to it"


def test_what_is_gone_already_is_not_said_to_stay() -> None:
    assert set(kept(held(1, uses=frozenset({"e0"})), e7="the registry")) == {"e1"}


def test_everything_of_an_execution_goes_with_it() -> None:
    items = [
        item(kind, f"{kind} {name}", owner=name)
        for kind in (EXECUTION, DATA, OUTBOX, DEBUG)
        for name in ("e1", "e2", "e9")
    ]

    found = removed(Inventory((held(1), held(2)), tuple(items)))

    names = {f"{kind} {name}" for kind in (EXECUTION, DATA, OUTBOX, DEBUG) for name in ("e1", "e9")}
    assert found == dict.fromkeys(names, "no kept execution needs it")


def test_an_entry_goes_with_the_outputs_that_it_names() -> None:
    items = (
        item(ENTRY, "stays", uses=frozenset({"e2"})),
        item(ENTRY, "elsewhere"),
        item(ENTRY, "goes", uses=frozenset({"e1", "e2"})),
        item(ENTRY, "broken", fault="it cannot be read"),
    )

    assert removed(Inventory((held(1), held(2)), items)) == {
        "broken": "it cannot be read",
        "goes": "outputs of execution e1 go",
    }


def test_bundles_and_manifests_stay_as_long_as_a_kept_definition_names_them() -> None:
    new = held(2, names=frozenset({"s3://b/p/code/train/aa", "s3://b/p/settings/lambda/bb/settings.json", "v2"}))
    old = held(1, names=frozenset({"s3://b/p/code/train/old", "v1"}))
    items = (
        item(CODE, "aa", name="s3://b/p/code/train/aa"),
        item(CODE, "a", name="s3://b/p/code/train/a"),
        item(CODE, "old", name="s3://b/p/code/train/old"),
        item(SETTINGS, "bb", name="s3://b/p/settings/lambda/bb"),
        item(MANIFEST, "v1", name="v1"),
        item(MANIFEST, "v2", name="v2"),
    )

    found = removed(Inventory((old, new), items))

    assert found == dict.fromkeys(["a", "old", "v1"], "no kept definition names it")


def test_a_kept_definition_that_cannot_be_read_may_name_anything() -> None:
    items = (item(CODE, "a", name="s3://b/p/code/train/a"),)

    assert removed(Inventory((held(1, names=None),), items)) == {}
    assert removed(Inventory((held(1, names=None), held(2)), items)) == {"a": "no kept definition names it"}


def test_a_memo_stays_as_long_as_a_kept_execution_holds_its_name_and_can_be_read() -> None:
    items = (
        item(MEMO, "stays", name="sha of the definition"),
        item(MEMO, "goes", name="sha of another"),
        item(MEMO, "broken", fault="it cannot be read"),
    )

    assert removed(Inventory((held(1, names=frozenset({"sha of the definition"})),), items)) == {
        "goes": "no kept definition names it",
        "broken": "it cannot be read",
    }


def test_what_a_cut_off_removal_left_goes() -> None:
    assert removed(Inventory((), (item(TRASH, "x"),))) == {"x": "an earlier removal was cut off"}


def test_items_go_in_an_order_in_which_nothing_points_at_what_is_gone() -> None:
    items = tuple(item(kind, kind, owner="e1", fault="x" if kind == ENTRY else "") for kind in reversed(KINDS))

    assert [removal.item.kind for removal in collect(Inventory((), items), 1).removals] == list(KINDS)


@pytest.mark.parametrize(
    ("links", "freed"),
    [
        ([(1, 100, 1)], 100),
        ([(1, 100, 2)], 0),
        ([(1, 100, 2), (1, 100, 2)], 100),
        ([(1, 100, 1), (2, 50, 3)], 100),
    ],
)
def test_a_file_is_free_when_its_last_link_goes(links: list[tuple[int, int, int]], freed: int) -> None:
    items = tuple(item(TRASH, f"t{n}", links=(link,)) for n, link in enumerate(links))

    assert collect(Inventory((), items), 1).freed == freed


def test_kinds_are_counted_with_every_file_once() -> None:
    items = (item(TRASH, "a", links=((1, 10, 2), (2, 5, 1))), item(TRASH, "b", links=((1, 10, 2),)))

    assert list(count(collect(Inventory((), items), 1).removals)) == [(TRASH, 2, 3, 15)]
