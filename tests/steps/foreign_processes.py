"""Waiting for processes that are not the test's own children."""

from __future__ import annotations

import time
from pathlib import Path

import psutil


def wait_for_pid(path: Path) -> int:
    """Return the process number that a started process writes into a file."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.02)
    raise AssertionError("the child never started")


def ends(pid: int) -> bool:
    """Tell whether a process that is not our child is gone, or a zombie that nobody reaps, within a while."""
    try:
        process = psutil.Process(pid)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.05)
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
