"""The summary: who was judged how, who served, and the sentence that says so first."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from steps import contract, summary


def model(name: str, source: str = contract.FRESH, rows: int = 10, **changes: Any) -> summary.Model:
    accepted = changes.get("accepted", source == contract.FRESH)
    verdict = {
        "accepted": accepted,
        "ignored": changes.get("ignored", False),
        "status": contract.TRAINED,
        "mae": 31.0,
        "mae_low": 29.5,
        "baseline_mae": 40.0,
        "improvement": 22.5,
        "threshold": 20.0,
        "holdout_rows": 5,
        "reasons": [] if accepted else changes.get("reasons", ["MAE 31.0 > threshold 20"]),
    }
    inference = {"source": source, "reason": "passed", "rows": rows, "version": None}
    inference |= {"rows_waiting": changes.get("waiting", 0), "status": changes.get("status", contract.SCORED)}
    evaluation = {"status": contract.TRAINED, "train_rows": 20, "reason": changes.get("reason")}
    return summary.Model(name, name, False, name, Path(), inference, evaluation, verdict, changes.get("decision"))


def run(*models: summary.Model) -> summary.Run:
    data = {"version": "v", "rows": 30, "dropped_null_label": 2, "warnings": ["few"], "ignored": ["year"]}
    verdicts = {"passed": True, "threshold": 20.0, "max_baseline_ratio": 1.0, "min_holdout_rows": 1}
    settings = {"pipeline": "flights", "id": "id"}
    return summary.Run("x1", "s3://raw/", "t", "p", settings, {"Season": "winter"}, verdicts, data, data, models)


HEADLINES = {
    "all fresh": (
        [model("EWR"), model("JFK"), model("LGA")],
        ["All 3 models passed the gate", "3 of 3 segments served by fresh models"],
    ),
    "one fresh": ([model("EWR")], ["The model passed the gate", "1 of 1 segment served by fresh models"]),
    "one rejected sends all to defaults": (
        [model("EWR", contract.DEFAULT), model("JFK", contract.DEFAULT, accepted=True)],
        [
            "1 of 2 models was rejected by the gate",
            "2 of 2 segments served by DEFAULT (EWR: MAE 31.0 > threshold 20)",
        ],
    ),
    "one skipped": (
        [model("EWR"), model("JFK", contract.SKIPPED, rows=0, waiting=7)],
        [
            "1 of 2 models was rejected by the gate",
            "1 of 2 segments served by fresh models, 1 of 2 SKIPPED (JFK: MAE 31.0 > threshold 20)",
        ],
    ),
    "nothing to predict": (
        [model("EWR", rows=0)],
        ["The model passed the gate", "There was nothing to predict"],
    ),
    "not trained": (
        [model("EWR", ignored=True, accepted=False)],
        ["No model was trained", "1 of 1 segment served by fresh models"],
    ),
}


@pytest.mark.parametrize("case", HEADLINES)
def test_the_headline_says_what_the_gate_said_and_who_served(case: str) -> None:
    models, expected = HEADLINES[case]
    assert summary.headline(models) == expected


def test_the_headline_names_three_rejected_models_and_counts_the_others() -> None:
    sentence = summary.headline([model(name, contract.DEFAULT) for name in "abcde"])[1]
    assert "a: MAE" in sentence
    assert "c: MAE" in sentence
    assert "d: MAE" not in sentence
    assert sentence.endswith("; and 2 more)")


def test_a_rejected_model_without_reasons_tells_the_evaluations() -> None:
    down = model("EWR", contract.DEFAULT, reasons=[], reason="no holdout rows")
    assert summary.reasons(down) == ["no holdout rows"]
    assert summary.reasons(model("EWR", contract.DEFAULT, reasons=[])) == ["rejected"]


def test_a_run_is_degraded_only_when_rows_to_predict_were_left() -> None:
    left = model("EWR", contract.SKIPPED, rows=0, waiting=3)
    idle = model("JFK", contract.SKIPPED, rows=0)
    assert summary.status_of([model("LGA"), left]) == "Degraded"
    assert summary.status_of([model("LGA"), idle]) == "Succeeded"


def failed(waiting: int | None) -> summary.Model:
    decision = {"reason": "accepted by the gate"}
    return model("JFK", contract.SKIPPED, 0, accepted=True, status=contract.FAILED, waiting=waiting, decision=decision)


@pytest.mark.parametrize("waiting", [7, 0, None])
def test_a_failed_segment_degrades_the_run_whether_or_not_its_rows_could_be_counted(waiting: int | None) -> None:
    models = [model("EWR"), failed(waiting)]
    found = summary.summarize(run(*models), rows=10)
    assert found["status"] == "Degraded"
    assert found["headline"][1] == "1 of 2 segments served by fresh models, 1 of 2 FAILED (JFK: passed)"
    told = found["models"]["JFK"]
    assert (told["failure"], told["why"], told["rows_waiting"]) == ("passed", "passed", waiting or 0)


def test_why_a_model_served_is_decides_word_where_decide_ran() -> None:
    assert model("EWR").why == "passed"
    assert model("EWR", decision={"reason": "policy all"}).why == "policy all"


def test_the_summary_tells_the_column_that_moved_most_and_the_warnings() -> None:
    checked = {"worst": {"column": "x", "psi": 0.4, "more": 1}, "warnings": ["column 'x': PSI 0.40"], "columns": {}}
    moved = dataclasses.replace(model("EWR"), checked=checked)
    told = dataclasses.replace(run(moved), notes=("drift.ignore names 'y'",))

    found = summary.summarize(told, rows=10)

    assert found["models"]["EWR"]["drift"] == {"column": "x", "psi": 0.4, "warnings": ["column 'x': PSI 0.40"]}
    assert found["data"]["warnings"][-1] == "drift.ignore names 'y'"


def test_the_summary_tells_models_by_name_gate_and_data() -> None:
    found = summary.summarize(run(model("C (all)"), model("JFK", contract.DEFAULT)), rows=20)
    assert found["models"]["C (all)"] | {"warnings": None} == {
        **{"slug": "C (all)", "mae": 31.0, "baseline_mae": 40.0, "improvement": 22.5, "threshold": 20.0},
        **{"accepted": True, "reasons": [], "served_by": "fresh", "why": "passed", "rows": 10, "rows_waiting": 0},
        **{"model_version": None, "holdout_rows": 5, "train_rows": 20, "status": "trained", "reason": None},
        **{"autogluon_version": None, "warnings": None, "mae_low": 29.5, "mae_high": None, "failure": None},
        "drift": {"column": None, "psi": None, "warnings": []},
    }
    assert found["gate"] == {"passed": True, "threshold": 20.0, "max_baseline_ratio": 1.0, "min_holdout_rows": 1}
    assert (found["rows"], found["predict_rows"], found["execution"]) == (20, 30, "x1")
    assert found["parameters"] == {"Season": "winter"}
    assert found["data"]["dropped_null_label"] == 2
    assert found["data"]["warnings"] == ["few", "few"]
    assert contract.to_json(found)
