"""Data versions and globs of any files: what is the same has one version, what differs in anything has another."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from steps import contract
from steps.contract import DataFile

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
FILES = st.lists(st.builds(DataFile, KEYS, KEYS, st.integers(0, 10)), max_size=5, unique_by=lambda file: file.key)


@given(FILES, st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_the_order_of_files_does_not_matter(files: list[DataFile], random: object) -> None:
    mixed = list(files)
    random.shuffle(mixed)  # type: ignore[attr-defined]

    assert contract.data_version(mixed) == contract.data_version(files)
    assert contract.manifests("s3://b/", mixed) == contract.manifests("s3://b/", files)


@given(FILES, FILES)
@settings(max_examples=50)
def test_equal_versions_are_of_equal_files(some: list[DataFile], others: list[DataFile]) -> None:
    same = contract.data_version(some) == contract.data_version(others)

    assert same == (sorted(some) == sorted(others))


@given(FILES, st.sampled_from(["key", "etag", "size"]))
@settings(max_examples=50)
def test_a_change_in_any_file_changes_the_version(files: list[DataFile], what: str) -> None:
    for file in files:
        changed = {"key": f"{file.key}x", "etag": f"{file.etag}x", "size": file.size + 11}[what]
        other = DataFile(**{**file.__dict__, what: changed})

        assert contract.data_version([*(f for f in files if f is not file), other]) != contract.data_version(files)


@given(FILES)
@settings(max_examples=50)
def test_manifests_list_every_file_once(files: list[DataFile]) -> None:
    texts = contract.manifests("s3://b/raw/", files)

    listed = json.loads(texts[contract.MANIFEST_FILE])["files"]
    assert sorted((f["key"], f["etag"], f["size"]) for f in listed) == sorted((f.key, f.etag, f.size) for f in files)
    assert json.loads(texts[contract.FILES_FILE]) == [{"prefix": "s3://b/raw/"}, *sorted(f.key for f in files)]


@given(st.text(max_size=12), st.lists(st.text(max_size=6), max_size=3))
@settings(max_examples=50)
def test_markers_and_hidden_files_are_never_data(key: str, globs: list[str]) -> None:
    everything = [*globs, "*"]

    assert not contract.matches(f"{key}.run", everything)
    assert not contract.matches(f".{key}", everything)
    assert not contract.matches(f"day/.hidden/{key}", everything)
