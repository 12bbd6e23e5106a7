"""A feature, a figure and a library are added by a file beside the config, without touching `steps/`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from user_project import Project
from user_project import Run as Done

from pipelines.runs import Run
from pipelines.surroundings import DEPENDENCIES

pytestmark = pytest.mark.slow
CODE = '''"""Steps of our own."""

import wcwidth  # the added library


def prepare(frame, context):
    """Add how many columns of a terminal a name takes."""
    frame["width"] = frame["name"].map(wcwidth.wcswidth) * context.parameters["Scale"]
    return frame.drop(columns=["name"])


def metrics(actual, predicted, context):
    return {"median error": float(abs(predicted - actual).mean())}


def postprocess(predictions, context):
    """Never promise less than 150, and say where it is."""
    return predictions.assign(prediction=predictions["prediction"].clip(lower=150), floor=150.0)
'''


def make_rows(count: int, seed: int, first: int = 0) -> pd.DataFrame:
    """Return rows whose label follows from the width of their names, which all differ."""
    random = np.random.default_rng(seed)
    names = ["".join(random.choice(list("ab日本"), random.integers(4, 12))) + f"-{n:06d}" for n in range(count)]
    width = [len(name) + sum(character in "日本" for character in name) for name in names]
    size = random.normal(size=count)
    frame = {"id": range(first, first + count), "site": random.choice(["N", "S"], count), "name": names, "size": size}
    return pd.DataFrame(frame).assign(y=np.array(width) * 10 + size)


@pytest.fixture
def custom(project: Project) -> Project:
    project.write("train.csv", make_rows(500, 1))
    project.write("predict.csv", make_rows(60, 2, first=10_000).drop(columns="y"))
    (project.folder / "my_steps.py").write_text(CODE, encoding="utf-8")
    project.configure(models={"by": "site"}, code="my_steps.py", parameters={"Scale": 1})
    return project


def edit(project: Project, old: str, new: str) -> None:
    path = project.folder / "my_steps.py"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def test_a_feature_and_a_library_are_added_by_hooks_locally_and_in_the_compiled_definition(custom: Project) -> None:
    assert "wcwidth" not in DEPENDENCIES
    done = custom.run()
    assert done.result is not None, done.stderr
    assert (done.code, done.result["status"]) == (0, "Succeeded"), done.stderr
    run = Run(done.result["execution"], custom.workspace)

    for name in ("N", "S"):
        found = done.result["models"][name]
        assert found["accepted"], found
        assert 0 < found["custom_metrics"]["median error"] < found["baseline_mae"] / 2
    assert most_important(run) == {"N": "width", "S": "width"}
    assert "median error" in Path(done.result["report"]).read_text(encoding="utf-8")
    predictions = done.predictions()
    assert list(predictions) == ["id", "prediction", "model", "source", "floor"]
    assert (len(predictions), predictions["prediction"].min()) == (60, 150.0)

    compiled_holds_the_code(custom, run)
    defaults_alone_score_what_prepare_makes(custom, done)
    only_what_calls_a_changed_hook_runs_again(custom, run)


def most_important(run: Run) -> dict[str, str]:
    folders = run.workspace.path(f"s3://{run.origin.bucket}/{run.origin.pipeline}/executions/{run.execution}/train")
    found = {}
    for path in folders.glob("*/evaluation/*/feature_importance.json"):
        features = json.loads(path.read_text(encoding="utf-8"))
        assert "name" not in {entry["feature"] for entry in features}
        found[path.parent.name] = features[0]["feature"]
    return {slug: feature for slug, feature in found.items() if slug in ("N", "S")}


def compiled_holds_the_code(custom: Project, run: Run) -> None:
    """What is compiled for AWS refers to the very bundles that the local run executed."""
    target = custom.folder / "definition.json"
    compiled = custom.compile("--raw", str(custom.raw), "--output", str(target))
    assert compiled.returncode == 0, compiled.stderr
    for step in json.loads(target.read_text(encoding="utf-8"))["Steps"]:
        inputs = step["Arguments"].get("ProcessingInputs", ()) if step["Type"] == "Processing" else ()
        code = [run.workspace.path(i["S3Input"]["S3Uri"]) for i in inputs if i["InputName"] == "code"]
        held = [(folder / "custom" / "my_steps.py").read_text(encoding="utf-8") for folder in code]
        assert all(("import wcwidth" in text) == step["Name"].startswith("Prepare") for text in held)
        assert all(("def metrics" in text) == step["Name"].startswith("Train") for text in held)
        assert all(("def postprocess" in text) == step["Name"].startswith("PostProcess") for text in held)


def defaults_alone_score_what_prepare_makes(custom: Project, done: Done) -> None:
    for name in ("N", "S"):
        assert custom.registry("approve", name).returncode == 0
    scored = custom.run("--mode", "predict")
    assert scored.result is not None, scored.stderr
    columns = ["id", "prediction", "floor"]
    pd.testing.assert_frame_equal(scored.predictions()[columns], done.predictions()[columns])


def only_what_calls_a_changed_hook_runs_again(custom: Project, run: Run) -> None:
    edit(custom, "lower=150", "lower=140")
    assert cached(custom) == {"PrepareTraining": True, "PreparePrediction": True, "Train-N": True}

    edit(custom, "abs(predicted - actual).mean()", "abs(predicted - actual).max()")
    assert cached(custom) == {"PrepareTraining": True, "PreparePrediction": True, "Train-N": False}
    compared = custom.command("run", "--compare", run.execution, "--last", "--json")
    found = json.loads(compared.stdout)
    assert {name: sorted(kinds) for name, kinds in found["code"].items()} == {"my_steps.py": ["postprocess", "train"]}
    assert found["predictions"]["changed"] > 0


def cached(custom: Project) -> dict[str, bool]:
    again = custom.run()
    assert again.result is not None, again.stderr
    steps = again.result["steps"]
    if not steps["Train-N"]["cached"]:
        assert steps["Train-N"]["reason"] == "code changed: my_steps.py"
    return {name: steps[name]["cached"] for name in ("PrepareTraining", "PreparePrediction", "Train-N")}


def test_a_hook_that_fails_is_told_in_one_line_and_can_be_debugged_alone(custom: Project) -> None:
    edit(custom, 'frame["name"]', 'frame["nme"]')
    failed = custom.run()
    assert failed.code == 1
    assert failed.result is not None, failed.stderr
    assert "hook prepare (my_steps.py:8) raised KeyError: 'nme'" in failed.result["error"]

    edit(custom, 'frame["nme"]', 'frame["name"]')
    execution = failed.result["execution"]
    alone = custom.command("run", "--only", "PrepareTraining", "--of", execution)
    assert alone.returncode == 1
    assert "my_steps.py differs in the repository; --code runs that" in alone.stderr
    mended = custom.command("run", "--only", "PrepareTraining", "--of", execution, "--code")
    assert mended.returncode == 0, mended.stdout + mended.stderr


FIT = """
OFFSET = 1000.0


class Level:
    def predict(self, frame):
        return frame["size"] * 0 + OFFSET


def fit(train, context):
    context.log.info("%s: %d rows", context.model, len(train))
    return Level()
"""


def test_a_default_is_served_by_the_code_that_it_was_trained_with(custom: Project) -> None:
    """Registered, approved and served as every other model, after the code beside the config has changed."""
    (custom.folder / "my_steps.py").write_text(FIT, encoding="utf-8")
    fitted = {"models": {"by": "site"}, "code": "my_steps.py"}
    custom.configure(**fitted, gate={"max_baseline_ratio": None})
    first = custom.run()
    assert first.result is not None, first.stderr
    assert set(first.predictions()["prediction"]) == {1000.0}, first.stderr
    for name in ("N", "S"):
        assert custom.registry("approve", name).returncode == 0

    edit(custom, "OFFSET = 1000.0", "OFFSET = 2000.0")
    custom.configure(**fitted, gate={"max_baseline_ratio": None, "mae": 1})
    second = custom.run()
    assert second.result is not None, second.stderr
    assert second.result["models"]["N"]["served_by"] == "default", second.stderr
    assert set(second.predictions()["prediction"]) == {1000.0}
