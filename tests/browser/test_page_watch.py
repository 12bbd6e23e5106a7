"""What the fixtures of these tests notice: a page that complains, reaches out or shuts people out does not pass."""

from __future__ import annotations

import asyncio
import multiprocessing
from pathlib import Path

import chromium
import pytest
from page_watch import DARK_PHONE, LIGHT, Look, Seen, open_context, overflow, violations
from playwright.sync_api import Browser, sync_playwright

pytestmark = pytest.mark.slow
PAGE = (
    '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width, initial-scale=1">'
    "<title>t</title><main><h1>t</h1>{}</main></html>"
)


def problems(browser: Browser, folder: Path, body: str, look: Look = LIGHT) -> tuple[list[str], list[str], int]:
    """Return what is seen of a page with this body: its problems, axe-core's, and by how much it is too wide."""
    (folder / "page.html").write_text(PAGE.format(body), encoding="utf-8")
    context, seen = open_context(browser, look), Seen()
    opened = context.new_page()
    seen.watch(opened)
    opened.goto((folder / "page.html").as_uri())
    found = violations(opened), overflow(opened)
    context.close()
    return seen.problems, *found


def test_a_page_in_order_has_no_problem(browser: Browser, tmp_path: Path) -> None:
    assert problems(browser, tmp_path, "<p>words</p>") == ([], [], 0)


def test_errors_warnings_and_requests_to_the_outside_are_seen(browser: Browser, tmp_path: Path) -> None:
    body = '<img alt="" src="https://example.com/a.png"><script>console.warn("look"); gone()</script>'
    seen, _, _ = problems(browser, tmp_path, body)

    assert "request: https://example.com/a.png" in seen
    assert "warning: look" in seen
    assert [one for one in seen if one.startswith("error in the page") and "gone is not defined" in one]
    assert [one for one in seen if "ERR_INTERNET_DISCONNECTED" in one]


def test_what_shuts_people_out_is_said_in_words(browser: Browser, tmp_path: Path) -> None:
    _, found, _ = problems(browser, tmp_path, '<input><p style="color:#bbb;background:#fff">pale</p>')

    assert [one.split(":")[0] for one in found] == ["serious color-contrast at p", "critical label at input"]
    assert "contrast of 1.91" in found[0]


def test_a_page_too_wide_for_a_phone_is_measured(browser: Browser, tmp_path: Path) -> None:
    body = '<div style="width:490px">wide</div>'

    assert problems(browser, tmp_path, body, DARK_PHONE)[2] >= 100
    assert problems(browser, tmp_path, body)[2] == 0


def _open_and_close(answers: multiprocessing.Queue[int]) -> None:
    for _ in range(2):  # as two modules do
        with sync_playwright() as playwright:
            playwright.chromium.launch(executable_path=chromium.path(), args=list(chromium.ARGUMENTS)).close()
        answers.put(asyncio.run(asyncio.sleep(0, 7)))


def test_no_event_loop_stays_behind_for_the_tests_of_other_modules() -> None:
    """In a process of its own, for this module's browser is open in this one."""
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=_open_and_close, args=(answers,))
    process.start()

    assert [answers.get(timeout=60), answers.get(timeout=60)] == [7, 7]
    process.join()
    answers.close()
