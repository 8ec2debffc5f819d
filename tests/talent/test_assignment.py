"""City-wide lists: optimal over all pairs, within every limit, with prices that prove it."""

import dataclasses

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, linear_sum_assignment, milp
from scipy.sparse import coo_array, csr_array, eye_array, hstack, kron

from huanjie_lib.talent import assignment
from huanjie_lib.talent.assignment import GRID, Assignment, assign, candidates, empty_cost
from huanjie_lib.talent.top_k import scores
from tests.talent.matching import ratings

PLACES = GRID * np.array([1900, 1800, 1700, 1600])
"""What the first places of a post are worth, beside the fit of who is listed."""


@pytest.fixture(params=["all pairs", "a network of some"], autouse=True)
def pairs_held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test both ways: small problems hold all pairs, large ones look for those that are needed."""
    if request.param != "all pairs":
        monkeypatch.setattr(assignment, "_WHOLE", 0)


def grid_scores(people: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.rint(scores(people[None], weights[:, None]) * GRID)


def worth(found: Assignment, people: np.ndarray, weights: np.ndarray) -> float:
    """Return what lists gain over empty ones, in grid steps, from the pairs alone."""
    filled = np.bincount(found.pairs["post"], minlength=len(weights))
    fit = grid_scores(people, weights)[found.pairs["post"], found.pairs["person"]].sum()
    return float(fit + sum(PLACES[:places].sum() for places in filled))


def optimum(
    people: np.ndarray, weights: np.ndarray, wanted: np.ndarray, most: np.ndarray, able: np.ndarray
) -> float:
    """Return the same of the optimum, by SciPy's HiGHS over all pairs and places."""
    m, n = able.shape
    post = np.repeat(np.arange(m), wanted)
    place = np.arange(len(post)) - np.searchsorted(post, post)
    filled = coo_array((-np.ones(len(post)), (post, np.arange(len(post)))), shape=(m, len(post)))
    lists = hstack([kron(np.ones((1, m)), eye_array(n)), csr_array((n, len(post)))])
    limits = [
        LinearConstraint(csr_array(hstack([kron(eye_array(m), np.ones((1, n))), filled])), 0, 0),
        LinearConstraint(csr_array(lists), -np.inf, most),
    ]
    gain = np.append(grid_scores(people, weights).ravel(), PLACES[place])
    bounds = Bounds(0, np.append(able.ravel(), np.ones(len(post))))
    return -float(milp(-gain, bounds=bounds, constraints=limits).fun)


def check(found: Assignment, wanted: np.ndarray, most: np.ndarray, able: np.ndarray) -> None:
    post, person = found.pairs["post"], found.pairs["person"]
    assert able[post, person].all()
    assert not found.pairs.duplicated(["post", "person"]).any()
    filled = np.bincount(post, minlength=len(wanted))
    assert (filled <= wanted).all()
    assert (np.bincount(person, minlength=len(most)) <= most).all()
    assert found.short["post"].tolist() == np.flatnonzero(filled < wanted).tolist()
    assert found.short["able"].tolist() == able.sum(axis=1)[found.short["post"]].tolist()
    assert found.optimal
    assert found.objective - 1e-6 <= found.bound <= found.objective + len(found.pairs) / GRID + 1e-6


@pytest.mark.parametrize("seed", range(60))
def test_the_optimum_with_limits_masks_and_exclusions_is_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m, groups = rng.integers(2, 30), rng.integers(1, 20), rng.integers(1, 4)
    people, weights = ratings(n, m, seed=seed)
    if seed % 3 == 0:  # many are alike
        people, weights = people[rng.integers(0, n, n) // 2], weights[rng.integers(0, m, m) // 3]
    wanted, most = rng.integers(0, 4, m), rng.integers(0, 4, n)
    masks, group = (
        [rng.random(n) < rng.choice([0.4, 0.8, 1]) for _ in range(groups)],
        rng.integers(0, groups, m),
    )
    excluded = np.column_stack([rng.integers(0, m, 8), rng.integers(0, n, 8)])
    able = np.array(masks)[group]
    able[tuple(excluded.T)] = False
    found = assign(people, weights, wanted, most, eligible=masks, group=group, excluded=excluded)
    check(found, wanted, most, able)
    assert worth(found, people, weights) == pytest.approx(
        optimum(people, weights, wanted, most, able), abs=0.5
    )


@pytest.mark.parametrize("kind", ["low rank", "dense random", "near equal posts", "half unknown", "scarce"])
def test_the_optimum_over_a_dense_matrix_is_scipys(kind: str) -> None:
    n, m = (250, 260) if kind == "scarce" else (900, 260)
    people, weights = ratings(n, m, seed=4)
    rng = np.random.default_rng(5)
    if kind == "dense random":
        people, weights = rng.random((n, 40)) * 100, rng.dirichlet(np.full(40, 0.05), m)
    if kind == "near equal posts":
        weights = weights[np.arange(m) % 6] + rng.random((m, 12)) * 1e-4
    if kind == "half unknown":
        people[::2] = 50.0
    wanted, most = np.full(m, 2), np.full(n, 1)
    found = assign(people, weights, wanted, most)
    check(found, wanted, most, np.ones((m, n), dtype=bool))
    gain = np.repeat(grid_scores(people, weights), 2, axis=0)  # nobody is listed twice: one list each
    gain += np.tile(PLACES[:2], m)[:, None]
    rows, columns = linear_sum_assignment(-gain)
    assert worth(found, people, weights) == gain[rows, columns].sum()


def test_prices_prove_the_optimum_over_all_pairs() -> None:
    people, weights = ratings(700, 300, seed=7)
    found = assign(people, weights, np.full(300, 2), np.full(700, 3))
    over = grid_scores(people, weights) / GRID - found.place_price[:, None] - found.person_price
    listed = np.zeros(over.shape, dtype=bool)
    listed[found.pairs["post"], found.pairs["person"]] = True
    assert over[~listed].max() <= 1e-9
    assert over[listed].min() >= -1e-9
    spare = np.bincount(found.pairs["person"], minlength=700) < 3
    assert (found.person_price[spare] == 0).all()
    assert (found.person_price >= 0).all()


def test_equal_arguments_give_equal_bytes_and_alike_people_take_turns() -> None:
    people, weights = ratings(400, 250, seed=2)
    people[100:] = 50.0  # nothing is known of them
    lists = [assign(people, weights, np.full(250, 2), np.full(400, 2)) for _ in range(2)]
    for name in ("pairs", "short"):
        assert lists[0].__dict__[name].equals(lists[1].__dict__[name])
    assert lists[0].person_price.tobytes() == lists[1].person_price.tobytes()
    often = np.bincount(lists[0].pairs["person"], minlength=400)[100:]
    assert often.max() - often.min() <= 1
    assert (np.diff(often) <= 0).all()  # the first in the order given come first


def test_lists_cut_from_the_top_would_leave_places_empty() -> None:
    people, weights = ratings(2000, 400, seed=3)
    top = candidates(people, weights, np.full(400, 1), 5, spare=1)
    assert top.groupby("post").size().min() >= 5
    crowded = np.argsort(-(weights @ people.T), axis=1)[:, :5]
    assert len(np.unique(crowded)) < 400 <= top["person"].nunique()
    once = assign(people, weights, np.full(400, 1), np.ones(2000, dtype=np.int64))
    listed = set(zip(top["post"], top["person"], strict=True))
    assert set(zip(once.pairs["post"], once.pairs["person"], strict=True)) <= listed


def test_filling_a_place_goes_before_fit() -> None:
    people = np.array([[90.0], [1.0]])
    found = assign(people, np.ones((2, 1)), np.array([1, 1]), np.array([1, 1]))
    assert len(found.pairs) == 2
    assert found.objective == 91.0


def test_every_post_gets_its_first_candidate_before_any_gets_a_second() -> None:
    people, weights = ratings(50, 30, seed=8)
    wanted = np.repeat([1, 2, 6], 10)
    found = assign(people, weights, wanted, np.ones(50))
    filled = np.bincount(found.pairs["post"], minlength=30).reshape(3, 10)
    assert filled[0].tolist() == [1] * 10
    assert filled[1].tolist() == [2] * 10
    assert sorted(filled[2].tolist()) == [2] * 10  # 50 people, 10 + 20 of them placed
    many = assign(people[:14], weights[:1], np.array([13]), np.ones(14))
    assert (len(many.pairs), many.optimal) == (13, True)
    few = assign(people[:11], weights[:1], np.array([13]), np.ones(11))
    assert (len(few.pairs), few.optimal) == (11, True)
    assert empty_cost(np.array([13]), np.array([11])).tolist() == [2000]


def test_no_posts_no_people_and_nothing_wanted() -> None:
    people, weights = ratings(3, 2, seed=1)
    for found in (
        assign(people[:0], weights, np.array([1, 0]), np.array([], dtype=np.int64)),
        assign(people, weights, np.array([1, 0]), np.array([0, 0, 0])),
    ):
        assert (len(found.pairs), found.objective, found.optimal) == (0, 0.0, True)
        assert found.short["post"].tolist() == [0]
        assert np.isnan(found.place_price[1])
    assert assign(people, weights[:0], np.array([], dtype=np.int64), np.ones(3)).optimal
    assert len(assign(people, weights, np.zeros(2), np.ones(3)).pairs) == 0


def test_it_explains_itself() -> None:
    people = np.array([[90.0, 80.0], [60.0, 20.0], [10.0, 30.0]])
    nobody = [np.ones(3, dtype=bool), np.zeros(3, dtype=bool), np.array([True, False, False])]
    found = assign(
        people,
        np.eye(2)[[0, 1, 0, 0]],
        np.array([1, 0, 1, 2]),
        np.full(3, 2),
        eligible=nobody,
        group=np.array([0, 0, 1, 2]),
    )
    assert repr(found) == "Assignment(posts=4, people=3, listed=2, empty=2, optimal=True)"
    assert found.explain(0, name="甲村书记") == "甲村书记要1名人选，全市统筹后列出1名，适配分90.0。"
    assert found.explain(1) == "第2个岗位不需要人选。"
    assert found.explain(2).endswith("列出0名；还缺1名：没有符合条件的人。")
    assert found.explain(3).endswith("适配分90.0；还缺1名：符合条件的只有1人。")
    for wrong in (-1, 4):
        with pytest.raises(KeyError):
            found.explain(wrong)
    changed = found.to_frame()
    changed["score"] = 0.0
    assert found.objective == found.pairs["score"].sum() > 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.objective = 0.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"people": np.ones((3, 1))}, "share their columns"),
        ({"people": np.array([[np.nan, 1.0]] * 3)}, "finite"),
        ({"wanted": np.ones(3)}, "must have 2 and 3 values"),
        ({"most": -np.ones(3)}, "negative"),
        ({"eligible": [np.ones(2, dtype=bool)]}, "masks"),
        ({"group": np.array([0, 1])}, "groups must be from 0 to 0"),
        ({"excluded": np.array([[2, 0]])}, "excluded"),
    ],
)
def test_arguments_that_do_not_match_are_refused(change: dict[str, np.ndarray], message: str) -> None:
    people, weights = ratings(3, 2, seed=1, aspects=2)
    arguments = {"people": people, "weights": weights, "wanted": np.ones(2), "most": np.ones(3)} | change
    with pytest.raises(ValueError, match=message):
        assign(**arguments)


def test_candidates_can_fill_all_seats_that_can_be_filled_even_where_people_are_scarce() -> None:
    people, weights = ratings(150, 100, seed=6)
    seats = np.full(100, 2)  # 200 seats; twice as many candidates are not to be had
    named = candidates(people, weights, seats, 3)
    taken = np.zeros((100, 150), dtype=bool)
    taken[named["post"], named["person"]] = True
    places = np.repeat(taken, 2, axis=0).astype(float)
    rows, columns = linear_sum_assignment(-places)
    assert places[rows, columns].sum() == 150


def test_townships_short_of_people_beside_a_few_who_may_go_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignment, "_WHOLE", 1 << 24)
    towns, of_town, anywhere = 40, 8, 12
    people, weights = ratings(towns * of_town + anywhere, towns * 6, seed=9)
    town = np.concatenate([np.repeat(np.arange(towns), of_town), np.full(anywhere, -1)])
    masks = [(town == one) | (town < 0) for one in range(towns)]
    group, wanted, most = (
        np.repeat(np.arange(towns), 6),
        np.full(towns * 6, 3),
        np.ones(len(people), dtype=int),
    )
    found = assign(people, weights, wanted, most, eligible=masks, group=group)
    able = np.stack(masks)[group]
    check(found, wanted, most, able)
    assert len(found.pairs) == len(people)
    assert worth(found, people, weights) == pytest.approx(optimum(people, weights, wanted, most, able))
