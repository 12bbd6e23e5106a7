"""Hooks: how they are loaded and called, and how what goes wrong in them is told."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steps import contract, hooknames, hooks, job
from steps.hooks import Context, HookError, Hooks

ROOT = Path(__file__).parents[2]
PYTHONS_OWN = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a job finds the user's code."""
    monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(tmp_path))
    found = contract.input_dir(contract.IN_CODE) / "custom"
    found.mkdir(parents=True)
    return found


def load(folder: Path, text: str, types: Mapping[str, str] | None = None, **parameters: str) -> Hooks:
    (folder / "my_steps.py").write_text(text, encoding="utf-8")
    entry = {"file": "my_steps.py", "hooks": ["prepare"], "parameters": types or {}}
    environment = {f"PARAMETER_{name}": value for name, value in parameters.items()}
    found = hooks.load({"code": entry}, environment)
    assert found is not None
    return found


def context(found: Hooks, settings: Mapping[str, Any] | None = None, seed: int = 0) -> Context:
    names = {"step": "PrepareTraining", "model": "A", "slug": "A", "training": True, "label": "y", "id": "id"}
    return found.context(settings or {}, seed=seed, **names)


def call(found: Hooks, argument: Any = None) -> Any:
    return found.call("prepare", argument, context=context(found))


@pytest.mark.parametrize("module", ["prepare", "postprocess", "train"])
def test_without_hooks_a_step_does_not_import_what_they_need(module: str) -> None:
    code = f"import sys, steps.{module}; sys.exit('pandas' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_settings_without_code_have_no_hooks() -> None:
    assert hooks.load({}) is None


def test_a_hook_is_called_with_what_it_is_given_and_the_context(folder: Path) -> None:
    found = load(
        folder, "def prepare(frame, context):\n    return frame, context.model, context.step, context.training"
    )

    assert found.has("prepare")
    assert not found.has("metrics")
    assert call(found, 7) == (7, "A", "PrepareTraining", True)


def test_a_hook_imports_what_lies_beside_it(folder: Path) -> None:
    (folder / "helpers.py").write_text("def f(x):\n    return x + 1\n")

    assert call(load(folder, "import helpers\ndef prepare(frame, context):\n    return helpers.f(frame)"), 1) == 2


def test_other_hooks_with_the_same_names_are_imported_anew(folder: Path) -> None:
    """Two default models can carry other versions of a file."""
    (folder / "helpers.py").write_text("X = 1\n")
    text = "import helpers\ndef prepare(frame, context):\n    return helpers.X"
    first = load(folder, text)
    (folder / "helpers.py").write_text("X = 22\n")

    assert (call(first), call(load(folder, text))) == (1, 22)


@pytest.mark.parametrize("installed", ["lib/python3.12/site-packages", "lib/python3/dist-packages", PYTHONS_OWN])
def test_what_is_installed_below_the_users_folder_is_not_the_users_own(
    tmp_path: Path, installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment beside the config, and a step that is run alone on the code there."""
    (tmp_path / "helpers.py").write_text("X = 1\n")
    name = f"library_of_{len(installed)}"
    library = tmp_path / ".venv" / installed / f"{name}.py"
    library.parent.mkdir(parents=True)
    library.write_text("def f():\n    raise ValueError('no')\n")
    (tmp_path / "my_steps.py").write_text(f"import helpers, {name}\ndef prepare(f, c):\n    return {name}.f()\n")
    monkeypatch.syspath_prepend(str(library.parent))
    entry = {"code": {"file": "my_steps.py", "hooks": ["prepare"], "parameters": {}}}
    environment = {hooknames.FOLDER_VARIABLE: str(tmp_path)}

    hooks.load(entry, environment)
    first = sys.modules[name]
    found = hooks.load(entry, environment)

    assert found is not None
    assert sys.modules[name] is first
    assert found.files == (tmp_path / "helpers.py", tmp_path / "my_steps.py")
    with pytest.raises(HookError, match=r"my_steps\.py:3"):
        call(found)


def test_parameters_have_the_types_of_the_config(folder: Path) -> None:
    types = {"N": "int", "Rate": "float", "Deep": "bool", "Season": "str"}
    found = load(
        folder, "def prepare(f, c):\n    return dict(c.parameters)", types, N="3", Rate="1", Deep="True", Season="2"
    )

    assert call(found) == {"Deep": True, "N": 3, "Rate": 1.0, "Season": "2"}
    assert isinstance(call(found)["Rate"], float)


@pytest.mark.parametrize(("kind", "text"), [("int", "winter"), ("int", "1.5"), ("float", "winter"), ("bool", "2")])
def test_a_parameter_that_does_not_fit_the_type_of_the_training_is_text(folder: Path, kind: str, text: str) -> None:
    found = load(folder, "def prepare(f, c):\n    return c.parameters['Season']", {"Season": kind}, Season=text)

    assert call(found) == text


def test_a_hook_cannot_change_settings_and_parameters(folder: Path) -> None:
    found = load(folder, "def prepare(f, c):\n    c.settings['a']['b'] = 1")

    with pytest.raises(HookError, match=r"hook prepare \(my_steps\.py:2\) raised TypeError: "):
        found.call("prepare", None, context=context(found, {"a": {"b": 0, "c": [1]}}))


def test_random_numbers_are_the_same_in_every_call(folder: Path) -> None:
    text = "import random\nimport numpy as np\ndef prepare(f, c):\n    return random.random(), np.random.random()"
    found = load(folder, text)
    first = call(found)
    random.random()
    np.random.random()

    assert call(found) == first
    assert found.call("prepare", None, context=context(found, seed=1)) != first


def test_what_a_hook_raises_is_told_with_its_line_in_the_users_code_and_logged_whole(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "helpers.py").write_text("import json\n\ndef f():\n    return json.loads('{')\n")
    found = load(folder, "import helpers\n\ndef prepare(frame, context):\n    return helpers.f()\n")

    with caplog.at_level(logging.ERROR), pytest.raises(HookError) as caught:
        call(found)

    assert str(caught.value).startswith("hook prepare (helpers.py:4) raised JSONDecodeError: Expecting property name")
    assert isinstance(caught.value, job.StepError)
    assert 'my_steps.py", line 4, in prepare' in caplog.text
    assert "\n" not in str(caught.value)


def test_what_it_raises_is_cut_where_it_is_long(folder: Path) -> None:
    found = load(folder, "def prepare(f, c):\n    raise ValueError('x' * 5000)")

    with pytest.raises(HookError) as caught:
        call(found)
    assert len(str(caught.value)) < 400


def test_memory_that_runs_out_is_no_fault_of_the_hook(folder: Path) -> None:
    found = load(folder, "def prepare(f, c):\n    raise MemoryError")

    with pytest.raises(MemoryError):
        call(found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "import no_such_library\ndef prepare(f, c): ...",
            "import of my_steps.py:1: raised ModuleNotFoundError: No module named 'no_such_library'; add it to "
            "config/libraries.txt",
        ),
        ("x = 1 / 0", "import of my_steps.py:1: raised ZeroDivisionError: division by zero"),
        ("prepare = 3", "my_steps.py: prepare is no function; define it with def prepare(...)"),
    ],
)
def test_a_module_that_cannot_be_used_is_told(folder: Path, text: str, told: str) -> None:
    with pytest.raises(HookError) as caught:
        load(folder, text)
    assert str(caught.value) == told


def test_code_that_did_not_travel_is_told(folder: Path) -> None:
    entry = {"file": "gone.py", "hooks": ["prepare"], "parameters": {}}

    with pytest.raises(HookError, match=r"gone\.py is not in the step's code; compile the pipeline again"):
        hooks.load({"code": entry}, {})
