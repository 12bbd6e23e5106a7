"""The notebook runs from top to bottom on this machine, and leaves no process behind."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient.exceptions import CellExecutionError

from pipelines.runs import Run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "documentation"))
import notebook

pytestmark = pytest.mark.slow


def processes(folder: Path) -> list[str]:
    """Return the commands of processes that work in a folder, or know of it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command, surroundings = path.read_bytes(), path.with_name("environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command + surroundings:
            found.append(command.decode(errors="replace"))
    return found


def test_the_walkthrough_runs_and_every_row_gets_its_prediction(tmp_path: Path) -> None:
    book = notebook.execute(tmp_path)

    whole = Run(book_execution(tmp_path), tmp_path / "workspace")
    rows = pd.read_csv(tmp_path / "raw/predict.csv")
    assert whole.result.status == "Succeeded"
    assert whole.models()["accepted"].all()
    assert sorted(whole.predictions()["flight_id"]) == sorted(rows["flight_id"])
    assert whole.predictions()["prediction"].notna().all()
    assert Run(workspace=tmp_path / "workspace").result.models["JFK"]["served_by"] == "default"
    assert "the same predictions: True" in said(book)
    assert "every row has one prediction: True" in said(book)
    assert "rows compared, 0 without truth" in said(book)
    assert "nanobind" not in said(book), "a step's log ends with what the step said"
    assert processes(tmp_path) == []


def test_a_cell_that_fails_stops_the_notebook_and_leaves_no_process(tmp_path: Path) -> None:
    book = nbformat.read(notebook.PAGE, as_version=4)
    setup = next(cell for cell in book.cells if cell.cell_type == "code")
    failing = nbformat.v4.new_code_cell('run("run", "--local", "--config", WORK / "none.yml")')
    page = tmp_path / "failing.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[setup, failing], metadata=book.metadata), page)

    with pytest.raises(CellExecutionError, match="exit code 2; what to do next stands above"):
        notebook.execute(tmp_path, page)

    assert processes(tmp_path) == []


def book_execution(folder: Path) -> str:
    """Return the first execution of the workspace."""
    return min(path.name for path in (folder / "workspace/executions").iterdir())


def said(book: nbformat.NotebookNode) -> str:
    return "".join(output.get("text", "") for cell in book.cells for output in cell.get("outputs", []))
