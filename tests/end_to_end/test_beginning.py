"""From raw files to first predictions: three folders, each with the three commands that are shown."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines import settings

ROOT = Path(__file__).resolve().parent.parent.parent
QUICK = "training: {hyperparameters: {GBM: {num_boost_round: 20}}}\n"
"""An overlay, so that the config itself is run as it was proposed but for the rounds."""

pytestmark = pytest.mark.slow


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def begin(folder: Path, raw: Path) -> dict:
    """Run the command; return what it says as JSON."""
    done = command("pipelines.init", str(folder), "--from", str(raw), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["config"] == str(folder / "pipeline-config.yml")
    assert settings.load(Path(found["config"]))
    return found


def go_on(found: dict, workspace: Path) -> list[subprocess.CompletedProcess[str]]:
    """Run the commands that it names, in a workspace of their own and with few rounds."""
    overlay = Path(found["config"]).with_name("pipeline-config.quick.yml")
    overlay.write_text(QUICK)
    more = ["--env", "quick", "--workspace", str(workspace)]
    return [command(*shlex.split(line.removeprefix("python -m ")), *more) for line in found["next"]]


def chosen(found: dict) -> tuple[str | None, ...]:
    proposal = found["proposal"]
    return tuple(proposal[role]["column"] for role in ("label", "id", "segment", "time"))


def predictions(folder: Path) -> pd.DataFrame:
    [result] = [path for path in folder.iterdir() if path.is_dir()]
    assert (result / "report.html").is_file()
    return pd.read_parquet(result / "predictions")


def shops(rows: int, seed: int, first: int) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    store, area = chance.choice(["渋谷店", "新宿店", "横浜店"], rows, p=[0.5, 0.4, 0.1]), chance.uniform(10, 90, rows)
    sales = (3 * area + 20 * (store == "渋谷店") + chance.normal(size=rows)).round(1)
    return pd.DataFrame(
        {"伝票番号": [f"{first + n:07}" for n in range(rows)], "店舗": store, "売場面積": area.round(1), "売上": sales}
    )


def test_shops_with_japanese_names_in_two_files(tmp_path: Path) -> None:
    raw = tmp_path / "データ"
    raw.mkdir()
    shops(200, 1, 0).to_csv(raw / "学習.csv", index=False)
    shops(40, 2, 1000).drop(columns="売上").to_csv(raw / "予測.csv", index=False)

    found = begin(tmp_path / "shops", raw)
    run, fetch = go_on(found, tmp_path / "ws")

    assert chosen(found) == ("売上", "伝票番号", "店舗", None)
    assert {line["segment"]: line["model"] for line in found["plan"]["lines"]} == {
        "新宿店": "own",
        "横浜店": "pooled (pooled)",
        "渋谷店": "own",
    }
    assert (run.returncode, fetch.returncode) == (0, 0), run.stderr + fetch.stderr
    assert predictions(tmp_path / "shops")["伝票番号"].tolist() == [f"{1000 + n:07}" for n in range(40)]


def readings(hours: int, start: str, seed: int) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    times = pd.date_range(start, periods=hours, freq="h")
    frames = [pd.DataFrame({"timestamp": times.strftime("%Y-%m-%dT%H:%M:%SZ"), "sensor": n}) for n in (101, 102)]
    frame = pd.concat(frames, ignore_index=True)
    frame["humidity"], frame["status"] = chance.uniform(0, 1, len(frame)).round(3), "ok"
    frame["temperature"] = (
        20 + 10 * frame["humidity"] + frame["sensor"] - 100 + chance.normal(0, 0.1, len(frame))
    ).round(2)
    return frame


def test_sensors_with_timestamps_numeric_codes_and_an_empty_label(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    readings(100, "2026-01-01", 1).to_csv(raw / "january.csv", index=False, sep=";")
    later = readings(20, "2026-03-01", 2).assign(temperature="")
    later.insert(0, "reading_id", range(len(later)))
    later.to_csv(raw / "march.csv", index=False, sep=";")

    found = begin(tmp_path / "sensors", raw)
    run, fetch = go_on(found, tmp_path / "ws")

    assert chosen(found) == ("temperature", "reading_id", "sensor", "timestamp")
    assert found["proposal"]["holdout"] == "time"
    assert (run.returncode, fetch.returncode) == (0, 0), run.stderr + fetch.stderr
    assert len(predictions(tmp_path / "sensors")) == 40


def line_of(rows: int, seed: int, first: int) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    weight, size = chance.uniform(1, 9, rows), chance.choice(["1", "2", "XL"], rows)
    cost = 5 * weight + 3 * (size == "XL") + chance.normal(0, 0.1, rows)
    return pd.DataFrame(
        {"sku": range(first, first + rows), "weight": weight, "size": size, "margin": cost / 2, "cost": cost}
    )


def test_product_lines_in_files_of_their_own_with_leaking_and_half_numeric_columns(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for folder in ("train", "predict"):
        (raw / folder).mkdir(parents=True)
    line_of(80, 1, 0).to_csv(raw / "train" / "bikes.csv", index=False)
    line_of(80, 2, 100).to_parquet(raw / "train" / "cars.parquet", index=False)
    line_of(9, 3, 200).drop(columns=["cost", "margin"]).to_parquet(raw / "predict" / "bikes.parquet", index=False)
    line_of(9, 4, 300).drop(columns=["cost", "margin"]).to_csv(raw / "predict" / "cars.csv", index=False)

    found = begin(tmp_path / "lines", raw)
    run, fetch = go_on(found, tmp_path / "ws")

    assert chosen(found) == ("cost", "sku", None, None)
    assert found["proposal"]["drop"] == {"margin": "the files to predict lack it"}
    assert list(found["proposal"]["categories"]) == ["size"]
    assert [(line["segment"], line["train_rows"], line["predict_rows"]) for line in found["plan"]["lines"]] == [
        ("bikes", 80, 9),
        ("cars", 80, 9),
    ]
    assert (run.returncode, fetch.returncode) == (0, 0), run.stderr + fetch.stderr
    assert len(predictions(tmp_path / "lines")) == 18
