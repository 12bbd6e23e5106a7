"""The corpus itself: it is large, every input belongs to a case, and what is planted in one is hidden."""

from __future__ import annotations

from collections import Counter

import pytest
from corpus_case import KINDS, ROOT, SECRET, read_cases

CASES = [case for kind in KINDS for case in read_cases(kind)]


def test_there_are_enough_cases_of_every_kind() -> None:
    counts = Counter(case.kind for case in CASES)

    assert sum(counts.values()) >= 80
    assert {kind: count for kind, count in counts.items() if count < 8} == {}


def test_no_two_cases_of_a_kind_have_one_name() -> None:
    assert [name for name, count in Counter((case.kind, case.id) for case in CASES).items() if count > 1] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_input_belongs_to_a_case(kind: str) -> None:
    used = {case.file for case in read_cases(kind)}
    overlays = {f"base.{case.given['env']}.yml" for case in read_cases(kind) if "env" in case.given}
    there = {path.name for path in (ROOT / kind).iterdir()} - {"cases.yml"}

    assert {name for name in there - used - overlays if name != "base.production.yml"} == set()
    assert used - there == {""} & used


@pytest.mark.parametrize("kind", KINDS)
def test_every_case_says_what_is_wrong_and_hides_what_is_planted(kind: str) -> None:
    cases = read_cases(kind)

    assert [case.id for case in cases if not (case.wrong and case.says)] == []
    assert [case.id for case in cases if any(SECRET in part for part in case.says)] == []
    planted = {case.id for case in cases if case.file and SECRET.encode() in case.path.read_bytes()}
    assert planted == {case.id for case in cases if case.secret}
