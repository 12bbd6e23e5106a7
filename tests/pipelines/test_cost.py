"""What an execution may cost: hours of instances and money, at most and expected."""

from __future__ import annotations

import json
from typing import Any

from pipelines.cost import Bill, as_json, as_table, bill
from pipelines.settings import Settings, validate


def config(**more: Any) -> Settings:
    return validate({"data": {"label": "y", "id": "id"}, "models": {"by": "r"}, **more}, "c")


def job(name: str, kind: str, *, instances: int = 1, hours: int = 1, machine: str = "ml.m5.xlarge") -> dict[str, Any]:
    arguments = {
        "ProcessingResources": {"ClusterConfig": {"InstanceType": machine, "InstanceCount": instances}},
        "AppSpecification": {"ContainerEntrypoint": ["python3", "-m", f"steps.{kind}"]},
        "StoppingCondition": {"MaxRuntimeInSeconds": hours * 3600},
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments}


def gate(yes: list[dict[str, Any]], no: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Name": "Gate", "Type": "Condition", "Arguments": {"IfSteps": yes, "ElseSteps": no}}


TRAINS = [job("Train-a", "train", hours=2), job("Train-b", "train", hours=2)]
GATE = gate([job("Infer-a", "infer")], [job("InferFallback-a", "infer"), job("InferFallback-b", "infer", instances=2)])
MAIL = {"Name": "Mail", "Type": "Lambda", "Arguments": {}}
DEFINITION = json.dumps({"Steps": [MAIL, *TRAINS, GATE]})


def hours(found: Bill) -> dict[str, tuple[int, float, float | None]]:
    return {line.kind: (line.steps, line.at_most, line.expected) for line in found.lines}


def test_a_job_takes_its_longest_time_on_each_of_its_instances_and_one_branch_runs_the_dearer_one() -> None:
    assert hours(bill(DEFINITION, config())) == {"train": (2, 4.0, None), "infer": (2, 3.0, None)}


def test_a_step_without_a_record_is_expected_to_take_the_mean_of_its_kind_in_either_branch() -> None:
    seconds = {"Train-a": 900.0, "Train-b": 1800.0, "Infer-a": 3600.0, "InferFallback-b": 1800.0}
    found = hours(bill(DEFINITION, config(), seconds))

    assert found["train"][2] == 0.75
    assert found["infer"][2] == 0.75 + 2 * 0.5


def test_one_kind_without_a_record_leaves_the_whole_unknown_rather_than_too_small() -> None:
    found = as_json(bill(DEFINITION, config(), {"Train-a": 900.0}))

    assert [kind["hours_expected"] for kind in found["kinds"]] == [0.5, None]
    assert found["all"]["hours_expected"] is None


def test_money_is_hours_times_the_configured_price() -> None:
    seconds = {"Train-a": 900.0, "Infer-a": 3600.0}
    found = bill(DEFINITION, config(prices={"ml.m5.xlarge": 0.5}, currency="EUR"), seconds)

    assert as_json(found)["all"] == {
        "steps": 4,
        "hours_at_most": 7.0,
        "hours_expected": 3.5,
        "money_at_most": 3.5,
        "money_expected": 1.75,
    }
    assert as_table(found)[0].split("  ")[-2:] == ["EUR at most", "EUR expected"]


def test_a_machine_without_a_price_leaves_the_money_of_the_whole_unknown() -> None:
    definition = json.dumps({"Steps": [job("A", "prepare"), job("B", "train", machine="ml.c5.xlarge")]})
    found = as_table(bill(definition, config(prices={"ml.c5.xlarge": 2})))

    assert [line.split()[-1] for line in found[:4]] == ["most", "-", "2.00", "-"]
    assert not any("expected" in line for line in found)
