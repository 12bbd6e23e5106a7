"""Prepared Parquet in bounded batches, as the data frames that a predictor was trained on.

Training, measuring and inference all read through here, so that a column arrives with one dtype everywhere:
numbers and booleans as float64 (an int column would turn an unexpected null into 0 without a word), timestamps as
datetime64[ns], text as objects, declared categories as category. It knows neither AutoGluon nor file layouts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from steps import failure, job

# pyarrow has type information for a part of itself only
pc: Any = pyarrow.compute
pq: Any = pyarrow.parquet

Floats = npt.NDArray[np.float64]

_EARLIEST = pd.Timestamp("1678-01-01")
_LATEST = pd.Timestamp("2262-01-01")


class Predictor(Protocol):
    """What is needed of a trained predictor: one number per row of a frame."""

    def predict(self, data: pd.DataFrame) -> Any:
        """Return the predictions of the rows of `data`, in their order."""


class Staged(Protocol):
    """A predictor in two stages, so that one thread can prepare a batch while another predicts the one before it.

    They share nothing that changes: `predict(prepare(data))` is one number per row, whatever is prepared meanwhile.
    Neither stage is ever at work twice at a time.
    """

    def prepare(self, data: pd.DataFrame) -> Any:
        """Return what `predict` takes for the rows of `data`."""

    def predict(self, prepared: Any) -> Any:
        """Return the predictions of rows that were prepared, in their order."""


def parts(folder: Path) -> list[Path]:
    """Return the Parquet files of a prepared folder in their order."""
    return sorted(folder.glob("*.parquet"))


def count_rows(paths: Sequence[Path]) -> int:
    """Return the number of rows that the files' own metadata tell."""
    return sum(int(pq.read_metadata(path).num_rows) for path in paths)


def read(paths: Sequence[Path], columns: Sequence[str], categories: Collection[str]) -> pd.DataFrame:
    """Return whole files as one frame; for training, which holds its rows in memory anyway."""
    table = pa.concat_tables(pq.read_table(path, columns=list(columns)) for path in paths)
    return frame(table, columns, categories)


def batches(paths: Sequence[Path], columns: Sequence[str], rows: int) -> Iterator[Any]:
    """Yield record batches of at most `rows` rows, in order; memory does not grow with the files."""
    for path in paths:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            yield from file.iter_batches(batch_size=rows, columns=list(columns), use_threads=False)


def frame(batch: Any, columns: Sequence[str], categories: Collection[str]) -> pd.DataFrame:
    """Return `columns` of a batch or table as a frame with the dtypes of training."""
    arrays = [_plain(batch.column(column)) for column in columns]
    found: pd.DataFrame = pa.table(arrays, names=list(columns)).to_pandas(split_blocks=True, self_destruct=True)
    chosen = [column for column in columns if column in categories]
    return found.astype(dict.fromkeys(chosen, "category")) if chosen else found


def _plain(values: Any) -> Any:
    kind = values.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _nanoseconds(values)
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return values.cast(pa.float64(), safe=False)
    return values.cast(pa.string())


def _nanoseconds(values: Any) -> Any:
    """Return timestamps in ns, those beyond pandas' range (a year 9999 for "never") at its ends.

    AutoGluon fills nulls with a mean that it takes for nanoseconds, whatever the unit of the column.
    """
    micro = values.cast(pa.timestamp("us"))
    bounded = pc.min_element_wise(
        pc.max_element_wise(micro, pa.scalar(_EARLIEST, pa.timestamp("us")), skip_nulls=False),
        pa.scalar(_LATEST, pa.timestamp("us")),
        skip_nulls=False,
    )
    return bounded.cast(pa.timestamp("ns"))


def predict(predictor: Predictor, data: pd.DataFrame, model: str) -> Floats:
    """Return one finite float64 prediction per row.

    Raises:
        StepError: the predictor raised, or returned another number of rows, or something that is no finite number.
    """
    with _on_batch(model, len(data)):
        found = np.asarray(predictor.predict(data), dtype=np.float64)
    return _checked(found, model, len(data))


def prepare(predictor: Staged, data: pd.DataFrame, model: str) -> Any:
    """Return what the second stage takes; StepError if the predictor raised."""
    with _on_batch(model, len(data)):
        return predictor.prepare(data)


def predict_prepared(predictor: Staged, prepared: Any, model: str, rows: int) -> Floats:
    """Return one finite float64 prediction per prepared row; StepError as from `predict`."""
    with _on_batch(model, rows):
        found = np.asarray(predictor.predict(prepared), dtype=np.float64)
    return _checked(found, model, rows)


@contextmanager
def _on_batch(model: str, rows: int) -> Iterator[None]:
    """Turn what a predictor raises into a StepError without its text; memory is not the rows' fault."""
    try:
        yield
    except (MemoryError, job.StepError):
        raise
    except Exception as error:  # noqa: BLE001 - seam to AutoGluon, whose messages quote cells
        raise job.StepError(
            f"model {model} could not score a batch of {rows} rows ({failure.name(error)} at "
            f"{failure.place(error)}): compare the columns' values with those it was trained on"
        ) from None


def _checked(found: Floats, model: str, rows: int) -> Floats:
    if found.shape != (rows,):
        raise job.StepError(f"model {model} returned {found.size} predictions for {rows} rows: do not use it")
    wrong = int(np.count_nonzero(~np.isfinite(found)))
    if wrong:
        raise job.StepError(
            f"model {model}: {wrong} of {rows} predictions of a batch are null or infinite: do not use it"
        )
    return found
