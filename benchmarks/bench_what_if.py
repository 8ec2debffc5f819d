"""From a slider to changed pixels: the browser over the served screen, and the kernel's share of it.

``python -m benchmarks.bench_what_if`` drives Chromium as the browser test does
(``tests/browser/test_what_if.py``: 3,215 and 20,000 units, one and many moves). The kernel's share is one
move against the bare matrix products of all snapshots that it contains.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measuring import SIZES, Case, Found, Limit, Unavailable, in_turns
from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.rescoring import Losses, rescore

SNAPSHOTS, QUICK_UNITS = 24, 500
SEED = 20261031
ROOT = Path(__file__).resolve().parents[1]
BROWSER_TEST = "tests/browser/test_what_if.py::test_a_move_is_quick_and_costs_little_more_than_a_byte_a_unit"
TOLD = re.compile(r"slider to pixels: (\d+) ms \(worst \d+\); (\d+) bytes a move")


def losses(units: int) -> Losses:
    """Return losses of made-up units over all snapshots, a tenth of the values missing at the last."""
    rng = np.random.default_rng(SEED)
    framework = load_parameters().framework
    shape = (units, len(framework.dimensions))
    current = 100 * rng.beta(1, 3, shape)
    gaps = rng.random(shape) < 0.1
    return Losses(
        units=pd.Index([f"{code:012d}" for code in range(units)]),
        framework=framework,
        as_of=pd.Timestamp("2026-10-31"),
        current=current,
        worst=np.where(gaps, 100.0, current),
        best=np.where(gaps, 0.0, current),
        past=100 * rng.beta(1, 3, (SNAPSHOTS - 1, *shape)),
        scored=np.ones(units, dtype=bool),
        past_scored=np.ones((SNAPSHOTS - 1, units), dtype=bool),
    )


def move(units: int) -> Found:
    """Measure one move of a slider in the kernel, beside the bare products of all snapshots."""
    table, cuts = losses(units), load_parameters().classification
    weights = np.array([d.weight for d in table.framework.dimensions])
    parts = (table.past, table.current, table.worst, table.best)
    rescored = rescore(table, weights, cuts)
    np.testing.assert_allclose(rescored.index, (100 - table.current @ weights).round(10), rtol=0, atol=1e-9)
    return in_turns(
        lambda: rescore(table, weights, cuts), lambda: [part @ weights for part in parts], rounds=20
    )


def pixels(units: int) -> Found:
    """Move a slider in Chromium over the served screen; the time is the median of five moves."""
    if not os.environ.get("HUANJIE_CHROMIUM"):
        raise Unavailable("no browser: set HUANJIE_CHROMIUM to the path of its program")
    command = [
        sys.executable,
        "-m",
        "pytest",
        f"{BROWSER_TEST}[{units}]",
        "-q",
        "-s",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    told = TOLD.search(done.stdout)
    if done.returncode or told is None:
        raise RuntimeError(done.stdout)
    milliseconds, size = int(told[1]), int(told[2])
    return Found(milliseconds, None, milliseconds / 1000, space=size / 1000, rounds=5)


SLIDER = "slider move to changed pixels"
CASES = (
    Case("what_if.pixels", SLIDER, "from input to the end of the frame, in Chromium", "units",
         SIZES[:2], None, pixels, {SIZES[0]: Limit(100, 8), SIZES[1]: Limit(250)},
         unit="ms", space_unit="KB sent"),
    Case("what_if.move", SLIDER, f"the kernel's share, {SNAPSHOTS} snapshots", "units",
         (*SIZES[:2], SIZES[-1]), QUICK_UNITS, move, peer="the bare products of all snapshots"),
)  # fmt: skip


if __name__ == "__main__":
    from benchmarks.run import main

    sys.exit(main(["--only", "what_if", *sys.argv[1:]]))
