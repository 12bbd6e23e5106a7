from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lambda_cases import RUN, Desk

from lambda_trigger import decide, judge
from lambda_trigger.decide import MissingDefaultError, PolicyError
from lambda_trigger.folders import LocalContext
from lambda_trigger.ports import ModelGroup, NewPackage
from steps.contract import Versions

NAMES = ["EWR", "JFK", "LGA"]
SKIP = {"policy": "all", "on_missing_default": "skip"}


def arrange(desk: Desk, maes: dict[str, float], rows: dict[str, int] | None = None, **settings: Any) -> None:
    """Train the models with these MAEs, judge them against 20, and give them rows to predict."""
    names = list(maes)
    desk.configure(names=names, **settings)
    for slug, mae in maes.items():
        desk.train(slug, mae=mae, baseline=1000.0)
        desk.write(f"{RUN}/predict/{slug}/status.json", {"rows": (rows or {}).get(slug, 7)})
    judge.handler(desk.event(names, Threshold=20.0, Output=f"{RUN}/judge"), desk.context)


def run(
    desk: Desk,
    policy: str = "all",
    first: int = 0,
    names: list[str] | None = None,
    here: Versions | None = None,
) -> dict[str, Any]:
    event = desk.event(
        names or NAMES,
        Policy=policy,
        Verdicts=f"{RUN}/judge/verdicts.json",
        Output=f"{RUN}/decide",
        Predict=f"{RUN}/predict",
        First=first,
        Image="image:now",
    )
    return decide.handler(event, LocalContext(replace(desk.ports, here=here)))


def sources(desk: Desk) -> dict[str, str]:
    return {slug: m["source"] for slug, m in desk.read(f"{RUN}/decide/01/decision.json")["models"].items()}


def test_policy_all_sends_every_segment_to_its_default_when_one_model_is_rejected(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0, "JFK": 10.0, "LGA": 10.0})
    versions = {slug: desk.default(slug) for slug in NAMES}

    found = run(desk)

    assert sources(desk) == dict.fromkeys(NAMES, "default")
    assert [found[f"Model{n:02d}"] for n in range(3)] == [versions[s].artifact_uri for s in NAMES]
    decision = desk.read(str(found["DecisionUri"]))["models"]
    assert decision["EWR"]["reason"] == "MAE 31 > threshold 20"
    assert decision["JFK"]["reason"] == "policy all: the gate rejected EWR"
    assert decision["JFK"]["sha256"] == versions["JFK"].sha256
    assert (decision["JFK"]["version"], decision["JFK"]["package"]) == (1, versions["JFK"].arn)


def test_policy_per_model_keeps_the_fresh_models_that_passed(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0, "JFK": 10.0, "LGA": 10.0})
    desk.default("EWR")

    found = run(desk, "per_model")

    assert sources(desk) == {"EWR": "default", "JFK": "fresh", "LGA": "fresh"}
    assert found["Model01"] == f"{RUN}/JFK/model/JFK/model.tar.gz"
    assert found["Image01"] == "image:now"
    assert desk.read(str(found["DecisionUri"]))["models"]["JFK"]["sha256"].startswith("jfk")


def test_a_default_runs_in_the_image_it_was_registered_with(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0})
    desk.default("EWR")

    assert run(desk, names=["EWR"])["Image00"] == "image:old"


def test_a_default_without_a_recorded_image_runs_in_the_image_of_today(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0})
    group = ModelGroup("flights-EWR", "flights", "EWR")
    desk.ports.registry.ensure_group(group)
    desk.ports.registry.register(NewPackage(group.name, "Approved", "s3://local/m", "", "t", {"sha256": "ab"}))

    assert run(desk, names=["EWR"])["Image00"] == "image:now"


def test_missing_defaults_fail_with_every_segment_and_the_commands_that_help(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0, "JFK": 10.0, "LGA": 10.0})
    desk.default("JFK", "PendingManualApproval")

    with pytest.raises(MissingDefaultError) as raised:
        run(desk)

    message = str(raised.value)
    assert "for 3 segments: EWR, JFK, LGA" in message
    assert "python -m pipelines.registry --local approve JFK\n" in message
    for name in ("EWR", "LGA"):  # nothing of theirs is registered that could be approved
        assert f"python -m pipelines.registry --local register {name} MODEL.tar.gz\n" in message
    assert "python -m pipelines.run --local --retry run-1" in message


HERE = Versions("1.6.3", "3.11.7")
OLD = {"autogluon_version": "1.2.0", "python_version": "3.10.1"}


def test_a_default_of_other_versions_fails_where_it_would_be_loaded_with_the_command_that_refreshes_it(
    desk: Desk,
) -> None:
    arrange(desk, {"EWR": 31.0, "JFK": 10.0, "LGA": 10.0})
    desk.default("EWR", metadata=OLD)
    desk.default("JFK", metadata={"autogluon_version": "1.6.3", "python_version": "3.11.2"})

    with pytest.raises(MissingDefaultError) as raised:
        run(desk, here=HERE)

    assert str(raised.value).splitlines() == [
        "no approved default model that loads here for 2 segments: EWR, LGA.",
        "EWR: default v1 was trained with AutoGluon 1.2.0 and Python 3.10, here is AutoGluon 1.6.3 and Python 3.11; "
        "refresh it.",
        "Refresh or approve a version of each (or register an artifact of your own: register MODEL ARTIFACT):",
        "  python -m pipelines.registry --local refresh EWR",
        "  python -m pipelines.registry --local register LGA MODEL.tar.gz",
        "then start the run's failed steps again:",
        "  python -m pipelines.run --local --retry run-1",
    ]


def test_a_default_of_other_versions_is_skipped_with_the_reason_where_the_settings_say_so(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0}, fallback=SKIP)
    desk.default("EWR", metadata=OLD)

    found = run(desk, names=["EWR"], here=HERE)

    decided = desk.read(str(found["DecisionUri"]))["models"]["EWR"]
    assert decided["source"] == "skipped"
    assert decided["reason"].startswith("MAE 31 > threshold 20; default v1 was trained with AutoGluon 1.2.0")


def test_on_aws_a_default_of_other_versions_serves_in_its_own_image(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0})
    desk.default("EWR", metadata=OLD)

    assert run(desk, names=["EWR"], here=None)["Image00"] == "image:old"


def test_approving_after_such_a_failure_lets_the_same_execution_go_on(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0})
    made = desk.default("EWR", "PendingManualApproval", {"execution": "run-1"})
    with pytest.raises(MissingDefaultError):
        run(desk, names=["EWR"])

    desk.ports.registry.set_status(made, "Approved", {"auto_approved": "false"})
    run(desk, names=["EWR"])

    assert sources(desk) == {"EWR": "default"}


def test_missing_defaults_are_named_even_beyond_the_slice_of_this_step(desk: Desk) -> None:
    names = [f"S{n:02d}" for n in range(30)]
    arrange(desk, dict.fromkeys(names, 31.0))
    for name in names[:-1]:
        desk.default(name)

    with pytest.raises(MissingDefaultError, match="for 1 segment: S29"):
        run(desk, names=names)


def test_each_step_decides_for_its_own_slice_of_models(desk: Desk) -> None:
    names = [f"S{n:02d}" for n in range(decide.contract.DECIDE_WIDTH + 2)]
    arrange(desk, {**dict.fromkeys(names, 10.0), "S00": 31.0})
    for name in names:
        desk.default(name)

    found = run(desk, first=decide.contract.DECIDE_WIDTH, names=names)

    assert found["DecisionUri"] == f"{RUN}/decide/02/decision.json"
    assert found["DecisionsUri"] == f"{RUN}/decide"
    assert set(desk.read(str(found["DecisionUri"]))["models"]) == set(names[-2:])
    assert sorted(found) == ["DecisionUri", "DecisionsUri", "Image00", "Image01", "Model00", "Model01"]


def test_missing_defaults_may_be_skipped_and_then_get_the_decision_as_their_model(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0, "JFK": 10.0}, fallback=SKIP)
    desk.default("JFK")

    found = run(desk, names=["EWR", "JFK"])

    assert sources(desk) == {"EWR": "skipped", "JFK": "default"}
    assert (found["Model00"], found["Image00"]) == (found["DecisionUri"], "image:now")
    reason = desk.read(str(found["DecisionUri"]))["models"]["EWR"]["reason"]
    assert reason == "MAE 31 > threshold 20; no approved default model"


def test_a_model_without_rows_to_predict_needs_no_default(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0, "JFK": 10.0, "LGA": 10.0}, rows={"EWR": 0, "JFK": 0})
    desk.default("LGA")
    desk.default("EWR")

    found = run(desk)

    assert sources(desk) == {"EWR": "skipped", "JFK": "fresh", "LGA": "default"}
    assert desk.read(str(found["DecisionUri"]))["models"]["EWR"]["reason"] == "no rows to predict"


def test_a_segment_that_was_not_trained_but_has_rows_needs_its_default(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0, "JFK": 10.0})
    desk.train("JFK", mae=0, status="skipped", reason="no training rows", artifact=None)
    judge.handler(desk.event(["EWR", "JFK"], Threshold=20.0, Output=f"{RUN}/judge"), desk.context)
    desk.default("EWR")

    with pytest.raises(MissingDefaultError, match="for 1 segment: JFK"):
        run(desk, "per_model", names=["EWR", "JFK"])


def test_the_newest_approved_version_is_the_default(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0})
    desk.default("EWR")
    newest = desk.default("EWR")
    desk.default("EWR", "Rejected")
    desk.default("EWR", "PendingManualApproval")

    assert run(desk, names=["EWR"])["Model00"] == newest.artifact_uri


def test_a_version_that_this_execution_approved_by_itself_is_no_default(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0})
    earlier = desk.default("EWR", metadata={"execution": "run-0", "auto_approved": "true"})
    desk.default("EWR", metadata={"execution": "run-1", "auto_approved": "true"})

    assert run(desk, names=["EWR"])["Model00"] == earlier.artifact_uri


def test_a_version_of_this_execution_that_somebody_approved_by_hand_is_a_default(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0})
    by_hand = desk.default("EWR", metadata={"execution": "run-1", "auto_approved": "false"})

    assert run(desk, names=["EWR"])["Model00"] == by_hand.artifact_uri


def test_a_version_without_a_recorded_sha256_is_no_default(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0})
    desk.default("EWR", metadata={"sha256": ""})

    with pytest.raises(MissingDefaultError):
        run(desk, names=["EWR"])


def test_an_unknown_policy_is_refused_with_those_there_are(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0})

    with pytest.raises(PolicyError, match=r"'each', expected 'all' or 'per_model'"):
        run(desk, "each", names=["EWR"])


def test_a_segment_whose_rows_could_not_be_prepared_needs_no_default(desk: Desk) -> None:
    arrange(desk, {"EWR": 31.0, "JFK": 10.0})
    for slug in ("EWR", "JFK"):
        desk.write(f"{RUN}/predict/{slug}/status.json", {"status": "failed", "rows": 7, "reason": "file damaged"})

    found = run(desk, names=["EWR", "JFK"])

    decision = desk.read(str(found["DecisionUri"]))["models"]
    assert sources(desk) == {"EWR": "skipped", "JFK": "fresh"}
    assert decision["EWR"]["reason"] == "its rows to predict could not be prepared"


TODAY = {"autogluon_version": "1.6.3", "python_version": "3.11.9"}


def arrange_shards(desk: Desk, maes: dict[str, float], shards: dict[str, str], **settings: Any) -> None:
    """Train the models in shards with these MAEs, judge them against 20, and give them rows to predict."""
    desk.configure(names=list(maes), shards=shards, **settings)
    for slug, mae in maes.items():
        desk.train(slug, unit=shards[slug], mae=mae, baseline=1000.0)
        desk.write(f"{RUN}/predict/{shards[slug]}/{slug}/status.json", {"rows": 7})
    judge.handler(desk.event(sorted(set(shards.values())), Threshold=20.0, Output=f"{RUN}/judge"), desk.context)


SHARDS = {"EWR": "shard-01", "JFK": "shard-02", "LGA": "shard-01"}
BOTH = ["shard-01", "shard-02"]


def test_a_shard_gets_a_manifest_of_its_artifacts_and_one_image(desk: Desk) -> None:
    arrange_shards(desk, {"EWR": 31.0, "JFK": 10.0, "LGA": 10.0}, SHARDS)
    versions = {slug: desk.default(slug, metadata=TODAY) for slug in NAMES}

    found = run(desk, names=BOTH)

    assert sorted(found) == ["DecisionUri", "DecisionsUri", "Image00", "Image01", "Model00", "Model01"]
    assert desk.read(found["Model00"]) == [
        {"prefix": "s3://local/flights/"},
        "executions/run-1/decide/01/decision.json",
        versions["EWR"].artifact_uri.removeprefix("s3://local/flights/"),
        versions["LGA"].artifact_uri.removeprefix("s3://local/flights/"),
    ]
    assert len(desk.read(found["Model01"])) == 3
    assert (found["Image00"], found["Image01"]) == ("image:old", "image:old")
    assert desk.read(found["DecisionUri"])["prefix"] == "s3://local/flights/"


def test_fresh_models_and_defaults_of_a_shard_are_served_in_the_image_of_today(desk: Desk) -> None:
    arrange_shards(desk, {"EWR": 31.0, "JFK": 10.0, "LGA": 10.0}, SHARDS)
    desk.default("EWR", metadata=TODAY)

    found = run(desk, "per_model", names=BOTH)

    assert sources(desk) == {"EWR": "default", "LGA": "fresh", "JFK": "fresh"}
    assert found["Image00"] == "image:now"
    assert f"executions/run-1/{SHARDS['LGA']}/model/LGA/model.tar.gz" in desk.read(found["Model00"])


def test_a_default_that_loads_in_no_image_of_its_shard_follows_on_missing_default(desk: Desk) -> None:
    arrange_shards(desk, {"EWR": 31.0, "JFK": 10.0, "LGA": 10.0}, SHARDS)
    desk.default("EWR", metadata=OLD)

    with pytest.raises(MissingDefaultError) as raised:
        run(desk, "per_model", names=BOTH)

    assert (
        "EWR: default v1 needs AutoGluon 1.2.0 and Python 3.10, the other models of shard-01 need AutoGluon 1.6.3 and "
        "Python 3.11; refresh it."
    ) in str(raised.value)
    assert "registry --local refresh EWR" in str(raised.value)


def test_defaults_of_other_versions_serve_in_their_image_where_a_shard_has_no_others(desk: Desk) -> None:
    arrange_shards(desk, {"EWR": 31.0, "JFK": 10.0, "LGA": 10.0}, SHARDS)
    for slug in NAMES:
        desk.default(slug, metadata=OLD if slug != "JFK" else TODAY)

    found = run(desk, names=BOTH)

    assert sources(desk) == dict.fromkeys(("EWR", "LGA", "JFK"), "default")
    assert found["Image00"] == "image:old"


def test_the_newest_default_of_a_shard_decides_so_that_refreshing_the_older_ones_helps(desk: Desk) -> None:
    shards = dict.fromkeys(NAMES, "shard-01")
    arrange_shards(desk, dict.fromkeys(NAMES, 31.0), shards)
    for slug in NAMES:
        desk.default(slug, metadata=TODAY if slug == NAMES[-1] else OLD)

    with pytest.raises(MissingDefaultError) as raised:
        run(desk, names=["shard-01"])

    assert "for 2 segments: EWR, JFK." in str(raised.value)
    assert "LGA: default" not in str(raised.value)


def test_a_default_outside_of_the_pipelines_folder_cannot_serve_in_a_shard(desk: Desk) -> None:
    arrange_shards(desk, {"EWR": 31.0, "JFK": 10.0, "LGA": 10.0}, SHARDS, fallback=SKIP)
    desk.default("EWR", metadata=TODAY, artifact="s3://elsewhere/model.tar.gz")
    for slug in ("JFK", "LGA"):
        desk.default(slug, metadata=TODAY)

    found = run(desk, names=BOTH)

    decided = desk.read(found["DecisionUri"])["models"]["EWR"]
    assert decided["source"] == "skipped"
    assert "does not lie below s3://local/flights/; register it again" in decided["reason"]


def test_a_shard_of_which_nobody_is_served_takes_the_decision_alone(desk: Desk) -> None:
    arrange_shards(desk, {"EWR": 31.0, "LGA": 31.0}, SHARDS, fallback=SKIP)

    found = run(desk, names=["shard-01"])

    assert desk.read(found["Model00"])[1:] == ["executions/run-1/decide/01/decision.json"]
    assert found["Image00"] == "image:now"


def arrange_scoring(desk: Desk, rows: dict[str, int], pooled: str = "", **settings: Any) -> dict[str, Any]:
    """Prepare rows to predict, find the defaults as ChooseDefaults does, and decide."""
    desk.configure(names=list(rows), pooled=pooled, **settings)
    for slug, count in rows.items():
        desk.write(f"{RUN}/predict/{slug}/status.json", {"rows": count})
    for package in [package for slug in rows for package in desk.ports.registry.packages(f"flights-{slug}")]:
        columns = {"columns": [{"name": "x", "kind": "number"}]}
        desk.write(f"{package.artifact_uri.rpartition('/')[0]}/schema.json", columns)
    decide.handler(desk.event([], Kind="defaults", Output=f"{RUN}/judge"), desk.context)
    return run(desk, names=[])


def test_where_a_run_scores_only_each_segment_is_served_by_its_default(desk: Desk) -> None:
    versions = {slug: desk.default(slug) for slug in NAMES}

    found = arrange_scoring(desk, dict.fromkeys(NAMES, 7))

    assert [found[f"Model{n:02d}"] for n in range(3)] == [versions[s].artifact_uri for s in NAMES]
    decided = desk.read(f"{RUN}/decide/01/decision.json")["models"]
    assert {model["reason"] for model in decided.values()} == {"scoring only"}


def test_where_a_run_scores_only_a_segment_without_rows_needs_no_default(desk: Desk) -> None:
    desk.default("EWR")

    arrange_scoring(desk, {"EWR": 7, "JFK": 0})

    assert sources(desk) == {"EWR": "default", "JFK": "skipped"}


def test_where_a_run_scores_only_a_missing_default_stops_it_or_is_skipped_as_configured(desk: Desk) -> None:
    desk.default("EWR")
    desk.default("JFK", "PendingManualApproval")

    with pytest.raises(MissingDefaultError, match=r"1 segment: JFK.(.|\n)*registry --local approve JFK"):
        arrange_scoring(desk, {"EWR": 7, "JFK": 3})
    arrange_scoring(desk, {"EWR": 7, "JFK": 3}, fallback=SKIP)
    assert sources(desk) == {"EWR": "default", "JFK": "skipped"}


def test_where_a_run_scores_only_a_default_approved_after_it_failed_serves_when_it_goes_on(desk: Desk) -> None:
    desk.default("EWR")
    with pytest.raises(MissingDefaultError):
        arrange_scoring(desk, {"EWR": 7, "JFK": 3})

    desk.default("JFK")
    run(desk, names=[])

    assert sources(desk) == {"EWR": "default", "JFK": "default"}


def test_where_the_pooled_default_takes_a_segments_rows_the_decision_says_so(desk: Desk) -> None:
    desk.default("EWR")
    desk.default("rest")

    arrange_scoring(desk, {"EWR": 7, "JFK": 0, "rest": 3}, pooled="rest")

    decided = desk.read(f"{RUN}/decide/01/decision.json")["models"]["JFK"]
    assert decided["reason"] == "no approved default model of its own: the pooled default serves its rows"
