"""What tests see of a page beside its content: messages of the console, errors, requests, and what axe-core finds."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, BrowserContext, Page

INSIDE = ("file:", "data:", "blob:", "about:")
"""Requests that leave this machine alone."""
GRAVE = ("serious", "critical")


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    name: str
    width: int = 1280
    height: int = 900
    dark: bool = False
    phone: bool = False

    def __str__(self) -> str:
        return self.name


LIGHT, DARK = Look("light"), Look("dark", dark=True)
PHONE = Look("phone", 390, 844, phone=True)
DARK_PHONE = Look("dark phone", 390, 844, dark=True, phone=True)
LOOKS = (LIGHT, DARK, PHONE, DARK_PHONE)


@dataclass
class Seen:
    """What a page did that no page of ours may do."""

    problems: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Take note of everything that happens from now on."""
        page.on("console", lambda said: self._note(said.type in ("error", "warning"), f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: self._note(True, f"error in the page: {error}"))
        page.on("request", lambda asked: self._note(not asked.url.startswith(INSIDE), f"request: {asked.url}"))
        page.on("crash", lambda _: self._note(True, "the page crashed"))

    def _note(self, is_problem: bool, text: str) -> None:
        if is_problem:
            self.problems.append(text)


def open_context(browser: Browser, look: Look, scale: float = 1) -> BrowserContext:
    """Return a fresh profile without a network; time zone and language are fixed: texts are the same everywhere."""
    return browser.new_context(
        viewport={"width": look.width, "height": look.height},
        device_scale_factor=scale,
        is_mobile=look.phone,
        has_touch=look.phone,
        color_scheme="dark" if look.dark else "light",
        offline=True,
        locale="en-GB",
        timezone_id="UTC",
    )


def violations(page: Page) -> list[str]:
    """Return what axe-core calls serious or critical, each as one readable text."""
    page.evaluate(_axe())
    options = {"resultTypes": ["violations"]}
    found: list[dict[str, Any]] = page.evaluate(f"axe.run({json.dumps(options)}).then((all) => all.violations)")
    return [_say(one, node) for one in found if one["impact"] in GRAVE for node in one["nodes"]]


@functools.cache
def _axe() -> str:
    return AXE_FILE_PATH.read_text(encoding="utf-8")


def _say(violation: dict[str, Any], node: dict[str, Any]) -> str:
    where = " ".join(map(str, node["target"]))
    why = " ".join(node.get("failureSummary", "").split())
    return f"{violation['impact']} {violation['id']} at {where}: {violation['help']}. {why}"


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
