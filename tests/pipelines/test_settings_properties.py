"""Settings of any legal values: they are taken, frozen, and the same when they are written down and read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.errors import SettingsError
from pipelines.settings import Settings, load, validate

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(str.strip)
COUNTS = st.integers(1, 100)
SHARES = st.floats(0.01, 0.99)
LIMITS = st.floats(0.001, 1e6) | st.integers(1, 1000)
SLUGS = st.from_regex(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,8}", fullmatch=True)
OVERRIDES = st.dictionaries(NAMES, st.fixed_dictionaries({"gate": st.fixed_dictionaries({"mae": LIMITS})}), max_size=2)
LISTED = st.lists(NAMES, min_size=1, max_size=3, unique=True).map(
    lambda names: [{"name": name, "where": {"region": name}} for name in names]
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"label": st.just("y"), "id": st.just("id")},
            optional={
                "train": st.lists(SLUGS.map("{}*".format), min_size=1, max_size=2),
                "drop": st.lists(NAMES.filter(lambda name: name not in ("y", "id")), max_size=2),
                "holdout": st.fixed_dictionaries({"fraction": SHARES}),
                "delimiter": st.sampled_from([",", ";", "\t", "|"]),
            },
        ),
        "models": st.fixed_dictionaries({"by": NAMES}, optional={"overrides": OVERRIDES}) | LISTED,
    },
    optional={
        "pipeline": st.fixed_dictionaries({"name": SLUGS}, optional={"description": NAMES}),
        "min_rows": COUNTS,
        "rest": st.sampled_from(["pooled", "skip", "fail"]),
        "gate": st.fixed_dictionaries({}, optional={"mae": LIMITS, "min_holdout_rows": COUNTS}),
        "training": st.fixed_dictionaries({}, optional={"time_limit": st.integers(1, 1000), "seed": st.integers(0, 9)}),
        "parameters": st.dictionaries(SLUGS.filter(str.isalpha), NAMES | st.integers(0, 9) | st.booleans(), max_size=2),
        "output": st.fixed_dictionaries({"csv": st.booleans()}),
        "timezone": st.sampled_from(["UTC", "Asia/Tokyo", "Europe/Berlin"]),
    },
)


@given(DOCUMENTS)
@settings(max_examples=50)
def test_legal_settings_are_the_same_when_written_down_and_read_again(document: dict[str, Any]) -> None:
    found = accepted(document)

    written = yaml.safe_dump(found.model_dump(mode="json"), allow_unicode=True)
    again = validate(yaml.safe_load(written), "c.yml")

    assert again == found
    assert validate(found.model_dump(mode="json", exclude_defaults=True), "c.yml") == found
    with pytest.raises(ValidationError):
        found.min_rows = 7  # type: ignore[misc]


def accepted(document: dict[str, Any]) -> Settings:
    return validate(document, "c.yml")


@given(document=DOCUMENTS)
@settings(max_examples=20)
def test_what_is_read_from_a_file_is_what_was_given(tmp_path_factory: pytest.TempPathFactory, document: Any) -> None:
    path = Path(tmp_path_factory.mktemp("config")) / "c.yml"
    path.write_text(yaml.safe_dump(document, allow_unicode=False), encoding="utf-8")

    assert load(path) == accepted(document)


@given(DOCUMENTS, st.data())
@settings(max_examples=50)
def test_an_unknown_key_anywhere_is_named_with_its_place(document: dict[str, Any], data: st.DataObject) -> None:
    section = data.draw(st.sampled_from(["", "data.", "gate.", "training.", "output."]))
    place = document if not section else document.setdefault(section[:-1], {})
    place["qqqqq"] = 1

    with pytest.raises(SettingsError) as caught:
        validate(document, "c.yml")

    assert any(problem.startswith(f"c.yml: {section}qqqqq: unknown key") for problem in caught.value.problems)
