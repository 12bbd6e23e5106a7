"""A small raw folder with known structure, and the commands run as a user runs them: as processes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
SEGMENTS = ("EWR", "JFK", "LGA")


@dataclass(frozen=True)
class Project:
    """A user's folder: raw data, config and workspace."""

    folder: Path

    @property
    def raw(self) -> Path:
        return self.folder / "raw"

    @property
    def workspace(self) -> Path:
        return self.folder / "ws"

    def configure(self, **changes: object) -> None:
        config = {
            "pipeline": {"name": "small"},
            "data": {"label": "y", "id": "id"},
            "models": {"by": "origin"},
            "training": {"hyperparameters": {"GBM": {"num_boost_round": 20}}},
        }
        (self.folder / "config.yml").write_text(yaml.safe_dump({**config, **changes}, allow_unicode=True))

    def command(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        common = ["--local", "--config", str(self.folder / "config.yml"), "--workspace", str(self.workspace)]
        command = [sys.executable, "-m", f"pipelines.{module}", *common, *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def run(self, *arguments: str) -> Run:
        done = self.command("run", "--raw", str(self.raw), "--json", *arguments)
        last = done.stdout.strip().splitlines()[-1:] or ["null"]
        result = json.loads(last[0]) if last[0].startswith("{") else None
        return Run(done.returncode, result, done.stdout, done.stderr)

    def compile(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pipelines.compile", "--config", str(self.folder / "config.yml"), *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def registry(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.command("registry", *arguments)

    def write(self, name: str, frame: pd.DataFrame) -> None:
        self.raw.mkdir(exist_ok=True)
        if name.endswith(".parquet"):
            frame.to_parquet(self.raw / name, index=False)
        else:
            frame.to_csv(self.raw / name, index=False)


@dataclass(frozen=True)
class Run:
    """What a run of the CLI came to."""

    code: int
    result: dict | None
    stdout: str
    stderr: str

    def predictions(self) -> pd.DataFrame:
        assert self.result is not None, self.stderr
        return pd.read_parquet(self.result["predictions"])

    def statuses(self, prefix: str) -> dict[str, tuple[str, bool]]:
        assert self.result is not None, self.stderr
        steps = self.result["steps"].items()
        return {name: (step["status"], step["cached"]) for name, step in steps if name.startswith(prefix)}

    def served(self) -> dict[str, str]:
        assert self.result is not None, self.stderr
        return {name: model["served_by"] for name, model in self.result["models"].items()}


def make_rows(n: int, seed: int, segments: tuple[object, ...] = SEGMENTS, first: int = 0) -> pd.DataFrame:
    """Return rows whose label depends on a number, a category and the segment."""
    rng = np.random.default_rng(seed)
    x, kind = rng.normal(size=n), rng.choice(["a", "b", "c"], n)
    place = np.array([i % len(segments) for i in range(n)])
    y = 10 * x + 5 * (kind == "a") + 3 * place + rng.normal(scale=0.5, size=n)
    return pd.DataFrame(
        {
            "id": np.arange(first, first + n),
            "origin": [segments[i] for i in place],
            "x.1": x,
            "kind": kind,
            "y": y.round(3),
        }
    )
