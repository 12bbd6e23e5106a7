"""The loop of a watcher: one marker after another is served, while a thread beside it finds others.

Everything outside is an argument: the folder, the ledger, the clock, and the server that runs executions. A crash at
any point loses nothing: what is begun is in the ledger, and the server goes on with an execution that is there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipelines.watch.detector import POLL, Detector
from pipelines.watch.ledger import Entry, Ledger
from pipelines.watch.readiness import Readies, Readiness, State

REFUSED = "Refused"
_WORST = {"Succeeded": 0, "Degraded": 3}
"""Exit codes by status, of a watcher that ends when nothing is left; whatever else is 1."""


@dataclass(frozen=True)
class Ended:
    """How a marker was served; `document` is the JSON object that programs get, `advice` what to do next."""

    status: str
    seconds: float
    reason: str
    document: Mapping[str, Any]
    advice: str = ""


class Server(Protocol):
    """Serves one entry; asked again after a crash it goes on with what it has begun."""

    def serve(self, entry: Entry) -> Ended | None:
        """Run the entry's execution to its end; None if another process is running it.

        Raises:
            KeyboardInterrupt: the watcher is to end; the execution can be gone on with.
        """

    def refuse(self, entry: Entry, problems: tuple[str, ...]) -> Ended:
        """Say to whoever reads mails that nothing is started for an entry, and why."""


@dataclass
class Watcher:
    """Serves the markers that the ledger holds; `show` gets the JSON object of each that has ended."""

    detector: Detector
    ledger: Ledger
    readies: Readies
    server: Server
    say: Callable[[str], None]
    show: Callable[[Mapping[str, Any]], None]
    pause: Callable[[float], None] = time.sleep
    _polling: threading.Lock = field(default_factory=threading.Lock)
    _bugs: list[Exception] = field(default_factory=list)
    _said: set[tuple[str, State]] = field(default_factory=set)
    _codes: set[int] = field(default_factory=set)

    def run(self) -> None:
        """Serve for ever."""
        with self._finding():
            while True:
                began = time.monotonic()
                if not self.serve_next():
                    self.pause(max(POLL, 4 * (time.monotonic() - began)))  # large folders take a while to look at

    def run_once(self) -> int:
        """Serve what is there, but for what waits for files that were promised; return the exit code."""
        with self._finding():
            while True:
                written = self._poll()
                if self.serve_next():
                    continue
                states = {found.state for found in self.readies.judge(self.ledger.waiting()).values()}
                if not written and states <= {State.MISSING}:
                    return max(self._codes, key=(0, 3, 1).index, default=0)
                self.pause(POLL)

    def serve_next(self) -> bool:
        """Serve the first entry that is ready; tell whether there was one.

        An entry whose files may be complete is given the settle time to show it; one that waits for files lets others
        go first.
        """
        if self._bugs:
            raise self._bugs[0]
        entries = self.ledger.waiting()
        judged = self.readies.judge(entries)
        self._said = {(name, state) for name, state in self._said if name in judged}
        for entry in entries:
            found = judged[entry.token]
            if found.state is State.SETTLING:
                return False
            if found.state in (State.WRITTEN, State.MISSING):
                self._say_waiting(entry, found)
            elif self._serve(entry, found):
                return True
        return False

    def _serve(self, entry: Entry, found: Readiness) -> bool:
        """Serve an entry; tell whether it has ended."""
        ended: Ended | None
        if found.state is State.HOPELESS:
            ended = self.server.refuse(entry, found.problems)
        else:
            self.ledger.start(entry, self.detector.clock())
            ended = self.server.serve(entry)
        if ended is None:
            found = Readiness(State.READY, (f"another process runs execution {entry.execution}",))
            self._say_waiting(entry, found)
            return False
        self.show(ended.document)
        self.ledger.end(entry, self.detector.clock(), ended.status, ended.seconds, ended.reason)
        self._codes.add(_WORST.get(ended.status, 1))
        for line in say_ended(entry, ended, len(self.ledger.waiting())):
            self.say(line)
        return True

    def _say_waiting(self, entry: Entry, found: Readiness) -> None:
        if (entry.token, found.state) not in self._said:
            self._said.add((entry.token, found.state))
            self.say(f"{entry.path}: waits, others go first: {'; '.join(found.problems)}")

    @contextmanager
    def _finding(self) -> Iterator[None]:
        """Look for markers in a thread of its own, however long an execution takes."""
        done = threading.Event()
        thread = threading.Thread(target=self._find, args=(done,), daemon=True, name="markers")
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _find(self, done: threading.Event) -> None:
        try:
            while not done.is_set():
                began = time.monotonic()
                self._poll()
                done.wait(max(POLL, time.monotonic() - began))
        except Exception as error:  # noqa: BLE001 - a watcher that finds nothing any more has to end: raised by the loop
            self._bugs.append(error)

    def _poll(self) -> bool:
        with self._polling:
            return self.detector.poll()


def say_ended(entry: Entry, ended: Ended, left: int) -> list[str]:
    """Return one line, and where the reason has several lines the others, indented."""
    first, *others = [line for line in ended.reason.split("\n") if line.strip()] or [""]
    took = "" if ended.status == REFUSED else f" in {ended.seconds:.1f} s"
    reason = f": {first}" if first else ""
    advice = f"go on with: {ended.advice}" if ended.advice else ""
    if others:
        others, advice = [*others, advice], ""
    rest = f" ({left} in the queue)" if left else ""
    line = f"{entry.path}: {ended.status}{took}{rest}{reason}" + (f"; {advice}" if advice else "")
    return [line, *(f"    {other}" for other in others if other)]
