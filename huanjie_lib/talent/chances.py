"""How likely a person is to be among the best for a post, given what is not known about everybody.

Each aspect of each person in the pool of a post takes a value below its middle with one half and above it
with the other, evenly spread down to the lower and up to the upper end of its interval; aspects and people
are drawn independently. A person with more missing evidence therefore moves more, either way. People outside
the pool don't take part, so that a chance is a little too large where many are nearly level.

Fits, moves and draws are rounded to few enough binary digits that all sums are exact in double precision (at
most 2^9 points in steps of 2^-32, 41 of 53 digits). Chances therefore don't depend on the machine, on threads
or on how many posts are taken at once. Their standard error is ``√(p (1 − p) / draws)``.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

from huanjie_lib.talent.top_k import scores

__all__ = ["chances"]

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

FITS, MOVES, SHARES = 2.0**30, 2.0**20, 2**11
"""Parts of a point in fits and in what an aspect may move a fit by, and of the way to an end in draws."""

AT_ONCE = 1 << 22
"""Fits that are held at once."""


def chances(
    people: tuple[Floats, Floats, Floats],
    weights: Floats,
    pool: Rows,
    wanted: Rows,
    length: int,
    *,
    draws: int,
    seed: int,
) -> Floats:
    """Return the chance of the first of each pool to be among the people wanted.

    Parameters
    ----------
    people
        Lower ends, middles and upper ends, shape (n, K) each.
    weights
        Weights of posts, shape (m, K).
    pool
        Rows of who competes for each post, best first, shape (m, P); −1 where there are no more.
    wanted
        How many each post wants, shape (m,).
    length
        For how many of each pool the chance is told.
    draws, seed
        Number of draws, and seed. The numbers of a place of the pool are the same for all posts, however many
        places there are.

    Returns
    -------
    numpy.ndarray
        Shape (m, length), NaN where there is nobody. Equal fits of a draw are ordered as in the pool.

    Examples
    --------
    The second is level with the first in the middle, and unsure:

    >>> ends = np.array([[60.0], [40.0]]), np.array([[60.0], [60.0]]), np.array([[60.0], [80.0]])
    >>> found = chances(ends, np.ones((1, 1)), np.array([[0, 1]]), np.array([1]), 2, draws=10_000, seed=1)
    >>> bool(abs(found[0, 1] - 0.5) < 0.02), float(found.sum())
    (True, 1.0)
    """
    low, mean, high = people
    places, (posts, aspects) = pool.shape[1], weights.shape
    out = np.full((posts, length), np.nan)
    if not len(mean):
        return out
    # midpoints of equal parts of (−1, 1): what is below the middle, and what above
    numbers = np.random.default_rng(seed).integers(0, 2 * SHARES, (places, draws, aspects))
    way = (numbers + 0.5) / SHARES - 1.0
    ways = np.concatenate([np.minimum(way, 0.0), np.maximum(way, 0.0)], axis=2)
    with threadpool_limits(1):  # products of some hundred rows only wait for one another's threads
        for size in np.unique(wanted).tolist():
            of_size = np.flatnonzero(wanted == size)
            step = max(AT_ONCE // (draws * places), 1)
            for start in range(0, len(of_size), step):
                some = of_size[start : start + step]
                fits = np.empty((len(some), draws, places))
                for place in range(places):
                    row, w = pool[some, place], weights[some]
                    middle = np.rint(scores(mean[row], w) * FITS) / FITS
                    moves = np.hstack([w * (mean[row] - low[row]), w * (high[row] - mean[row])])
                    drawn = (np.rint(moves * MOVES) / MOVES) @ ways[place].T
                    fits[:, :, place] = np.where(row[:, None] >= 0, middle[:, None] + drawn, -np.inf)
                out[some] = _among_first(fits, size, min(length, places)).mean(axis=1)
    out[pool[:, :length] < 0] = np.nan
    return out


def _among_first(fits: Floats, size: int, length: int) -> Mask:
    """Return who of the first places is among the best of each draw; equals go by place."""
    places = fits.shape[-1]
    if size >= places:
        return np.ones((*fits.shape[:-1], length), dtype=np.bool_)
    least = np.partition(fits, places - size, axis=-1)[..., places - size, None]
    among = fits >= least
    tied = among.sum(axis=-1) > size
    order = np.argsort(-fits[tied], axis=-1, kind="stable")
    among[tied] = np.argsort(order, axis=-1, kind="stable") < size
    return among[..., :length]
