"""The `postprocess` hook: the joined predictions in chunks, on their way to the published files.

It may change `prediction` and add columns. Rows, their order, id, model and source are proven to be as they were, and
every prediction to be a finite number. What it returns waits on disk until its columns are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from steps import chunk, contract, hooknames, schema
from steps.hooks import Hooks
from steps.reshape import Reshape
from steps.schema import Column, Prepared
from steps.spill import Spill

PREDICTION = "prediction"


def apply(
    hooks: Hooks, settings: Mapping[str, Any], folder: Path, batches: Iterable[Any], published: Any
) -> tuple[Any, Iterator[Any]]:
    """Return the schema of what is published after the hook, and its batches.

    Args:
        hooks: those of PostProcess.
        settings: its slice of the settings.
        folder: takes what waits.
        batches: id, prediction, model, source of all rows in order.
        published: their schema.

    Raises:
        HookError: the hook raised, or changed what has to stay.
    """
    work = _work(hooks, settings, published.names)
    spill = Spill(folder, lambda _: work)
    sink = spill.open(0)
    for batch in batches:
        sink.add(_roles_first(pa.Table.from_batches([batch], published)))
    wanted = spill.prepared(None)
    if PREDICTION in wanted.empty:
        raise work.error(f"returned no row with a number as {PREDICTION!r}; every row needs a finite one")
    added = [chunk.field(column.name, column.kind) for column in wanted.columns if column.name != PREDICTION]
    target = pa.schema([*published, *added])
    return target, _published(work, spill, wanted, target)


def _work(hooks: Hooks, settings: Mapping[str, Any], names: list[str]) -> Reshape:
    known = {"model": "", "slug": "", "training": False, "label": settings["label"], "id": settings["id"]}
    context = hooks.context(settings, step=contract.POSTPROCESS, seed=settings["seed"], **known)
    roles = tuple(name for name in names if name != PREDICTION)
    return Reshape(hooks, context, roles, (Column(PREDICTION, schema.NUMBER),), hooknames.POSTPROCESS)


def _roles_first(table: pa.Table) -> pa.Table:
    """Return the columns as the hook's caller takes them: one that is none of the data, those that stay, the rest."""
    stay = [name for name in table.column_names if name != PREDICTION]
    return pa.table([table.column(0), *(table.column(name) for name in [*stay, PREDICTION])], ["-", *stay, PREDICTION])


def _published(work: Reshape, spill: Spill, wanted: Prepared, target: Any) -> Iterator[Any]:
    for table in spill.chunks(0, wanted):
        roles = table.select(range(1, 1 + len(work.roles))).rename_columns(list(work.roles))
        made = table.select([column.name for column in wanted.columns])
        _require_numbers(work, made)
        columns = [(roles if name in work.roles else made).column(name) for name in target.names]
        yield from pa.table(columns, schema=target).combine_chunks().to_batches()


def _require_numbers(work: Reshape, made: pa.Table) -> None:
    """Raise HookError unless every prediction is a finite number; infinite ones were refused as they were made."""
    column = made.column(PREDICTION) if PREDICTION in made.column_names else None
    if column is None or not pa.types.is_floating(column.type) or column.null_count:
        nulls = column.null_count if column is not None else made.num_rows
        raise work.error(
            f"returned {nulls:,} of {made.num_rows:,} rows without a number as {PREDICTION!r}; "
            "every row needs a finite one"
        )
