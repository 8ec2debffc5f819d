"""Residents, household registration and electors by age band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from huanjie_lib.sample.latent import Factors
from huanjie_lib.sample.streams import Array, Integers, Mask, steady

__all__ = ["BANDS", "Population", "RollCheck", "make_population", "make_roll_check"]

BANDS = ("0_17", "18_24", "25_34", "35_44", "45_59", "60_74", "75_plus")
"""Age bands of the framework's population metrics; the last six are the cohorts of the voter roll."""

_VILLAGE_SHARES = np.array([0.165, 0.075, 0.120, 0.130, 0.255, 0.180, 0.075])
_COMMUNITY_SHARES = np.array([0.180, 0.080, 0.160, 0.175, 0.235, 0.125, 0.045])
_AWAY = np.array([0.14, 0.50, 0.52, 0.40, 0.21, 0.05, 0.02])
_NONLOCAL = np.array([0.13, 0.36, 0.45, 0.36, 0.18, 0.07, 0.03])


@dataclass(frozen=True)
class Population:
    """Population at ``as_of``, units × seven age bands, and its yearly growth by unit."""

    hukou: Integers
    away: Integers
    nonlocal_residents: Integers
    growth: Array

    def before(self, years: float) -> tuple[Integers, Integers, Integers]:
        """Return registered, away and non-local people by band some years before ``as_of``."""
        factor = steady((1.0 + self.growth) ** -years)[:, None]
        hukou = np.round(self.hukou * factor).astype(np.int64)
        away = np.minimum(np.round(self.away * factor).astype(np.int64), hukou)
        return hukou, away, np.round(self.nonlocal_residents * factor).astype(np.int64)


@dataclass(frozen=True)
class RollCheck:
    """One check of the voter roll, units × six cohorts."""

    hukou_adults: Integers
    away_declined: Integers
    nonlocal_approved: Integers
    disqualified: Integers
    registered: Integers
    duplicates: Integers

    @property
    def expected(self) -> Integers:
        """Electors expected from registration and residence."""
        return self.hukou_adults - self.away_declined + self.nonlocal_approved - self.disqualified


def make_population(
    community: Mask, urbanity: Array, factors: Factors, rng: np.random.Generator
) -> Population:
    """Draw the population of every unit.

    Parameters
    ----------
    community
        Which units are communities.
    urbanity
        0 to 1 by unit.
    factors
        Hidden factors; poor units send more people away.
    rng
        Random stream.
    """
    size = len(community)
    median = np.where(community, 2_300.0 + 2_200.0 * urbanity, 1_450.0)
    total = median * np.exp(rng.normal(0.0, 1.0, size) * np.where(community, 0.38, 0.42))
    shares = np.where(community[:, None], _COMMUNITY_SHARES, _VILLAGE_SHARES)
    shares = shares * np.exp(rng.normal(0.0, 0.09, (size, len(BANDS))))
    shares = shares / shares.sum(axis=1, keepdims=True)
    hukou = np.round(steady(np.clip(total, 320.0, 12_000.0)[:, None] * shares)).astype(np.int64)
    leaving = np.clip(
        (1.0 - 0.75 * urbanity) * np.exp(0.22 * factors.base["economy"] + rng.normal(0, 0.25, size)), 0, 1.6
    )
    away = np.round(steady(hukou.astype(np.float64) * np.clip(_AWAY * leaving[:, None], 0.0, 0.9))).astype(
        np.int64
    )
    coming = np.where(community, 0.35 + 1.1 * urbanity, 0.05 + 0.5 * urbanity)
    coming = coming * np.exp(rng.normal(0.0, 0.4, size))
    newcomers = np.round(steady(hukou * _NONLOCAL * coming[:, None])).astype(np.int64)
    growth = np.where(community, 0.008 + 0.012 * urbanity, -0.007) + rng.normal(0.0, 0.005, size)
    return Population(hukou, away, newcomers, steady(growth))


def make_roll_check(
    population: Population, years: float, carelessness: Array, progress: float, rng: np.random.Generator
) -> RollCheck:
    """Draw one check of the roll.

    Parameters
    ----------
    population
        Population at ``as_of``.
    years
        Years between the check and ``as_of``.
    carelessness
        Score by unit; high leaves larger gaps.
    progress
        0 to 1: how far registration has come; later checks find smaller gaps.
    rng
        Random stream.
    """
    hukou, away, newcomers = (part[:, 1:] for part in population.before(years))
    size, cohorts = hukou.shape
    declined = rng.binomial(away, steady(np.clip(0.72 + 0.1 * rng.normal(size=(size, 1)), 0.3, 0.95)))
    approved = rng.binomial(newcomers, 0.08 + 0.05 * progress)
    disqualified = rng.binomial(hukou, 0.0008)
    expected = hukou - declined + approved - disqualified
    level = 0.026 * np.exp(0.5 * carelessness) * (2.2 - 1.2 * progress)
    tilt = np.array([1.9, 1.5, 1.1, 0.8, 0.7, 0.8])
    missing = np.clip(level[:, None] * tilt * np.exp(rng.normal(0.0, 0.5, (size, cohorts))), 0.0, 0.35)
    surplus = rng.random((size, cohorts)) < 0.12
    registered = np.where(
        surplus,
        expected + rng.binomial(expected, steady(0.5 * missing)),
        expected - rng.binomial(expected, steady(missing)),
    )
    twice = rng.binomial(registered, steady(np.clip(0.0009 * np.exp(0.5 * carelessness), 0, 0.05))[:, None])
    return RollCheck(hukou, declined, approved, disqualified, registered + twice, twice)
