"""Null models of the anomaly checks: over-dispersed counts, fitted robustly, with exact upper tails.

Two conjugate mixtures describe counts that differ between units more than chance alone would have it:

* gamma-Poisson (negative binomial): ``x ~ Poisson(e λ)``, ``λ ~ Gamma(shape k, mean r)``, for people or leads
  counted against an exposure ``e``; mean ``e r``, variance ``e r + (e r)²/k``;
* beta-binomial: ``x ~ Binomial(n, π)``, ``π ~ Beta(m s, (1 − m) s)``, for people counted among ``n``; mean
  ``n m``, variance ``n m (1 − m) (1 + (n − 1)/(s + 1))``.

Rate and dispersion come from the same units that are tested, of which a few may be anything but ordinary.
They are fitted by maximum likelihood with the upper end censored: of a unit whose ratio lies beyond the
``KEPT`` quantile only *that* it lies there counts, not how far, so that no single unit can move the fit by
more than a bounded amount. Without anomalies this is ordinary censored likelihood, and consistent (Lawless
2003, *Statistical Models and Methods for Lifetime Data*, 2nd ed., ch. 2). Where almost every count is zero,
one unit far out would pass for spread; a weak prior, log-normal around :data:`USUAL_SHAPE` or
:data:`USUAL_PRECISION`, settles what such data leave open and is outweighed by a few dozen counts.

A p-value is ``P(X ≥ x)`` of the fitted model, computed in closed form or by summing the probabilities. With
the true parameters ``P(p ≤ α) ≤ α`` for every α, with equality at the attainable values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

__all__ = [
    "KEPT",
    "BetaBinomial",
    "GammaPoisson",
    "beta_binomial_tail",
    "fit_beta_binomial",
    "fit_gamma_poisson",
    "gamma_poisson_tail",
    "kept_rate",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

KEPT = 0.9
"""Share of the units whose counts enter the fit as they are; above it only the fact counts."""

USUAL_SHAPE = 1.0
"""Gamma shape before any data: units differ from their mean by as much as the mean."""

USUAL_PRECISION = 30.0
"""Beta precision before any data: a share of 10 % differs between units by 5 percentage points."""

PRIOR_SPREAD = 1.5
"""Standard deviation of the logarithm of either before any data: 95 % lie within a factor of 19."""

MAX_SHARE = 0.95
"""Largest mean share of a beta-binomial null."""

_LOG_BOUNDS = ((-15.0, 15.0), (-4.0, 16.0))
"""Bounds of the logarithms of rate and dispersion; at the upper end of the second chance alone is left."""


@dataclass(frozen=True)
class GammaPoisson:
    """A fitted gamma-Poisson null: mean count ``rate · exposure``, and ``shape`` (larger = less spread)."""

    rate: float
    shape: float


@dataclass(frozen=True)
class BetaBinomial:
    """A fitted beta-binomial null: mean share ``rate · share``, and ``precision`` (larger = less spread)."""

    rate: float
    precision: float

    def mean_share(self, share: Floats) -> Floats:
        """Return the null's mean share of each row, at most :data:`MAX_SHARE`."""
        return np.minimum(self.rate * share, MAX_SHARE)


def gamma_poisson_tail(count: Floats, mean: Floats, shape: Floats | float) -> Floats:
    """Return ``P(X ≥ count)`` of a gamma-Poisson count.

    Parameters
    ----------
    count
        Whole counts of at least 0, shape (n,).
    mean, shape
        Mean above 0 and gamma shape above 0.

    Examples
    --------
    >>> tail = gamma_poisson_tail(np.array([0.0, 1.0, 5.0]), np.array([1.0, 1.0, 1.0]), 1.0)
    >>> tail.round(4).tolist()  # geometric with q = 1/2
    [1.0, 0.5, 0.0312]
    """
    return np.asarray(stats.nbinom.sf(count - 1.0, shape, shape / (shape + mean)), dtype=np.float64)


def beta_binomial_tail(count: Ints, size: Ints, mean: Floats, precision: Floats | float) -> Floats:
    """Return ``P(X ≥ count)`` of a beta-binomial count, summed term by term.

    Parameters
    ----------
    count, size
        Whole counts, ``0 ≤ count ≤ size``, shape (n,).
    mean, precision
        Mean share within (0, 1) and the sum of the two beta parameters.

    Examples
    --------
    >>> one = np.ones(3)
    >>> beta_binomial_tail(np.array([0, 1, 4]), np.array([4, 4, 4]), 0.5 * one, 2.0).round(12).tolist()
    [1.0, 0.8, 0.2]
    """
    upper = _Span.of(count, size, size).sums(mean, precision)
    return np.where(count <= 0, 1.0, np.minimum(upper, 1.0))


def kept_rate(count: Floats, exposure: Floats) -> float:
    """Return count per exposure over the rows below the :data:`KEPT` quantile, half a count added.

    Without any row it is 0.

    Examples
    --------
    >>> kept_rate(np.array([1.0] * 19 + [90.0]), np.full(20, 10.0))
    0.10263157894736842
    """
    if not len(count):
        return 0.0
    return _pooled(count, exposure, _cut(count, exposure)[1])


def fit_gamma_poisson(count: Floats, exposure: Floats, *, known_shape: Floats | None = None) -> GammaPoisson:
    """Fit rate and shape of a gamma-Poisson null; see the module's head.

    Parameters
    ----------
    count
        Whole counts, shape (n,).
    exposure
        Above 0: what the mean is proportional to.
    known_shape
        Gamma shape that each row has beforehand, where its mean is itself an estimate; the fitted shape adds
        to the spread: ``1/k_i = 1/known_i + 1/shape``.

    Raises
    ------
    ValueError
        If there is no row, or an exposure is not above 0.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> exposure = np.full(2000, 5.0)
    >>> count = rng.poisson(exposure * rng.gamma(4.0, 0.5, 2000)).astype(float)
    >>> count[:20] = 400.0  # one unit in a hundred is out of all proportion
    >>> null = fit_gamma_poisson(count, exposure)
    >>> round(null.rate, 1), round(null.shape)
    (2.0, 4)
    """
    _refuse(count, exposure)
    cut, censored = _cut(count, exposure)

    def loss(point: Floats) -> float:
        mean = np.exp(point[0]) * exposure
        shape = combined_shape(known_shape, float(np.exp(point[1])), mean)
        chance = shape / (shape + mean)
        seen = stats.nbinom.logpmf(count[~censored], shape[~censored], chance[~censored])
        beyond = stats.nbinom.logsf(cut[censored], shape[censored], chance[censored])
        return -float(seen.sum() + beyond.sum())

    rate, shape = _minimise(loss, start=(_pooled(count, exposure, censored), USUAL_SHAPE))
    return GammaPoisson(rate, shape)


def combined_shape(known: Floats | None, shape: float, like: Floats) -> Floats:
    """Return the gamma shape of each row when a known spread and a fitted one add up."""
    if known is None:
        return np.full(like.shape, shape)
    return 1.0 / (1.0 / known + 1.0 / shape)


def fit_beta_binomial(count: Ints, size: Ints, *, share: Floats | None = None) -> BetaBinomial:
    """Fit rate and precision of a beta-binomial null; see the module's head.

    Parameters
    ----------
    count, size
        Whole counts, ``0 ≤ count ≤ size``, shape (n,).
    share
        Share expected of each row, which the fit scales by one factor; 1 throughout when omitted.

    Raises
    ------
    ValueError
        If there is no row, or a size is not above 0.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> size = np.full(2000, 60)
    >>> count = rng.binomial(size, rng.beta(2.0, 18.0, 2000))
    >>> count[:20] = 59
    >>> null = fit_beta_binomial(count, size)
    >>> round(null.rate, 2), round(null.precision, -1)
    (0.1, 20.0)
    """
    _refuse(count, size)
    expected = np.ones(len(count)) if share is None else share
    cut, censored = _cut(count.astype(np.float64), size * expected)
    most = np.minimum(cut, size).astype(np.int64)
    as_it_is = _Span.of(count[~censored], count[~censored], size[~censored])
    up_to_cut = _Span.of(np.zeros_like(most[censored]), most[censored], size[censored])

    def loss(point: Floats) -> float:
        null = BetaBinomial(float(np.exp(point[0])), float(np.exp(point[1])))
        mean = null.mean_share(expected)
        seen = as_it_is.logarithms(mean[~censored], null.precision)
        beyond = 1.0 - up_to_cut.sums(mean[censored], null.precision)
        return -float(seen.sum() + np.log(np.maximum(beyond, np.finfo(np.float64).tiny)).sum())

    start = (_pooled(count.astype(np.float64), size * expected, censored), USUAL_PRECISION)
    rate, precision = _minimise(loss, start=start)
    return BetaBinomial(rate, precision)


def _refuse(count: Floats | Ints, exposure: Floats | Ints) -> None:
    if not len(count):
        raise ValueError("no rows to fit a null model to")
    if not (exposure > 0).all():
        raise ValueError("every exposure must be above 0")


def _cut(count: Floats, exposure: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the largest count of each row that enters the fit as it is (at least 1), and who lies beyond."""
    cut = np.maximum(np.floor(np.quantile(count / exposure, KEPT) * exposure), 1.0)
    return cut, np.asarray(count > cut)


def _pooled(count: Floats, exposure: Floats, censored: npt.NDArray[np.bool_]) -> float:
    """Return the ratio of sums over the rows kept, half a count added: where the search begins."""
    return float((count[~censored].sum() + 0.5) / exposure[~censored].sum())


def _minimise(loss: Callable[[Floats], float], *, start: tuple[float, float]) -> tuple[float, float]:
    """Return rate and dispersion of least loss, the prior on the dispersion (around its start) counted in."""
    usual = np.log(start[1])
    found = optimize.minimize(
        lambda point: loss(point) + 0.5 * ((point[1] - usual) / PRIOR_SPREAD) ** 2,
        np.clip(np.log(start), *np.transpose(_LOG_BOUNDS)),
        method="Nelder-Mead",
        bounds=_LOG_BOUNDS,
        options={"xatol": 1e-3, "fatol": 1e-3, "maxiter": 2000},
    )
    rate, dispersion = np.exp(found.x)
    return float(rate), float(dispersion)


def _ways(count: Ints, size: Ints) -> Floats:
    """Return the logarithm of the number of ways to choose ``count`` of ``size``."""
    return np.asarray(-special.betaln(count + 1.0, size - count + 1.0) - np.log(size + 1.0))


@dataclass(frozen=True)
class _Span:
    """Counts of a beta-binomial row by row: what does not depend on the parameters, computed once."""

    row: Ints
    count: Ints
    rest: Ints
    ways: Floats
    begin: Ints

    @classmethod
    def of(cls, first: Ints, last: Ints, size: Ints) -> _Span:
        """Return the span of the counts ``first`` to ``last``, both included, of each row."""
        terms = last - first + 1
        begin = np.cumsum(terms) - terms
        row = np.repeat(np.arange(len(first)), terms)
        count = np.arange(int(terms.sum())) - begin[row] + first[row]
        return cls(row, count, size[row] - count, _ways(count, size[row]), begin)

    def logarithms(self, mean: Floats, precision: Floats | float) -> Floats:
        """Return the log-probability of each count, given mean share and precision of each row."""
        first, second = mean * precision, (1.0 - mean) * precision
        whole = special.betaln(first, second)
        mixed = special.betaln(self.count + first[self.row], self.rest + second[self.row])
        return np.asarray(self.ways + mixed - whole[self.row])

    def sums(self, mean: Floats, precision: Floats | float) -> Floats:
        """Return the probability of each row's counts together."""
        if not len(self.begin):
            return np.zeros(0)
        return np.asarray(np.add.reduceat(np.exp(self.logarithms(mean, precision)), self.begin))
