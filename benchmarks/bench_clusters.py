"""Local Moran against esda, and exact natural breaks, at growing sizes.

``python -m benchmarks.bench_clusters`` takes 100,000 units with 999 draws, and 600,000 values; ``--quick``
takes few and checks results, not times. ``--only`` measures one contender in this process: esda and ours have
a process each, so that the peak of memory of each is its own.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before the libraries read it
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import json
import subprocess
import sys
import time
import warnings
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.measuring import SIZES, SORT, Case, Found, Limit, in_turns, peak_mb, sort_a_million
from huanjie_lib.risk.breaks import natural_breaks
from huanjie_lib.risk.clusters import find_clusters

UNITS, QUICK_UNITS, DRAWS, VALUES, QUICK_VALUES = 100_000, 2_500, 999, SIZES[-1], 5_000
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


def run(contender: str, units: int, draws: int) -> dict[str, float]:
    """Measure one contender in this process: seconds, and memory in MB above what stood before."""
    values, pairs = city(units)
    codes = pd.Index([f"{n:012d}" for n in range(len(values))])
    lost = pd.Series(values, index=codes)
    frame = pd.DataFrame({"unit_code": codes[pairs[:, 0]], "neighbour_code": codes[pairs[:, 1]]})
    if contender == "esda":
        from esda.moran import Moran_Local
        from libpysal.graph import Graph

        both = np.concatenate([pairs, pairs[:, ::-1]])
        both = both[np.lexsort(both.T[::-1])]  # a graph takes its units in the order in which they appear
        before = peak_mb()
        cpu, wall = time.process_time(), time.perf_counter()
        graph = Graph.from_arrays(both[:, 0], both[:, 1], np.ones(len(both)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the change of its alternative is announced
            found = Moran_Local(values, graph, permutations=draws, keep_simulations=False, seed=SEED)
        statistics = found.Is
    else:
        before = peak_mb()
        cpu, wall = time.process_time(), time.perf_counter()
        statistics = find_clusters(lost, frame, seed=SEED, permutations=draws).units["local_i"].to_numpy()
    spent = {"seconds": time.process_time() - cpu, "wall_seconds": time.perf_counter() - wall}
    peak = peak_mb()
    return {**spent, "memory_mb": peak - before, "peak_mb": peak, "sum": float(statistics.sum())}


def apart(contender: str, units: int, draws: int) -> dict[str, float]:
    """Measure one contender in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.bench_clusters", "--only", contender]
    command += ["--units", str(units), "--draws", str(draws)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def moran(units: int) -> Found:
    """Measure both, and refuse statistics that differ."""
    measure = run if units == QUICK_UNITS else apart
    peer, ours = measure("esda", units, DRAWS), measure("ours", units, DRAWS)
    np.testing.assert_allclose(ours["sum"], peer["sum"], rtol=1e-9)
    return Found(
        ours["seconds"] / peer["seconds"],
        ours["seconds"],
        ours["wall_seconds"],
        peer["seconds"],
        space=ours["memory_mb"],
        peak_mb=ours["peak_mb"],
    )


def breaks(values: int) -> Found:
    """Measure exact natural breaks in three classes, and refuse classes that a shifted break would better."""
    index = np.random.default_rng(SEED).beta(5, 2, values) * 100
    found = natural_breaks(index, 3)
    ordered = np.sort(index)
    ends = np.searchsorted(ordered, [below for below, _ in found], side="right")
    best = _squares(ordered, ends)
    for step in (np.array([1, 0]), np.array([0, 1])):
        assert best <= min(_squares(ordered, ends + step), _squares(ordered, ends - step))
    return in_turns(
        partial(natural_breaks, index, 3), sort_a_million, rounds=3, figure=lambda seconds: seconds
    )


def _squares(ordered: npt.NDArray[np.float64], ends: npt.NDArray[np.intp]) -> float:
    return float(sum(part.var() * len(part) for part in np.split(ordered, ends)))


CASES = (
    Case("clusters.moran", "local Moran, 999 permutations", "ours, one core", "units",
         (*SIZES[:2], UNITS), QUICK_UNITS, moran, {UNITS: Limit(1.0, 300.0)}, peer="esda", space_unit="MB"),
    Case("clusters.breaks", "natural breaks, exact", "three classes", "values",
         SIZES, QUICK_VALUES, breaks, {VALUES: Limit(1.0)}, unit="s", peer=SORT),
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Measure one contender, or run all cases."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=False)
    parser.add_argument("--only", choices=("ours", "esda"))
    parser.add_argument("--units", type=int)
    parser.add_argument("--draws", type=int)
    given, others = parser.parse_known_args(arguments)
    if given.only:
        print(json.dumps(run(given.only, given.units, given.draws)))
        return 0
    from benchmarks.run import main as run_cases

    return run_cases(["--only", "clusters", "--judged", *others])


if __name__ == "__main__":
    sys.exit(main())
