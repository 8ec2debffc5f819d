"""From a slider to changed pixels: the browser over the served screen, and the kernel's share of it.

``python -m benchmarks.bench_what_if`` wants an idle machine. It drives Chromium as the browser test does
(``tests/browser/test_what_if.py``: 3,215 and 20,000 units, one and many moves) and judges times and bytes by
the limits of the plan; its exit code is that of the test. Before that it times one move without a browser
against the bare matrix products of all snapshots that the move contains.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.rescoring import Losses, rescore

SIZES, SNAPSHOTS, ROUNDS = (3215, 20_000, 600_000), 24, 20
SEED = 20261031
ROOT = Path(__file__).resolve().parents[1]


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


def best(call: Callable[[], object]) -> float:
    """Return the shortest time of several calls, in seconds."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> int:
    pack = load_parameters()
    for units in SIZES:
        table = losses(units)
        weights = np.array([d.weight for d in table.framework.dimensions])
        parts = (table.past, table.current, table.worst, table.best)
        move = best(lambda: rescore(table, weights, pack.classification))  # noqa: B023 - called at once
        product = best(lambda: [part @ weights for part in parts])  # noqa: B023 - called at once
        print(
            f"{units:7,} units, {SNAPSHOTS} snapshots: {1e3 * move:7.2f} ms a move = "
            f"{move / product:.1f} × the bare products ({1e3 * product:.2f} ms)"
        )
    test = ["tests/browser/test_what_if.py", "-k", "move_is_quick", "-q", "-s", "-p", "no:cacheprovider"]
    environment = {**os.environ, "HUANJIE_IDLE": "1"}
    done = subprocess.run([sys.executable, "-m", "pytest", *test], cwd=ROOT, env=environment, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
