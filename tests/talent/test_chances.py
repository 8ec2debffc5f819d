"""Chances of being among the best: against exact cases, and independent of how they are computed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from huanjie_lib.talent import chances as module
from huanjie_lib.talent.chances import chances
from huanjie_lib.talent.top_k import scores

DRAWS = 40_000
ERROR = 4 * np.sqrt(0.25 / DRAWS)
"""Four standard errors at the most."""


def people(*ends: tuple[float, float, float]) -> tuple[Any, Any, Any]:
    """Return lower ends, middles and upper ends of people with one aspect."""
    low, mean, high = np.array(ends, dtype=np.float64).T[:, :, None]
    return low, mean, high


def chance_of(ends: tuple[Any, Any, Any], wanted: int, draws: int = DRAWS) -> list[float]:
    pool = np.arange(len(ends[0]))[None]
    found = chances(ends, np.ones((1, 1)), pool, np.array([wanted]), pool.size, draws=draws, seed=7)
    return [float(p) for p in found[0]]


@pytest.mark.parametrize(
    ("ends", "wanted", "exact"),
    [
        # an even interval against a fixed value
        ([(70, 70, 70), (40, 60, 80)], 1, [0.75, 0.25]),
        # half above the middle, evenly up to the upper end: three fifths of that half are above 70
        ([(70, 70, 70), (40, 50, 100)], 1, [0.7, 0.3]),
        # two even intervals of width 40 that overlap in half: the lower wins one time in eight
        ([(50, 70, 90), (30, 50, 70)], 1, [7 / 8, 1 / 8]),
        # three alike for two places
        ([(40, 60, 80)] * 3, 2, [2 / 3] * 3),
        ([(70, 70, 70), (60, 60, 60), (10, 20, 30)], 2, [1, 1, 0]),
        # equals go by their place in the pool
        ([(60, 60, 60)] * 4, 2, [1, 1, 0, 0]),
        ([(60, 60, 60), (50, 50, 50)], 5, [1, 1]),
    ],
)
def test_chances_are_those_of_small_cases(
    ends: list[tuple[float, float, float]], wanted: int, exact: list[float]
) -> None:
    assert chance_of(people(*ends), wanted) == pytest.approx(exact, abs=ERROR)


def test_two_aspects_add_up_by_their_weights() -> None:
    ends = tuple(np.array(rows) for rows in ([[50.0, 50.0], [60.0, 0.0]], [[50.0, 50.0], [60.0, 40.0]]))
    low, mean = ends
    high = 2 * mean - low
    weights = np.array([[0.5, 0.5], [0.75, 0.25]])
    found = chances(
        (low, mean, high), weights, np.array([[0, 1]] * 2), np.array([1, 1]), 2, draws=DRAWS, seed=1
    )
    # 30 + U(0, 40) beats 50 in half of the draws; 45 + U(0, 20) in three quarters
    np.testing.assert_allclose(found[:, 1], [0.5, 0.75], atol=ERROR)


def crowd(seed: int = 1, n: int = 60, aspects: int = 5, posts: int = 12) -> Any:
    rng = np.random.default_rng(seed)
    mean = rng.uniform(30, 80, (n, aspects))
    low, high = mean - rng.uniform(0, 30, mean.shape), mean + rng.uniform(0, 20, mean.shape)
    low[: n // 4] = mean[: n // 4] = high[: n // 4] = 55.0  # alike and certain
    weights = rng.dirichlet(np.ones(aspects), posts)
    pool = np.argsort(-(weights @ mean.T), axis=1, kind="stable")[:, :15]
    pool[-1, 10:] = -1
    return (low, mean, high), weights, pool, rng.integers(1, 6, posts)


def test_the_number_taken_at_once_and_the_other_posts_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ends, weights, pool, wanted = crowd()
    whole = chances(ends, weights, pool, wanted, 8, draws=500, seed=3)
    assert not np.isnan(whole).any()
    monkeypatch.setattr(module, "AT_ONCE", 1)
    assert chances(ends, weights, pool, wanted, 8, draws=500, seed=3).tobytes() == whole.tobytes()
    some = [7, 2, 11]
    part = chances(ends, weights[some], pool[some], wanted[some], 8, draws=500, seed=3)
    assert part.tobytes() == whole[some].tobytes()
    assert chances(ends, weights, pool, wanted, 8, draws=500, seed=4).tobytes() != whole.tobytes()


def test_places_are_shared_out_among_the_pool() -> None:
    ends, weights, pool, wanted = crowd(2)
    found = chances(ends, weights, pool, wanted, 15, draws=300, seed=3)
    np.testing.assert_allclose(np.nansum(found, axis=1), wanted, rtol=0, atol=1e-12)
    assert np.isnan(found[-1, 10:]).all()


def test_sums_are_exact() -> None:
    """The same draws in fractions give the same counts, to the last."""
    (low, mean, high), weights, pool, wanted = crowd(3, n=30, posts=2)
    pool, draws = pool[:, :6], 40
    found = chances((low, mean, high), weights, pool, wanted, 6, draws=draws, seed=5)
    numbers = np.random.default_rng(5).integers(0, 4096, (6, draws, 5)).tolist()

    def near(value: float, parts: float) -> Fraction:
        return Fraction(round(Fraction(value) * int(parts)), int(parts))

    for post in range(2):
        count = [0] * 6
        for draw in range(draws):
            fits = []
            for place, row in enumerate(pool[post].tolist()):
                fit = near(float(scores(mean[row], weights[post])), module.FITS)
                for a, number in enumerate(numbers[place][draw]):
                    way = Fraction(2 * number + 1, 4096) - 1
                    end = mean[row, a] - low[row, a] if way < 0 else high[row, a] - mean[row, a]
                    fit += way * near(weights[post, a] * end, module.MOVES)
                fits.append((-fit, place))
            for _, place in sorted(fits)[: wanted[post]]:
                count[place] += 1
        assert found[post].tolist() == [c / draws for c in count]
