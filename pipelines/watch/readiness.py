"""Whether a marker's raw files are all there and nobody writes them any more.

Nothing tells the end of a copy but that its files stop changing; a marker may also promise files with their sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from pipelines.watch.ledger import Entry
from pipelines.watch.markers import Folder, RawFiles, parent
from steps import contract

PATIENCE = 3600.0
"""Seconds after which files that a marker promises are not waited for any more."""

Missing = Callable[[Entry, tuple[contract.DataFile, ...]], list[str]]
"""Says which of the files that an entry's body promises are not among those that are there."""


class State(Enum):
    """What is to be done with an entry: `SETTLING` is decided within the settle time, so that others wait for it."""

    READY = "ready"
    SETTLING = "settling"
    WRITTEN = "being written"
    MISSING = "missing"
    HOPELESS = "hopeless"


@dataclass(frozen=True)
class Readiness:
    """The state of an entry, with what there is to say about it."""

    state: State
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Look:
    """The files of a raw folder, since when they are as they are, and whether they were seen changing before."""

    files: RawFiles
    since: float
    changed: bool


@dataclass
class Readies:
    """Judges entries; remembers how their raw folders looked, as long as they wait."""

    folder: Folder
    missing: Missing
    clock: Callable[[], float]
    settle: float
    _looks: dict[str, _Look] = field(default_factory=dict)

    def judge(self, entries: tuple[Entry, ...]) -> Mapping[str, Readiness]:
        """Return the readiness of every waiting entry by its token, each raw folder looked at once."""
        now, places = self.clock(), {parent(entry.path) for entry in entries}
        self._looks = {place: self._look(place, now) for place in sorted(places)}
        return {entry.token: self._judge(entry, self._looks[parent(entry.path)], now) for entry in entries}

    def _look(self, place: str, now: float) -> _Look:
        files, known = self.folder.files(place), self._looks.get(place)
        if known is None or (known.files == files and now < known.since):  # the clock was set back
            return _Look(files, now, changed=False)
        return known if known.files == files else _Look(files, now, changed=True)

    def _judge(self, entry: Entry, look: _Look, now: float) -> Readiness:
        if look.files.strays:
            return Readiness(State.HOPELESS, tuple(_say_stray(key) for key in look.files.strays[:20]))
        missing = tuple(self.missing(entry, look.files.listed))
        if missing:
            late = now - entry.at >= PATIENCE
            return Readiness(State.HOPELESS if late else State.MISSING, missing)
        if now - look.since >= self.settle:
            return Readiness(State.READY)
        if look.changed:
            return Readiness(State.WRITTEN, (f"files beside {entry.path} are still being written",))
        return Readiness(State.SETTLING)


def _say_stray(key: str) -> str:
    return f"{key}: is a link that leads out of the watched folder, or to a folder; copy the files themselves there"
