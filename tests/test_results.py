"""Every result of the pure core explains itself: a frame, a Chinese sentence and a repr."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from huanjie_lib import risk

CORE = Path(risk.__file__).parent

#: Dataclasses that hold a frame and are inputs or parts of a result, each with its reason.
PARTS: dict[str, str] = {
    "panel.Features": "what a model is trained on",
    "prepared.Prepared": "tables laid out for evaluation",
    "prepared.Rows": "one table laid out for evaluation",
}


def result_classes(folder: Path) -> dict[str, ast.ClassDef]:
    """Return the public dataclasses below a folder that hold a table of units or of figures."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            decorators = [ast.unparse(d) for d in node.decorator_list]
            fields = [ast.unparse(n.annotation) for n in node.body if isinstance(n, ast.AnnAssign)]
            holds = any(f.startswith(("pd.DataFrame", "pd.Series")) for f in fields)
            if any("dataclass" in d for d in decorators) and holds:
                found[f"{path.stem}.{node.name}"] = node
    return found


def lacking(node: ast.ClassDef) -> set[str]:
    """Return which of the three a class does not define itself."""
    defined = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
    return {"to_frame", "explain", "__repr__"} - defined


RESULTS = result_classes(CORE)


def test_there_are_results() -> None:
    known = {"uncertainty.Uncertainty", "signals.Signals", "remedies.Remedies", "scoring.Scores"}
    assert known <= set(RESULTS)
    assert set(PARTS) <= set(RESULTS)


@pytest.mark.parametrize("name", sorted(set(RESULTS) - set(PARTS)))
def test_a_result_explains_itself(name: str) -> None:
    assert lacking(RESULTS[name]) == set()


def test_a_mute_class_is_found(tmp_path: Path) -> None:
    code = "@dataclass(frozen=True)\nclass Mute:\n    units: pd.DataFrame\n"
    (tmp_path / "mute.py").write_text(code, encoding="utf-8")
    (found,) = result_classes(tmp_path).values()
    assert lacking(found) == {"to_frame", "explain", "__repr__"}
