"""The k best people for each of many posts: exact, and without a matrix of people × posts.

The score of person i for post j is ``s_ij = Σ_a x_ia w_ja``, summed in the order of the aspects in double
precision and rounded to ten decimals, so that a tie is a tie on any machine. Ranks go by score, ties by row.

Most people need no look at most posts. Posts with similar weights are taken together (the leaves of a k-d
tree), and with c the mean of a group's weights and x̄ the mean of a person's values

``s_ij = x·c + (x − x̄1)·(w_j − c) + x̄ Σ(w_j − c) ≤ x·c + ‖x − x̄1‖ r + |x̄| δ``

by Cauchy–Schwarz, r and δ being the largest ``‖w_j − c‖`` and ``|Σ(w_j − c)|`` of the group. That bound is
one product of vector and matrix for a whole group of posts. The people with the largest bounds are scored
first; whoever's bound lies below the k-th score found so far of every post of the group is then left out.
Taking the queries of a cluster through people in one order of bounds is the idea of MAXIMUS (Abuzaid, Sethi,
Bailis & Zaharia 2019, ICDE, "To index or not to index: optimizing exact maximum inner product search"), whose
bound is of angles and lengths.

Who remains is multiplied with the posts in single precision, in blocks, and what reaches a post's running
threshold less the largest possible rounding error is scored again as above. Where bounds leave nobody out,
this is blocked matrix multiplication with a scan; its one bad case is a crowd of unlike people who are nearly
level around the k-th place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # its parts load when they are used: a screen shows what others have computed

__all__ = ["DECIMALS", "TopK", "scores", "top_k"]

Floats: TypeAlias = npt.NDArray[np.float64]
Singles: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = npt.NDArray[np.int64]

DECIMALS = 10
"""Decimals to which a score is rounded; differences below are rounding and no reason to prefer anybody."""

FIRST = 128
"""People, or four lists if that is more, who are scored first, to have a threshold."""

BEGIN = 1024
"""People who are held against these thresholds next; then twice as many, up to a block."""

SAMPLE = 16_384
"""Bounds that are looked at to find them."""

LARGEST = 1e30
"""Largest product of a value and the weights of a post; single precision ends at 3.4e38."""


@dataclass(frozen=True)
class TopK:
    """The best rows of each post.

    Parameters
    ----------
    rows
        Rows of people, best first, shape (m, k); −1 where there are no more.
    score
        Their scores, shape (m, k); NaN where there are no more.
    """

    rows: Rows
    score: Floats

    def __repr__(self) -> str:
        """Return number of posts, length of lists and how many posts lack people for a whole list."""
        m, k = self.rows.shape
        return f"TopK(posts={m}, k={k}, short={int((self.rows < 0).any(axis=1).sum())})"

    def to_frame(self) -> pd.DataFrame:
        """Return post, rank (from 1), row and score, one row each, by post and rank."""
        post, place = np.nonzero(self.rows >= 0)
        found = {"row": self.rows[post, place], "score": self.score[post, place]}
        return pd.DataFrame({"post": post, "rank": place + 1, **found})

    def explain(self, post: int, *, name: str | None = None) -> str:
        """Return in Chinese how many people a post's list holds, and their scores.

        Parameters
        ----------
        post
            Row of the post.
        name
            What to call it; its number, from 1, when omitted.

        Raises
        ------
        KeyError
            If there is no such post.
        """
        if not 0 <= post < len(self.rows):
            raise KeyError(post)
        called, k = name or f"第{post + 1}个岗位", self.rows.shape[1]
        found = self.score[post][self.rows[post] >= 0].tolist()
        if not found:
            return f"{called}没有符合条件的人。"
        text = f"{called}列出适配分最高的{len(found)}人：{'、'.join(f'{score:.1f}分' for score in found)}"
        return text + (f"；不足{k}人，符合条件的都已列出。" if len(found) < k else "。")


def scores(values: Floats, weights: Floats) -> Floats:
    """Return the score of each pair of values and weights, the last axis being aspects.

    The sum runs over the aspects in their order, in double precision, and is rounded to ten decimals. It
    therefore does not depend on how many pairs are taken at once, which a matrix product's rounding does.

    Examples
    --------
    >>> people = np.array([[80.0, 60.0], [70.0, 72.0]])
    >>> scores(people, np.array([0.5, 0.5]))
    array([70., 71.])
    """
    total = values[..., 0] * weights[..., 0]
    for aspect in range(1, values.shape[-1]):
        total += values[..., aspect] * weights[..., aspect]
    rounded: Floats = np.round(total, DECIMALS)
    return rounded


def top_k(
    people: Floats,
    weights: Floats,
    k: int,
    *,
    eligible: Sequence[npt.NDArray[np.bool_]] | None = None,
    group: npt.NDArray[np.integer] | None = None,
    excluded: npt.NDArray[np.integer] | None = None,
    block: tuple[int, int] = (8192, 256),
) -> TopK:
    """Return the k best people of each post, ties by row.

    Parameters
    ----------
    people
        Values of people, shape (n, K), finite: a missing value has its place in the interval of a portrait.
    weights
        Weights of posts, shape (m, K), finite.
    k
        Length of a list.
    eligible
        For each group of posts who may be listed, shape (n,) each. Everybody when omitted.
    group
        Group of each post, shape (m,): its place in ``eligible``.
    excluded
        Pairs (post, row), shape (p, 2), that are not to be listed, such as people who declined the post.
    block
        People and posts that are multiplied at once. Changes time and memory only.

    Returns
    -------
    TopK
        The same whatever the block and the number of threads of the linear algebra library.

    Raises
    ------
    ValueError
        If shapes do not fit, a value is not finite or too large, or a group or an excluded pair does not
        exist.

    Notes
    -----
    Memory beyond the arguments: about three times the people, and five numbers a pair of a block.

    Examples
    --------
    >>> people = np.array([[80.0, 60.0], [70.0, 72.0], [90.0, 50.0]])
    >>> weights = np.array([[0.5, 0.5], [1.0, 0.0]])
    >>> top_k(people, weights, 2).rows
    array([[1, 0],
           [2, 0]])
    >>> may = [np.array([True, True, False])]
    >>> top_k(people, weights, 3, eligible=may, group=np.array([0, 0])).rows
    array([[ 1,  0, -1],
           [ 0,  1, -1]])
    >>> top_k(np.array([[np.nan, 1.0]]), weights, 1)
    Traceback (most recent call last):
    ValueError: people and weights must be finite, and their products below 1e+30
    """
    masks, groups, barred = _checked(people, weights, k, eligible, group, excluded, block)
    search = _Search(people, weights, k, barred, block)
    for place, mask in enumerate(masks):
        search.run(np.flatnonzero(groups == place), np.flatnonzero(mask))
    return TopK(search.rows, search.score)


def _checked(
    people: Floats,
    weights: Floats,
    k: int,
    eligible: Sequence[npt.NDArray[np.bool_]] | None,
    group: npt.NDArray[np.integer] | None,
    excluded: npt.NDArray[np.integer] | None,
    block: tuple[int, int],
) -> tuple[Sequence[npt.NDArray[np.bool_]], Rows, Rows]:
    """Return a mask of each group, the group of each post, and excluded pairs as sorted numbers."""
    if people.ndim != 2 or weights.ndim != 2 or people.shape[1] != weights.shape[1] or not people.shape[1]:
        raise ValueError(f"people {people.shape} and weights {weights.shape} must share their aspects")
    if k < 1 or min(block) < 1:
        raise ValueError(f"k and blocks must be at least 1, found {k} and {block}")
    with np.errstate(over="ignore", invalid="ignore"):
        if not _reach(people, weights) < LARGEST:
            raise ValueError(f"people and weights must be finite, and their products below {LARGEST:g}")
    n, m = len(people), len(weights)
    if (eligible is None) is not (group is None):
        raise ValueError("eligible and group are given together or not at all")
    masks = [np.ones(n, dtype=bool)] if eligible is None else eligible
    groups = np.zeros(m, dtype=np.int64) if group is None else np.asarray(group, dtype=np.int64)
    if any(mask.shape != (n,) or mask.dtype != np.bool_ for mask in masks):
        raise ValueError(f"each mask must be boolean, of shape ({n},)")
    if groups.shape != (m,) or (m and not 0 <= groups.min() <= groups.max() < len(masks)):
        raise ValueError(f"group must be of shape ({m},), from 0 to {len(masks) - 1}")
    pairs = np.empty((0, 2), dtype=np.int64) if excluded is None else np.asarray(excluded, dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or ((pairs < 0) | (pairs >= (m, n))).any():
        raise ValueError(f"excluded must be pairs of a post below {m} and a row below {n}")
    return masks, groups, np.unique(pairs[:, 0] * n + pairs[:, 1])


def _reach(people: Floats, weights: Floats) -> float:
    """Return what no score exceeds: the largest value times the largest sum of a post's weights."""
    if not people.size or not weights.size:
        return 0.0
    return float(max(people.max(), -people.min()) * np.abs(weights).sum(axis=1).max())


def _slack(people: Floats, weights: Floats) -> float:
    """Return what rounding can take off a bound or a score in single precision, at the most.

    A sum of N products in any order is off by at most ``N u Σ|x w|`` to first order, u being half of eps
    (Higham 2002, Accuracy and Stability of Numerical Algorithms, §3.1). The N = K + 2 terms of a bound add up
    to at most ``(3 + 2 √K)`` times the reach, of which ``‖x − x̄1‖ r`` has errors of its own, ``(K + 2) u`` of
    ``2 √K`` times the reach, and the arguments are rounded once. ``16 (K + 4) √K u`` times the reach covers
    all that; what underflows is less than the smallest normal number.
    """
    single, aspects = np.finfo(np.float32), people.shape[1]
    reach = _reach(people, weights) + float(single.tiny) * (1.0 + float(np.abs(people).max(initial=0.0)))
    return float(10.0**-DECIMALS + 8 * (aspects + 4) * np.sqrt(aspects) * single.eps * reach)


class _Search:
    """Lists of all posts, filled group by group."""

    def __init__(self, people: Floats, weights: Floats, k: int, barred: Rows, block: tuple[int, int]) -> None:
        m = len(weights)
        self.people, self.weights, self.k, self.barred = people, weights, k, barred
        self.people_at_once, self.posts_at_once = block
        self.rows = np.full((m, k), -1, dtype=np.int64)
        self.score = np.full((m, k), np.nan)
        self.spare = int(np.unique(barred // max(len(people), 1), return_counts=True)[1].max(initial=0))
        self.slack = _slack(people, weights)

    def run(self, posts: Rows, rows: Rows) -> None:
        """Fill in the lists of posts for which the same rows are eligible."""
        if not len(posts) or not len(rows):
            return
        # posts that ask for the same share their list, unless somebody is excluded from one of them
        own = np.isin(posts, self.barred // len(self.people))
        asked = np.column_stack([np.where(own, posts, -1), self.weights[posts]])
        _, first, same = np.unique(asked, axis=0, return_index=True, return_inverse=True)
        unlike = posts[first]
        rows = _few_alike(self.people, rows, self.k + self.spare)
        single = self.people[rows].astype(np.float32)
        lifted = _lifted(single)
        for leaf in _leaves(scipy.spatial.KDTree(self.weights[unlike], leafsize=self.posts_at_once).tree):
            self._fill(np.sort(unlike[leaf]), rows, lifted, single)
        self.rows[posts] = self.rows[unlike[same.ravel()]]
        self.score[posts] = self.score[unlike[same.ravel()]]

    def _fill(self, posts: Rows, rows: Rows, lifted: Singles, single: Singles) -> None:
        best = _Best(posts, self)
        bound = _product(_centre(self.weights[posts]), lifted)
        likely = _largest(bound, max(FIRST, 4 * self.k))
        best.begin(single[likely])
        best.offer(rows[likely], single[likely])
        best.settle()
        bound[likely] = np.nan  # not again
        left = np.flatnonzero(bound >= best.least)
        start, size = 0, min(BEGIN, self.people_at_once)
        while start < len(left):
            chunk = left[start : start + size]
            chunk = chunk[bound[chunk] >= best.least]
            best.offer(rows[chunk], single[chunk])
            # few at first: thresholds rise before many are held against them
            start, size = start + size, min(2 * size, self.people_at_once)
        best.settle()
        self.rows[posts], self.score[posts] = best.rows, best.score


class _Best:
    """Running lists of a few posts."""

    def __init__(self, posts: Rows, search: _Search) -> None:
        self._posts, self._search = posts, search
        self._weights = search.weights[posts]
        self._single = np.ascontiguousarray(self._weights.T, dtype=np.float32)
        self.rows = np.full((len(posts), search.k), -1, dtype=np.int64)
        self.score = np.full((len(posts), search.k), np.nan)
        self._kth = np.full(len(posts), -np.inf)
        self._pending: list[tuple[Rows, Rows, Floats]] = []
        self._waiting = 0

    @property
    def least(self) -> float:
        """The bound below which nobody enters any of the lists."""
        return float(self._kth.min()) - self._search.slack

    def begin(self, single: Singles) -> None:
        """Start from thresholds that enough of these people reach, whoever of them is excluded."""
        enough = self._search.k + self._search.spare
        if len(single) >= enough:
            place = len(single) - enough
            reached = np.partition(_product(single, self._single), place, axis=0)[place]
            self._kth = reached.astype(np.float64) - self._search.slack

    def offer(self, rows: Rows, single: Singles) -> None:
        """Take in people of these rows, given in single precision too."""
        search, width = self._search, len(self._posts)
        reaches = _product(single, self._single) >= (self._kth - search.slack).astype(np.float32)
        person, post = np.divmod(np.flatnonzero(reaches), width)
        row = rows[person]
        if len(search.barred):
            keys = self._posts[post] * len(search.people) + row
            free = (
                search.barred[np.searchsorted(search.barred, keys).clip(max=len(search.barred) - 1)] != keys
            )
            post, row = post[free], row[free]
        score = scores(search.people[row], self._weights[post])
        enters = score >= self._kth[post]
        self._pending.append((post[enters], row[enters], score[enters]))
        self._waiting += int(enters.sum())
        if self._waiting >= search.k * width:
            self.settle()

    def settle(self) -> None:
        """Merge what has come in into the lists, and raise their thresholds."""
        listed = self.rows >= 0
        post, place = np.nonzero(listed)
        pending = [*self._pending, (post, self.rows[post, place], self.score[post, place])]
        post, row, score = (np.concatenate(parts) for parts in zip(*pending, strict=True))
        order = np.lexsort((row, -score, post))
        post, row, score = post[order], row[order], score[order]
        place = np.arange(len(post)) - np.searchsorted(post, post)
        kept = place < self._search.k
        self.rows[post[kept], place[kept]] = row[kept]
        self.score[post[kept], place[kept]] = score[kept]
        full = self.rows[:, -1] >= 0
        self._kth[full] = self.score[full, -1]
        self._pending, self._waiting = [], 0


def _few_alike(people: Floats, rows: Rows, most: int) -> Rows:
    """Return rows without those that have as many equals before them as any list could hold.

    Equals have equal sums, so they lie side by side when sorted by one. Where the sums of others come in
    between, some equals are kept that need not be, which costs time only.
    """
    sums = scores(people[rows], 1.0 + np.sqrt(np.arange(1.0, people.shape[1] + 1.0)))
    order = np.argsort(sums, kind="stable")
    ordered = people[rows[order]]
    begins = np.ones(len(rows), dtype=bool)
    begins[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    at = np.arange(len(rows))
    before = at - np.maximum.accumulate(np.where(begins, at, 0))
    return np.sort(rows[order[before < most]])


def _lifted(values: Singles) -> Singles:
    """Return values, distance from their mean and size of their mean, shape (K + 2, n)."""
    mean = values.mean(axis=1)
    apart = values - mean[:, None]
    return np.vstack([values.T, np.sqrt(np.einsum("ij,ij->i", apart, apart)), np.abs(mean)])


def _centre(weights: Floats) -> Singles:
    """Return the centre of posts' weights, the largest distance from it and difference in sum: (K + 2,)."""
    centre = weights.mean(axis=0)
    apart = weights - centre
    radius = np.linalg.norm(apart, axis=1).max()
    return np.array([*centre, radius, np.abs(apart.sum(axis=1)).max()], dtype=np.float32)


def _product(left: Singles, right: Singles) -> Singles:
    """Return the matrix product of what `_checked` found finite and small enough for any of its sums.

    No product or sum here can be invalid, yet OpenBLAS now and then raises that flag for numbers beside the
    matrices that a wide register of its kernels holds too (https://github.com/numpy/numpy/issues/24067).
    """
    with np.errstate(invalid="ignore"):
        return left @ right


def _largest(bound: Singles, wanted: int) -> Rows:
    """Return places of about as many of the largest bounds as wanted, judged by a sample at even steps."""
    step = max(len(bound) // SAMPLE, 1)
    sample = bound[::step]
    place = max(len(sample) - -(-wanted // step), 0)
    return np.flatnonzero(bound >= np.partition(sample, place)[place])[: 4 * wanted]


def _leaves(node: scipy.spatial.KDTree.node) -> Iterator[Rows]:
    if isinstance(node, scipy.spatial.KDTree.leafnode):
        yield node.idx
    else:
        yield from _leaves(node.less)
        yield from _leaves(node.greater)
