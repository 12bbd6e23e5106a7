"""A guess that is proven equals what counting all cells decides."""

from __future__ import annotations

import csv
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import assignment, forms, guess, kinds, loading, rawfile, tables
from steps.loading import Layout
from steps.schema import Column


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    with tables.connect(tmp_path_factory.mktemp("scratch"), {"CORES": "1"}) as connection:
        yield connection


CELL = st.sampled_from(
    ["", "1", "2.5", "-3", "007", "0", "true", "FALSE", "2026-01-02", "2026-01-02T03:04Z", "a", "1_0"]
)


def load_guessed(connection, file, names, rows, is_plain=False):
    file = replace(file, is_plain=is_plain)
    plan = assignment.make_plan((), [file])
    guessed = guess.guess(connection, [file], names, ",", rows)
    columns = tuple(Column(name, guessed.kinds[name]) for name in names)
    watched = guess.open_columns(columns, guessed.unseen, ())
    layout = Layout(columns, None, ",", checks=True, checks_codes=True, watches=watched)
    loaded = loading.load_numbers(connection, [file], layout, plan)
    return columns, guess.prove(connection, columns, watched, ()) if loaded else None


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_a_proven_guess_is_what_all_cells_decide(connection, cells, rows):
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "a.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("key", "x", "y"), *(("k", *row) for row in cells)])
        [file] = rawfile.open_files(["a.csv"], Path(folder), ",")
        odd = forms.OddNumbers(",")
        odd.feed(file.path.read_bytes())
        columns, empty = load_guessed(connection, file, ["x", "y"], rows, is_plain=not odd.found)
        decided, problems = kinds.decide(kinds.measure(connection, [file], ["x", "y"], ","), ())

    if empty is not None:
        assert problems == []
        assert {c.name: None if c.name in empty else c.kind for c in columns} == decided


def test_a_plain_file_is_loaded_by_its_guess(connection, tmp_path):
    (tmp_path / "a.csv").write_text("x,void,word\n1,,a\n2,,b\n")
    [file] = rawfile.open_files(["a.csv"], tmp_path, ",")

    columns, empty = load_guessed(connection, file, ["x", "void", "word"], 1)

    assert [column.kind for column in columns] == ["number", "number", "text"]
    assert empty == ("void",)


@pytest.mark.parametrize("cells", ["1\nx", "1\n007", "true\n1", "2026-01-02\nx", "x\n1\n2", "1\n1_0"])
def test_a_guess_that_later_cells_belie_is_not_proven(connection, tmp_path, cells):
    (tmp_path / "a.csv").write_text(f"x\n{cells}\n")
    [file] = rawfile.open_files(["a.csv"], tmp_path, ",")

    assert load_guessed(connection, file, ["x"], 1)[1] is None
