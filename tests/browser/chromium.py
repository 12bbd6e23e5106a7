"""Where Chromium is, and how `make test` gets it: Debian's package, for Playwright's own download is another browser.

As a script it installs Chromium where there is none; that needs apt-get and root, or sudo.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

VARIABLE = "CHROMIUM"
"""Environment variable that names the program."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
PACKAGES = ("chromium", "fonts-ipaexfont-gothic")
"""The font is for Japanese in screenshots: 3 MB, where Noto's has 56."""
ARGUMENTS = (
    "--no-sandbox",  # containers have none to give, and the pages are our own
    *("--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)

Which = Callable[[str], str | None]


class NoBrowserError(Exception):
    """There is no Chromium, and none can be installed."""


def find(which: Which = shutil.which, named: str | None = None, macos: Path = ON_MACOS) -> str | None:
    """Return the program of Chromium or Chrome; `named` is what the environment variable says.

    Raises:
        NoBrowserError: the environment variable names something that cannot be run.
    """
    named = os.environ.get(VARIABLE, "") if named is None else named
    if named:
        if found := which(named):
            return found
        raise NoBrowserError(f"{VARIABLE} names {named!r}, which is no program; give the path of Chromium or Chrome")
    found = next(filter(None, map(which, NAMES)), None)
    return found or (str(macos) if macos.exists() else None)


def path() -> str:
    """Return the program of Chromium.

    Raises:
        NoBrowserError: there is none.
    """
    if found := find():
        return found
    raise NoBrowserError(
        "found no Chromium and no Chrome, which tests of pages need: "
        f"run make install-browser, or give the path of one in {VARIABLE}"
    )


def installing(which: Which = shutil.which, root: bool | None = None) -> list[list[str]]:
    """Return the commands that install Chromium.

    Raises:
        NoBrowserError: there is no apt-get here, or nobody who may use it.
    """
    root = os.geteuid() == 0 if root is None else root
    if not which("apt-get"):
        raise NoBrowserError(
            "found neither Chromium nor apt-get: install Chromium or Google Chrome by hand "
            f"(on macOS from google.com/chrome), or name it with {VARIABLE}=PATH make test"
        )
    if not root and not which("sudo"):
        raise NoBrowserError(f"found no Chromium; as root: apt-get install {' '.join(PACKAGES)}")
    before = ["env"] if root else ["sudo"]
    apt = [*before, "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    return [[*apt, "update"], [*apt, "install", "-y", "--no-install-recommends", *PACKAGES]]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoBrowserError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def main() -> int:
    """Install Chromium unless it is here; return the exit code."""
    try:
        if find():
            return 0
        for command in installing():
            _run(command)
        path()  # a package by this name may bring no program
    except NoBrowserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
