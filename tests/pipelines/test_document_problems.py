"""Reading, merging and cleaning of config documents, apart from any one setting."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.document_problems import clean, legal_keys, merge, read_yaml
from pipelines.errors import SettingsError
from pipelines.settings import Settings


def test_merge_replaces_values_and_lists_but_goes_into_mappings() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}}

    assert merge(base, {"a": {"c": [3]}, "d": None, "f": 2}) == {"a": {"b": 1, "c": [3]}, "d": None, "f": 2}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}}


def test_legal_keys_hold_nested_keys_with_stars_for_lists_and_free_names() -> None:
    found = set(legal_keys(Settings))

    expected = {"data.label", "instances.train.volume_gb", "models.by", "models[*].name", "models.overrides.*.gate.mae"}
    assert expected <= found


def test_cleaning_keeps_plain_documents_as_they_are() -> None:
    document = {"a": [1, 2.5, True, None, {"b": "日本"}], "c": {}}

    assert clean(document) == (document, {})


def test_cleaning_takes_out_what_is_not_plain_and_says_where() -> None:
    document: dict[Any, Any] = {"a": [datetime.date(2024, 1, 1), {"b": float("nan")}], "c": {1: "x", "d": 2**60}}

    kept, found = clean(document)

    assert kept == {"a": [None, {"b": None}], "c": {"d": None}}
    assert set(found) == {"a[0]", "a[1].b", "c.1", "c.d"}


def test_cleaning_ends_on_documents_without_end() -> None:
    loop: dict[str, Any] = {}
    loop["again"] = [loop]
    deep: dict[str, Any] = {}
    for _ in range(200):
        deep = {"in": deep}

    assert clean(loop)[1] == {"again[0]": "refers to itself or is nested too deeply; write it out"}
    assert len(clean(deep)[1]) == 1


def test_one_value_used_twice_by_an_anchor_is_not_a_loop() -> None:
    shared = {"x": 1}

    assert clean({"a": shared, "b": shared})[1] == {}


def test_keys_that_differ_in_type_only_count_as_one(tmp_path: Path) -> None:
    path = tmp_path / "c.yml"
    path.write_text("tags: {1: a, '1': b}\n")

    with pytest.raises(SettingsError, match="key '1' stands twice"):
        read_yaml(path)
