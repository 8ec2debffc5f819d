"""What is told of a person adds up, names its sources and says what enters no score."""

from __future__ import annotations

import pandas as pd
import pytest

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views import talent
from huanjie_lib.vocabulary import GateStatus, PortraitAspect
from tests.talent_runs import BRIDGE, CLOUD, HOSTILE, LI, ZHANG, ZHANG_TOO, ZHAO, ZHOU, replaced


def test_a_portrait_has_every_aspect_in_order(run: TalentRun) -> None:
    frame = talent.portrait(run, ZHANG)
    assert frame["aspect"].tolist() == [aspect.value for aspect in PortraitAspect]
    assert frame.loc[0, ["label", "low", "mean", "high"]].tolist() == ["财务管理", 75.0, 80.0, 85.0]
    with pytest.raises(KeyError):
        talent.portrait(run, "P0")


def test_differences_add_up_to_that_of_the_fits(run: TalentRun) -> None:
    frame = talent.comparison(run, ZHANG, LI, CLOUD, "director")
    assert frame["difference"].sum() == pytest.approx(64.0 - 58.5)
    assert frame.loc[0, ["label", "a_mean", "b_mean"]].tolist() == ["财务管理", 80.0, 70.0]
    assert frame.loc[0, ["a_known", "b_known"]].tolist() == pytest.approx([0.9, 0.9])
    sentence = talent.comparison_sentence(frame, "甲", "乙")
    assert sentence == "甲的适配分比乙高5.5分，按岗位权重折算：财务管理高3.0分；产业发展高2.5分。"
    turned = talent.comparison(run, LI, ZHANG, CLOUD, "director")
    assert talent.comparison_sentence(turned, "乙", "甲") == sentence


def test_equal_fits_with_other_strengths_are_told_as_that() -> None:
    rows = pd.DataFrame({"label": ["财务管理", "法治思维"], "difference": [2.0, -2.0]})
    told = talent.comparison_sentence(rows, "甲", "乙")
    assert told == "甲与乙的适配分相同，按岗位权重折算，甲财务管理高2.0分；法治思维低2.0分。"


def test_every_refusal_names_rule_source_and_end(run: TalentRun) -> None:
    secretary, director, _ = talent.verdicts(run, ZHANG)
    assert (secretary.status, director.status) == (GateStatus.FAIL, GateStatus.PASS)
    assert director.rules == ()
    (rule,) = secretary.rules
    assert rule["source"] == "村民委员会组织法"
    (rule,) = talent.verdicts(run, LI)[1].rules
    assert rule["until"] == "2027年3月1日"
    assert {v.status for v in talent.verdicts(run, ZHAO)} == {GateStatus.FAIL}
    assert {v.status for v in talent.verdicts(run, ZHOU)} == {GateStatus.UNKNOWN}


def test_kin_in_office_refuse_in_their_unit_alone(run: TalentRun) -> None:
    kin = {
        "person_ref": LI,
        "post": "supervision",
        "rule": "post_avoids_kin",
        "label": "近亲属回避的岗位",
        "status": "fail",
        "reason": "与在任的村（居）委会成员是近亲属（配偶）",
        "unit_code": CLOUD,
    }
    rules = run.table("eligibility")
    kept = rules[rules["person_ref"] != LI]
    one = kept.iloc[:1].assign(**kin)
    held = replaced(run, eligibility=pd.concat([kept, one], ignore_index=True))
    posts = pd.DataFrame({"unit_code": [CLOUD, HOSTILE], "post": "supervision", "person_ref": LI})
    told = talent.grounds(held, posts)["against"].str.split("；").str[0].tolist()
    assert told == ["资格不通过", "不是本村（社区）人选，须先依法取得当地选民资格"]

    def supervision(unit: str) -> tuple[GateStatus, list[str]]:
        verdict = talent.verdicts(held, LI, unit)[-1]
        return verdict.status, [rule["reason"] for rule in verdict.rules]

    assert supervision(CLOUD) == (GateStatus.FAIL, [kin["reason"]])
    assert supervision(BRIDGE) == (GateStatus.PASS, [])
    assert supervision("") == (GateStatus.PASS, [f"上云村：{kin['reason']}"])
    assert {v.status for v in talent.verdicts(held, LI, CLOUD)[:-1]} == {GateStatus.PASS}


def test_tasks_are_ordered_by_what_they_narrow_for_the_post(run: TalentRun) -> None:
    assert [task["aspect"] for task in talent.tasks(run, ZHANG)] == ["法治思维", "财务管理"]
    (task,) = talent.tasks(run, ZHANG, {"finance": 0.3, "industry": 0.5})
    assert task["text"] == "补充2025年财务管理的年度考核"
    assert task["narrows"] == pytest.approx(9.0)


def test_facts_say_what_is_stale_and_what_enters_no_score(run: TalentRun) -> None:
    facts = talent.person_facts(run, LI)
    assert facts["所在村（社区）"] == "云溪镇上云村"
    assert facts["登记"].endswith("已400天未更新，请先核实")
    assert facts["学历年龄"].endswith("不计入评分）")
    assert talent.person_facts(run, ZHANG_TOO)["所在村（社区）"] == "其他地方"
    assert "出生年份未填" in talent.person_facts(run, ZHOU)["学历年龄"]
    with pytest.raises(KeyError):
        talent.person_facts(run, "P0")


def test_steps_and_what_they_would_change(run: TalentRun) -> None:
    steps, changes = talent.cultivated(run, LI)
    assert steps == ["村级事务逾期123天"]
    assert changes[0]["unit_name"] == "上云村"
    assert changes[0]["label"] == "主任"
    assert talent.cultivated(run, ZHAO) == ([], [])
