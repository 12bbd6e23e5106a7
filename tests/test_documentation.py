"""The README names every command, option and setting, and its changelog is there."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from pipelines import compile as compiling
from pipelines import deploy, evaluate, registry, run
from pipelines import init as beginning
from pipelines.document_problems import legal_keys
from pipelines.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def options(parser: argparse.ArgumentParser) -> set[str]:
    found = set()
    for action in parser._actions:
        found |= {option for option in action.option_strings if option.startswith("--") and option != "--help"}
        if isinstance(action, argparse._SubParsersAction):
            found |= set(action.choices)
            for child in action.choices.values():
                found |= options(child)
    return found


@pytest.mark.parametrize("module", [run, compiling, registry, deploy, beginning, evaluate])
def test_the_readme_names_every_option_of_every_command(module) -> None:
    missing = sorted(option for option in options(module.parser()) if f"{option}" not in README)

    assert missing == []


@pytest.mark.parametrize("module", [run, compiling, registry, deploy, beginning, evaluate])
def test_every_option_has_a_help_text(module) -> None:
    assert [a.dest for a in module.parser()._actions if not a.help and a.option_strings] == []


def test_the_readme_names_every_settings_key() -> None:
    shown = re.sub(r"`models\[\]\.", "`models[*].", README)
    leaves = {path for path in legal_keys(Settings)}
    wanted = {normal(path) for path in leaves if not any(other.startswith(f"{path}.") for other in leaves)}
    missing = sorted(key for key in wanted if f"`{key}`" not in shown)

    assert missing == []


def normal(path: str) -> str:
    """Return the form in which the README names a key: instances and overrides once for all."""
    path = re.sub(r"^instances\.(prepare|train|infer|postprocess)\.(?!count)", "instances.*.", path)
    path = re.sub(r"^models\[\*\]\.(gate|training)\..*", r"models[*].\1", path)
    return re.sub(r"^models\.overrides.*", "models.overrides.NAME", path)


def test_the_readme_names_every_target_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert targets
    assert [target for target in targets if f"make {target}" not in README and f" {target}" not in README] == []


@pytest.mark.parametrize("page", [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"], ids=lambda p: p.name)
def test_every_link_to_a_file_of_the_repository_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_guide_to_aws_names_only_commands_and_options_that_there_are() -> None:
    text = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
    parsers = {"run": run, "compile": compiling, "registry": registry, "deploy": deploy}
    calls = re.findall(r"python -m pipelines\.([a-z]+)([^\n`#]*)", text)

    assert calls
    for module, words in calls:
        known = options(parsers[module].parser())
        assert [word for word in re.findall(r"--[a-z-]+", words) if word not in known] == [], words


def test_every_test_that_the_page_on_reliability_names_is_there() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_/*]+/test_[a-z_*]+\.py)(?:::(test_\w+))?`", page))

    assert len(named) > 40
    for path, name in named:
        files = list((ROOT / "tests").glob(path))
        assert files, path
        assert not name or any(f"def {name}(" in file.read_text(encoding="utf-8") for file in files), name


def test_the_changelog_has_an_unreleased_section() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
