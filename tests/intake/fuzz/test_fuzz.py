"""The importers are fuzzed with the same 1,600 inputs in every run of the tests; with more by hand."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.intake.fuzz.targets import KINDS, run, seeds

ROOT = Path(__file__).resolve().parents[3]
INPUTS = 1600


def test_every_seed_ends_in_rows_or_a_refusal() -> None:
    inputs = list(seeds())
    assert {data[0] for data in inputs} == set(range(len(KINDS)))
    for data in inputs:
        run(data)


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this system"
)
def test_sixteen_hundred_inputs_find_nothing(tmp_path: Path) -> None:
    """By number and not by the clock: what one run of the tests finds, the next finds too."""
    command = [sys.executable, "-m", "tests.intake.fuzz", "--seconds", "120", "--inputs", str(INPUTS)]
    done = subprocess.run(
        [*command, "--finds", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert not [p for p in tmp_path.iterdir() if not p.name.startswith("slow-unit")]
    count = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert count is not None
    assert int(count[1]) >= INPUTS > len(list(seeds()))
