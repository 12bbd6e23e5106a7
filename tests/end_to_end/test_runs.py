"""The main job from config to predictions, run by the commands of the README with real AutoGluon models."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from user_project import Project, make_rows

pytestmark = pytest.mark.slow


def test_a_run_predicts_every_row_once_in_order_and_repeats_nothing_unchanged(project: Project) -> None:
    first = project.run()
    asked = pd.read_csv(project.raw / "predict.csv")

    assert first.code == 0, first.stderr
    assert first.predictions()["id"].tolist() == asked["id"].tolist()
    assert first.predictions()["prediction"].notna().all()
    assert first.served() == {"EWR": "fresh", "JFK": "fresh", "LGA": "fresh"}

    again = project.run()
    kept = {**again.statuses("Train"), **again.statuses("Prepare")}
    assert {name for name, state in kept.items() if state != ("Succeeded", True)} == set()
    pd.testing.assert_frame_equal(first.predictions(), again.predictions())

    project.write("predict.csv", asked.iloc[:60])
    fewer = project.run()
    assert set(fewer.statuses("Train").values()) == {("Succeeded", True)}
    assert fewer.statuses("PreparePrediction") == {"PreparePrediction": ("Succeeded", False)}
    assert len(fewer.predictions()) == 60


def test_one_touched_segment_trains_one_model(project: Project) -> None:
    project.run()
    rows = make_rows(600, 1)
    rows.loc[rows["origin"] == "JFK", "y"] += 1
    project.write("train.csv", rows)

    after = project.run()

    trained = [name for name, (_, cached) in after.statuses("Train").items() if not cached]
    assert trained == ["Train-JFK"]


def test_a_rejected_run_fails_naming_the_segments_and_goes_on_after_approval(project: Project) -> None:
    failed = project.run("--set", "MaeThreshold=0.001")
    assert failed.code == 1
    assert failed.result is not None
    assert failed.result["status"] == "Failed"
    assert failed.result["predictions"] is None
    assert "EWR, JFK, LGA" in failed.result["error"]
    assert failed.result["error"].count(" approve ") == 3

    for name in ("EWR", "JFK", "LGA"):
        assert project.registry("approve", name).returncode == 0
    retried = project.run("--retry", failed.result["execution"])
    assert retried.code == 0, retried.stderr
    assert set(retried.served().values()) == {"default"}
    assert retried.result is not None
    assert {model["model_version"] for model in retried.result["models"].values()} == {1}

    fresh = project.run()
    new = project.run("--set", "MaeThreshold=0.001")
    assert set(new.served().values()) == {"default"}
    assert fresh.predictions()["prediction"].tolist() == new.predictions()["prediction"].tolist()


def test_per_model_policy_replaces_only_the_rejected_model(project: Project) -> None:
    clean = project.run()
    assert project.registry("approve", "JFK").returncode == 0
    overrides = {"by": "origin", "overrides": {"JFK": {"gate": {"mae": 0.001}}}}
    project.configure(models=overrides, fallback={"policy": "per_model"})

    broken = project.run()

    assert broken.code == 0, broken.stderr
    assert broken.served() == {"EWR": "fresh", "JFK": "default", "LGA": "fresh"}
    kept = clean.predictions()["model"] != "JFK"
    pd.testing.assert_frame_equal(clean.predictions()[kept], broken.predictions()[kept])


ODD = ("Very Good", "C (all)", "a/b", "007", "NA", "東京", None)


def test_odd_segment_names_nulls_and_unseen_segments_all_get_predictions(project: Project) -> None:
    project.write("train.csv", make_rows(700, 3, ODD))
    project.write("predict.csv", make_rows(80, 4, (*ODD, "unseen"), first=10_000).drop(columns="y"))
    project.configure(gate={"max_baseline_ratio": None, "min_holdout_rows": 1})

    done = project.run()

    assert done.code == 0, done.stderr
    assert done.predictions()["id"].tolist() == list(range(10_000, 10_080))
    assert set(done.served()) == {*ODD[:-1], "(pooled)"}


def test_a_segment_whose_training_raises_is_served_by_a_registered_default_or_skipped(project: Project) -> None:
    artifact = registered_artifact(project)
    rows = pd.concat([make_rows(600, 1), make_rows(1, 9, ("TINY",), first=5_000)])
    project.write("train.csv", rows)
    asked = pd.concat([make_rows(90, 2, first=10_000), make_rows(3, 5, ("TINY",), first=20_000)]).drop(columns="y")
    project.write("predict.csv", asked)
    common = {"min_rows": 1}

    project.configure(**common, fallback={"policy": "per_model"})
    failed = project.run()
    assert failed.code == 1
    assert "TINY" in failed.stderr

    project.configure(**common, fallback={"policy": "per_model", "on_missing_default": "skip"})
    skipped = project.run()
    assert skipped.code == 3, skipped.stderr
    assert skipped.served()["TINY"] == "skipped"
    assert len(skipped.predictions()) == 90

    assert project.registry("register", "TINY", artifact).returncode == 0
    served = project.run()
    assert served.code == 0, served.stderr
    assert served.served()["TINY"] == "default"
    assert len(served.predictions()) == 93


def registered_artifact(project: Project) -> str:
    """Train once and return the path of one of the artifacts."""
    assert project.run().code == 0
    return str(next((project.workspace / "s3").rglob("EWR*/model.tar.gz")))


def test_the_engine_executes_the_compiled_file_and_nothing_else(project: Project) -> None:
    compiled = project.folder / "definition.json"
    arguments = ["--raw", str(project.raw), "--output", str(compiled)]
    done = project.compile(*arguments)
    assert done.returncode == 0, done.stderr
    definition = json.loads(compiled.read_text())
    definition["Steps"] = [step for step in definition["Steps"] if step["Name"] != "NotifyTrained"]
    compiled.write_text(json.dumps(definition))

    run = project.run("--definition", str(compiled))

    assert run.code == 0, run.stderr
    assert "NotifyTrained" not in run.result["steps"]


def test_a_step_of_an_earlier_execution_and_all_after_it_run_again(project: Project) -> None:
    first = project.run()
    assert first.result is not None
    execution = first.result["execution"]

    post = project.command("run", "--json", "--from", "PostProcess", "--of", execution)
    infer = project.command("run", "--json", "--from", "Infer-JFK", "--of", execution)
    wrong = project.command("run", "--from", "PostProces", "--of", execution)

    ran = {name for name, step in json.loads(post.stdout)["steps"].items() if step["status"] == "Succeeded"}
    assert {"PostProcess", "NotifyFinished", "RegisterModels"} <= ran
    assert pd.read_parquet(json.loads(infer.stdout)["predictions"]).equals(first.predictions())
    assert (wrong.returncode, "did you mean PostProcess" in wrong.stderr) == (2, True)


def test_user_parameters_reach_the_steps_and_an_option_that_would_be_ignored_is_refused(project: Project) -> None:
    project.configure(parameters={"Season": "winter"})

    done = project.run("--set", "Season=summer", "--set", "MaeThreshold=0.001")

    assert done.result is not None
    requests = (project.workspace / "executions" / done.result["execution"]).rglob("processingjobconfig.json")
    assert {json.loads(path.read_text())["Environment"]["PARAMETER_Season"] for path in requests} == {"summer"}
    refused = project.command("run", "--retry", done.result["execution"], "--set", "Season=spring")
    assert (refused.returncode, "--set" in refused.stderr) == (2, True)
