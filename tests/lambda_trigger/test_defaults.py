"""ChooseDefaults: the defaults' columns and recorded figures, where a run scores only."""

from __future__ import annotations

from typing import Any

import pytest
from lambda_cases import BASE, RUN, Desk
from lambda_world import evaluation

from lambda_trigger import decide
from lambda_trigger.decide import MissingDefaultError
from lambda_trigger.defaults import BY_POOLED, DefaultsError
from lambda_trigger.ports import ModelPackage

OUT = f"{RUN}/defaults"
NAMES = ("EWR", "JFK")


def approve(desk: Desk, slug: str, columns: dict[str, str] | None, **metadata: str) -> ModelPackage:
    """Register an approved default, with the columns that lie beside it."""
    package = desk.default(slug, metadata=metadata)
    if columns is not None:
        found = [{"name": name, "kind": kind} for name, kind in columns.items()]
        desk.write(f"{package.artifact_uri.rpartition('/')[0]}/schema.json", {"columns": found})
    return package


def run(desk: Desk) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the step's outputs, the schema and the verdicts by slug."""
    event = {"Execution": "run-1", "Settings": f"{BASE}/settings/lambda/settings.json", "Kind": "defaults"}
    found = decide.handler({**event, "Output": OUT}, desk.context)
    return found, desk.read(f"{OUT}/schema/schema.json"), desk.read(f"{OUT}/verdicts.json")["models"]


def test_the_rows_are_typed_by_the_columns_of_all_defaults(desk: Desk) -> None:
    desk.configure(names=list(NAMES))
    approve(desk, "EWR", {"x": "number", "kind": "text"})
    approve(desk, "JFK", {"kind": "text", "late": "bool"})

    found, schema, _ = run(desk)

    assert found == {"SchemaUri": f"{OUT}/schema", "VerdictsUri": f"{OUT}/verdicts.json"}
    assert schema["columns"] == [
        {"name": "x", "kind": "number"},
        {"name": "kind", "kind": "text"},
        {"name": "late", "kind": "bool"},
    ]
    assert schema["trained"] == {"EWR": True, "JFK": True}


def test_the_raw_columns_type_the_rows_where_the_users_own_code_makes_others_of_them(desk: Desk) -> None:
    desk.configure(names=list(NAMES))
    package = approve(desk, "EWR", None)
    raw, made = [{"name": "name", "kind": "text"}], [{"name": "width", "kind": "number"}]
    beside = {"columns": made, "raw": raw, "ignored": ["void"]}
    desk.write(f"{package.artifact_uri.rpartition('/')[0]}/schema.json", beside)

    _, schema, _ = run(desk)

    assert schema["columns"] == raw
    assert schema["prepared"] == {"columns": made, "empty": ["void"]}


def test_nothing_is_judged_and_the_recorded_figures_stand_in_the_verdicts(desk: Desk) -> None:
    desk.configure(names=list(NAMES))
    package = approve(desk, "EWR", {"x": "number"}, mae="3", baseline_mae="4")
    measured = evaluation(mae_interval={"low": 2.5, "high": 3.5})
    measured["artifact"] = {"sha256": package.sha256}
    desk.write(f"{package.artifact_uri.rpartition('/')[0]}/evaluation.json", measured)

    _, _, verdicts = run(desk)

    assert (verdicts["EWR"]["mae"], verdicts["EWR"]["improvement"]) == (3, 25)
    assert (verdicts["EWR"]["mae_low"], verdicts["EWR"]["mae_high"]) == (2.5, 3.5)
    assert [(v["accepted"], v["ignored"], v["status"]) for v in verdicts.values()] == [(False, True, "default")] * 2
    assert verdicts["JFK"]["mae"] is None


def test_the_evaluation_of_another_artifact_is_not_taken_for_the_defaults(desk: Desk) -> None:
    desk.configure(names=list(NAMES))
    package = approve(desk, "EWR", {"x": "number"}, mae="3")
    measured = {**evaluation(mae_interval={"low": 2.5, "high": 3.5}), "artifact": {"sha256": "e" * 64}}
    desk.write(f"{package.artifact_uri.rpartition('/')[0]}/evaluation.json", measured)

    _, _, verdicts = run(desk)

    assert (verdicts["EWR"]["mae"], verdicts["EWR"]["mae_low"]) == (3, None)


def test_a_segment_without_a_default_keeps_its_rows_unless_a_pooled_default_takes_them(desk: Desk) -> None:
    found = desk.configure(names=["EWR", "JFK", "rest"])
    approve(desk, "EWR", {"x": "number"})
    _, schema, verdicts = run(desk)
    assert schema["trained"] == {"EWR": True, "JFK": True, "rest": True}
    assert verdicts["JFK"]["reasons"] == []

    found["models"][2]["pooled"] = True
    desk.write(f"{BASE}/settings/lambda/settings.json", found)
    approve(desk, "rest", {"x": "number"})
    _, schema, verdicts = run(desk)
    assert schema["trained"] == {"EWR": True, "JFK": False, "rest": True}
    assert verdicts["JFK"]["reasons"] == [BY_POOLED]


def test_defaults_that_take_a_column_as_different_kinds_are_refused_with_both_versions(desk: Desk) -> None:
    desk.configure(names=list(NAMES))
    approve(desk, "EWR", {"x": "number"})
    approve(desk, "JFK", {"x": "text"})

    with pytest.raises(DefaultsError, match="column 'x' is number for version 1 of EWR, text for version 1 of JFK"):
        run(desk)


def test_a_flag_and_a_number_are_the_same_to_a_model(desk: Desk) -> None:
    desk.configure(names=list(NAMES))
    approve(desk, "EWR", {"x": "bool"})
    approve(desk, "JFK", {"x": "number"})

    _, schema, _ = run(desk)

    assert schema["columns"] == [{"name": "x", "kind": "number"}]


def test_a_default_without_recorded_columns_is_left_to_infer_where_another_has_them(desk: Desk) -> None:
    desk.configure(names=list(NAMES))
    approve(desk, "EWR", None)
    approve(desk, "JFK", {"x": "number"})

    assert run(desk)[1]["columns"] == [{"name": "x", "kind": "number"}]


def test_where_no_default_has_recorded_columns_the_message_says_how_to_record_them(desk: Desk) -> None:
    desk.configure(names=list(NAMES))
    desk.write(f"{approve(desk, 'EWR', None).artifact_uri.rpartition('/')[0]}/schema.json", "{")

    with pytest.raises(DefaultsError, match=r"version 1 of EWR were registered without schema.json; register"):
        run(desk)


def test_where_no_segment_has_a_default_the_message_has_the_commands(desk: Desk) -> None:
    desk.configure(names=list(NAMES))
    desk.default("EWR", "PendingManualApproval")

    with pytest.raises(MissingDefaultError) as error:
        run(desk)

    lines = str(error.value).splitlines()
    assert lines[0] == "no approved default model for 2 segments: EWR, JFK."
    assert "  python -m pipelines.registry --local approve EWR" in lines
    assert lines[-1] == "  python -m pipelines.run --local --retry run-1"
