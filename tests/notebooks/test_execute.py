"""Every analyst's notebook runs from the first cell to the last, in its own folder, without a warning.

Its figures are seen: a figure that is shown as text answers nothing.
"""

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
    """Run a notebook in a kernel of its own; return its warnings and the figures shown as mere text."""
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output.data for output in outputs if "data" in output]
    return [
        output.text
        for output in outputs
        if output.output_type == "stream" and output.name == "stderr" and "Warning" in output.text
    ] + [
        data["text/plain"]
        for data in shown
        if data.get("text/plain", "").startswith("<Figure") and "image/png" not in data
    ]


def over(notebook: Any, run: Path) -> Any:
    """Point a notebook at a run folder, as an analyst does who changes the cell of parameters."""
    (place,) = [n for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(f"RUN = {str(run)!r}"))
    return notebook


def test_there_are_notebooks_to_run() -> None:
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_runs(path: Path, sample_run: Path) -> None:
    assert execute(over(nbformat.read(path, as_version=4), sample_run), FOLDER) == []


def test_a_failing_cell_and_a_warning_are_found(tmp_path: Path) -> None:
    new = nbformat.v4
    failing = new.new_notebook(cells=[new.new_code_cell("1 / 0")])
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute(failing, tmp_path)
    warning = new.new_notebook(cells=[new.new_code_cell("import warnings\nwarnings.warn('旧')")])
    assert len(execute(warning, tmp_path)) == 1


def test_a_figure_shown_as_text_is_found_and_the_notebook_style_shows_it(tmp_path: Path) -> None:
    new = nbformat.v4
    draw = new.new_code_cell(
        "from matplotlib.figure import Figure\nfigure = Figure()\nfigure.subplots()\nfigure"
    )
    style = new.new_code_cell(
        "from huanjie_lib.views.analysis import set_notebook_style\nset_notebook_style()"
    )
    assert len(execute(new.new_notebook(cells=[draw]), tmp_path)) == 1
    assert execute(new.new_notebook(cells=[style, draw]), tmp_path) == []
