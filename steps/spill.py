"""What a hook made of rows, kept on disk until its columns are known for all models.

A chunk can lack any value of a column, so that the column's kind is known only once all chunks were made; then the
chunks are read back, all with the same columns, and written as the models' prepared rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from steps import contract, reshape
from steps.hooks import HookError
from steps.isolation import BlamedError
from steps.reshape import Reshape
from steps.schema import Column, Prepared

_ROLES = [f"{contract.ROW}{number}" for number in range(4)]
"""What the columns are called meanwhile that are no features: no feature may be called like one of them."""


class Spill:
    """The chunks of all models; where segments are isolated, a hook that fails for one leaves the others be."""

    def __init__(self, folder: Path, reshape_of: Callable[[int], Reshape], isolates: bool = False) -> None:
        self.dropped: dict[int, int] = {}
        self._folder, self._reshape_of, self._isolates = folder, reshape_of, isolates
        self._kinds: dict[str, str | None] = {}
        self._chunks: dict[int, list[Path]] = {}
        self._failed: dict[int, str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def open(self, model: int) -> Sink:
        """Return where the rows of a model go."""
        return Sink(self, model, self._reshape_of(model))

    def keep(self, model: int, roles: pa.Table, made: reshape.Reshaped) -> None:
        """Keep what was made of a chunk, with the columns that the hook may not change."""
        self.dropped[model] = self.dropped.get(model, 0) + made.dropped
        for name, kind in made.kinds.items():
            known = self._kinds.get(name)
            if known and kind and known != kind:
                raise self._reshape_of(model).error(
                    f"returned column {name!r} with values of kind {kind}, and of kind {known} for other rows; "
                    "make it one kind",
                )
            self._kinds[name] = known or kind
        path = self._folder / f"{model}-{len(self._chunks.setdefault(model, []))}.parquet"
        self._chunks[model].append(path)
        rows = roles.rename_columns(_ROLES[: roles.num_columns]).filter(pa.array(made.kept))
        for name in made.table.column_names:
            rows = rows.append_column(name, made.table.column(name))
        pq.write_table(rows, path, compression="none")  # type: ignore[no-untyped-call]

    def fail(self, model: int, error: HookError) -> None:
        """Take note of a model whose rows the hook cannot make; raise it where one model stands for all."""
        if not self._isolates:
            raise error
        self._failed.setdefault(model, str(error))

    def has_failed(self, model: int) -> bool:
        """Tell whether the hook failed for a model."""
        return model in self._failed

    def prepared(self, pooled: int | None) -> Prepared:
        """Return the feature columns of all models, in the order in which they were met.

        Raises:
            BlamedError: the hook failed for some models; a `pooled` one has their rows too, and is tried again without.
        """
        if self._failed:
            own = {model: [text] for model, text in self._failed.items() if model != pooled}
            blamed = own or {model: [text] for model, text in self._failed.items()}
            raise BlamedError(list(dict.fromkeys(self._failed.values())), blamed)
        columns = tuple(Column(name, kind) for name, kind in self._kinds.items() if kind is not None)
        return Prepared(columns, tuple(name for name, kind in self._kinds.items() if kind is None))

    def chunks(self, model: int, wanted: Prepared) -> Iterator[pa.Table]:
        """Yield a model's chunks, the wanted columns behind those that the hook may not change; each is gone then.

        Raises:
            HookError: a chunk has not the columns that others have.
        """
        for path in self._chunks.get(model, ()):
            table = pq.read_table(path)  # type: ignore[no-untyped-call]
            path.unlink()
            roles = [name for name in table.column_names if name in _ROLES]
            made = table.drop_columns(roles)
            kinds = dict.fromkeys(made.column_names)  # each was compared when it was made
            yield _beside(table.select(roles), self._reshape_of(model).fit(made, kinds, wanted))


def _beside(first: pa.Table, second: pa.Table) -> pa.Table:
    columns = [*first.columns, *second.columns]
    return pa.table(columns, schema=pa.schema([*first.schema, *second.schema]))


class Sink:
    """Takes the rows of one model, whose first column is no column of the data."""

    def __init__(self, spill: Spill, model: int, work: Reshape) -> None:
        self._spill, self._model, self._work, self._first = spill, model, work, True

    def add(self, rows: pa.Table) -> None:
        """Call the hook with the next chunk."""
        if self._spill.has_failed(self._model):
            return
        roles = rows.select(range(len(self._work.roles) + 1))
        try:
            self._spill.keep(self._model, roles, self._work.rows(rows.remove_column(0), self._first))
        except HookError as error:
            self._spill.fail(self._model, error)
        self._first = False

    def finish(self) -> None:
        """Do nothing: what follows from all rows is written once the columns are known."""
