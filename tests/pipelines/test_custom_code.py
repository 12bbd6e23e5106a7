"""The user's own code: what is wrong with it is told before anything runs, and each step gets its part of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from pipelines import compile as compiling
from pipelines import custom_code, settings
from pipelines.errors import SettingsError

GOOD = """import helpers


def prepare(frame, context):
    return helpers.add(frame)


def metrics(actual, predicted, context):
    return {"bias": float((predicted - actual).mean())}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "my_steps.py", GOOD)
    write(tmp_path, "helpers.py", "def add(frame):\n    return frame\n")
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def configure(folder: Path, **changes: object) -> Path:
    config = {
        "data": {"label": "y", "id": "id"},
        "models": [{"name": name, "where": {"k": name}} for name in ("A", "B")],
        "code": "my_steps.py",
    }
    path = folder / "shop.yml"
    path.write_text(yaml.safe_dump({**config, **changes}), encoding="utf-8")
    return path


def compiled(folder: Path, **changes: object) -> compiling.Compiled:
    found = settings.load(configure(folder, **changes))
    return compiling.compile_pipeline(found, compiling.choose(found, folder / "shop.yml", None, frozen=True))


def draw(folder: Path, **changes: object) -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, bytes]]]:
    """Return the addresses of code and settings by kind, and the files of the code by kind.

    The settings of PostProcess are left out: they name the code of every step, for the report.
    """
    found = settings.load(configure(folder, **changes))
    models = compiling.choose(found, folder / "shop.yml", None, frozen=True)
    blueprint, bundles = compiling.draw(found, models)
    files = {kind: next(b for b in bundles if b.uri == uri).files for kind, uri in blueprint.code.items()}
    slices = {kind: uri for kind, uri in blueprint.slices.items() if kind != "postprocess"}
    return dict(blueprint.code), slices, {kind: dict(each) for kind, each in files.items()}


def problems(folder: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings.load(configure(folder))
    return [problem.partition("shop.yml: ")[2] for problem in caught.value.problems]


def own(files: dict[str, bytes]) -> dict[str, str]:
    return {name: content.decode() for name, content in files.items() if name.startswith("custom/")}


def test_a_step_is_given_the_hooks_that_it_calls_and_what_they_import(folder: Path) -> None:
    _, _, files = draw(folder)

    assert set(own(files["prepare"])) == {"custom/my_steps.py", "custom/helpers.py"}
    assert "metrics" not in own(files["prepare"])["custom/my_steps.py"]
    assert set(own(files["train"])) == {"custom/my_steps.py"}
    assert "helpers" not in own(files["train"])["custom/my_steps.py"]
    assert own(files["infer"]) == own(files["postprocess"]) == {}


def test_changing_one_hook_gives_new_code_to_the_steps_that_call_it_and_to_no_other(folder: Path) -> None:
    before, settings_before, _ = draw(folder)
    write(folder, "my_steps.py", GOOD.replace('"bias"', '"mean error"'))
    after, settings_after, _ = draw(folder)

    assert {kind for kind in before if before[kind] != after[kind]} == {"train"}
    assert settings_before == settings_after


def test_adding_a_hook_changes_nothing_for_the_steps_that_do_not_call_it(folder: Path) -> None:
    write(folder, "my_steps.py", GOOD.partition("\n\ndef metrics")[0])
    before, settings_before, _ = draw(folder)
    write(folder, "my_steps.py", GOOD)
    after, settings_after, _ = draw(folder)

    assert {kind for kind in before if before[kind] != after[kind]} == {"train"}
    assert {kind for kind in settings_before if settings_before[kind] != settings_after[kind]} == {
        "train-A",
        "train-B",
        "train-pooled",
    }


def test_a_change_in_a_module_beside_it_counts_and_in_one_that_nobody_imports_does_not(folder: Path) -> None:
    before, _, _ = draw(folder)
    write(folder, "unrelated.py", "x = 1")
    assert draw(folder)[0] == before

    write(folder, "helpers.py", "def add(frame):\n    return frame.copy()\n")
    after, _, _ = draw(folder)
    assert {kind for kind in before if before[kind] != after[kind]} == {"prepare"}


def test_packages_and_data_with_the_name_of_a_module_travel_and_configs_do_not(folder: Path) -> None:
    write(
        folder,
        "my_steps.py",
        "import features.more\n\ndef prepare(frame, context):\n    return features.more.f(frame)\n",
    )
    write(folder, "features/__init__.py", "")
    write(folder, "features/more.py", "import helpers\n")
    write(folder, "my_steps.holidays.csv", "day\n")
    write(folder, "my_steps.yml", "a: 1\n")

    assert set(own(draw(folder)[2]["prepare"])) == {
        "custom/my_steps.py",
        "custom/my_steps.holidays.csv",
        "custom/helpers.py",
        "custom/features/__init__.py",
        "custom/features/more.py",
    }


def test_without_code_bundles_and_settings_are_the_same_bytes_as_ever(folder: Path) -> None:
    """Their addresses are in the definition; the golden definition, which has no code, holds the rest."""
    code, parts, files = draw(folder, code=None)
    with_code = draw(folder)

    assert not any(own(each) for each in files.values())
    assert {kind for kind in code if code[kind] == with_code[0][kind]} == set(code) - {"prepare", "train"}
    assert {kind for kind in parts if parts[kind] == with_code[1][kind]} >= {"lambda", "infer-A"}


def test_the_compiled_definition_mounts_the_code_that_holds_the_hooks(folder: Path) -> None:
    """What `compile` and `deploy` send is what a local run executes: the bundles by their address."""
    found = compiled(folder)
    definition = json.loads(found.text)
    bundles = {bundle.uri: bundle for bundle in found.bundles}

    def mounted(step: str) -> set[str]:
        arguments = next(each for each in definition["Steps"] if each["Name"] == step)["Arguments"]
        uri = next(i["S3Input"]["S3Uri"] for i in arguments["ProcessingInputs"] if i["InputName"] == "code")
        return {name for name in bundles[uri].files if name.startswith("custom/")}

    assert mounted("PrepareTraining") == mounted("PreparePrediction") == {"custom/my_steps.py", "custom/helpers.py"}
    assert mounted("Train-A") == {"custom/my_steps.py"}


def test_the_slices_say_which_hooks_a_step_calls_and_of_which_type_parameters_are(folder: Path) -> None:
    found = settings.load(configure(folder, parameters={"Season": "winter", "Horizon": 3, "Rate": 0.5, "Deep": True}))
    custom = custom_code.read(found.code)
    assert custom is not None

    assert custom.slice_of("train", found.parameters) == {
        "code": {
            "file": "my_steps.py",
            "hooks": ["metrics"],
            "parameters": {"Deep": "bool", "Horizon": "int", "Rate": "float", "Season": "str"},
        }
    }
    assert custom.slice_of("infer", found.parameters) == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def prepare(frame:\n", "my_steps.py, line 1: not Python ('(' was never closed)"),
        (
            "def prepare(frame):\n    return frame\n",
            "my_steps.py, line 1: prepare(frame) cannot be called with 2 arguments; write prepare(frame, context)",
        ),
        (
            "async def prepare(frame, context): ...",
            "my_steps.py, line 1: prepare is async; write it as a plain function",
        ),
        (
            "def prepare(f, c): ...\n\ndef metric(a, p, c): ...\n",
            "my_steps.py, line 3: nothing calls metric; did you mean the hook metrics? Rename it, or begin its name "
            "with an underscore",
        ),
        (
            "from . import x\ndef prepare(f, c): ...",
            "my_steps.py, line 1: relative import; import what lies beside it by its name: import helpers",
        ),
    ],
)
def test_what_is_wrong_with_the_code_is_told_with_its_line(folder: Path, text: str, problem: str) -> None:
    write(folder, "my_steps.py", text)

    assert problems(folder) == [f"code: {problem}"]


def test_a_file_without_a_hook_is_told_what_there_could_be(folder: Path) -> None:
    write(folder, "my_steps.py", "x = 1\n")

    assert problems(folder)[0].startswith(
        "code: my_steps.py defines no hook; expected one of prepare(frame, context), "
    )


def test_a_helper_that_is_called_may_be_called_almost_like_a_hook(folder: Path) -> None:
    write(
        folder, "my_steps.py", "def _prepared(f): ...\ndef metric(a): ...\ndef prepare(f, c):\n    return metric(f)\n"
    )

    assert settings.load(configure(folder)).code == folder / "my_steps.py"


def test_all_problems_of_code_and_config_are_told_at_once(folder: Path) -> None:
    write(folder, "my_steps.py", "import helpers\ndef prepare(f): ...\ndef metrics(): ...\n")
    write(folder, "helpers.py", "x = (\n")

    assert len(problems(folder)) == 3


def test_a_missing_file_is_told_with_the_nearest_there_is(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"code: .*my_step\.py: no such file; did you mean my_steps\.py\?"):
        settings.load(configure(folder, code="my_step.py"))
    with pytest.raises(SettingsError, match="the path is relative to the config"):
        settings.load(configure(folder, code="elsewhere/zzz.py"))


@pytest.mark.parametrize("name", ["my-steps.py", "my_steps.txt", "my steps.py", "folder"])
def test_what_is_no_module_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"is no Python module; expected a file such as my_steps\.py"):
        settings.load(configure(folder, code=name))


@pytest.mark.parametrize("name", ["json.py", "steps.py", "pandas.py"])
def test_a_file_that_would_hide_what_everything_imports_is_refused(folder: Path, name: str) -> None:
    write(folder, name, GOOD)

    with pytest.raises(SettingsError, match=r"is called like the .*; rename it"):
        settings.load(configure(folder, code=name))


def test_a_module_beside_it_that_would_hide_a_library_is_refused(folder: Path) -> None:
    write(folder, "numpy.py", "")
    write(folder, "my_steps.py", "import numpy\n" + GOOD)

    assert problems(folder) == ["code: numpy.py is called like the installed library numpy; rename it"]


def test_the_code_is_never_imported_on_the_operators_side(folder: Path) -> None:
    write(folder, "my_steps.py", 'raise SystemExit("imported")\n\n\ndef prepare(frame, context): ...\n')

    assert own(draw(folder)[2]["prepare"])


def test_an_overlay_may_name_other_code(folder: Path) -> None:
    write(folder, "other.py", GOOD)
    write(folder, "shop.prod.yml", "code: other.py\n")
    path = configure(folder)

    assert settings.load(path, "prod").code == folder / "other.py"


def test_the_example_of_the_documentation_is_sound_and_calculates_what_it_says(folder: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/how-to/customise-a-step.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    write(folder, "my_steps.py", code)
    assert custom_code.problems(folder / "my_steps.py") == []

    forest = page.partition("A forest in AutoGluon")[2]
    write(folder, "forest.py", '"""' + forest.partition("```")[0])
    assert custom_code.problems(folder / "forest.py") == []

    told = SimpleNamespace(parameters={"Late": 15})
    own: dict[str, Any] = {}
    exec(code, own)
    columns = {
        "weekday": ["Friday", "Sunday"],
        "distance": [100, 50],
        "sched_dep_time": [900, 10],
        "sched_arr_time": [910, 10],
    }
    made = own["prepare"](pd.DataFrame(columns), told)
    assert made["weekend"].tolist() == [False, True]
    assert made["planned_speed"].tolist() == [10.0, 50.0]
    predictions = pd.DataFrame({"prediction": [10.0, 20.0]})
    assert own["postprocess"](predictions, told)["late"].tolist() == [False, True]
    assert own["metrics"](np.array([0.0, 0.0]), np.array([10.0, 20.0]), told) == {"within 15 minutes": 0.5}
