"""Times whole processes: wall time, CPU time and peak memory of a command, and two commands in turn.

An I/O seam. Machines are shared and noisy, so a figure is a median over runs that alternate with the baseline's.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pipelines.local.memory import PeakMemory

ROOT = Path(__file__).resolve().parents[2]
LONG = 40.0
"""Seconds: a longer pair is run once, or the whole would take over 20 minutes; unless all are to be repeated."""


@dataclass(frozen=True)
class Usage:
    """What a command took: seconds of wall and CPU time with its children's, and the peak memory in megabytes.

    The memory is that of its largest process; where that is smaller than this process ever was, of the command's own.
    """

    wall: float
    cpu: float
    memory_mb: float


@dataclass(frozen=True)
class Pair:
    """Usages of a command and of its baseline, in the order in which they were taken."""

    ours: tuple[Usage, ...]
    baseline: tuple[Usage, ...]


Measure = Callable[[], Usage]


def run(command: Sequence[str], environment: Mapping[str, str] | None = None, cwd: Path = ROOT) -> Usage:
    """Run a command to its end and return what it took.

    Raises:
        RuntimeError: it failed; with what it said at the end.
    """
    began = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        said: list[bytes] = []
        peak, ended = PeakMemory(process.pid), threading.Event()
        reader = threading.Thread(target=lambda: said.append(process.stderr.read()))
        watcher = threading.Thread(target=_sample, args=(peak, ended))
        reader.start(), watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall, process.returncode = time.monotonic() - began, os.waitstatus_to_exitcode(status)
        ended.set()
        reader.join(), watcher.join()
    if process.returncode:
        told = b"".join(said).decode(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(command[:4])} ended with {process.returncode}: {told}")
    return Usage(wall, usage.ru_utime + usage.ru_stime, peak.result(usage.ru_maxrss))


def _sample(peak: PeakMemory, ended: threading.Event) -> None:
    while not ended.wait(0.02):
        peak.sample()


def alternate(ours: Measure, baseline: Measure, repeats: int, *, always: bool) -> Pair:
    """Measure both in turn, `repeats` times; once where a pair takes longer than LONG, unless `always`."""
    mine, theirs = [], []
    for _ in range(repeats):
        theirs.append(baseline())
        mine.append(ours())
        if theirs[-1].wall + mine[-1].wall > LONG and not always:
            break
    return Pair(tuple(mine), tuple(theirs))


def take_turns(measures: Sequence[Measure], repeats: int) -> list[tuple[Usage, ...]]:
    """Measure several in turn, `repeats` times; return the usages of each."""
    rounds = [[measure() for measure in measures] for _ in range(repeats)]
    return list(zip(*rounds, strict=True))


def median(usages: Sequence[Usage], of: str = "wall") -> float:
    """Return the median of one figure."""
    return statistics.median(getattr(usage, of) for usage in usages)
