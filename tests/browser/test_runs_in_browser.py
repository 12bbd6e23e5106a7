"""`runs.html` as people see it: in a browser, from the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from kept_executions import add
from playwright.sync_api import Page, expect

from pipelines import runs_page
from pipelines.local.workspace import Workspace

pytestmark = pytest.mark.slow
HOSTILE = "</script><script>alert(1)</script>\u2028 \"'\\ <img src=x onerror=alert(1)>"


def test_the_page_reads_its_data_from_the_disk_and_shows_texts_as_texts(page: Page, tmp_path: Path) -> None:
    add(tmp_path, "e1", "Failed", HOSTILE, pipeline=HOSTILE, started="2026-01-01T00:00:00+00:00")
    runs_page.refresh(Workspace(tmp_path))
    page.on("dialog", lambda dialog: pytest.fail(f"a text became code: {dialog.message}"))

    page.goto((tmp_path / "runs.html").as_uri() + "#e1")

    expect(page.locator("#count")).to_have_text("1 of 1")
    expect(page.get_by_text("0 of 2 steps done")).to_be_visible()
    shown = page.locator("main").evaluate("(main) => main.textContent")
    assert shown.count(HOSTILE) == 3  # the pipeline's name, the error and the step's reason
    assert page.locator("main img, main script").count() == 0
