"""Every analyst's notebook runs from the first cell to the last, in its own folder, without a warning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def execute(notebook: Any, folder: Path) -> list[str]:
    """Run a notebook in a kernel of its own; return the warnings that it wrote."""
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr" and "Warning" in output.text
    ]


def test_there_are_notebooks_to_run() -> None:
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_runs(path: Path) -> None:
    assert execute(nbformat.read(path, as_version=4), FOLDER) == []


def test_a_failing_cell_and_a_warning_are_found(tmp_path: Path) -> None:
    new = nbformat.v4
    failing = new.new_notebook(cells=[new.new_code_cell("1 / 0")])
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute(failing, tmp_path)
    warning = new.new_notebook(cells=[new.new_code_cell("import warnings\nwarnings.warn('旧')")])
    assert len(execute(warning, tmp_path)) == 1
