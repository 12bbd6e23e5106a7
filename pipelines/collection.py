"""What `--gc` removes from a workspace, and why: all that no kept execution needs.

Pure: `inventory` finds out what there is, `disposal` acts. The registry, `predictions/latest.json` and raw data are
no items, so that they can't be removed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection as Group
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ENTRY, EXECUTION, DATA, CODE, SETTINGS = "cache entry", "execution", "data", "code", "settings"
MANIFEST, MEMO, OUTBOX, DEBUG, TRASH = "manifest", "memo", "outbox", "debug", "trash"
KINDS = (ENTRY, EXECUTION, DATA, CODE, SETTINGS, MANIFEST, MEMO, OUTBOX, DEBUG, TRASH)
"""In the order in which they are removed: nothing is found any more before what it needs goes."""
SUCCEEDED = "Succeeded"


@dataclass(frozen=True)
class Held:
    """An execution; `uses` are executions whose outputs it refers to, `names` what its definition and parameters hold.

    `names` is None where the definition cannot be read.
    """

    id: str
    started: float
    status: str
    running: bool = False
    uses: frozenset[str] = frozenset()
    names: frozenset[str] | None = frozenset()


@dataclass(frozen=True)
class Item:
    """Something that may be removed.

    `owner` is the execution it belongs to, `name` what an execution that needs it holds. An entry's outputs lie with
    the executions of `uses`, and `fault` says why it is of no use. `links` are its files: inode, size and number of
    links.
    """

    kind: str
    path: Path
    owner: str = ""
    name: str = ""
    uses: frozenset[str] = frozenset()
    fault: str = ""
    links: tuple[tuple[int, int, int], ...] = ()

    @property
    def size(self) -> int:
        """Return the bytes of its files, each counted once."""
        return sum({inode: size for inode, size, _ in self.links}.values())


@dataclass(frozen=True)
class Inventory:
    """All executions and items of a workspace; `pinned` are executions that something refers to, and what that is."""

    executions: tuple[Held, ...]
    items: tuple[Item, ...]
    pinned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Removal:
    """An item to remove, and why."""

    item: Item
    why: str


@dataclass(frozen=True)
class Collection:
    """What goes, and the executions that stay, each with the reason; `freed` is in bytes."""

    kept: Mapping[str, str]
    removals: tuple[Removal, ...]

    @property
    def freed(self) -> int:
        """Return the bytes that become free: a file goes with the last of its links."""
        links = [link for removal in self.removals for link in removal.item.links]
        gone = Counter(inode for inode, _, _ in links)
        return sum(size for inode, size, count in set(links) if gone[inode] >= count)


def collect(inventory: Inventory, keep: int) -> Collection:
    """Return what can go when the newest `keep` executions that succeeded stay, with all that they need."""
    kept = choose_kept(inventory, keep)
    named = _named(held.names for held in inventory.executions if held.id in kept)
    removals = [
        Removal(item, why)
        for item in sorted(inventory.items, key=lambda item: (KINDS.index(item.kind), str(item.path)))
        if (why := _why(item, kept, named))
    ]
    return Collection(kept, tuple(removals))


def choose_kept(inventory: Inventory, keep: int) -> dict[str, str]:
    """Return the executions that stay, each with the reason.

    Beside the newest ones stay those that are running, those that failed or were stopped since the oldest of the
    newest, which can go on, and those whose outputs something that stays refers to.
    """
    order = sorted(inventory.executions, key=lambda held: (held.started, held.id), reverse=True)
    done = [held for held in order if held.status == SUCCEEDED][:keep]
    oldest = min((held.started for held in done or order[:keep]), default=0.0)
    kept: dict[str, str] = {}
    for position, held in enumerate(order):
        if held.running:
            kept[held.id] = "is running"
        elif held in done or position < keep:
            kept[held.id] = f"is one of the newest {keep}"
        elif held.started >= oldest:
            kept[held.id] = f"is {held.status}, and can go on"
    for name, who in sorted(inventory.pinned.items()):
        kept.setdefault(name, f"{who} refers to it")
    found = {**kept, **_needed(kept, {held.id: held.uses for held in inventory.executions})}
    there = {held.id for held in order} | {item.owner for item in inventory.items}
    return {name: why for name, why in found.items() if name in there}


def _needed(kept: Iterable[str], uses: Mapping[str, Group[str]]) -> dict[str, str]:
    """Return what those that stay refer to, directly or not, and do not stay of themselves."""
    first, waiting = set(kept), sorted(kept)
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        for used in sorted(uses.get(name, ())):
            if used not in first and used not in found:
                found[used] = f"{name} uses its outputs"
                waiting.append(used)
    return found


def _why(item: Item, kept: Group[str], named: Group[str] | None) -> str:
    """Return why an item goes, or an empty text where it stays; without `named` it may be that all are."""
    if item.kind == TRASH:
        return "an earlier removal was cut off"
    if item.kind == ENTRY:
        lost = sorted(item.uses - set(kept))
        return item.fault or (f"outputs of execution {lost[0]} go" if lost else "")
    if item.fault:
        return item.fault
    if item.owner:
        return "" if item.owner in kept else "no kept execution needs it"
    return "" if named is None or item.name in named else "no kept definition names it"


def _named(definitions: Iterable[Iterable[str] | None]) -> set[str] | None:
    """Return what definitions name and every folder above that, or None where one of them cannot be read."""
    found: set[str] = set()
    for names in definitions:
        if names is None:
            return None
        for text in names:
            while text and text not in found:
                found.add(text)
                text = text.rpartition("/")[0]
    return found


def count(removals: Iterable[Removal]) -> Iterator[tuple[str, int, int, int]]:
    """Yield kind, number of items, number of files and bytes of what goes."""
    found: dict[str, list[Item]] = {}
    for removal in removals:
        found.setdefault(removal.item.kind, []).append(removal.item)
    for kind in KINDS:
        if items := found.get(kind):
            sizes = {link[0]: link[1] for item in items for link in item.links}
            yield kind, len(items), sum(len(item.links) for item in items), sum(sizes.values())
