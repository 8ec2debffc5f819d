"""Rescoring, whole scoring and Monte Carlo against the bare matrix products they contain.

``python -m benchmarks.bench_risk`` takes 600,000 units × 30 indicators and prints a table and JSON; it exits
with 1 if a limit of the plan is missed. ``--quick`` takes 20,000 units and checks results, not times.
Everything runs on one core, product and contender alike, and each figure is the best of several runs that
take turns, so that a busy machine weighs on both.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import importlib.util
import json
import platform
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import Classification, Framework, UncertaintyAssumptions, load_parameters
from huanjie_lib.risk.classification import classify
from huanjie_lib.risk.scoring import Scores, points_lost, score, weights
from huanjie_lib.risk.uncertainty import Uncertainty, simulate, weight_draws
from huanjie_lib.vocabulary import UnitKind

UNITS, QUICK_UNITS, INDICATORS, DRAWS = 600_000, 20_000, 30, 1000
SEED = 20261031


@dataclass(frozen=True)
class Measurement:
    """One contender against its yardstick; memory is the peak above what stood before, per byte of data."""

    what: str
    seconds: float
    yardstick: str
    yardstick_seconds: float
    limit: float | None
    memory: float
    memory_limit: float | None

    @property
    def ratio(self) -> float:
        """How many times the yardstick it takes."""
        return self.seconds / self.yardstick_seconds

    @property
    def kept(self) -> bool:
        """Whether both limits are kept."""
        in_time = self.limit is None or self.ratio <= self.limit
        return in_time and (self.memory_limit is None or self.memory <= self.memory_limit)


def thirty(framework: Framework) -> Framework:
    """Return the shipped framework cut to 30 indicators, all of which apply to every kind of unit."""
    surplus = len(framework.indicators) - INDICATORS
    dimensions = []
    for d in sorted(framework.dimensions, key=lambda d: -len(d.indicators)):
        kept = d.indicators[:-1] if surplus > 0 and len(d.indicators) > 1 else d.indicators
        surplus -= len(d.indicators) - len(kept)
        total = sum(i.weight for i in kept)
        own = tuple(
            i.model_copy(update={"weight": i.weight / total, "applies_to": tuple(UnitKind)}) for i in kept
        )
        dimensions.append(d.model_copy(update={"indicators": own, "power": 1.0}))
    if surplus:
        raise ValueError(f"framework cannot be cut to {INDICATORS} indicators")
    return framework.model_copy(update={"dimensions": tuple(dimensions)})


def values(framework: Framework, units: int) -> tuple[pd.DataFrame, pd.Series[str]]:
    """Return complete values around each indicator's reference points, and kinds."""
    rng = np.random.default_rng(SEED)
    bad = rng.beta(2, 5, units)
    out = np.empty((units, len(framework.indicators)))
    for column, indicator in enumerate(framework.indicators):
        x, s = np.array(sorted(indicator.reference_points, key=lambda p: p[1])).T
        out[:, column] = np.interp(np.clip(bad + rng.normal(0, 0.2, units), 0, 1), s, x)
    codes = pd.Index([f"{code:012d}" for code in range(units)])
    table = pd.DataFrame(out, index=codes, columns=[i.id for i in framework.indicators])
    return table, pd.Series(np.where(rng.random(units) < 0.2, "community", "village"), index=codes)


def best(rounds: int, *calls: Callable[[], object]) -> list[float]:
    """Return the shortest time of each call; the calls take turns."""
    times = [float("inf")] * len(calls)
    for _ in range(rounds):
        for position, call in enumerate(calls):
            began = time.perf_counter()
            call()
            times[position] = min(times[position], time.perf_counter() - began)
    return times


def peak(call: Callable[[], object]) -> int:
    """Return the most memory in bytes that a call holds beyond what stood before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def bare_products(severities: npt.NDArray[np.float32], drawn: npt.NDArray[np.float32]) -> Callable[[], None]:
    """Return the float32 product of 16 draws × all units, block by block into one buffer, and no more."""
    out = np.empty((16, severities.shape[1]), dtype=np.float32)

    def run() -> None:
        for start in range(0, len(drawn), 16):
            block = drawn[start : start + 16]
            np.matmul(block, severities, out=out[: len(block)])

    return run


def check(
    table: pd.DataFrame, kinds: pd.Series[str], framework: Framework, cuts: Classification, sure: Uncertainty
) -> Scores:
    """Refuse figures that are fast and wrong; return the scores of the table."""
    scores = score(table, kinds, framework)
    total = weights(framework, UnitKind.VILLAGE).total
    product = 100.0 - 100.0 * (scores.severity.to_numpy() @ total)
    np.testing.assert_allclose(scores.index, product, atol=1e-9)
    np.testing.assert_allclose(scores.points.sum(axis=1), 100.0 - scores.index, atol=1e-9)
    np.testing.assert_allclose(sure.units[["p_red", "p_yellow", "p_green"]].sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(sure.units["index_mean"], scores.index, atol=1.0)
    far = (scores.index - cuts.green_from).abs().gt(15) & (scores.index - cuts.yellow_from).abs().gt(15)
    assert far.any()
    assert (sure.units["most_likely"] == classify(scores.index, cuts))[far].all()
    return scores


def scikit_criteria_weighted_sum(table: pd.DataFrame, total: npt.NDArray[np.float64]) -> Callable[[], object]:
    """Return the peer's way from raw values to scores: min-max scaling, then the weighted sum."""
    from skcriteria import mkdm
    from skcriteria.agg.simple import WeightedSumModel
    from skcriteria.preprocessing.scalers import MinMaxScaler

    matrix = table.to_numpy()

    def run() -> object:
        problem = mkdm(matrix, [max] * matrix.shape[1], weights=total)
        return WeightedSumModel().evaluate(MinMaxScaler(target="matrix").transform(problem))

    return run


def measure(*, units: int, draws: int, rounds: int) -> list[Measurement]:
    """Check results, then measure time and memory of every row."""
    pack = load_parameters()
    framework, cuts = thirty(pack.framework), pack.classification
    table, kinds = values(framework, units)
    few = table.iloc[:QUICK_UNITS], kinds.iloc[:QUICK_UNITS]
    check(*few, framework, cuts, simulate(*few, framework, cuts, rng=SEED))
    gaps = table.mask(np.random.default_rng(SEED).random(table.shape) < 0.05)

    w = weights(framework, UnitKind.VILLAGE)
    severity_table = score(table, kinds, framework).severity
    severities = severity_table.to_numpy()
    data = severities.nbytes
    across, within = weight_draws(framework, concentration=100, draws=draws, rng=np.random.default_rng(SEED))
    drawn = (100.0 * across[:, w.dimension] * within).astype(np.float32)

    assumptions = UncertaintyAssumptions(draws=draws)

    def chances(source: pd.DataFrame, *, ranks: bool) -> Callable[[], object]:
        scale = "values" if source is gaps else "severities"
        return lambda: simulate(
            source, kinds, framework, cuts, rng=SEED, assumptions=assumptions, scale=scale, ranks=ranks
        )

    def rescore() -> object:
        return 100.0 - points_lost(severities, w).sum(axis=1)

    def whole() -> object:
        return score(table, kinds, framework)

    total = w.total
    float32 = np.ascontiguousarray(severities.T, dtype=np.float32)
    vector, many = "float64 matrix × vector", "float32 product of all draws"
    rows: list[tuple[str, Callable[[], object], str, float | None, float | None]] = [
        ("new weights on cached severities, points lost and index", rescore, vector, 3.0, None),
        ("scoring from raw values, all points lost, both bounds", whole, vector, 10.0, 1.5),
        ("class probabilities, uncertain weights", chances(severity_table, ranks=False), many, 3.0, 1.5),
        ("the same with rank intervals", chances(severity_table, ranks=True), many, 15.0, None),
        ("class probabilities from raw values, 5 % missing", chances(gaps, ranks=False), many, None, 1.5),
    ]
    if importlib.util.find_spec("skcriteria") is not None:
        peer = scikit_criteria_weighted_sum(table, total)
        rows.append(("scikit-criteria, min-max and weighted sum", peer, vector, None, None))
    yardsticks = {vector: lambda: severities @ total, many: bare_products(float32, drawn)}
    found = []
    for what, call, yardstick, limit, memory_limit in rows:
        seconds, yardstick_seconds = best(rounds, call, yardsticks[yardstick])
        memory = peak(call) / data
        found.append(Measurement(what, seconds, yardstick, yardstick_seconds, limit, memory, memory_limit))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print a table and JSON; return 1 if a limit is missed at full size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 units, 100 draws; limits are not judged")
    quick = parser.parse_args(arguments).quick
    units, draws = (QUICK_UNITS, 100) if quick else (UNITS, DRAWS)
    found = measure(units=units, draws=draws, rounds=1 if quick else 3)
    print(
        f"{units:,} units × {INDICATORS} indicators, {draws:,} draws, one core, "
        f"Python {platform.python_version()}"
    )
    for m in found:
        limit = "" if m.limit is None else f" (≤ {m.limit:g})"
        memory = "" if m.memory_limit is None else f" (≤ {m.memory_limit:g})"
        verdict = "" if quick else ("  ok" if m.kept else "  MISSED")
        print(
            f"{m.what:58} {m.seconds:8.3f} s = {m.ratio:6.2f}{limit} × {m.yardstick} "
            f"({m.yardstick_seconds:.4f} s);"
            f" memory {m.memory:.2f}{memory} × data{verdict}"
        )
    record = [{**asdict(m), "ratio": m.ratio, "kept": m.kept} for m in found]
    print(json.dumps({"units": units, "draws": draws, "rows": record}, ensure_ascii=False))
    return 0 if quick or all(m.kept for m in found) else 1


if __name__ == "__main__":
    sys.exit(main())
