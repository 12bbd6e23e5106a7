from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import holdout, tables
from steps.holdout import Holdout


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    with tables.connect(tmp_path_factory.mktemp("scratch"), {"CORES": "1"}) as connection:
        yield connection


def split(connection, rows, how, has_id=True):
    """Split rows of (model, id, part); return [(model, part, held out)] in their order."""
    for name in ("t", "place", "sizes", "held"):
        connection.execute(f"DROP TABLE IF EXISTS {name}")
    connection.execute("CREATE TABLE t (id VARCHAR, part VARCHAR, m INTEGER)")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", [(key, part, m) for m, key, part in rows])
    key = holdout.ID_KEY if has_id else holdout.POSITION_KEY
    number = "row_number() OVER (PARTITION BY m ORDER BY rowid) AS n"
    connection.execute(
        f"CREATE TABLE place AS SELECT p.r, p.m, p.n, {holdout.bucket(how, key)} AS b "
        f"FROM (SELECT rowid AS r, m, {number} FROM t) p JOIN t ON t.rowid = p.r"
    )
    connection.execute("CREATE TABLE sizes (m INTEGER, k BIGINT)")
    for m in {m for m, _, _ in rows}:
        count = sum(1 for row in rows if row[0] == m)
        connection.execute("INSERT INTO sizes VALUES (?, ?)", [m, holdout.size(count, how.fraction)])
    connection.execute(holdout.statement(how, key))
    return connection.execute(
        "SELECT t.m, t.part, h.r IS NOT NULL FROM t LEFT JOIN held h ON t.rowid = h.r ORDER BY t.rowid"
    ).fetchall()


ROWS = st.lists(st.tuples(st.integers(0, 2), st.none() | st.sampled_from("abc")), min_size=1, max_size=25)
FRACTION = st.sampled_from([0.05, 0.2, 0.5, 0.9])


@given(ROWS, FRACTION, st.sampled_from(["random", "time"]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_model_holds_out_exactly_its_size_and_each_row_is_on_one_side(connection, rows, fraction, method, has_id):
    given_rows = [(m, str(n), part) for n, (m, part) in enumerate(rows)]

    found = split(connection, given_rows, Holdout(method, fraction, 0, "part"), has_id)

    assert [m for m, _, _ in found] == [m for m, _ in rows]
    for m in {m for m, _ in rows}:
        held = [h for of, _, h in found if of == m]
        assert sum(held) == min(max(1, round(fraction * len(held))), len(held) - 1)


@given(ROWS, FRACTION)
@settings(max_examples=40, deadline=None)
def test_groups_stay_whole_and_one_is_always_left_to_train_on(connection, rows, fraction):
    found = split(
        connection, [(m, str(n), part) for n, (m, part) in enumerate(rows)], Holdout("group", fraction, 0, "part")
    )

    assert len(found) == len(rows)
    for m in {m for m, _ in rows}:
        held = {part for of, part, h in found if of == m and h}
        train = {part for of, part, h in found if of == m and not h}
        assert train
        assert not held & train
        assert held or len(train) == 1


def test_another_seed_holds_out_other_rows_and_the_same_seed_the_same(connection):
    rows = [(0, str(n), None) for n in range(50)]
    first = split(connection, rows, Holdout("random", 0.2, 0, None))

    assert split(connection, rows, Holdout("random", 0.2, 0, None)) == first
    assert split(connection, rows, Holdout("random", 0.2, 1, None)) != first


@pytest.mark.parametrize(("rows", "expected"), [(0, 0), (1, 0), (2, 1), (3, 1), (10, 2), (1000, 200)])
def test_the_size_is_at_least_one_and_never_all(rows, expected):
    assert holdout.size(rows, 0.2) == expected
