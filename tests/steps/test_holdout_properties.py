"""Which rows are held out, for any rows: it hangs on the row alone, and in time the later ones are."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_holdout import split

from steps import tables
from steps.holdout import Holdout

MODELS = st.lists(st.integers(0, 2), min_size=1, max_size=20)
FRACTIONS = st.sampled_from([0.05, 0.2, 0.5, 0.9])


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    with tables.connect(tmp_path_factory.mktemp("scratch"), {"CORES": "1"}) as connection:
        yield connection


def held_out(connection, rows, how):
    """Return the ids of the rows that are held out, by model."""
    found = split(connection, rows, how)
    return {(m, key) for (m, key, _), (_, _, held) in zip(rows, found, strict=True) if held}


@given(MODELS, FRACTIONS, st.integers(0, 9))
@settings(max_examples=30)
def test_the_order_of_rows_and_other_models_do_not_matter(connection, models, fraction, seed):
    rows = [(m, f"id {n}", None) for n, m in enumerate(models)]
    how = Holdout("random", fraction, seed, None)
    found = held_out(connection, rows, how)
    mixed = list(rows)
    random.Random(seed).shuffle(mixed)

    assert held_out(connection, mixed, how) == found
    for model in set(models):
        alone = [row for row in mixed if row[0] == model]
        assert held_out(connection, alone, how) == {(m, key) for m, key in found if m == model}


@given(st.lists(st.tuples(st.integers(0, 1), st.none() | st.integers(0, 30)), min_size=1, max_size=20), FRACTIONS)
@settings(max_examples=30)
def test_every_row_held_out_by_time_is_later_than_those_to_train_on(connection, moments, fraction):
    rows = [(m, str(n), None if at is None else f"{at:03d}") for n, (m, at) in enumerate(moments)]

    found = split(connection, rows, Holdout("time", fraction, 0, "part"))

    for model in {m for m, _ in moments}:
        train = [at or "" for m, at, held in found if m == model and not held]
        later = [at or "" for m, at, held in found if m == model and held]
        assert max(train) <= min(later, default=max(train))


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from("abcde")), min_size=1, max_size=20), st.integers(0, 9))
@settings(max_examples=30)
def test_groups_held_out_do_not_hang_on_the_order_of_rows(connection, groups, seed):
    rows = [(m, str(n), group) for n, (m, group) in enumerate(groups)]
    how = Holdout("group", 0.3, seed, "part")
    found = held_out(connection, rows, how)
    mixed = list(rows)
    random.Random(seed).shuffle(mixed)

    assert held_out(connection, mixed, how) == found
