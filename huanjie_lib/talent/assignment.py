"""City-wide candidate lists: who is listed for which post so that no list is bought at another's expense.

Post ``j`` is to get ``wanted_j`` candidates, person ``i`` may stand on ``most_i`` lists, on each once. Fit is
``s_ij = w_j · x_i`` (points), taken to a thousandth of a point. Chosen is

    max Σ s_ij − Σ c_k over places that stay empty,   c_k = 1000 + 100 · max(0, 10 − k) for a post's k-th

over all eligible pairs. To fill one more place is worth any loss of fit elsewhere up to 1000 points in all,
and where people do not suffice every post gets its first candidate before any gets a second, and so on.
Each post's own best people are mostly the same few, so that lists cut from the top leave most places empty.
Instead people get prices. With prices ``v_i`` of people and ``u_j`` of places, a pair can only help where
``s_ij > u_j + v_i``. Lists of each post's best people at the prices, and of the best posts of each person who
has a price, make a small network; its optimal flow (:mod:`huanjie_lib.talent.flow`) gives new prices; pairs
that these find too cheap are added, until there is none among **all** pairs (column generation: Dantzig &
Wolfe 1960, Oper. Res. 8(1):101-111). Then the flow is optimal over the whole matrix and the prices prove it.

* First prices come from the same problem on a fifth of the people and posts, and so on down.
* At first an empty place counts only a little less than the price that is expected of it, since lists that
  lack a person would drive prices away (du Merle, Villeneuve, Desrosiers & Hansen 1999, Discrete Math.
  194:229-237); where one stays empty all the same, it counts less and less, down to what it costs.
* Where there are few eligible pairs, as with posts that are open to those of a township, all are held against
  the prices: each post and each person puts forward those of its own that prices find too cheap.
* People with equal values, rules and limits are exchangeable, as are posts with equal weights: they are one
  node each, and its flow is dealt to them in turn, in the order in which they are given.

**Determinism.** Equal arguments give equal bytes on one machine. Of several optima one is taken; which one
depends on the order of people and posts and on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.talent.flow import Flow, best_flow
from huanjie_lib.talent.top_k import scores, top_k

__all__ = ["GRID", "Assignment", "assign", "candidates", "empty_cost"]

Bools: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

GRID = 1000
"""Steps of fit to a point."""
EMPTY_PLACE, EARLIER, EARLY = 1000, 100, 10
"""Points of fit that an empty place costs, how many more one place earlier, and up to which place."""

_SHARE = 5
"""One in so many people and posts makes the smaller problem that first prices come from."""
_SMALL = 200
"""Posts below which a problem gets no smaller one."""
_LISTED = 20
"""Pairs that each post, and at first each person with a price, puts forward."""
_TRUST = 1.0
"""Points by which an empty place may at first undercut its expected price."""
_ROUNDING = 1e-3
"""Grid steps that double precision may be off by; it is off by less than 1e-6."""
_NEAR = 1.0
"""Points that a pair may fall short of its price and still stay in the network after the first flow."""
_CELLS = 1 << 21
"""Pairs whose worth is held at once."""
_ROUNDS = 200
_WHOLE = 1 << 24
"""Eligible pairs up to which all are held at once; their gains take 128 MiB then."""
_NEVER = -(1 << 60)
"""Gain of a pair that is excluded, or in the network already."""


def empty_cost(wanted: Ints, found: Ints) -> Ints:
    """Return what the places that stay empty cost posts, in points.

    Examples
    --------
    >>> empty_cost(np.array([2, 2, 2, 12]), np.array([2, 1, 0, 8])).tolist()
    [0, 1800, 3700, 4100]
    """

    def of(places: Ints) -> Ints:  # the first ones of a post
        early = np.minimum(places, EARLY)
        cost: Ints = EMPTY_PLACE * places + EARLIER * (EARLY * early - early * (early + 1) // 2)
        return cost

    return of(wanted) - of(found)


@dataclass(frozen=True)
class Assignment:
    """Who is listed for which post.

    Parameters
    ----------
    pairs
        ``post``, ``person`` (rows as given) and ``score``, ordered by post, score (highest first) and person.
    short
        Posts that got fewer than they want: ``post``, ``wanted``, ``found`` and ``able`` (people who are
        eligible).
    wanted
        Candidates wanted by post, shape (m,).
    place_price, person_price
        Prices in points, shapes (m,) and (n,), that prove the optimum: ``s ≤ u + v`` for every eligible pair
        that was left out, ``s ≥ u + v`` for every one that was chosen.
    objective
        Total fit of the pairs, points.
    bound
        No lists that leave as many places empty can reach more. It differs from ``objective`` by what lies
        between fit and its grid, at most half a thousandth of a point a place.
    optimal
        Whether the prices prove that no other lists are better, with fit taken to its grid.
    """

    pairs: pd.DataFrame
    short: pd.DataFrame
    wanted: Ints
    place_price: Floats
    person_price: Floats
    objective: float
    bound: float
    optimal: bool

    def __repr__(self) -> str:
        """Return numbers of posts, people, pairs and empty places, and whether the optimum is proven."""
        empty = int(self.wanted.sum()) - len(self.pairs)
        return (
            f"Assignment(posts={len(self.wanted)}, people={len(self.person_price)}, "
            f"listed={len(self.pairs)}, empty={empty}, optimal={self.optimal})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the pairs."""
        return self.pairs.copy()

    @cached_property
    def _lists(self) -> dict[int, Floats]:
        score = self.pairs["score"].to_numpy()
        rows = self.pairs.groupby("post").indices
        return {int(str(post)): score[own] for post, own in rows.items()}

    def explain(self, post: int, *, name: str | None = None) -> str:
        """Return in Chinese how many a post got, how well they fit, and why places stay empty.

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
        if not 0 <= post < len(self.wanted):
            raise KeyError(post)
        called = name or f"第{post + 1}个岗位"
        wanted, scores = int(self.wanted[post]), self._lists.get(post, np.empty(0))
        if wanted == 0:
            return f"{called}不需要人选。"
        text = f"{called}要{wanted}名人选，全市统筹后列出{len(scores)}名"
        if len(scores):
            text += "，适配分" + "、".join(f"{score:.1f}" for score in scores)
        if len(scores) == wanted:
            return text + "。"
        able = int(self.short.set_index("post")["able"][post])
        lacking = f"；还缺{wanted - len(scores)}名："
        if able <= len(scores):
            return text + lacking + (f"符合条件的只有{able}人。" if able else "没有符合条件的人。")
        remedy = "请补充后备人选或放宽每人可列的名单数"
        return text + lacking + f"符合条件的有{able}人，都已排满名单，{remedy}。"


def assign(
    people: Floats,
    weights: Floats,
    wanted: Ints,
    most: Ints,
    *,
    eligible: Sequence[Bools] | None = None,
    group: Ints | None = None,
    excluded: Ints | None = None,
) -> Assignment:
    """Return the city-wide lists of most fit, with a proof over all pairs.

    Parameters
    ----------
    people
        What each person is rated, shape (n, k), in the order that decides between exchangeable people.
    weights
        What each post asks for, shape (m, k).
    wanted
        Candidates wanted by post, shape (m,).
    most
        Lists on which each person may stand, shape (n,).
    eligible, group
        Masks over people, and which of them holds for each post, shape (m,); all are eligible when omitted.
    excluded
        Pairs (post, person) that must not be, shape (p, 2).

    Returns
    -------
    Assignment

    Raises
    ------
    ValueError
        If shapes do not match, a rating or weight is not finite, or a number is negative.

    Examples
    --------
    Both posts would have the first person, who may stand on one list:

    >>> people = np.array([[90.0, 80.0], [60.0, 20.0], [10.0, 30.0]])
    >>> weights = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> lists = assign(people, weights, np.array([1, 1]), np.array([1, 1, 1]))
    >>> lists
    Assignment(posts=2, people=3, listed=2, empty=0, optimal=True)
    >>> lists.pairs.values.tolist()
    [[0.0, 1.0, 60.0], [1.0, 0.0, 80.0]]
    >>> assign(people, weights, np.array([2, 2]), np.array([1, 1, 1])).explain(1, name="会计岗位")
    '会计岗位要2名人选，全市统筹后列出1名，适配分30.0；还缺1名：符合条件的有3人，都已排满名单，请补充后备人选或放宽每人可列的名单数。'
    """
    given = _checked(people, weights, wanted, most, eligible, group, excluded)
    live = np.flatnonzero(given.wanted > 0), np.flatnonzero(given.most > 0)
    part = given.part(*live)
    merged, post_class, person_class = part.merged()
    solved = _solve(merged, exact=True)
    post, person = _dealt(solved, post_class, person_class)
    return _result(given, live, (live[0][post], live[1][person]), solved, (post_class, person_class))


def _checked(
    people: Floats,
    weights: Floats,
    wanted: Ints,
    most: Ints,
    eligible: Sequence[Bools] | None,
    group: Ints | None,
    excluded: Ints | None,
) -> _Problem:
    x, w = np.asarray(people, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[1]:
        raise ValueError(f"people and weights must share their columns, found {x.shape} and {w.shape}")
    if not (np.isfinite(x).all() and np.isfinite(w).all()):
        raise ValueError("ratings and weights must be finite")
    n, m = len(x), len(w)
    wants, limits = np.asarray(wanted, dtype=np.int64), np.asarray(most, dtype=np.int64)
    if wants.shape != (m,) or limits.shape != (n,):
        raise ValueError(f"wanted and most must have {m} and {n} values, found {wants.shape}, {limits.shape}")
    if (wants < 0).any() or (limits < 0).any():
        raise ValueError("wanted and most must not be negative")
    given = [np.ones(n, dtype=bool)] if eligible is None else eligible
    masks = [np.asarray(mask, dtype=bool) for mask in given]
    groups = np.zeros(m, dtype=np.int64) if group is None else np.asarray(group, dtype=np.int64)
    if any(mask.shape != (n,) for mask in masks) or groups.shape != (m,):
        raise ValueError(f"masks must have {n} values and group {m}")
    if m and not 0 <= groups.min() <= groups.max() < len(masks):
        raise ValueError(f"groups must be from 0 to {len(masks) - 1}")
    barred = np.empty((0, 2), np.int64) if excluded is None else np.asarray(excluded, np.int64).reshape(-1, 2)
    if len(barred) and not ((barred >= 0).all() and (barred < [m, n]).all()):
        raise ValueError("excluded pairs must be rows of posts and people")
    allowed = np.array(masks, dtype=bool).reshape(len(masks), n)
    return _Problem(x + 0.0, w + 0.0, wants, limits, allowed, groups, np.unique(barred, axis=0),
                    np.ones(m, np.int64), np.ones(n, np.int64))  # fmt: skip


@dataclass(frozen=True)
class _Problem:
    """Posts and people, or classes of equal ones; adding 0.0 to all values has made −0 and 0 one."""

    people: Floats
    weights: Floats
    wanted: Ints
    most: Ints
    allowed: Bools  # (groups, n)
    group: Ints
    excluded: Ints
    posts: Ints  # posts of each class
    persons: Ints  # people of each class

    def part(self, posts: Ints, people: Ints) -> _Problem:
        """Return the problem of some posts and some people."""
        return _Problem(
            self.people[people],
            self.weights[posts],
            self.wanted[posts],
            self.most[people],
            self.allowed[:, people],
            self.group[posts],
            _within(self.excluded, posts, people),
            self.posts[posts],
            self.persons[people],
        )

    def merged(self) -> tuple[_Problem, Ints, Ints]:
        """Return the problem with equal posts and equal people made one, and the class of each."""
        alone = _alone(self.excluded[:, 0], len(self.wanted)), _alone(self.excluded[:, 1], len(self.most))
        post_first, post_class, posts = _classes(
            self.weights, np.stack([self.wanted, self.group, alone[0]], 1)
        )
        patterns = np.packbits(self.allowed, axis=0).T.astype(np.int64)
        person_first, person_class, persons = _classes(
            self.people, np.column_stack([self.most, alone[1], patterns])
        )
        one = self.part(post_first, person_first)
        wanted, most = one.wanted * posts, one.most * persons
        merged = replace(one, wanted=wanted, most=most, posts=posts, persons=persons)
        return merged, post_class, person_class

    def sampled(self) -> tuple[_Problem, Ints]:
        """Return a fifth of the problem, large classes shrunk rather than drawn, and its posts."""
        posts, wanted = _drawn(self.wanted)
        people, most = _drawn(self.most)
        return replace(self.part(posts, people), wanted=wanted, most=most), posts

    def room(self, post: Ints, person: Ints) -> Ints:
        """Return how many places pairs of classes may share."""
        return self.posts[post] * self.persons[person]

    def gain(self, post: Ints, person: Ints) -> Ints:
        """Return the fit of pairs in grid steps."""
        return np.rint(scores(self.people[person], self.weights[post]) * GRID).astype(np.int64)

    def keys(self, post: Ints, person: Ints) -> Ints:
        """Return pairs as single numbers, each once, without excluded ones."""
        n = len(self.most)
        return _without(_union(post * n + person), self.excluded[:, 0] * n + self.excluded[:, 1])

    def best(self, posts: Ints, price: Floats, length: Ints) -> tuple[Ints, Ints, Floats, Floats]:
        """Return post, person and worth of the best pairs of some posts, and the most any other is worth.

        ``price`` of people in points, ``length`` of each list; a list that holds all has ``-inf`` below it.
        """
        found = [(posts[:0], posts[:0], price[:0])]
        below = np.full(len(posts), -np.inf)
        priced, everybody = np.column_stack([self.people, -price]), np.arange(len(price))
        for k in np.unique(length).tolist():
            mine = np.flatnonzero(length == k)
            own = posts[mine]
            best = top_k(
                priced,
                np.column_stack([self.weights[own], np.ones(len(own))]),
                k,
                eligible=list(self.allowed),
                group=self.group[own],
                excluded=_within(self.excluded, own, everybody),
            )
            there = best.rows >= 0
            if k < len(priced):
                below[mine] = np.where(there[:, -1], best.score[:, -1], -np.inf)
            found.append((np.repeat(own, there.sum(axis=1)), best.rows[there], best.score[there]))
        post, person, worth = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return post, person, worth, below

    def worth(self, people: Ints, posts: Ints, place: Floats) -> Iterator[tuple[Ints, Floats]]:
        """Yield blocks of people and what some posts are worth to them at prices of places, in points."""
        size = max(1, _CELLS // max(len(posts), 1))
        for start in range(0, len(people), size):
            block = people[start : start + size]
            worth = self.people[block] @ self.weights[posts].T - place
            if not self.allowed.all():
                worth[~self.allowed[:, block][self.group[posts]].T] = -np.inf
            yield block, worth


@dataclass(frozen=True)
class _Solution:
    post: Ints
    person: Ints
    units: Ints
    place_price: Ints  # twice, in grid steps
    person_price: Ints
    bound: int  # twice, in grid steps, empty places counted
    worth: int
    proven: bool


def _solve(problem: _Problem, *, exact: bool) -> _Solution:
    """Return the optimal flow between classes; without ``exact``, prices near enough to start from."""
    m, n = len(problem.wanted), len(problem.most)
    if m == 0 or n == 0:
        none = np.empty(0, dtype=np.int64)
        places = _places(problem)
        worth = 2 * int((places.gain * places.room).sum())
        return _Solution(none, none, none, 2 * places.last, np.zeros(n, np.int64), worth, worth, True)
    if (
        int(problem.allowed.sum(axis=1) @ np.bincount(problem.group, minlength=len(problem.allowed)))
        <= _WHOLE
    ):
        return _Whole(problem).solved()
    return _Columns(problem, *_first_prices(problem)).solved(exact=exact)


def _first_prices(problem: _Problem) -> tuple[Floats, Ints]:
    """Return prices of people in points, from the optimum of a fifth of the problem, and pairs to begin with.

    A person is worth what the best of the posts there would pay. Those who are worth something name the posts
    that would pay most: whom the posts' own lists leave out for a price too high would else cost nothing.
    """
    n = len(problem.most)
    price, none = np.zeros(n), np.empty(0, dtype=np.int64)
    if len(problem.wanted) <= _SMALL:
        return price, none
    part, posts = problem.sampled()
    place = _solve(part, exact=False).place_price / (2 * GRID)
    named = [(none, none)]
    k = min(_LISTED, len(posts))
    for block, worth in problem.worth(np.arange(n), posts, place):
        price[block] = np.maximum(worth.max(axis=1), 0.0)
        asked = np.flatnonzero(price[block] > 0)
        best = np.argpartition(worth[asked], len(posts) - k, axis=1)[:, -k:]
        able = np.isfinite(np.take_along_axis(worth[asked], best, axis=1))
        named.append((posts[best[able]], np.repeat(block[asked], able.sum(axis=1))))
    post, person = (np.concatenate(parts) for parts in zip(*named, strict=True))
    return price, problem.keys(post, person)


class _Whole:
    """All eligible pairs that are not in the network yet, by group of posts."""

    def __init__(self, problem: _Problem) -> None:
        self.problem = problem
        self.parts: list[tuple[Ints, Ints, Ints]] = []
        self.row = np.zeros(len(problem.wanted), dtype=np.int64)
        for group, mask in enumerate(problem.allowed):
            posts, people = np.flatnonzero(problem.group == group), np.flatnonzero(mask)
            fit = scores(problem.people[people], problem.weights[posts][:, None])
            self.parts.append((posts, people, np.rint(fit * GRID).astype(np.int64)))
            self.row[posts] = np.arange(len(posts))
        self._leave_out(problem.excluded[:, 0], problem.excluded[:, 1])

    def solved(self) -> _Solution:
        """Return the optimum once no pair is left that could improve it."""
        problem, n = self.problem, len(self.problem.most)
        places = _places(problem)
        used = self._put_forward(2 * places.first, np.zeros(n, dtype=np.int64))
        for _ in range(_ROUNDS):
            post, person = np.divmod(used, n)
            gain, room = problem.gain(post, person), problem.room(post, person)
            flow = _best(problem, places, post, person, gain, room)
            better = self._put_forward(flow.place_price, flow.person_price)
            if not len(better):
                return _solution(problem, places, flow, (post, person, gain, room), proven=True)
            used = _union(used, better)
        raise RuntimeError(f"prices did not settle in {_ROUNDS} rounds")

    def _put_forward(self, place: Ints, person: Ints) -> Ints:
        """Return pairs that prices find too cheap, a few a post and a person, and take them into account."""
        n = len(person)
        of_posts, of_people, much = [], [], []
        for posts, people, gain in self.parts:
            over = 2 * gain - place[posts][:, None] - person[people]
            own, others = _foremost(over, 1), _foremost(over, 0)
            others &= ~own
            key = posts[:, None] * n + people
            of_posts.append(key[own])
            of_people.append(key[others])
            much.append(over[others])
        asked, worth = np.concatenate(of_people), np.concatenate(much)
        who = asked % n
        order = np.lexsort((asked, -worth, who))
        who = who[order]
        few = np.arange(len(who)) - np.searchsorted(who, who) < _LISTED
        keys = _union(*of_posts, asked[order[few]])
        self._leave_out(*np.divmod(keys, n))
        return keys

    def _leave_out(self, post: Ints, person: Ints) -> None:
        group = self.problem.group[post]
        order = np.argsort(group, kind="stable")
        ends = np.searchsorted(group[order], np.arange(len(self.parts) + 1))
        for (_, people, gain), start, end in zip(self.parts, ends[:-1], ends[1:], strict=True):
            own = order[start:end]
            able = self.problem.allowed[group[own], person[own]]
            own = own[able]
            gain[self.row[post[own]], np.searchsorted(people, person[own])] = _NEVER


def _foremost(over: Ints, axis: int) -> Bools:
    """Return which values are positive and among the largest along an axis, equal ones included."""
    size = over.shape[axis]
    if size <= _LISTED:
        return over > 0
    least = np.partition(over, size - _LISTED, axis=axis).take([size - _LISTED], axis=axis)
    foremost: Bools = over >= np.maximum(least, 1)
    return foremost


class _Columns:
    """Column generation: pairs put forward so far, those in the network, and what is proven."""

    def __init__(self, problem: _Problem, price: Floats, named: Ints) -> None:
        self.problem = problem
        m = len(problem.wanted)
        self.length = _length(problem)
        post, person, worth, _ = problem.best(np.arange(m), price, self.length)
        self.places = _places(problem)
        self.lowest = self.places.last
        expected = _expected(problem, post, person, worth)
        self.floor = np.maximum(np.floor((expected - _TRUST) * GRID), self.lowest).astype(np.int64)
        self.step = np.full(m, round(_TRUST * GRID), dtype=np.int64)
        self.known = _union(problem.keys(post, person), named)
        self.used = self.known
        self.scanned: tuple[Ints, Ints] | None = None

    def solved(self, *, exact: bool) -> _Solution:
        """Return the optimum once no pair is left that could improve it."""
        n = len(self.problem.most)
        for turn in range(_ROUNDS):
            post, person = np.divmod(self.used, n)
            gain, room = self.problem.gain(post, person), self.problem.room(post, person)
            places = self.places.raised(self.floor - self.lowest)
            flow = _best(self.problem, places, post, person, gain, room)
            lowered = (flow.empty > 0) & (self.floor > self.lowest)
            if not exact and turn >= 2 and not lowered.any():
                return _solution(self.problem, places, flow, (post, person, gain, room), proven=False)
            proven = self._scan(flow)
            known_post, known_person = np.divmod(self.known, n)
            over = (
                2 * self.problem.gain(known_post, known_person)
                - flow.place_price[known_post]
                - flow.person_price[known_person]
            )
            better = _without(self.known[over > 0], self.used)
            if proven and not len(better) and not lowered.any():
                return _solution(self.problem, places, flow, (post, person, gain, room), proven=True)
            if turn == 0:
                self.used = self.known[over > -2 * _NEAR * GRID]
            self.used = _union(self.used, better)
            self.step = np.where(lowered, self.step * 8, self.step)
            self.floor = np.where(lowered, np.maximum(self.floor - self.step, self.lowest), self.floor)
        raise RuntimeError(f"prices did not settle in {_ROUNDS} rounds")

    def _scan(self, flow: Flow) -> bool:
        """Put forward pairs that are too cheap; return whether all that there are have been put forward.

        At the last whole scan, at prices ``ref``, no pair that is not known was worth more than ``ceiling``
        to its post. Where prices of people have since fallen by at most a drop, it is worth at most that much
        more. Only posts for which this is not enough, and people who fell further, are scanned again.

        A list that leaves open whether others beat the post's own price will be twice as long the next time:
        posts that ask for nearly the same put forward the same people until lists are long enough for all.
        """
        problem, (m, n) = self.problem, (len(self.floor), len(flow.person_price))
        posts, people = np.arange(m), np.empty(0, dtype=np.int64)
        if self.scanned is not None:
            ceiling, ref = self.scanned
            slack, fell = flow.place_price - ceiling, ref - flow.person_price
            drops = np.quantile(np.maximum(slack, 0), np.linspace(0, 1, 33), method="lower")
            work = [n * int((slack < drop).sum()) + m * int((fell > drop).sum()) for drop in drops]
            if min(work) < m * n // 2:
                drop = drops[int(np.argmin(work))]
                posts, people = np.flatnonzero(slack < drop), np.flatnonzero(fell > drop)
        price, place = flow.person_price / (2 * GRID), flow.place_price / (2 * GRID)
        post, person, _, below = problem.best(posts, price, self.length[posts])
        ceiling = np.where(np.isinf(below), -(2.0**60), np.floor(below * 2 * GRID + 1 + _ROUNDING))
        if len(posts) == m:
            self.scanned = (ceiling.astype(np.int64), flow.person_price)
        unsettled = posts[ceiling > flow.place_price[posts]]
        self.length[unsettled] = np.minimum(2 * self.length[unsettled], n)
        found = [(post, person)]
        for block, worth in problem.worth(people, np.arange(m), place):
            who, where = np.nonzero(worth > (price[block] - 1 / GRID)[:, None])
            found.append((where, block[who]))
        post, person = (np.concatenate(parts) for parts in zip(*found, strict=True))
        self.known = _union(self.known, problem.keys(post, person))
        return not len(unsettled)


@dataclass(frozen=True)
class _Places:
    """What places that stay empty count, by class of posts and the place: the last ones are left first.

    ``first`` and ``last`` are by class what the first and the last place of its posts count.
    """

    post: Ints
    gain: Ints  # grid steps, below 0
    room: Ints
    first: Ints
    last: Ints

    def raised(self, by: Ints) -> _Places:
        """Return places that count more."""
        return replace(self, gain=self.gain + by[self.post], first=self.first + by, last=self.last + by)


def _places(problem: _Problem) -> _Places:
    each = -(-problem.wanted // problem.posts)
    post = np.repeat(np.arange(len(each)), np.minimum(each, EARLY))
    place = np.arange(len(post)) - np.searchsorted(post, post) + 1
    beyond = np.where(place == EARLY, each[post] - EARLY, 0)
    cost = GRID * (EMPTY_PLACE + EARLIER * (EARLY - np.array([np.minimum(each, EARLY), np.ones_like(each)])))
    return _Places(
        post=post,
        gain=-GRID * (EMPTY_PLACE + EARLIER * (EARLY - place)),
        room=problem.posts[post] * (1 + beyond),
        first=-cost[1],
        last=-cost[0],
    )


def _best(problem: _Problem, places: _Places, post: Ints, person: Ints, gain: Ints, room: Ints) -> Flow:
    """Return the best flow over some pairs; to the solver places that stay empty are pairs with nobody."""
    nobody = len(problem.most) + np.arange(len(places.post))
    flow = best_flow(
        np.concatenate([post, places.post]),
        np.concatenate([person, nobody]),
        np.concatenate([gain, places.gain]),
        room=np.concatenate([room, places.room]),
        wanted=problem.wanted,
        most=np.concatenate([problem.most, places.room]),
        floor=places.first,
    )
    empty = flow.empty.copy()
    np.add.at(empty, places.post, flow.units[len(post) :])
    return Flow(flow.units[: len(post)], flow.place_price, flow.person_price[: len(problem.most)], empty)


def _solution(
    problem: _Problem, places: _Places, flow: Flow, pairs: tuple[Ints, Ints, Ints, Ints], *, proven: bool
) -> _Solution:
    """Return a flow and its bound; ``pairs`` are post, person, gain and room of all in the network."""
    post, person, gain, room = pairs
    over = 2 * gain - flow.place_price[post] - flow.person_price[person]
    left = np.maximum(2 * places.gain - flow.place_price[places.post], 0)
    bound = (
        (flow.place_price * problem.wanted).sum()
        + (flow.person_price * problem.most).sum()
        + (np.maximum(over, 0) * np.minimum(room, problem.wanted[post])).sum()
        + (left * places.room).sum()
    )
    taken = flow.units > 0
    worth = 2 * ((gain * flow.units).sum() + _left(places, flow.empty))
    return _Solution(post[taken], person[taken], flow.units[taken], flow.place_price, flow.person_price,
                     int(bound), int(worth), proven)  # fmt: skip


def _left(places: _Places, empty: Ints) -> int:
    """Return what empty places count: those that count most are left first."""
    order = np.lexsort((-places.gain, places.post))
    post, room = places.post[order], places.room[order]
    before = np.cumsum(room) - room
    begins = np.append(True, post[1:] != post[:-1]) if len(post) else np.empty(0, dtype=bool)
    before -= np.maximum.accumulate(np.where(begins, before, 0))
    left = np.clip(empty[post] - before, 0, room)
    return int((left * places.gain[order]).sum())


def _length(problem: _Problem) -> Ints:
    """Return how long a list has to be to fill a class of posts with room to choose."""
    each = np.minimum(problem.posts, max(int(np.median(problem.most)), 1))
    doubled = 2.0 ** np.ceil(np.log2(2 * problem.wanted / each))
    return np.minimum(np.maximum(doubled.astype(np.int64), _LISTED), len(problem.most))


def _expected(problem: _Problem, post: Ints, person: Ints, worth: Floats) -> Floats:
    """Return the worth in points of the last place that the best people of each post would fill."""
    order = np.argsort(post, kind="stable")
    post, person, worth = post[order], person[order], worth[order]
    filled = np.cumsum(np.minimum(problem.room(post, person), problem.most[person]))
    start = np.searchsorted(post, post)
    before = np.append(0, filled)[start]
    enough = np.flatnonzero(filled - before >= problem.wanted[post])
    reached, first = np.unique(post[enough], return_index=True)
    expected = np.full(len(problem.wanted), -float(EMPTY_PLACE + EARLIER * EARLY))
    expected[reached] = worth[enough[first]]
    return expected


def _drawn(capacity: Ints) -> tuple[Ints, Ints]:
    """Return a systematic sample of a fifth of a capacity: rows, and what each stands for."""
    typical = max(int(np.median(capacity)), 1)
    order = np.random.default_rng(0).permutation(len(capacity))
    passed = (np.cumsum(capacity[order]) + _SHARE * typical // 2) // (_SHARE * typical)
    hits = np.empty_like(capacity)
    hits[order] = np.diff(passed, prepend=0)
    rows = np.flatnonzero(hits)
    return rows, hits[rows] * typical


def _classes(values: Floats, marks: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the first row of each class of equal rows, the class of each row, and sizes, by first row."""
    rows = np.ascontiguousarray(np.column_stack([values.view(np.int64), marks]))
    keys = rows.view(np.dtype((np.void, rows.shape[1] * 8))).ravel()
    _, first, of, size = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    return first[order], number[of], size[order]


def _alone(rows: Ints, size: int) -> Ints:
    """Return a mark of its own for each row named, and 0 for others."""
    mark = np.zeros(size, dtype=np.int64)
    mark[rows] = rows + 1
    return mark


def _union(*keys: Ints) -> Ints:
    """Return numbers in order, each once."""
    ordered = np.sort(np.concatenate(keys))
    once: Ints = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return once


def _without(keys: Ints, others: Ints) -> Ints:
    """Return numbers that are not among others, which are in order."""
    if not len(others):
        return keys
    left: Ints = keys[others[np.searchsorted(others, keys).clip(max=len(others) - 1)] != keys]
    return left


def _within(pairs: Ints, first: Ints, second: Ints) -> Ints:
    """Return pairs of some rows, by their places among these; both are ascending."""
    kept = pairs[np.isin(pairs[:, 0], first) & np.isin(pairs[:, 1], second)]
    return np.column_stack([np.searchsorted(first, kept[:, 0]), np.searchsorted(second, kept[:, 1])])


def _dealt(solved: _Solution, post_class: Ints, person_class: Ints) -> tuple[Ints, Ints]:
    """Deal the flow between classes to their members in turn.

    A post's share of a pair of classes is at most the number of people in the class, since no pair has more
    than one place for each post and person; so nobody is dealt to one post twice.
    """
    posts, people = np.repeat(solved.post, solved.units), np.repeat(solved.person, solved.units)
    order = np.lexsort((people, posts))
    people, post = people[order], _in_turn(posts[order], post_class)
    order = np.lexsort((post, people))
    return post[order], _in_turn(people[order], person_class)


def _in_turn(ordered: Ints, member_class: Ints) -> Ints:
    members = np.argsort(member_class, kind="stable")
    size = np.bincount(member_class)
    start = np.cumsum(size) - size
    place = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    turn: Ints = members[start[ordered] + place % size[ordered]]
    return turn


def _result(
    given: _Problem, live: tuple[Ints, Ints], pairs: tuple[Ints, Ints], solved: _Solution,
    classes: tuple[Ints, Ints],
) -> Assignment:  # fmt: skip
    post, person = pairs
    m, n = len(given.wanted), len(given.most)
    score = scores(given.people[person], given.weights[post])
    order = np.lexsort((person, -score, post))
    frame = pd.DataFrame({"post": post[order], "person": person[order], "score": score[order]})
    found = np.bincount(post, minlength=m)
    short = np.flatnonzero(found < given.wanted)
    barred = given.excluded[given.allowed[given.group[given.excluded[:, 0]], given.excluded[:, 1]]]
    able = given.allowed.sum(axis=1)[given.group] - np.bincount(barred[:, 0], minlength=m)
    place_price, person_price = np.full(m, np.nan), np.full(n, np.nan)
    place_price[live[0]] = solved.place_price[classes[0]] / (2 * GRID)
    person_price[live[1]] = solved.person_price[classes[1]] / (2 * GRID)
    return Assignment(
        pairs=frame,
        short=pd.DataFrame(
            {"post": short, "wanted": given.wanted[short], "found": found[short], "able": able[short]}
        ),
        wanted=given.wanted,
        place_price=place_price,
        person_price=person_price,
        objective=float(frame["score"].sum()),
        bound=solved.bound / (2 * GRID)
        + float(empty_cost(given.wanted, found).sum())
        + 0.5 * len(frame) / GRID,
        optimal=solved.proven and solved.bound == solved.worth,
    )


def candidates(
    people: Floats,
    weights: Floats,
    seats: Ints,
    length: int,
    *,
    spare: int = 2,
    eligible: Sequence[Bools] | None = None,
    group: Ints | None = None,
    excluded: Ints | None = None,
) -> pd.DataFrame:
    """Return enough people for each post to compose committees from: ``post``, ``person``, ``score``.

    Each post's own best would name too few people for all seats. So everybody is assigned to one post, once
    for the seats and once for ``spare`` times as many; both are candidates, and with them each post's best
    ``length`` people at the prices of the latter. Other arguments are those of :func:`assign`.

    Examples
    --------
    >>> people = np.array([[90.0, 80.0], [60.0, 20.0], [10.0, 30.0]])
    >>> candidates(people, np.eye(2), np.array([1, 1]), 1, spare=1).values.tolist()
    [[0.0, 0.0, 90.0], [0.0, 1.0, 60.0], [1.0, 0.0, 80.0]]
    """
    once, seats = np.ones(len(people), dtype=np.int64), np.asarray(seats, dtype=np.int64)
    given = _checked(people, weights, seats, once, eligible, group, excluded)
    own: list[Ints] = []
    for wanted in (seats, spare * seats) if spare > 1 else (seats,):
        placed = assign(people, weights, wanted, once, eligible=eligible, group=group, excluded=excluded)
        own.append(given.keys(placed.pairs["post"].to_numpy(), placed.pairs["person"].to_numpy()))
    posts = np.flatnonzero(seats > 0)
    lengths = np.full(len(posts), min(length, len(people)))
    post, person, _, _ = given.best(posts, placed.person_price, lengths)
    keys = _union(given.keys(post, person), *own)
    post, person = np.divmod(keys, len(people))
    fit = scores(given.people[person], given.weights[post])
    return pd.DataFrame({"post": post, "person": person, "score": fit})
