"""A comparison as people read it: what differs most comes first, and long lists end."""

from __future__ import annotations

from pathlib import Path

from finished_executions import finish, model

from pipelines import comparison, comparison_text
from pipelines.runs import Run


def shown(root: Path, first: dict[str, object], second: dict[str, object]) -> str:
    finish(root, "e1", [("x", 1.0, "A")], **first)
    finish(root, "e2", [("x", 1.0, "A")], **second)
    return comparison_text.as_table(comparison.compare(Run("e1", root), Run("e2", root)))


def test_the_model_that_differs_most_is_first_and_the_rest_is_counted(tmp_path: Path) -> None:
    many = {f"M{number}": model() for number in range(comparison_text.MOST_MODELS)}
    text = shown(tmp_path, {"models": {**many, "A": model(mae=5.0)}}, {"models": {**many, "A": model(mae=5.5)}})

    assert text.split("\nA ")[1].split()[:5] == ["5", "5.5", "+0.5", "passed", "fresh"]
    assert text.index("\nA ") < text.index("\nM0 ")
    assert "and 1 more, which differ less; --json has all" in text
    assert "the same: settings, code" in text
    assert "1 rows in both, 0 only in the first, 0 only in the second; all equal" in text


def test_a_changed_verdict_and_a_model_of_one_execution_are_told(tmp_path: Path) -> None:
    new = {"A": model(accepted=False, served_by="default"), "B\n": model()}
    text = shown(tmp_path, {}, {"models": new})

    assert "passed -> rejected" in text
    assert "fresh -> default" in text
    assert "B\\n (only in the second)" in text


def test_a_long_list_of_changes_is_cut(tmp_path: Path) -> None:
    before, after = ({"train": {f"{n}": value for n in range(25)}} for value in (0, 1))
    text = shown(tmp_path, {"settings": before}, {"settings": after})

    assert text.count("settings changed: ") == 21
    assert "settings changed: and 5 more; --json has all" in text
