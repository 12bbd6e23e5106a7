"""PostProcess from its inputs to its outputs: everything is published, the marker last, or nothing is."""

from __future__ import annotations

import dataclasses
import logging
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from postprocess_inputs import ARGUMENTS, EXECUTION, FLIGHTS, PASSED, PREDICT_VERSION, build, write_part

from steps import clock, contract, job, postprocess
from steps.job import StepError

SMALL = tuple(dataclasses.replace(sample, rows=50) for sample in PASSED)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(tmp_path))
    return tmp_path


def output(root: Path) -> Path:
    return root / "processing" / "output" / contract.OUT_PREDICTIONS


def files(root: Path) -> list[str]:
    folder = output(root)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def change(path: Path, **values: Any) -> None:
    job.write_json(path, {**job.read_json(path), **values})


def source(root: Path, *parts: str) -> Path:
    return root.joinpath("processing", "input", *parts)


def test_a_run_served_by_fresh_models_publishes_everything_and_succeeds(root: Path) -> None:
    build(root, SMALL, csv=True)
    postprocess.main(ARGUMENTS)
    assert files(root) == [
        *("_SUCCESS", "predictions.csv", "predictions/part-00000.parquet", "report.html", "summary.json")
    ]
    table = pq.read_table(output(root) / "predictions")
    assert table["id"].to_pylist() == list(range(100_000, 100_150))
    found = job.read_json(output(root) / contract.SUMMARY_FILE)
    assert (found["status"], found["rows"], found["policy"]) == ("Succeeded", 150, None)
    assert found["models"]["EWR"]["served_by"] == contract.FRESH
    assert job.read_json(output(root) / "_SUCCESS") == {"execution": EXECUTION, "status": "Succeeded"}


def share_out(root: Path, slug: str, hosts: int) -> None:
    """Make a model one that several hosts scored, each a part of its rows."""
    folder = source(root, contract.IN_INFERENCE, slug)
    rows, whole = pq.read_table(folder / "part-00000.parquet"), job.read_json(folder / contract.INFERENCE_FILE)
    for path in (folder / "part-00000.parquet", folder / contract.INFERENCE_FILE):
        path.unlink()
    for host in range(1, hosts + 1):
        own = rows.take(list(range(host - 1, rows.num_rows, hosts)))
        pq.write_table(own, folder / f"part-{host:03d}-00000.parquet")
        names = {name: each["train"] for name, each in whole["null_rates"].items()}
        limits = {"unseen": None, "nulls": None, "ignore": []}
        rates = {"rows": own.num_rows, "nulls": dict.fromkeys(names, 0), "unseen": {}, "trained": names}
        moments = {"rows": own.num_rows, "mean": 0.0, "spread": 0.0, "min": 0.0, "max": 1.0}
        distribution = {"edges": [0.0, 1.0], "counts": [own.num_rows], **moments}
        counts = {"notes": [], "rates": {**rates, "limits": limits}, "distribution": distribution}
        place = {"host": host, "hosts": hosts, "expected_rows": rows.num_rows, "counts": counts}
        job.write_json(folder / f"inference-{host:03d}.json", {**whole, "rows": own.num_rows, **place})


def test_what_several_hosts_scored_is_published_as_what_one_scored(root: Path) -> None:
    build(root, SMALL)
    postprocess.main(ARGUMENTS)
    one = (output(root) / "predictions" / "part-00000.parquet").read_bytes()
    shutil.rmtree(output(root))
    share_out(root, "EWR", 3)
    postprocess.main(ARGUMENTS)
    assert (output(root) / "predictions" / "part-00000.parquet").read_bytes() == one
    assert job.read_json(output(root) / contract.SUMMARY_FILE)["rows"] == 150


def test_a_host_whose_report_is_missing_stops_the_publication(root: Path) -> None:
    build(root, SMALL)
    share_out(root, "EWR", 3)
    source(root, contract.IN_INFERENCE, "EWR", "inference-002.json").unlink()
    with pytest.raises(StepError, match="EWR: there are inference reports of host 1, 3, expected each of 3 hosts once"):
        postprocess.main(ARGUMENTS)
    assert files(root) == []


def test_a_part_that_two_hosts_scored_stops_the_publication(root: Path) -> None:
    build(root, SMALL)
    share_out(root, "EWR", 2)
    folder = source(root, contract.IN_INFERENCE, "EWR")
    (folder / "part-001-00000.parquet").write_bytes((folder / "part-002-00000.parquet").read_bytes())
    with pytest.raises(StepError, match="25 rows are predicted more than once"):
        postprocess.main(ARGUMENTS)
    assert files(root) == []


def fail_segment(root: Path, waiting: int | None) -> None:
    """Make EWR, which Decide gave to its fresh model, a segment that failed in Infer."""
    build(root, FLIGHTS)
    folder = source(root, contract.IN_INFERENCE, "EWR")
    (folder / "part-00000.parquet").unlink()
    failed = {"status": "failed", "source": "skipped", "rows": 0, "rows_waiting": waiting, "failed_step": "Infer"}
    change(folder / contract.INFERENCE_FILE, **failed, reason="the predictor does not load")


def test_a_failed_segment_degrades_the_run_and_is_told_with_its_reason_and_the_way_out(root: Path) -> None:
    fail_segment(root, 400)
    postprocess.main(ARGUMENTS)
    assert "_DEGRADED" in files(root)
    found = job.read_json(output(root) / contract.SUMMARY_FILE)
    assert (found["status"], found["rows"]) == ("Degraded", 400)
    assert found["models"]["EWR"]["failure"] == "the predictor does not load"
    page = (output(root) / contract.REPORT_FILE).read_text()
    assert "Failed and left out, the others are not touched by it: EWR (the predictor does not load)" in page
    assert f"--from InferFallback-EWR --of {EXECUTION}" in page


def lose_every_segment(root: Path, status: str, reason: str) -> None:
    """Make each segment one whose rows wait: `status` is failed or skipped."""
    build(root, SMALL)
    lost = {"status": status, "source": "skipped", "rows": 0, "rows_waiting": 50, "reason": reason}
    for sample in SMALL:
        folder = source(root, contract.IN_INFERENCE, sample.slug)
        (folder / "part-00000.parquet").unlink()
        change(folder / contract.INFERENCE_FILE, **lost)


def test_a_run_whose_every_segment_failed_publishes_nothing(root: Path) -> None:
    lose_every_segment(root, "failed", "no AutoGluon")

    with pytest.raises(StepError, match=r"nothing is published.*EWR \(no AutoGluon\), JFK .*--from its Infer step"):
        postprocess.main(ARGUMENTS)
    assert not output(root).exists()


def test_a_run_whose_every_segment_was_skipped_publishes_nothing(root: Path) -> None:
    """With on_missing_default skip, too: nothing must take the place of the last good result."""
    lose_every_segment(root, "skipped", "no default")

    with pytest.raises(StepError, match=r"nothing is published: EWR \(no default\), JFK .*approve or register one"):
        postprocess.main(ARGUMENTS)
    assert not output(root).exists()


def test_rows_that_a_failed_segment_does_not_account_for_are_missed(root: Path) -> None:
    fail_segment(root, 399)
    with pytest.raises(StepError, match="1 rows to predict have no prediction"):
        postprocess.main(ARGUMENTS)


def test_a_skipped_segment_degrades_the_run_and_the_others_are_published(root: Path) -> None:
    build(root, FLIGHTS)
    postprocess.main(ARGUMENTS)
    assert files(root) == ["_DEGRADED", "predictions/part-00000.parquet", "report.html", "summary.json"]
    found = job.read_json(output(root) / contract.SUMMARY_FILE)
    served = {name: model["served_by"] for name, model in found["models"].items()}
    assert served == {"EWR": "fresh", "JFK": "default", "LGA": "skipped"}
    assert (found["status"], found["rows"], found["predict_rows"], found["policy"]) == (
        "Degraded",
        800,
        1200,
        "per_model",
    )
    assert found["models"]["JFK"]["model_version"] == 3
    assert found["models"]["LGA"]["why"] == "no approved default"


class StoppedWatch(clock.Watch):
    """A watch by which everything takes a second."""

    seconds = 1.0


def test_two_runs_on_the_same_inputs_publish_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = StoppedWatch(datetime(2026, 11, 22, 23, 36, tzinfo=UTC))
    published = []
    for name in ("one", "two"):
        monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(tmp_path / name))
        build(tmp_path / name, FLIGHTS, csv=True)
        postprocess.main(ARGUMENTS, watch)
        published.append({file: (output(tmp_path / name) / file).read_bytes() for file in files(tmp_path / name)})
    assert published[0] == published[1]


def test_nothing_is_left_behind_but_the_output(root: Path) -> None:
    build(root, SMALL)
    postprocess.main(ARGUMENTS)
    assert sorted(path.name for path in (root / "processing").iterdir()) == ["input", "output"]


def test_missing_predictions_publish_nothing(root: Path) -> None:
    build(root, SMALL)
    folder = source(root, contract.IN_INFERENCE, "EWR")
    write_part(folder, SMALL[0], np.arange(1), np.random.default_rng(0))
    change(folder / contract.INFERENCE_FILE, rows=1)
    with pytest.raises(StepError, match="rows to predict have no prediction"):
        postprocess.main(ARGUMENTS)
    assert files(root) == []


def test_rows_skipped_by_the_preparation_need_no_prediction(root: Path) -> None:
    build(root, SMALL)
    change(source(root, contract.IN_PREDICT_DATA, contract.DATA_FILE), rows=155, skipped_rows=5)
    postprocess.main(ARGUMENTS)
    found = job.read_json(output(root) / contract.SUMMARY_FILE)
    assert (found["rows"], found["predict_rows"], found["data"]["skipped_rows"]) == (150, 155, 5)
    assert found["status"] == "Succeeded"


def test_data_of_another_version_are_refused(root: Path) -> None:
    build(root, SMALL)
    arguments = [argument if argument != PREDICT_VERSION else "another" for argument in ARGUMENTS]
    with pytest.raises(StepError, match=r"prepared prediction data are of version .* this run's is another"):
        postprocess.main(arguments)


def test_models_without_inference_verdict_or_listing_are_all_named_at_once(root: Path) -> None:
    build(root, SMALL)
    inference = source(root, contract.IN_INFERENCE)
    (inference / "EWR" / contract.INFERENCE_FILE).unlink()
    job.write_json(inference / "XXX" / contract.INFERENCE_FILE, {})
    verdicts = source(root, contract.IN_VERDICTS, contract.VERDICTS_FILE)
    change(verdicts, models={k: v for k, v in job.read_json(verdicts)["models"].items() if k != "LGA"})
    with pytest.raises(StepError) as caught:
        postprocess.main(ARGUMENTS)
    for problem in ("no inference output: EWR", "not in verdicts.json: LGA", "settings do not list: XXX"):
        assert problem in str(caught.value)


def test_many_missing_models_are_counted(root: Path) -> None:
    samples = [dataclasses.replace(SMALL[0], name=f"m{at}", slug=f"m{at}", rows=1) for at in range(8)]
    build(root, samples)
    for sample in samples:
        source(root, contract.IN_INFERENCE, sample.slug, contract.INFERENCE_FILE).unlink()
    with pytest.raises(StepError, match="m0, m1, m2, m3, m4 and 3 more"):
        postprocess.main(ARGUMENTS)


def test_a_part_served_by_another_than_decided_is_refused(root: Path) -> None:
    build(root, FLIGHTS)
    decision = source(root, contract.IN_DECISION, "01", contract.DECISION_FILE)
    models = job.read_json(decision)["models"]
    change(decision, models={**models, "JFK": {**models["JFK"], "source": contract.FRESH}})
    with pytest.raises(StepError, match="who served JFK is not what Decide chose"):
        postprocess.main(ARGUMENTS)


def test_a_model_that_decide_left_out_is_refused(root: Path) -> None:
    build(root, FLIGHTS)
    decision = source(root, contract.IN_DECISION, "01", contract.DECISION_FILE)
    change(decision, models={"EWR": job.read_json(decision)["models"]["EWR"]})
    with pytest.raises(StepError, match=r"not in decision.json: JFK, LGA"):
        postprocess.main(ARGUMENTS)


def test_decisions_split_over_several_steps_are_put_together(root: Path) -> None:
    build(root, FLIGHTS)
    first = source(root, contract.IN_DECISION, "01", contract.DECISION_FILE)
    models = job.read_json(first)["models"]
    change(first, models={"EWR": models["EWR"]})
    second = source(root, contract.IN_DECISION, "02", contract.DECISION_FILE)
    job.write_json(second, {"policy": "per_model", "models": {k: models[k] for k in ("JFK", "LGA")}})
    postprocess.main(ARGUMENTS)
    assert job.read_json(output(root) / contract.SUMMARY_FILE)["policy"] == "per_model"


def test_the_log_counts_and_names_no_row(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    build(root, SMALL)
    with caplog.at_level(logging.INFO):
        postprocess.main(ARGUMENTS)
    assert [record.getMessage() for record in caplog.records] == ["published 150 predictions of 3 models: Succeeded"]


def test_an_argument_that_is_missing_stops_the_step(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        postprocess.main(["--execution", "x"])
    assert "--predict-version" in capsys.readouterr().err


def test_as_a_job_the_step_fails_with_one_line(root: Path) -> None:
    build(root, SMALL)
    source(root, contract.IN_INFERENCE, "EWR", contract.INFERENCE_FILE).unlink()
    command = [sys.executable, "-m", "steps.postprocess", *ARGUMENTS]
    home = Path(postprocess.__file__).parent.parent
    done = subprocess.run(command, env={**os.environ, "ML_ROOT": str(root)}, cwd=home, capture_output=True, text=True)
    assert done.returncode == 1
    message = (root / "output" / "message").read_text(encoding="utf-8")
    assert message.startswith("no inference output: EWR")
    assert len(message.encode()) <= contract.MESSAGE_LIMIT
    assert files(root) == []


SCORING = tuple(part for part in ARGUMENTS if part not in ("--train-version", ARGUMENTS[5]))


def test_a_run_that_scored_only_has_no_training_data_and_says_so(root: Path) -> None:
    served = [dataclasses.replace(sample, rows=50, source=contract.DEFAULT, version=2) for sample in PASSED]
    build(root, served)
    shutil.rmtree(source(root, contract.IN_TRAIN_DATA))
    for folder in source(root, contract.IN_INFERENCE).glob(f"*/{contract.TRAINING_DIR}"):
        shutil.rmtree(folder)
    path = source(root, contract.IN_VERDICTS, contract.VERDICTS_FILE)
    models = job.read_json(path)["models"]
    change(path, models={slug: {**m, "accepted": False, "ignored": True} for slug, m in models.items()})

    postprocess.main(SCORING)

    found = job.read_json(output(root) / contract.SUMMARY_FILE)
    assert (found["mode"], found["status"], found["policy"], found["data"]["train_rows"]) == (
        *("predict", "Succeeded", None, 0),
    )
    assert found["headline"][0] == "No model was trained"
    assert found["models"]["EWR"]["mae"] == 10.41
    assert "report.html" in files(root)
