"""Whole local runs against the plain script that does the same: three airports, twelve segments, many small ones."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import measuring
import numpy as np
import pandas as pd
from figures import Figure, of_pair
from measuring import ROOT, Usage

Hyperparameters = dict[str, dict[str, float]]

FLIGHTS = ROOT / ".local/raw/flights"
RATE, SLOW_RATE = {"learning_rate": 0.01}, {"learning_rate": 0.008}
"""So low that all rounds are used: at the default AutoGluon stops early, 2,200 rounds took hardly longer than 600."""
ROUNDS: Hyperparameters = {"GBM": {"num_boost_round": 5200, **SLOW_RATE}, "XGB": {"n_estimators": 5200, **SLOW_RATE}}
"""Takes the plain script about two minutes for the three airports."""
TWELVE_ROUNDS: Hyperparameters = {"GBM": {"num_boost_round": 2450, **RATE}, "XGB": {"n_estimators": 2450, **RATE}}
"""Takes it 120 to 150 s for twelve segments (2,200 rounds: 112 to 119 s)."""
SMALL_ROUNDS: Hyperparameters = {"GBM": {"num_boost_round": 50}}
SMALL_ROWS = 1000
PLAIN_SMALL = 50
"""Small segments that the plain script is timed on; its time is scaled to as many as the pipeline has."""
DEMO_CONFIG = ROOT / "config/pipeline-config.yml"
LAST_STEPS = ("Infer-", "PostProcess")
PLACES = 4
"""Decimals to which every model's MAE has to be the plain script's."""


@dataclass(frozen=True)
class Case:
    """One data set with the models to train on it."""

    raw: Path
    label: str
    id: str
    segment: str
    hyperparameters: Hyperparameters
    drop: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def config(self) -> str:
        """Return the pipeline's configuration, which is YAML as JSON is."""
        return json.dumps(
            {
                "pipeline": {"name": "bench"},
                "data": {"label": self.label, "id": self.id, "drop": list(self.drop)},
                "models": [{"name": name, "where": {self.segment: name}} for name in self.only] or {"by": self.segment},
                "training": {"hyperparameters": self.hyperparameters},
            }
        )


def ours(case: Case, folder: Path, workspace: Path) -> Usage:
    """Run the pipeline once in a workspace."""
    config = folder / "bench.yml"
    config.write_text(case.config(), encoding="utf-8")
    command = ("-m", "pipelines.run", "--local", "--config", str(config), "--raw", str(case.raw))
    return measuring.run([sys.executable, *command, "--workspace", str(workspace)])


def plain(case: Case, out: Path, *more: str) -> Usage:
    """Run the plain script once."""
    out.mkdir(exist_ok=True)
    names = (case.label, case.id, case.segment, json.dumps(case.hyperparameters))
    script = str(ROOT / "tests/bench/plain_script.py")
    return measuring.run([sys.executable, "-W", "ignore", script, str(case.raw), str(out), *names, *more])


def compare_mae(workspace: Path, out: Path) -> Figure:
    """Return by how much the MAE of any model differs from the plain script's, which has to be nothing.

    Raises:
        RuntimeError: the two did not train the same models.
    """
    expected = json.loads((out / "mae.json").read_text(encoding="utf-8"))
    found = {
        entry["model"]: entry["regression_metrics"]["mae"]["value"]
        for entry in map(_read, sorted((workspace / "s3").rglob("evaluation/*/evaluation.json")))
    }
    if found.keys() != expected.keys():
        raise RuntimeError(f"the pipeline trained {sorted(found)}, the plain script {sorted(expected)}")
    largest = max(abs(found[name] - expected[name]) for name in expected)
    return Figure("largest difference of a model's MAE", largest, None, 0.5 * 10**-PLACES, "")


def _read(path: Path) -> dict[str, object]:
    read: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return read


def flights(repeats: int, *, full: bool) -> Iterator[Figure]:
    """Three airports, cold."""
    make_flights()
    case = Case(FLIGHTS, "arr_delay", "flight_id", "origin", ROUNDS, ("month", "day"))
    yield from _against_plain("whole run, 3 flights models", case, 0.85, repeats, full=full)


def twelve(repeats: int, *, full: bool) -> Iterator[Figure]:
    """Twelve segments of equal size, cold."""
    make_flights()
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        make_lots(raw, 12)
        case = Case(raw, "arr_delay", "flight_id", "lot", TWELVE_ROUNDS, ("month", "day"))
        yield from _against_plain("whole run, 12 equal segments", case, 0.65, repeats, full=full)


def _against_plain(what: str, case: Case, target: float, repeats: int, *, full: bool) -> Iterator[Figure]:
    with _numbered() as fresh:
        spaces: list[Path] = []
        outs: list[Path] = []

        def cold() -> Usage:
            spaces.append(fresh())
            return ours(case, spaces[-1], spaces[-1] / "workspace")

        def script() -> Usage:
            outs.append(fresh())
            return plain(case, outs[-1])

        yield of_pair(what, measuring.alternate(cold, script, repeats, always=full), target)
        yield compare_mae(spaces[-1] / "workspace", outs[-1])


def unchanged(repeats: int, *, full: bool) -> Iterator[Figure]:
    """The demo again with nothing changed, against the Infer and PostProcess steps of its cold run.

    The cold run's Infer steps are forks of what was imported for Train, but a run of its own has to import once. So it
    is held against the same steps, each importing for itself, too, as jobs on AWS do.
    """
    make_flights()
    with _numbered() as fresh:
        cold, again = [], []
        for _ in range(repeats):
            workspace = fresh()
            seconds, steps = run_demo(workspace)
            cold.append(_span(steps, LAST_STEPS))
            again.append(run_demo(workspace)[0])
            if seconds + again[-1] > measuring.LONG and not full:
                break
        alone = _span(run_demo(workspace, "--launcher", "process")[1], LAST_STEPS)
        what, ours_ = "unchanged re-run of the demo", float(np.median(again))
        yield Figure(what, ours_, float(np.median(cold)), 1.2, runs=len(again))
        yield Figure(f"{what}, against steps that import", ours_, alone, 1.2)


def run_demo(workspace: Path, *options: str) -> tuple[float, list[dict[str, object]]]:
    """Run the demo in a workspace; return seconds, and the events of its steps."""
    command = [sys.executable, "-m", "pipelines.run", "--local", "--config", str(DEMO_CONFIG), "--raw", str(FLIGHTS)]
    seconds = measuring.run([*command, "--workspace", str(workspace), *options]).wall
    newest = max((workspace / "executions").iterdir(), key=lambda path: path.name)
    lines = (newest / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return seconds, [json.loads(line) for line in lines]


def _span(events: list[dict[str, object]], steps: tuple[str, ...]) -> float:
    """Return the seconds from the first start to the last end of steps whose names begin so."""
    times = [float(str(event["at"])) for event in events if str(event.get("step", "")).startswith(steps)]
    return max(times) - min(times)


def small(repeats: int, *, full: bool) -> Iterator[Figure]:
    """Many small segments in one run, per segment."""
    count = 1000 if full else 100
    with _numbered() as fresh:
        raw = fresh() / "raw"
        make_small(raw, count)
        case = Case(raw, "y", "id", "place", SMALL_ROUNDS)
        pair = measuring.alternate(
            lambda: ours(case, space := fresh(), space / "workspace"),
            lambda: plain(case, fresh(), "--first", str(PLAIN_SMALL)),
            repeats,
            always=full,
        )
        ours_, baseline = measuring.median(pair.ours) / count, measuring.median(pair.baseline) / PLAIN_SMALL
        yield Figure(f"{count} small segments, per segment", ours_, baseline, 0.6, runs=len(pair.ours))


@contextmanager
def _numbered() -> Iterator[Fresh]:
    with tempfile.TemporaryDirectory() as folder:
        yield Fresh(Path(folder))


class Fresh:
    """Hands out empty folders."""

    def __init__(self, root: Path) -> None:
        self._root, self._count = root, 0

    def __call__(self) -> Path:
        """Return the next one."""
        self._count += 1
        path = self._root / str(self._count)
        path.mkdir()
        return path


def make_flights() -> None:
    """Make the demo's raw data where they are not yet."""
    if not (FLIGHTS / "train-01.csv").exists():
        subprocess.run([sys.executable, "config/examples/make_flights.py", str(FLIGHTS)], cwd=ROOT, check=True)


def make_lots(raw: Path, count: int) -> None:
    """Write the flights again with a column `lot` that deals them out to segments of equal size."""
    raw.mkdir(parents=True)
    for kind in ("train", "predict"):
        rows = pd.concat([pd.read_csv(path) for path in sorted(FLIGHTS.glob(f"{kind}*.csv"))], ignore_index=True)
        width = len(str(count - 1))
        rows["lot"] = [f"lot{number % count:0{width}d}" for number in range(len(rows))]
        rows.to_csv(raw / f"{kind}.csv", index=False)


def make_small(raw: Path, segments: int) -> None:
    """Write segments of SMALL_ROWS rows to train on and a fifth of that to predict."""
    raw.mkdir(parents=True)
    generator = np.random.default_rng(0)
    width = int(math.log10(max(10, segments - 1))) + 1
    for kind, each in (("train", SMALL_ROWS), ("predict", SMALL_ROWS // 5)):
        rows = segments * each
        frame = pd.DataFrame({f"x{n}": generator.normal(size=rows) for n in range(6)})
        frame["place"] = np.repeat([f"place{n:0{width}d}" for n in range(segments)], each)
        frame["kind"] = generator.choice(["a", "b", "c"], rows)
        frame["id"] = [f"{kind}{n:07d}" for n in range(rows)]
        if kind == "train":
            frame["y"] = frame["x0"] * 3 + frame["x1"] ** 2 + generator.normal(size=rows)
        frame.to_csv(raw / f"{kind}.csv", index=False)
