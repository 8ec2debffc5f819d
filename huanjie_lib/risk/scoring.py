"""From indicator values to severities, points lost and the election index (选情指数).

Formulas (OECD/JRC 2008, *Handbook on Constructing Composite Indicators*, ch. 5-6, with goalposts that are
declared and never taken from the rows on view):

* severity ``s_i = f_i(x_i)`` in [0, 1], ``f_i`` monotone and piecewise linear through the declared
  reference points, constant beyond the end points;
* deprivation of dimension ``d``: ``D_d = (Σ_i w_i s_i^p)^(1/p)``, the weighted power mean with ``p ≥ 1``;
* points lost by an indicator: ``100 · W_d · D_d · w_i s_i^p / Σ_j w_j s_j^p``, which for ``p = 1`` is
  ``100 · W_d · w_i · s_i``; they add up exactly to the points lost by the dimension;
* index ``= 100 − Σ points``; 0-100, high is safe.

Where an indicator does not apply to a kind of unit, the weights of its dimension are renormalised over the
indicators that do. Missing values are NaN and never silently replaced: the published index takes the
severity that the pack declares, and two bounds take severity 1 and 0.

All of it is one pass over tiles of units that stay in the cache, one indicator after the other. Sums run in
the framework's order whatever the tile, so that a unit's index doesn't hang on the units around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import Framework, Indicator
from huanjie_lib.risk.value_functions import AT_ONCE, ValueFunction, lines_may_overflow, value_function
from huanjie_lib.vocabulary import UnitKind

__all__ = [
    "Scores",
    "Weights",
    "index_of",
    "points_lost",
    "present_kinds",
    "score",
    "severity",
    "value_function",
    "weights",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

INDEX_DECIMALS = 10
"""The index is rounded to these, so that a sum of exactly 20 points stays at 80."""
INDICATORS_TOLD = 3
SHOWN_POINTS = 0.05
"""Points below this round to 0.0 and are not told."""


def severity(values: Floats, indicators: Sequence[Indicator]) -> Floats:
    """Map a matrix of indicator values (units × indicators) to severities.

    Raises
    ------
    ValueError
        If the matrix has not one column per indicator.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> turnout = load_parameters().framework.indicator("election_turnout")
    >>> severity(np.array([[0.5], [0.9], [np.nan]]), [turnout]).ravel()
    array([ 1.,  0., nan])
    """
    if values.ndim != 2 or values.shape[1] != len(indicators):
        raise ValueError(f"values must have shape (n, {len(indicators)}), found {values.shape}")
    out = np.empty_like(values, order="F")
    for column, indicator in enumerate(indicators):
        out[:, column] = value_function(values[:, column], indicator.reference_points)
    return out


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of one kind of unit, in the order of the framework's indicators.

    Parameters
    ----------
    within
        Weight of each indicator within its dimension, shape (k,); 0 where it does not apply or the pack
        gives it none; each dimension's weights sum to 1.
    dimension
        Position of each indicator's dimension, shape (k,).
    across
        Weight of each dimension, shape (m,); sums to 1.
    power
        Exponent of each dimension's power mean, shape (m,).
    framework, kind
        Where they come from; ``None`` for weights put together by hand.
    """

    within: Floats
    dimension: npt.NDArray[np.intp]
    across: Floats
    power: Floats
    framework: Framework | None = None
    kind: UnitKind | None = None

    def __repr__(self) -> str:
        """Return sizes, kind of unit and parameter version."""
        source = "" if self.framework is None else f", parameters={_version(self.framework)!r}"
        kind = "" if self.kind is None else f", kind={self.kind.value!r}"
        return f"Weights(indicators={len(self.within)}, dimensions={len(self.across)}{kind}{source})"

    @property
    def total(self) -> Floats:
        """Weight of each indicator in the index, ``W_d · w_i``; sums to 1."""
        return np.asarray(self.across[self.dimension] * self.within)

    def to_frame(self) -> pd.DataFrame:
        """Return within, across and total by indicator (by position where there is no framework)."""
        ids = None if self.framework is None else [i.id for i in self.framework.indicators]
        columns = {"within": self.within, "across": self.across[self.dimension], "total": self.total}
        return pd.DataFrame(columns, index=ids)

    def explain(self, indicator_id: str) -> str:
        """Return in Chinese what an indicator counts for.

        Raises
        ------
        KeyError
            If there is no such indicator; weights put together by hand know none.

        Examples
        --------
        >>> from huanjie_lib.parameters import load_parameters
        >>> weights(load_parameters().framework, UnitKind.VILLAGE).explain("debt_ratio")
        '评村时，债务率占总分的3.0%：财务审计占20.0%，其中债务率占15.0%。'
        """
        if self.framework is None or self.kind is None:
            raise KeyError(indicator_id)
        position = [i.id for i in self.framework.indicators].index(self.framework.indicator(indicator_id).id)
        label, dimension = self.framework.indicators[position].label, self.dimension[position]
        if not self.within[position]:
            return f"评{self.kind.label}时，{label}不计分。"
        return (
            f"评{self.kind.label}时，{label}占总分的{self.total[position]:.1%}："
            f"{self.framework.dimensions[dimension].label}占{self.across[dimension]:.1%}，"
            f"其中{label}占{self.within[position]:.1%}。"
        )


def _version(framework: Framework) -> str:
    return f"{framework.id}@{framework.version}"


def weights(framework: Framework, kind: UnitKind) -> Weights:
    """Return the weights of a framework for one kind of unit.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> w = weights(load_parameters().framework, UnitKind.VILLAGE)
    >>> w
    Weights(indicators=34, dimensions=7, kind='village', parameters='default@2026.1')
    >>> bool(abs(w.total.sum() - 1) < 1e-12)
    True
    """
    within: list[float] = []
    dimension: list[int] = []
    for position, d in enumerate(framework.dimensions):
        applicable = [i.weight if kind in i.applies_to else 0.0 for i in d.indicators]
        total = sum(applicable)
        within += [w / total for w in applicable]
        dimension += [position] * len(applicable)
    return Weights(
        within=np.array(within),
        dimension=np.array(dimension, dtype=np.intp),
        across=np.array([d.weight for d in framework.dimensions]),
        power=np.array([d.power for d in framework.dimensions]),
        framework=framework,
        kind=kind,
    )


def present_kinds(kinds: pd.Series[str]) -> list[UnitKind]:
    """Return the kinds that occur, in the order of :class:`~huanjie_lib.vocabulary.UnitKind`.

    Raises
    ------
    ValueError
        If a kind is unknown or missing.
    """
    found = set(kinds.unique())
    present = [kind for kind in UnitKind if kind.value in found]
    if unknown := found - {kind.value for kind in present}:
        raise ValueError(f"unknown unit kinds: {sorted(map(str, unknown))}")
    return present


def points_lost(severities: Floats, w: Weights) -> Floats:
    """Return the points lost by each indicator of each unit.

    Parameters
    ----------
    severities
        Shape (n, k), all in [0, 1], no NaN in applicable columns.
    w
        Weights of the units' kind.

    Returns
    -------
    numpy.ndarray
        Shape (n, k), points 0-100; a row's sum is 100 minus its index.

    Examples
    --------
    >>> w = Weights(np.array([0.5, 0.5]), np.array([0, 0]), np.array([1.0]), np.array([1.0]))
    >>> points_lost(np.array([[0.2, 1.0]]), w)
    array([[10., 50.]])
    >>> strict = Weights(w.within, w.dimension, w.across, np.array([2.0]))
    >>> points_lost(np.array([[0.0, 1.0]]), strict).round(6)
    array([[ 0.      , 70.710678]])
    """
    out: Floats = severities * (100.0 * w.total)
    out[:, w.within == 0.0] = 0.0
    for d in np.flatnonzero(w.power != 1.0):
        columns = np.flatnonzero((w.dimension == d) & (w.within > 0.0))
        terms = w.within[columns, None] * severities[:, columns].T ** w.power[d]
        mass = terms.sum(axis=0)
        out[:, columns] = _shares(terms, mass, 100.0 * w.across[d] * mass ** (1.0 / w.power[d])).T
    return out


def _shares(terms: Floats, mass: Floats, lost: Floats) -> Floats:
    """Split a dimension's loss in proportion to its terms; changes and returns the terms."""
    np.divide(terms, mass, out=terms, where=mass > 0.0)  # without mass there are no terms: they stay 0
    terms *= lost
    return terms


def index_of(severities: Floats, w: Weights) -> Floats:
    """Return the index under any weights, from severities at hand.

    With powers of 1 this is one matrix-vector product and the rounding, the fast path of sliders and studies
    that change weights and nothing else.

    Parameters
    ----------
    severities
        Shape (n, k), all in [0, 1]. What a gap is taken for has to be filled in before; where a weighted
        indicator is NaN, so is the index: unknown, never safe. Columns of weight 0 are not looked at.
    w
        Weights of the units' kind.

    Returns
    -------
    numpy.ndarray
        Shape (n,), 0-100, rounded as the published index.

    Raises
    ------
    ValueError
        If there is not one column for each weight.

    Examples
    --------
    >>> w = Weights(np.array([0.5, 0.5, 0.0]), np.array([0, 0, 0]), np.array([1.0]), np.array([1.0]))
    >>> index_of(np.array([[0.2, 1.0, np.nan], [0.2, np.nan, 0.0]]), w)
    array([40., nan])
    """
    if severities.ndim != 2 or severities.shape[1] != len(w.within):
        raise ValueError(f"severities must have shape (n, {len(w.within)}), found {severities.shape}")
    curved = w.power[w.dimension] != 1.0
    factors: Floats = np.where(curved, 0.0, 100.0 * w.total)
    lost: Floats = severities @ factors
    unknown = np.flatnonzero(np.isnan(lost))  # perhaps by a column of weight 0 only, as 0 · NaN is NaN
    if unknown.size:
        used = factors != 0.0
        lost[unknown] = severities[unknown][:, used] @ factors[used]
    for d in np.flatnonzero(w.power != 1.0):
        own = (w.dimension == d) & (w.within > 0.0)
        mass = severities[:, own] ** w.power[d] @ w.within[own]
        lost += 100.0 * w.across[d] * mass ** (1.0 / w.power[d])
    return _rounded(lost)


def _rounded(lost: Floats) -> Floats:
    """Return the index for points lost; never a negative zero, which would be shown as −0.0."""
    return np.asarray(np.round(100.0 - lost, INDEX_DECIMALS) + 0.0)


@dataclass(frozen=True)
class Scores:
    """Scores of all units; every frame is indexed by unit code and has one column per indicator.

    Parameters
    ----------
    points
        Points lost under the pack's missing policy; NaN where not applicable.
    index, index_low, index_high
        Published index, index with every missing value at its worst and at its best.
    values, kinds, framework
        What was scored, see :func:`score`.
    """

    points: pd.DataFrame
    index: pd.Series[float]
    index_low: pd.Series[float]
    index_high: pd.Series[float]
    values: pd.DataFrame
    kinds: pd.Series[str]
    framework: Framework

    def __repr__(self) -> str:
        """Return the number of units, the range of the index and the framework's version."""
        span = f"{self.index.min():.1f}..{self.index.max():.1f}"
        return f"Scores(units={len(self.index)}, index={span}, parameters={_version(self.framework)!r})"

    @cached_property
    def severity(self) -> pd.DataFrame:
        """Severity of the observed value; NaN where missing or not applicable. Computed when first asked."""
        indicators = self.framework.indicators
        out = np.empty((len(indicators), len(self.values)))
        for row, indicator in zip(out, indicators, strict=True):
            values = self.values[indicator.id].to_numpy(dtype=np.float64)
            row[:] = value_function(values, indicator.reference_points)
            if len(indicator.applies_to) < len(UnitKind):
                row[~self.kinds.isin([kind.value for kind in indicator.applies_to]).to_numpy()] = np.nan
        return _frame(out, self.values.index, self.framework)

    def dimensions(self, framework: Framework) -> pd.DataFrame:
        """Return points lost per dimension (units × dimensions)."""
        lost = {i: column.to_numpy() for i, column in self.points.fillna(0.0).items()}
        columns = {
            d.id: sum((lost[i.id] for i in d.indicators), np.zeros(len(self.points)))
            for d in framework.dimensions
        }
        return pd.DataFrame(columns, index=self.points.index)

    def to_frame(self) -> pd.DataFrame:
        """Return index, index_low, index_high and the points lost on each dimension by unit code."""
        index = {s.name: s for s in (self.index, self.index_low, self.index_high)}
        return pd.concat([pd.DataFrame(index), self.dimensions(self.framework)], axis=1)

    def explain(self, unit_code: str) -> str:
        """Return in Chinese the index of a unit, what costs it most and what its gaps leave open.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        points: dict[str, Any] = dict(self.points.loc[unit_code])
        values: dict[str, Any] = dict(self.values.loc[unit_code])
        lost = {i: float(p) for i, p in points.items() if not np.isnan(p)}
        gaps = sum(np.isnan(values[i]) for i in lost)
        if gaps == len(lost):
            return f"{unit_code}没有填报任何数据，不能评分，请先报数。"
        most = [i for i in sorted(lost, key=lambda i: -lost[i]) if lost[i] >= SHOWN_POINTS][:INDICATORS_TOLD]
        told = [f"{self.framework.indicator(i).describe(values[i])}，扣{lost[i]:.1f}分" for i in most]
        text = f"{unit_code}选情指数{self.index.loc[unit_code]:.1f}分"
        text += f"，扣分最多的是：{'；'.join(told)}。" if told else "，没有扣分。"
        if gaps:
            low, high = self.index_low.loc[unit_code], self.index_high.loc[unit_code]
            text += f"有{gaps}项数据缺失，补齐后指数在{low:.1f}分到{high:.1f}分之间。"
        return text


def score(values: pd.DataFrame, kinds: pd.Series[str], framework: Framework) -> Scores:
    """Score units against a framework.

    Parameters
    ----------
    values
        Indicator values, units × indicators (column = indicator id), NaN where missing.
    kinds
        Kind of each unit (value of :class:`~huanjie_lib.vocabulary.UnitKind`), same index.
    framework
        Indicators, weights, reference points and missing policies.

    Returns
    -------
    Scores
        ``index_low ≤ index ≤ index_high``; equal where nothing is missing. A unit with no observed value
        at all still gets bounds 0 and 100.

    Raises
    ------
    KeyError
        If an indicator of the framework has no column.
    ValueError
        If a unit's kind is unknown.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> framework = load_parameters().framework
    >>> ids = [i.id for i in framework.indicators]
    >>> safe = [max(i.reference_points, key=lambda p: -p[1])[0] for i in framework.indicators]
    >>> frame = pd.DataFrame([safe, safe], index=["a", "b"], columns=ids)
    >>> frame.loc["b", "petition_rate"] = np.nan
    >>> scores = score(frame, pd.Series(["village", "village"], index=["a", "b"]), framework)
    >>> scores
    Scores(units=2, index=98.5..100.0, parameters='default@2026.1')
    >>> float(scores.index["a"]), round(float(scores.index_low["b"]), 2), float(scores.index_high["b"])
    (100.0, 97.0, 100.0)
    >>> scores.explain("b")
    'b选情指数98.5分，扣分最多的是：千人信访率缺少数据，扣1.5分。有1项数据缺失，补齐后指数在97.0分到100.0分之间。'
    """
    columns = [values[i.id].to_numpy(dtype=np.float64) for i in framework.indicators]
    of_units = kinds.reindex(values.index)
    kernel = _Kernel.of(framework, of_units)
    n = len(values)
    points = np.empty((len(columns), n))
    index, low, high = np.empty(n), np.empty(n), np.empty(n)
    spare = np.empty(min(n, AT_ONCE))
    for start in range(0, n, AT_ONCE):
        units = slice(start, min(start + AT_ONCE, n))
        lost, worst, best = kernel.run([x[units] for x in columns], units, points[:, units], spare)
        index[units] = low[units] = high[units] = _rounded(lost)
        if worst is not lost:
            low[units], high[units] = _rounded(worst), _rounded(best)
    return Scores(
        points=_frame(points, values.index, framework),
        index=pd.Series(index, index=values.index, name="index", copy=False),
        index_low=pd.Series(low, index=values.index, name="index_low", copy=False),
        index_high=pd.Series(high, index=values.index, name="index_high", copy=False),
        values=values.copy(deep=False),
        kinds=of_units,
        framework=framework,
    )


def _frame(by_indicator: Floats, units: pd.Index, framework: Framework) -> pd.DataFrame:
    ids = [i.id for i in framework.indicators]
    return pd.DataFrame(by_indicator.T, index=units, columns=ids, copy=False)


@dataclass(frozen=True, slots=True)
class _Kernel:
    """Scores some units at a time; k indicators, q kinds among all units.

    Where the power is 1, an indicator's weight is ``100 · W_d · w_i``, so that weighted severities are
    points; elsewhere it is ``w_i``. A value function carries the weight where all units share it.
    """

    framework: Framework
    functions: tuple[ValueFunction, ...]
    weight: Floats  # (k, q)
    foreign: Bools  # (k, q): the indicator does not apply
    linear: Bools  # (k,)
    carried: Bools  # (k,): the value function carries the weight
    kind: npt.NDArray[np.intp] | None  # (n,) column of each unit in weight; None where all are in the first

    @classmethod
    def of(cls, framework: Framework, kinds: pd.Series[str]) -> _Kernel:
        present = present_kinds(kinds)
        indicators = framework.indicators
        of_kind = [weights(framework, kind) for kind in present]
        linear = np.array([d.power == 1.0 for d in framework.dimensions for _ in d.indicators])
        rows = [np.where(linear, 100.0 * w.total, w.within) for w in of_kind]
        weight = np.array(rows).reshape(-1, len(indicators)).T
        foreign = np.array(
            [[kind not in i.applies_to for kind in present] for i in indicators], dtype=np.bool_
        )
        same = (weight == weight[:, :1]).all(axis=1)
        carried = linear & same
        scale = np.where(carried, weight.max(axis=1, initial=0.0), 1.0)
        functions = tuple(
            ValueFunction.of(i.reference_points, scale=by)
            for i, by in zip(indicators, scale.tolist(), strict=True)
        )
        apart = not (same.all() and (foreign == foreign[:, :1]).all())
        kind = pd.Categorical(kinds, categories=[kind.value for kind in present]).codes if apart else None
        return cls(framework, functions, weight, foreign, linear, carried, kind)

    def run(
        self, values: Sequence[Floats], units: slice, points: Floats, spare: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Write the points of some units, and return all they lose, with gaps at their worst and their best.

        ``values`` has k arrays of shape (u,), ``points`` has shape (k, u), ``spare`` at least (u,).
        """
        kind = slice(0, 1) if self.kind is None else self.kind[units]
        lost = np.zeros(points.shape[1])
        with lines_may_overflow():
            for row, x in enumerate(values):
                self.functions[row].write(x, points[row], spare[: len(x)])
                if self.linear[row] and not self.carried[row]:
                    points[row] *= self.weight[row, kind]
                lost += points[row]
        worst = best = lost
        if not self.linear.all() or np.isnan(lost).any():
            lost, worst, best = self._settle(points, self.weight[:, kind])
        if self.foreign.any():
            np.copyto(points, np.nan, where=self.foreign[:, kind])
        return lost, worst, best

    def _settle(self, points: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
        """Fill gaps and take power means; sums run over the indicators in the same order as without gaps."""
        lost, harder, easier = np.zeros((3, points.shape[1]))
        first = 0
        for d in self.framework.dimensions:
            own = slice(first, first := first + len(d.indicators))
            terms, w, p = points[own], weight[own], d.power
            assumed = np.array([i.missing.assumed for i in d.indicators])
            if p == 1.0:
                for term, full, share in zip(terms, np.broadcast_to(w, terms.shape), assumed, strict=True):
                    gap = np.flatnonzero(np.isnan(term))
                    most = full[gap]
                    term[gap] = most * share
                    harder[gap] += most * (1.0 - share)
                    easier[gap] += most * share
                    lost += term
                continue
            gaps = np.isnan(terms)
            np.copyto(terms, 0.0, where=gaps)
            terms **= p
            terms *= w
            known = _total(terms)
            terms += gaps * w * assumed[:, None] ** p
            mass = _total(terms)
            loss, worst, best = (
                100.0 * d.weight * m ** (1.0 / p) for m in (mass, known + _total(gaps * w), known)
            )
            _shares(terms, mass, loss)
            lost += loss
            harder += worst - loss
            easier += loss - best
        return lost, lost + harder, lost - easier


def _total(rows: Floats) -> Floats:
    """Return the sum of the rows, added one by one: numpy's own order depends on the shape."""
    out = np.zeros(rows.shape[1])
    for row in rows:
        out += row
    return out
