"""Answers that are kept: the same back, or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.memo import Memo, Note, digest, read_note

KEY = "a" * 64


@pytest.fixture
def memo(tmp_path: Path) -> Memo:
    return Memo(tmp_path / "memo/kind", tmp_path / "tmp")


def test_an_answer_is_found_again_under_its_key_only(memo: Memo) -> None:
    memo.keep(KEY, Note("日本", ["text\n", ["a warning"], None]))

    assert memo.find(KEY) == ["text\n", ["a warning"], None]
    assert memo.find("b" * 64) is None
    assert read_note(memo.folder / f"{KEY}.json") == Note("日本", ["text\n", ["a warning"], None])


def test_a_newer_answer_takes_the_place_of_the_older(memo: Memo) -> None:
    memo.keep(KEY, Note("n", 1))
    memo.keep(KEY, Note("n", 2))

    assert memo.find(KEY) == 2


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        json.dumps({"name": "n", "content": 2, "sha256": digest(["n", 1])}).encode(),
        json.dumps({"name": "m", "content": 1, "sha256": digest(["n", 1])}).encode(),
        json.dumps({"name": 1, "content": 1, "sha256": digest([1, 1])}).encode(),
    ],
)
def test_what_is_damaged_counts_as_missing(memo: Memo, damaged: bytes) -> None:
    memo.keep(KEY, Note("n", 1))
    (memo.folder / f"{KEY}.json").write_bytes(damaged)

    assert memo.find(KEY) is None


def test_every_cut_of_a_file_counts_as_missing(memo: Memo) -> None:
    memo.keep(KEY, Note("n", {"a": 1}))
    path = memo.folder / f"{KEY}.json"
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])

        assert memo.find(KEY) is None


def test_the_order_of_keys_does_not_count_in_a_digest() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1}) != digest({"a": 1, "b": [2, 1]})
