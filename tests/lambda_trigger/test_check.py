"""CheckData over a workspace: what it reads, what it writes, and when it stops a run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lambda_cases import BASE, RUN, Desk

from lambda_trigger import check
from lambda_trigger.check import DriftError, MisfitError

TRAIN, PREDICT = f"{RUN}/train", f"{RUN}/predict"
LOW, HIGH = [float(n) for n in range(200)], [float(n + 500) for n in range(200)]


def number(points: list[float], nulls: float = 0.0) -> dict[str, Any]:
    return {"kind": "number", "null_rate": nulls, "points": points}


def text(others: int = 0, **counts: int) -> dict[str, Any]:
    return {"kind": "text", "null_rate": 0.0, "counts": counts, "others": others}


def prepare(desk: Desk, slug: str, side: str, rows: int = 1000, status: str = "prepared", **columns: Any) -> None:
    """Write what a prepare step writes of one model; without columns a number that stays as it is."""
    reason = None if status == "prepared" else f"{slug} is {status}"
    folder = desk.resolve(f"{side}/{slug}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "status.json").write_text(json.dumps({"status": status, "rows": rows, "reason": reason}))
    (folder / "profile.json").write_text(json.dumps({"rows": rows, "columns": columns or {"x": number(LOW)}}))


def prepare_all(desk: Desk, names: tuple[str, ...] = ("EWR", "JFK", "LGA"), **settings: Any) -> None:
    desk.configure(names=list(names), **settings)
    desk.write(f"{TRAIN}/data.json", {"columns": {"x": "number", "kind": "text"}})
    for slug in names:
        prepare(desk, slug, TRAIN)
        prepare(desk, slug, PREDICT)


def run(desk: Desk) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check; return the step's outputs and the contract."""
    found = check.handler(desk.event([], Train=TRAIN, Predict=PREDICT, Output=f"{RUN}/check"), desk.context)
    return found, desk.read(f"{RUN}/check/contract.json")


def limits(**changes: Any) -> dict[str, Any]:
    given = {name: {"warn": None, "fail": None} for name in ("unseen", "nulls", "psi")}
    return {**given, "ignore": [], "default": "warn", **changes}


def stop(desk: Desk) -> str:
    with pytest.raises(DriftError) as error:
        run(desk)
    return str(error.value)


def test_data_that_agree_pass_without_a_warning(desk: Desk) -> None:
    prepare_all(desk)

    found, contract = run(desk)

    assert found == {"ContractUri": f"{RUN}/check/contract.json", "Warnings": 0}
    assert [model["compared"] for model in contract["models"].values()] == [True] * 3
    assert contract["models"]["EWR"]["columns"]["x"]["psi"] == 0


def test_what_has_moved_is_warned_of_by_model_and_column(desk: Desk) -> None:
    prepare_all(desk)
    prepare(desk, "JFK", PREDICT, x=number(HIGH), kind=text(a=1))

    found, contract = run(desk)

    assert found["Warnings"] == 1
    assert [slug for slug, model in contract["models"].items() if model["warnings"]] == ["JFK"]
    assert contract["models"]["JFK"]["worst"]["column"] == "x"
    assert contract["models"]["JFK"]["warnings"][0].startswith("column 'x': PSI ")


def test_every_fail_limit_of_all_models_is_named_at_once_and_the_contract_is_written(desk: Desk) -> None:
    prepare_all(desk, drift=limits(psi={"warn": 0.1, "fail": 0.5}, unseen={"warn": None, "fail": 0.05}))
    prepare(desk, "EWR", PREDICT, x=number(HIGH))
    prepare(desk, "LGA", TRAIN, kind=text(known=10))
    prepare(desk, "LGA", PREDICT, kind=text(tell_nobody=200, known=800))

    message = stop(desk)

    assert message.startswith("2 limits of `drift` passed, so that nothing was trained:")
    assert "EWR: column 'x': PSI " in message
    assert "LGA: column 'kind': 20.0% of the rows have a category that training did not see" in message
    assert "(drift.unseen.fail is 0.05)" in message
    assert "contract.json" in message
    assert "tell_nobody" not in message
    assert "tell_nobody" not in json.dumps(desk.read(f"{RUN}/check/contract.json"))
    assert desk.read(f"{RUN}/check/contract.json")["failures"] == 2


def test_a_message_of_very_many_failures_is_cut_and_says_where_the_rest_is(desk: Desk) -> None:
    prepare_all(desk, tuple(f"S{n:03d}" for n in range(80)), drift=limits(psi={"warn": None, "fail": 0.5}))
    for n in range(80):
        prepare(desk, f"S{n:03d}", PREDICT, x=number(HIGH))

    message = stop(desk)

    assert message.count("PSI") == check.NAMED
    assert f"and {80 - check.NAMED} more" in message


@pytest.mark.parametrize("side", [TRAIN, PREDICT])
@pytest.mark.parametrize("status", ["skipped", "failed"])
def test_a_model_that_was_not_prepared_is_passed_over_with_its_reason(desk: Desk, side: str, status: str) -> None:
    prepare_all(desk, drift=limits(psi={"warn": None, "fail": 0.5}))
    prepare(desk, "JFK", PREDICT, x=number(HIGH))
    prepare(desk, "JFK", side, 7, status)

    _, contract = run(desk)

    assert contract["models"]["JFK"] | {"columns": {}} == contract["models"]["JFK"]
    assert (contract["models"]["JFK"]["compared"], contract["models"]["JFK"]["reason"]) == (False, f"JFK is {status}")
    assert contract["models"]["EWR"]["compared"]


def test_a_model_without_rows_to_predict_is_passed_over(desk: Desk) -> None:
    prepare_all(desk)
    prepare(desk, "JFK", PREDICT, 0)

    assert run(desk)[1]["models"]["JFK"]["reason"] == "no rows to predict"


def test_columns_to_ignore_are_not_compared_and_a_misspelt_one_is_noted(desk: Desk) -> None:
    prepare_all(desk, drift=limits(psi={"warn": 0.1, "fail": None}, ignore=["x", "kinds"]))
    prepare(desk, "JFK", PREDICT, x=number(HIGH))

    found, contract = run(desk)

    assert contract["models"]["JFK"]["columns"] == {}
    assert contract["notes"] == ["drift.ignore names 'kinds', which is no feature (nearest is 'kind')"]
    assert found["Warnings"] == 1


def test_the_segments_of_a_pooled_model_are_new_by_design(desk: Desk) -> None:
    prepare_all(desk, ("EWR", "rest"), pooled="rest")
    prepare(desk, "rest", TRAIN, origin=text(a=900, b=100))
    prepare(desk, "rest", PREDICT, origin=text(new=1000))

    assert run(desk)[0]["Warnings"] == 0


def default(desk: Desk, slug: str, *columns: tuple[str, str]) -> None:
    desk.default(slug)
    (package,) = desk.ports.registry.packages(f"flights-{slug}")
    schema = {"columns": [{"name": name, "kind": kind} for name, kind in columns]}
    desk.write(package.artifact_uri.replace("model.tar.gz", "schema.json"), schema)


def test_a_default_that_fits_is_checked_and_one_without_its_schema_is_not(desk: Desk) -> None:
    prepare_all(desk)
    default(desk, "EWR", ("x", "number"))
    desk.default("JFK")

    found, contract = run(desk)

    assert found["Warnings"] == 0
    assert contract["models"]["EWR"]["default"] == {"version": 1, "problems": [], "unchecked": None}
    assert contract["models"]["JFK"]["default"]["unchecked"] == "not checked: it was registered without schema.json"
    assert contract["models"]["LGA"]["default"] is None


@pytest.mark.parametrize("broken", ["[]", "{", '{"columns": [{}]}', '{"columns": 3}'])
def test_a_schema_that_cannot_be_read_never_stops_a_run(desk: Desk, broken: str) -> None:
    prepare_all(desk, drift=limits(default="fail"))
    desk.default("EWR")
    desk.write(f"{BASE}/registry/EWR/{'ewr0'.ljust(64, 'd')}/schema.json", broken)

    found = run(desk)[1]["models"]["EWR"]["default"]

    assert found["unchecked"] == "not checked: its schema.json cannot be read"


def test_a_default_that_lacks_a_column_warns_or_stops_the_run_as_set(desk: Desk) -> None:
    prepare_all(desk)
    default(desk, "EWR", ("xx", "number"), ("x", "text"))

    assert run(desk)[1]["models"]["EWR"]["warnings"] == [
        "the approved default (version 1) could not serve these rows: column 'xx' is missing (nearest is 'x'); "
        "column 'x' is number, the model was trained on text"
    ]

    desk.configure(names=["EWR", "JFK", "LGA"], drift=limits(default="fail"))
    assert "EWR: the approved default (version 1) could not serve these rows" in stop(desk)


def test_a_default_is_checked_where_nothing_is_trained_since_it_is_what_serves(desk: Desk) -> None:
    prepare_all(desk)
    prepare(desk, "EWR", TRAIN, 0, "skipped")
    default(desk, "EWR", ("gone", "number"))

    assert run(desk)[0]["Warnings"] == 1


def test_a_default_without_rows_to_serve_is_not_looked_at(desk: Desk) -> None:
    prepare_all(desk, drift=limits(default="fail"))
    prepare(desk, "EWR", PREDICT, 0)
    default(desk, "EWR", ("gone", "number"))

    assert run(desk)[0]["Warnings"] == 0


def test_a_thousand_models_are_checked(desk: Desk) -> None:
    names = tuple(f"S{n:04d}" for n in range(1000))
    prepare_all(desk, names)

    _, contract = run(desk)

    assert [slug for slug, model in contract["models"].items() if model["compared"]] == list(names)


def test_checking_again_writes_the_same_bytes(desk: Desk) -> None:
    prepare_all(desk)
    prepare(desk, "JFK", PREDICT, x=number(HIGH))
    run(desk)
    first = desk.ports.objects.read_text(f"{RUN}/check/contract.json")
    run(desk)

    assert desk.ports.objects.read_text(f"{RUN}/check/contract.json") == first


def score(desk: Desk) -> dict[str, Any]:
    """Check as in a run that scores only, which has no training data; return the contract."""
    check.handler(desk.event([], Predict=PREDICT, Output=f"{RUN}/check"), desk.context)
    return desk.read(f"{RUN}/check/contract.json")


def test_where_a_run_scores_only_rows_that_fit_the_defaults_pass_and_nothing_is_compared(desk: Desk) -> None:
    prepare_all(desk)
    default(desk, "EWR", ("x", "number"))

    found = score(desk)["models"]["EWR"]

    assert (found["compared"], found["predict_rows"], found["failures"]) == (False, 1000, [])
    assert found["reason"] == "scoring only: there are no training data to compare with"


def test_where_a_run_scores_only_a_column_that_a_default_lacks_stops_it_whatever_the_limits_say(desk: Desk) -> None:
    prepare_all(desk)
    default(desk, "EWR", ("xx", "number"))
    default(desk, "JFK", ("x", "text"))

    with pytest.raises(MisfitError) as error:
        score(desk)

    lines = str(error.value).splitlines()
    assert lines[0] == "the rows to predict do not fit 2 approved defaults, so that nothing was scored:"
    assert lines[1].endswith("could not serve these rows: column 'xx' is missing (nearest is 'x')")
    assert lines[2].endswith("column 'x' is number, the model was trained on text")
    assert "approve versions that were trained on these, then start a new run" in lines[-1]
