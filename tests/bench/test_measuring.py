"""A command is timed as a whole process, and pairs are measured in turn."""

from __future__ import annotations

import sys

import measuring
import pytest
from measuring import Usage


def test_a_long_pair_is_measured_once_unless_all_are_to_be_repeated() -> None:
    def slow() -> Usage:
        return Usage(measuring.LONG, 0, 0)

    counts = [len(measuring.alternate(slow, lambda: Usage(1, 0, 0), 3, always=always).ours) for always in (False, True)]
    assert counts == [1, 3]


def test_a_command_that_fails_tells_what_it_said() -> None:
    with pytest.raises(RuntimeError, match="ended with 3: alas"):
        measuring.run([sys.executable, "-c", "import sys; sys.stderr.write('alas'); sys.exit(3)"])


def test_a_small_command_of_a_large_process_is_not_taken_for_large() -> None:
    ballast = b"x" * 300_000_000
    usage = measuring.run([sys.executable, "-c", "import time; x = b'x' * 60_000_000; time.sleep(0.3)"])

    assert len(ballast) > 1_000_000 * usage.memory_mb > 60_000_000
    assert usage.wall > 0.3
