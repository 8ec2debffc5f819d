"""Neighbouring trouble: global and local Moran's I of the points lost, with FDR control.

Formulas (Moran 1950, Biometrika 37:17-23; Anselin 1995, Geographical Analysis 27:93-115). With ``z`` the
standardised values of the n units that can be assessed and ``m_i`` the mean of ``z`` over the neighbours of
unit i (each counts the same, row-standardised weights),

* ``I_i = (n − 1) z_i m_i / Σ z²`` and, for the whole city, ``I = Σ z_i m_i / Σ z²``;
* the neighbours are drawn anew from all other units without replacement, value i held where it is
  (conditional permutation). With R draws, of which ``a`` have a neighbour sum of at least that observed and
  ``b`` of at most it, ``p_i = min(1, 2 (min(a, b) + 1) / (R + 1))``: two-sided, draws that tie count as
  extreme. esda's ``p_sim`` is the one-sided ``(min(a, R − a) + 1) / (R + 1)`` of the tail that suits;
* p-values are adjusted over all units assessed by Benjamini & Hochberg (1995, JRSS-B 57:289-300), as Caldas
  de Castro & Singer (2006, Geographical Analysis 38:180-208) advise for local statistics.

One table of draws serves all units, as in esda: the draws of a unit with k neighbours are the first k
columns, and where a draw holds the unit itself the next column stands in. So the reference sums are sorted
once for each k, and 99,999 draws cost less than esda's 999. That many are wanted: a p-value is never below
2 / (R + 1), and with 3,215 units and R = 999 fewer than 129 units together could never be found at FDR 5 %.

A unit without a value or without a neighbour that has one is **unknown**, never "no cluster".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse, stats

from huanjie_lib.risk.prepared import Bools, Floats, Ints
from huanjie_lib.risk.trends import Records, rows_by
from huanjie_lib.vocabulary import Word

__all__ = ["ClusterKind", "Clusters", "GlobalMoran", "Link", "find_clusters", "global_moran"]

_Ids: TypeAlias = npt.NDArray[np.int32]

_STEPS = float(1 << 40)
"""Values are summed as whole 2⁻⁴⁰ parts of their range, so that sums that tie are equal to the last bit."""


class ClusterKind(Word):
    """What a unit and its neighbours are together; high means many points lost."""

    HIGH = "high", "连片高风险"
    LOW = "low", "连片低风险"
    HIGH_OUTLIER = "high_outlier", "孤立高风险"
    LOW_OUTLIER = "low_outlier", "周边高风险"
    NONE = "none", "未见连片"
    UNKNOWN = "unknown", "无法判断"

    @property
    def meaning(self) -> str:
        """What the label says, in one clause."""
        return {
            "high": "本村（社区）和周边扣分都高于平均，要连片研判、统一包干",
            "low": "本村（社区）和周边扣分都低于平均",
            "high_outlier": "本村（社区）扣分高于平均，周边扣分低于平均，问题在本村（社区）",
            "low_outlier": "本村（社区）扣分低于平均，周边扣分高于平均，要防周边矛盾传入",
            "none": "与周边的关系和随机摆放时差不多，没有发现连片现象",
            "unknown": "没有数据或没有可比的相邻村（社区），不能说明没有连片",
        }[self.value]


class Link(Word):
    """Why two units count as neighbours."""

    BORDER = "border", "接壤"
    NEAREST = "nearest", "就近认定"


@dataclass(frozen=True)
class GlobalMoran:
    """Moran's I of the whole city.

    Parameters
    ----------
    statistic, expected
        I, and its expectation −1/(n − 1) without any pattern.
    p_normal, p_random
        Two-sided p-values if values were normal draws, and under randomisation (Cliff & Ord 1981, *Spatial
        Processes*, ch. 2), which holds for skewed values too.
    units
        Number of units assessed.
    """

    statistic: float
    expected: float
    p_normal: float
    p_random: float
    units: int

    def __repr__(self) -> str:
        """Return I, its p-value and the number of units."""
        return f"GlobalMoran(I={self.statistic:.3f}, p={self.p_random:.3g}, units={self.units})"

    def explain(self) -> str:
        """Return in Chinese whether trouble lies together in the city."""
        if np.isnan(self.statistic):
            return "可比的村（社区）太少或数值都相同，不能判断全市是否有连片现象。"
        if self.p_random >= 0.05:
            what = "没有明显的连片现象"
        elif self.statistic > self.expected:
            what = "扣分高的挨着高的、低的挨着低的"
        else:
            what = "扣分高低相间"
        return f"全市{what}（莫兰指数{self.statistic:.2f}，在{self.units}个村（社区）上计算）。"


@dataclass(frozen=True)
class Clusters:
    """Which units lie in a cluster, with the figures behind it.

    Parameters
    ----------
    units
        By unit code: ``value``, ``neighbours`` (number that have a value), ``neighbour_mean``, ``local_i``,
        ``p``, ``q`` (adjusted by Benjamini and Hochberg), ``kind`` (value of :class:`ClusterKind`) and
        ``unknown_because``, empty where assessed.
    pairs
        Every pair of neighbours both ways round: ``unit_code``, ``neighbour_code`` and ``link``.
    moran
        Moran's I of the whole city.
    mean
        Mean of the units assessed.
    fdr, permutations
        Level and number of draws.
    what
        What the values are, in Chinese.
    as_of, version
        Date of the values and version of the parameters, where known.
    """

    units: pd.DataFrame
    pairs: pd.DataFrame
    moran: GlobalMoran
    mean: float
    fdr: float
    permutations: int
    what: str = "扣分"
    as_of: dt.date | None = None
    version: str = ""

    def __repr__(self) -> str:
        """Return number of units, of those in a cluster and of those not assessed, date and version."""
        kinds = self.units["kind"].value_counts()
        told = sum(int(kinds.get(k.value, 0)) for k in ClusterKind if k not in _SILENT)
        unknown = int(kinds.get(ClusterKind.UNKNOWN.value, 0))
        text = f"Clusters(units={len(self.units)}, found={told}, unknown={unknown}, fdr={self.fdr:g}"
        text += f", as_of={self.as_of}" if self.as_of else ""
        return text + (f", parameters={self.version!r})" if self.version else ")")

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the figures by unit code."""
        return self.units.copy()

    def neighbours(self, unit_code: str) -> list[str]:
        """Return the codes of a unit's neighbours, with or without a value, in order.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        if unit_code not in self.units.index:
            raise KeyError(unit_code)
        return self._around(unit_code)["neighbour_code"].tolist()

    @cached_property
    def _rows(self) -> Mapping[Any, list[int]]:
        return rows_by(self.pairs, "unit_code")

    @cached_property
    def _facts(self) -> Records:
        return Records.of(self.units)

    def _around(self, unit_code: str) -> pd.DataFrame:
        return self.pairs.iloc[self._rows.get(unit_code, [])]

    def areas(self, kind: ClusterKind = ClusterKind.HIGH) -> pd.Series[int]:
        """Return the connected area that each unit of a kind belongs to.

        Parameters
        ----------
        kind
            Kind of unit; :attr:`ClusterKind.HIGH` for areas to be looked into as one.

        Returns
        -------
        pandas.Series
            By unit code: number of its area, 1 for the one with most units, of equal ones that with the
            first code.
        """
        codes = self.units.index[self.units["kind"] == kind.value]
        ends = [codes.get_indexer(pd.Index(self.pairs[c])) for c in ("unit_code", "neighbour_code")]
        inside = (ends[0] >= 0) & (ends[1] >= 0)
        links = sparse.coo_array(
            (np.ones(int(inside.sum())), (ends[0][inside], ends[1][inside])), shape=(len(codes), len(codes))
        )
        found = pd.Series(sparse.csgraph.connected_components(links, directed=False)[1], index=codes)
        by_size = found.sort_index().value_counts(sort=False).sort_values(ascending=False, kind="stable")
        place = pd.Series(range(1, len(by_size) + 1), index=by_size.index)
        return found.map(place).rename("area").astype("int64")

    def explain(self, unit_code: str) -> str:
        """Return in Chinese whether a unit lies in a cluster, with its neighbours.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        row = self._facts.of_label(unit_code)
        around = self.neighbours(unit_code)
        listed = f"相邻：{'、'.join(around)}" if around else "没有登记相邻的村（社区）"
        kind = ClusterKind.lookup()[str(row["kind"])]
        if kind is ClusterKind.UNKNOWN:
            return f"{unit_code}{kind.label}：{row['unknown_because']}，不能说明没有连片。{listed}。"
        side = _side(float(row["value"]), self.mean)
        text = (
            f"{unit_code}{self.what}{row['value']:.1f}分，{side}{self.mean:.1f}分；"
            f"有数据的{int(row['neighbours'])}个相邻村（社区）平均{row['neighbour_mean']:.1f}分。"
        )
        if kind is ClusterKind.NONE:
            return f"{text}{kind.label}：{kind.meaning}。{listed}。"
        near = self._around(unit_code)["link"].eq(Link.NEAREST.value).any()
        guess = "其中有按距离就近认定的，请核对。" if near else ""
        return (
            f"{text}属于{kind.label}：{kind.meaning}"
            f"（在所有报出的连片结论中，误报的预期不超过{self.fdr:.0%}）。{listed}。{guess}"
        )


_SILENT = (ClusterKind.NONE, ClusterKind.UNKNOWN)


def _side(value: float, mean: float) -> str:
    return "高于平均" if value > mean else "低于平均" if value < mean else "等于平均"


def find_clusters(
    lost: pd.Series[float],
    pairs: pd.DataFrame,
    *,
    seed: int,
    permutations: int = 99_999,
    fdr: float = 0.05,
    what: str = "扣分",
    as_of: dt.date | None = None,
    version: str = "",
) -> Clusters:
    """Find units that with their neighbours lose more, or fewer, points than chance would have it.

    Parameters
    ----------
    lost
        Points lost by unit code (high is bad), all units; NaN where unknown. To hand in: 100 − index, masked
        where the level is unknown; or the points lost in one dimension. Raw rates with a long tail are a
        poor choice: a few extremes outweigh whole clusters.
    pairs
        Neighbours: ``unit_code``, ``neighbour_code``, and optionally ``link`` (value of :class:`Link`). A
        pair counts both ways round, however often and in whichever order it stands there; a unit is no
        neighbour of itself. Codes that ``lost`` lacks are left out. From a ``libpysal.graph.Graph``:
        ``graph.adjacency.reset_index()`` with its first columns renamed.
    seed
        Seed of the draws: equal arguments give equal figures.
    permutations
        Number of draws R; p-values are multiples of 2 / (R + 1).
    fdr
        Share of false findings expected among all findings, at most.
    what
        What the values are, for the sentences.
    as_of, version
        Date and parameter version, to be shown with the result.

    Returns
    -------
    Clusters
        Of units assessed, ``kind`` is by the sign of ``z_i`` and ``m_i`` where ``q ≤ fdr``, else ``none``. A
        value that equals the mean has ``I_i = 0`` whatever surrounds it, and p = 1. Where all values are
        equal nothing can be told and every unit is unknown.

    Raises
    ------
    ValueError
        If a code stands twice in ``lost``, a value is infinite, or a parameter is out of range.

    Examples
    --------
    >>> codes = [f"v{i:02d}" for i in range(60)]
    >>> lost = pd.Series([30.0 + i % 3 if i < 12 else 10.0 + i % 7 for i in range(60)], index=codes)
    >>> steps = [(codes[i], codes[i + d]) for d in (1, 2, 3) for i in range(60 - d)]
    >>> chain = pd.DataFrame(steps, columns=["unit_code", "neighbour_code"])
    >>> lost["v59"] = np.nan
    >>> found = find_clusters(lost, chain, seed=1)
    >>> found
    Clusters(units=60, found=11, unknown=1, fdr=0.05)
    >>> found.units.loc[["v05", "v40", "v59"], "kind"].tolist()
    ['high', 'none', 'unknown']
    >>> found.explain("v59")
    'v59无法判断：没有数据，不能说明没有连片。相邻：v56、v57、v58。'
    """
    if lost.index.has_duplicates:
        raise ValueError("a unit code stands twice among the values")
    if np.isinf(lost.to_numpy(dtype=np.float64)).any():
        raise ValueError("values must be finite or NaN")
    if permutations < 1 or not 0 < fdr < 1:
        raise ValueError("permutations must be at least 1, fdr between 0 and 1")
    codes = lost.index.astype("str")
    linked, matrix = _linked(codes, pairs)
    value: Floats = np.asarray(lost, dtype=np.float64)
    known = ~np.isnan(value)
    because = np.where(known, "", "没有数据").astype(object)
    assessed = known & ((matrix @ known.astype(np.float64)) > 0)
    because[known & ~assessed] = "没有数据齐全的相邻村（社区）"
    rows = np.flatnonzero(assessed)
    y = value[rows]
    if rows.size and y.min() == y.max():
        because[rows] = "各村（社区）数值相同"
        rows, y = rows[:0], y[:0]
    inside = matrix[rows][:, rows]
    cardinality = np.diff(inside.indptr)
    columns = {name: np.full(len(codes), np.nan) for name in ("neighbour_mean", "local_i", "p", "q")}
    kind = np.full(len(codes), ClusterKind.UNKNOWN.value, dtype=object)
    if rows.size:
        columns["local_i"][rows], quadrant = local_moran(y, inside)
        columns["neighbour_mean"][rows] = (inside @ y) / cardinality
        p = permutation_p(y, inside, rng=np.random.default_rng(seed), permutations=permutations)
        q = np.asarray(stats.false_discovery_control(p, method="bh"), dtype=np.float64)
        columns["p"][rows], columns["q"][rows] = p, q
        kind[rows] = np.where(q <= fdr, quadrant, ClusterKind.NONE.value)
    units = pd.DataFrame(
        {
            "value": value,
            "neighbours": (matrix @ known.astype(np.float64)).astype(np.int64),
            **columns,
            "kind": pd.Series(kind, dtype="str").array,
            "unknown_because": pd.Series(because, dtype="str").array,
        },
        index=codes.rename("unit_code"),
    )
    return Clusters(
        units=units,
        pairs=linked,
        moran=_global_moran(y, inside),
        mean=float(y.mean()) if rows.size else float("nan"),
        fdr=fdr,
        permutations=permutations,
        what=what,
        as_of=as_of,
        version=version,
    )


def global_moran(values: pd.Series[float], pairs: pd.DataFrame) -> GlobalMoran:
    """Return Moran's I over the units that have a value and a neighbour with one.

    Parameters
    ----------
    values
        By unit code, NaN where unknown.
    pairs
        Neighbours as in :func:`find_clusters`.

    Returns
    -------
    GlobalMoran
        All NaN where fewer than four units can be assessed or all values are equal.

    Examples
    --------
    >>> codes = list("abcdefgh")
    >>> chain = pd.DataFrame({"unit_code": codes[:-1], "neighbour_code": codes[1:]})
    >>> global_moran(pd.Series(range(8), index=codes, dtype=float), chain)
    GlobalMoran(I=0.833, p=0.00657, units=8)
    """
    _, matrix = _linked(values.index.astype("str"), pairs)
    y: Floats = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(y)
    rows = np.flatnonzero(known & ((matrix @ known.astype(np.float64)) > 0))
    return _global_moran(y[rows], matrix[rows][:, rows])


def _linked(codes: pd.Index[Any], pairs: pd.DataFrame) -> tuple[pd.DataFrame, sparse.csr_array]:
    """Return the pairs of known units, both ways round and once each, and the same as a 0-1 matrix."""
    link = pairs["link"].astype("str") if "link" in pairs else pd.Series(Link.BORDER.value, index=pairs.index)
    one, other = (
        codes.get_indexer(pd.Index(pairs[c].astype("str"))) for c in ("unit_code", "neighbour_code")
    )
    good = (one >= 0) & (other >= 0) & (one != other)
    frame = pd.DataFrame(
        {
            "i": np.concatenate([one[good], other[good]]),
            "j": np.concatenate([other[good], one[good]]),
            "link": np.tile(link.to_numpy(dtype=object)[good], 2),
        }
    )
    # of a pair that stands there as both, the border counts: it sorts first
    frame = frame.sort_values(["i", "j", "link"]).drop_duplicates(["i", "j"])
    i, j = frame["i"].to_numpy(dtype=np.int64), frame["j"].to_numpy(dtype=np.int64)
    matrix = sparse.csr_array((np.ones(len(i)), (i, j)), shape=(len(codes), len(codes)))
    names = codes.to_numpy(dtype=object)
    linked = pd.DataFrame(
        {"unit_code": names[i], "neighbour_code": names[j], "link": frame["link"].to_numpy()}, dtype="str"
    )
    return linked, matrix


def local_moran(y: Floats, matrix: sparse.csr_array) -> tuple[Floats, Any]:
    """Return each unit's local I and its quadrant; every unit has a neighbour and values are not all equal.

    Parameters
    ----------
    y
        Values, shape (n,).
    matrix
        Neighbours as ones, shape (n, n).

    Returns
    -------
    tuple
        I, shape (n,), and the kind by the signs of value and neighbour mean (a sign of 0 counts as low, as
        in esda).
    """
    z = (y - y.mean()) / y.std()
    mean = (matrix @ z) / np.diff(matrix.indptr)
    local = (len(y) - 1) * z * mean / (z @ z)
    high, around = z > 0, mean > 0
    quadrant = np.select(
        [high & around, high, around],
        [ClusterKind.HIGH.value, ClusterKind.HIGH_OUTLIER.value, ClusterKind.LOW_OUTLIER.value],
        ClusterKind.LOW.value,
    )
    return local, quadrant


def permutation_p(
    y: Floats, matrix: sparse.csr_array, *, rng: np.random.Generator, permutations: int
) -> Floats:
    """Return the two-sided p-value of each unit's local I under conditional permutation.

    Parameters
    ----------
    y
        Values, shape (n,), not all equal.
    matrix
        Neighbours as ones, shape (n, n), each unit with at least one.
    rng
        Generator of the draws.
    permutations
        Number of draws R.

    Returns
    -------
    numpy.ndarray
        Shape (n,), multiples of 2 / (R + 1), at most 1; 1 where a value equals the mean.
    """
    whole = np.round((y - y.min()) / (y.max() - y.min()) * _STEPS).astype(np.int64)
    cardinality = np.diff(matrix.indptr)
    observed = np.add.reduceat(whole[matrix.indices], matrix.indptr[:-1])
    at_least, at_most = np.zeros(len(y), dtype=np.int64), np.zeros(len(y), dtype=np.int64)
    columns = _draw_columns(rng, len(y), int(cardinality.max()) + 1, permutations)
    drawn = [next(columns)]
    sums = whole[drawn[0]]
    for k in range(1, int(cardinality.max()) + 1):
        spare = next(columns)
        own = np.flatnonzero(cardinality == k)
        if own.size:
            order = np.sort(sums)
            at_least[own] = permutations - np.searchsorted(order, observed[own], side="left")
            at_most[own] = np.searchsorted(order, observed[own], side="right")
            mine = cardinality == k
            for column in drawn:  # where a draw holds the unit itself, the next column stands in
                rows = np.flatnonzero(mine[column])
                unit = column[rows]
                before, seen = sums[rows], observed[unit]
                after = before - whole[unit] + whole[spare[rows]]
                at_least += _tally(unit, after >= seen, before >= seen, len(y))
                at_most += _tally(unit, after <= seen, before <= seen, len(y))
        drawn.append(spare)
        sums = sums + whole[spare]
    p = np.minimum(1.0, 2.0 * (np.minimum(at_least, at_most) + 1.0) / (permutations + 1.0))
    return np.where(y == y.mean(), 1.0, p)


def _tally(unit: _Ids, after: Bools, before: Bools, size: int) -> Ints:
    change = after.astype(np.int64) - before.astype(np.int64)
    return np.bincount(unit, weights=change, minlength=size).astype(np.int64)


def _draw_columns(rng: np.random.Generator, n: int, columns: int, rows: int) -> Iterator[_Ids]:
    """Yield ``rows`` draws of ``columns`` ≤ n different numbers below n, column by column.

    A number that stands in its row already is drawn again, so each row is a uniform ordered sample without
    replacement.
    """
    taken: list[_Ids] = []
    for _ in range(columns):
        column = rng.integers(0, n, rows, dtype=np.int32)
        again = np.arange(rows)
        while again.size:
            clash = np.zeros(again.size, dtype=bool)
            for other in taken:
                clash |= other[again] == column[again]
            again = again[clash]
            column[again] = rng.integers(0, n, again.size, dtype=np.int32)
        taken.append(column)
        yield column


def _global_moran(y: Floats, matrix: sparse.csr_array) -> GlobalMoran:
    n = len(y)
    if n < 4 or y.min() == y.max():
        return GlobalMoran(float("nan"), float("nan"), float("nan"), float("nan"), n)
    z = y - y.mean()
    w = sparse.csr_array(matrix / np.diff(matrix.indptr)[:, None])
    both = w + w.T
    s0, s1 = float(n), 0.5 * float((both * both).sum())
    s2 = float(((w.sum(axis=1) + w.sum(axis=0)) ** 2).sum())
    statistic, expected = float(z @ (w @ z)) / float(z @ z), -1.0 / (n - 1)
    normal = (n * n * s1 - n * s2 + 3 * s0 * s0) / ((n * n - 1) * s0 * s0) - expected**2
    kurtosis = n * float((z**4).sum()) / float(z @ z) ** 2
    above = n * ((n * n - 3 * n + 3) * s1 - n * s2 + 3 * s0 * s0)
    above -= kurtosis * ((n * n - n) * s1 - 2 * n * s2 + 6 * s0 * s0)
    random = above / ((n - 1) * (n - 2) * (n - 3) * s0 * s0) - expected**2
    p_normal, p_random = (
        2.0 * float(stats.norm.sf(abs(statistic - expected) / np.sqrt(variance)))
        for variance in (normal, random)
    )
    return GlobalMoran(statistic, expected, p_normal, p_random, n)
