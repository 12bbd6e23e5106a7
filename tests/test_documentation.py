"""README and docs name what there is, links lead somewhere, every page is in the site. Reference: test_reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from reference_commands import COMMANDS, options

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "README.ja.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
"""What there is to read: README and all pages."""

DECISIONS = "decisions/"


@pytest.mark.parametrize("module", COMMANDS)
def test_every_option_has_a_help_text(module) -> None:
    assert [a.dest for a in module.parser()._actions if not a.help and a.option_strings] == []


def test_readme_and_docs_name_every_target_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert targets
    assert [target for target in targets if f"make {target}" not in TEXT and f" {target}" not in TEXT] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_to_a_file_of_the_repository_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_guide_to_aws_names_only_commands_and_options_that_there_are() -> None:
    text = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
    parsers = {module.__name__.rpartition(".")[2]: module for module in COMMANDS}
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


def listed(nav: Any) -> Iterator[str]:
    """Yield the pages of a navigation of MkDocs; a folder's name ends in a slash."""
    if isinstance(nav, str):
        yield nav
    else:
        for value in nav.values() if isinstance(nav, dict) else nav:
            yield from listed(value)


def test_every_page_has_its_place_in_the_navigation_of_the_site() -> None:
    """Whoever adds a page below docs/ lists it under `nav` in config/mkdocs.yml."""
    nav = list(listed(yaml.safe_load((ROOT / "config/mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES[2:]}

    assert {page for page in nav if not page.endswith("/")} <= pages
    assert {page for page in pages if page not in nav and not page.startswith(DECISIONS)} == set()


def test_no_page_holds_what_a_merge_left() -> None:
    assert re.findall(r"^(?:<{7}|>{7}) .*", TEXT, re.MULTILINE) == []


def test_the_list_of_decisions_has_every_decision() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    decisions = [page for page in PAGES if page.parent.name == "decisions" and page.name != "README.md"]
    titles = [page.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") for page in decisions]

    lines = [f"- [{title}]({page.name})" for title, page in zip(titles, decisions, strict=True)]
    assert [line for line in lines if line not in index] == []


def test_the_changelog_has_an_unreleased_section() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def outline(page: str) -> tuple[list[str], list[str], list[str]]:
    """Return the levels of a page's headings, its code without comments, and where its links lead, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    code = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    links = [link for link in re.findall(r"\]\(([^)]+)\)", prose) if not link.startswith("README")]
    commands = [re.sub(r"\s+#.*$", "", block, flags=re.MULTILINE) for block in code]
    return re.findall(r"^(#+) ", prose, re.MULTILINE), commands, links


def test_the_japanese_readme_has_the_headings_the_commands_and_the_links_of_the_english_one() -> None:
    """Whoever changes README.md changes README.ja.md, which says the same in Japanese; comments in code are its own."""
    english, japanese = outline("README.md"), outline("README.ja.md")

    assert len(english[0]) > 5
    assert japanese == english
