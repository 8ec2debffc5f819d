"""Teams of all units at once: prices, a small exact search a unit, repair, and a bound that certifies them.

A unit's team takes people for its posts from pairs (post, person) with fit ``f_e``; a person sits once, in
one unit. With ``x_e`` whether a pair is taken, empty seats ``y_p`` of a post and members ``z_r`` that a rule
lacks,

    max Σ f_e x_e − Σ v_p y_p − Σ c_r z_r

    post p:    Σ_{e∈p} x_e + y_p = seats_p           rule r of unit u:   Σ_{e∈u, holds} x_e + z_r ≥ least_r
    person i:  Σ_{e∈i} x_e ≤ 1                       kin i, k in unit u:  Σ_{e∈u, i or k} x_e ≤ 1

Only the rows of people tie units together. With prices ``λ ≥ 0`` on them every unit is a small integer
programme of its own, and for any prices

    bound(λ) = Σ_u max (team's value − Σ λ of its members) + Σ λ

is at least what any teams can reach (Lagrangian relaxation: Geoffrion 1974, Math. Programming Study
2:82-114). Prices come from the linear relaxation of the whole, solved by an interior-point method and left in
the inside of the optimal face, where few units want the same person. Those that do are repaired from who is
free. While the gap is too wide, the unit that loses most against its own part of the bound is searched again
together with the units that hold the people it wants, everything else kept (large neighbourhood search: Shaw
1998, CP'98, LNCS 1520:417-431).

Solved by HiGHS on one thread with a fixed seed and without a limit of time (Huangfu & Hall 2018, Math.
Program. Comput. 10:119-142), so that equal arguments give equal teams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import highspy
import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import maximum_flow

__all__ = ["EMPTY_SEAT", "Rule", "TeamProblem", "Teams", "best_teams", "least_lacking"]

Bools: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

EMPTY_SEAT = 1000.0
"""Points of fit that an empty seat costs."""
_INTEGRAL = 1e-6
_TOGETHER = 9
"""Units that are searched together with one, at each step."""
_STEPS = 4
"""Steps that a search reaches at most."""
_SEARCHES = 200
_NODES = 500
_NEAR = 0.1
"""Points by which a search of several units may miss its best."""


@dataclass(frozen=True)
class Rule:
    """So many members of a unit's team that something holds for.

    Parameters
    ----------
    holds
        Whom it holds for, shape (n,).
    least
        Members needed in each unit, shape (u,); 0 where the rule does not apply.
    cost
        Points that each member lacking costs.
    counts
        Posts whose members count, shape (p,); all when omitted.
    """

    holds: Bools
    least: Ints
    cost: float
    counts: Bools | None = None

    def pairs(self, post: Ints, person: Ints) -> Bools:
        """Return which pairs of a post and a person help to keep it."""
        holds: Bools = self.holds[person]
        return holds if self.counts is None else holds & self.counts[post]


@dataclass(frozen=True)
class TeamProblem:
    """Pairs, seats and rules.

    Parameters
    ----------
    post, person, fit
        Pairs, shape (e,): row of the post, row of the person, fit in points; ordered by unit of the post.
    seats, unit
        Seats and unit of each post, shape (p,).
    people, units
        How many there are.
    rules
        Rules on teams.
    kin
        Pairs of people who may not sit in one team, shape (k, 2).
    empty
        Points that an empty seat of each post costs, shape (p,); :data:`EMPTY_SEAT` each when omitted.
    """

    post: Ints
    person: Ints
    fit: Floats
    seats: Ints
    unit: Ints
    people: int
    units: int
    rules: tuple[Rule, ...] = ()
    kin: Ints | None = None
    empty: Floats | None = None

    @property
    def empty_seat(self) -> Floats:
        """Points that an empty seat of each post costs, shape (p,)."""
        return np.full(len(self.seats), EMPTY_SEAT) if self.empty is None else self.empty


@dataclass(frozen=True)
class Teams:
    """Teams found and how good they are for certain.

    Parameters
    ----------
    taken
        Whether each pair is taken, shape (e,).
    value, bound
        Value of the teams, empty seats and lacking members counted, and the most that any could have.
    price
        Price of each person, points, shape (n,): what other units would pay.
    lacking
        Members that each rule lacks in each unit, shape (u, r).
    cost
        Points of fit that each rule costs each unit, and last what kin avoidance costs, shape (u, r + 1): how
        much better its best team, of its own members and of people who sit nowhere, would fit without it.
    """

    taken: Bools
    value: float
    bound: float
    price: Floats
    lacking: Ints
    cost: Floats


class _Unit:
    """One unit's integer programme; its costs and limits change, its rows stay."""

    def __init__(self, problem: TeamProblem, unit: int, pairs: Ints, posts: Ints) -> None:
        self.pairs, self.person = pairs, problem.person[pairs]
        self.fit, empty = problem.fit[pairs], problem.empty_seat
        self.value = self.fit + empty[problem.post[pairs]]
        self.constant = -float((empty[posts] * problem.seats[posts]).sum())
        e, rules = len(pairs), [rule for rule in problem.rules if rule.least[unit] > 0]
        self.rules = [number for number, rule in enumerate(problem.rules) if rule.least[unit] > 0]
        rows = [(problem.post[pairs] == post, -np.inf, float(problem.seats[post])) for post in posts]
        members, counts = np.unique(self.person, return_counts=True)
        rows += [(self.person == i, -np.inf, 1.0) for i in members[counts > 1]]
        self.first_kin = len(rows)
        if problem.kin is not None:
            both = problem.kin[np.isin(problem.kin, members).all(axis=1)]
            rows += [((self.person == i) | (self.person == k), -np.inf, 1.0) for i, k in both]
        self.first_rule = len(rows)
        rows += [
            (rule.pairs(problem.post[pairs], self.person), float(rule.least[unit]), np.inf) for rule in rules
        ]
        matrix = np.zeros((len(rows), e + len(rules)))
        for number, (mask, _, _) in enumerate(rows):
            matrix[number, :e] = mask
        matrix[self.first_rule :, e:] = np.eye(len(rules))
        self.matrix = sparse.csc_array(matrix)
        self.lower = np.array([low for _, low, _ in rows])
        self.upper = np.array([high for _, _, high in rows])
        self.lack_cost = np.array([rule.cost for rule in rules])
        self.most = np.concatenate([np.ones(e), [float(rule.least[unit]) for rule in rules]])

    @property
    def worth(self) -> Floats:
        """Gain of each column at no prices."""
        return np.concatenate([self.value, -self.lack_cost])

    @cached_property
    def solver(self) -> highspy.Highs:
        """The programme, loaded once."""
        return _loaded(-self.worth, self.most, self.matrix, self.lower, self.upper, integral=True)

    def lacking(self, taken: Bools) -> Floats:
        """Return how many members each rule of the unit lacks."""
        holds = self.matrix[self.first_rule :, : len(taken)] @ taken.astype(np.float64)
        lacking: Floats = np.maximum(self.lower[self.first_rule :] - holds, 0.0)
        return lacking

    def team_value(self, taken: Bools) -> float:
        """Return the value of a team before prices."""
        return float(self.value @ taken - self.lack_cost @ self.lacking(taken)) + self.constant

    def best(self, price: Floats, free: Bools | None = None) -> tuple[Bools, float]:
        """Return the pairs of the best team at prices, and the most that any is worth after them."""
        if not len(self.worth):
            return np.zeros(0, dtype=bool), self.constant
        e, solver = len(self.pairs), self.solver
        columns = np.arange(e, dtype=np.int32)
        solver.changeColsCost(e, columns, price[self.person] - self.value)
        limit = np.ones(e) if free is None else free[self.person].astype(np.float64)
        solver.changeColsBounds(e, columns, np.zeros(e), limit)
        _run(solver)
        taken: Bools = np.array(solver.getSolution().col_value[:e]) > 0.5
        return taken, self.constant - solver.getInfo().mip_dual_bound

    def costs(self, taken: Bools, free: Bools, rules: int) -> Floats:
        """Return the fit that each rule, and last kin avoidance, costs a team while others stay put."""
        cost, kin = np.zeros(rules + 1), range(self.first_kin, self.first_rule)
        unruled = self._without(range(self.first_kin, len(self.lower)), free)
        if self.value @ unruled <= self.value @ taken + _INTEGRAL:
            return cost
        fit = float(self.fit @ taken)
        for place, rule in enumerate(self.rules):
            cost[rule] = self.fit @ self._without([self.first_rule + place], free) - fit
        cost[rules] = self.fit @ self._without(kin, free) - fit if kin else 0.0
        return np.where(cost > _INTEGRAL, cost, 0.0)

    def _without(self, rows: Sequence[int], free: Bools) -> Bools:
        """Return the pairs of the best team of people who are free if some rows did not hold."""
        for row in rows:
            self.solver.changeRowBounds(row, -np.inf, np.inf)
        taken, _ = self.best(np.zeros(len(free)), free)
        for row in rows:
            self.solver.changeRowBounds(row, self.lower[row], self.upper[row])
        return taken


class _Quiet(highspy.Highs):
    """HiGHS without its banner, which it would print before it can be told not to."""

    def enableCallbacks(self) -> None:  # noqa: N802
        """Fall silent first."""
        self.silent()
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def _loaded(
    cost: Floats, most: Floats, matrix: sparse.csc_array, lower: Floats, upper: Floats, *, integral: bool
) -> highspy.Highs:
    solver = _Quiet()  # type: ignore[no-untyped-call]
    for option, value in {"threads": 1, "random_seed": 0, "mip_rel_gap": 0.0, "mip_abs_gap": 0.0}.items():
        solver.setOptionValue(option, value)
    model = highspy.HighsLp()
    model.num_row_, model.num_col_ = matrix.shape
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, np.zeros(len(cost)), most
    model.row_lower_, model.row_upper_ = lower, upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = matrix.indptr
    model.a_matrix_.index_ = matrix.indices
    model.a_matrix_.value_ = matrix.data
    if integral:
        model.integrality_ = [highspy.HighsVarType.kInteger] * len(cost)
    else:
        solver.setOptionValue("solver", "ipm")
        solver.setOptionValue("run_crossover", "off")
    solver.passModel(model)
    return solver


def _run(solver: highspy.Highs, *, may_stop: bool = False) -> None:
    solver.run()
    status, ends = solver.getModelStatus(), highspy.HighsModelStatus
    if status != ends.kOptimal and not (may_stop and status == ends.kSolutionLimit):
        raise RuntimeError(f"HiGHS ended with {status}")


class _Search:
    """All units' programmes, and who sits where."""

    def __init__(self, problem: TeamProblem) -> None:
        self.people = problem.people
        unit = problem.unit[problem.post]
        self.units = [
            _Unit(problem, u, np.flatnonzero(unit == u), np.flatnonzero(problem.unit == u))
            for u in range(problem.units)
        ]

    def loaded(
        self, group: Sequence[int], free: Bools | None, *, integral: bool
    ) -> tuple[highspy.Highs, Ints]:
        """Return the programme of some units and the people whose rows stand last in it."""
        units = [self.units[u] for u in group]
        columns = np.concatenate([np.append(u.person, np.full(len(u.rules), -1)) for u in units])
        both = np.concatenate([np.unique(u.person) for u in units])
        shared = np.flatnonzero(np.bincount(both, minlength=self.people) > 1)
        there = np.flatnonzero(np.isin(columns, shared))
        rows = np.searchsorted(shared, columns[there])
        once = sparse.csc_array((np.ones(len(there)), (rows, there)), shape=(len(shared), len(columns)))
        blocks = sparse.block_diag([u.matrix for u in units], format="csc")
        most = np.concatenate([u.most for u in units])
        if free is not None:
            most[(columns >= 0) & ~free[columns]] = 0.0
        solver = _loaded(
            -np.concatenate([u.worth for u in units]),
            most,
            sparse.csc_array(sparse.vstack([blocks, once])),
            np.concatenate([*(u.lower for u in units), np.full(len(shared), -np.inf)]),
            np.concatenate([*(u.upper for u in units), np.ones(len(shared))]),
            integral=integral,
        )
        return solver, shared

    def prices(self) -> Floats:
        """Return prices of people from the linear relaxation of the whole."""
        price = np.zeros(self.people)
        if not any(len(unit.pairs) for unit in self.units):
            return price
        solver, shared = self.loaded(range(len(self.units)), None, integral=False)
        _run(solver)
        dual = np.array(solver.getSolution().row_dual)
        price[shared] = np.maximum(-dual[len(dual) - len(shared) :], 0.0)
        return price

    def sits(self, teams: Sequence[Bools]) -> Ints:
        """Return how often each person sits."""
        total: Ints = np.asarray(self._members(teams).sum(axis=0), dtype=np.int64)
        return total

    def values(self, teams: Sequence[Bools]) -> Floats:
        """Return the value of each team."""
        return np.array([unit.team_value(taken) for unit, taken in zip(self.units, teams, strict=True)])

    def repaired(self, teams: Sequence[Bools], price: Floats) -> list[Bools]:
        """Return teams that share nobody: torn ones are chosen again from who is free, twice."""
        mended, sits = list(teams), self.sits(teams)
        torn = [u for u, taken in enumerate(mended) if (sits[self.units[u].person[taken]] > 1).any()]
        for u in torn:  # whoever sits in a torn team and elsewhere tears that one too
            sits[self.units[u].person[mended[u]]] = 0
            mended[u] = np.zeros_like(mended[u])
        for prices in (price, np.zeros_like(price)):
            for u in torn:
                person = self.units[u].person
                sits[person[mended[u]]] = 0
                mended[u] = self.units[u].best(prices, sits == 0)[0]
                sits[person[mended[u]]] = 1
        return mended

    def improved(
        self, teams: list[Bools], price: Floats, most: Floats, goal: float, searches: int
    ) -> list[Bools]:
        """Search again units that lose most against the bound, together with those that hold their people.

        What is lost of the bound is what teams are worth less than the best at the prices, and the prices of
        people who are wanted and sit nowhere. Where a search does not help, the next one from the same unit
        reaches a step further: to those that hold the people of these.
        """
        teams, tries = list(teams), np.zeros(len(teams), dtype=np.int64)
        wants = self._members([np.ones(len(unit.pairs), dtype=bool) for unit in self.units])
        wants.data[:] = 1
        seated, values = self._members(teams), self.values(teams)
        for _ in range(searches):
            idle = seated.sum(axis=0) == 0
            loss = most - values + seated @ price + wants @ (price * idle)
            loss[tries == _STEPS] = -np.inf
            seed = int(np.argmax(loss))
            if values.sum() >= goal or loss[seed] <= _INTEGRAL:
                break
            group = [seed]
            for _ in range(tries[seed] + 1):
                holds = (seated @ (wants[group].sum(axis=0) > 0)) * (1 + wants @ idle)
                holds[group] = -1
                group += np.argsort(-holds, kind="stable")[:_TOGETHER].tolist()
            group = sorted(set(group))
            found = self._together(group, idle | (seated[group].sum(axis=0) > 0))
            now = np.array([self.units[u].team_value(t) for u, t in zip(group, found, strict=True)])
            tries[seed] += 1
            if now.sum() > values[group].sum() + _INTEGRAL:
                tries[:] = 0
                values[group] = now
                for u, taken in zip(group, found, strict=True):
                    teams[u] = taken
                seated = self._members(teams)
        return teams

    def _members(self, teams: Sequence[Bools]) -> sparse.csr_array:
        """Return how often each person is taken by each unit, (u, n)."""
        members = [unit.person[taken] for unit, taken in zip(self.units, teams, strict=True)]
        start = np.cumsum([0, *map(len, members)])
        ones = np.ones(start[-1], dtype=np.int64)
        table = sparse.csr_array((ones, np.concatenate(members), start), shape=(len(teams), self.people))
        table.sum_duplicates()
        return table

    def _together(self, group: Sequence[int], free: Bools) -> list[Bools]:
        solver, _ = self.loaded(group, free, integral=True)
        solver.setOptionValue("mip_max_nodes", _NODES)
        solver.setOptionValue("mip_abs_gap", _NEAR)
        _run(solver, may_stop=True)
        values, found = np.array(solver.getSolution().col_value), []
        for u in group:
            unit = self.units[u]
            found.append(values[: len(unit.pairs)] > 0.5)
            values = values[len(unit.worth) :]
        return found


def least_lacking(problem: TeamProblem, rule: Rule | None = None) -> int:
    """Return how many members a rule lacks in all units together, or seats without, whoever is chosen.

    The rule alone is looked at: each person helps one unit, or fills one seat, and the largest flow from
    people to what is needed leaves the rest lacking. Other rules, kin and, for a rule, the number of seats
    are left aside, so that no teams lack fewer.

    Examples
    --------
    >>> two = TeamProblem(post=np.array([0, 1]), person=np.array([0, 0]), fit=np.array([60.0, 50.0]),
    ...                   seats=np.array([1, 2]), unit=np.array([0, 1]), people=1, units=2)
    >>> least_lacking(two), least_lacking(two, Rule(np.array([True]), np.array([1, 1]), 10.0))
    (2, 1)
    """
    if rule is None:
        needed, goal, person = problem.seats, problem.post, problem.person
    else:
        helps = rule.pairs(problem.post, problem.person)
        needed, goal, person = rule.least, problem.unit[problem.post[helps]], problem.person[helps]
    if not len(goal):
        return int(needed.sum())
    pairs = np.unique(np.column_stack([person, goal]), axis=0)
    first, last = problem.people, problem.people + len(needed)
    source, sink = last, last + 1
    start = np.concatenate([np.full(problem.people, source), pairs[:, 0], np.arange(first, last)])
    end = np.concatenate([np.arange(problem.people), first + pairs[:, 1], np.full(len(needed), sink)])
    room = np.concatenate([np.ones(problem.people + len(pairs), dtype=np.int64), needed])
    network = sparse.csr_array((room.astype(np.int32), (start, end)), shape=(sink + 1, sink + 1))
    return int(needed.sum() - maximum_flow(network, source, sink).flow_value)


def best_teams(problem: TeamProblem, *, gap: float = 0.005, searches: int | None = None) -> Teams:
    """Return teams that share nobody, and what they may lack at most.

    Parameters
    ----------
    problem
        Pairs, seats and rules.
    gap
        Share of the total fit within which no better teams are looked for.
    searches
        Searches at most that take several units at once; one for every four units and at least 200 when
        omitted. The gap may then stay wider; it is told.
    """
    if not problem.units:
        nobody = np.zeros(0, dtype=bool)
        none = np.zeros((0, len(problem.rules)), dtype=np.int64)
        free = np.zeros(problem.people)
        return Teams(nobody, 0.0, 0.0, free, none, np.zeros((0, len(problem.rules) + 1)))
    search = _Search(problem)
    price = search.prices()
    found = [unit.best(price) for unit in search.units]
    most = np.array([own for _, own in found])
    bound = float(most.sum() + price.sum())
    teams = search.repaired([taken for taken, _ in found], price)
    whole = sum(float(u.fit @ t) for u, t in zip(search.units, teams, strict=True))
    searches = max(_SEARCHES, problem.units // 4) if searches is None else searches
    teams = search.improved(teams, price, most, bound - gap * whole, searches)
    taken = np.zeros(len(problem.person), dtype=bool)
    rules = len(problem.rules)
    lacking = np.zeros((problem.units, rules), dtype=np.int64)
    cost = np.zeros((problem.units, rules + 1))
    nowhere = search.sits(teams) == 0
    for number, (unit, own) in enumerate(zip(search.units, teams, strict=True)):
        taken[unit.pairs[own]] = True
        lacking[number, unit.rules] = unit.lacking(own)
        free = nowhere.copy()
        free[unit.person[own]] = True
        cost[number] = unit.costs(own, free, rules)
    value = float(search.values(teams).sum())
    return Teams(taken, value, max(bound, value), price, lacking, cost)
