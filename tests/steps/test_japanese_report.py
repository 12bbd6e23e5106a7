"""The Japanese report: every text of page and script has a translation, and nothing in it is left in English."""

from __future__ import annotations

import ast
import html
import json
import re
from pathlib import Path
from typing import Any

import plotly.offline
import pytest
from japanese_run import KNOWN, SAMPLES
from postprocess_inputs import ARGUMENTS, build
from spoken_texts import ROOT, english_words, said_texts

from steps import contract, japanese_report, japanese_script, languages, postprocess, report, shift, summary
from steps.language import CODES, ENGLISH, placeholders
from steps.languages import JAPANESE

STEPS = ROOT / "steps"
SOURCES = (contract.FRESH, contract.DEFAULT, contract.SKIPPED, contract.FAILED)
VERDICTS = ("passed", "not trained", "failed", "rejected")
COLUMNS = ("MAE", "Threshold", "Baseline", "Improvement", "Rows", "Holdout rows", "Fit s", "Rows/s")
HANDED_OVER = {
    *(text for texts in summary.SERVED for text in texts),
    *(*SOURCES, *VERDICTS, *COLUMNS, summary.SUCCEEDED, summary.DEGRADED, shift._EXPLAINED, "; "),
}
"""Texts that the code hands to `say` by another name."""
BY_NAME = {"word", "_EXPLAINED", "texts[2 if at else int(len(wanted) > 1)]"}
IN_PAGE = {"found.status", "word", "title", "row.served"}
IN_SCRIPT = {"one.verdict", "verdict", "head"}
CALL = re.compile(r'(?<![\w.])say\(\s*("(?:[^"\\]|\\.)*"|[\w.]+)')


def literals(text: str, names: set[str]) -> set[str]:
    """Return the texts that a template or a script says; what it says by another name is one of `names`."""
    found = CALL.findall(text)
    assert {one for one in found if not one.startswith('"')} <= names
    return {ast.literal_eval(one) for one in found if one.startswith('"')}


def said_by_the_script() -> set[str]:
    scripts = "\n".join((STEPS / name).read_text(encoding="utf-8") for name in report.SCRIPTS)
    heads = re.findall(r'\[("[^\]]*")\]\.map\(\(head\) => say\(head\)\)|heads = \[([^\]]*)\]', scripts)
    listed = {word for pair in heads for one in pair if one for word in ast.literal_eval(f"[{one}]")}
    verdicts = re.search(r"const VERDICTS = (\{.*?\});", scripts)
    assert verdicts
    keys = re.findall(r'(?:"([^"]+)"|(\w+)): "', verdicts[1])
    return literals(scripts, IN_SCRIPT) | listed | {quoted or bare for quoted, bare in keys}


def said_in_the_page() -> set[str]:
    found = set(HANDED_OVER)
    for module, text in said_texts("steps"):
        if isinstance(text, ast.Constant):
            found.add(str(text.value))
        else:
            assert ast.unparse(text) in BY_NAME, f"{module}: {ast.unparse(text)} is no literal"
    return found | literals((STEPS / "report.html").read_text(encoding="utf-8"), IN_PAGE)


def test_everything_that_the_page_says_has_a_japanese_text() -> None:
    assert said_in_the_page() - japanese_report.TEXTS.keys() == set()


def test_everything_that_the_script_says_has_a_japanese_text_and_travels_in_the_page() -> None:
    assert said_by_the_script() - japanese_script.SCRIPT.keys() == set()


def test_no_japanese_text_is_one_that_nothing_says() -> None:
    assert japanese_report.TEXTS.keys() - said_in_the_page() - said_by_the_script() == set()
    assert japanese_script.SCRIPT.keys() - said_by_the_script() == set()


@pytest.mark.parametrize("english", japanese_report.TEXTS)
def test_a_japanese_text_has_the_placeholders_of_the_english_one(english: str) -> None:
    assert placeholders(japanese_report.TEXTS[english]) == placeholders(english)


def test_the_script_fills_in_plain_placeholders_only() -> None:
    assert {text for text in japanese_script.SCRIPT.values() if re.search(r"\{[^}]*[^\w}]", text)} == set()


def test_a_language_is_found_by_its_code() -> None:
    assert [languages.language_of(code).code for code in CODES] == list(CODES)
    assert languages.language_of("xx") is ENGLISH


def rendered(root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    build(root, SAMPLES)
    monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(root))
    run = postprocess.read_run(postprocess._parse(ARGUMENTS))
    found = summary.summarize(run, sum(model.rows for model in run.models))
    return report.render(run, found, report.Published(("part-00000.parquet",), None), local=True, say=JAPANESE)


def outside_scripts(page: str) -> str:
    bare = re.sub(
        r"<(head|script|style|pre|code)\b.*?</\1>",
        " ",
        page.replace(plotly.offline.get_plotlyjs(), ""),
        flags=re.DOTALL,
    )
    labels = " ".join(re.findall(r'(?:aria-label|placeholder)="([^"]*)"', bare))
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", bare).split()) + labels)


def embedded(page: str, name: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_nothing_in_the_page_is_left_in_english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = rendered(tmp_path, monkeypatch)

    assert '<html lang="ja">' in page
    text = outside_scripts(page)
    assert "3 モデル中 2 モデルが判定で不合格でした" in text
    assert "MAE 31 > 閾値 20" in text
    assert sorted(set(english_words(text, KNOWN))) == []


def test_the_details_of_a_model_are_japanese_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = rendered(tmp_path, monkeypatch)
    details = [embedded(page, f"detail-{at}") for at in range(3)]

    said = " ".join(
        str(text) for one in details for text in [*one["notes"], *map(list, one["facts"]), one["drift"]["note"]]
    )
    assert "1 行のデータを 600 s 以内に学習できませんでした" in said
    assert sorted(set(english_words(said, KNOWN))) == []


def test_the_script_gets_its_texts_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert embedded(rendered(tmp_path, monkeypatch), "texts") == japanese_script.SCRIPT


def test_the_settings_say_the_language_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path, SAMPLES, language="ja")
    monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(tmp_path))

    postprocess.main(ARGUMENTS)

    output = contract.output_dir(contract.OUT_PREDICTIONS)
    assert '<html lang="ja">' in (output / contract.REPORT_FILE).read_text(encoding="utf-8")
    assert (
        "rejected by the gate"
        in json.loads((output / contract.SUMMARY_FILE).read_text(encoding="utf-8"))["headline"][0]
    )
