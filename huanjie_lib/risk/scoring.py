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
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import Framework, Indicator
from huanjie_lib.vocabulary import UnitKind

__all__ = ["Scores", "Weights", "points_lost", "score", "severity", "value_function", "weights"]

Floats: TypeAlias = npt.NDArray[np.float64]


def value_function(values: npt.ArrayLike, points: Sequence[tuple[float, float]]) -> Floats:
    """Map values to severities through reference points.

    Parameters
    ----------
    values
        Any shape; NaN where missing.
    points
        (value, severity) pairs with strictly increasing values.

    Returns
    -------
    numpy.ndarray
        Same shape; NaN stays NaN.

    Examples
    --------
    >>> value_function([0.0, 1.0, 2.5, 9.0, np.nan], [(1, 0), (2, 0.5), (3, 1)])
    array([0.  , 0.  , 0.75, 1.  ,  nan])
    """
    x, s = zip(*points, strict=True)
    return np.asarray(np.interp(np.asarray(values, dtype=np.float64), x, s), dtype=np.float64)


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
    """

    within: Floats
    dimension: npt.NDArray[np.intp]
    across: Floats
    power: Floats

    @property
    def total(self) -> Floats:
        """Weight of each indicator in the index, ``W_d · w_i``; sums to 1."""
        return np.asarray(self.across[self.dimension] * self.within)


def weights(framework: Framework, kind: UnitKind) -> Weights:
    """Return the weights of a framework for one kind of unit.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> w = weights(load_parameters().framework, UnitKind.VILLAGE)
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
    )


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
        p = w.power[d]
        terms = w.within[columns] * severities[:, columns] ** p
        mass = terms.sum(axis=1, keepdims=True)
        deprivation = mass ** (1.0 / p)
        share = np.divide(terms, mass, out=np.zeros_like(terms), where=mass > 0.0)
        out[:, columns] = 100.0 * w.across[d] * deprivation * share
    return out


@dataclass(frozen=True)
class Scores:
    """Scores of all units; every frame is indexed by unit code and has one column per indicator.

    Parameters
    ----------
    severity
        Severity of the observed value; NaN where missing or not applicable.
    points
        Points lost under the pack's missing policy; NaN where not applicable.
    index, index_low, index_high
        Published index, index with every missing value at its worst and at its best.
    """

    severity: pd.DataFrame
    points: pd.DataFrame
    index: pd.Series[float]
    index_low: pd.Series[float]
    index_high: pd.Series[float]

    def __repr__(self) -> str:
        """Return the size and the range of the index."""
        return f"Scores(units={len(self.index)}, index={self.index.min():.1f}..{self.index.max():.1f})"

    def dimensions(self, framework: Framework) -> pd.DataFrame:
        """Return points lost per dimension (units × dimensions)."""
        columns = {d.id: self.points[[i.id for i in d.indicators]].sum(axis=1) for d in framework.dimensions}
        return pd.DataFrame(columns, index=self.points.index)


def _index(lost: Floats) -> Floats:
    """Return 100 minus the row sums, rounded to 1e-10 so that a sum of exactly 20 points stays at 80."""
    return np.asarray(np.round(100.0 - lost.sum(axis=1), 10))


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
    >>> float(scores.index["a"]), round(float(scores.index_low["b"]), 2), float(scores.index_high["b"])
    (100.0, 97.0, 100.0)
    """
    indicators = framework.indicators
    ids = [i.id for i in indicators]
    raw = values[ids].to_numpy(dtype=np.float64)
    observed = severity(raw, indicators)
    missing = np.isnan(observed)
    assumed = np.array([i.missing.assumed for i in indicators])
    published = np.where(missing, assumed, observed)
    points = np.full_like(observed, np.nan)
    low = np.full(len(values), np.nan)
    high = np.full(len(values), np.nan)
    index = np.full(len(values), np.nan)
    kind_of = kinds.reindex(values.index).to_numpy()
    unknown = set(kind_of) - {k.value for k in UnitKind}
    if unknown:
        raise ValueError(f"unknown unit kinds: {sorted(map(str, unknown))}")
    for kind in UnitKind:
        rows = np.flatnonzero(kind_of == kind.value)
        if not rows.size:
            continue
        w = weights(framework, kind)
        foreign = np.array([kind not in i.applies_to for i in indicators])
        lost = points_lost(published[rows], w)
        index[rows] = _index(lost)
        low[rows] = _index(points_lost(np.where(missing[rows], 1.0, observed[rows]), w))
        high[rows] = _index(points_lost(np.where(missing[rows], 0.0, observed[rows]), w))
        lost[:, foreign] = np.nan
        points[rows] = lost
        observed[np.ix_(rows, np.flatnonzero(foreign))] = np.nan
    return Scores(
        severity=pd.DataFrame(observed, index=values.index, columns=ids),
        points=pd.DataFrame(points, index=values.index, columns=ids),
        index=pd.Series(index, index=values.index, name="index"),
        index_low=pd.Series(low, index=values.index, name="index_low"),
        index_high=pd.Series(high, index=values.index, name="index_high"),
    )
