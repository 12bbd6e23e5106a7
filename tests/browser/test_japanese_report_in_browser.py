"""The Japanese report as people see it: in a browser, with every model opened, nothing is left in English."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from japanese_run import KNOWN, SAMPLES
from page_watch import LIGHT, PHONE, Look, overflow
from playwright.sync_api import Page, expect
from postprocess_inputs import ARGUMENTS, build
from spoken_texts import english_words

from steps import contract, embedding, postprocess

pytestmark = pytest.mark.slow
SEGMENT = {
    **{"verdict": "within", "mae": 11.0, "mae_low": 9.0, "mae_high": 13.0, "bias": 0.5, "rmse": 14.0, "rows": 300},
    **{"promised": {"mae": 10.0, "low": 9.0, "high": 11.0}, "without_truth": 5},
}
REALISED = {"rows": 300, "without_truth": 5, "without_prediction": 0, "segments": {"EWR": SEGMENT}}


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Japanese report into which what came true has been put."""
    build(tmp_path, SAMPLES, language="ja")
    monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(tmp_path))
    postprocess.main(ARGUMENTS)
    path = contract.output_dir(contract.OUT_PREDICTIONS) / contract.REPORT_FILE
    page = embedding.fill(path.read_text(encoding="utf-8"), embedding.REALISED, REALISED)
    assert page is not None
    path.write_text(page, encoding="utf-8")
    return path


@pytest.mark.parametrize("look", [LIGHT, PHONE], ids=str)
def test_a_japanese_report_is_japanese_once_its_script_has_run(
    page: Page, report: Path, look: Look, axe: Callable[[Page], list[str]]
) -> None:
    page.goto(report.as_uri())
    for button in page.locator("#table .open").all():
        button.click()
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")

    expect(page.locator("#count")).to_have_text("全 3 件")
    expect(page.locator("#came-true")).to_contain_text("予測どおり：1")
    page.locator("#search").fill("不合格")
    expect(page.locator("#count")).to_have_text("3 件中 1 件")
    page.locator("#search").fill("")
    page.evaluate("document.querySelectorAll('code, pre').forEach((one) => one.remove())")
    said = page.locator("body").inner_text()
    labels = page.evaluate("[...document.querySelectorAll('[aria-label]')].map((one) => one.ariaLabel).join(' ')")
    assert sorted(set(english_words(f"{said} {labels}", KNOWN))) == []
    assert overflow(page) == 0
    assert axe(page) == []
