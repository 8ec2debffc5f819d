"""City-wide lists and committees: time, value and proof, beside SciPy, CP-SAT, HiGHS and greedy.

``python -m benchmarks.bench_matching`` assigns 100,000 people to lists of 20,000 posts and composes 500
committees of five posts; it prints a table in Markdown and a line of JSON, and exits with 1 if a limit of the
plan is missed. ``--quick`` takes a small town and checks results, not times. ``--peer-seconds`` is what
solvers that know no end get. ``benchmarks/results.md`` keeps the table of a reference run.

People differ in three factors and noise, posts are of a few kinds tilted by needs: uniform random scores are
about ten times easier. Value is what is reached as a share of the best bound known; an empty place or seat
takes 1000 points from it and a committee without a woman 10,000, so it can be negative.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before the libraries read it
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import scipy
from ortools.sat.python import cp_model
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linear_sum_assignment, milp
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from benchmarks.measuring import SORT, Case, Found, Limit, in_turns, sort_a_million, timed
from huanjie_lib.talent.assignment import GRID, Assignment, assign, candidates
from huanjie_lib.talent.flow import best_flow
from huanjie_lib.talent.teams import EMPTY_SEAT, Rule, TeamProblem, Teams, best_teams
from huanjie_lib.talent.top_k import scores, top_k

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SEED = 20261031
LISTED, WANTED, MOST = 20, 2, 3
FULL = {"people": 100_000, "posts": 20_000, "peer": 5, "towns": 600, "units": 500, "county": 10_000}
QUICK = {"people": 1200, "posts": 300, "peer": 1, "towns": 12, "units": 12, "county": 250}
FLOW_LIMIT, LEAST_SHARE = 3.0, 0.99999
EMPTY_PLACE = 1000.0
"""Points that peers and the flow over given pairs lose by an empty place."""
TOWN_PEOPLE, TOWN_POSTS, ANYWHERE = 25, 24, 0.04
SEATS = (1, 1, 1, 2, 2)


@dataclass(frozen=True)
class Measurement:
    """One contender: processor and wall seconds, value as a share of the bound, and limits."""

    what: str
    size: str
    seconds: float
    wall_seconds: float
    value: float | None
    note: str = ""
    limit: float | None = None
    least_value: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the limits of time and value are kept."""
        in_time = self.limit is None or self.seconds <= self.limit
        return in_time and (self.least_value is None or (self.value or 0.0) >= self.least_value)

    def row(self, *, judged: bool) -> str:
        """Return a row of a Markdown table."""
        limits = [] if self.limit is None else [f"≤ {self.limit:g} s"]
        limits += [] if self.least_value is None else [f"≥ {self.least_value:.3%}"]
        verdict = "" if not judged or not limits else "kept" if self.kept else "**missed**"
        value = "" if self.value is None else f"{self.value:.3%}"
        cells = [self.what, self.size, f"{self.seconds:.2f}", f"{self.wall_seconds:.2f}", value, self.note]
        return f"| {' | '.join([*cells, ', '.join(limits), verdict])} |"


HEADER = ("| what | size | CPU s | wall s | value | | limit | |", "|---|---|--:|--:|--:|---|---|---|")


def town(people: int, posts: int, *, seed: int = SEED) -> tuple[Floats, Floats]:
    """Return ratings of people (n, 12) and weights of posts (m, 12)."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(3, 12)) * np.array([[1.0], [0.7], [0.5]])
    loadings[0] = np.abs(loadings[0])
    raw = rng.normal(size=(people, 3)) @ loadings + rng.normal(scale=0.5, size=(people, 12))
    profiles = rng.dirichlet(np.ones(12), size=6)[rng.integers(0, 6, posts)]
    needs = 1 + 2 * rng.beta(1, 4, size=(posts, 12)) * (rng.random((posts, 12)) < 0.4)
    weights = profiles * needs
    return np.clip(50 + 12 * raw / raw.std(axis=0), 0, 100), weights / weights.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Edges:
    """Candidate pairs of an assignment problem, fit on its grid."""

    post: Ints
    person: Ints
    gain: Ints
    posts: int
    people: int

    def value(self, taken: npt.NDArray[np.bool_]) -> float:
        """Return the fit of pairs less what empty places cost, and refuse pairs that break a limit."""
        post, person = self.post[taken], self.person[taken]
        assert np.bincount(post, minlength=self.posts).max() <= WANTED
        assert np.bincount(person, minlength=self.people).max() <= MOST
        return float(self.gain[taken].sum()) / GRID - EMPTY_PLACE * (WANTED * self.posts - len(post))


def lists(people: Floats, weights: Floats) -> Assignment:
    """Return the whole way: lists of all posts, optimal over all pairs."""
    return assign(people, weights, np.full(len(weights), WANTED), np.full(len(people), MOST))


def edges(people: Floats, weights: Floats, found: Assignment) -> Edges:
    """Return each post's twenty best people at the prices of an optimum."""
    priced = np.column_stack([people, -np.nan_to_num(found.person_price)])
    best = top_k(priced, np.column_stack([weights, np.ones(len(weights))]), LISTED)
    post, person = np.repeat(np.arange(len(weights)), LISTED), best.rows.ravel()
    gain = np.rint(scores(people[person], weights[post]) * GRID).astype(np.int64)
    return Edges(post, person, gain, len(weights), len(people))


def flow(e: Edges) -> npt.NDArray[np.bool_]:
    """Return the optimum over the pairs, with prices that prove it."""
    floor = np.full(e.posts, -round(EMPTY_PLACE * GRID))
    ones, wanted, most = np.ones_like(e.post), np.full(e.posts, WANTED), np.full(e.people, MOST)
    found = best_flow(e.post, e.person, e.gain, room=ones, wanted=wanted, most=most, floor=floor)
    return found.units > 0


def greedy(e: Edges) -> npt.NDArray[np.bool_]:
    """Return pairs taken from the best down while limits allow."""
    places, left = np.full(e.posts, WANTED), np.full(e.people, MOST)
    taken = np.zeros(len(e.post), dtype=bool)
    for k in np.argsort(-e.gain, kind="stable"):
        if places[e.post[k]] and left[e.person[k]]:
            taken[k] = True
            places[e.post[k]] -= 1
            left[e.person[k]] -= 1
    return taken


def scipy_matching(e: Edges) -> tuple[float, int]:
    """Return value and repeated pairs of SciPy's matching, every place and every list being a node."""
    place = (e.post[:, None] * WANTED + np.arange(WANTED))[:, :, None]
    seat = (e.person[:, None] * MOST + np.arange(MOST))[:, None, :]
    rows, columns = (a.ravel() for a in np.broadcast_arrays(place, seat))
    cost = np.repeat(round(EMPTY_PLACE * GRID) - e.gain, WANTED * MOST)  # never 0, which would drop the pair
    graph = sparse.csr_array((cost, (rows, columns)), shape=(e.posts * WANTED, e.people * MOST))
    row, column = min_weight_full_bipartite_matching(graph)
    pairs = row // WANTED * e.people + column // MOST
    gain = dict(zip((e.post * e.people + e.person).tolist(), e.gain.tolist(), strict=True))
    value = sum(gain[pair] for pair in pairs.tolist()) / GRID
    return value, len(pairs) - len(np.unique(pairs))


def cp_sat(model: cp_model.CpModel, taken: list[cp_model.IntVar], seconds: float) -> npt.NDArray[np.bool_]:
    """Return what CP-SAT finds in so many seconds on one thread; nothing if that is what it finds."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_time_in_seconds = seconds
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return np.zeros(len(taken), dtype=bool)
    return np.array([solver.boolean_value(one) for one in taken], dtype=bool)


def cp_sat_lists(e: Edges, seconds: float) -> npt.NDArray[np.bool_]:
    """Return CP-SAT's lists over the pairs."""
    model = cp_model.CpModel()
    taken = [model.new_bool_var("") for _ in e.post]
    for side, limit in ((e.post, WANTED), (e.person, MOST)):
        for rows in by_value(side):
            model.add(sum(taken[k] for k in rows) <= limit)
    gain = e.gain + round(EMPTY_PLACE * GRID)
    model.maximize(sum(int(g) * one for g, one in zip(gain, taken, strict=True)))
    return cp_sat(model, taken, seconds)


def by_value(values: Ints) -> list[Ints]:
    """Return the rows of each value."""
    order = np.argsort(values, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(values[order])) + 1)


def county(units: int, people: int, *, seed: int = SEED) -> TeamProblem:
    """Return committees of five posts, seven seats each, twenty candidates a post, with the pack's rules."""
    ratings, weights = town(people, 5 * units, seed=seed)
    seats = np.tile(SEATS, units)
    named = candidates(ratings, weights, seats, LISTED)
    rng = np.random.default_rng(seed)
    women, young, educated = (rng.random(people) < share for share in (0.28, 0.25, 0.4))
    kin = np.sort(rng.integers(0, people, (people, 2)), axis=1)
    one = np.ones(units, dtype=np.int64)
    return TeamProblem(
        post=named["post"].to_numpy(),
        person=named["person"].to_numpy(),
        fit=named["score"].to_numpy(),
        seats=seats,
        unit=np.repeat(np.arange(units), 5),
        people=people,
        units=units,
        rules=(Rule(women, one, 10_000.0), Rule(young, one, 5.0), Rule(educated, 2 * one, 3.0)),
        kin=kin[kin[:, 0] < kin[:, 1]],
    )


@dataclass(frozen=True)
class Model:
    """The whole county as rows over pairs and then over members lacking, one a rule and unit."""

    matrix: sparse.csr_array
    lower: Floats
    upper: Floats
    worth: Floats
    most: Floats

    @classmethod
    def of(cls, p: TeamProblem) -> Model:
        """Write down every row."""
        unit, e = p.unit[p.post], len(p.person)
        rows = [(k, p.seats[p.post[k[0]]]) for k in by_value(p.post)]
        rows += [(k, 1) for k in by_value(p.person)]
        kin = np.empty((0, 2), dtype=np.int64) if p.kin is None else p.kin
        of_person = dict(zip(np.unique(p.person).tolist(), by_value(p.person), strict=True))
        for i, k in kin:
            if i in of_person and k in of_person:
                both = np.concatenate([of_person[i], of_person[k]])
                rows += [
                    (both[unit[both] == u], 1) for u in np.intersect1d(unit[of_person[i]], unit[of_person[k]])
                ]
        least = [(rule, u) for rule in p.rules for u in range(p.units)]
        held = [np.flatnonzero((unit == u) & rule.holds[p.person]) for rule, u in least]
        blocks = [(k, np.ones(len(k))) for k, _ in rows]
        blocks += [(np.append(k, e + n), np.ones(len(k) + 1)) for n, k in enumerate(held)]
        start = np.cumsum([0, *(len(k) for k, _ in blocks)])
        index, data = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        needed = np.array([rule.least[u] for rule, u in least], dtype=np.float64)
        return cls(
            matrix=sparse.csr_array((data, index, start), shape=(len(blocks), e + len(held))),
            lower=np.append(np.full(len(rows), -np.inf), needed),
            upper=np.append([float(limit) for _, limit in rows], np.full(len(held), np.inf)),
            worth=np.append(p.fit + EMPTY_SEAT, [-rule.cost for rule, _ in least]),
            most=np.append(np.ones(e), needed),
        )


def value_of(p: TeamProblem, taken: npt.NDArray[np.bool_]) -> float:
    """Return the value of teams, counted from the pairs alone, and refuse teams that break a limit."""
    unit, who = p.unit[p.post], p.person[taken]
    filled = np.bincount(p.post[taken], minlength=len(p.seats))
    sits = dict(zip(who.tolist(), unit[taken].tolist(), strict=True))
    assert len(sits) == len(who)
    assert (filled <= p.seats).all()
    kin = [] if p.kin is None else p.kin.tolist()
    assert not [pair for pair in kin if sits.get(pair[0], -1) == sits.get(pair[1], -2)]
    value = float(p.fit[taken].sum()) - EMPTY_SEAT * float((p.seats - filled).sum())
    for rule in p.rules:
        held = np.bincount(unit[taken & rule.holds[p.person]], minlength=p.units)
        value -= rule.cost * float(np.maximum(rule.least - held, 0).sum())
    return value


def lacking(p: TeamProblem, taken: npt.NDArray[np.bool_]) -> str:
    """Return how many seats stay empty and how many committees are without a woman."""
    women = taken & p.rules[0].holds[p.person]
    without = p.units - len(np.unique(p.unit[p.post[women]]))
    return f"{int(p.seats.sum() - taken.sum())} seats empty, {without} without a woman"


def greedy_teams(p: TeamProblem) -> npt.NDArray[np.bool_]:
    """Return teams filled from the best pair down; a pair that would break a limit is passed over."""
    places, taken = p.seats.copy(), np.zeros(len(p.person), dtype=bool)
    sits: dict[int, int] = {}
    apart: dict[int, list[int]] = {}
    for i, k in [] if p.kin is None else p.kin.tolist():
        apart.setdefault(i, []).append(k)
        apart.setdefault(k, []).append(i)
    for k in np.argsort(-p.fit, kind="stable").tolist():
        who, unit = int(p.person[k]), int(p.unit[p.post[k]])
        if places[p.post[k]] and who not in sits and all(sits.get(a) != unit for a in apart.get(who, ())):
            taken[k] = True
            sits[who] = unit
            places[p.post[k]] -= 1
    return taken


def highs_whole(p: TeamProblem, model: Model, seconds: float) -> npt.NDArray[np.bool_]:
    """Return what HiGHS finds for the whole county at once in so many seconds."""
    found = milp(
        -model.worth,
        integrality=np.ones(len(model.worth)),
        bounds=Bounds(0, model.most),
        constraints=LinearConstraint(model.matrix, model.lower, model.upper),
        options={"time_limit": seconds},
    )
    e = len(p.person)
    return np.zeros(e, dtype=bool) if found.x is None else found.x[:e] > 0.5


def cp_sat_whole(p: TeamProblem, model: Model, seconds: float) -> npt.NDArray[np.bool_]:
    """Return what CP-SAT finds for the whole county at once in so many seconds."""
    cp, m = cp_model.CpModel(), model.matrix
    columns = [cp.new_int_var(0, int(most), "") for most in model.most]
    for row, (low, high) in enumerate(zip(model.lower, model.upper, strict=True)):
        total = sum(columns[k] for k in m.indices[m.indptr[row] : m.indptr[row + 1]])
        cp.add(total >= int(low)) if np.isfinite(low) else cp.add(total <= int(high))
    worth = np.rint(model.worth * GRID).astype(np.int64).tolist()
    cp.maximize(sum(w * one for w, one in zip(worth, columns, strict=True)))
    return cp_sat(cp, columns[: len(p.person)], seconds)


def check(people: Floats, weights: Floats, found: Assignment) -> None:
    """Refuse lists that are fast and not optimal: SciPy on the dense matrix, one list a person."""
    assert found.optimal
    few = people[:400], weights[:120]
    once = assign(*few, np.full(120, WANTED), np.ones(400, dtype=np.int64))
    gain = np.repeat(np.rint(scores(few[0][None], few[1][:, None]) * GRID), WANTED, axis=0)
    rows, columns = linear_sum_assignment(-gain)
    reached = np.rint(once.pairs["score"].to_numpy() * GRID).sum()
    assert (len(once.pairs), reached) == (len(rows), gain[rows, columns].sum())


def check_teams(p: TeamProblem, found: Teams) -> None:
    """Refuse teams whose value or bound is not what it is said to be."""
    np.testing.assert_allclose(value_of(p, found.taken), found.value, rtol=1e-9)
    assert found.value <= found.bound + 1e-6


def measure_lists(people: int, posts: int, peer: int, peer_seconds: float) -> list[Measurement]:
    """Measure assignment at full size, and beside its peers at a part of it."""
    ratings, weights = town(people, posts)
    whole, cpu, wall = timed(lambda: lists(ratings, weights))
    check(ratings, weights, whole)
    given = edges(ratings, weights, whole)
    taken, flow_cpu, flow_wall = timed(lambda: flow(given))
    size, bound = f"{people:,} × {posts:,}", whole.bound - EMPTY_PLACE * (WANTED * posts - len(whole.pairs))
    rows = [
        Measurement("lists over top-20 pairs, proven optimal", size, flow_cpu, flow_wall,
                    given.value(taken) / bound, "min-cost flow and its prices", FLOW_LIMIT),
        Measurement("lists over all pairs, proven optimal", size, cpu, wall, whole.objective / bound,
                    "prices, column generation", None, LEAST_SHARE),
    ]  # fmt: skip
    if peer > 1:
        ratings, weights = town(people // peer, posts // peer)
        whole = lists(ratings, weights)
        given = edges(ratings, weights, whole)
        bound = whole.bound - EMPTY_PLACE * (WANTED * len(weights) - len(whole.pairs))
        size = f"{len(ratings):,} × {len(weights):,}"
    ours: list[tuple[str, Callable[[], npt.NDArray[np.bool_]], str]] = [
        ("the same pairs: min-cost flow", lambda: flow(given), ""),
        ("the same pairs: greedy", lambda: greedy(given), ""),
        ("the same pairs: CP-SAT", lambda: cp_sat_lists(given, peer_seconds), f"{peer_seconds:g} s"),
    ]
    for what, call, note in ours:
        taken, cpu, wall = timed(call)
        empty = WANTED * len(weights) - int(taken.sum())
        told = ", ".join(filter(None, [note, f"{empty:,} places empty"]))
        rows.append(Measurement(what, size, cpu, wall, given.value(taken) / bound, told))
    (value, repeats), cpu, wall = timed(lambda: scipy_matching(given))
    told = f"{repeats:,} people twice on a list"
    return [*rows, Measurement("the same pairs: SciPy's matching", size, cpu, wall, value / bound, told)]


def measure_towns(towns: int) -> Measurement:
    """Measure lists of posts open to a town's own people and a few who may go anywhere; people are scarce."""
    here, posts = TOWN_PEOPLE * towns, TOWN_POSTS * towns
    anywhere = round(ANYWHERE * here)
    ratings, weights = town(here + anywhere, posts)
    home = np.concatenate([np.arange(here) // TOWN_PEOPLE, np.full(anywhere, -1)])
    masks = [(home == one) | (home < 0) for one in range(towns)]
    wanted, once = np.full(posts, WANTED), np.ones(len(home), dtype=np.int64)
    group = np.arange(posts) // TOWN_POSTS
    found, cpu, wall = timed(lambda: assign(ratings, weights, wanted, once, eligible=masks, group=group))
    assert found.optimal
    empty = WANTED * posts - len(found.pairs)
    assert empty == WANTED * posts - len(home)  # there are places for everybody
    return Measurement(
        "lists of towns short of people, proven optimal",
        f"{len(home):,} × {posts:,}, {towns} towns", cpu, wall,
        found.objective / found.bound, f"all pairs held, {empty:,} places empty",
        None, LEAST_SHARE,
    )  # fmt: skip


def measure_teams(units: int, people: int, peer_seconds: float) -> list[Measurement]:
    """Measure committees beside the same model solved at once, and greedy."""
    problem = county(units, people)
    found, cpu, wall = timed(lambda: best_teams(problem))
    check_teams(problem, found)
    narrow, narrow_cpu, narrow_wall = timed(lambda: best_teams(problem, gap=0.0, searches=200))
    check_teams(problem, narrow)
    bound = min(found.bound, narrow.bound)
    size = f"{units} × 5 posts, {len(problem.person):,} pairs"
    rows = [
        Measurement("committees: prices, unit by unit, repair", size, cpu, wall, found.value / bound,
                    f"gap asked for: 0.5 %; {lacking(problem, found.taken)}", 120.0, 0.995),
        Measurement("the same, 200 searches more", size, narrow_cpu, narrow_wall, narrow.value / bound,
                    lacking(problem, narrow.taken)),
    ]  # fmt: skip
    model = Model.of(problem)
    limit = f"{peer_seconds:g} s"
    peers: list[tuple[str, Callable[[], npt.NDArray[np.bool_]], str]] = [
        ("the whole at once: HiGHS", lambda: highs_whole(problem, model, peer_seconds), limit),
        ("the whole at once: CP-SAT", lambda: cp_sat_whole(problem, model, peer_seconds), limit),
        ("greedy", lambda: greedy_teams(problem), ""),
    ]
    for what, call, note in peers:
        taken, cpu, wall = timed(call)
        rows.append(Measurement(what, size, cpu, wall, value_of(problem, taken) / bound,
                                "; ".join(filter(None, [note, lacking(problem, taken)]))))  # fmt: skip
    return rows


def flow_alone(people: int) -> Found:
    """Measure the optimum over twenty pairs a post, a post for every five people, and refuse less."""
    ratings, weights = town(people, people // 5)
    whole = lists(ratings, weights)
    check(ratings, weights, whole)
    given = edges(ratings, weights, whole)
    bound = whole.bound - EMPTY_PLACE * (WANTED * len(weights) - len(whole.pairs))
    assert given.value(flow(given)) >= LEAST_SHARE * bound
    return in_turns(lambda: flow(given), sort_a_million, rounds=2, figure=lambda seconds: seconds)


CASES = (
    Case("matching.flow", f"assignment over top-{LISTED} pairs, a post for every five people",
         "min-cost flow and prices that prove it", "people", (1_000, 10_000, FULL["people"]), QUICK["people"],
         flow_alone, {FULL["people"]: Limit(FLOW_LIMIT)}, unit="s", peer=SORT),
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Print a table and JSON; return 1 if a limit is missed at full size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small town; limits are not judged")
    parser.add_argument("--peer-seconds", type=float, default=60.0, help="limit of CP-SAT and whole HiGHS")
    chosen = parser.parse_args(arguments)
    size = QUICK if chosen.quick else FULL
    found = measure_lists(size["people"], size["posts"], size["peer"], chosen.peer_seconds)
    found.append(measure_towns(size["towns"]))
    found += measure_teams(size["units"], size["county"], chosen.peer_seconds)
    print(
        f"one thread, Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}\n"
    )
    print(*HEADER, *(m.row(judged=not chosen.quick) for m in found), sep="\n")
    record = [{**asdict(m), "kept": m.kept} for m in found]
    print("\n" + json.dumps({**size, "rows": record}, ensure_ascii=False))
    return 0 if chosen.quick or all(m.kept for m in found) else 1


if __name__ == "__main__":
    sys.exit(main())
