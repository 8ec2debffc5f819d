"""Changes of standing: tried by letting the person move and ranking everybody again."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from huanjie_lib.parameters import load_parameters
from huanjie_lib.talent.cultivation import raised
from huanjie_lib.talent.portrait import ASPECTS, Portraits
from huanjie_lib.talent.standing import Standing, standing_changes
from huanjie_lib.talent.top_k import scores, top_k

PACK = load_parameters().talent
assert PACK is not None
K = len(ASPECTS)
PEOPLE, POSTS, POOL, LENGTH = 9, 3, 6, 2

#: Few different values, so that people are often level.
values = arrays(np.float64, (PEOPLE, K), elements=st.sampled_from([40.0, 50.0, 58.0, 95.0, 100.0]))
weights = arrays(np.float64, (POSTS, K), elements=st.sampled_from([0.0, 1.0, 2.0]))


def portrayed(mean: np.ndarray) -> Portraits:
    refs = np.array([f"P{number}" for number in range(len(mean))], dtype=object)
    none = pd.DataFrame()
    return Portraits(refs, ASPECTS, mean, mean, mean, mean, none, none, dt.date(2026, 10, 31), "test")


def changes_of(mean: np.ndarray, weight: np.ndarray, pool: np.ndarray, length: int = LENGTH) -> Standing:
    assert PACK is not None
    posts = pd.DataFrame({"unit_code": [f"u{n}" for n in range(len(weight))], "post": "member"}, dtype="str")
    return standing_changes(portrayed(mean), posts, weight, pool, PACK, length=length)


def rank_of(person: int, mean: np.ndarray, weight: np.ndarray) -> int:
    """Return the rank among all, found by ranking all."""
    rows = top_k(mean, weight[None], len(mean)).rows[0]
    return int(np.flatnonzero(rows == person)[0]) + 1


@settings(max_examples=40)
@given(values, weights)
def test_the_new_rank_is_the_one_among_all_when_the_person_moves(mean: np.ndarray, drawn: np.ndarray) -> None:
    assert PACK is not None
    weight = (drawn + 0.01) / (drawn + 0.01).sum(axis=1, keepdims=True)
    pool = top_k(mean, weight, POOL).rows
    found = changes_of(mean, weight, pool).changes.set_index(["unit_code", "person_ref"])
    days = {rule.step.value: rule.days for rule in PACK.steps}
    for post in range(POSTS):
        for place, person in enumerate(pool[post]):
            after: dict[str, int] = {}
            for rule in PACK.steps:
                moved = mean.copy()
                moved[person] = raised(mean[person], rule)
                after[rule.step.value] = rank_of(person, moved, weight[post])
            best = min(after.values())
            matters = (place >= LENGTH and best <= LENGTH) or (place > 0 and best == 1)
            key = (f"u{post}", f"P{person}")
            assert (key in found.index) is matters
            if matters:
                row = found.loc[key]
                assert (row["rank"], row["rank_after"]) == (place + 1, best)
                assert row["fit"] == scores(mean[person], weight[post])
                furthest = [step for step, rank in after.items() if rank == best]
                assert row["step"] == min(furthest, key=lambda step: days[step])


def test_places_of_short_pools_stay_empty() -> None:
    mean = np.full((2, K), 50.0)
    mean[1] = 49.0
    found = changes_of(mean, np.full((1, K), 1 / K), np.array([[0, 1, -1, -1]]), length=1)
    assert found.changes[["person_ref", "rank", "rank_after"]].to_numpy().tolist() == [["P1", 2, 1]]
    nobody = changes_of(mean, np.full((1, K), 1 / K), np.array([[-1, -1]]))
    assert nobody.changes.empty


def test_posts_taken_in_parts_are_posts_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    mean, weight = rng.integers(40, 70, (PEOPLE, K)).astype(float), rng.dirichlet(np.ones(K), 7)
    pool = top_k(mean, weight, POOL).rows
    whole = changes_of(mean, weight, pool).changes
    monkeypatch.setattr("huanjie_lib.talent.standing.POSTS_AT_ONCE", 2)
    pd.testing.assert_frame_equal(changes_of(mean, weight, pool).changes, whole)
    assert whole["unit_code"].nunique() > 4


def test_a_unit_explains_who_could_move() -> None:
    mean = np.array([[60.0] * K, [59.0] * K, [58.5] * K, [10.0] * K])
    weight = np.full((2, K), 1 / K)
    found = changes_of(mean, weight, np.array([[0, 1, 2, 3], [0, -1, -1, -1]]))
    assert (
        found.explain("u0", name="石桥村") == "石桥村：完成一项培养后，委员1人可进入前2名、2人可升至第1名。"
    )
    assert found.explain("u1") == "u1：没有人因完成一项培养而进入名单或升至第1名。"
    assert repr(found) == "Standing(posts=2, changes=2, parameters='default@2026.1')"
    assert found.to_frame().equals(found.changes)
    text = found.changes["text"].tolist()
    assert text[0] == "完成急难险重（60天）预计由第2名升至第1名"
    assert text[1].endswith("由第3名升至第1名，进入前2名")
    with pytest.raises(KeyError):
        found.explain("u9")


def test_without_steps_nothing_moves() -> None:
    assert PACK is not None
    bare = PACK.model_copy(update={"steps": ()})
    posts = pd.DataFrame({"unit_code": ["u0"], "post": ["member"]}, dtype="str")
    found = standing_changes(
        portrayed(np.full((2, K), 50.0)), posts, np.full((1, K), 1 / K), np.array([[0, 1]]), bare, length=1
    )
    assert found.changes.empty
    assert found.changes.columns.tolist()[:3] == ["unit_code", "post", "person_ref"]
