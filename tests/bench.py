"""Measure the pipeline against a plain script that does the same work, in one run: `make bench`.

Not a test: machines are shared and noisy, so it prints ratios of medians over alternated repeats and judges nothing.

    python tests/bench.py [--repeats N]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RAW = ROOT / ".local/raw/flights"
PLAIN = """
import sys
from pathlib import Path
import pandas as pd
from autogluon.tabular import TabularPredictor
from sklearn.metrics import mean_absolute_error

raw, out, label = Path(sys.argv[1]), Path(sys.argv[2]), "arr_delay"
read = lambda glob: pd.concat([pd.read_csv(p) for p in sorted(raw.glob(glob))], ignore_index=True)
train, predict = read("train*.csv"), read("predict*.csv")
parts = []
for origin, rows in train.groupby("origin"):
    rows = rows.drop(columns=["month", "day", "flight_id"])
    held = rows.sample(frac=0.2, random_state=0)
    predictor = TabularPredictor(label, problem_type="regression", eval_metric="mean_absolute_error",
                                 path=str(out / origin), verbosity=0)
    predictor.fit(rows.drop(held.index),
                  hyperparameters={"GBM": {"num_boost_round": 400}, "XGB": {"n_estimators": 400}})
    print(origin, mean_absolute_error(held[label], predictor.predict(held)))
    asked = predict[predict["origin"] == origin]
    parts.append(asked[["flight_id"]].assign(prediction=predictor.predict(asked)))
pd.concat(parts).sort_index().to_parquet(out / "predictions.parquet")
"""


def main() -> None:
    """Print the ratio of the pipeline's wall time to the plain script's, cold, and that of an unchanged run."""
    line = argparse.ArgumentParser(description=main.__doc__)
    line.add_argument("--repeats", type=int, default=1, help="alternated repeats (default: %(default)s)")
    repeats = line.parse_args().repeats
    subprocess.run([sys.executable, "config/examples/make_flights.py", str(RAW)], cwd=ROOT, check=True)
    plain, cold, warm = [], [], []
    for number in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            plain.append(timed(sys.executable, "-W", "ignore", "-c", PLAIN, str(RAW), folder))
            command = [
                sys.executable,
                "-m",
                "pipelines.run",
                "--local",
                "--raw",
                str(RAW),
                "--workspace",
                folder,
                "--json",
            ]
            cold.append(timed(*command))
            warm.append(timed(*command))
        print(f"{number + 1}: plain {plain[-1]:.1f} s, pipeline {cold[-1]:.1f} s, unchanged again {warm[-1]:.1f} s")
    baseline = statistics.median(plain)
    print(
        json.dumps(
            {name: round(statistics.median(v) / baseline, 3) for name, v in (("cold", cold), ("unchanged", warm))}
        )
    )


def timed(*command: str) -> float:
    """Return the wall time of a command in seconds."""
    start = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - start


if __name__ == "__main__":
    main()
