"""Accessibility of a page, judged by axe-core inside it.

axe comes from the packages that the bundle of the screens is built with (``screens/js``); it is put into the
page through the browser's own line for debugging, and asked of no address.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import Page

from huanjie_lib import screens

__all__ = ["grave_findings"]

_SOURCES = Path(screens.__file__).parent / "js"
_SCRIPT = Path("node_modules") / "axe-core" / "axe.min.js"
_RUN = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .flatMap(({ id, help, nodes }) =>
            nodes.map(({ target, html }) => `${id}: ${help} (${target}) ${html.slice(0, 120)}`),
        );
}"""


def grave_findings(page: Page) -> list[str]:
    """Return the serious and critical findings about what a page shows now."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(_axe())
    found: list[str] = page.evaluate(_RUN)
    return found


@cache
def _axe() -> str:
    """Return the script, from the packages that are there or else from those of the lock file."""
    if (_SOURCES / _SCRIPT).is_file():
        return (_SOURCES / _SCRIPT).read_text(encoding="utf-8")
    if shutil.which("npm") is None:
        pytest.skip("axe-core needs Node.js and npm")
    with TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_SOURCES / name, folder)
        install = ("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
        done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return (Path(folder) / _SCRIPT).read_text(encoding="utf-8")
