"""Commands as a user types them, and what they tell."""

from pathlib import Path

import pytest

from huanjie_lib.cli import main

Capture = pytest.CaptureFixture[str]
SEED = 20261031


def run(*arguments: str | Path) -> int:
    return main([str(a) for a in arguments])


def run_city(data: Path, out: Path, *more: str | Path) -> int:
    return run("run", "--data", data, "--as-of", "2026-10-31", "--out", out, *more)


def told(capture: Capture) -> str:
    """What was told on standard error: one message, no traceback."""
    text = capture.readouterr().err
    assert "Traceback" not in text
    return text


def acting(store: Path, role: str = "talent") -> tuple[str | Path, ...]:
    return ("--store", store, "--account", "li", "--office", "市委组织部", "--role", role)
