"""What the pipeline is measured against: one process that reads, splits, fits, evaluates, predicts and writes.

    python tests/bench/plain_script.py RAW OUT LABEL ID SEGMENT HYPERPARAMETERS [--first N]

The split is the pipeline's own rule (rank by md5 of seed and id), so that both train on the same rows and their MAE can
be compared; AutoGluon has its default threads. Writes predictions.parquet and mae.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import warnings
from pathlib import Path

import pandas as pd
from autogluon.tabular import TabularPredictor
from sklearn.metrics import mean_absolute_error

HELD_OUT = 0.2
DROPPED = ["month", "day"]


def main() -> None:
    """Train one model per segment, one after another."""
    line = argparse.ArgumentParser(description=__doc__)
    for name in ("raw", "out"):
        line.add_argument(name, type=Path)
    for name in ("label", "id", "segment"):
        line.add_argument(name)
    line.add_argument("hyperparameters", type=json.loads)
    line.add_argument("--first", type=int, help="only so many segments")
    given = line.parse_args()
    train, asked = read(given.raw, "train*.csv"), read(given.raw, "predict*.csv")
    train = train.dropna(subset=[given.label])
    names = sorted(train[given.segment].unique())[: given.first]
    errors, parts = {}, []
    for name in names:
        rows = train[train[given.segment] == name].drop(columns=DROPPED, errors="ignore")
        held = hold_out(rows[given.id].astype(str))
        predictor = TabularPredictor(
            given.label,
            problem_type="regression",
            eval_metric="mean_absolute_error",
            path=str(given.out / str(name)),
            verbosity=0,
        )
        features = rows.drop(columns=given.id)
        predictor.fit(features[~held], hyperparameters=given.hyperparameters)
        errors[str(name)] = mean_absolute_error(rows[given.label][held], predictor.predict(features[held]))
        mine = asked[asked[given.segment] == name]
        parts.append(mine[[given.id]].assign(prediction=predictor.predict(mine)))
    pd.concat(parts).sort_index().to_parquet(given.out / "predictions.parquet")
    (given.out / "mae.json").write_text(json.dumps(errors), encoding="utf-8")


def read(raw: Path, glob: str) -> pd.DataFrame:
    """Return all files of a glob as one table."""
    return pd.concat([pd.read_csv(path) for path in sorted(raw.glob(glob))], ignore_index=True)


def hold_out(ids: pd.Series) -> pd.Series:
    """Return which rows are held out: those whose md5 of seed 0 and id comes first."""
    ranks = ids.map(lambda name: hashlib.md5(f"0{name}".encode()).hexdigest()).rank(method="first")
    return ranks <= round(HELD_OUT * len(ids))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
