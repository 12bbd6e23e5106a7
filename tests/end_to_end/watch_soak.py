"""Run markers dropped in random order, some written again in place, the watcher restarted twice: what is lost?

Real processes and real runs. `make soak` runs the full size; an end-to-end test a small one.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from user_project import ROOT, Project, make_rows

FOLDERS = 7
PATIENCE = 1800.0
"""Seconds without any news after which a watcher is given up."""


@dataclass(frozen=True)
class Counts:
    """What was dropped and what came of it; `codes` are the exit codes of watchers that were asked to end."""

    dropped: int
    served: int
    doubled: int
    lost: int
    refused: int
    restarts: int
    codes: tuple[int, ...]

    @property
    def is_clean(self) -> bool:
        kept = self.dropped == self.served and not self.doubled and not self.lost and not self.refused
        return kept and set(self.codes) == {0}


@dataclass
class Soak:
    """A watcher of `project.folder / inbox`, and markers for it; a marker's threshold tells its runs from others."""

    project: Project
    rng: random.Random
    process: subprocess.Popen[str] | None = None
    versions: set[str] = field(default_factory=set)
    statuses: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    dropped: Counter[float] = field(default_factory=Counter)
    news: float = 0.0
    readers: list[threading.Thread] = field(default_factory=list)

    @property
    def inbox(self) -> Path:
        return self.project.folder / "inbox"

    def boot(self) -> None:
        """Start the watcher."""
        places = ["--config", str(self.project.folder / "config.yml"), "--workspace", str(self.project.workspace)]
        command = [sys.executable, "-m", "pipelines.run", "--local", *places, "--watch", str(self.inbox), "--json"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        for stream, take in ((self.process.stdout, self._take_result), (self.process.stderr, self._take_line)):
            reader = threading.Thread(target=_read, args=(stream, take), daemon=True)
            reader.start()
            self.readers.append(reader)

    def end(self, number: signal.Signals) -> int:
        """End the watcher by a signal; return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(60)
        for reader in self.readers:
            reader.join(10)
        self.readers.clear()
        return code

    def _take_result(self, line: str) -> None:
        document = json.loads(line)
        self.news = time.monotonic()
        if document["version"] not in self.versions:
            self.versions.add(document["version"])
            self.statuses[document["status"]] += 1

    def _take_line(self, line: str) -> None:
        self.news = time.monotonic()
        sys.stderr.write(f"  {line}")
        words = line.split(" ")
        if len(words) > 3 and words[2] == "found":
            self.found[words[3].rstrip(":")] += 1

    def write(self, name: str, threshold: float) -> None:
        """Write a marker, in place where it is there."""
        self.dropped[threshold] += 1
        (self.inbox / name).write_text(f"MaeThreshold: {threshold}\n")

    def wait(self, is_so: Callable[[], bool]) -> None:
        """Wait for something that the watcher says.

        Raises:
            TimeoutError: it has said nothing for a long time, or has ended.
        """
        self.news = time.monotonic()
        while not is_so():
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() - self.news > PATIENCE:
                raise TimeoutError(f"the watcher ended or hangs; exit code {self.process.poll()}")
            time.sleep(0.1)

    def run(self, markers: int, rewritten: int) -> Counts:
        """Drop markers, write some again while they wait, restart the watcher twice; return what came of it."""
        names = [f"d{n % min(FOLDERS, markers)}/m{n:02d}.run" for n in range(markers)]
        self.rng.shuffle(names)
        late = names[markers - 2 :]
        self.boot()
        for number, name in enumerate(names[: markers - 2]):
            self.write(name, 1000.0 + number)
            time.sleep(self.rng.uniform(0, 0.3))
        for number, name in enumerate(names[:rewritten]):
            self.wait(lambda name=name: self.found[name] > 0)
            same = number % 3 == 2  # the same bytes written again count as well
            self.write(name, 1000.0 + number if same else 2000.0 + number)
        self.wait(lambda: sum(self.found.values()) >= markers - 2 + rewritten)
        codes = [self._interrupt(signal.SIGTERM, late[0], 3000.0)]
        self._interrupt(signal.SIGKILL, late[1], 3001.0)
        self.wait(lambda: len(self.versions) >= markers + rewritten)
        time.sleep(3)  # one more would start now
        return self._count((*codes, self.end(signal.SIGTERM)))

    def _interrupt(self, number: signal.Signals, name: str, threshold: float) -> int:
        """End the watcher in the middle of a run, drop a marker, start it again; return the exit code."""
        served = len(self.versions) + 1
        self.wait(lambda: len(self.versions) >= served)
        time.sleep(self.rng.uniform(0.5, 5))
        code = self.end(number)
        self.write(name, threshold)
        self.boot()
        return code

    def _count(self, codes: tuple[int, ...]) -> Counts:
        requests = [json.loads(p.read_text()) for p in self.project.workspace.glob("executions/*/request.json")]
        runs = Counter(request["parameters"]["MaeThreshold"] for request in requests)
        return Counts(
            dropped=sum(self.dropped.values()),
            served=self.statuses["Succeeded"],
            doubled=sum((runs - self.dropped).values()),
            lost=sum((self.dropped - runs).values()),
            refused=sum(self.statuses.values()) - self.statuses["Succeeded"],
            restarts=2,
            codes=codes,
        )


def _read(stream: IO[str], take: Callable[[str], None]) -> None:
    with stream:
        for line in stream:
            take(line)


def soak(folder: Path, markers: int, rewritten: int, seed: int) -> Counts:
    """Watch a folder through all of it, in an empty folder; return what came of it."""
    project = Project(folder)
    project.configure(training={"hyperparameters": {"GBM": {"num_boost_round": 3}}})
    project.write("train.csv", make_rows(120, 1, ("A",)))
    project.write("predict.csv", make_rows(10, 2, ("A",), first=10_000).drop(columns="y"))
    for number in range(FOLDERS):
        shutil.copytree(project.raw, folder / "inbox" / f"d{number}")
    made = Soak(project, random.Random(seed))
    try:
        return made.run(markers, rewritten)
    finally:
        if made.process is not None and made.process.poll() is None:
            made.end(signal.SIGKILL)


def main() -> int:
    line = argparse.ArgumentParser(description=__doc__)
    line.add_argument("--markers", type=int, default=50)
    line.add_argument("--rewritten", type=int, default=10)
    line.add_argument("--seed", type=int, default=4)
    given = line.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts = soak(Path(folder), given.markers, given.rewritten, given.seed)
    for name, value in counts.__dict__.items():
        print(f"{name:<9} {value}")
    print(f"{'seconds':<9} {time.monotonic() - began:.0f}")
    print("each writing of a marker was served once" if counts.is_clean else "NOT each writing was served once")
    return 0 if counts.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
