"""Train and Infer with the real AutoGluon, as processes, exactly as a job runs them. Tiny data."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import prepared_rows
import pyarrow as pa
import pyarrow.parquet
import pytest

from steps import artifact, contract, description, job

pq: Any = pyarrow.parquet
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
ARTIFACTS = sorted((Path(__file__).parent / "artifacts").glob("format-*"))


def run_step(tree: prepared_rows.Tree, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, contract.ML_ROOT_VARIABLE: str(tree.root), "PYTHONPATH": str(ROOT), "CORES": "2"}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def train(tree: prepared_rows.Tree, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    return run_step(tree, "steps.train", "--time-limit", str(seconds))


def evaluation(tree: prepared_rows.Tree, slug: str) -> dict[str, Any]:
    found: dict[str, Any] = prepared_rows.read_json(tree.output("evaluation", slug, "evaluation.json"))
    return found


def infer_after(trained: prepared_rows.Tree, root: Path, slug: str, rows: pa.Table) -> prepared_rows.Tree:
    tree = prepared_rows.Tree(root)
    tree.infer_settings([slug])
    tree.predict(slug, rows)
    shutil.copytree(trained.output("model", slug), tree.input("model"))
    shutil.copytree(trained.output("evaluation"), tree.input("evaluation"))
    return tree


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> prepared_rows.Tree:
    """Return a step that trained one good model beside those that cannot be."""
    tree = prepared_rows.Tree(tmp_path_factory.mktemp("train"))
    good, two, constant = "good", "two-rows", "constant"
    tree.train_settings([good, two, constant, "none"])
    tree.prepared(good, prepared_rows.table(400), prepared_rows.table(100, seed=1, first=400))
    tree.prepared(two, prepared_rows.table(1), prepared_rows.table(1, seed=1))
    rows = prepared_rows.table(60)
    flat = rows.set_column(1, prepared_rows.LABEL, pa.array(np.full(60, 5.0)))
    tree.prepared(constant, flat, flat.slice(0, 10))
    tree.prepared("none", prepared_rows.table(0), prepared_rows.table(0), status="skipped")
    done = train(tree)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return tree


def test_a_model_beats_the_baseline_and_comes_with_everything_the_report_needs(trained: prepared_rows.Tree) -> None:
    found = evaluation(trained, "good")
    assert found["status"] == "trained"
    assert found["regression_metrics"]["mae"]["value"] < found["baseline"]["mae"]
    assert (found["train_rows"], found["holdout_rows"]) == (400, 100)
    names = {path.name for path in trained.output("evaluation", "good").iterdir()}
    assert names == set(contract.TRAINING_FILES)
    board = prepared_rows.read_json(trained.output("evaluation", "good", "leaderboard.json"))
    assert found["best_model"] in [entry["model"] for entry in board]
    best = next(entry for entry in board if entry["model"] == found["best_model"])
    assert best["holdout_mae"] == pytest.approx(found["regression_metrics"]["mae"]["value"], rel=1e-6)
    features = prepared_rows.read_json(trained.output("evaluation", "good", "feature_importance.json"))
    assert {entry["feature"] for entry in features} == set(prepared_rows.KINDS)


def test_the_artifact_is_small_has_its_schema_and_no_training_rows(trained: prepared_rows.Tree, tmp_path: Path) -> None:
    path = trained.output("model", "good", "model.tar.gz")
    recorded = evaluation(trained, "good")["artifact"]
    assert recorded["size"] == path.stat().st_size < 300_000
    metadata = unpacked(path, recorded["sha256"], tmp_path)
    assert [column["name"] for column in metadata["schema"]["columns"]] == list(prepared_rows.KINDS)
    assert metadata["mae"] == evaluation(trained, "good")["regression_metrics"]["mae"]["value"]
    assert not {"X.pkl", "y.pkl", "X_val.pkl", "y_val.pkl"} & {path.name for path in tmp_path.rglob("*")}


def test_what_cannot_be_trained_says_why_and_the_others_go_on(trained: prepared_rows.Tree) -> None:
    found = evaluation(trained, "two-rows")
    assert (found["status"], found["transient"]) == ("failed", False)
    assert found["reason"] == "AutoGluon could not train on 1 row within 60 s (ValueError)"
    assert evaluation(trained, "none")["status"] == "skipped"


def test_a_constant_label_trains_with_a_baseline_of_zero(trained: prepared_rows.Tree) -> None:
    found = evaluation(trained, "constant")
    assert (found["status"], found["baseline"]["mae"]) == ("trained", 0.0)
    assert found["regression_metrics"]["r2"]["value"] is None


def test_the_holdout_scored_again_by_infer_gives_the_predictions_of_the_evaluation(
    trained: prepared_rows.Tree, tmp_path: Path
) -> None:
    holdout = prepared_rows.table(100, seed=1, first=400)
    tree = infer_after(trained, tmp_path / "infer", "good", holdout)
    done = run_step(tree, "steps.infer")
    assert done.returncode == 0, done.stderr
    written = pq.read_table(tree.output("predictions", "good", "part-00000.parquet"))
    measured = pq.read_table(trained.output("evaluation", "good", "holdout_predictions.parquet"))
    assert written["id"].to_pylist() == measured["id"].to_pylist()
    assert written["prediction"].to_pylist() == pytest.approx(measured["predicted"].to_pylist(), rel=1e-6)
    again = infer_after(trained, tmp_path / "again", "good", holdout)
    assert run_step(again, "steps.infer").returncode == 0
    part = tree.output("predictions", "good", "part-00000.parquet").read_bytes()
    assert again.output("predictions", "good", "part-00000.parquet").read_bytes() == part


def test_nulls_unseen_categories_and_odd_dates_are_scored(trained: prepared_rows.Tree, tmp_path: Path) -> None:
    rows = pa.table(
        {
            "id": pa.array(["a", "b", "c"]),
            "code": pa.array([None, "new", "001"], pa.string()),
            "day": pa.array([None, 253370764800000000, 0], pa.timestamp("us")),
            "late": pa.array([None, 1.0, 7.0], pa.float64()),
            "carrier": pa.array([None, "new", "日本"], pa.string()),
            "dist.km": pa.array([None, 1e300, -1e9], pa.float64()),
        }
    )
    tree = infer_after(trained, tmp_path / "infer", "good", rows)
    done = run_step(tree, "steps.infer")
    assert done.returncode == 0, done.stderr
    written = pq.read_table(tree.output("predictions", "good", "part-00000.parquet"))
    assert written["id"].to_pylist() == ["a", "b", "c"]
    assert written["prediction"].null_count == 0
    assert prepared_rows.read_json(tree.output("predictions", "good", "inference.json"))["warnings"]


LONG = {"num_boost_round": 2500, "learning_rate": 0.015, "num_leaves": 63, "ag_args": {"name_suffix": "Long"}}
SHORT = {"num_boost_round": 12, "learning_rate": 0.2, "ag_args": {"name_suffix": "Short"}}


def wave(rows: int, seed: int) -> pa.Table:
    """Return rows whose label trees come nearer to with every round: a wave without noise."""
    found = prepared_rows.table(rows, seed=seed)
    distance = np.random.default_rng(seed).uniform(300, 700, rows)
    label = pa.array(20 * np.sin(distance / 12) + distance / 50)
    found = found.set_column(found.schema.names.index("dist.km"), "dist.km", pa.array(distance))
    return found.set_column(found.schema.names.index(prepared_rows.LABEL), prepared_rows.LABEL, label)


def train_waves(folder: Path, floor: float | None) -> tuple[dict[str, Any], str]:
    """Return the evaluation of a long and a short model, and what the step said."""
    changes = {} if floor is None else {"min_rows_per_second": floor}
    tree = prepared_rows.Tree(folder)
    tree = prepared_rows.Tree(folder, {**tree.training, "hyperparameters": {"GBM": [LONG, SHORT]}, **changes})
    tree.train_settings(["wave"])
    tree.prepared("wave", wave(4000, 1), wave(10_000, 2))
    done = train(tree)
    assert done.returncode == 0, done.stderr
    board = prepared_rows.read_json(tree.output("evaluation", "wave", "leaderboard.json"))
    assert {"LightGBMShort", "LightGBMLong"} <= {line["model"] for line in board if line["rows_per_second"] > 0}
    return evaluation(tree, "wave"), done.stderr


def test_a_floor_of_rows_per_second_has_a_faster_model_chosen_and_says_when_none_reaches_it(tmp_path: Path) -> None:
    """The long model and ensembles with it are ten times as good; a floor of three times their speed rules them out."""
    free, said = train_waves(tmp_path / "free", None)
    assert free["best_model"] != "LightGBMShort"
    assert (free["speed"], "the settings ask for" in said) == (None, False)

    floor = 3 * free["predict_rows_per_second"]
    fast, said = train_waves(tmp_path / "fast", floor)
    assert fast["best_model"] == "LightGBMShort"
    assert fast["speed"]["met"] is (fast["speed"]["rows_per_second"] >= floor)
    assert ("the settings ask for" in said) is not fast["speed"]["met"]

    none, said = train_waves(tmp_path / "none", 1e9)
    assert (none["best_model"], none["speed"]["met"]) == ("LightGBMShort", False)
    assert "the settings ask for" in said


def test_settings_that_autogluon_does_not_know_fail_the_step_with_one_line(tmp_path: Path) -> None:
    tree = prepared_rows.Tree(tmp_path, {**prepared_rows.Tree(tmp_path).training, "presets": "medium_qualty"})
    tree.train_settings(["EWR"])
    tree.prepared("EWR", prepared_rows.table(40), prepared_rows.table(10))
    done = train(tree)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    message = (tmp_path / "output" / "message").read_text(encoding="utf-8")
    assert message.endswith("does not know 'medium_qualty'; did you mean 'medium_quality'?")


def test_wide_tables_with_dots_and_nulls_train_or_say_why(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = {prepared_rows.LABEL: pa.array(random.normal(size=60))}
    for number in range(80):
        rows[f"col.{number}.x y"] = pa.array(random.normal(size=60), mask=random.random(60) < 0.5)
    rows["day"] = pa.array([None] * 60, pa.timestamp("us"))
    rows["empty"] = pa.array([None] * 60, pa.string())
    table = pa.table(rows)
    tree = prepared_rows.Tree(tmp_path)
    tree.train_settings(["wide"])
    folder = tree.prepared("wide", table, table.slice(0, 12))
    kinds = {"day": "datetime", "empty": "text"}
    columns = [
        {"name": name, "kind": kinds.get(name, "number"), "null_rate": 0.5, "categories": None}
        for name in table.schema.names[1:]
    ]
    schema = {**prepared_rows.schema("wide", "wide"), "columns": columns}
    prepared_rows.write_json(folder / "schema.json", schema)
    done = train(tree)
    assert done.returncode == 0, done.stderr
    assert evaluation(tree, "wide")["status"] == "trained"


def unpacked(path: Path, sha256: str, folder: Path) -> dict[str, Any]:
    """Unpack an artifact; return its metadata."""
    with artifact.verified(path, sha256, "good", folder) as file:
        examined = artifact.examine(file, "good")
        artifact.unpack(file, folder, examined, "good")
    return examined.metadata


def packed_as_if_here(path: Path, sha256: str, folder: Path) -> str:
    """Pack a committed artifact again in place as if this Python had made it; return its sha256.

    The formats are to be read on every Python that runs these tests, and one artifact of each is committed.
    """
    folder.mkdir()
    metadata = unpacked(path, sha256, folder)
    prepared_rows.write_json(folder / "metadata.json", {**metadata, "python_version": platform.python_version()})
    return artifact.pack(folder, path).sha256


@pytest.mark.parametrize("folder", ARTIFACTS, ids=lambda folder: folder.name)
def test_every_artifact_format_there_ever_was_is_read(folder: Path, tmp_path: Path) -> None:
    tree = prepared_rows.Tree(tmp_path)
    recorded = prepared_rows.read_json(folder / "recorded.json")
    tree.infer_settings(["format"])
    tree.predict("format", prepared_rows.table(10, seed=9))
    tree.input("model").mkdir(parents=True)
    path = tree.input("model", "model.tar.gz")
    shutil.copyfile(folder / "model.tar.gz", path)
    sha256 = packed_as_if_here(path, recorded["sha256"], tmp_path / "again")
    decided = {"source": "default", "reason": "", "package": "p", "version": 1, "sha256": sha256}
    prepared_rows.write_json(tree.input("decision", "decision.json"), {"models": {"format": decided}})
    done = run_step(tree, "steps.infer")
    assert done.returncode == 0, done.stderr
    written = pq.read_table(tree.output("predictions", "format", "part-00000.parquet"))
    assert written["prediction"].to_pylist() == pytest.approx(recorded["predictions"], rel=1e-6)


def test_there_is_an_artifact_of_every_format() -> None:
    assert [folder.name for folder in ARTIFACTS] == [f"format-{number}" for number in description.FORMATS]
    assert contract.FORMAT in description.FORMATS
    assert all(path.stat().st_size < 300_000 for folder in ARTIFACTS for path in folder.iterdir())


def test_help_is_quick_and_imports_no_autogluon() -> None:
    code = "import sys; from steps import infer, train; print('autogluon' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert isinstance(job.StepError("x"), Exception)
