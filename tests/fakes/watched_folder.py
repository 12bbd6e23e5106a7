"""A watched folder, a clock and executions that live in memory, and a watcher over them that can be killed anywhere."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.results import Result
from pipelines.settings import Settings
from pipelines.watch import rules
from pipelines.watch.detector import Detector
from pipelines.watch.ledger import Entry, Ledger
from pipelines.watch.markers import Listing, RawFiles, Stamp, parent
from pipelines.watch.readiness import Readies
from pipelines.watch.serving import MarkerServer
from pipelines.watch.watcher import Watcher

SETTLE = 2.0
CONFIG = Settings.model_validate({"data": {"label": "y", "id": "id"}, "models": {"by": "s"}})


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class MemoryFolder:
    """A folder in memory; a file that is written in place keeps its inode."""

    clock: Clock
    contents: dict[str, tuple[Stamp, bytes]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    inodes: int = 0

    def write(self, path: str, body: bytes = b"") -> None:
        at = int(self.clock() * 1e9)
        self.inodes += 1
        inode = self.contents[path][0].inode if path in self.contents else self.inodes
        self.contents[path] = (Stamp(len(body), at, at, inode), body)

    def delete(self, path: str) -> None:
        del self.contents[path]

    def markers(self) -> Listing:
        found = {path: stamp for path, (stamp, _) in self.contents.items() if path.endswith(".run")}
        return Listing(found, self.problems)

    def read(self, path: str, limit: int) -> tuple[Stamp, bytes] | None:
        if path in self.unreadable:
            raise PermissionError(13, "Permission denied", path)
        stamp, body = self.contents[path]
        return stamp, body[:limit]

    def files(self, folder: str) -> RawFiles:
        below = f"{folder}/" if folder else ""
        data = {p.removeprefix(below): s for p, (s, _) in self.contents.items() if p.startswith(below)}
        return RawFiles({key: stamp for key, stamp in data.items() if not key.endswith(".run")}, self.strays)


@dataclass
class MemoryExecutions:
    """Executions that end as `outcome` says; `strike` may kill the process at any point of one."""

    outcome: str = "Succeeded"
    statuses: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    strike: Callable[[str], None] = lambda point: None
    meanwhile: Callable[[], None] = lambda: None
    errors: dict[str, Exception] = field(default_factory=dict)

    def status(self, execution: str) -> str | None:
        return self.statuses.get(execution)

    def start(self, entry: Entry) -> Result:
        assert entry.execution not in self.statuses, "an execution is started twice"
        if entry.path in self.errors:
            raise self.errors[entry.path]
        self.strike("before an execution")
        self.statuses[entry.execution] = "Stopped"
        self.entries.append(entry)
        return self._finish(entry.execution)

    def resume(self, execution: str) -> Result:
        assert self.statuses[execution] == "Stopped"
        return self._finish(execution)

    def conclude(self, execution: str) -> Result:
        assert self.statuses[execution] in ("Succeeded", "Failed")
        return result(execution, self.statuses[execution])

    def _finish(self, execution: str) -> Result:
        self.strike("in an execution")
        self.meanwhile()
        self.statuses[execution] = self.outcome
        self.done[execution] += 1
        self.strike("after an execution")
        return result(execution, self.outcome)


def result(execution: str, status: str = "Succeeded", **changes: Any) -> Result:
    """Return what an execution came to."""
    facts: dict[str, Any] = {
        "execution": execution,
        "status": status,
        "predictions": None,
        "report": None,
        "gate": {},
        "models": {},
        "seconds": 1.5,
        "error": None,
        "next": None,
        "logs": (),
        "steps": {},
    }
    return Result(**{**facts, **changes})


def write_unsynced(handle: int, line: bytes) -> None:
    """Write as the ledger does but for waiting for the disk."""
    os.write(handle, line)


@dataclass
class Machine:
    """What survives a watcher: disk, clock, executions; and what it has said and shown."""

    root: Path
    clock: Clock = field(default_factory=Clock)
    executions: MemoryExecutions = field(default_factory=MemoryExecutions)
    lines: list[str] = field(default_factory=list)
    shown: list[dict[str, Any]] = field(default_factory=list)
    write: Callable[[int, bytes], None] = write_unsynced
    show: Callable[[dict[str, Any]], None] = lambda document: None

    def __post_init__(self) -> None:
        self.folder = MemoryFolder(self.clock)

    def boot(self) -> Watcher:
        """Start a watcher, as after a crash."""
        ledger = Ledger(self.root / "watch", self.write)
        server = MarkerServer(
            self.executions, self.root, CONFIG, Path("inbox"), "", self.lines.append, self.lines.append
        )
        return Watcher(
            detector=Detector(self.folder, ledger, self.clock, self.lines.append, SETTLE, rules.READ),
            ledger=ledger,
            readies=Readies(
                self.folder,
                lambda entry, files: rules.missing(entry.body, parent(entry.path), files),
                self.clock,
                SETTLE,
            ),
            server=server,
            say=self.lines.append,
            show=lambda document: (self.show(dict(document)), self.shown.append(dict(document)))[0],
            pause=self.clock.pass_by,
        )

    def drop(self, path: str, body: bytes = b"MaeThreshold: 5\n") -> None:
        """Put a marker and data beside it, as `cp` would."""
        place = f"{parent(path)}/" if parent(path) else ""
        for name in ("train.csv", "predict.csv"):
            if place + name not in self.folder.contents:
                self.folder.write(place + name, b"1")
        self.folder.write(path, body)

    def settle(self, watcher: Watcher) -> None:
        """Let time pass in small steps until nothing changes any more, with a look at each."""
        for _ in range(12):
            watcher.detector.poll()
            watcher.readies.judge(watcher.ledger.waiting())
            self.clock.pass_by(0.25)

    @property
    def served(self) -> list[str]:
        """Return the markers of the executions, in the order of their starts."""
        return [entry.path for entry in self.executions.entries]
