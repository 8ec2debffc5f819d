"""Properties of lists and committees that hold for any people, posts and limits."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from huanjie_lib.talent.assignment import GRID, Assignment, assign, empty_cost
from huanjie_lib.talent.teams import Rule, TeamProblem, best_teams
from huanjie_lib.talent.top_k import scores

PEOPLE, POSTS, ASPECTS = 9, 6, 3
ratings = arrays(np.float64, (PEOPLE, ASPECTS), elements=st.sampled_from([0.0, 40.0, 50.0, 72.5, 90.0]))
weights = arrays(np.float64, (POSTS, ASPECTS), elements=st.sampled_from([0.0, 0.2, 0.5, 1.0]))
wants = arrays(np.int64, POSTS, elements=st.integers(0, 3))
limits = arrays(np.int64, PEOPLE, elements=st.integers(0, 3))
masks = arrays(np.bool_, (2, PEOPLE))
groups = arrays(np.int64, POSTS, elements=st.integers(0, 1))


def worth(found: Assignment) -> float:
    """Return what lists gain over empty ones, with fit on its grid."""
    filled = np.bincount(found.pairs["post"], minlength=POSTS)
    return float((np.rint(found.pairs["score"] * GRID) / GRID).sum() - empty_cost(found.wanted, filled).sum())


@given(ratings, weights, wants, limits, masks, groups)
@settings(max_examples=60, deadline=None)
def test_lists_keep_every_limit_and_prices_prove_them(
    x: np.ndarray, w: np.ndarray, wanted: np.ndarray, most: np.ndarray, may: np.ndarray, group: np.ndarray
) -> None:
    found = assign(x, w, wanted, most, eligible=list(may), group=group)
    post, person = found.pairs["post"].to_numpy(), found.pairs["person"].to_numpy()
    assert found.optimal
    assert may[group[post], person].all()
    assert (np.bincount(post, minlength=POSTS) <= wanted).all()
    assert (np.bincount(person, minlength=PEOPLE) <= most).all()
    listed = np.zeros((POSTS, PEOPLE), dtype=bool)
    listed[post, person] = True
    assert listed.sum() == len(post)
    over = (
        np.rint(scores(x[None], w[:, None]) * GRID) / GRID - found.place_price[:, None] - found.person_price
    )
    live = may[group] & (wanted > 0)[:, None] & (most > 0)
    assert (over[live & ~listed] <= 1e-9).all()
    assert (over[listed] >= -1e-9).all()


@given(ratings, weights, wants, limits, st.permutations(range(PEOPLE)), st.permutations(range(POSTS)))
@settings(max_examples=40, deadline=None)
def test_the_order_of_people_and_posts_never_changes_what_is_reached(
    x: np.ndarray, w: np.ndarray, wanted: np.ndarray, most: np.ndarray, people: list[int], posts: list[int]
) -> None:
    plain, other = assign(x, w, wanted, most), assign(x[people], w[posts], wanted[posts], most[people])
    assert abs(worth(plain) - worth(other)) < 1e-6
    assert len(plain.pairs) == len(other.pairs)


@given(ratings, weights, wants, limits, st.integers(0, PEOPLE - 1))
@settings(max_examples=40, deadline=None)
def test_one_more_list_for_a_person_never_lowers_the_whole_nor_lifts_it_above_the_price(
    x: np.ndarray, w: np.ndarray, wanted: np.ndarray, most: np.ndarray, who: int
) -> None:
    if not most[who]:
        most[who] = 1
    before = assign(x, w, wanted, most)
    more = most.copy()
    more[who] += 1
    gained = worth(assign(x, w, wanted, more)) - worth(before)
    assert -1e-6 <= gained <= before.person_price[who] + 1e-6


@given(
    arrays(np.float64, (2, 3, 8), elements=st.integers(20, 99).map(float)),
    arrays(np.bool_, (2, 8)),
    arrays(np.int64, 2, elements=st.integers(0, 3)),
    st.sampled_from([2.0, 10_000.0]),
)
@settings(max_examples=40, deadline=None)
def test_another_rule_never_raises_the_bound_and_committees_stay_below_it(
    fit: np.ndarray, holds: np.ndarray, least: np.ndarray, cost: float
) -> None:
    units, posts, people = fit.shape
    problem = TeamProblem(
        post=np.repeat(np.arange(units * posts), people),
        person=np.tile(np.arange(people), units * posts),
        fit=fit.ravel(),
        seats=np.ones(units * posts, dtype=np.int64),
        unit=np.repeat(np.arange(units), posts),
        people=people,
        units=units,
    )
    rules = tuple(Rule(holds[r], np.full(units, least[r]), cost) for r in range(2))
    plain, ruled = (best_teams(TeamProblem(**{**problem.__dict__, "rules": r}), gap=0.0) for r in ((), rules))
    for found in (plain, ruled):
        who = problem.person[found.taken]
        assert len(set(who)) == len(who) == units * posts  # eight people for six seats
        assert found.value <= found.bound + 1e-6
    assert ruled.value <= plain.bound + 1e-6
    assert (ruled.cost >= 0).all()
