"""Thresholds: the least value on the grid that does, and sentences that say it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from huanjie_lib.talent.fit import ASPECTS
from huanjie_lib.talent.reasons import Candidates, Rivals, find_thresholds, least_values
from huanjie_lib.talent.top_k import scores

K = len(ASPECTS)


def test_the_least_value_is_the_first_of_the_grid_that_does() -> None:
    rng = np.random.default_rng(1)
    mean = rng.uniform(0, 100, (40, 4)).round(rng.integers(0, 3, (40, 1))[0, 0])
    weights = rng.dirichlet(np.full(4, 0.5), 40)
    weights[:5, 0] = 0.0
    own = scores(mean, weights)
    others = Rivals(own + rng.choice([-20, -1, -0.01, 0, 0.01, 1, 20], 40), rng.random(40) < 0.5)
    found = least_values(mean, weights, others)
    for i, (values, w) in enumerate(zip(mean, weights, strict=True)):
        for a in range(4):
            wanted = np.inf
            for step in range(1001):
                changed = values.copy()
                changed[a] = step / 10
                fit = scores(changed, w)
                if fit > others.fit[i] or (fit == others.fit[i] and others.first[i]):
                    wanted = step / 10
                    break
            assert found[i, a] == wanted
    assert np.isinf(found).any()
    assert (found == 0).any()


def test_nobody_to_come_before_has_no_threshold() -> None:
    found = least_values(
        np.full((1, 2), 50.0), np.full((1, 2), 0.5), Rivals(np.array([np.nan]), np.array([True]))
    )
    assert np.isinf(found).all()


def candidate(values: dict[str, float], behind: float, ahead: float, rank: int, **change: Any) -> Candidates:
    """Return one person who has 60 points but for some aspects; two are wanted, five are listed."""
    mean = np.full((1, K), 60.0)
    for aspect, value in values.items():
        mean[0, ASPECTS.index(aspect)] = value
    weights = np.zeros((1, K))
    weights[0, :4] = 0.4, 0.3, 0.2, 0.1
    made = Candidates(
        low=mean,
        mean=mean,
        weights=weights,
        rank=np.array([rank]),
        wanted=np.array([2]),
        length=np.array([5]),
        behind=Rivals(np.array([behind]), np.array([False])),
        behind_mean=np.full((1, K), 50.0),
        ahead=Rivals(np.array([ahead]), np.array([False])),
    )
    return replace(made, **change)


def said(people: Candidates) -> tuple[str, str]:
    found = find_thresholds(people)
    return found.reasons[0], found.against[0]


def test_the_first_is_told_what_keeps_them() -> None:
    person = candidate({"finance": 90.0}, behind=70.0, ahead=np.nan, rank=1)
    # 72 points: 2 less are 5 of finance, and 6.7 of law; at 70 the other comes first
    assert said(person) == (
        "财务管理90.0分，低于85.1分将退出前2名；法治思维60.0分，低于53.4分将退出前2名",
        "",
    )


def test_the_second_is_told_the_least_rise_to_the_first_place() -> None:
    person = candidate({}, behind=59.0, ahead=63.0, rank=2)
    reasons, against = said(person)
    assert reasons == "财务管理60.0分，低于57.6分将退出前2名；法治思维60.0分，低于56.7分将退出前2名"
    assert against == "财务管理达到67.6分可升至第1名；法治思维达到70.1分可升至第1名"


def test_whoever_is_not_wanted_is_told_of_the_list_and_of_the_people_wanted() -> None:
    reasons, against = said(candidate({}, behind=59.0, ahead=63.0, rank=3))
    assert "将退出前5名" in reasons
    assert "财务管理达到67.6分可进入前2名" in against


def test_what_is_not_known_is_to_be_verified_first() -> None:
    person = candidate({}, behind=59.0, ahead=np.nan, rank=1)
    low = person.mean.copy()
    low[0, :2] = 57.5, 40.0
    found = find_thresholds(replace(person, low=low))
    assert found.against == ["法治思维把握不足，按最低40.0分计将退出前2名，须先核实"]
    verify = found.frame[found.frame["kind"] == "verify"].iloc[0]
    assert (verify["aspect"], verify["value"], verify["place"]) == ("law", 40.0, 2)
    low[0, :2] = 57.6, 56.7  # the least that do
    assert find_thresholds(replace(person, low=low)).against == [""]


def test_a_hair_above_the_other_is_told_as_a_hair() -> None:
    person = candidate({"finance": 60.05}, behind=60.01, ahead=np.nan, rank=1)
    assert said(person)[0].startswith("财务管理60.0分，再低0.1分将退出前2名；")


def test_what_no_aspect_alone_can_do_is_said() -> None:
    far_behind = candidate({}, behind=20.0, ahead=99.0, rank=2)
    assert said(far_behind) == ("任何一项单独降到0分都仍在前2名", "任何一项单独提高到100分都不能升至第1名")
    alone = candidate({}, behind=np.nan, ahead=99.0, rank=3, behind_mean=np.full((1, K), np.nan))
    assert said(alone) == ("符合条件的不足6人，不会退出前5名", "任何一项单独提高到100分都不能进入前2名")


def test_an_aspect_without_weight_is_no_reason() -> None:
    found = find_thresholds(candidate({"trial": 100.0}, behind=59.0, ahead=63.0, rank=2))
    assert set(found.frame["aspect"]) == {"finance", "law"}


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_thresholds_stand_in_order_with_what_they_rest_on(rank: int) -> None:
    frame = find_thresholds(candidate({}, behind=59.0, ahead=np.nan if rank == 1 else 63.0, rank=rank)).frame
    assert frame["kind"].tolist() == ["stay", "stay"] + (["reach", "reach"] if rank > 1 else [])
    assert frame.columns.tolist() == ["candidate", "kind", "aspect", "value", "threshold", "place"]
    assert set(frame["value"]) == {60.0}
