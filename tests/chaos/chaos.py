"""Kill engines and steps of real runs with SIGKILL at random moments, retry, and compare with an undisturbed run.

`python tests/chaos/chaos.py --runs 30 --kills 100 --seed 0` (`make chaos`). Every run has a workspace of its own and
is killed until its share of the kills is used up; then it has to end with the same bytes as the undisturbed run, with
nothing lost, doubled or left over. Prints the counts; exits with 1 where one of them is not zero.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from small_pipeline import PREDICT_ROWS, SEGMENTS, Project, status_of

ENGINE, STEP, BOTH = "engine", "step", "engine and step"
ATTEMPTS = 40
"""A run that has not ended after so many starts is counted as lost."""
_POLL = 0.002


@dataclass(frozen=True)
class Reference:
    """What the undisturbed run came to: published files, transitions logged, seconds."""

    published: dict[str, str]
    events: int
    seconds: float


@dataclass
class Tally:
    """What happened to all runs together."""

    kills: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)

    def note(self, what: str, count: int, detail: str) -> None:
        """Count something that must not be."""
        if count:
            self.found[what] += count
            self.details.append(f"{what}: {detail}")


COUNTED = ("differences", "lost", "doubled", "left-over temporary files", "orphan processes", "failed retries")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the harness; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30, help="runs to disturb (%(default)s)")
    parser.add_argument("--kills", type=int, default=100, help="kills in all, at least (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and victims (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folders of runs in which something was wrong")
    arguments = parser.parse_args(argv)
    began, tally = time.monotonic(), Tally()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        reference = undisturbed(Path(folder) / "undisturbed")
        say(f"undisturbed: {len(reference.published)} files, {reference.events} events, {reference.seconds:.1f} s")
        for number, share in enumerate(shares(arguments.runs, arguments.kills)):
            disturb(Path(folder) / f"run-{number}", reference, share, f"{arguments.seed}-{number}", tally)
            say(f"run {number + 1} of {arguments.runs}: {sum(tally.kills.values())} kills so far; {told(tally)}")
        if arguments.keep and tally.details:
            say(f"kept: {shutil.copytree(folder, tempfile.mkdtemp(prefix='chaos-kept-'), dirs_exist_ok=True)}")
    kills = ", ".join(f"{count} of {victim}" for victim, count in sorted(tally.kills.items()))
    say(
        "".join(f"  {detail}\n" for detail in tally.details) + f"{sum(tally.kills.values())} kills ({kills}) over "
        f"{arguments.runs} runs in {time.monotonic() - began:.0f} s: {told(tally)}"
    )
    return 1 if tally.found or sum(tally.kills.values()) < arguments.kills else 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def told(tally: Tally) -> str:
    return ", ".join(f"{tally.found[what]} {what}" for what in COUNTED)


def shares(runs: int, kills: int) -> list[int]:
    """Return how often each run is killed: the kills spread over the runs, none left out."""
    return [kills // runs + (number < kills % runs) for number in range(runs)]


def undisturbed(folder: Path) -> Reference:
    """Run once without a kill."""
    project = Project(folder)
    project.make()
    began = time.monotonic()
    code = project.start_new().wait()
    seconds = time.monotonic() - began
    if code:
        raise SystemExit(f"the undisturbed run ended with {code}:\n{project.said()}")
    return Reference(project.published(), project.events(), seconds)


def disturb(folder: Path, reference: Reference, kills: int, seed: str, tally: Tally) -> None:
    """Start a run, kill it so often, let it end, and count what is not as in the undisturbed run."""
    project, chance = Project(folder), random.Random(seed)
    project.make()
    left, code = kills, 1
    for _ in range(ATTEMPTS + kills):
        process = start_or_retry(project)
        if left:
            left -= kill_once(project, process, reference, chance, tally)
        code = process.wait()
        orphans = project.orphans()
        tally.note("orphan processes", len(orphans), f"{folder.name}: {orphans}")
        if code == 0 and not left:
            break
        if code == 0:  # it ended before its moment came: a new run of the same data takes the rest of the kills
            check(project, reference, tally)
            shutil.rmtree(folder)
            project.make()
    if code:
        tally.note("lost", 1, f"{folder.name}: ended with {code}: {project.said()[-2000:]}")
        return
    check(project, reference, tally)


def start_or_retry(project: Project) -> subprocess.Popen[bytes]:
    """Go on with the execution if there is one that can be, else start one."""
    known = project.executions()
    return project.start("--retry", known[-1]) if known else project.start_new()


def kill_once(
    project: Project, process: subprocess.Popen[bytes], reference: Reference, chance: random.Random, tally: Tally
) -> int:
    """Wait for a random moment, kill a random victim; return how many kills that was."""
    if not wait_for_moment(project, process, reference, chance):
        return 0
    steps = project.processes()
    victim = chance.choice([ENGINE, ENGINE, STEP, BOTH]) if steps else ENGINE
    killed = 0
    if victim in (STEP, BOTH):
        killed += kill(chance.choice(steps))
    if victim in (ENGINE, BOTH):
        killed += kill(process.pid)
    tally.kills[victim] += bool(killed)
    return bool(killed)


def wait_for_moment(
    project: Project, process: subprocess.Popen[bytes], reference: Reference, chance: random.Random
) -> bool:
    """Return at a moment of the run: by the clock, or just after a transition; False if it has ended before."""
    done = project.events()
    remaining = max(4, reference.events - done)
    until = time.monotonic() + chance.uniform(0, reference.seconds * remaining / reference.events)
    event = done + chance.randint(1, remaining - 1) if chance.random() < 0.6 else None
    while process.poll() is None:
        if event is None and time.monotonic() >= until:
            return True
        if event is not None and project.events() >= event:
            time.sleep(chance.choice([0.0, 0.0, 0.005, 0.05]))
            return process.poll() is None
        time.sleep(_POLL)
    return False


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def check(project: Project, reference: Reference, tally: Tally) -> None:
    """Count what differs from the undisturbed run."""
    name, found = project.folder.name, project.published()
    differing = sorted(path for path in reference.published if found.get(path) != reference.published[path])
    tally.note("differences", len(differing), f"{name}: {differing}")
    tally.note("doubled", len(set(found) - set(reference.published)), f"{name}: {sorted(found)}")
    rows, ids = project.rows()
    tally.note("lost", PREDICT_ROWS - ids, f"{name}: {ids} of {PREDICT_ROWS} rows")
    tally.note("doubled", rows - ids, f"{name}: {rows} rows, {ids} ids")
    tally.note("doubled", abs(len(project.markers()) - 1), f"{name}: {len(project.markers())} published data sets")
    tally.note("doubled", abs(project.versions() - len(SEGMENTS)), f"{name}: {project.versions()} model versions")
    left = project.leftovers()
    tally.note("left-over temporary files", len(left), f"{name}: {left}")
    states = [status_of(project, execution) for execution in project.executions()]
    tally.note("failed retries", sum(state != "Succeeded" for state in states), f"{name}: {states}")


if __name__ == "__main__":
    sys.exit(main())
