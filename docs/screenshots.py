"""Takes the pictures of these pages: the demo's runs in Chromium. `make screenshots`; look at each before a commit.

It runs the demo twice in a workspace of its own, the second time with `language: ja`, and looks at the page of runs
while the first one trains. Pictures have a palette, which makes them a quarter as large.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/browser"))

import chromium  # noqa: E402 - found on the path just set
from page_watch import DARK, LIGHT, PHONE, Look, Seen, open_context  # noqa: E402

IMAGES = ROOT / "docs/images"
WORKSPACE = Path(".local/screenshots")
CONFIG = Path("config/pipeline-config.yml")
COLOURS, LIMIT = 96, 300_000
PATIENCE = 1_200_000
"""Milliseconds that the demo may take."""


@dataclass(frozen=True)
class Picture:
    """One picture: a page, how it is looked at, and how many pixels of its height are shown."""

    name: str
    look: Look
    height: int


OF_REPORT = (
    Picture("report-light", LIGHT, 1500),
    Picture("report-dark", DARK, 1100),
    Picture("report-phone", PHONE, 1500),
)
OF_RUNS = (Picture("runs-light", LIGHT, 1120), Picture("runs-dark", DARK, 1120), Picture("runs-phone", PHONE, 1500))
RUNNING, JAPANESE = Picture("runs-running", LIGHT, 1120), Picture("report-ja", LIGHT, 1100)


def main() -> None:
    """Run the demo and take every picture."""
    IMAGES.mkdir(exist_ok=True)
    shutil.rmtree(ROOT / WORKSPACE, ignore_errors=True)
    with _opened() as browser:
        english = _run_in_view(browser)
        japanese = _result(_start(_japanese()))
        _take_all(browser, english, japanese)


@contextmanager
def _opened() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.path(), args=list(chromium.ARGUMENTS))
        yield browser
        browser.close()


def _start(config: Path) -> subprocess.Popen[str]:
    options = ["--config", str(config), "--workspace", str(WORKSPACE), "--json"]
    command = [sys.executable, "-m", "pipelines.run", "--local", *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _result(run: subprocess.Popen[str]) -> Mapping[str, str]:
    """Wait for a run; return what it says of itself."""
    said, _ = run.communicate()
    if run.returncode:
        sys.exit(f"error: the demo ended with exit code {run.returncode}")
    found: Mapping[str, str] = json.loads(said)
    return found


def _japanese() -> Path:
    """Write the demo's config with Japanese as its language."""
    config = {**yaml.safe_load((ROOT / CONFIG).read_text(encoding="utf-8")), "language": "ja"}
    path = ROOT / WORKSPACE / "japanese.yml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return path


def _run_in_view(browser: Browser) -> Mapping[str, str]:
    """Run the demo, take a picture of the page of runs while a model trains, return its result."""
    run, page_file = _start(CONFIG), ROOT / WORKSPACE / "runs.html"
    with _looking(browser, RUNNING) as page:
        while not page_file.exists() and run.poll() is None:
            page.wait_for_timeout(200)
        page.goto(page_file.as_uri())
        page.locator(".node.good b", has_text=re.compile("^Train-")).first.wait_for()
        page.wait_for_timeout(2500)
        _take(page, RUNNING)
        return _result(run)


def _take_all(browser: Browser, english: Mapping[str, str], japanese: Mapping[str, str]) -> None:
    report, runs = Path(english["report"]), ROOT / WORKSPACE / "runs.html"
    places = [(picture, report.as_uri()) for picture in OF_REPORT]
    places += [(picture, f"{runs.as_uri()}#{english['execution']}") for picture in OF_RUNS]
    for picture, address in [*places, (JAPANESE, Path(japanese["report"]).as_uri())]:
        with _looking(browser, picture) as page:
            page.goto(address)
            page.wait_for_timeout(1500)
            page.evaluate("scrollTo(0, 0)")
            _take(page, picture)


@contextmanager
def _looking(browser: Browser, picture: Picture) -> Iterator[Page]:
    """Yield a page that is as high as the picture; a page with a problem is none to show."""
    look = Look(picture.look.name, picture.look.width, picture.height, picture.look.dark, picture.look.phone)
    context, seen = open_context(browser, look, scale=1.5 if look.phone else 1), Seen()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    seen.watch(page)
    yield page
    context.close()
    if seen.problems:
        sys.exit(f"error: {picture.name}: {seen.problems}")


def _take(page: Page, picture: Picture) -> None:
    """Write a picture, cut where the page ends."""
    taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    path = IMAGES / f"{picture.name}.png"
    taken.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    sys.stdout.write(f"{path.relative_to(ROOT)}  {taken.width} x {taken.height}  {size / 1000:.0f} kB\n")
    if size > LIMIT:
        sys.exit(f"error: {path.name} has {size} bytes, more than {LIMIT}: show less of the page")


if __name__ == "__main__":
    main()
