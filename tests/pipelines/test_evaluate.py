"""`python -m pipelines.evaluate`: a table or JSON, kept beside the execution."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from finished_executions import finish, model

from pipelines.evaluate import main
from pipelines.runs import Run
from steps import embedding

SETTINGS = {"postprocess": {"id": "id", "label": "y"}, "prepare-prediction": {"delimiter": None}}


@pytest.fixture
def line(tmp_path: Path) -> list[str]:
    """Return the options for an execution that predicted 40 rows of A and 40 of B."""
    rows = [(f"{name}{n}", float(n % 3), name) for n in range(40) for name in "AB"]
    models = {"A": model(), "B": model(mae=0.9, mae_low=0.8, mae_high=1.1)}
    finish(tmp_path, "e1", rows, models=models, settings=SETTINGS)
    (tmp_path / "t.csv").write_text("id,y\n" + "".join(f"{row[0]},{row[1] + (row[0][0] == 'B')}\n" for row in rows))
    return ["--workspace", str(tmp_path), "--actuals", str(tmp_path / "t.csv")]


def test_json_is_what_is_kept_beside_the_execution(
    line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["e1", *line, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    assert found == json.loads((tmp_path / "executions/e1/realised.json").read_text())
    assert {name: segment["verdict"] for name, segment in found["segments"].items()} == {"A": "better", "B": "within"}
    assert (found["rows"], found["without_prediction"]) == (80, 0)


def test_the_table_has_a_row_for_each_segment_and_what_was_not_compared(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--last", *line]) == 0
    shown = capsys.readouterr().out

    assert [row.split()[0] for row in shown.splitlines()[1:3]] == ["B", "A"]
    assert "segments: 1 within, 1 better" in shown
    assert "80 rows compared, 0 without truth, 0 rows of the file without a prediction" in shown


def test_what_came_true_stands_in_the_report_once_however_often_it_is_evaluated(
    line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Run("e1", tmp_path).prediction_files()[0].parents[1] / "report.html"
    page = f"<p>before</p>{embedding.slot(embedding.REALISED)}null</script><p>after</p>"
    report.write_text(page, encoding="utf-8")
    kept = []
    for _ in range(2):
        assert main(["e1", *line]) == 0
        kept.append(report.read_text(encoding="utf-8"))

    told = json.loads((tmp_path / "executions/e1/realised.json").read_text())
    before, slot, rest = kept[0].partition(embedding.slot(embedding.REALISED))
    content, end, after = rest.partition("</script>")
    assert (before + slot, end + after) == tuple(page.split("null"))
    assert json.loads(content) == told
    assert kept[1] == kept[0]
    assert f"the report shows it too: {report}" in capsys.readouterr().out


def test_a_report_without_a_place_for_it_is_left_as_it_is(
    line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Run("e1", tmp_path).prediction_files()[0].parents[1] / "report.html"
    report.write_text("<p>old</p>", encoding="utf-8")

    assert main(["e1", *line]) == 0
    assert report.read_text(encoding="utf-8") == "<p>old</p>"
    assert "the report shows" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "give the ID of an execution, or --last"),
        (["e1", "--last"], "give the ID of an execution, or --last"),
        (["e2"], "e2: no such execution"),
    ],
)
def test_bad_usage_is_2(line: list[str], words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, *line]) == 2
    assert expected in capsys.readouterr().err


def test_every_problem_of_the_file_is_a_line(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path(line[-1]).write_text("Id,Y\n1,2\n")

    assert main(["e1", *line]) == 2
    assert capsys.readouterr().err.count("error: ") == 2


def test_what_scored_only_is_held_to_the_figures_that_were_recorded_for_its_defaults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(f"A{n}", float(n % 3), "A") for n in range(40)]
    models = {"A": model(mae=0.9, mae_low=0.8, mae_high=1.1, served_by="default")}
    finish(tmp_path, "e1", rows, models=models, settings=SETTINGS, source="default", mode="predict")
    (tmp_path / "t.csv").write_text("id,y\n" + "".join(f"{row[0]},{row[1] + 1}\n" for row in rows))

    assert main(["e1", "--workspace", str(tmp_path), "--actuals", str(tmp_path / "t.csv"), "--json"]) == 0

    segment = json.loads(capsys.readouterr().out)["segments"]["A"]
    assert (segment["verdict"], segment["promised"]["mae"]) == ("within", 0.9)
