"""The contract between training and inference: which columns a model takes, of which kind.

The global schema (`Schema`) is what PrepareTraining hands to PreparePrediction; it holds no statistics, so that it
changes only when columns do. The model's own (`ModelSchema`) travels inside the artifact and is checked before a row
is scored. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from steps import contract

NUMBER = "number"
BOOL = "bool"
DATETIME = "datetime"
TEXT = "text"

INTEGER_ID = "int64"
TEXT_ID = "string"

CATEGORY_LIMIT = 1000
"""A text column with more distinct values than this is listed without categories."""


@dataclass(frozen=True)
class Column:
    """A feature column and its kind: number, bool, datetime or text."""

    name: str
    kind: str


@dataclass(frozen=True)
class Prepared:
    """The feature columns that the `prepare` hook makes of a schema's, and those that it leaves `empty` in all rows."""

    columns: tuple[Column, ...]
    empty: tuple[str, ...]

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Prepared:
        """Return what `dataclasses.asdict` made of it."""
        columns = tuple(Column(column["name"], column["kind"]) for column in found["columns"])
        return cls(columns, tuple(found["empty"]))


@dataclass(frozen=True)
class Schema:
    """Feature columns in training order, the columns with a role, and which models have rows to train on.

    These are the columns of the raw files; a model is given the `prepared` ones where there are any.
    """

    columns: tuple[Column, ...]
    label: str
    id: str
    segment: str | None
    trained: Mapping[str, bool]
    prepared: Prepared | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the form that is written to the global `schema.json`."""
        return {
            "columns": [asdict(column) for column in self.columns],
            "label": self.label,
            "id": self.id,
            "segment": self.segment,
            "trained": dict(self.trained),
            **({"prepared": asdict(self.prepared)} if self.prepared else {}),
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Schema:
        """Return the schema that `to_json` wrote."""
        return cls(
            columns=tuple(Column(column["name"], column["kind"]) for column in found["columns"]),
            label=found["label"],
            id=found["id"],
            segment=found["segment"],
            trained=dict(found["trained"]),
            prepared=Prepared.from_json(found["prepared"]) if found.get("prepared") else None,
        )


@dataclass(frozen=True)
class ModelColumn:
    """A feature column as one model's rows show it; categories (sorted) only for text of few values."""

    name: str
    kind: str
    null_rate: float
    categories: tuple[str, ...] | None


@dataclass(frozen=True)
class ModelSchema:
    """What one model was trained on; `ignored` columns hold nothing in the training files.

    `raw` are the columns of the files where the `prepare` hook made others of them.
    """

    model: str
    slug: str
    label: str
    id: str
    segment: str | None
    columns: tuple[ModelColumn, ...]
    ignored: tuple[str, ...]
    format: int = contract.FORMAT
    raw: tuple[Column, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the form that is written to the model's `schema.json`."""
        return {
            "format": self.format,
            "model": self.model,
            "slug": self.slug,
            "label": self.label,
            "id": self.id,
            "segment": self.segment,
            "columns": [_column_json(column) for column in self.columns],
            "ignored": list(self.ignored),
            **({"raw": [asdict(column) for column in self.raw]} if self.raw is not None else {}),
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> ModelSchema:
        """Return the schema that `to_json` wrote."""
        return cls(
            model=found["model"],
            slug=found["slug"],
            label=found["label"],
            id=found["id"],
            segment=found["segment"],
            columns=tuple(_column(column) for column in found["columns"]),
            ignored=tuple(found["ignored"]),
            format=found["format"],
            raw=tuple(Column(column["name"], column["kind"]) for column in found["raw"]) if "raw" in found else None,
        )


def _column_json(column: ModelColumn) -> dict[str, Any]:
    categories = None if column.categories is None else list(column.categories)
    return {"name": column.name, "kind": column.kind, "null_rate": column.null_rate, "categories": categories}


def _column(found: Mapping[str, Any]) -> ModelColumn:
    categories: Sequence[str] | None = found["categories"]
    return ModelColumn(
        found["name"], found["kind"], found["null_rate"], None if categories is None else tuple(categories)
    )
