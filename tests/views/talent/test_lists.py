"""Lists say where else their people stand, and what speaks for and against them."""

from __future__ import annotations

import pandas as pd

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views import talent
from tests.talent_runs import BRIDGE, CLOUD, LI, OUYANG, ZHANG, ZHAO, ZHOU, replaced


def test_a_shortlist_says_where_else_its_people_stand(run: TalentRun) -> None:
    first, second, third, _ = talent.candidates(run, CLOUD, "director")
    assert [c.person_ref for c in (first, second, third)] == [ZHANG, OUYANG, LI]
    assert (first.listed, first.seated, first.elsewhere) == (True, True, 2)
    assert (second.listed, second.seated, second.elsewhere) == (True, False, 0)
    assert (third.listed, third.elsewhere) == (False, 1)
    assert len(first.reasons) == 2
    assert first.against == ()
    assert second.against[-1] == "财务管理把握不足，须先核实"


def test_whom_the_city_lists_for_a_post_behind_its_own_list_too(run: TalentRun) -> None:
    lists = run.table("lists")
    first = {"unit_code": CLOUD, "post": "director"}
    behind = pd.DataFrame([{**first, "person_ref": ZHAO, "fit": 40.0}])
    found = talent.listed(replaced(run, lists=pd.concat([behind, lists])), CLOUD, "director")
    assert [(row["person_ref"], row["rank"]) for row in found] == [(ZHANG, 1), (OUYANG, 2), (ZHAO, None)]
    assert talent.listed(run, BRIDGE, "secretary") == []


def test_whoever_stands_behind_a_list_is_told_with_strengths_vote_and_evidence(run: TalentRun) -> None:
    pairs = pd.DataFrame(
        [
            (CLOUD, "director", ZHANG),
            (CLOUD, "director", OUYANG),
            (CLOUD, "director", ZHOU),
            (BRIDGE, "secretary", ZHAO),
        ],
        columns=["unit_code", "post", "person_ref"],
        index=[7, 5, 3, 1],
    )
    found = talent.grounds(run, pairs)
    assert found.index.tolist() == [7, 5, 3, 1]
    elsewhere = "不是本村（社区）人选，须先依法取得当地选民资格"
    nothing = "本岗位看重的要素都没有材料，适配分只是中间值，须先核实"
    assert found.values.tolist() == [
        ["本岗位看重的要素中较强的：财务管理80.0分、产业发展60.0分", ""],
        ["本岗位看重的要素中较强的：产业发展70.0分", elsewhere],
        ["", f"资格待核实；{elsewhere}；{nothing}"],
        ["", f"资格不通过；{nothing}"],  # a secretary needs no vote in the unit
    ]
    weights = run.table("weights")
    reputation = weights["aspect"] == "reputation"
    doubled = weights.assign(weight=weights["weight"].where(~reputation, 1.6 * weights["weight"]))
    halved = doubled.assign(weight=doubled["weight"].where(doubled["aspect"] != "finance", 0.0))
    (told,) = talent.grounds(replaced(run, weights=halved), pairs.head(1))["against"]
    assert told == "本岗位看重的要素只有45%有材料，须先核实"
    assert talent.grounds(run, pairs.head(0)).empty


def test_a_post_without_anybody_has_an_empty_list(run: TalentRun) -> None:
    assert talent.candidates(run, BRIDGE, "secretary") == ()
