"""The k best people of each post: against full sorting, whatever the block, the threads and the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from huanjie_lib.talent import top_k as module
from huanjie_lib.talent.top_k import TopK, scores, top_k


def low_rank(n: int, aspects: int = 12, seed: int = 1) -> Any:
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, 3)) @ rng.uniform(0.2, 1, (3, aspects))
    return np.clip(55 + 8 * latent + 8 * rng.standard_normal((n, aspects)), 0, 100)


def tilted(m: int, aspects: int = 12, seed: int = 2) -> Any:
    rng = np.random.default_rng(seed)
    profiles = rng.dirichlet(np.full(aspects, 3.0), 5)
    weights = profiles[rng.integers(5, size=m)] * (1 + rng.beta(1, 4, (m, aspects)))
    return weights / weights.sum(axis=1)[:, None]


PEOPLE = {
    "low rank": low_rank(3000),
    "uniform": np.random.default_rng(3).uniform(0, 100, (3000, 12)),
    "equal totals": 100 * np.random.default_rng(4).dirichlet(np.full(12, 0.5), 3000),
    "coarse, many ties": np.random.default_rng(5).integers(0, 3, (3000, 12)) * 50.0,
    "all alike": np.full((3000, 12), 50.0),
    "of either sign": np.random.default_rng(6).normal(0, 30, (3000, 12)),
}
WEIGHTS = {
    "tilted": tilted(60),
    "anything": np.random.default_rng(7).dirichlet(np.ones(12), 60),
    "few profiles": tilted(4)[np.random.default_rng(8).integers(4, size=60)],
    "not summing to one": np.random.default_rng(9).normal(0, 1, (60, 12)),
}


def by_sorting(
    people: Any, weights: Any, k: int, eligible: Any = None, group: Any = None, excluded: Any = ()
) -> tuple[Any, Any]:
    """Return rows and scores by sorting everybody for every post."""
    rows, score = np.full((len(weights), k), -1), np.full((len(weights), k), np.nan)
    barred = {tuple(pair) for pair in np.asarray(excluded).tolist()}
    for j, w in enumerate(weights):
        found = scores(people, w)
        may = [
            i
            for i in np.lexsort((np.arange(len(people)), -found)).tolist()
            if (eligible is None or eligible[group[j]][i]) and (j, i) not in barred
        ][:k]
        rows[j, : len(may)], score[j, : len(may)] = may, found[may]
    return rows, score


def assert_same(found: TopK, rows: Any, score: Any) -> None:
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.score, score)


@pytest.fixture
def few_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make three thousand people many: thresholds come from a few, and from a sample."""
    monkeypatch.setattr(module, "FIRST", 12)
    monkeypatch.setattr(module, "BEGIN", 50)
    monkeypatch.setattr(module, "SAMPLE", 200)


@pytest.mark.usefixtures("few_first")
@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("people", PEOPLE.values(), ids=PEOPLE)
def test_lists_are_those_of_sorting_everybody(people: Any, weights: Any) -> None:
    wanted = by_sorting(people, weights, 7)
    for block in ((8192, 256), (100, 16), (7, 1)):
        assert_same(top_k(people, weights, 7, block=block), *wanted)


@pytest.mark.usefixtures("few_first")
def test_threads_change_nothing() -> None:
    people, weights = low_rank(20_000), WEIGHTS["anything"]
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(top_k(people, weights, 20))
    assert_same(found[0], found[1].rows, found[1].score)


@pytest.mark.usefixtures("few_first")
def test_groups_exclusions_and_ties_are_kept() -> None:
    rng = np.random.default_rng(10)
    people = PEOPLE["coarse, many ties"][rng.integers(400, size=1000)]
    weights, group = WEIGHTS["few profiles"], rng.integers(3, size=60)
    eligible = [rng.random(1000) < share for share in (0.9, 0.05, 0.001)]
    best = top_k(people, weights, 9, eligible=eligible, group=group).rows
    # the best of some posts declined
    excluded = [(post, row) for post in range(0, 60, 3) for row in best[post, :6] if row >= 0]
    found = top_k(people, weights, 9, eligible=eligible, group=group, excluded=np.array(excluded))
    assert_same(found, *by_sorting(people, weights, 9, eligible, group, excluded))
    assert (found.rows[group == 2] < 0).any()
    assert repr(found).startswith("TopK(posts=60, k=9, short=")


def test_a_list_is_as_long_as_there_are_people() -> None:
    people, weights = low_rank(3), tilted(2)
    found = top_k(people, weights, 5)
    rows, score = by_sorting(people, weights, 5)
    assert_same(found, rows, score)
    assert (found.rows[:, 3:] == -1).all()
    assert np.isnan(found.score[:, 3:]).all()
    assert found.to_frame()[["post", "rank"]].values.tolist() == [
        [0, 1],
        [0, 2],
        [0, 3],
        [1, 1],
        [1, 2],
        [1, 3],
    ]
    assert found.to_frame()["score"].tolist() == score[:, :3].ravel().tolist()
    shown = "、".join(f"{each:.1f}分" for each in score[1, :3])
    assert found.explain(1) == f"第2个岗位列出适配分最高的3人：{shown}；不足5人，符合条件的都已列出。"
    assert top_k(people, weights, 3).explain(1, name="会计") == f"会计列出适配分最高的3人：{shown}。"
    with pytest.raises(KeyError):
        found.explain(2)
    nobody = top_k(people, weights, 2, eligible=[np.zeros(3, dtype=bool)], group=np.zeros(2, dtype=int))
    assert (nobody.rows == -1).all()
    assert nobody.explain(0) == "第1个岗位没有符合条件的人。"
    assert top_k(people[:0], weights, 2).rows.tolist() == [[-1, -1]] * 2
    assert top_k(people, weights[:0], 2).rows.shape == (0, 2)


def test_differences_that_are_rounding_are_ties_and_others_are_not() -> None:
    weights = np.full((1, 3), 1 / 3)
    people = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.2, 0.2, 0.2]])
    plain = (people * weights).sum(axis=1)
    assert len(set(plain)) > 1  # rounding alone would rank equals
    assert top_k(people, weights, 3).rows.tolist() == [[0, 1, 2]]
    people[2] += 3e-10
    assert top_k(people, weights, 3).rows.tolist() == [[2, 0, 1]]


@pytest.mark.usefixtures("few_first")
def test_what_single_precision_cannot_tell_apart_is_told_apart() -> None:
    rng = np.random.default_rng(11)
    people = 70 + 1e-7 * rng.standard_normal((5000, 4))
    weights = rng.dirichlet(np.ones(4), 5)
    assert np.unique(people.astype(np.float32)).size < 100
    assert_same(top_k(people, weights, 10), *by_sorting(people, weights, 10))


@pytest.mark.usefixtures("few_first")
def test_the_slack_is_needed_and_bounds_leave_people_out(monkeypatch: pytest.MonkeyPatch) -> None:
    people, weights = low_rank(20_000), tilted(60)
    offered = list[int]()
    offer = module._Best.offer

    def counted(self: Any, rows: Any, single: Any) -> None:
        offered.append(len(rows))
        offer(self, rows, single)

    monkeypatch.setattr(module._Best, "offer", counted)
    top_k(people, weights, 10)
    assert sum(offered) < 0.2 * len(people)
    rng = np.random.default_rng(11)
    close, weights = 70 + 4e-6 * rng.standard_normal((5000, 4)), rng.dirichlet(np.ones(4), 5)
    wanted = by_sorting(close, weights, 10)
    assert_same(top_k(close, weights, 10), *wanted)
    monkeypatch.setattr(module, "_slack", lambda *_: 0.0)
    assert (top_k(close, weights, 10).rows != wanted[0]).any()


def test_equals_beyond_a_list_are_not_looked_at() -> None:
    people = np.repeat(low_rank(5), 200, axis=0)[np.random.default_rng(12).permutation(1000)]
    kept = module._few_alike(people, np.arange(1000), 3)
    assert len(kept) == 15
    for row in kept:
        assert (people[:row] == people[row]).all(axis=1).sum() < 3


def test_bounds_hold() -> None:
    for people in PEOPLE.values():
        for weights in WEIGHTS.values():
            bound = module._centre(weights) @ module._lifted(people.astype(np.float32))
            assert (
                bound + module._slack(people, weights) >= scores(people[:, None], weights).max(axis=1)
            ).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"people": np.zeros(3)}, "must share their aspects"),
        ({"weights": np.zeros((2, 4))}, "must share their aspects"),
        ({"k": 0}, "must be at least 1"),
        ({"block": (0, 1)}, "must be at least 1"),
        ({"people": np.full((3, 2), np.inf)}, "must be finite"),
        ({"weights": np.full((2, 2), np.nan)}, "must be finite"),
        ({"people": np.full((3, 2), 1e30)}, "must be finite"),
        ({"eligible": [np.ones(3, dtype=bool)]}, "together or not at all"),
        ({"eligible": [np.ones(3)], "group": np.zeros(2, dtype=int)}, "each mask"),
        ({"eligible": [np.ones(3, dtype=bool)], "group": np.array([0, 1])}, "group must be"),
        ({"excluded": np.array([[0, 3]])}, "excluded must be pairs"),
        ({"excluded": np.array([0, 1])}, "excluded must be pairs"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {"people": np.ones((3, 2)), "weights": np.ones((2, 2)), "k": 1} | change
    with pytest.raises(ValueError, match=words):
        top_k(arguments.pop("people"), arguments.pop("weights"), arguments.pop("k"), **arguments)
