"""Part raw files that hold both: rows with a label go into files to train on, rows without into files to predict.

Row by row, so that memory does not grow with the files; what a cell holds is not changed.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from steps import rawfile
from steps.rawfile import RawFile


def part(files: list[RawFile], label: str, delimiter: str, folder: Path) -> list[str]:
    """Write `train-1.csv`, `predict-1.csv` ... into the folder, the latter without the label; return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for n, file in enumerate(files, start=1):
        suffix = rawfile.PARQUET_SUFFIX if file.is_parquet else rawfile.CSV_SUFFIX
        train, predict = folder / f"train-{n}{suffix}", folder / f"predict-{n}{suffix}"
        if file.is_parquet:
            _part_parquet(file.path, label, train, predict)
        else:
            _part_csv(file.path, label, delimiter, train, predict)
        names += [train.name, predict.name]
    return names


def _part_csv(path: Path, label: str, delimiter: str, train: Path, predict: Path) -> None:
    csv.field_size_limit(rawfile.FIELD_LIMIT)
    with (
        path.open(encoding="utf-8-sig", newline="") as source,
        train.open("w", encoding="utf-8", newline="") as labelled,
        predict.open("w", encoding="utf-8", newline="") as waiting,
    ):
        reader = csv.reader(source, delimiter=delimiter, strict=True)
        to_train, to_predict = (csv.writer(file, delimiter=delimiter) for file in (labelled, waiting))
        header = next(reader)
        at = header.index(label)
        to_train.writerow(header)
        to_predict.writerow(header[:at] + header[at + 1 :])
        for row in reader:
            if row and row[at]:
                to_train.writerow(row)
            elif row:
                to_predict.writerow(row[:at] + row[at + 1 :])


def _part_parquet(path: Path, label: str, train: Path, predict: Path) -> None:
    source = pq.ParquetFile(path)  # type: ignore[no-untyped-call]
    whole: pa.Schema = source.schema_arrow
    rest = whole.remove(whole.get_field_index(label))
    with pq.ParquetWriter(train, whole) as labelled, pq.ParquetWriter(predict, rest) as waiting:  # type: ignore[no-untyped-call]
        for batch in source.iter_batches():  # type: ignore[no-untyped-call]
            table = pa.Table.from_batches([batch], whole)
            empty = table.column(label).is_null(nan_is_null=True)
            labelled.write_table(table.filter(pc.invert(empty)))  # type: ignore[attr-defined]
            waiting.write_table(table.filter(empty).select(rest.names))
