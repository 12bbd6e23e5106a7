"""Fixtures of the tests of pages: a browser per module, and a page that may complain of nothing and reach nothing.

Playwright's blocking interface keeps an event loop running in this thread for as long as it is open, and `asyncio.run`
of any other test would fail beside it. So the browser is open for one module at a time, never for the session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import chromium
import pytest
from page_watch import LIGHT, Look, Seen, open_context, violations
from playwright.sync_api import Browser, Page, expect, sync_playwright

PATIENCE = 30_000
"""Milliseconds for what ought to take none: the machine may be busy."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium.path(), args=list(chromium.ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def look() -> Look:
    """How the page is looked at; tests give others: `@pytest.mark.parametrize("look", LOOKS, ids=str)`."""
    return LIGHT


@pytest.fixture
def page(browser: Browser, look: Look) -> Iterator[Page]:
    """A page without a network; the test fails if it said or asked for anything that a page of ours may not."""
    context, seen = open_context(browser, look), Seen()
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    opened = context.new_page()
    seen.watch(opened)
    yield opened
    context.close()
    assert seen.problems == []


@pytest.fixture
def axe() -> Callable[[Page], list[str]]:
    """Return what axe-core finds serious or critical in a page, in words."""
    return violations
