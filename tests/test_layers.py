"""The layers hold: a module imports only from rows above it, and the pure core is pure.

The pure core (``risk/``, ``talent/``) computes from its arguments alone: no files, no clock, no random state
that is not handed in, no screens. What it may import is a closed list, so that a new library is a decision.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "huanjie_lib"
ROOT = Path(__file__).resolve().parents[1] / PACKAGE

#: Top row first. Parts of one row do not import each other.
ROWS: tuple[tuple[str, ...], ...] = (
    ("vocabulary", "errors"),  # words
    ("contracts",),
    ("parameters",),
    ("risk", "talent"),  # the pure core
    ("casework",),  # pure too: events, states, alerts and ledgers
    ("findings", "ledgers", "listing"),
    ("pipeline", "matching"),
    ("access", "outputs"),
    ("intake", "store", "sample"),  # effects
    ("cluster",),
    ("events", "partitions"),  # more than one memory holds
    ("views",),
    ("exports",),
    ("screens",),
    ("workbench",),
    ("cli",),
    ("__main__",),
)
ROW_OF = {part: number for number, row in enumerate(ROWS) for part in row}

PURE = ("risk", "talent", "casework")
PURE_MAY_IMPORT = {
    # the language
    *(
        "__future__",
        "abc",
        "bisect",
        "collections",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
    ),
    *("functools", "hashlib", "heapq", "itertools", "json", "math", "operator", "re", "statistics", "string"),
    *("types", "typing", "unicodedata"),
    # arrays, tables, methods, working days
    *(
        "chinese_calendar",
        "esda",
        "highspy",
        "kmeans1d",
        "libpysal",
        "numpy",
        "ortools",
        "pandas",
        "polars",
        "SALib",
        "scipy",
        "sklearn",
        "threadpoolctl",
    ),
    PACKAGE,
}
IMPURE_BUILTINS = {"__import__", "breakpoint", "eval", "exec", "input", "open", "print"}
CLOCK = {"now", "today", "utcnow"}
#: The parts of numpy.random that carry their own state; those in the second set must be given a seed.
OWN_STATE = {"BitGenerator", "Generator"}
SEEDED = {"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64", "SeedSequence", "default_rng"}
DRAWS = {"rvs", "sample"}  # scipy.stats and pandas draw from numpy's global state unless told otherwise
FILES = re.compile(
    r"(read|scan|sink|write)_\w+|to_(clipboard|csv|excel|feather|file|gbq|hdf|orc|parquet|pickle|sql|stata)"
    r"|tofile|fromfile|loadtxt|savetxt|genfromtxt|savez|savez_compressed|memmap"
)


def part_of(module: str) -> str:
    """Return the part of the package that a dotted name belongs to; the package itself is ''."""
    return module.removeprefix(PACKAGE).removeprefix(".").partition(".")[0]


def imported(tree: ast.AST, module: str, *, is_package: bool) -> Iterator[tuple[int, str, str]]:
    """Yield line, dotted name and local name of everything a module imports, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, alias.asname or alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                anchor = module.split(".")[
                    : None if is_package and node.level == 1 else -node.level + is_package
                ]
                base = ".".join([*anchor, *([base] if base else [])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}", alias.asname or alias.name


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """Return the dotted name of an expression such as ``np.random.rand``, with imports resolved, or ''."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, names)
        return f"{base}.{node.attr}" if base else ""
    return ""


def layer_faults(tree: ast.AST, module: str, *, is_package: bool) -> Iterator[tuple[int, str]]:
    """Yield line and fault of every import that does not come from a row above."""
    part = part_of(module)
    if part and part not in ROW_OF:
        yield 1, f"{part} has no row: give it one in tests/test_layers.py"
        return
    for line, name, _ in imported(tree, module, is_package=is_package):
        if name.partition(".")[0] != PACKAGE:
            continue
        other = part_of(name)
        if other in (part, "__version__"):
            continue
        if not part:
            yield line, f"the package's own __init__ imports {other}"
        elif other not in ROW_OF:
            yield line, f"imports {other}, which has no row"
        elif ROW_OF[other] >= ROW_OF[part]:
            yield line, f"{part} imports {other}, which is not above it"


def purity_faults(tree: ast.AST, module: str, *, is_package: bool) -> Iterator[tuple[int, str]]:
    """Yield line and fault of everything in a core module that is not computed from arguments."""
    names: dict[str, str] = {}
    for line, name, local in imported(tree, module, is_package=is_package):
        names[local] = name.partition(".")[0] if local == name.partition(".")[0] else name
        if name.partition(".")[0] not in PURE_MAY_IMPORT:
            yield line, f"imports {name}"
        elif name.startswith("numpy.random.") and name.split(".")[2] not in OWN_STATE | SEEDED:
            yield line, f"imports {name}, which draws from a global state"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in IMPURE_BUILTINS:
            yield node.lineno, f"uses {node.id}"
        elif isinstance(node, ast.Global):
            yield node.lineno, f"changes a global: {', '.join(node.names)}"
        elif isinstance(node, ast.Attribute):
            name = dotted(node, names)
            if node.attr in CLOCK:
                yield node.lineno, f"reads the clock: {node.attr}"
            elif FILES.fullmatch(node.attr) or name in {"numpy.load", "numpy.save"}:
                yield node.lineno, f"touches a file: {node.attr}"
            elif name.startswith("numpy.random.") and name.split(".")[2] not in OWN_STATE | SEEDED:
                yield node.lineno, f"draws from a global state: {name}"
        if isinstance(node, ast.Call):
            function = node.func
            seeds = [*node.args, *(keyword.value for keyword in node.keywords)]
            name = dotted(function, names)
            seeded = any(not (isinstance(seed, ast.Constant) and seed.value is None) for seed in seeds)
            if name.startswith("numpy.random.") and name.split(".")[2] in SEEDED and not seeded:
                yield node.lineno, f"seeds from the machine: {name}"
            if isinstance(function, ast.Attribute) and function.attr in DRAWS:
                keywords = {keyword.arg for keyword in node.keywords}
                if not keywords & {"random_state", "seed"}:
                    yield node.lineno, f"draws from a global state: {function.attr} without random_state"
            if name in {"pandas.Timestamp", "pandas.to_datetime", "numpy.datetime64"} and any(
                isinstance(seed, ast.Constant) and seed.value in CLOCK for seed in seeds
            ):
                yield node.lineno, f"reads the clock: {name}"


def faults(root: Path) -> list[str]:
    """Return every breach of the layers below ``root``, the folder of the package."""
    found = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        is_package = relative.name == "__init__.py"
        steps = relative.parent.parts if is_package else relative.with_suffix("").parts
        module = ".".join([PACKAGE, *steps])
        tree = ast.parse(path.read_text(encoding="utf-8"))
        breaches = list(layer_faults(tree, module, is_package=is_package))
        if part_of(module) in PURE:
            breaches += purity_faults(tree, module, is_package=is_package)
        found += [f"{relative.as_posix()}:{line}: {fault}" for line, fault in sorted(breaches)]
    return found


def test_layers_hold() -> None:
    assert len(list(ROOT.rglob("*.py"))) > 5
    assert faults(ROOT) == []


def planted(tmp_path: Path, file: str, code: str) -> list[str]:
    """Return the faults of a package that holds just this one file."""
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code + "\n", encoding="utf-8")
    return faults(tmp_path)


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("vocabulary.py", "from huanjie_lib.errors import Fault"),
        ("contracts/model.py", "import huanjie_lib.parameters"),
        ("parameters/framework.py", "from huanjie_lib import risk"),
        ("risk/scoring.py", "from huanjie_lib.talent import fit"),
        ("talent/fit.py", "from ..risk.scoring import index"),
        ("risk/__init__.py", "from ..pipeline import run_risk"),
        ("intake/excel.py", "from huanjie_lib.store import ledger"),
        ("store/ledger.py", "def f():\n    import huanjie_lib.views.maps"),
        ("views/maps.py", "from .. import screens"),
        ("exports/pack.py", "from huanjie_lib.cli import main"),
        ("__init__.py", "from huanjie_lib.errors import Fault"),
        ("helpers.py", "x = 1"),
        ("cli.py", "from huanjie_lib.helpers import x"),
    ],
)
def test_an_import_from_below_is_found(tmp_path: Path, file: str, code: str) -> None:
    assert len(planted(tmp_path, file, code)) == 1


@pytest.mark.parametrize(
    "code",
    [
        *(f"import {name}" for name in ("os", "os.path", "pathlib", "io", "sys", "logging", "importlib")),
        *(f"import {name}" for name in ("time", "random", "requests", "sqlalchemy", "click")),
        *(f"import {name}" for name in ("ipywidgets", "matplotlib.pyplot", "folium", "geopandas")),
        "from pathlib import Path",
        "def f(path):\n    return open(path)",
        "print('红')",
        "import datetime as dt\nx = dt.datetime.now()",
        "from datetime import date\nx = date.today()",
        "import pandas as pd\nx = pd.Timestamp('now')",
        "import numpy as np\nx = np.random.rand(3)",
        "import numpy\nx = numpy.random.seed(1)",
        "from numpy import random as r\nx = r.normal()",
        "from numpy.random import shuffle",
        "import numpy as np\nx = np.random.default_rng()",
        "import numpy as np\nx = np.random.default_rng(None)",
        "import numpy as np\nx = np.load('a.npy')",
        "import pandas as pd\nx = pd.read_parquet('a')",
        "def f(table):\n    table.to_csv('a')",
        "def f(table):\n    return table.sample(3)",
        "COUNT = 0\ndef f():\n    global COUNT\n    COUNT = 1",
    ],
)
@pytest.mark.parametrize("part", PURE)
def test_an_effect_in_the_core_is_found(tmp_path: Path, part: str, code: str) -> None:
    assert len(planted(tmp_path, f"{part}/a.py", code)) == 1


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("risk/a.py", "from huanjie_lib.risk.b import f\nfrom .c import g\nfrom ..errors import Fault"),
        ("risk/__init__.py", "from .a import f\nfrom huanjie_lib import __version__"),
        ("risk/a.py", "import numpy as np\ndef f(rng: np.random.Generator):\n    return rng.normal()"),
        (
            "talent/a.py",
            "import datetime as dt\nimport numpy as np\nx = np.random.default_rng(7), dt.date(2026, 1, 1)",
        ),
        ("intake/a.py", "import os\nfrom huanjie_lib.pipeline import run_risk\nprint(os.name)"),
        ("cli.py", "import huanjie_lib.screens.app\nfrom huanjie_lib import errors"),
    ],
)
def test_what_is_allowed_is_let_through(tmp_path: Path, file: str, code: str) -> None:
    assert planted(tmp_path, file, code) == []
