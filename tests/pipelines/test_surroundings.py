"""The outside world of a local run: Lambda code by its name, mails on the console, a fingerprint of the libraries."""

from __future__ import annotations

import importlib.metadata
import io
import re
from pathlib import Path

import pytest
from local_outcomes import workspace

from pipelines.errors import DefinitionError
from pipelines.progress import PlainProgress
from pipelines.surroundings import fingerprint, library_warnings, open_world


def call(root: Path, function: str, event: dict[str, str]) -> object:
    with open_world(workspace(root), "p", PlainProgress([], "e1", io.StringIO()), "") as world:
        return world.call_lambda(function, event)


@pytest.mark.parametrize("name", ["ping", "../judge", "os.path", "Judge", ""])
def test_a_function_without_a_module_of_its_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DefinitionError, match="there is no lambda_trigger"):
        call(tmp_path, f"arn:aws:lambda:r:0:function:p-{name}", {})


def test_a_function_is_the_handler_of_the_module_of_its_name(tmp_path: Path) -> None:
    """The notify handler answers a missing settings file with `sent: false`: it never fails a run."""
    event = {"Kind": "started", "Execution": "e1", "Settings": "s3://b/none.json"}

    assert call(tmp_path, "arn:aws:lambda:r:0:function:p-notify", event) == {"Sent": "false"}


def test_the_fingerprint_is_stable_within_an_environment() -> None:
    assert fingerprint() == fingerprint()
    assert re.search(r"^lightgbm \d", fingerprint(), re.MULTILINE)


def test_a_library_that_is_added_again_stands_in_the_fingerprint_once(tmp_path: Path) -> None:
    added = tmp_path / "libraries.txt"
    added.write_text("numpy==0.0.1\nScikit_Learn==0.0.1\nno-such-library==1\nNo.Such_Library==1\n", encoding="utf-8")

    assert fingerprint(added).splitlines() == [*fingerprint(tmp_path / "none").splitlines(), "no-such-library none"]


def test_an_added_library_of_which_another_version_is_installed_is_warned_of(tmp_path: Path) -> None:
    added = tmp_path / "libraries.txt"
    installed = importlib.metadata.version("pandas")
    lines = ["# pandas==1", f"pandas=={installed}", "numpy == 0.0.1  # old", "no-such-library==1", "pyarrow>=1"]
    added.write_text("\n".join(lines), encoding="utf-8")

    numpy, missing = library_warnings(added)

    assert numpy.startswith("config/libraries.txt asks for numpy 0.0.1, but 2.")
    assert missing.startswith("config/libraries.txt asks for no-such-library 1, but it is not installed")
    assert list(library_warnings(tmp_path / "none")) == []
