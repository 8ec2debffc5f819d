"""Ratings and weights as in life: people differ in a few things, posts are of a few kinds."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def ratings(people: int, posts: int, *, seed: int, aspects: int = 12) -> tuple[Floats, Floats]:
    """Return people (n, k), three factors and noise, and weights (m, k), six profiles tilted by needs."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(people, 3)) * [1.0, 0.7, 0.5]
    raw = factors @ rng.normal(size=(3, aspects)) + rng.normal(scale=0.5, size=(people, aspects))
    profiles = rng.dirichlet(np.ones(aspects), size=6)[rng.integers(0, 6, posts)]
    needs = 1 + 2 * rng.beta(1, 4, size=(posts, aspects)) * (rng.random((posts, aspects)) < 0.4)
    weights = profiles * needs
    return np.clip(50 + 12 * raw, 0, 100), weights / weights.sum(axis=1, keepdims=True)
