"""Files that hold rows to train on and rows to predict are parted without a change of any cell."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from steps import parting, rawfile


def part(folder: Path, key: str) -> Path:
    parting.part(rawfile.open_files([key], folder, ","), "y", ",", folder / "raw")
    return folder / "raw"


def test_csv_rows_go_where_their_label_says_with_their_text_kept(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,y,s\n007,1,"a, ""b"""\n008,,\n\n009,2.50,"two\nlines"\n', encoding="utf-8")
    raw = part(tmp_path, "a.csv")

    assert (raw / "train-1.csv").read_text().splitlines() == ["id,y,s", '007,1,"a, ""b"""', '009,2.50,"two', 'lines"']
    assert (raw / "predict-1.csv").read_text().splitlines() == ["id,s", "008,"]


def test_parquet_rows_keep_their_types(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [1, 2, 3], "y": [1.5, None, 2.5], "t": pd.to_datetime(["2026-01-01"] * 3)})
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    raw = part(tmp_path, "a.parquet")

    pd.testing.assert_frame_equal(pd.read_parquet(raw / "train-1.parquet"), frame.dropna().reset_index(drop=True))
    assert pd.read_parquet(raw / "predict-1.parquet").to_dict("list") == {"id": [2], "t": [pd.Timestamp("2026-01-01")]}
