"""The small real pipeline that chaos happens to: three segments, fixed rounds, every kind of step."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
SEGMENTS = ("North", "South", "Öst 3")
CONFIG = """pipeline: {name: chaos}
data: {label: y, id: id}
models: {by: place}
training: {hyperparameters: {GBM: {num_boost_round: 15}}}
output: {csv: true}
"""
TRAIN_ROWS, PREDICT_ROWS = 450, 120
_GONE = 3.0
"""Seconds that the processes of a killed engine have to be gone."""


@dataclass(frozen=True)
class Project:
    """A folder with raw files, config and one workspace."""

    folder: Path

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def make(self) -> None:
        raw = self.folder / "raw"
        raw.mkdir(parents=True)
        (self.folder / "config.yml").write_text(CONFIG, encoding="utf-8")
        make_rows(TRAIN_ROWS, 1).to_csv(raw / "train.csv", index=False)
        make_rows(PREDICT_ROWS, 2, 10_000).drop(columns="y").to_csv(raw / "predict.csv", index=False)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the run command in a session of its own; what it says goes to a file beside the workspace."""
        given = ["--config", str(self.folder / "config.yml"), "--workspace", str(self.workspace)]
        command = [sys.executable, "-m", "pipelines.run", "--local", *given, *arguments]
        with (self.folder / "said.txt").open("ab") as said:
            return subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said, start_new_session=True)

    def start_new(self) -> subprocess.Popen[bytes]:
        return self.start("--raw", str(self.folder / "raw"))

    def executions(self) -> list[str]:
        """Return the executions that can be resumed: whose request was written down."""
        return sorted(path.parent.name for path in (self.workspace / "executions").glob("*/request.json"))

    def events(self) -> int:
        """Return how many transitions have been logged."""
        logs = (self.workspace / "executions").glob("*/events.jsonl")
        return sum(log.read_bytes().count(b"\n") for log in logs)

    def published(self) -> dict[str, str]:
        """Return the digests of all published predictions by their path below their folder."""
        found: dict[str, str] = {}
        for marker in self.markers():
            for path in sorted(marker.parent.rglob("*")):
                if path.suffix in (".parquet", ".csv"):
                    found[path.relative_to(marker.parent).as_posix()] = digest(path)
        return found

    def markers(self) -> list[Path]:
        return sorted((self.workspace / "s3").rglob("_SUCCESS"))

    def rows(self) -> tuple[int, int]:
        """Return how many rows were published, and how many different ids they have."""
        frames = [pd.read_parquet(marker.parent / "predictions") for marker in self.markers()]
        ids = pd.concat(frames)["id"] if frames else pd.Series(dtype="int64")
        return len(ids), ids.nunique()

    def versions(self) -> int:
        """Return how many model versions were registered."""
        return sum(1 for path in (self.workspace / "registry").glob("*/*.json") if path.stem.isdecimal())

    def leftovers(self) -> list[str]:
        """Return the temporary files that a finished execution has left in the workspace."""
        found = [path for path in (self.workspace / "tmp").glob("*")]
        found += [path for path in (self.workspace / "s3").rglob(".*")]
        found += [path for path in (self.workspace / "registry").rglob(".*")]
        found += [path for path in (self.workspace / "cache").rglob(".*")]
        found += [path for path in self.workspace.glob("executions/*/.*")]
        scratch = ("publish", "opt/ml/processing/scratch", "opt/ml/processing/*-????????")
        found += [path for name in scratch for path in self.workspace.glob(f"executions/*/steps/*/{name}")]
        return sorted(path.relative_to(self.workspace).as_posix() for path in found)

    def processes(self) -> list[int]:
        """Return the processes that steps of this workspace are."""
        return [pid for pid, root in step_processes() if root.startswith(str(self.workspace))]

    def orphans(self) -> list[int]:
        """Return the processes that are still there after the time in which an engine's steps have to end with it."""
        until = time.monotonic() + _GONE
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(0.05)
        return left

    def said(self) -> str:
        return (self.folder / "said.txt").read_text(encoding="utf-8", errors="replace")


def make_rows(count: int, seed: int, first: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    place = np.arange(count) % len(SEGMENTS)
    x, kind = rng.normal(size=count), rng.choice(["a", "b", "c"], count)
    y = 10 * x + 5 * (kind == "a") + 3 * place + rng.normal(scale=0.5, size=count)
    names = [SEGMENTS[number] for number in place]
    return pd.DataFrame({"id": np.arange(first, first + count), "place": names, "x": x, "kind": kind, "y": y.round(3)})


def step_processes() -> Iterator[tuple[int, str]]:
    """Yield every process that stands for a step, with the folder that it has as /opt/ml."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            parts = Path(entry.path, "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        for part in parts:
            if part.startswith(b"ML_ROOT="):
                yield int(entry.name), part.removeprefix(b"ML_ROOT=").decode()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def status_of(project: Project, execution: str) -> str:
    log = project.workspace / "executions" / execution / "events.jsonl"
    states = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [state["execution"] for state in states if "execution" in state][-1]
