"""Flows are optimal, and prices prove it by complementary slackness, whatever the network."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array, vstack

from huanjie_lib.talent import flow as module
from huanjie_lib.talent.flow import best_flow

Ints = np.ndarray


def network(seed: int) -> dict[str, Ints]:
    rng = np.random.default_rng(seed)
    m, n = rng.integers(1, 9), rng.integers(1, 12)
    there = rng.random((m, n)) < 0.5
    there[0, 0] = True
    post, person = np.nonzero(there)
    return {
        "post": post,
        "person": person,
        "gain": rng.integers(-50, 100, len(post)),
        "room": rng.integers(1, 4, len(post)),
        "wanted": rng.integers(1, 7, m),
        "most": rng.integers(1, 5, n),
        "floor": rng.integers(-120, 20, m),
    }


@pytest.mark.parametrize("seed", range(40))
def test_the_optimum_is_that_of_a_linear_programme_and_prices_prove_it(seed: int) -> None:
    net = network(seed)
    post, person, gain = net.pop("post"), net.pop("person"), net.pop("gain")
    found = best_flow(post, person, gain, **net)
    m, n, e = len(net["wanted"]), len(net["most"]), len(post)
    reached = gain @ found.units + net["floor"] @ found.empty
    rows = [
        csr_array((np.ones(e), (side, np.arange(e))), shape=(size, e))
        for side, size in ((post, m), (person, n))
    ]
    best = linprog(
        -(gain - net["floor"][post]).astype(float),
        A_ub=vstack(rows),
        b_ub=np.concatenate([net["wanted"], net["most"]]),
        bounds=np.column_stack([np.zeros(e), net["room"]]),
    )
    assert reached == pytest.approx(-best.fun + net["floor"] @ net["wanted"])
    assert (np.bincount(post, weights=found.units, minlength=m) + found.empty == net["wanted"]).all()
    over = 2 * gain - found.place_price[post] - found.person_price[person]
    bound = (
        found.place_price @ net["wanted"]
        + found.person_price @ net["most"]
        + np.maximum(over, 0) @ np.minimum(net["room"], net["wanted"][post])
    )
    assert bound == 2 * reached  # any prices bound every flow from above; these meet it
    assert (found.place_price >= 2 * net["floor"]).all()
    assert (found.person_price >= 0).all()


def test_an_edge_that_gains_nothing_is_not_lost() -> None:
    ones = np.ones(2, dtype=np.int64)
    pairs = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    found = best_flow(
        *pairs,
        np.array([0, -9, -9, -9]),
        room=np.ones(4, dtype=np.int64),
        wanted=ones,
        most=ones,
        floor=-99 * ones,
    )
    assert found.units.tolist() == [1, 0, 0, 1]


def test_without_pairs_all_places_stay_empty() -> None:
    none, one = np.empty(0, dtype=np.int64), np.ones(1, dtype=np.int64)
    found = best_flow(none, none, none, room=none, wanted=2 * one, most=one, floor=-7 * one)
    assert (found.empty.tolist(), found.place_price.tolist(), found.person_price.tolist()) == (
        [2],
        [-14],
        [0],
    )


def test_a_flow_that_is_not_optimal_has_no_prices() -> None:
    ints = [np.array(x, dtype=np.int64) for x in ([0, 1], [0, 0], [1, 5], [-99, -99])]
    post, person, gain, floor = ints
    taken = np.array([True, False])  # the worse of two posts has the only person
    ends = module._Ends(post, person, gain, taken, ~taken, np.array([False]), np.array([False, True]), floor)
    for search in (ends.dearest_places, ends.dearest_people):
        with pytest.raises(RuntimeError, match="no prices prove"):
            search()


def test_numbers_too_large_for_the_solver_are_refused() -> None:
    one = np.ones(1, dtype=np.int64)
    with pytest.raises(RuntimeError, match="ended with status"):
        best_flow(0 * one, 0 * one, one * 2**61, room=one, wanted=one, most=one, floor=-one)
