"""Finds run markers: takes each writing down as soon as nobody writes it any more.

It runs beside the executions, so that a marker that is written again while its first writing waits counts twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pipelines.errors import WorkspaceError
from pipelines.watch.ledger import Ledger
from pipelines.watch.markers import Folder, Stamp

POLL = 0.2
"""Seconds between two looks."""
QUIET = 0.4
"""Seconds that a marker has to stay as it is. One that is empty, to be filled perhaps, as long as the raw files."""


@dataclass
class Detector:
    """Looks at the folder again and again; `limit` is the number of bytes of a marker that are read."""

    folder: Folder
    ledger: Ledger
    clock: Callable[[], float]
    say: Callable[[str], None]
    settle: float
    limit: int
    _taken: dict[str, Stamp] = field(default_factory=dict)
    _fresh: dict[str, tuple[Stamp, float]] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    def poll(self) -> bool:
        """Take down every marker that is new and quiet; tell whether others are still being written."""
        listing, now = self.folder.markers(), self.clock()
        self._say_new(listing.problems)
        self._taken = {path: stamp for path, stamp in self._taken.items() if path in listing.markers}
        new = {path: stamp for path, stamp in listing.markers.items() if self._taken.get(path) != stamp}
        self._fresh = {path: self._since(path, stamp, now) for path, stamp in new.items()}
        quiet = [path for path, stamp in new.items() if self._is_quiet(path, stamp, now)]
        ordered = sorted(quiet, key=lambda path: (new[path].modified, path))
        written = [path for path in ordered if not self._take(path, new[path], now)]
        return len(quiet) < len(new) or bool(written)

    def _since(self, path: str, stamp: Stamp, now: float) -> tuple[Stamp, float]:
        """Return a stamp with the time since when it is the marker's."""
        known = self._fresh.get(path)
        return known if known is not None and known[0] == stamp and known[1] <= now else (stamp, now)

    def _is_quiet(self, path: str, stamp: Stamp, now: float) -> bool:
        needed = QUIET if stamp.size else max(QUIET, self.settle)
        return now - self._fresh[path][1] >= needed or now - stamp.modified / 1e9 >= needed

    def _take(self, path: str, stamp: Stamp, now: float) -> bool:
        """Write a marker down; tell whether it could be looked at, because nobody writes it just now.

        What else hinders that is said, and tried again with the next look.
        """
        try:
            found = self.folder.read(path, self.limit)
            if found is None or found[0] != stamp:
                return False
            entry = self.ledger.add(path, stamp, found[1], now)
        except OSError as error:
            self._say_new((f"{path}: cannot be read ({error.strerror or type(error).__name__}); it is tried again",))
            return True
        except WorkspaceError as error:
            self._say_new(error.problems)
            return True
        self._taken[path] = stamp
        del self._fresh[path]
        if entry is not None:
            self.say(f"found {path}: execution {entry.execution}, {len(self.ledger.waiting())} in the queue")
        return True

    def _say_new(self, problems: tuple[str, ...]) -> None:
        for problem in problems:
            if problem not in self._said:
                self._said.add(problem)
                self.say(problem)
