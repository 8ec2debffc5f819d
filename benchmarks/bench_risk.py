"""Rescoring, whole scoring and Monte Carlo against the bare matrix products they contain, and against peers.

``python -m benchmarks.bench_risk`` takes 600,000 units × 30 indicators and prints a table in Markdown and a
line of JSON; it exits with 1 if a limit of the plan is missed. ``--quick`` takes 20,000 units and checks
results, not times. ``benchmarks/results.md`` keeps the table of a reference run.

Everything runs on one thread, product and contender alike, and each figure is the best of several runs that
take turns, so that a busy machine weighs on both. Ratios are of processor time.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before the libraries read it
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
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
from pymcdm.methods import WSM
from pymcdm.normalizations import minmax_normalization
from skcriteria import mkdm
from skcriteria.agg.simple import WeightedSumModel
from skcriteria.preprocessing.scalers import MinMaxScaler

from huanjie_lib.parameters import Classification, Framework, UncertaintyAssumptions, load_parameters
from huanjie_lib.risk.classification import classify
from huanjie_lib.risk.draws import UNITS_PER_TILE
from huanjie_lib.risk.scoring import index_of, points_lost, score, weights
from huanjie_lib.risk.uncertainty import Uncertainty, simulate, weight_draws
from huanjie_lib.vocabulary import UnitKind

Floats = npt.NDArray[np.float64]

UNITS, QUICK_UNITS, INDICATORS, DRAWS = 600_000, 20_000, 30, 1000
SEED = 20261031


@dataclass(frozen=True)
class Measurement:
    """One contender against its yardstick, both in processor seconds.

    Memory is the peak of what numpy and Python allocate beyond what stood before, per byte of data.
    """

    what: str
    seconds: float
    wall_seconds: float
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

    def row(self, *, judged: bool) -> str:
        """Return a row of a Markdown table."""
        limit = "" if self.limit is None else f"≤ {self.limit:g}"
        memory_limit = "" if self.memory_limit is None else f" (≤ {self.memory_limit:g})"
        verdict = "" if not judged or not (limit or memory_limit) else "kept" if self.kept else "**missed**"
        cells = [
            self.what,
            f"{self.seconds:.4f}",
            f"{self.wall_seconds:.4f}",
            f"{self.ratio:.2f} × {self.yardstick}",
            limit,
            f"{self.memory:.2f}{memory_limit}",
            verdict,
        ]
        return f"| {' | '.join(cells)} |"


HEADER = (
    "| what | CPU s | wall s | ratio | limit | memory, × data | |",
    "|---|--:|--:|--:|--:|--:|---|",
)


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


def best(rounds: int, *calls: Callable[[], object]) -> list[tuple[float, float]]:
    """Return the shortest processor and wall time of each call; the calls take turns."""
    times = [(float("inf"), float("inf"))] * len(calls)
    for _ in range(rounds):
        for position, call in enumerate(calls):
            cpu, wall = time.process_time(), time.perf_counter()
            call()
            spent = time.process_time() - cpu, time.perf_counter() - wall
            times[position] = min(times[position][0], spent[0]), min(times[position][1], spent[1])
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


def bare_products(
    severities: npt.NDArray[np.float32], drawn: npt.NDArray[np.float32], *, draws: int, units: int
) -> Callable[[], None]:
    """Return the float32 product of all draws and all units, in blocks written to one buffer, and no more."""
    out = np.empty((draws, units), dtype=np.float32)

    def run() -> None:
        for first in range(0, severities.shape[1], units):
            tile = severities[:, first : first + units]
            for start in range(0, len(drawn), draws):
                block = drawn[start : start + draws]
                np.matmul(block, tile, out=out[: len(block), : tile.shape[1]])

    return run


def check(
    table: pd.DataFrame, kinds: pd.Series[str], framework: Framework, cuts: Classification, sure: Uncertainty
) -> None:
    """Refuse figures that are fast and wrong."""
    scores = score(table, kinds, framework)
    w = weights(framework, UnitKind.VILLAGE)
    severities = scores.severity.to_numpy()
    product = 100.0 - 100.0 * (severities @ w.total)
    np.testing.assert_allclose(scores.index, product, rtol=0, atol=1e-9)
    np.testing.assert_allclose(index_of(severities, w), product, rtol=0, atol=1e-9)
    np.testing.assert_allclose(scores.points.sum(axis=1), 100.0 - scores.index, rtol=0, atol=1e-9)
    np.testing.assert_allclose(sure.units[["p_red", "p_yellow", "p_green"]].sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(sure.units["index_mean"], scores.index, rtol=0, atol=1.0)
    far = (scores.index - cuts.green_from).abs().gt(15) & (scores.index - cuts.yellow_from).abs().gt(15)
    assert far.any()
    assert (sure.units["most_likely"] == classify(scores.index, cuts))[far].all()
    rank = scores.index.rank()
    assert rank.between(sure.units["rank_low"] - 1, sure.units["rank_high"] + 1).mean() > 0.95


def check_peers(table: pd.DataFrame, kinds: pd.Series[str], framework: Framework) -> None:
    """Refuse a comparison with peers that compute something else.

    They scale by the least and largest value of the rows on view; with reference points there, the points
    lost are their weighted sum.
    """
    ends = {
        name: ((low, 0.0), (high, 1.0))
        for name, low, high in zip(table, table.min(), table.max(), strict=True)
    }
    dimensions = tuple(
        d.model_copy(
            update={
                "indicators": tuple(
                    i.model_copy(update={"reference_points": ends[i.id]}) for i in d.indicators
                )
            }
        )
        for d in framework.dimensions
    )
    alike = framework.model_copy(update={"dimensions": dimensions})
    wanted = 1.0 - score(table, kinds, alike).index.to_numpy() / 100.0
    total = weights(framework, UnitKind.VILLAGE).total
    for peer in (scikit_criteria, pymcdm):
        np.testing.assert_allclose(peer(table.to_numpy(), total), wanted, rtol=0, atol=1e-10)


def scikit_criteria(matrix: Floats, total: Floats) -> Floats:
    """Return a peer's way from raw values to scores: min-max scaling, then the weighted sum and its ranks."""
    problem = mkdm(matrix, [max] * matrix.shape[1], weights=total)
    found = WeightedSumModel().evaluate(MinMaxScaler(target="matrix").transform(problem))
    return np.asarray(found.e_.score)


def pymcdm(matrix: Floats, total: Floats) -> Floats:
    """Return the other peer's: the same, without ranks; its search for dominated rows is left out."""
    one_way = np.ones(len(total), dtype=int)
    return np.asarray(WSM(minmax_normalization)(matrix, total, one_way, validation=False))


def measure(*, units: int, draws: int, rounds: int) -> list[Measurement]:
    """Check results, then measure time and memory of every row."""
    pack = load_parameters()
    framework, cuts = thirty(pack.framework), pack.classification
    table, kinds = values(framework, units)
    few = table.iloc[:QUICK_UNITS], kinds.iloc[:QUICK_UNITS]
    check(*few, framework, cuts, simulate(*few, framework, cuts, rng=SEED))
    check_peers(*few, framework)
    gaps = table.mask(np.random.default_rng(SEED).random(table.shape) < 0.05)

    w = weights(framework, UnitKind.VILLAGE)
    total = w.total
    severity_table = score(table, kinds, framework).severity
    severities, raw = severity_table.to_numpy(), table.to_numpy()
    across, within = weight_draws(framework, concentration=100, draws=draws, rng=np.random.default_rng(SEED))
    drawn = (100.0 * across[:, w.dimension] * within).astype(np.float32)
    float32 = np.ascontiguousarray(severities.T, dtype=np.float32)
    assumptions = UncertaintyAssumptions(draws=draws)

    def chances(source: pd.DataFrame, *, ranks: bool) -> Callable[[], object]:
        scale = "values" if source is gaps else "severities"
        return lambda: simulate(
            source, kinds, framework, cuts, rng=SEED, assumptions=assumptions, scale=scale, ranks=ranks
        )

    vector, many, peer = "float64 matrix × vector", "float32 product in the same blocks", "scikit-criteria"
    yardsticks: dict[str, Callable[[], object]] = {
        vector: lambda: severities @ total,
        many: bare_products(float32, drawn, draws=16, units=UNITS_PER_TILE),
        peer: lambda: scikit_criteria(raw, total),
    }
    whole_blocks = bare_products(float32, drawn, draws=draws, units=960)
    often = 5 * rounds
    rows: list[tuple[str, Callable[[], object], str, float | None, float | None, int]] = [
        ("new weights on cached severities", lambda: index_of(severities, w), vector, 3.0, None, often),
        ("the same with all points lost", lambda: points_lost(severities, w), vector, None, None, often),
        (
            "from raw values: value functions, all points lost, index and both bounds",
            lambda: score(table, kinds, framework),
            vector,
            10.0,
            1.5,
            often,
        ),
        ("the same", lambda: score(table, kinds, framework), peer, 0.1, None, rounds),
        ("the same, 5 % missing", lambda: score(gaps, kinds, framework), vector, None, 1.5, often),
        ("scikit-criteria: min-max, weighted sum", yardsticks[peer], vector, None, None, rounds),
        ("pymcdm: min-max, weighted sum", lambda: pymcdm(raw, total), vector, None, None, rounds),
        (
            "chances of each colour, uncertain weights",
            chances(severity_table, ranks=False),
            many,
            3.0,
            1.5,
            rounds,
        ),
        ("the same with rank intervals", chances(severity_table, ranks=True), many, 15.0, 1.5, rounds),
        ("the product in the quickest blocks found", whole_blocks, many, None, None, rounds),
        ("chances from raw values, 5 % missing", chances(gaps, ranks=False), many, None, 1.5, rounds),
    ]
    found = []
    for what, call, yardstick, limit, memory_limit, turns in rows:
        (seconds, wall), (yardstick_seconds, _) = best(turns, call, yardsticks[yardstick])
        memory = peak(call) / severities.nbytes
        found.append(
            Measurement(what, seconds, wall, yardstick, yardstick_seconds, limit, memory, memory_limit)
        )
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print a table and JSON; return 1 if a limit is missed at full size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 units, 100 draws; limits are not judged")
    quick = parser.parse_args(arguments).quick
    units, draws = (QUICK_UNITS, 100) if quick else (UNITS, DRAWS)
    found = measure(units=units, draws=draws, rounds=1 if quick else 3)
    print(
        f"{units:,} units × {INDICATORS} indicators, {draws:,} draws, one thread, "
        f"Python {platform.python_version()}, numpy {np.__version__}\n"
    )
    print(*HEADER, *(m.row(judged=not quick) for m in found), sep="\n")
    record = [{**asdict(m), "ratio": m.ratio, "kept": m.kept} for m in found]
    print("\n" + json.dumps({"units": units, "draws": draws, "rows": record}, ensure_ascii=False))
    return 0 if quick or all(m.kept for m in found) else 1


if __name__ == "__main__":
    sys.exit(main())
