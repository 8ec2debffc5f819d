"""Hidden factors behind every figure: correlated between neighbours, between topics and over time.

Each unit carries one factor per topic (audit, conflict, …), a standard normal score where high is
troublesome. Topics share a common part, so that trouble in one topic goes with trouble in the others; the
common part and the topic's own part are smoothed over the neighbour graph, so that trouble clusters; on top
lies a monthly first-order autoregression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from huanjie_lib.sample.streams import Array, Integers, steady

__all__ = ["TOPICS", "Factors", "make_factors"]

TOPICS = ("audit", "review", "election", "committee", "conflict", "reserve", "procedure", "economy")
"""Topics in the order in which they are drawn."""

_COMMON = 0.87
_LEVEL = 0.60
_SPREAD = 1.30
_PERSISTENCE = 0.93
_SPREAD_OVER_TIME = 0.42


@dataclass(frozen=True)
class Factors:
    """Hidden scores; high is troublesome.

    Parameters
    ----------
    base
        Topic → score by unit, shape (n,); constant over time.
    drift
        Units × months: deviation from the base at each month end.
    township
        Carelessness of the township's office by unit, shape (n,): late returns, slow audits.
    past
        Units × 2: election scores at the two past elections.
    """

    base: dict[str, Array]
    drift: Array
    township: Array
    past: Array

    def at(self, topic: str, month: int) -> Array:
        """Return a topic's score at a month."""
        return steady(self.base[topic] + self.drift[:, month])

    def over_time(self, topic: str) -> Array:
        """Return units × months of a topic's score."""
        return steady(self.base[topic][:, None] + self.drift)


def _standard(values: Array) -> Array:
    spread = values.std(axis=0)
    return steady((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


def _smooth(values: Array, pairs: Integers, rounds: int) -> Array:
    """Return values averaged with those of the neighbours, ``rounds`` times, scaled to unit variance."""
    here = np.concatenate([pairs[:, 0], pairs[:, 1]])
    there = np.concatenate([pairs[:, 1], pairs[:, 0]])
    degree = np.maximum(np.bincount(here, minlength=len(values)), 1)
    for _ in range(rounds):
        around = np.bincount(here, weights=values[there], minlength=len(values)) / degree
        values = 0.5 * values + 0.5 * around
    return _standard(values)


def make_factors(
    size: int,
    pairs: Integers,
    townships: Integers,
    months: int,
    urbanity: Array,
    rng: np.random.Generator,
) -> Factors:
    """Draw the hidden factors.

    Parameters
    ----------
    size
        Number of units.
    pairs
        Pairs of neighbouring units.
    townships
        Position of each unit's township.
    months
        Number of months.
    urbanity
        0 to 1 by unit; the fringe of towns is more troubled than core or remote villages.
    rng
        Random stream.
    """

    def draw() -> Array:
        return rng.normal(0.0, 1.0, size)

    office = _standard(rng.normal(0.0, 1.0, int(townships.max()) + 1))[townships]
    fringe = _standard(urbanity * (1.0 - urbanity))
    common = _standard(
        0.42 * _smooth(draw(), pairs, 40)
        + 0.48 * _smooth(draw(), pairs, 8)
        + 0.25 * office
        + 0.20 * fringe
        + 0.72 * draw()
    )
    common = _standard(common + 0.22 * np.clip(common, 0.0, 3.0) ** 2)
    base = {}
    for topic in TOPICS:
        own = _standard(0.55 * _smooth(draw(), pairs, 8) + 0.8 * draw())
        score = _standard(_COMMON * common + float(np.sqrt(1 - _COMMON**2)) * own)
        base[topic] = steady(_LEVEL + _SPREAD * np.clip(score, -2.2, 2.8))
    drift = np.zeros((size, months))
    state = _smooth(draw(), pairs, 3)
    step = float(np.sqrt(1 - _PERSISTENCE**2))
    for month in range(months):
        state = steady(_PERSISTENCE * state + step * (0.7 * _smooth(draw(), pairs, 3) + 0.714 * draw()))
        drift[:, month] = _SPREAD_OVER_TIME * state
    past = np.column_stack(
        [
            steady(0.30 + 1.15 * _standard(0.58 * base["election"] + 0.66 * _smooth(draw(), pairs, 2)))
            for _ in range(2)
        ]
    )
    return Factors(base=base, drift=steady(drift), township=office, past=past)
