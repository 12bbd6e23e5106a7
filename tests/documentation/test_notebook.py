"""The notebook is committed without what differs from run to run, and leads nowhere that is not there."""

from __future__ import annotations

import ast
import re

import nbformat
import notebook
import pytest

BOOK = nbformat.read(notebook.PAGE, as_version=4)
CODE = [cell for cell in BOOK.cells if cell.cell_type == "code"]
VARIES = re.compile(r"/tmp|file://|\b20\d{6}-\d{6}-[0-9a-f]{4}\b|\d\d:\d\d:\d\d|[0-9a-f]{64}")


def outputs() -> str:
    return "".join(str(output) for cell in CODE for output in cell.outputs)


def test_only_cells_whose_output_is_the_same_in_every_run_have_one() -> None:
    assert [cell.source for cell in CODE if cell.outputs and notebook.KEEP not in cell.metadata.get("tags", [])] == []
    assert [cell.source for cell in CODE if not cell.outputs and notebook.KEEP in cell.metadata.get("tags", [])] == []
    assert not VARIES.search(outputs())


def test_it_is_written_as_the_command_writes_it() -> None:
    assert notebook.strip(nbformat.read(notebook.PAGE, as_version=4)) == BOOK


@pytest.mark.parametrize("cell", CODE, ids=[cell.id for cell in CODE])
def test_every_cell_is_python_without_magic(cell: nbformat.NotebookNode) -> None:
    """So that a cell runs anywhere, and is checked like other code."""
    ast.parse(cell.source)


def test_every_link_to_a_file_leads_to_one() -> None:
    text = "".join(cell.source for cell in BOOK.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)#]+)", text)

    assert links
    assert [link for link in links if not (notebook.PAGE.parent / link).is_file()] == []
