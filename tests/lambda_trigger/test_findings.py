"""What is said of drift: which limit warns, which fails, and what a default lacks."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lambda_trigger import findings
from lambda_trigger.findings import Checked, Default, find_mismatches, find_strangers, judge, to_json, worst
from lambda_trigger.settings import Drift, Limit
from lambda_trigger.stability import ColumnDrift

LIMITS = Drift(Limit(0.01, None), Limit(0.1, None), Limit(0.25, None), (), "warn", "origin")
QUIET = ColumnDrift("text", 0.02, 0.1, 0.0, 0.0, 0.0)
LOUD = ColumnDrift("text", 0.6, 0.1, 0.0, 0.4, 0.2)


def test_each_measure_beyond_its_limit_is_a_sentence_with_the_figure() -> None:
    found = judge({"kind": LOUD, "x": QUIET}, None, LIMITS, is_pooled=False)

    assert found.failures == ()
    assert found.warnings == (
        "column 'kind': 20.0% of the rows have a category that training did not see",
        "column 'kind': 40.0% of the rows are null, in training 0.0%",
        "column 'kind': PSI 0.60 between training rows and rows to predict",
    )


def test_what_reaches_its_limit_exactly_does_not_pass_it() -> None:
    at = ColumnDrift("text", 0.25, 0.1, 0.0, 0.1, 0.01)

    assert judge({"kind": at}, None, LIMITS, is_pooled=False).warnings == ()


def test_a_psi_within_the_noise_of_its_sample_says_nothing() -> None:
    assert judge({"x": replace(QUIET, psi=3.0, noise=3.1)}, None, LIMITS, is_pooled=False).warnings == ()


def test_all_fail_limits_are_named_with_their_keys_and_are_no_warnings() -> None:
    strict = Drift(Limit(0.01, 0.1), Limit(0.1, 0.3), Limit(0.25, 0.5), (), "warn", None)
    found = judge({"kind": LOUD}, None, strict, is_pooled=False)

    assert found.warnings == ()
    assert [failure.rpartition(" (")[2] for failure in found.failures] == [
        "drift.unseen.fail is 0.1)",
        "drift.nulls.fail is 0.3)",
        "drift.psi.fail is 0.5)",
    ]


def test_a_fail_limit_counts_without_or_below_a_warn_limit() -> None:
    strict = replace(LIMITS, unseen=Limit(None, None), nulls=Limit(None, None), psi=Limit(None, 0.5))
    assert len(judge({"kind": LOUD}, None, strict, is_pooled=False).failures) == 1
    assert judge({"kind": replace(LOUD, psi=0.4)}, None, strict, is_pooled=False) == findings.Verdict()
    assert len(judge({"kind": LOUD}, None, replace(strict, psi=Limit(9, 0.5)), is_pooled=False).failures) == 1


def test_a_pooled_models_distributions_differ_by_design() -> None:
    found = judge({"kind": LOUD}, None, replace(LIMITS, psi=Limit(0.1, 0.2)), is_pooled=True)

    assert [sentence for sentence in (*found.warnings, *found.failures) if "PSI" in sentence] == []
    assert len(found.warnings) == 2


@pytest.mark.parametrize(("action", "side"), [("warn", "warnings"), ("fail", "failures")])
def test_a_default_that_does_not_fit_warns_or_fails_as_set(action: str, side: str) -> None:
    default = Default(3, ("column 'x' is missing",))
    found = judge({}, default, replace(LIMITS, default=action), is_pooled=False)

    assert getattr(found, side) == (
        "the approved default (version 3) could not serve these rows: column 'x' is missing",
    )
    assert judge({}, Default(3), LIMITS, is_pooled=False) == findings.Verdict()


def test_a_default_wants_its_columns_of_its_kinds() -> None:
    schema = {"columns": [{"name": n, "kind": k} for n, k in (("kind", "text"), ("x", "number"), ("b", "bool"))]}

    assert find_mismatches(schema, {"kind": "text", "x": "number", "b": "number", "more": "text"}) == ()
    assert find_mismatches(schema, {"kinds": "text", "x": "text", "b": "bool"}) == (
        "column 'kind' is missing (nearest is 'kinds')",
        "column 'x' is text, the model was trained on number",
    )


def test_a_column_to_ignore_that_no_model_has_is_noted_with_the_nearest() -> None:
    assert find_strangers(("x", "mouth"), ("x", "month")) == (
        "drift.ignore names 'mouth', which is no feature (nearest is 'month')",
    )
    assert find_strangers(("mouth",), ()) == ()


def test_the_worst_column_is_that_of_the_largest_psi() -> None:
    found = {"b": QUIET, "a": LOUD, "t": ColumnDrift("datetime", None, None, 0, 0, None), "c": LOUD}

    assert worst(found) == ("a", 0.6)
    assert worst({}) is None


def test_the_contract_tells_what_was_compared_measured_and_said() -> None:
    said = judge({"kind": LOUD}, Default(3, ("gone",)), LIMITS, is_pooled=False)
    models = [
        Checked("C (all)", "C-all", 10, 5, None, {"kind": LOUD}, Default(3, ("gone",)), said),
        Checked("JFK", "JFK", reason="no rows to predict"),
    ]

    found = json.loads(to_json("x1", LIMITS, models, ["a note"]))

    assert (found["measure"], found["execution"], found["warnings"], found["failures"]) == ("PSI", "x1", 5, 0)
    assert found["limits"]["unseen"] == {"warn": 0.01, "fail": None}
    assert found["models"]["C-all"] == {
        **{"name": "C (all)", "compared": True, "reason": None, "train_rows": 10, "predict_rows": 5},
        "worst": {"column": "kind", "psi": 0.6},
        "columns": {
            "kind": {
                **{"kind": "text", "psi": 0.6, "noise": 0.1, "null_train": 0.0, "null_predict": 0.4, "unseen": 0.2}
            }
        },
        "default": {"version": 3, "problems": ["gone"], "unchecked": None},
        **{"warnings": list(said.warnings), "failures": []},
    }
    assert (found["models"]["JFK"]["compared"], found["models"]["JFK"]["worst"]) == (False, None)
