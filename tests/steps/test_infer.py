"""Infer with a predictor of ours in place of AutoGluon's: what is checked, counted, written and refused."""

from __future__ import annotations

import pickle
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import prepared_rows
import pyarrow as pa
import pyarrow.parquet
import pytest

from steps import apart, artifact, evaluation, infer, job, scoring, trial
from steps.contract import ML_ROOT_VARIABLE

pq: Any = pyarrow.parquet
MODEL: dict[str, Any] = {"name": "C (all)", "slug": "C-all", "ignore": []}
SLUG = str(MODEL["slug"])


class DistancePredictor:
    """Predicts a hundredth of the distance, and remembers what it was given."""

    def __init__(self) -> None:
        self.frames: list[pd.DataFrame] = []

    def prepare(self, data: pd.DataFrame) -> pd.DataFrame:
        self.frames.append(data)
        return data[["dist.km"]].fillna(0.0)

    def predict(self, prepared: pd.DataFrame) -> pd.Series[float]:
        return prepared["dist.km"] / 100


class Bench:
    """One Infer step: its inputs, and what came of it."""

    def __init__(self, tree: prepared_rows.Tree) -> None:
        self.tree = tree
        self.predictor = DistancePredictor()
        self.loaded: list[Path] = []
        tree.infer_settings([])
        tree.predict(SLUG, prepared_rows.table(200, seed=3))
        self.deliver()

    def deliver(self, folder: tuple[str, ...] = (), **changes: Any) -> str:
        """Put an artifact in place, with changes to its metadata; return its sha256."""
        content = self.tree.root / "content"
        (content / artifact.PREDICTOR_DIR).mkdir(parents=True, exist_ok=True)
        metadata = {
            **evaluation.header(MODEL["name"], SLUG),
            "schema": prepared_rows.schema(SLUG, MODEL["name"]),
            "categories": ["code"],
            **changes,
        }
        prepared_rows.write_json(content / "metadata.json", metadata)
        packed = artifact.pack(content, self.tree.input("model", *folder, "model.tar.gz"))
        self.evaluate({"status": "trained", "reason": None, "artifact": {"sha256": packed.sha256}})
        return packed.sha256

    def evaluate(self, content: Mapping[str, Any]) -> None:
        folder = self.tree.input("evaluation", SLUG)
        prepared_rows.write_json(folder / "evaluation.json", content)
        edges = np.linspace(0, 10, 21).tolist()
        prepared_rows.write_json(folder / "profile.json", {"label": {"histogram": {"edges": edges}}})

    def decide(self, prefix: str | None = None, **changes: Any) -> None:
        found = {"source": "default", "reason": "MAE 31.0 > 20", "sha256": None, "package": "arn:x/3", "version": 3}
        content = {"prefix": prefix, "models": {SLUG: {**found, **changes}}}
        prepared_rows.write_json(self.tree.input("decision", "decision.json"), content)

    def load(self, folder: Path, name: str) -> scoring.Staged:
        self.loaded.append(folder)
        assert folder.is_dir()
        return self.predictor

    def run(self) -> dict[str, Any]:
        infer.infer(MODEL, job.read_settings(), self.load)
        found: dict[str, Any] = prepared_rows.read_json(self.output("inference.json"))
        return found

    def output(self, *parts: str) -> Path:
        return self.tree.output("predictions", SLUG, *parts)

    def written(self) -> Any:
        return pq.read_table(self.output("part-00000.parquet"))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv(ML_ROOT_VARIABLE, str(tmp_path / "ml"))
    return Bench(prepared_rows.Tree(tmp_path / "ml"))


def test_every_row_is_scored_once_in_order_with_its_id(bench: Bench) -> None:
    found = bench.run()
    rows = prepared_rows.table(200, seed=3)
    written = bench.written()
    assert (found["status"], found["rows"], found["rows_waiting"]) == ("scored", 200, 0)
    assert written["__row__"].to_pylist() == [3 * row for row in range(200)]
    assert written["id"].to_pylist() == rows["id"].to_pylist()
    expected = [(value or 0.0) / 100 for value in rows["dist.km"].to_pylist()]
    assert written["prediction"].to_pylist() == pytest.approx(expected)
    assert set(written["model"].to_pylist()) == {"C (all)"}
    assert set(written["source"].to_pylist()) == {"fresh"}


def test_rows_come_in_bounded_batches_with_the_dtypes_of_training(bench: Bench) -> None:
    bench.run()
    frames = bench.predictor.frames
    assert max(len(data) for data in frames) <= 64
    assert [str(dtype) for dtype in frames[0].dtypes] == ["float64", "object", "float64", "datetime64[ns]", "category"]


def test_two_runs_write_the_same_bytes(bench: Bench) -> None:
    bench.run()
    first = bench.output("part-00000.parquet").read_bytes()
    shutil.rmtree(bench.output())
    bench.run()
    assert bench.output("part-00000.parquet").read_bytes() == first


def test_the_report_of_a_scored_segment_tells_rates_distribution_and_time(bench: Bench) -> None:
    rows = prepared_rows.table(200, seed=3)
    carriers = pa.array(["new"] * 50 + rows["carrier"].to_pylist()[50:])
    rows = rows.set_column(rows.schema.names.index("carrier"), "carrier", carriers)
    bench.tree.predict(SLUG, rows.append_column("extra", carriers))
    found = bench.run()
    assert found["unseen_categories"] == {"carrier": 0.25}
    assert found["null_rates"]["dist.km"]["train"] == 0.0
    assert found["warnings"] == [
        "column 'extra' is unknown to the model and was ignored",
        "column 'carrier': 25.0% of the rows have a category that training did not see",
    ]
    assert sum(found["prediction"]["histogram"]["counts"]) == 200
    assert found["prediction"]["histogram"]["edges"][-1] == 10.0
    assert found["seconds"] > 0
    assert found["rows_per_second"] > 0
    assert found["autogluon_version"] == evaluation.autogluon_version()


def test_the_small_training_files_lie_beside_the_predictions(bench: Bench) -> None:
    (bench.tree.input("evaluation", SLUG) / "unknown.bin").touch()
    bench.run()
    assert sorted(path.name for path in bench.output("training").iterdir()) == ["evaluation.json", "profile.json"]


def test_a_default_is_told_with_its_package_and_why(bench: Bench) -> None:
    bench.decide(sha256=bench.deliver())
    found = bench.run()
    told = [found[key] for key in ("source", "reason", "package", "version")]
    assert told == ["default", "MAE 31.0 > 20", "arn:x/3", 3]
    assert set(bench.written()["source"].to_pylist()) == {"default"}


def test_a_shard_finds_each_models_artifact_in_its_own_folder(bench: Bench) -> None:
    bench.tree.input("model", "model.tar.gz").unlink()
    bench.deliver((SLUG,))
    assert bench.run()["rows"] == 200


def test_a_shards_default_is_found_by_its_key_below_the_prefix_of_the_manifest(bench: Bench) -> None:
    bench.tree.input("model", "model.tar.gz").unlink()
    sha256 = bench.deliver(("registry", SLUG, "abc"))
    uri = f"s3://b/p/registry/{SLUG}/abc/model.tar.gz"
    bench.decide(sha256=sha256, model_uri=uri, prefix="s3://b/p/")

    assert (bench.run()["rows"], bench.run()["source"]) == (200, "default")


@pytest.mark.parametrize("uri", ["s3://other/model.tar.gz", "s3://b/p/../model.tar.gz"])
def test_an_artifact_outside_of_the_manifest_is_refused(bench: Bench, uri: str) -> None:
    bench.decide(sha256="a" * 64, model_uri=uri, prefix="s3://b/p/")

    with pytest.raises(job.StepError, match=r"does not lie below s3://b/p/: run Decide again"):
        bench.run()


def test_a_skipped_segment_says_how_many_rows_wait(bench: Bench) -> None:
    bench.decide(source="skipped", reason="no approved default")
    found = bench.run()
    told = [found[key] for key in ("status", "source", "rows", "rows_waiting", "reason")]
    assert told == ["skipped", "skipped", 0, 200, "no approved default"]
    assert sorted(path.name for path in bench.output().iterdir()) == ["inference.json", "training"]


def test_a_segment_that_was_not_to_be_trained_is_skipped_without_a_decision(bench: Bench) -> None:
    bench.evaluate({"status": "skipped", "reason": "no training rows", "artifact": None})
    bench.tree.predict(SLUG, prepared_rows.table(0))
    found = bench.run()
    assert (found["status"], found["reason"], found["rows_waiting"]) == ("skipped", "no training rows", 0)


def test_a_segment_that_prepare_skipped_is_skipped(bench: Bench) -> None:
    bench.tree.predict(SLUG, prepared_rows.table(0), status="skipped")
    assert bench.run()["status"] == "skipped"


def test_no_rows_are_success_with_an_empty_part_and_need_no_model(bench: Bench) -> None:
    bench.tree.predict(SLUG, prepared_rows.table(0))
    bench.decide()
    bench.tree.input("model", "model.tar.gz").unlink()
    found = bench.run()
    assert (found["status"], found["rows"], found["rows_per_second"]) == ("scored", 0, None)
    assert bench.written().schema.names == ["__row__", "id", "prediction", "model", "source"]
    assert bench.loaded == []


def test_an_artifact_of_another_sha256_is_not_opened(bench: Bench) -> None:
    bench.decide(sha256="0" * 64)
    with pytest.raises(job.StepError, match="recorded was 0000"):
        bench.run()
    assert bench.loaded == []


@pytest.mark.parametrize("other", [{"autogluon_version": "1.2.0"}, {"python_version": "3.9.1"}])
def test_an_artifact_of_other_versions_is_not_loaded(bench: Bench, other: dict[str, str]) -> None:
    bench.deliver(**other)
    with pytest.raises(job.StepError, match=r"trained with AutoGluon .*registry refresh C-all"):
        bench.run()
    assert bench.loaded == []


class Opened:
    """Unpickling one of these makes a file: whoever opens it runs it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


def unpickle(folder: Path, name: str) -> scoring.Staged:
    """Load as AutoGluon does: by opening the pickle."""
    return pickle.loads((folder / "predictor.pkl").read_bytes())


def test_one_flipped_byte_between_train_and_infer_and_no_pickle_is_opened(bench: Bench) -> None:
    trap = bench.tree.root / "opened"
    pickled = pickle.dumps(Opened(trap))
    (bench.tree.root / "content" / artifact.PREDICTOR_DIR / "predictor.pkl").write_bytes(pickled)
    bench.deliver()
    path = bench.tree.input("model", "model.tar.gz")
    whole = path.read_bytes()
    for position in (0, len(whole) // 2, len(whole) - 1):
        changed = bytearray(whole)
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.raises(job.StepError, match="it is not opened"):
            infer.infer(MODEL, job.read_settings(), unpickle)
        assert not trap.exists()

    path.write_bytes(whole)
    with pytest.raises(job.StepError, match="could not score"):
        infer.infer(MODEL, job.read_settings(), unpickle)
    assert trap.exists(), "the trap works: an artifact that passes is opened"


def test_a_missing_artifact_is_told_with_the_way_out(bench: Bench) -> None:
    bench.tree.input("model", "model.tar.gz").unlink()
    with pytest.raises(job.StepError, match=r"there is no artifact model\.tar\.gz .*register and approve"):
        bench.run()


def test_a_column_that_the_model_needs_is_missed_before_a_row_is_scored(bench: Bench) -> None:
    rows = prepared_rows.table(10).rename_columns(
        [name.replace("carrier", "carriers") for name in prepared_rows.table(1).schema.names]
    )
    bench.tree.predict(SLUG, rows)
    with pytest.raises(job.StepError, match=re.escape("column 'carrier' is missing (nearest is 'carriers')")):
        bench.run()
    assert bench.loaded == []


def test_rows_out_of_order_are_refused(bench: Bench) -> None:
    rows = prepared_rows.table(4).add_column(0, "__row__", pa.array([0, 2, 2, 1], pa.int64()))
    bench.tree.predict(SLUG, rows)
    with pytest.raises(job.StepError, match=re.escape("model C (all): 2 rows are out of order or twice")):
        bench.run()


def test_rows_that_are_not_all_there_are_refused(bench: Bench) -> None:
    (bench.tree.input("parts", SLUG) / "part-00001.parquet").unlink()
    with pytest.raises(job.StepError, match=r"the prepared files hold 100 rows, status\.json says 200"):
        bench.run()


def test_prepared_rows_of_other_settings_are_refused(bench: Bench) -> None:
    bench.tree.infer_settings([], id="flight")
    with pytest.raises(job.StepError, match="lack '__row__' or the id column 'flight'"):
        bench.run()


def test_a_prediction_that_is_no_number_stops_the_step(bench: Bench) -> None:
    rows = prepared_rows.table(3)
    distance = pa.array([1.0, float("inf"), 1.0])
    bench.tree.predict(SLUG, rows.set_column(rows.schema.names.index("dist.km"), "dist.km", distance))
    with pytest.raises(job.StepError, match="1 of 2 predictions of a batch are null or infinite"):
        bench.run()


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("predict", "no prepared folder C-all/ with status.json in the input 'predict'"),
        ("evaluation", "has no evaluation.json: run its Train step first"),
    ],
)
def test_an_input_that_is_not_there_is_named(bench: Bench, folder: str, message: str) -> None:
    shutil.rmtree(bench.tree.input(folder))
    with pytest.raises(job.StepError, match=re.escape(message)):
        bench.run()


def test_a_failed_model_without_a_decision_serves_nobody(bench: Bench) -> None:
    bench.evaluate({"status": "failed", "reason": "too few rows", "artifact": None})
    with pytest.raises(job.StepError, match=re.escape("was not trained (too few rows) and no default was decided on")):
        bench.run()


def test_a_model_that_the_decision_does_not_know_is_named(bench: Bench) -> None:
    prepared_rows.write_json(bench.tree.input("decision", "decision.json"), {"models": {}})
    with pytest.raises(job.StepError, match=re.escape("model C (all) is not in decision.json, which has 0 models")):
        bench.run()


def isolate(bench: Bench) -> None:
    bench.tree.infer_settings([], on_segment_failure="isolate")
    path = bench.tree.input("settings", "settings.json")
    prepared_rows.write_json(path, {**prepared_rows.read_json(path), "models": [MODEL]})


def remove_artifact(bench: Bench) -> None:
    bench.tree.input("model", "model.tar.gz").unlink()


def corrupt_artifact(bench: Bench) -> None:
    path = bench.tree.input("model", "model.tar.gz")
    path.write_bytes(path.read_bytes()[:-7])


def rename_column(bench: Bench) -> None:
    names = [name.replace("carrier", "carriers") for name in prepared_rows.table(1).schema.names]
    bench.tree.predict(SLUG, prepared_rows.table(200).rename_columns(names))


def spoil_later_batch(bench: Bench) -> None:
    rows = prepared_rows.table(200)
    distance = pa.array([1.0] * 150 + [float("inf")] + [1.0] * 49)
    bench.tree.predict(SLUG, rows.set_column(rows.schema.names.index("dist.km"), "dist.km", distance))


def run_out_of_memory(bench: Bench) -> None:
    class Greedy(DistancePredictor):
        def predict(self, prepared: pd.DataFrame) -> pd.Series[float]:
            if len(self.frames) > 1:
                raise MemoryError("tell-nobody")
            return super().predict(prepared)

    bench.predictor = Greedy()


FAULTS = {
    remove_artifact: "there is no artifact model.tar.gz",
    corrupt_artifact: "sha256",
    rename_column: "column 'carrier' is missing",
    spoil_later_batch: "predictions of a batch are null or infinite",
    run_out_of_memory: "inference met a MemoryError at test_infer.py:",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_an_isolated_segments_failure_is_written_down_and_leaves_no_part(bench: Bench, fault: Any) -> None:
    isolate(bench)
    fault(bench)
    found = bench.run()
    told = [found[key] for key in ("status", "source", "rows", "rows_waiting", "failed_step")]
    assert told == ["failed", "skipped", 0, 200, "Infer"]
    assert FAULTS[fault] in found["reason"]
    assert "tell-nobody" not in found["reason"]
    assert sorted(path.name for path in bench.output().iterdir()) == ["inference.json", "training"]


def test_the_rows_of_an_isolated_segment_are_scored_as_ever(bench: Bench) -> None:
    bench.run()
    first = bench.output("part-00000.parquet").read_bytes()
    isolate(bench)
    assert bench.run()["status"] == "scored"
    assert bench.output("part-00000.parquet").read_bytes() == first


@pytest.mark.parametrize("waiting", [7, None])
def test_rows_that_could_not_be_prepared_are_a_failed_segment(bench: Bench, waiting: int | None) -> None:
    folder = bench.tree.predict(SLUG, prepared_rows.table(0))
    status = {"status": "failed", "rows": 0, "rows_waiting": waiting, "reason": "file 'a.csv' is not UTF-8"}
    prepared_rows.write_json(folder / "status.json", status)
    bench.decide()
    found = bench.run()
    told = [found[key] for key in ("status", "source", "rows_waiting", "failed_step", "reason")]
    assert told == ["failed", "skipped", waiting, "PreparePrediction", "file 'a.csv' is not UTF-8"]
    assert bench.loaded == []


def end_child(bench: Bench, code: str) -> apart.Launch:
    """Return a launch of a child that writes half a part and then ends by `code`."""
    half = bench.output("part-00000.parquet")

    def launch(
        folder: Path, guard: trial.Guard, environment: Mapping[str, str], command: Sequence[str], work: str
    ) -> trial.Outcome:
        assert list(command[1:]) == ["-m", "steps.infer", "--model", SLUG, "--outcome"]
        half.parent.mkdir(parents=True)
        half.write_bytes(b"PAR1")
        return trial.run(folder, guard, environment, (sys.executable, "-c", code), work)

    return launch


def test_a_killed_child_is_a_failed_segment_without_a_part(bench: Bench) -> None:
    isolate(bench)
    launch = end_child(bench, "import os; os.kill(os.getpid(), 9)")
    apart.infer_isolated(MODEL, infer.write_lost, launch)
    found = prepared_rows.read_json(bench.output("inference.json"))
    told = [found[key] for key in ("status", "source", "rows_waiting", "failed_step")]
    assert told == ["failed", "skipped", 200, "Infer"]
    assert found["reason"] == "inference was killed (SIGKILL), most likely because memory ran out"
    assert not list(bench.output().glob("part-*"))


def test_a_child_that_hangs_is_a_failed_segment_before_the_job_is_ended(bench: Bench) -> None:
    isolate(bench)
    apart.infer_isolated(MODEL, infer.write_lost, end_child(bench, "import sys; sys.stdin.read()"), seconds=0.3)
    found = prepared_rows.read_json(bench.output("inference.json"))
    assert (found["status"], found["rows_waiting"]) == ("failed", 200)
    assert found["reason"] == "inference was stopped by the outer guard after 0 s"
    assert not list(bench.output().glob("part-*"))


def test_a_child_that_ends_by_itself_is_our_mistake_and_fails_the_step(bench: Bench) -> None:
    isolate(bench)
    with pytest.raises(job.StepError, match=re.escape("model C (all): inference ended with exit code 3")):
        apart.infer_isolated(MODEL, infer.write_lost, end_child(bench, "import sys; sys.exit(3)"))


@pytest.mark.slow
def test_the_child_of_a_step_writes_the_failure_and_the_step_succeeds(bench: Bench) -> None:
    isolate(bench)
    infer.main([])  # the artifact holds no predictor
    found = prepared_rows.read_json(bench.output("inference.json"))
    assert (found["status"], found["rows_waiting"]) == ("failed", 200)
    assert "does not load" in found["reason"]


@pytest.mark.slow
def test_inputs_that_are_not_there_fail_the_step_although_segments_are_isolated(bench: Bench) -> None:
    isolate(bench)
    shutil.rmtree(bench.tree.input("predict"))
    with pytest.raises(job.StepError, match="no prepared folder"):
        infer.main([])


@pytest.mark.slow
def test_a_predictor_that_does_not_load_is_told_without_its_text(bench: Bench) -> None:
    with pytest.raises(job.StepError, match=r"the predictor of model C .* does not load"):
        infer.infer(MODEL, job.read_settings())
