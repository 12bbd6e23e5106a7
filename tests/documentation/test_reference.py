"""The reference is what the code says: every command, option, settings key and file, and no page is stale."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import reference
import reference_commands
import reference_settings
from reference_files import FILES

from pipelines.document_problems import legal_keys
from pipelines.settings import Settings

PAGES = reference.pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_reference_is_what_the_code_says(name: str) -> None:
    """Where this fails, `make reference` writes the pages anew; look at the difference and commit it."""
    committed = (reference.FOLDER / name).read_text(encoding="utf-8")

    assert committed == PAGES[name], f"docs/reference/{name} is stale: run make reference"


@pytest.mark.parametrize("module", reference_commands.COMMANDS)
def test_the_reference_has_every_option_of_every_command(module) -> None:
    missing = sorted(o for o in reference_commands.options(module.parser()) if o not in PAGES["cli.md"])

    assert missing == []


def test_the_reference_has_every_command_of_the_project() -> None:
    """A module of pipelines/ that is run with `python -m` has a function `parser`."""
    folder = reference.ROOT / "pipelines"
    found = {p.stem for p in folder.glob("*.py") if "\ndef parser(" in p.read_text(encoding="utf-8")}

    assert found == {module.__name__.rpartition(".")[2] for module in reference_commands.COMMANDS}


def test_the_reference_has_every_settings_key() -> None:
    paths = set(legal_keys(Settings))
    leaves = {path for path in paths if not any(other.startswith(f"{path}.") for other in paths)}
    wanted = {path.replace("[*]", "[]").replace(".*", ".NAME") for path in leaves}
    missing = sorted(key for key in wanted if f"| `{key}` |" not in PAGES["settings.md"])

    assert wanted
    assert missing == []


def test_every_settings_key_has_its_meaning_below_it_in_the_code() -> None:
    """A docstring below the field, in pipelines/sections.py or pipelines/settings.py."""
    rows = re.findall(r"^\| `([^`]+)` \|.*\| ([^|]*) \|$", PAGES["settings.md"], re.MULTILINE)

    assert len(rows) > 100
    assert [key for key, meaning in rows if not meaning.strip()] == []


def test_docstrings_of_fields_belong_to_their_class_and_its_subclasses() -> None:
    assert reference_settings.MEANINGS["SharedInstance", "type"] == reference_settings.MEANINGS["Instance", "type"]
    assert ("Instance", "count") not in reference_settings.MEANINGS


def test_every_file_that_is_described_says_where_it_lies() -> None:
    assert [name for name, told in FILES.items() if not told.where or not told.what] == []


def test_writing_names_only_the_pages_that_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference.write(tmp_path)
    (tmp_path / "cli.md").write_text("old", encoding="utf-8")
    capsys.readouterr()

    reference.write(tmp_path)

    assert capsys.readouterr().out == "cli.md: written\n"
    assert (tmp_path / "cli.md").read_text(encoding="utf-8") == PAGES["cli.md"]
