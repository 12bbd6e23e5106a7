from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prepare_stage import model

from steps import assignment, rawfile, tables
from steps.job import StepError
from steps.rawfile import RawFile

COLUMNS = ("a", "b")


def csv_file(key="train.csv", stored=(rawfile.CELL, rawfile.CELL)):
    return RawFile(key, Path(key), COLUMNS, tuple(stored))


def plan_of(models, files=None):
    return assignment.make_plan(assignment.read_rules(models, "train"), files or [csv_file()])


def code(connection, plan, row, file=None):
    for statement in assignment.type_statements(plan):
        connection.execute(statement)
    expression = assignment.code_expression(plan, file or csv_file(), {"a": "a", "b": "b"})
    return connection.execute(f"SELECT {expression} FROM (SELECT ?::VARCHAR AS a, ?::VARCHAR AS b)", row).fetchall()[0][
        0
    ]


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    with tables.connect(tmp_path_factory.mktemp("scratch"), {"CORES": "1"}) as connection:
        yield connection


VALUES = st.sampled_from(["x", "y", "z", "it's", "7", "7.0"])
WHERE = st.dictionaries(st.sampled_from(COLUMNS), st.lists(VALUES, min_size=1, max_size=3), min_size=1, max_size=2)


@given(st.lists(WHERE, min_size=1, max_size=4), st.tuples(st.none() | VALUES, st.none() | VALUES))
@settings(max_examples=60, deadline=None)
def test_a_row_belongs_to_every_model_whose_where_it_meets(connection, wheres, row):
    plan = plan_of([model(str(n), where=where) for n, where in enumerate(wheres)])
    cells = dict(zip(COLUMNS, row, strict=True))

    found = assignment.Matcher(plan).models(code(connection, plan, row))

    assert found == [n for n, where in enumerate(wheres) if all(cells[c] in values for c, values in where.items())]


@given(st.dictionaries(st.integers(0, 3), st.integers(1, 50)), st.booleans())
@settings(max_examples=40, deadline=None)
def test_no_row_is_lost_between_models_and_the_rest(counts, has_pooled):
    models = [model("x", where={"a": ["x"]}), model("y", where={"a": ["y"]})]
    plan = plan_of(models + ([model("(pooled)", pooled=True)] if has_pooled else []))
    counts = {code: rows for code, rows in counts.items() if code < 3}

    placement, problems = assignment.place(plan, counts, "skip")

    assert not problems
    served = sum(counts[code] for code, taker in placement.models.items() if taker is not None)
    assert served + placement.skipped_rows == sum(counts.values())
    assert placement.skipped_rows == (0 if has_pooled else placement.rest_rows)


def test_numbers_stored_as_numbers_are_compared_by_value(connection):
    numeric = csv_file("n.parquet", (rawfile.FLOAT, rawfile.CELL))
    plan = plan_of([model("seven", where={"a": ["7.0"]}), model("code", where={"a": ["07"]})], [numeric, csv_file()])

    matcher = assignment.Matcher(plan)
    one = connection.execute("SELECT 1").fetchall()
    assert one
    assert plan.class_of == {"n.parquet": 0, "train.csv": 1}
    assert matcher.models(code(connection, plan, ("7.0", None))) == [0]
    assert matcher.models(code(connection, plan, ("7", None))) == []


def test_globs_of_their_own_and_where_must_both_hold(connection):
    files = [csv_file("train-a.csv"), csv_file("train-b.csv")]
    plan = plan_of([model("A", train=["*-a.csv"], where={"a": ["x"]}), model("B", train=["*-b.csv"])], files)
    matcher = assignment.Matcher(plan)

    assert matcher.models(code(connection, plan, ("x", None), files[0])) == [0]
    assert matcher.models(code(connection, plan, ("y", None), files[0])) == []
    assert matcher.models(code(connection, plan, ("x", None), files[1])) == [1]


def test_common_globs_count_only_where_a_model_has_none_of_its_own():
    own = assignment.read_rules([model("A", train=["a*"]), model("p", pooled=True)], "train")
    some = assignment.read_rules([model("A", train=["a*"]), model("B")], "train")

    assert assignment.effective_globs(["train*"], own) == ("a*",)
    assert assignment.effective_globs(["train*"], some) == ("train*", "a*")
    assert assignment.effective_globs(["train*"], ()) == ("train*",)


def test_too_many_where_values_at_once_are_refused():
    columns = tuple(f"c{n}" for n in range(30))
    file = RawFile("t.csv", Path("t.csv"), columns, (rawfile.CELL,) * 30)
    where = {column: [str(n) for n in range(10)] for column in columns}

    with pytest.raises(StepError, match="too many values"):
        plan_of([model("A", where=where)], [file])
