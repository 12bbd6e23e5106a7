from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import cells, kinds, rawfile, tables
from steps.kinds import Count


def cell_count(filled, numbers=0, codes=0, bools=0, times=0, file="a.csv"):
    return Count(file, rawfile.CELL, filled, filled, numbers, codes, bools, times)


@pytest.mark.parametrize(
    ("count", "kind"),
    [
        (cell_count(4, numbers=4), "number"),
        (cell_count(4, numbers=4, codes=1), "text"),
        (cell_count(4, bools=4), "bool"),
        (cell_count(4, times=4), "datetime"),
        (cell_count(4, numbers=1), "text"),
        (cell_count(4, numbers=3, codes=1), "text"),
        (cell_count(0), None),
    ],
)
def test_all_cells_decide_the_kind(count, kind):
    assert kinds.decide({"x": [count]}, ()) == ({"x": kind}, [])


def test_half_numbers_is_an_error_that_counts_and_says_the_way_out():
    _, [text] = kinds.decide({"x": [cell_count(4, numbers=4), cell_count(4, numbers=1, file="b.csv")]}, ())

    assert text == (
        "column 'x' has mixed types in 'b.csv': 5 of 8 non-empty cells are numbers, 3 are not; "
        "clean it, or list it under data.categories or data.drop"
    )


def test_declared_categories_are_text_whatever_they_hold():
    assert kinds.decide({"x": [cell_count(4, numbers=2)]}, {"x"}) == ({"x": "text"}, [])


def test_an_empty_file_of_a_column_does_not_decide():
    counts = [Count("a.parquet", rawfile.STRING, 3, 0), Count("b.parquet", rawfile.INTEGER, 3, 3)]

    assert kinds.decide({"x": counts}, ()) == ({"x": "number"}, [])


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    with tables.connect(tmp_path_factory.mktemp("scratch"), {"CORES": "1"}) as connection:
        yield connection


NUMBERS = ["1", "-1", "+.5", " 5. ", "1e5", "1E-5", "007", "0", "-0.5", "1e308"]
OTHERS = [
    "",
    " ",
    "nan",
    "inf",
    "-Infinity",
    "1_000",
    "+-5",
    " +-5",
    "1,5",
    "0x1F",
    "5 x",
    "1e",
    ".",
    "-",
    "٣",
    "1e400",
]


@pytest.mark.parametrize("cell", NUMBERS + OTHERS)
def test_a_number_is_what_the_pattern_allows(connection, cell):
    [(is_number, value)] = connection.execute(
        f"SELECT {cells.is_number('p')}, {cells.value(rawfile.CELL, 'number', 'p')} FROM (SELECT ?::VARCHAR AS p)",
        [cell],
    ).fetchall()

    assert bool(is_number) is (cell in NUMBERS)
    assert value == (float(cell) if cell in NUMBERS else None)


@given(st.text(alphabet="0123456789+-.eE_ naif", max_size=8))
@settings(max_examples=300, deadline=None)
def test_numbers_agree_with_the_pattern_for_any_text(connection, cell):
    [(is_number,)] = connection.execute(
        f"SELECT {cells.is_number('p')} FROM (SELECT ?::VARCHAR AS p)", [cell]
    ).fetchall()

    matched = re.fullmatch(cells.NUMBER_PATTERN, cell) is not None
    assert bool(is_number) is (matched and abs(float(cell)) < float("inf"))


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=50, deadline=None)
def test_a_float_survives_being_read_as_text(connection, number):
    [(value,)] = connection.execute(
        f"SELECT {cells.value(rawfile.CELL, 'number', 'p')} FROM (SELECT ?::VARCHAR AS p)", [repr(number)]
    ).fetchall()

    assert value == number


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-01-02", "2026-01-02 00:00:00"),
        ("2026-01-02T03:04:05.5Z", "2026-01-02 03:04:05.5"),
        ("2026-01-02 03:04:05-05:30", "2026-01-02 08:34:05"),
        ("2026-01-02 03:04+02", "2026-01-02 01:04:00"),
        ("2026-13-02", None),
        ("2026-1-2", None),
        ("02.01.2026", None),
    ],
)
def test_times_are_iso_and_become_utc(connection, cell, expected):
    [(value,)] = connection.execute(
        f"SELECT ({cells.value(rawfile.CELL, 'datetime', 'p')})::VARCHAR FROM (SELECT ?::VARCHAR AS p)", [cell]
    ).fetchall()

    assert value == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("0", 0),
        ("-5", -5),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("+5", None),
        ("-0", None),
    ],
)
def test_an_id_is_whole_only_if_nothing_is_lost(connection, cell, expected):
    [(value,)] = connection.execute(f"SELECT {cells.whole_id('p')} FROM (SELECT ?::VARCHAR AS p)", [cell]).fetchall()

    assert value == expected
