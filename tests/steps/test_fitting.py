"""The child's own frame: its request, and that whatever it meets becomes an outcome without cells."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from subprocess import run

import prepared_rows
import pytest

from steps import fitting, trial


def request(prepared: Path) -> fitting.Request:
    model = {"name": "Very Good", "slug": "Very-Good", "training": dict(prepared_rows.Tree(prepared).training)}
    settings = {"label": "y", "id": "id", "categories": ["code"]}
    return fitting.Request.of(model, settings, str(prepared), 12.5, 2)


def test_a_request_arrives_as_it_was_written(tmp_path: Path) -> None:
    fitting.write_request(tmp_path, request(tmp_path))
    assert fitting.read_request(tmp_path) == request(tmp_path)


@pytest.mark.parametrize(("rows", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (12345, "12,345 rows")])
def test_rows_are_counted_in_words(rows: int, text: str) -> None:
    assert fitting.count(rows) == text


def test_a_mistake_of_ours_is_told_by_type_and_place_only(tmp_path: Path) -> None:
    (tmp_path / trial.REQUEST_FILE).write_text('{"secret cell": 1, "categories": []}')
    outcome = fitting.attempt(tmp_path)
    assert outcome.status == trial.BROKEN
    assert outcome.reason.startswith("training met a TypeError at fitting.py:")
    assert "secret" not in outcome.reason


def test_trouble_with_files_is_transient(tmp_path: Path) -> None:
    outcome = fitting.attempt(tmp_path)
    assert outcome.status == trial.TRANSIENT
    assert "FileNotFoundError" in outcome.reason


def test_memory_that_runs_out_under_a_limit_is_transient(tmp_path: Path) -> None:
    code = """
import resource, sys, types
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
import steps
from steps import fitting
steps.learning = sys.modules["steps.learning"] = types.ModuleType("steps.learning")
steps.learning.train = lambda request, folder: bytearray(4 << 30)
fitting.main(sys.argv[1:])
"""
    fitting.write_request(tmp_path, request(tmp_path))
    environment = trial.child_environment(os.environ, 1)
    outcome = trial.run(tmp_path, trial.Guard(60, 60), environment, (sys.executable, "-c", code))
    assert outcome.status == trial.TRANSIENT
    assert outcome.reason.startswith("training met a MemoryError at")


@pytest.mark.parametrize(("first", "taken"), [("", "left out"), ("import mlflow", "imported")])
def test_a_fit_imports_no_mlflow_unless_something_else_has(tmp_path: Path, first: str, taken: str) -> None:
    code = f"""
import os, sys, types
sys.path.insert(0, sys.argv[1])
{first}
import steps
from steps import fitting, trial
def train(request, folder):
    try:
        import mlflow
    except ImportError:
        raise trial.Ended(trial.FAILED, "left out") from None
    raise trial.Ended(trial.FAILED, "imported")
steps.learning = sys.modules["steps.learning"] = types.ModuleType("steps.learning")
steps.learning.train = train
fitting.main(sys.argv[1:])
"""
    (tmp_path / "mlflow.py").touch()
    fitting.write_request(tmp_path, request(tmp_path))
    environment = trial.child_environment(os.environ, 1)
    outcome = trial.run(tmp_path, trial.Guard(60, 60), environment, (sys.executable, "-c", code))
    assert outcome == trial.Outcome(trial.FAILED, taken)


def test_the_parent_imports_nothing_heavy() -> None:
    heavy = "pandas numpy pyarrow autogluon sklearn"
    code = f"import sys; from steps import train; print([m for m in '{heavy}'.split() if m in sys.modules])"
    root = Path(fitting.__file__).parent.parent
    found = run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert found.stdout.strip() == "[]"
