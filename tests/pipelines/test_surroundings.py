"""The outside world of a local run: Lambda code by its name, mails on the console, a fingerprint of the libraries."""

from __future__ import annotations

import importlib.metadata
import io
import re
import shutil
from pathlib import Path

import pytest
from local_outcomes import workspace

from pipelines.errors import DefinitionError
from pipelines.image_tags import LIBRARIES, image_tags
from pipelines.progress import PlainProgress
from pipelines.surroundings import ROOT, fingerprint, library_warnings, open_world


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


def test_one_file_of_added_libraries_counts_in_the_cache_key_and_in_the_tags_of_the_images(tmp_path: Path) -> None:
    """What `make install` installs too: `config/libraries.txt`, also for what a user's own code imports."""
    shutil.copytree(ROOT / "containers", tmp_path / "containers")
    added = tmp_path / LIBRARIES
    key, tags = fingerprint(added), image_tags(tmp_path)
    added.parent.mkdir()
    added.write_text(f"wcwidth=={importlib.metadata.version('wcwidth')}\n", encoding="utf-8")

    assert fingerprint(added) == f"{key}\nwcwidth {importlib.metadata.version('wcwidth')}"
    assert all(tag != tags[image] for image, tag in image_tags(tmp_path).items())
    assert "--requirement config/libraries.txt" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_an_added_library_of_which_another_version_is_installed_is_warned_of(tmp_path: Path) -> None:
    added = tmp_path / "libraries.txt"
    installed = importlib.metadata.version("pandas")
    lines = ["# pandas==1", f"pandas=={installed}", "numpy == 0.0.1  # old", "no-such-library==1", "pyarrow>=1"]
    added.write_text("\n".join(lines), encoding="utf-8")

    numpy, missing = library_warnings(added)

    assert numpy.startswith("config/libraries.txt asks for numpy 0.0.1, but 2.")
    assert missing.startswith("config/libraries.txt asks for no-such-library 1, but it is not installed")
    assert list(library_warnings(tmp_path / "none")) == []
