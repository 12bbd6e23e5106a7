"""Runs docs/walkthrough.ipynb from top to bottom, and writes it as it is committed.

`make notebook` runs it and keeps the outputs of the cells that are tagged `keep`, which are the same in every run; all
others go, with counters, times and whatever else a run of it leaves in the file.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/walkthrough.ipynb"
KEEP = "keep"
FOLDER_VARIABLE = "WALKTHROUGH"
_TIMEOUT = 300


def execute(folder: Path, page: Path = PAGE) -> nbformat.NotebookNode:
    """Run a notebook with this interpreter, its files in a folder; return it with its outputs.

    Raises:
        CellExecutionError: a cell failed.
    """
    book = nbformat.read(page, as_version=4)
    kernel = AsyncKernelManager(kernel_name="python3", transport="ipc")  # sockets that nobody else can reach
    client = NotebookClient(book, km=kernel, timeout=_TIMEOUT, resources={"metadata": {"path": str(ROOT)}})
    client.owns_km = True  # so that it ends with the block
    environment = {**os.environ, FOLDER_VARIABLE: str(folder)}
    with client.setup_kernel(env=environment):
        for number, cell in enumerate(book.cells):
            client.execute_cell(cell, number)
    return book


def strip(book: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Take out of a notebook what differs from run to run."""
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = [_bare(output) for output in cell.outputs] if KEEP in cell.metadata.get("tags", []) else []
            cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return book


def _bare(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    if "execution_count" in output:
        output.execution_count = None
    return output


def main() -> None:
    """Run the notebook and write it anew."""
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(strip(execute(Path(folder))), PAGE)
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}: written\n")


if __name__ == "__main__":
    main()
