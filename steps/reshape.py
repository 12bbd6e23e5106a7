"""The user's `prepare` hook, called with the rows of one model at a time, and what it must leave as it is.

It gets the typed rows (numbers as float64, truth values as `boolean`, times, text) in chunks, so that data may be
larger than memory, and returns each row's columns. Ids, labels, order, and for rows to predict their number, are proven
for every chunk. That a row's columns follow from that row alone is tried on the first chunk of each model: what differs
when fewer rows are there would differ between training and prediction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from steps import chunk, columns, hooknames, problem, schema
from steps.hooks import Context, HookError, Hooks
from steps.schema import Column, Prepared

TRIED = 100
"""Rows that the hook is called with once more, by themselves."""
_SAME = 1e-9
"""Relative difference that is taken for rounding: sums over arrays of another length round otherwise."""
_compute: Any = pyarrow.compute  # has type information for a part of itself only


@dataclass(frozen=True)
class Reshaped:
    """What the hook made of a chunk: its feature columns with their kinds, and the positions of the rows it kept."""

    table: pa.Table
    kinds: Mapping[str, str | None]
    kept: Any

    @property
    def dropped(self) -> int:
        """Rows that the hook left out."""
        return int(np.count_nonzero(~self.kept))


@dataclass(frozen=True)
class Custom:
    """The hook, with the settings slice of the step that calls it."""

    hooks: Hooks
    settings: Mapping[str, Any]
    step: str
    training: bool

    def of(self, model: str, slug: str, roles: Sequence[str], raw: Sequence[Column]) -> Reshape:
        """Return what calls the hook for the rows of one model."""
        context = self.hooks.context(
            self.settings,
            step=self.step,
            model=model,
            slug=slug,
            training=self.training,
            label=self.settings["label"],
            id=self.settings["id"],
            seed=self.settings["seed"],
        )
        return Reshape(self.hooks, context, tuple(roles), tuple(raw))


@dataclass(frozen=True)
class Reshape:
    """Calls a hook for rows of one model: `raw` are the columns that it may change, `roles` those before them."""

    hooks: Hooks
    context: Context
    roles: tuple[str, ...]
    raw: tuple[Column, ...]
    hook: str = hooknames.PREPARE

    def rows(self, table: pa.Table, first: bool) -> Reshaped:
        """Return what the hook makes of a chunk whose columns are those of `roles` and `raw`, in this order.

        Raises:
            HookError: it raised, or changed what has to stay.
        """
        table = table.rename_columns([*self.roles, *(column.name for column in self.raw)])
        found = self._call(table)
        if first and table.num_rows > 1:
            self._try_alone(table, found)
        return found

    def fit(self, table: pa.Table, kinds: Mapping[str, str | None], wanted: Prepared) -> pa.Table:
        """Return the columns in the order and types of the wanted ones, without those that are empty everywhere.

        Raises:
            HookError: a column is missing, unknown or of another kind.
        """
        table = table.select([name for name in table.column_names if name not in wanted.empty])
        texts = list(_misfits(table.column_names, kinds, wanted.columns))
        if texts:
            raise self.error(f"must return the same columns for all rows, but a chunk {'; '.join(texts)}")
        fields = chunk.fields(wanted.columns)
        return pa.table([table.column(field.name).cast(field.type) for field in fields], schema=pa.schema(fields))

    def error(self, text: str) -> HookError:
        """Return the error of what the hook did for this model."""
        which = f"for {self.context.model}: " if self.context.model else ""
        return self.hooks.error(self.hook, f"{which}{text}")

    def _call(self, table: pa.Table) -> Reshaped:
        frame = _frame(table, {column.name: column.kind for column in self.raw})
        made = self.hooks.call(self.hook, frame, context=self.context)
        if not isinstance(made, pd.DataFrame):
            raise self.error(f"returned {type(made).__name__}; return the frame")
        self._raise(list(columns.names(made)))
        kept = self._kept(table, made)
        read = {name: columns.read(made[name]) for name in made.columns if name not in self.roles}
        self._raise([f"column {name!r} {found.problem}" for name, found in read.items() if found.problem])
        self._raise(
            [
                f"column {name!r} is the label, which rows to predict have not"
                for name in read
                if name == self.context.label and self.hook == hooknames.PREPARE
            ]
        )
        if not read:
            raise self.error(f"returned no columns beside {' and '.join(map(repr, self.roles))}; keep at least one")
        features = pa.table({name: found.values for name, found in read.items()})
        return Reshaped(features, {name: found.kind for name, found in read.items()}, kept)

    def _kept(self, table: pa.Table, made: pd.DataFrame) -> Any:
        """Return which rows the hook kept, having proven that id and label are as they were."""
        roles = list(self.roles)
        gone = [name for name in roles if name not in made.columns]
        self._raise([f"dropped {name!r}; return the frame with it" for name in gone])
        if not self.context.training and len(made) != table.num_rows:
            raise self.error(f"returned {len(made):,} of {table.num_rows:,} rows; return every row once")
        before = table.select(roles).to_pandas()
        kept = _positions(before, made[roles], self.context.id)
        if kept is None:
            more = "" if len(made) == table.num_rows else f" ({table.num_rows:,} rows given, {len(made):,} returned)"
            raise self.error(
                f"changed {' or '.join(map(repr, roles))}, the order of rows, or returned rows twice{more}; "
                "change feature columns only, in the rows as they are"
            )
        return kept

    def _try_alone(self, table: pa.Table, whole: Reshaped) -> None:
        few = min(TRIED, table.num_rows // 2)
        alone = self._call(table.slice(0, few))
        kept = int(np.count_nonzero(whole.kept[:few]))
        if not np.array_equal(whole.kept[:few], alone.kept):
            raise self.error(
                "drops other rows when it is given fewer of them; decide about each row by that row alone, since rows "
                "come in chunks"
            )
        differing = _differing(whole.table.slice(0, kept), alone.table)
        if differing:
            raise self.error(
                f"gives rows another {problem.name_list(differing)} when it is given fewer of them; compute each row's "
                "columns from that row alone, since rows come in chunks, and what is measured over all rows "
                "beforehand, as a column of the raw files or a file beside the code"
            )

    def _raise(self, problems: Sequence[str]) -> None:
        if problems:
            raise self.error("; ".join(problems))


def _frame(table: pa.Table, kinds: Mapping[str, str]) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    truths = [name for name in frame.columns if kinds.get(name) == schema.BOOL]
    return frame.astype(dict.fromkeys(truths, "boolean")) if truths else frame


def _positions(before: pd.DataFrame, after: pd.DataFrame, key: str) -> Any:
    """Return which rows are still there, or None if what is there are not some of them in their order."""
    if len(after) == len(before):
        same = all(_equal(before[name].to_numpy(), after[name].to_numpy()) for name in before.columns)
        return np.ones(len(before), np.bool_) if same else None
    if len(after) > len(before):
        return None
    places = _found_by_id(before[key], after[key]) if key in before.columns else _found_in_order(before, after)
    if places is None or any(
        not _equal(before[name].to_numpy()[places], after[name].to_numpy()) for name in before.columns
    ):
        return None
    kept = np.zeros(len(before), np.bool_)
    kept[places] = True
    return kept


def _found_by_id(before: pd.Series[Any], after: pd.Series[Any]) -> Any:
    places = pd.Index(before).get_indexer(pd.Index(after))  # ids are unique: prepare has checked them
    return places if (places >= 0).all() and (np.diff(places) > 0).all() else None


def _found_in_order(before: pd.DataFrame, after: pd.DataFrame) -> Any:
    """Return the first positions at which the values of the one column stand in this order, or None."""
    there, wanted = before.iloc[:, 0].tolist(), after.iloc[:, 0].tolist()
    places, at = [], 0
    for value in wanted:
        while at < len(there) and there[at] != value:
            at += 1
        if at == len(there):
            return None
        places.append(at)
        at += 1
    return np.array(places, np.intp)


def _equal(before: Any, after: Any) -> bool:
    try:
        return bool(np.array_equal(before, np.asarray(after)))
    except (TypeError, ValueError):
        return False


def _differing(first: pa.Table, second: pa.Table) -> list[str]:
    """Return the columns that differ, or stand in one of the tables only."""
    both = [name for name in first.column_names if name in second.column_names]
    lone = sorted({*first.column_names} ^ {*second.column_names})
    return [*lone, *(name for name in both if not _alike(first.column(name), second.column(name)))]


def _alike(first: Any, second: Any) -> bool:
    if pa.types.is_null(first.type) or pa.types.is_null(second.type):
        return bool(first.null_count == len(first) and second.null_count == len(second))
    if first.type != second.type:
        return False
    if not pa.types.is_floating(first.type):
        return bool(first.equals(second))
    return bool(np.allclose(first.to_numpy(), second.to_numpy(), rtol=_SAME, atol=0, equal_nan=True))


def _misfits(names: Sequence[str], kinds: Mapping[str, str | None], wanted: Sequence[Column]) -> Iterator[str]:
    """Yield in what columns differ from those of other rows."""
    known = [column.name for column in wanted]
    yield from (f"has no column {name!r}, {problem.nearest(name, names)}" for name in known if name not in names)
    yield from (f"has a column {name!r} that others have not" for name in names if name not in known)
    for column in wanted:
        if kinds.get(column.name) not in (None, column.kind):
            yield f"has a column {column.name!r} of kind {kinds[column.name]}, {column.kind} elsewhere"
