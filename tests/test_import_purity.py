"""Importing the package or its pure core loads no drawing, mapping, learning or widget library.

Those cost three seconds and 230 MB together; a screen imports what it needs, when it needs it.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"folium", "geopandas", "ipywidgets", "matplotlib", "sklearn"}


def loaded_by(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after ``statement``."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["huanjie_lib", "huanjie_lib.cli", "huanjie_lib.risk", "huanjie_lib.pipeline"]
)
def test_import_loads_nothing_heavy(module: str) -> None:
    loaded = loaded_by(f"import {module}")
    assert "huanjie_lib" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("screen", ["overview", "casework", "talent", "what_if"])
def test_a_kernel_loads_no_methods_that_it_does_not_use(screen: str) -> None:
    loaded = loaded_by(f"import huanjie_lib.screens.{screen}")
    assert "ipywidgets" in loaded
    assert loaded & {"scipy.stats", "scipy.optimize", "sklearn", "geopandas", "matplotlib"} == set()


def test_a_server_compiles_no_grammars_that_no_schema_needs() -> None:
    loaded = loaded_by(
        "from huanjie_lib.screens.serve import _leave_out_grammars\n"
        "_leave_out_grammars()\n"
        "import huanjie_lib.screens.voila_server"
    )
    assert {"jsonschema", "voila"} <= loaded
    assert "lark" not in loaded


def test_check_sees_a_heavy_import() -> None:
    assert "matplotlib" in loaded_by("import matplotlib") & HEAVY
