"""The hooks `fit` and `predict`: a model of the user's own is trained, measured, packed and served like every other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import prepared_rows
import pyarrow as pa
import pyarrow.parquet
import pytest

from steps import archive, contract, description, hooknames, hooks, own_model, scoring
from steps.hooks import HookError, Hooks

pq: Any = pyarrow.parquet
ROOT = Path(__file__).parents[2]
FRAME = pd.DataFrame({"x": np.arange(10.0)})
CODE = """
import os

import numpy as np
import helpers

PID = os.getpid()


class Line:
    def __init__(self, slope, start):
        self.slope, self.start = slope, start

    def predict(self, frame):
        return helpers.filled(frame) * self.slope + self.start


def fit(train, context):
    assert os.getpid() == PID, "imported in another process than it is called in"
    x, y = helpers.filled(train), train[context.label].to_numpy()
    return Line(*np.polyfit(x, y, 1))
"""
HELPERS = """
def filled(frame):
    return frame["dist.km"].fillna(500.0).to_numpy()
"""


@pytest.fixture
def tree(tmp_path: Path) -> prepared_rows.Tree:
    """A Train step with two models, whose rows are good for a line."""
    found = prepared_rows.Tree(tmp_path)
    for slug in ("good", "other"):
        found.prepared(slug, prepared_rows.table(200), prepared_rows.table(60, seed=1, first=400))
    return found


def deliver(tree: prepared_rows.Tree, code: str, *names: str, models: tuple[str, ...] = ("good", "other")) -> None:
    folder = tree.input("code", hooknames.FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "my_steps.py").write_text(code, encoding="utf-8")
    (folder / "helpers.py").write_text(HELPERS, encoding="utf-8")
    entry = {"file": "my_steps.py", "hooks": list(names), "parameters": {}}
    tree.train_settings(list(models), code=entry)


def run_step(tree: prepared_rows.Tree, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, contract.ML_ROOT_VARIABLE: str(tree.root), "PYTHONPATH": str(ROOT), "CORES": "2"}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def evaluation(tree: prepared_rows.Tree, slug: str = "good") -> dict[str, Any]:
    found: dict[str, Any] = prepared_rows.read_json(tree.output("evaluation", slug, "evaluation.json"))
    return found


def predictions(trained: prepared_rows.Tree, root: Path, **settings: Any) -> pa.Table:
    """Return what Infer makes of the model `good`, with none of the user's code but what the artifact carries."""
    tree = prepared_rows.Tree(root)
    tree.infer_settings(["good"], **settings)
    tree.predict("good", prepared_rows.table(60, seed=1, first=400))
    shutil.copytree(trained.output("model", "good"), tree.input("model"))
    shutil.copytree(trained.output("evaluation"), tree.input("evaluation"))
    done = run_step(tree, "steps.infer")
    assert done.returncode == 0, done.stderr
    return pq.read_table(tree.output("predictions", "good", "part-00000.parquet"))


@pytest.mark.slow
def test_a_model_of_the_users_own_is_trained_measured_packed_and_served_by_the_code_it_carries(
    tree: prepared_rows.Tree, tmp_path: Path
) -> None:
    deliver(tree, CODE, "fit")
    done = run_step(tree, "steps.train", "--time-limit", "60")
    assert done.returncode == 0, done.stderr
    found = evaluation(tree)
    assert (found["status"], found["best_model"]) == ("trained", "Line"), found
    assert 0 < found["regression_metrics"]["mae"]["value"] < found["baseline"]["mae"]
    assert [e["model"] for e in prepared_rows.read_json(tree.output("evaluation", "good", "leaderboard.json"))] == [
        "Line"
    ]
    features = prepared_rows.read_json(tree.output("evaluation", "good", "feature_importance.json"))
    assert features[0]["feature"] == "dist.km"
    assert {entry["importance"] for entry in features[1:]} == {0.0}

    shutil.rmtree(tree.input("code"))
    served = predictions(tree, tmp_path / "infer")["prediction"].to_numpy()
    kept = pq.read_table(tree.output("evaluation", "good", "holdout_predictions.parquet"))
    assert served.tolist() == kept["predicted"].to_pylist()

    first = tree.output("model", "good", "model.tar.gz").read_bytes()
    shutil.rmtree(tree.output())
    deliver(tree, CODE, "fit", models=("good",))
    assert run_step(tree, "steps.train", "--time-limit", "60").returncode == 0
    assert tree.output("model", "good", "model.tar.gz").read_bytes() == first


@pytest.mark.slow
def test_predict_alone_wraps_what_autogluon_predicts_and_the_gate_measures_that(
    tree: prepared_rows.Tree, tmp_path: Path
) -> None:
    deliver(tree, "def predict(model, frame, context):\n    return model.predict(frame).clip(upper=12)", "predict")
    done = run_step(tree, "steps.train", "--time-limit", "60")
    assert done.returncode == 0, done.stderr
    kept = pq.read_table(tree.output("evaluation", "good", "holdout_predictions.parquet"))["predicted"].to_pylist()
    assert max(kept) == 12.0
    assert len(prepared_rows.read_json(tree.output("evaluation", "good", "leaderboard.json"))) > 0
    assert predictions(tree, tmp_path / "infer")["prediction"].to_pylist() == kept


@pytest.mark.slow
def test_a_hook_that_fails_fails_the_training_of_its_model_only(tree: prepared_rows.Tree) -> None:
    code = "def fit(train, context):\n    assert context.slug != 'other', 'no'\n"
    deliver(tree, code, "fit")
    done = run_step(tree, "steps.train", "--time-limit", "60")

    assert done.returncode == 0, done.stderr
    reasons = {slug: evaluation(tree, slug)["reason"] for slug in ("good", "other")}
    assert reasons["other"] == "hook fit (my_steps.py:2) raised AssertionError: no"
    assert reasons["good"].startswith("hook fit (my_steps.py) returned NoneType, which has no predict(frame); ")
    assert evaluation(tree, "other")["transient"] is False


def test_a_module_that_cannot_be_imported_fails_the_step(tree: prepared_rows.Tree) -> None:
    deliver(tree, "import no_such_library\ndef fit(train, context): ...", "fit", models=("good",))
    done = run_step(tree, "steps.train", "--time-limit", "60")

    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'no_such_library'; add it to config/libraries.txt" in done.stderr


def own(tmp_path: Path, code: str, *names: str) -> Hooks:
    folder = tmp_path / "custom"
    folder.mkdir(exist_ok=True)
    (folder / "my_steps.py").write_text(code, encoding="utf-8")
    return hooks.of(folder, {"file": "my_steps.py", "hooks": list(names), "parameters": {}}, {})


def context(found: Hooks) -> hooks.Context:
    return found.context({}, step="Train", model="A", slug="A", training=True, label="y", id="id", seed=0)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return list(frame.x)[1:]", "returned predictions of the form (9,) for 10 rows; one number per row"),
        ("return frame.x.replace(1, float('nan'))", "returned 1 of 10 predictions that are no finite numbers"),
        ("return 'abc'", "returned str; return one number per row"),
        ("return frame.x - frame.x.mean()", "predicts something else for a row when it is given fewer rows"),
        ("return frame.z", "(my_steps.py:2) raised AttributeError: "),
    ],
)
def test_predictions_are_one_finite_number_per_row_from_that_row_alone(tmp_path: Path, body: str, told: str) -> None:
    found = own(tmp_path, f"def predict(model, frame, context):\n    {body}", "predict")
    predictor = own_model.Own(None, found, context(found))

    with pytest.raises(HookError) as caught:
        scoring.predict(predictor, FRAME.copy(), "A")
    assert str(caught.value).startswith("hook predict (my_steps.py")
    assert told in str(caught.value)


def test_a_hook_that_changes_the_frame_changes_nothing_else(tmp_path: Path) -> None:
    code = "def predict(model, frame, context):\n    frame['x'] += 1\n    return frame['x']"
    found = own(tmp_path, code, "predict")

    assert own_model.Own(None, found, context(found)).predict(FRAME.copy()).tolist() == [x + 1.0 for x in range(10)]


def test_what_the_model_itself_raises_is_told_as_the_model_of_fit(tmp_path: Path) -> None:
    code = (
        "class M:\n    def predict(self, frame):\n        return frame['z']\ndef fit(train, context):\n    return M()"
    )
    found = own(tmp_path, code, "fit")
    model = own_model.fit(found, FRAME, context(found))

    with pytest.raises(HookError, match=r"hook fit \(my_steps\.py:3\) the model that it returned raised KeyError: 'z'"):
        own_model.Own(model, found, context(found)).predict(FRAME)


def test_a_model_that_cannot_be_saved_is_told_how_to_write_it(tmp_path: Path) -> None:
    code = "def fit(train, context):\n    class M:\n        def predict(self, frame): return frame.x\n    return M()"
    found = own(tmp_path, code, "fit")

    with pytest.raises(HookError, match=r"cannot be saved .*define its classes and functions at the top of my_steps"):
        own_model.save(found, own_model.fit(found, FRAME, context(found)), tmp_path / "predictor")


def test_the_artifact_carries_the_code_and_names_the_libraries_it_was_trained_with(tmp_path: Path) -> None:
    found = own(tmp_path, "import numpy, json\ndef predict(model, frame, context): ...", "predict")
    entry = own_model.carry(found, tmp_path / "artifact", False, 7)

    assert (tmp_path / "artifact/custom/my_steps.py").read_bytes() == (tmp_path / "custom/my_steps.py").read_bytes()
    assert not list((tmp_path / "artifact").rglob("*.pyc"))
    assert entry["libraries"] == {"numpy": np.__version__}
    assert own_model.library_notes({"code": entry}) == []
    told = own_model.library_notes({"code": {**entry, "libraries": {"numpy": "1.0", "no-such": "2"}}})
    assert told == [
        f"the model was trained with numpy 1.0, here is {np.__version__}",
        "the model was trained with no-such 2, here is none",
    ]


def read(metadata: Mapping[str, Any], *top: str) -> dict[str, Any]:
    return description.read(archive.Contents(1, contract.to_json(dict(metadata)).encode(), frozenset(top)))


METADATA = {
    **{
        "format": 2,
        "model": "A",
        "slug": "A",
        "autogluon_version": "1",
        "python_version": "3",
        "schema": {"columns": []},
    },
    "code": {
        **{"file": "my_steps.py", "hooks": [], "parameters": {}, "own_model": True, "seed": 0},
        "libraries": {"numpy": "1.0"},
    },
}


def test_metadata_with_code_are_read_where_the_code_is_there() -> None:
    assert read(METADATA, "predictor", "custom")["code"]["own_model"] is True
    with pytest.raises(archive.ArchiveError, match=r"code\.file is no module of custom/"):
        read(METADATA, "predictor")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"file": "../x.py"}, "code.file is no module of custom/"),
        ({"file": 3}, "code.file is no module of custom/"),
        ({"hooks": "predict"}, "code does not tell how it predicts"),
        ({"own_model": 1}, "code does not tell how it predicts"),
        ({"seed": True}, "code.seed is no number"),
        ({"libraries": []}, "code.libraries is no object of texts"),
        ({"parameters": {"a": 1}}, "code.parameters is no object of texts"),
    ],
)
def test_an_entry_of_code_that_is_not_as_train_writes_it_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(archive.ArchiveError) as caught:
        read({**METADATA, "code": {**METADATA["code"], **changes}}, "predictor", "custom")
    assert told in str(caught.value)


def test_code_belongs_to_format_2_alone() -> None:
    with pytest.raises(archive.ArchiveError, match="code stands although its format has none"):
        read({**METADATA, "format": 1}, "predictor", "custom")
    with pytest.raises(archive.ArchiveError, match="code is no object"):
        read({key: value for key, value in METADATA.items() if key != "code"}, "predictor", "custom")
