"""What is loaded does not depend on whether the reader casts the numbers, and files are read the same twice."""

from __future__ import annotations

import csv
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import assignment, forms, loading, rawfile, tables
from steps.job import StepError
from steps.loading import Layout
from steps.schema import Column

NAMES = ("key", "x", "y", "word")
LAYOUT = Layout((Column("x", "number"), Column("word", "text")), "key", ",", label="y", checks=True)


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    with tables.connect(tmp_path_factory.mktemp("scratch"), {"CORES": "1"}) as connection:
        yield connection


def write(folder, rows):
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([NAMES, *rows])
    [file] = rawfile.open_files(["a.csv"], folder, ",")
    odd = forms.OddNumbers(",")
    odd.feed(file.path.read_bytes())
    return replace(file, is_plain=not odd.found)


def read(connection, loaded, plan):
    batches = [batch for _, batch in loading.stream(connection, loaded, LAYOUT, plan, "string")]
    return pa.Table.from_batches(batches).to_pylist()


NUMBER = st.sampled_from(["", "0", "-0", "1", " 2.5 ", "+3", "-.5", "1e3", "1e-400", "0.30000000000000004", "5."])
ODD = st.sampled_from(["x", "inf", "nan", "007", "1_0", "+-1", "true", "1e400", '"', "1,5"])
WORD = st.text(alphabet='a0_,"\n é', max_size=4)


@given(st.lists(st.tuples(NUMBER | ODD, NUMBER, WORD), min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_numbers_cast_by_the_reader_are_those_that_are_cast_from_text(connection, rows):
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder), [(n, *row) for n, row in enumerate(rows)])
        plan = assignment.make_plan((), [file])
        loaded = loading.load_numbers(connection, [file], LAYOUT, plan)
        found = None
        if loaded and not loading.count_bad(connection):
            found = connection.execute("SELECT * FROM t").fetchall(), read(connection, loaded, plan)
        by_text = loading.load(connection, [replace(file, is_plain=False)], LAYOUT, plan)
        bad = loading.count_bad(connection)
        expected = connection.execute("SELECT * FROM t").fetchall(), read(connection, by_text, plan)

    if found:
        assert not bad
        assert repr(found) == repr(expected)
    else:
        assert bad


def test_a_file_of_another_length_than_when_it_was_loaded_is_an_error(connection, tmp_path):
    file = write(tmp_path, [("a", 1, 2, "w"), ("b", 3, 4, "w")])
    plan = assignment.make_plan((), [file])
    loaded = loading.load_numbers(connection, [file], LAYOUT, plan)
    write(tmp_path, [("a", 1, 2, "w")])

    with pytest.raises(StepError, match=re.escape("file 'a.csv' changed while it was read; start a new run")):
        read(connection, loaded, plan)
