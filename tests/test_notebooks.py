"""Notebooks are stripped and short: library calls and prose, nothing that belongs in the library.

Outputs would leak people's records through version control; code that defines, loops or handles files is code
that no test reads.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("voila_apps/*.ipynb")])

CONSTRUCTS = {
    ast.FunctionDef: "def",
    ast.AsyncFunctionDef: "def",
    ast.ClassDef: "class",
    ast.Lambda: "lambda",
    ast.For: "for",
    ast.AsyncFor: "for",
    ast.While: "while",
}
MODULES = {"importlib", "io", "os", "pathlib", "shutil", "subprocess", "sys"}
NAMES = {"Path", "__import__", "eval", "exec", "open"}
ROW_LOOPS = {"iterrows", "itertuples", "iter_rows", "iter_slices"}


def code_faults(source: str) -> Iterator[str]:
    """Yield what a code cell holds that belongs in the library."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        yield f"does not parse (magics are not Python): {error.msg}"
        return
    for node in ast.walk(tree):
        if type(node) in CONSTRUCTS:
            yield CONSTRUCTS[type(node)]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            yield from (f"import {name}" for name in names if name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Name) and node.id in NAMES:
            yield node.id
        elif isinstance(node, ast.Attribute) and node.attr in ROW_LOOPS:
            yield node.attr


def notebook_faults(notebook: dict[str, Any]) -> list[str]:
    """Return everything in a notebook that may not be committed."""
    found = []
    if "widgets" in notebook["metadata"]:
        found.append("holds widget state")
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] != "code":
            continue
        if cell["outputs"]:
            found.append(f"cell {number}: holds outputs (run nbstripout)")
        if cell["execution_count"] is not None:
            found.append(f"cell {number}: holds an execution count (run nbstripout)")
        found += [f"cell {number}: {fault}" for fault in code_faults("".join(cell["source"]))]
    return found


def test_there_are_notebooks_to_check() -> None:
    assert {path.parent.name for path in NOTEBOOKS} == {"notebooks", "voila_apps"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_notebook_is_clean(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    nbformat.validate(nbformat.reads(text, as_version=4))
    assert notebook_faults(json.loads(text)) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.name)
def test_notebook_opens_with_its_question(path: Path) -> None:
    first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    assert first["cell_type"] == "markdown"
    assert "".join(first["source"]).startswith("# ")


def notebook(source: str, **changes: object) -> dict[str, Any]:
    cell = {"cell_type": "code", "source": [source], "outputs": [], "execution_count": None, **changes}
    return {"metadata": {}, "cells": [{"cell_type": "markdown", "source": ["# 问题"]}, cell]}


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    pass",
        "async def f():\n    pass",
        "class A:\n    pass",
        "key = lambda row: row",
        "for row in table:\n    print(row)",
        "while True:\n    pass",
        "names = [row.name for row in table.itertuples()]",
        "text = open('a.csv').read()",
        "import sys",
        "import os.path as p",
        "import pathlib",
        "from pathlib import PurePath",
        "folder = Path('.')",
        "%matplotlib inline",
        "!ls",
    ],
)
def test_code_that_belongs_in_the_library_is_found(source: str) -> None:
    assert len(notebook_faults(notebook(source))) == 1


def test_what_a_run_leaves_behind_is_found() -> None:
    output = {"output_type": "stream", "name": "stdout", "text": ["某人"]}
    assert len(notebook_faults(notebook("x = 1", outputs=[output]))) == 1
    assert len(notebook_faults(notebook("x = 1", execution_count=3))) == 1
    assert len(notebook_faults({**notebook("x = 1"), "metadata": {"widgets": {}}})) == 1


def test_library_calls_are_let_through() -> None:
    source = (
        "import pandas as pd\nfrom huanjie_lib.views import tables\ntables.league(run)[['name', 'index']]"
    )
    assert notebook_faults(notebook(source)) == []
