"""A row of the benchmark says what was measured and whether the target holds."""

from __future__ import annotations

import sys

import measuring
import pytest
from figures import Figure, of_pair, table
from measuring import Pair, Usage


def test_a_ratio_is_held_against_the_target() -> None:
    pair = Pair((Usage(8, 1, 100), Usage(9, 1, 90), Usage(30, 1, 95)), (Usage(10, 1, 400), Usage(10, 1, 400)))

    assert [of_pair("wall", pair, bound).met for bound in (0.9, 0.89)] == [True, False]
    assert of_pair("memory", pair, 0.25, "memory_mb").cells() == (
        "memory", "95.00 MB", "400.00 MB", "0.237", "<= 0.25", "met", "3",
    )  # fmt: skip


def test_without_a_baseline_the_figure_itself_is_held_against_the_target() -> None:
    assert table([Figure("compile", 1.6, None, 1.5)]).endswith("| compile | 1.60 s |  |  | <= 1.5 s | MISSED | 1 |\n")


def test_a_long_pair_is_measured_once_unless_all_are_to_be_repeated() -> None:
    def slow() -> Usage:
        return Usage(measuring.LONG, 0, 0)

    counts = [len(measuring.alternate(slow, lambda: Usage(1, 0, 0), 3, always=always).ours) for always in (False, True)]
    assert counts == [1, 3]


def test_a_command_is_timed_and_a_failed_one_tells_what_it_said() -> None:
    usage = measuring.run([sys.executable, "-c", "x = bytearray(60_000_000)"])
    assert usage.memory_mb > 60
    assert usage.wall > 0

    with pytest.raises(RuntimeError, match="ended with 3: alas"):
        measuring.run([sys.executable, "-c", "import sys; sys.stderr.write('alas'); sys.exit(3)"])
