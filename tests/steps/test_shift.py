from __future__ import annotations

from steps import shift
from steps.language import ENGLISH

SAY = ENGLISH


def test_a_model_that_was_not_compared_says_why_and_whether_its_default_was_checked() -> None:
    found = shift.table({"reason": "no training rows", "default": {"version": 2, "unchecked": "not checked: old"}}, SAY)

    assert found == {
        "note": "Nothing is compared: no training rows. Approved default, version 2: not checked: old.",
        "columns": [],
    }


def test_only_the_columns_that_moved_most_are_shown() -> None:
    columns = {f"c{n:02d}": {"psi": n / 100, "null_train": 0.0, "null_predict": 0.0, "unseen": None} for n in range(40)}
    found = shift.table({"columns": {**columns, "t": {**columns["c00"], "psi": None}}}, SAY)

    assert [name for name, *_ in found["columns"]] == [f"c{n:02d}" for n in range(39, 9, -1)]
    assert found["note"].endswith("11 columns that moved less are left out.")
