"""A row of the benchmark says what was measured and whether the target holds."""

from __future__ import annotations

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


def test_an_amount_too_small_for_two_decimals_is_told_all_the_same() -> None:
    assert Figure("difference", 0.00004, None, 0.00005, "").cells()[1] == "4e-05"
