"""Finding and installing the browser: what is there is taken, and what is missing is named with its remedy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import chromium
import pytest


def having(*names: str) -> chromium.Which:
    return lambda name: f"/bin/{name}" if name in names else None


def test_the_first_browser_there_is_is_taken_and_the_environment_goes_first(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"

    assert chromium.find(having("google-chrome"), "", nothing) == "/bin/google-chrome"
    assert chromium.find(having("chromium", "google-chrome"), "", nothing) == "/bin/chromium"
    assert chromium.find(having("chromium", "mine"), "mine", nothing) == "/bin/mine"
    assert chromium.find(having(), "", nothing) is None


def test_chrome_of_macos_is_found_where_it_is_installed(tmp_path: Path) -> None:
    assert chromium.find(having(), "", tmp_path) == str(tmp_path)


def test_a_variable_that_names_no_program_is_refused() -> None:
    with pytest.raises(chromium.NoBrowserError, match="CHROMIUM names 'lost', which is no program"):
        chromium.find(having("chromium"), "lost")


def test_it_is_installed_by_apt_as_root_or_by_sudo() -> None:
    as_root, by_sudo = (chromium.installing(having("apt-get", "sudo"), root=root) for root in (True, False))

    assert [command[:4] for command in as_root] == [["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]] * 2
    assert [command[0] for command in by_sudo] == ["sudo", "sudo"]
    assert as_root[1][4:] == ["install", "-y", "--no-install-recommends", "chromium", "fonts-ipaexfont-gothic"]


def test_where_it_cannot_be_installed_the_message_says_what_to_do() -> None:
    with pytest.raises(chromium.NoBrowserError, match=r"neither Chromium nor apt-get: install .* by hand"):
        chromium.installing(having(), root=True)
    with pytest.raises(chromium.NoBrowserError, match="as root: apt-get install chromium"):
        chromium.installing(having("apt-get"), root=False)


def test_installing_asks_apt_once_and_is_done_when_it_is_here(tmp_path: Path) -> None:
    """In a world of three programs: the second time nothing is installed any more."""
    scripts = {
        "sudo": 'exec env "$@"',
        "apt-get": f'cd {tmp_path}; echo "$@" >> asked; case "$2" in install) cp sudo chromium;; esac',
    }
    for name, body in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    for name in ("env", "cp"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    command = [sys.executable, "-E", chromium.__file__]
    for _ in range(2):
        done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["-qq update", "-qq install -y --no-install-recommends chromium fonts-ipaexfont-gothic"]
