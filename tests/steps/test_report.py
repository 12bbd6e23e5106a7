"""The report: what it says first, that it is self-contained, and that no text of the data becomes markup."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import shutil
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import markupsafe
import plotly.offline
import pytest
from postprocess_inputs import ARGUMENTS, EXECUTION, FLIGHTS, PASSED, Sample, build

from steps import contract, postprocess, report, report_advice, report_figures, report_model, summary
from steps.language import ENGLISH

HOSTILE = "<script>alert(1)</script>"
PLOTLY = plotly.offline.get_plotlyjs()
HOME = Path(report.__file__).parent


@dataclasses.dataclass(frozen=True)
class Page:
    """A rendered report: its text as written, without the chart library, and its embedded JSON."""

    html: str
    summary: dict[str, Any]

    @property
    def own(self) -> str:
        return self.html.replace(PLOTLY, "")

    def embedded(self, name: str) -> Any:
        found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', self.html, re.DOTALL)
        assert found
        return json.loads(found[1])

    def text(self) -> str:
        """What the body says outside scripts, on one line."""
        bare = re.sub(r"<(head|script|style)\b.*?</\1>", " ", self.html, flags=re.DOTALL)
        return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", bare).split()))


class Elements(HTMLParser):
    """Collects every start tag with its attributes, as a browser's parser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def render(root: Path, monkeypatch: pytest.MonkeyPatch, samples: Sequence[Sample] = FLIGHTS, **changes: Any) -> Page:
    local = changes.pop("local", True)
    build(root, samples, **changes)
    monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(root))
    run = postprocess.read_run(postprocess._parse(ARGUMENTS))
    found = summary.summarize(run, sum(model.rows for model in run.models))
    published = report.Published(("part-00000.parquet",), "predictions.csv")
    return Page(report.render(run, found, published, local), found)


def test_the_verdict_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = render(tmp_path, monkeypatch, PASSED)
    text = page.text()
    assert text.index("Succeeded") < text.index("All 3 models passed the gate") < text.index("Published")
    assert "3 of 3 segments served by fresh models" in text
    assert "167,000 predictions for 167,000 rows" in text
    assert '<header class="verdict good">' in page.html


def test_a_run_served_by_defaults_says_so_in_its_first_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [dataclasses.replace(FLIGHTS[1], name=name, slug=name) for name in ("EWR", "JFK")]
    page = render(tmp_path, monkeypatch, samples)
    assert "2 of 2 segments served by DEFAULT (EWR: MAE 31.0 > threshold 20; JFK: MAE" in page.text()
    assert '<header class="verdict warn">' in page.html


def test_the_table_tells_verdict_figures_and_who_served_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = render(tmp_path, monkeypatch).text()
    assert "EWR passed 9.87 9.376 to 10.56 20 25.4 61.1% fresh passed the gate 400 300" in text
    assert "JFK rejected MAE 31.0 > threshold 20 MAE 31.0 does not beat the baseline 24.1 31 29.45" in text
    assert "default version 3 rejected by the gate: MAE 31.0 > threshold 20" in text
    assert "LGA failed AutoGluon could not train on 1 rows (ValueError) – 20 – – skipped no approved default" in text


def test_drift_is_in_the_table_and_explained_in_the_detail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warning = "column 'dep_delay': PSI 0.40 between training rows and rows to predict"
    moved = dataclasses.replace(PASSED[0], drift=(warning, "column 'hour': moved"), warnings=("column 'hour': moved",))
    page = render(tmp_path, monkeypatch, [moved, *PASSED[1:]])

    assert "0.4 dep_delay 2 warnings" in page.text()
    assert page.text().count("2 warnings") == 1
    detail = page.embedded("detail-0")
    assert detail["notes"] == [warning, "column 'hour': moved"]
    assert detail["drift"]["columns"][0] == ["dep_delay", 0.4, 0.02, 0.03, None]
    assert detail["drift"]["note"].startswith("PSI (population stability index) compares")


@pytest.mark.parametrize(("local", "flag"), [(True, " --local"), (False, "")])
def test_the_page_names_the_commands_to_run_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, local: bool, flag: str
) -> None:
    page = render(tmp_path, monkeypatch, local=local)
    assert f"python -m pipelines.registry{flag} register LGA MODEL.tar.gz python -m pipelines.run{flag}" in page.text()
    assert f"python -m pipelines.registry{flag} approve JFK" in page.text()
    assert "Nothing needs doing" not in page.text()


def test_every_block_of_commands_says_which_options_to_add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added = "Add the --config, --env and --workspace that this run was started with, if any: python -m pipelines"
    assert render(tmp_path / "down", monkeypatch).text().count(added) == 2
    assert render(tmp_path / "passed", monkeypatch, PASSED).text().count(added) == 1


def test_what_was_skipped_is_told_with_the_reason_that_decide_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = dataclasses.replace(FLIGHTS[2], status=contract.SKIPPED, why="policy all: no default")
    text = render(tmp_path, monkeypatch, [down]).text()
    assert "Skipped: LGA (policy all: no default). Approve or register a default for each, then start" in text


def test_a_segment_skipped_because_its_training_failed_is_told_to_be_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = render(tmp_path, monkeypatch, [dataclasses.replace(FLIGHTS[2], why="no default")]).text()
    assert "Skipped: LGA (no default). Mend the settings or the data of what failed in training" in text
    assert "approve LGA" not in text


def test_a_segment_skipped_without_decide_is_not_told_to_need_a_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path, [dataclasses.replace(FLIGHTS[2], status=contract.SKIPPED, why="no training rows")])
    shutil.rmtree(tmp_path / "processing" / "input" / contract.IN_DECISION)
    monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(tmp_path))
    advice = report_advice.advice(postprocess.read_run(postprocess._parse(ARGUMENTS)), True, ENGLISH)
    assert advice[0]["text"].startswith("Skipped: LGA (no training rows). Give each of them what it lacks")
    assert advice[0]["commands"] == ["python -m pipelines.run --local"]


def test_a_name_that_no_shell_would_keep_is_given_by_its_slug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "approve dashed" in render(tmp_path, monkeypatch, [Sample("-x", "dashed")]).text()


def test_a_command_quotes_a_name_for_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = render(tmp_path, monkeypatch, [Sample("Very Good; rm", "very-good")])
    assert "approve 'Very Good; rm'" in page.text()


def test_many_commands_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = render(tmp_path, monkeypatch, [Sample(f"m{at}", f"m{at}", rows=1) for at in range(8)])
    assert "approve m4 # and 3 more" in page.text()


def test_a_run_without_fresh_models_and_nothing_to_do_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    untrained = Sample("EWR", "EWR", source=contract.DEFAULT, status=contract.SKIPPED, mae=None, reasons=("none",))
    page = render(tmp_path, monkeypatch, [untrained])
    assert "Next Nothing needs doing." in page.text()
    assert "EWR not trained" in page.text()


def test_data_and_lineage_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAMETER_Season", "winter")
    page = render(tmp_path, monkeypatch)
    text = page.text()
    for told in ("Training rows read 243,000", "Dropped for a null label 6,813", "tailnum: 0.8% null", "train-09.csv"):
        assert told in text
    for told in ("AutoGluon 1.6.3", "Python of the training 3.11.9", "Parameter Season winter", "per_model"):
        assert told in text
    assert page.summary["data"]["train_version"] in text


def test_a_detail_holds_what_its_charts_and_tables_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detail = render(tmp_path, monkeypatch, holdout_rows=5000).embedded("detail-0")
    assert detail["holdout"]["rows"] == 5000
    assert len(detail["holdout"]["actual"]) == len(detail["holdout"]["predicted"]) == report_model.POINTS
    assert sum(detail["holdout"]["residuals"]["counts"]) == 5000
    assert detail["importances"][0][0] == "dep_delay"
    assert [line["model"] for line in detail["leaderboard"]] == ["LightGBM", "CatBoost", "XGBoost"]
    assert sum(detail["prediction"]["counts"]) > 0 < sum(detail["label"]["counts"])
    assert detail["unseen"] == [["dest", 0.02]]
    assert detail["nulls"] == [["wind_speed", 0.02, 0.31]]
    assert detail["notes"] == ["dest: 2.0% unseen categories"]


MISSED = {"floor": 500_000.0, "rows_per_second": 345_678.9, "met": False}


def test_the_leaderboard_shows_accuracy_against_speed_with_the_chosen_model_and_the_floor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = dataclasses.replace(FLIGHTS[0], speed=MISSED, warnings=())
    page = render(tmp_path, monkeypatch, [slow, *FLIGHTS[1:]])
    detail = page.embedded("detail-0")
    assert detail["leaderboard"][0]["rows_per_second"] == 350_000.0
    assert (detail["chosen"], detail["floor"]) == ("LightGBM", 500_000.0)
    assert ["Holdout rows/s", "345,679"] in detail["facts"]
    [note] = detail["notes"]
    assert note.startswith("LightGBM scores 345,679 rows/s, the settings ask for 500,000")
    assert page.summary["models"]["EWR"]["warnings"] == [note]


def test_a_model_without_a_floor_has_no_line_and_no_note_of_speed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detail = render(tmp_path, monkeypatch, PASSED).embedded("detail-0")
    assert (detail["chosen"], detail["floor"]) == ("LightGBM", None)
    assert not any("rows/s" in note for note in detail["notes"])


def test_the_interval_of_the_mae_is_shown_and_its_column_still_sorts_by_the_mae(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = render(tmp_path, monkeypatch)
    assert '<td class="number" data-value="9.87">9.87<small>9.376 to 10.56</small></td>' in page.html
    assert '<td class="number" data-value="">–</td>' in page.html
    shown = page.embedded("overview")
    assert (shown[0]["low"], shown[0]["high"]) == pytest.approx((9.3765, 10.5609))
    assert (shown[2]["low"], shown[2]["high"]) == (None, None)
    assert ["MAE, 95% interval", "9.376 to 10.56"] in page.embedded("detail-0")["facts"]
    assert ["MAE, 95% interval", "–"] in page.embedded("detail-2")["facts"]


def test_a_default_served_models_detail_says_whose_holdout_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = render(tmp_path, monkeypatch).embedded("detail-1")["notes"]
    assert notes[0] == "MAE 31.0 > threshold 20"
    assert notes[-1].startswith("The registered default served this segment")


def test_a_model_that_failed_has_an_empty_detail_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detail = render(tmp_path, monkeypatch).embedded("detail-2")
    assert detail["holdout"] is None
    assert detail["importances"] == detail["leaderboard"] == []
    assert detail["notes"][0] == "AutoGluon could not train on 1 rows (ValueError)"
    assert "400 rows to predict have no prediction" in detail["notes"]
    assert ["RMSE", "–"] in detail["facts"]


@pytest.mark.parametrize(
    "found",
    [
        {"a": 1.0, "b": 2.0},
        {"a": {"importance": 1.0}, "b": {"importance": 2.0}},
        [{"feature": "a", "importance": 1.0}, {"feature": "b", "importance": 2.0}],
    ],
)
def test_importances_are_read_as_list_or_mapping_and_sorted(found: Any) -> None:
    assert report_model._importances(found) == [("b", 2.0), ("a", 1.0)]


def test_importances_that_are_missing_or_null_are_none_and_the_others_are_capped() -> None:
    assert report_model._importances(None) == report_model._importances({"a": None}) == []
    assert len(report_model._importances({f"f{at}": at for at in range(80)})) == report_model.IMPORTANCES


def test_a_constant_holdout_and_rows_that_are_not_finite_still_make_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "holdout.parquet"
    pq.write_table(pa.table({"actual": [1.0, float("nan")], "predicted": [1.0, 2.0]}), path)
    found = report_model._holdout(path, 10)
    assert found is not None
    assert (found["rows"], found["residuals"]["counts"]) == (1, [1])
    pq.write_table(pa.table({"actual": [float("nan")], "predicted": [2.0]}), path)
    assert report_model._holdout(path, 10) is None


def test_the_page_asks_for_nothing_outside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = render(tmp_path, monkeypatch)
    parser = Elements()
    parser.feed(page.own)
    references = [
        value
        for _, attributes in parser.found
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "poster", "background", "xlink:href", "ping")
    ]
    parts = {f"#{attributes['id']}" for _, attributes in parser.found if attributes.get("id")}
    assert set(references) <= {"data:,", *parts}
    assert not re.search(r"https?://|url\(|@import", page.own)
    assert PLOTLY in page.html


def test_a_content_security_policy_forbids_every_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = render(tmp_path, monkeypatch)
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', page.html)
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data: blob:"
    assert rules["style-src"] == rules["script-src"] == "'unsafe-inline'"
    assert page.html.index("Content-Security-Policy") < page.html.index("<style>")


def test_no_text_of_the_data_becomes_markup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = (HOSTILE, "</script><img src=x onerror=alert(2)>", "\u2028<!--", *(f"c{at}" for at in range(7)))
    hostile = Sample(
        *(HOSTILE, "hostile"),
        features=features,
        why=HOSTILE,
        reasons=(HOSTILE,),
        warnings=(HOSTILE,),
        unseen={HOSTILE: 0.5},
    )
    monkeypatch.setenv("PARAMETER_Season", HOSTILE)
    page = render(tmp_path, monkeypatch, [hostile])
    assert HOSTILE not in page.html
    assert "<img" not in page.own
    assert "\u2028" not in page.own
    assert html.escape(HOSTILE) in page.html
    detail = page.embedded("detail-0")
    assert detail["name"] == HOSTILE
    assert {name for name, _ in detail["importances"]} == set(features)
    parser = Elements()
    parser.feed(page.own)
    kinds = [attributes.get("type") for tag, attributes in parser.found if tag == "script"]
    assert kinds.count("application/json") == 4  # texts, overview, what came true, one detail
    assert kinds.count(None) == 1  # ours; the library is text until a chart is drawn
    assert not [name for _, attributes in parser.found for name in attributes if name.startswith("on")]


STRUCTURAL = {"slug", "source", "status", "version", "id_type", "sha256", "artifact_sha256", "file"}
HOSTILE_TEXTS = {
    "element": "</script><script>alert(1)</script><img src=x onerror=alert(2)>",
    "double quotes": '"><svg onload="alert(1)" x="',
    "single quotes": "' autofocus onfocus='alert(1)",
    "template": "{{ 7 * 7 }}{% raw %}${alert(1)}",
    "comment": "<!--<script>]]>--!><![CDATA[<x>",
    "entities": "&lt;script&gt;&#60;b&#62;&quot;",
    "separators": "\u2028\u2029\r\n\t\x1b[2J\x7f",
    "rest": "javascript:alert(1) </style></title></textarea></td></table>",
}


def poisoned(value: Any, text: str, key: str = "") -> Any:
    """Return JSON whose every text that is free has `text` at its end."""
    if isinstance(value, dict):
        return {name: poisoned(inner, text, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner, text, key) for inner in value]
    return value + text if isinstance(value, str) and key not in STRUCTURAL else value


def render_poisoned(root: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Page:
    """Render a run in whose every name, reason, column, category, file, version, URI and parameter `text` stands."""
    samples = [dataclasses.replace(one, features=[f + text for f in one.features]) for one in FLIGHTS]
    samples[0] = dataclasses.replace(samples[0], unseen={f"dest{text}": 0.02})
    build(root, samples)
    for path in (root / "processing" / "input").rglob("*.json"):
        path.write_text(json.dumps(poisoned(json.loads(path.read_text(encoding="utf-8")), text)), encoding="utf-8")
    monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(root))
    monkeypatch.setenv("PARAMETER_Season", f"winter{text}")
    given = [f"{word}{text}" if word == EXECUTION or word.startswith("s3://") else word for word in ARGUMENTS]
    run = postprocess.read_run(postprocess._parse(given))
    found = summary.summarize(run, sum(model.rows for model in run.models))
    return Page(report.render(run, found, report.Published(("part-00000.parquet",), "predictions.csv"), True), found)


def shape(page: Page) -> list[tuple[str, tuple[str, ...]]]:
    """Return every element with the names of its attributes, as a browser would find them."""
    parser = Elements()
    parser.feed(page.own)
    return [(tag, tuple(attributes)) for tag, attributes in parser.found]


@pytest.mark.parametrize("kind", HOSTILE_TEXTS)
def test_no_text_anywhere_adds_an_element_or_an_attribute_to_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    text = HOSTILE_TEXTS[kind]
    plain = render_poisoned(tmp_path / "plain", monkeypatch, "x")

    page = render_poisoned(tmp_path / "hostile", monkeypatch, text)

    assert shape(page) == shape(plain)
    assert page.embedded("overview")[0]["name"] == f"EWR{text}"
    assert page.embedded("detail-0")["unseen"] == [[f"dest{text}", 0.02]]
    assert " ".join(f"EWR{text}".split()) in page.text() or "<" in text  # text() knows tags only roughly
    assert page.own.count(str(markupsafe.escape(text))) > 30


def test_the_script_never_writes_markup() -> None:
    script = "".join((HOME / name).read_text(encoding="utf-8") for name in report.SCRIPTS)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script)


def test_the_same_run_makes_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [render(tmp_path / name, monkeypatch).html for name in ("one", "two")]
    assert pages[0] == pages[1]


def test_the_page_stays_small_with_many_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [Sample(f"m{at}", f"m{at}", rows=3) for at in range(200)]
    page = render(tmp_path, monkeypatch, samples, holdout_rows=2500)
    assert len(page.embedded("detail-0")["holdout"]["actual"]) == report_model.ALL_POINTS // 200
    assert len(page.own) < 200 * 16_000
    assert page.html.count('<tr class="model"') == 200
    assert "scroll tall" in page.html


def test_numbers_read_well() -> None:
    values = (None, 0.0, 9.874321, 25.0, 12345.6, 1e12, 0.000123)
    assert [report_figures.figure(value) for value in values] == [
        *("–", "0", "9.874", "25", "12,346", "1,000,000,000,000", "0.000123")
    ]
    assert [report_figures.percent(value) for value in (None, 58.26, -28.63)] == ["–", "58.3%", "-28.6%"]


def test_headers_controls_and_charts_have_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parser = Elements()
    parser.feed(render(tmp_path, monkeypatch).own)
    tags = [tag for tag, _ in parser.found]
    assert tags.count("h1") == tags.count("main") == 1
    assert all(attributes.get("scope") for tag, attributes in parser.found if tag == "th")
    assert next(attributes for tag, attributes in parser.found if tag == "html")["lang"] == "en"
    script = (HOME / "report_figures.js").read_text(encoding="utf-8")
    assert 'setAttribute("role", "img")' in script
    assert 'setAttribute("aria-label", text)' in script


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_enough_contrast_in_both_themes(theme: int) -> None:
    style = (HOME / "report.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root[^{]*\{(.*?)\}", style, re.DOTALL)
    assert blocks[1] == blocks[2]  # of the system's choice and of the reader's
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", blocks[theme]))
    texts = [("ink", back) for back in ("page", "card", "hover", "none-back", "good-back", "warn-back", "bad-back")]
    texts += [("soft", back) for back in ("page", "card", "hover", "good-back", "warn-back", "bad-back")]
    texts += [("accent", "card"), ("accent", "hover")]
    texts += [(tone, f"{tone}-back") for tone in ("good", "warn", "bad", "none")]
    low = {pair: _contrast(colours[pair[0]], colours[pair[1]]) for pair in texts}
    assert not {pair: ratio for pair, ratio in low.items() if ratio < 4.5}
    marks = {name: _contrast(colours[name], colours["card"]) for name in ("bar", "bar-bad", "baseline", "limit")}
    assert not {name: ratio for name, ratio in marks.items() if ratio < 3}
