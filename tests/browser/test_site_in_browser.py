"""The documentation as a site: built strictly, with its search, and nothing in it that another server has to give."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_watch import DARK_PHONE, LIGHT, Look, overflow, violations
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "index.html",
    "tutorial.html",
    "explanation/architecture.html",
    "reference/settings.html",
    "reference/cli.html",
)

OF_THE_THEME = (
    "serious aria-dialog-name at .md-search:",
    "serious scrollable-region-focusable at .md-typeset__scrollwrap",
)
"""What the theme makes and we do not: a dialog for searching without a name, and boxes around tables on phones."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing about it."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        del format, args


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Build the site as `make docs` does, serve it, return its address."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--config-file", "config/mkdocs.yml"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        [*command, "--site-dir", str(folder)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.mark.parametrize("look", [LIGHT, DARK_PHONE], ids=str)
def test_pages_ask_no_other_server_fit_the_screen_and_can_be_read_by_all(
    browser: Browser, site: str, look: Look
) -> None:
    context = browser.new_context(
        viewport={"width": look.width, "height": look.height}, color_scheme="dark" if look.dark else "light"
    )
    page, elsewhere, said = context.new_page(), [], []
    page.on(
        "request", lambda asked: None if asked.url.startswith((site, "data:", "blob:")) else elsewhere.append(asked.url)
    )
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    wrong = {}
    for name in PAGES:
        page.goto(site + name, wait_until="networkidle")
        found = [problem for problem in violations(page) if not problem.startswith(OF_THE_THEME)]
        wrong[name] = [*found, *([f"{overflow(page)} pixels too wide"] if overflow(page) > 0 else [])]
    context.close()

    assert {name: found for name, found in wrong.items() if found} == {}
    assert (elsewhere, said) == ([], [])


def test_the_search_finds_a_settings_key(browser: Browser, site: str) -> None:
    page = browser.new_page()
    page.goto(site)
    page.get_by_role("textbox", name="Search").click()
    page.keyboard.type("fallback.policy")

    expect(page.locator(".md-search-result__link", has_text="Settings").first).to_be_visible(timeout=30_000)
    page.close()
