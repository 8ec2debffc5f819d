"""Rescoring, whole scoring and Monte Carlo against the bare matrix products they contain, and against peers.

``python -m benchmarks.bench_risk`` takes 600,000 units × 30 indicators; ``--quick`` takes few and checks
results, not times. Everything runs on one thread, product and contender alike.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from pymcdm.methods import WSM
from pymcdm.normalizations import minmax_normalization
from skcriteria import mkdm
from skcriteria.agg.simple import WeightedSumModel
from skcriteria.preprocessing.scalers import MinMaxScaler

from benchmarks.measuring import SIZES, Case, Found, Limit, in_turns
from huanjie_lib.parameters import Classification, Framework, UncertaintyAssumptions, load_parameters
from huanjie_lib.risk.classification import classify
from huanjie_lib.risk.draws import UNITS_PER_TILE, Scale
from huanjie_lib.risk.scoring import index_of, points_lost, score, weights
from huanjie_lib.risk.uncertainty import Uncertainty, simulate, weight_draws
from huanjie_lib.vocabulary import UnitKind

Floats = npt.NDArray[np.float64]

UNITS, QUICK_UNITS, INDICATORS, DRAWS, QUICK_DRAWS = SIZES[-1], 4_000, 30, 1000, 100
CHECKED = 20_000  # units whose results are checked
SEED = 20261031


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
    return table, pd.Series(
        np.where(rng.random(units) < 0.2, "community", "village"), index=codes, dtype="str"
    )


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


class Data:
    """Units of one size, and all that contenders and yardsticks take; each part is made when first asked for.

    Parameters
    ----------
    units, draws
        Sizes.
    """

    def __init__(self, units: int, draws: int) -> None:
        pack = load_parameters()
        self.framework, self.cuts = thirty(pack.framework), pack.classification
        self.table, self.kinds = values(self.framework, units)
        self.weights = weights(self.framework, UnitKind.VILLAGE)
        self.assumptions = UncertaintyAssumptions(draws=draws)

    @cached_property
    def raw(self) -> Floats:
        """Values unit by unit."""
        return self.table.to_numpy()

    @cached_property
    def severity(self) -> pd.DataFrame:
        """Severities of the values."""
        return score(self.table, self.kinds, self.framework).severity

    @cached_property
    def severities(self) -> Floats:
        """The same as an array."""
        return self.severity.to_numpy()

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Values of which one in twenty is missing."""
        return self.table.mask(np.random.default_rng(SEED).random(self.table.shape) < 0.05)

    @cached_property
    def drawn(self) -> npt.NDArray[np.float32]:
        """Weights of each draw, draws × indicators."""
        generator, draws = np.random.default_rng(SEED), self.assumptions.draws
        across, within = weight_draws(self.framework, concentration=100, draws=draws, rng=generator)
        return np.asarray(100.0 * across[:, self.weights.dimension] * within, dtype=np.float32)

    @cached_property
    def float32(self) -> npt.NDArray[np.float32]:
        """Severities indicator by indicator."""
        return np.ascontiguousarray(self.severities.T, dtype=np.float32)

    def product(self, *, draws: int, units: int) -> Callable[[], None]:
        """Return the bare product in blocks of so many draws and units."""
        return bare_products(self.float32, self.drawn, draws=draws, units=units)

    def chances(self, source: pd.DataFrame, *, ranks: bool) -> Callable[[], object]:
        """Return the simulation over values with gaps, or over severities."""
        scale: Scale = "values" if source is self.gaps else "severities"
        return lambda: simulate(
            source,
            self.kinds,
            self.framework,
            self.cuts,
            rng=SEED,
            assumptions=self.assumptions,
            scale=scale,
            ranks=ranks,
        )

    @cached_property
    def checked(self) -> bool:
        """Refuse figures that are fast and wrong, once."""
        few = self.table.iloc[:CHECKED], self.kinds.iloc[:CHECKED]
        check(*few, self.framework, self.cuts, simulate(*few, self.framework, self.cuts, rng=SEED))
        check_peers(*few, self.framework)
        return True


@lru_cache(maxsize=1)
def data_of(units: int) -> Data:
    """Return units of one size; the cases of a process share them."""
    return Data(units, QUICK_DRAWS if units == QUICK_UNITS else DRAWS)


@dataclass(frozen=True)
class Contest:
    """A contender and its yardstick, as functions of the data; how often they take turns."""

    contender: Callable[[Data], Callable[[], object]]
    yardstick: str
    rounds: int = 3

    def __call__(self, units: int) -> Found:
        """Check results, then measure time and memory."""
        data = data_of(units)
        assert data.checked
        call, bare = self.contender(data), YARDSTICKS[self.yardstick](data)
        found = in_turns(call, bare, rounds=self.rounds)
        return replace(found, space=peak(call) / data.severities.nbytes)


VECTOR, SKCRITERIA = "float64 matrix × vector", "scikit-criteria"
MANY, QUICKEST = "float32 product in the same blocks", "float32 product in the quickest blocks found"
YARDSTICKS: dict[str, Callable[[Data], Callable[[], object]]] = {
    VECTOR: lambda data: partial(np.matmul, data.severities, data.weights.total),
    MANY: lambda data: data.product(draws=16, units=UNITS_PER_TILE),
    QUICKEST: lambda data: data.product(draws=len(data.drawn), units=960),
    SKCRITERIA: lambda data: partial(scikit_criteria, data.raw, data.weights.total),
}

REWEIGH = "new weights on cached severities"
SCORE = "whole scoring from raw values"
DRAWN = "1,000 Monte Carlo draws"


def _case(name: str, budget: str, what: str, contest: Contest, limit: Limit | None = None) -> Case:
    limits = {} if limit is None else {UNITS: limit}
    sizes = SIZES[-1:] if contest.yardstick == QUICKEST else SIZES
    return Case(f"risk.{name}", budget, what, "units", sizes, QUICK_UNITS, contest, limits,
                peer=contest.yardstick, space_unit="× data")  # fmt: skip


def _whole(data: Data) -> Callable[[], object]:
    return lambda: score(data.table, data.kinds, data.framework)


CASES = (
    _case("new_weights", REWEIGH, "new weights on cached severities",
          Contest(lambda d: lambda: index_of(d.severities, d.weights), VECTOR, 15), Limit(3.0)),
    _case("points", REWEIGH, "the same with all points lost",
          Contest(lambda d: lambda: points_lost(d.severities, d.weights), VECTOR, 15)),
    _case("score", SCORE, "value functions, all points lost, index and both bounds",
          Contest(_whole, VECTOR, 15), Limit(10.0, 1.5)),
    _case("score_beside_peer", SCORE, "the same, beside a library", Contest(_whole, SKCRITERIA), Limit(0.1)),
    _case("score_gaps", SCORE, "the same, 5 % missing",
          Contest(lambda d: lambda: score(d.gaps, d.kinds, d.framework), VECTOR, 15), Limit(None, 1.5)),
    _case("pymcdm", SCORE, "pymcdm: min-max, weighted sum",
          Contest(lambda d: lambda: pymcdm(d.raw, d.weights.total), VECTOR)),
    _case("chances", DRAWN, "chances of each colour, uncertain weights",
          Contest(lambda d: d.chances(d.severity, ranks=False), MANY), Limit(3.0, 1.5)),
    _case("ranks", DRAWN, "the same with rank intervals",
          Contest(lambda d: d.chances(d.severity, ranks=True), MANY), Limit(15.0, 1.5)),
    _case("chances_quickest", DRAWN, "chances of each colour, uncertain weights",
          Contest(lambda d: d.chances(d.severity, ranks=False), QUICKEST)),
    _case("ranks_quickest", DRAWN, "the same with rank intervals",
          Contest(lambda d: d.chances(d.severity, ranks=True), QUICKEST)),
    _case("chances_gaps", DRAWN, "chances from raw values, 5 % missing",
          Contest(lambda d: d.chances(d.gaps, ranks=False), MANY), Limit(None, 1.5)),
)  # fmt: skip


if __name__ == "__main__":
    from benchmarks.run import main

    sys.exit(main(["--only", "risk", "--judged", *sys.argv[1:]]))
