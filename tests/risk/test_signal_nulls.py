"""Tails are exact, fits shrug off outliers, and the global null raises alarms no oftener than promised."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from huanjie_lib.risk.signal_nulls import (
    beta_binomial_tail,
    combined_shape,
    fit_beta_binomial,
    fit_gamma_poisson,
    gamma_poisson_tail,
    kept_rate,
)
from huanjie_lib.risk.signals import adjust

Floats = npt.NDArray[np.float64]


@pytest.mark.parametrize(("size", "mean", "precision"), [(1, 0.3, 2.0), (40, 0.05, 33.0), (900, 0.11, 29.0)])
def test_beta_binomial_tail_is_that_of_scipy(size: int, mean: float, precision: float) -> None:
    count = np.unique(np.linspace(0, size, 30).astype(np.int64))
    ours = beta_binomial_tail(count, np.full(len(count), size), np.full(len(count), mean), precision)
    theirs = stats.betabinom.sf(count - 1, size, mean * precision, (1 - mean) * precision)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_gamma_poisson_tail_is_the_mixture_it_stands_for() -> None:
    mean, shape, count = 3.0, 1.7, np.arange(12.0)
    rate = np.linspace(1e-6, 80, 400_001)
    density = stats.gamma.pdf(rate, shape, scale=mean / shape)
    mixed = [np.trapezoid(stats.poisson.sf(x - 1, rate) * density, rate) for x in count]
    np.testing.assert_allclose(gamma_poisson_tail(count, np.full(12, mean), shape), mixed, atol=1e-5)


@given(st.integers(1, 60), st.floats(0.01, 0.95), st.floats(0.5, 500.0), st.floats(0.001, 1.0))
def test_p_values_are_super_uniform_under_the_null(
    size: int, mean: float, precision: float, level: float
) -> None:
    count = np.arange(size + 1)
    shares = beta_binomial_tail(count, np.full(size + 1, size), np.full(size + 1, mean), precision)
    chance = stats.betabinom.pmf(count, size, mean * precision, (1 - mean) * precision)
    assert chance[shares <= level].sum() <= level + 1e-9
    many = np.arange(2000.0)
    tail = gamma_poisson_tail(many, np.full(2000, mean * 10), precision)
    chance = stats.nbinom.pmf(many, precision, precision / (precision + mean * 10))
    assert chance[tail <= level].sum() <= level + 1e-9


@given(st.integers(1, 300), st.floats(0.01, 0.95), st.floats(0.5, 500.0))
def test_more_only_lowers_the_p_value(size: int, mean: float, precision: float) -> None:
    count = np.arange(size + 1)
    same = np.full(size + 1, mean)
    assert (np.diff(beta_binomial_tail(count, np.full(size + 1, size), same, precision)) <= 1e-12).all()
    assert (np.diff(gamma_poisson_tail(count.astype(float), same * size, precision)) <= 1e-12).all()


def people(rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
    return np.round(np.exp(rng.normal(6.9, 0.5, n))).astype(np.int64) + 1


def test_how_far_an_outlier_lies_does_not_touch_the_fit() -> None:
    rng = np.random.default_rng(3)
    size = people(rng, 500)
    share = rng.beta(3.0, 27.0, 500)
    among, against = rng.binomial(size, share), rng.poisson(size * share / 30).astype(float)
    fits = []
    for excess in (0.7, 0.95):
        among[:10] = np.floor(size[:10] * excess)
        against[:10] = 1e4 * excess
        fits.append((fit_beta_binomial(among, size), fit_gamma_poisson(against, size.astype(float))))
    assert fits[0] == fits[1]
    assert fits[0][0].rate == pytest.approx(0.1, rel=0.1)
    assert fits[0][0].precision == pytest.approx(30, rel=0.3)
    assert fits[0][1].shape == pytest.approx(3, rel=0.5)


def test_row_order_does_not_matter_beyond_rounding() -> None:
    rng = np.random.default_rng(4)
    size = people(rng, 300)
    count = rng.binomial(size, 0.1)
    order = rng.permutation(300)
    first, second = fit_beta_binomial(count, size), fit_beta_binomial(count[order], size[order])
    assert first.rate == pytest.approx(second.rate, rel=1e-3)


def test_counts_of_nothing_make_nothing_unusual() -> None:
    nothing, exposure = np.zeros(50), np.full(50, 900.0)
    null = fit_gamma_poisson(nothing, exposure)
    assert gamma_poisson_tail(nothing, null.rate * exposure, null.shape).tolist() == [1.0] * 50
    nobody = fit_beta_binomial(nothing.astype(np.int64), exposure.astype(np.int64))
    assert nobody.rate < 1e-4


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        fit_gamma_poisson(np.zeros(0), np.zeros(0))
    with pytest.raises(ValueError, match="above 0"):
        fit_beta_binomial(np.zeros(2, dtype=np.int64), np.array([0, 5]))
    assert kept_rate(np.zeros(0), np.zeros(0)) == 0.0


def test_two_spreads_add_up() -> None:
    known = np.array([1.0, 4.0, 1e12])
    assert combined_shape(known, 4.0, known).round(6).tolist() == [0.8, 2.0, 4.0]


def duplicates(rng: np.random.Generator) -> Floats:
    exposure = people(rng, 800).astype(float)
    count = rng.poisson(exposure * 0.0013 * rng.gamma(3.7, 1 / 3.7, 800)).astype(float)
    null = fit_gamma_poisson(count, exposure)
    return gamma_poisson_tail(count, null.rate * exposure, null.shape)


def leads(rng: np.random.Generator) -> Floats:
    exposure = people(rng, 800).astype(float)
    count = rng.poisson(exposure * 0.0007 * rng.gamma(0.7, 1 / 0.7, 800)).astype(float)
    null = fit_gamma_poisson(count, exposure)
    return gamma_poisson_tail(count, null.rate * exposure, null.shape)


def proxies(rng: np.random.Generator) -> Floats:
    size = people(rng, 300)
    count = rng.binomial(size, rng.beta(3.2, 25.8, 300))
    null = fit_beta_binomial(count, size)
    return beta_binomial_tail(count, size, null.mean_share(np.ones(300)), null.precision)


@pytest.mark.parametrize(("draw", "seeds"), [(duplicates, 200), (leads, 200), (proxies, 40)])
def test_where_nothing_is_wrong_alarms_are_as_rare_as_promised(
    draw: Callable[[np.random.Generator], Floats], seeds: int
) -> None:
    level, alarms, plain = 0.05, 0, 0
    for seed in range(seeds):
        p_values = draw(np.random.default_rng([20261031, seed]))
        alarms += bool((adjust(p_values) <= level).any())
        plain += bool((p_values <= level).any())
    assert alarms <= stats.binom.isf(0.001, seeds, level)  # one in a thousand if the promise is kept
    assert plain == seeds  # a plain cut raises alarms every time
