"""Teams keep every limit, and no better ones than the bound says exist."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse.csgraph import maximum_bipartite_matching

from huanjie_lib.talent import teams as module
from huanjie_lib.talent.teams import EMPTY_SEAT, Rule, TeamProblem, best_teams, least_lacking


def county(seed: int, units: int = 5, people: int = 30) -> TeamProblem:
    """Return units of three posts, seven candidates a post, many of whom several units want."""
    rng = np.random.default_rng(seed)
    posts = 3 * units
    person = np.concatenate([np.sort(rng.choice(people, 7, replace=False)) for _ in range(posts)])
    good = rng.normal(60, 10, people)
    kin = np.sort(rng.integers(0, people, (people, 2)), axis=1)
    one = np.ones(units, dtype=np.int64)
    return TeamProblem(
        post=np.repeat(np.arange(posts), 7),
        person=person,
        fit=np.round(good[person] + rng.normal(0, 4, len(person)), 3),
        seats=np.tile([1, 1, 2], units),
        unit=np.repeat(np.arange(units), 3),
        people=people,
        units=units,
        rules=(
            Rule(rng.random(people) < 0.25, one, 10_000.0),
            Rule(rng.random(people) < 0.3, 2 * one, 4.0),
            Rule(rng.random(people) < 0.5, np.arange(units) % 2, 3.0, np.arange(posts) % 3 > 0),
        ),
        kin=kin[kin[:, 0] < kin[:, 1]],
    )


def optimum(problem: TeamProblem) -> float:
    """Return the optimum of the whole model."""
    return solved(problem)[0]


def solved(
    problem: TeamProblem, *, rules: tuple[Rule, ...] | None = None, kin: bool = True
) -> tuple[float, float]:
    """Return value and fit of the optimum of the whole model as one integer programme, row by row."""
    rules = problem.rules if rules is None else rules
    unit, e = problem.unit[problem.post], len(problem.person)
    lacks = [(r, u) for r, rule in enumerate(rules) for u in range(problem.units) if rule.least[u]]
    size = e + len(lacks)
    rows, low, high = [], [], []

    def row(mask: np.ndarray, lower: float, upper: float, lack: int | None = None) -> None:
        line = np.zeros(size)
        line[:e] = mask
        if lack is not None:
            line[e + lack] = 1
        rows.append(line)
        low.append(lower)
        high.append(upper)

    for post, seats in enumerate(problem.seats):
        row(problem.post == post, -np.inf, seats)
    for person in range(problem.people):
        row(problem.person == person, -np.inf, 1)
    for u in range(problem.units):
        for i, k in problem.kin if kin else ():
            row((unit == u) & np.isin(problem.person, [i, k]), -np.inf, 1)
    for number, (r, u) in enumerate(lacks):
        row((unit == u) & rules[r].pairs(problem.post, problem.person), rules[r].least[u], np.inf, number)
    cost = np.concatenate([-(problem.fit + EMPTY_SEAT), [rules[r].cost for r, _ in lacks]])
    limit = np.concatenate([np.ones(e), [rules[r].least[u] for r, u in lacks]])
    found = milp(
        cost,
        integrality=np.ones(size),
        bounds=Bounds(0, limit),
        constraints=LinearConstraint(np.array(rows), low, high),
        options={"mip_rel_gap": 0.0},
    )
    return -float(found.fun) - EMPTY_SEAT * float(problem.seats.sum()), float(problem.fit @ found.x[:e])


def recounted(problem: TeamProblem, taken: np.ndarray) -> float:
    """Return the value of teams, counted from the pairs alone, and refuse teams that break a limit."""
    unit, who = problem.unit[problem.post], problem.person[taken]
    assert len(np.unique(who)) == len(who)
    filled = np.bincount(problem.post[taken], minlength=len(problem.seats))
    assert (filled <= problem.seats).all()
    for i, k in problem.kin:
        sits = [set(unit[taken & (problem.person == one)]) for one in (i, k)]
        assert not sits[0] & sits[1]
    value = problem.fit[taken].sum() - EMPTY_SEAT * (problem.seats - filled).sum()
    for rule in problem.rules:
        held = np.bincount(unit[taken & rule.pairs(problem.post, problem.person)], minlength=problem.units)
        value -= rule.cost * np.maximum(rule.least - held, 0).sum()
    return float(value)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("people", [16, 30])
def test_value_and_bound_enclose_the_optimum(seed: int, people: int) -> None:
    problem = county(seed, people=people)  # 20 seats: with 16 people some stay empty
    found, best = best_teams(problem, gap=0.0), optimum(problem)
    assert found.value == pytest.approx(recounted(problem, found.taken))
    assert found.value <= best + 1e-6
    assert best <= found.bound + 1e-6
    assert found.value == pytest.approx(best, abs=0.02 * abs(best) + 1)


@pytest.mark.parametrize("seed", range(6))
def test_one_unit_is_solved_exactly_and_rules_cost_what_leaving_them_out_gains(seed: int) -> None:
    problem = county(seed, units=1, people=12)
    found, best = best_teams(problem, gap=0.0), optimum(problem)
    assert found.value == pytest.approx(best)
    assert found.bound == pytest.approx(best)
    fit = problem.fit[found.taken].sum()
    for number, rule in enumerate(problem.rules):
        others = tuple(r for r in problem.rules if r is not rule)
        gained = max(solved(problem, rules=others)[1] - fit, 0.0) if rule.least[0] else 0.0
        assert found.cost[0, number] == pytest.approx(gained, abs=1e-5)
    assert found.cost[0, -1] == pytest.approx(max(solved(problem, kin=False)[1] - fit, 0.0), abs=1e-5)


def test_a_search_of_several_units_mends_what_repair_leaves() -> None:
    """Who is free can only fill the last seat if two units change hands."""
    # unit 0 wants persons 0 and 1, unit 1 wants 1 and 2, unit 2 only 2
    post, person = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 2, 2])
    problem = TeamProblem(post, person, np.array([50.0, 70.0, 69.0, 72.0, 60.0]), np.ones(3, np.int64),
                          np.arange(3), 3, 3)  # fmt: skip
    found = best_teams(problem, gap=0.0)
    assert person[found.taken].tolist() == [0, 1, 2]
    search = module._Search(problem)
    stuck = [np.array([False, True]), np.array([False, True]), np.array([False])]
    most = np.full(3, 1e4)  # as if much were to gain everywhere
    mended = search.improved(stuck, np.zeros(3), most, goal=1e6, searches=10)
    assert [t.tolist() for t in mended] == [[True, False], [True, False], [True]]


def test_no_search_when_the_gap_is_small_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module._Search, "_together", lambda *_: pytest.fail("searched"))
    problem = county(1)
    found = best_teams(problem, gap=1e9)
    assert found.value == pytest.approx(recounted(problem, found.taken))


def test_equal_arguments_give_equal_teams(capfd: pytest.CaptureFixture[str]) -> None:
    first, second = (best_teams(county(3), gap=0.0) for _ in range(2))
    assert first.taken.tobytes() == second.taken.tobytes()
    assert (first.value, first.bound) == (second.value, second.bound)
    assert capfd.readouterr() == ("", "")  # HiGHS keeps silent


def test_units_without_candidates_and_no_units_at_all() -> None:
    none = np.empty(0, dtype=np.int64)
    rule = Rule(np.empty(0, dtype=bool), np.ones(2, dtype=np.int64), 10.0)
    seats = np.ones(2, dtype=np.int64)
    empty = best_teams(TeamProblem(none, none, np.empty(0), seats, np.arange(2), 0, 2, (rule,)))
    assert empty.value == empty.bound == -2 * EMPTY_SEAT - 20.0
    assert empty.lacking.tolist() == [[1], [1]]
    bare = best_teams(TeamProblem(none, none, np.empty(0), seats, np.arange(2), 0, 2))
    assert bare.value == bare.bound == -2 * EMPTY_SEAT
    assert best_teams(TeamProblem(none, none, np.empty(0), none, none, 0, 0)).value == 0.0


def matched(goal: np.ndarray, person: np.ndarray, needed: np.ndarray, people: int) -> int:
    """Return how many of what is needed find a person of their own, each need a node (Hopcroft and Karp)."""
    each = np.repeat(np.arange(len(needed)), needed)
    wants = np.zeros((len(needed), people), dtype=bool)
    wants[goal, person] = True
    found = maximum_bipartite_matching(sparse.csr_array(wants[each]), perm_type="column")
    return int((found >= 0).sum())


@pytest.mark.parametrize("seed", range(4))
def test_what_is_lacking_whoever_is_chosen_is_what_no_matching_mends(seed: int) -> None:
    problem = county(seed, people=14)  # so few that seats stay empty and rules are missed
    unit, found = problem.unit[problem.post], best_teams(problem)
    for number, rule in enumerate(problem.rules):
        helps = rule.pairs(problem.post, problem.person)
        kept = matched(unit[helps], problem.person[helps], rule.least, problem.people)
        assert least_lacking(problem, rule) == rule.least.sum() - kept
        assert least_lacking(problem, rule) <= found.lacking[:, number].sum()
    filled = matched(problem.post, problem.person, problem.seats, problem.people)
    assert least_lacking(problem) == problem.seats.sum() - filled > 0
    assert found.taken.sum() <= filled
