"""Code bundles: their import closure and their address."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.bundles import Bundle, code_bundle, entry_modules, import_closure, settings_bundle

ROOT = Path(__file__).resolve().parents[2]
MAIN = '\n\nif __name__ == "__main__":\n    job.run(main)\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a step, what it needs, and what it does not."""
    files = {
        "__init__.py": "",
        "train.py": "import json\nfrom steps import job, model as m\nimport steps.scoring" + MAIN,
        "job.py": '"""Ends with `if __name__ == "__main__": job.run(main)`."""\nfrom steps.contract import x',
        "contract.py": "x = 1",
        "model.py": "def f():\n    from steps.lazy import y",
        "lazy.py": 'COMMAND = ["-m", "steps.started"]',
        "started.py": "from . import contract\nfrom .nested import z" + MAIN,
        "nested.py": "",
        "scoring.py": "from steps import train",
        "scoring.css": "a {}",
        "report.py": "import pandas.steps\nfrom steps import job" + MAIN,
        "report.html": "<p>",
    }
    (tmp_path / "steps").mkdir()
    for name, text in files.items():
        (tmp_path / "steps" / name).write_text(text)
    return tmp_path


def test_the_closure_holds_every_form_of_import_and_modules_named_as_text(root: Path) -> None:
    found = import_closure(root / "steps", "train")

    assert found == {"train", "job", "contract", "model", "lazy", "started", "nested", "scoring"}


def test_a_bundle_holds_the_package_its_closure_and_files_with_their_stems(root: Path) -> None:
    bundle = code_bundle(root, "train", "s3://b/p")

    assert bundle.prefix == "s3://b/p/code/train"
    assert "steps/__init__.py" in bundle.files
    assert "steps/scoring.css" in bundle.files
    assert "steps/report.html" not in bundle.files
    assert set(code_bundle(root, "report", "s3://b/p").files) == {
        f"steps/{name}" for name in ("__init__.py", "contract.py", "job.py", "report.html", "report.py")
    }


@pytest.mark.parametrize("name", ["train.py", "contract.py", "nested.py", "scoring.css", "__init__.py"])
def test_a_change_inside_the_closure_changes_the_address(root: Path, name: str) -> None:
    before = code_bundle(root, "train", "s3://b/p").uri
    path = root / "steps" / name
    path.write_text(path.read_text() + "\n")

    assert code_bundle(root, "train", "s3://b/p").uri != before


def test_a_change_outside_the_closure_leaves_the_address(root: Path) -> None:
    before = code_bundle(root, "train", "s3://b/p").uri
    (root / "steps" / "report.py").write_text("changed = 1")
    (root / "steps" / "report.html").write_text("<b>")
    (root / "steps" / "new.py").write_text("")
    (root / "steps" / "__pycache__").mkdir()
    (root / "steps" / "__pycache__" / "train.cpython-311.pyc").write_bytes(b"x")

    assert code_bundle(root, "train", "s3://b/p").uri == before


def test_the_address_depends_on_names_and_contents_but_not_on_their_order() -> None:
    one = Bundle("s3://b", {"a": b"1", "b": b"2"})

    assert one.digest == Bundle("s3://b", {"b": b"2", "a": b"1"}).digest
    assert len({one.digest, Bundle("s3://b", {"a": b"2", "b": b"1"}).digest, Bundle("s3://b", {"a": b"1"}).digest}) == 3
    assert one.uri == f"s3://b/{one.digest}"


def test_only_modules_that_run_are_steps(root: Path) -> None:
    assert entry_modules(root) == ("report", "started", "train")


def test_a_settings_slice_is_a_bundle_of_one_file() -> None:
    bundle = settings_bundle("train-A", '{"a": "日"}', "s3://b/p", "settings.json")

    assert bundle.prefix == "s3://b/p/settings/train-A"
    assert bundle.files == {"settings.json": '{"a": "日"}'.encode()}


def test_the_projects_own_steps_travel_with_everything_they_import() -> None:
    assert {"prepare", "train", "infer", "postprocess"} <= set(entry_modules(ROOT))
    assert "job" not in entry_modules(ROOT)
    for module in entry_modules(ROOT):
        files = set(code_bundle(ROOT, module, "s3://b/p").files)
        assert {"steps/__init__.py", f"steps/{module}.py", "steps/contract.py"} <= files


def test_editing_the_report_leaves_training_where_it_is() -> None:
    closure = import_closure(ROOT / "steps", "train")

    assert not closure & {"postprocess", "report", "infer", "prepare"}
