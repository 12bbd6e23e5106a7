"""A raw folder written from columns, and what is proposed for it: read in this process, which is quick."""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines import draft, survey
from pipelines.draft import Draft
from pipelines.proposal import Wanted
from steps import survey as reading

Columns = Mapping[str, Sequence[Any]]


def write_csv(path: Path, columns: Columns, delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def shops(rows: int, first: int = 0, names: Sequence[str] = ("north", "south")) -> dict[str, list[Any]]:
    """Return rows of shops: an id, a name, a number, and a label that depends on both."""
    chance = random.Random(first)
    area = [round(chance.uniform(10, 90), 2) for _ in range(rows)]
    return {
        "item_id": [first + n for n in range(rows)],
        "store": [names[n % len(names)] for n in range(rows)],
        "area": area,
        "price": [round(3 * value + n % len(names) + chance.random(), 2) for n, value in enumerate(area)],
    }


def without(columns: Columns, *names: str) -> dict[str, Sequence[Any]]:
    return {name: values for name, values in columns.items() if name not in names}


def propose(raw: Path, **wanted: str) -> Draft:
    """Return what is proposed for a folder, as the command does but for the processes that read it."""

    def ask(question: survey.Question) -> survey.Counts:
        return survey.read_counts(reading.count(survey.make_request(question), raw))

    return draft.propose(survey.read_facts(reading.survey(raw)), Wanted(**wanted), ask)
