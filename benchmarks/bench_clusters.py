"""Local Moran against esda, and exact natural breaks, at the sizes of the plan.

``python -m benchmarks.bench_clusters`` takes 100,000 units with 999 draws and prints a table and JSON; it
exits with 1 if a limit of the plan is missed. ``--quick`` takes 2,500 units and checks results, not times.
Each contender runs in a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.risk.breaks import natural_breaks
from huanjie_lib.risk.clusters import find_clusters

UNITS, QUICK_UNITS, DRAWS, MANY, VALUES = 100_000, 2_500, 999, 99_999, 600_000
MEMORY_MB, BREAKS_SECONDS = 300.0, 1.0
SEED = 20261031


def city(units: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return skewed values with planted clusters on a grid, and each pair of neighbours (six a unit)."""
    side = int(units**0.5)
    place = np.arange(side * side).reshape(side, side)
    ends = [(place[:, :-1], place[:, 1:]), (place[:-1], place[1:]), (place[:-1, :-1], place[1:, 1:])]
    pairs = np.concatenate([np.column_stack([a.ravel(), b.ravel()]) for a, b in ends])
    values = np.random.default_rng(SEED).gamma(2, 10, (side, side))
    values[: side // 10, : side // 10] += 30
    return values.ravel(), pairs


def run(contender: str, units: int, draws: int) -> dict[str, object]:
    """Measure one contender in this process: seconds, and peak memory in MB above what stood before."""
    values, pairs = city(units)
    codes = pd.Index([f"{n:012d}" for n in range(len(values))])
    lost = pd.Series(values, index=codes)
    frame = pd.DataFrame({"unit_code": codes[pairs[:, 0]], "neighbour_code": codes[pairs[:, 1]]})
    if contender == "esda":
        from esda.moran import Moran_Local
        from libpysal.graph import Graph

        both = np.concatenate([pairs, pairs[:, ::-1]])
        both = both[np.lexsort(both.T[::-1])]  # a graph takes its units in the order in which they appear
        before = peak()
        began = time.perf_counter()
        graph = Graph.from_arrays(both[:, 0], both[:, 1], np.ones(len(both)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the change of its alternative is announced
            found = Moran_Local(values, graph, permutations=draws, keep_simulations=False, seed=SEED)
        statistics = found.Is
    else:
        before = peak()
        began = time.perf_counter()
        statistics = find_clusters(lost, frame, seed=SEED, permutations=draws).units["local_i"].to_numpy()
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "memory_mb": peak() - before, "sum": float(statistics.sum())}


def peak() -> float:
    """Return the peak of this process's memory so far in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)


def apart(contender: str, units: int, draws: int) -> dict[str, float]:
    """Measure one contender in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.bench_clusters", "--only", contender]
    command += ["--units", str(units), "--draws", str(draws)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def breaks(values: int) -> float:
    """Return the seconds that exact natural breaks in three classes take."""
    index = np.random.default_rng(SEED).beta(5, 2, values) * 100
    began = time.perf_counter()
    natural_breaks(index, 3)
    return time.perf_counter() - began


def main(arguments: list[str] | None = None) -> int:
    """Print a table and JSON; return 1 if a limit is missed at full size or figures differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,500 units; limits are not judged")
    parser.add_argument("--only", choices=("ours", "esda"), help=argparse.SUPPRESS)
    parser.add_argument("--units", type=int, default=UNITS, help=argparse.SUPPRESS)
    parser.add_argument("--draws", type=int, default=DRAWS, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.only:
        print(json.dumps(run(given.only, given.units, given.draws)))
        return 0
    units = QUICK_UNITS if given.quick else UNITS
    peer, ours, many = apart("esda", units, DRAWS), apart("ours", units, DRAWS), apart("ours", units, MANY)
    seconds = min(breaks(units if given.quick else VALUES) for _ in range(1 if given.quick else 3))
    agree = abs(ours["sum"] - peer["sum"]) <= 1e-9 * abs(peer["sum"])
    kept = {
        "local Moran within esda's time": ours["seconds"] <= peer["seconds"],
        "memory": ours["memory_mb"] <= MEMORY_MB,
        "natural breaks": seconds <= BREAKS_SECONDS,
    }
    print(f"{units:,} units, six neighbours, one core, Python {platform.python_version()}")
    rows = ((f"esda, {DRAWS} draws", peer), (f"ours, {DRAWS} draws", ours), (f"ours, {MANY:,} draws", many))
    for what, found in rows:
        print(f"{what:24} {found['seconds']:8.3f} s  {found['memory_mb']:6.0f} MB")
    print(f"natural breaks, 3 classes {seconds:7.3f} s (≤ {BREAKS_SECONDS:g})")
    print(f"ours / esda = {ours['seconds'] / peer['seconds']:.3f} (≤ 1); statistics agree: {agree}")
    record = {"units": units, "esda": peer, "ours": ours, "many": many, "breaks": seconds, "kept": kept}
    print(json.dumps(record, ensure_ascii=False))
    return 0 if agree and (given.quick or all(kept.values())) else 1


if __name__ == "__main__":
    sys.exit(main())
