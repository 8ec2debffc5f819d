"""A fresh ledger on each database, for faults that both must bear."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from huanjie_lib.store.ledger import Ledger, open_ledger
from tests.faults.disk import build_shim

ROOT = Path(__file__).resolve().parents[2]


def report_of(module: str, *options: object) -> dict[str, Any]:
    """Run a module once, in a process of its own that can be forked, and return its figures and problems."""
    command = [sys.executable, "-m", module, *map(str, options)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=540)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if found["problems"] else 0), done.stderr
    return found


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that watches a disk and lets it fail."""
    return build_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a place for a ledger, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def opened(url: str, tmp_path: Path) -> Iterator[Callable[..., Ledger]]:
    """Return a function that opens the ledger, with its evidence files in the test's folder."""
    ledgers: list[Ledger] = []

    def open_(**options: Any) -> Ledger:
        ledgers.append(open_ledger(url, evidence=tmp_path / "evidence", **options))
        return ledgers[-1]

    open_(create=True)
    yield open_
    for ledger in ledgers:
        ledger.close()
