"""The graph of a run: what took how long, what was critical, what ran in an earlier execution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from steps import contract, report_graph, summary
from steps.language import ENGLISH

SAY = ENGLISH


def at(second: float, seconds: float) -> dict[str, Any]:
    minutes, rest = divmod(second, 60)
    return {"timing": {"started": f"2026-11-26T20:{int(minutes):02d}:{rest:06.3f}+00:00", "seconds": seconds}}


def model(name: str, train: dict[str, Any], infer: dict[str, Any], **more: Any) -> summary.Model:
    inference = {"source": contract.FRESH, "rows": 1, **infer}
    given = {"evaluation": {"status": "trained", **train}, "verdict": {"accepted": True}, "checked": {"columns": {}}}
    return summary.Model(name, name, False, **{"job": name, "folder": Path(), "inference": inference, **given, **more})


def run(*models: summary.Model, **changes: Any) -> summary.Run:
    given: dict[str, Any] = {
        "train_data": at(1, 9),
        "predict_data": at(11, 4),
        "started": "2026-11-26T20:00:00Z",
        "timing": at(120, 10)["timing"],
    }
    facts = {"execution": "e", "raw": "r", "train_version": "t", "predict_version": "p", "settings": {}}
    return summary.Run(**{**facts, "parameters": {}, "verdicts": {}, "models": models, **given, **changes})


A = model("a", at(20, 30), at(90, 5))
B = model("b", at(20, 60), at(90, 2))


def test_the_critical_path_goes_back_from_each_step_to_what_had_ended_last_when_it_began() -> None:
    found = report_graph.graph(run(A, B), SAY)
    assert found["critical"] == ["PrepareTraining", "PreparePrediction", "Train-b", "Infer-a", "PostProcess"]
    lines = {line["name"]: line for line in found["steps"]}
    assert (lines["Train-a"]["began"], lines["Train-a"]["took"]) == ("after 20 s", "30 s")
    assert lines["Train-b"]["took"] == "1 min 0 s"
    assert found["total"] == 130.0
    assert "2 min 10 s passed, 1 min 28 s of it inside the steps on the critical path" in found["sentences"][0]
    assert "the start of a job is not in them" in found["sentences"][1]


def test_a_step_that_waited_for_another_of_its_kind_has_that_on_its_path() -> None:
    late = model("b", at(50, 20), at(90, 2))
    assert report_graph.graph(run(A, late), SAY)["critical"][2:4] == ["Train-a", "Train-b"]


def test_what_an_earlier_execution_left_is_marked_and_on_no_path() -> None:
    kept = model("b", {"timing": {"started": "2026-11-25T20:00:00+00:00", "seconds": 60.0}}, at(90, 2))
    found = report_graph.graph(run(A, kept), SAY)
    line = next(line for line in found["steps"] if line["name"] == "Train-b")
    assert (line["earlier"], line["begin"], line["took"], line["critical"]) == (True, None, "1 min 0 s", False)
    assert "Train-a" in found["critical"]
    assert any("from an earlier execution" in sentence for sentence in found["sentences"])


def test_models_of_one_job_are_one_step_from_the_first_start_to_the_last_end() -> None:
    shared = [model(name, at(20 + n, 10), at(90 + n, 5), job="shard-01") for n, name in enumerate("ab")]
    steps = {step.name: step for step in report_graph.steps_of(run(*shared))}
    assert (steps["Train-shard-01"].seconds, steps["Train-shard-01"].models) == (11.0, 2)


def test_the_columns_are_the_layers_in_order_with_the_functions_between_them() -> None:
    names = [[node["name"] for node in column["nodes"]] for column in report_graph.graph(run(A, B), SAY)["columns"]]
    assert names == [
        ["PrepareTraining"],
        ["PreparePrediction"],
        ["CheckData"],
        ["Train-a", "Train-b"],
        ["Judge", "MaeGate"],
        ["Infer-a", "Infer-b"],
        ["PostProcess"],
    ]


def test_a_run_of_defaults_has_no_training_in_it() -> None:
    served = model("a", {}, at(90, 5), evaluation={}, verdict={}, decision={"source": contract.DEFAULT})
    found = report_graph.graph(run(served, train_data={"rows": 0}, mode=contract.PREDICT_MODE), SAY)
    names = [node["name"] for column in found["columns"] for node in column["nodes"]]
    assert names == ["ChooseDefaults", "PreparePrediction", "Decide", "CheckData", "Infer-a", "PostProcess"]


def test_of_many_steps_the_slowest_are_named_and_the_others_counted() -> None:
    many = [model(f"m{n}", at(20, n + 1), at(200, 1)) for n in range(30)]
    column = report_graph.graph(run(*many), SAY)["columns"][3]
    assert [node["name"] for node in column["nodes"]][:2] == ["Train-m29", "Train-m28"]
    assert len(column["nodes"]) == report_graph.MOST - 1
    assert column["more"] == "and 19 more, which took less"


def test_steps_that_recorded_nothing_are_there_without_a_time() -> None:
    found = report_graph.graph(
        run(model("a", {}, {}), train_data={"rows": 1}, predict_data={"rows": 1}, timing={}), SAY
    )
    assert {line["took"] for line in found["steps"]} == {"not timed"}
    assert found["critical"] == []
    assert report_graph.lasting(7_325, SAY) == "2 h 2 min"
