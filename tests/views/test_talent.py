"""What a talent run says of posts, people and committees, on a run that can be checked by hand."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views import talent
from huanjie_lib.vocabulary import GateStatus, PortraitAspect
from tests.talent_runs import BRIDGE, CLOUD, HOSTILE, LI, OUYANG, ZHANG, ZHANG_TOO, ZHAO, ZHOU, talent_run


@pytest.fixture
def run() -> TalentRun:
    return talent_run()


def replaced(run: TalentRun, **frames: pd.DataFrame) -> TalentRun:
    return TalentRun(run.as_of, run.parameters, {**run.frames, **frames}, {})


class TestPosts:
    def test_posts_that_lack_most_people_come_first(self, run: TalentRun) -> None:
        posts = talent.post_list(run)
        assert posts[["unit_code", "post", "lacking"]].values.tolist() == [
            [BRIDGE, "secretary", 2],
            [HOSTILE, "director", 1],
            [CLOUD, "director", 0],
            [CLOUD, "supervision", 0],
        ]
        assert posts.loc[0, ["key", "township_name"]].tolist() == [f"{BRIDGE}/secretary", "石桥镇"]

    def test_why_a_post_lacks_people_is_told(self, run: TalentRun) -> None:
        told = [talent.gap_sentence(row) for row in talent.post_list(run).to_dict("records")]
        assert told[0] == "要2名人选，已列0名，还缺2名：没有符合条件的人，须补充后备人选。"
        assert "已列1名，还缺1名：符合条件的有4人，但都已排满" in told[1]

    def test_what_a_unit_raises_is_told_with_what_it_was(self, run: TalentRun) -> None:
        industry, finance, reputation = talent.asked(run, CLOUD, "director")
        assert [industry["label"], industry["weight"], industry["raised"]] == ["产业发展", 0.5, False]
        assert (finance["raised"], reputation["raised"]) == (True, False)
        assert finance["plain"] == pytest.approx(0.15 / 0.85)
        assert sum(row["weight"] for row in talent.asked(run, CLOUD, "director")) == pytest.approx(1)

    def test_a_shortlist_says_where_else_its_people_stand(self, run: TalentRun) -> None:
        first, second, third, _ = talent.candidates(run, CLOUD, "director")
        assert [c.person_ref for c in (first, second, third)] == [ZHANG, OUYANG, LI]
        assert (first.listed, first.seated, first.elsewhere) == (True, True, 2)
        assert (second.listed, second.seated, second.elsewhere) == (True, False, 0)
        assert (third.listed, third.elsewhere) == (False, 1)
        assert len(first.reasons) == 2
        assert first.against == ()
        assert second.against[-1] == "财务管理把握不足，须先核实"

    def test_whom_the_city_lists_for_a_post_behind_its_own_list_too(self, run: TalentRun) -> None:
        lists = run.table("lists")
        first = {"unit_code": CLOUD, "post": "director"}
        behind = pd.DataFrame([{**first, "person_ref": ZHAO, "fit": 40.0}])
        found = talent.listed(replaced(run, lists=pd.concat([behind, lists])), CLOUD, "director")
        assert [(row["person_ref"], row["rank"]) for row in found] == [(ZHANG, 1), (OUYANG, 2), (ZHAO, None)]
        assert talent.listed(run, BRIDGE, "secretary") == []

    def test_whoever_stands_behind_a_list_is_told_with_strengths_vote_and_evidence(
        self, run: TalentRun
    ) -> None:
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

    def test_a_post_without_anybody_has_an_empty_list(self, run: TalentRun) -> None:
        assert talent.candidates(run, BRIDGE, "secretary") == ()

    def test_the_head_counts_what_the_tables_hold(self, run: TalentRun) -> None:
        found = talent.summary(run)
        assert (found["posts"], found["lacking_posts"], found["lacking_people"]) == (4, 2, 3)
        assert (found["people"], found["eligible"], found["stale"]) == (6, 4, 2)
        assert (found["short_units"], found["short_people"]) == (1, 1)
        assert (found["tried"], found["diverging"]) == (3, 1)


class TestPeople:
    def test_a_portrait_has_every_aspect_in_order(self, run: TalentRun) -> None:
        frame = talent.portrait(run, ZHANG)
        assert frame["aspect"].tolist() == [aspect.value for aspect in PortraitAspect]
        assert frame.loc[0, ["label", "low", "mean", "high"]].tolist() == ["财务管理", 75.0, 80.0, 85.0]
        with pytest.raises(KeyError):
            talent.portrait(run, "P0")

    def test_differences_add_up_to_that_of_the_fits(self, run: TalentRun) -> None:
        frame = talent.comparison(run, ZHANG, LI, CLOUD, "director")
        assert frame["difference"].sum() == pytest.approx(64.0 - 58.5)
        assert frame.loc[0, ["label", "a_mean", "b_mean"]].tolist() == ["财务管理", 80.0, 70.0]
        assert frame.loc[0, ["a_known", "b_known"]].tolist() == pytest.approx([0.9, 0.9])
        sentence = talent.comparison_sentence(frame, "甲", "乙")
        assert sentence == "甲的适配分比乙高5.5分，按岗位权重折算：财务管理高3.0分；产业发展高2.5分。"
        turned = talent.comparison(run, LI, ZHANG, CLOUD, "director")
        assert talent.comparison_sentence(turned, "乙", "甲") == sentence

    def test_equal_fits_with_other_strengths_are_told_as_that(self) -> None:
        rows = pd.DataFrame({"label": ["财务管理", "法治思维"], "difference": [2.0, -2.0]})
        told = talent.comparison_sentence(rows, "甲", "乙")
        assert told == "甲与乙的适配分相同，按岗位权重折算，甲财务管理高2.0分；法治思维低2.0分。"

    def test_every_refusal_names_rule_source_and_end(self, run: TalentRun) -> None:
        secretary, director, _ = talent.verdicts(run, ZHANG)
        assert (secretary.status, director.status) == (GateStatus.FAIL, GateStatus.PASS)
        assert director.rules == ()
        (rule,) = secretary.rules
        assert rule["source"] == "村民委员会组织法"
        (rule,) = talent.verdicts(run, LI)[1].rules
        assert rule["until"] == "2027年3月1日"
        assert {v.status for v in talent.verdicts(run, ZHAO)} == {GateStatus.FAIL}
        assert {v.status for v in talent.verdicts(run, ZHOU)} == {GateStatus.UNKNOWN}

    def test_kin_in_office_refuse_in_their_unit_alone(self, run: TalentRun) -> None:
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

    def test_tasks_are_ordered_by_what_they_narrow_for_the_post(self, run: TalentRun) -> None:
        assert [task["aspect"] for task in talent.tasks(run, ZHANG)] == ["法治思维", "财务管理"]
        (task,) = talent.tasks(run, ZHANG, {"finance": 0.3, "industry": 0.5})
        assert task["text"] == "补充2025年财务管理的年度考核"
        assert task["narrows"] == pytest.approx(9.0)

    def test_facts_say_what_is_stale_and_what_enters_no_score(self, run: TalentRun) -> None:
        facts = talent.person_facts(run, LI)
        assert facts["所在村（社区）"] == "云溪镇上云村"
        assert facts["登记"].endswith("已400天未更新，请先核实")
        assert facts["学历年龄"].endswith("不计入评分）")
        assert talent.person_facts(run, ZHANG_TOO)["所在村（社区）"] == "其他地方"
        assert "出生年份未填" in talent.person_facts(run, ZHOU)["学历年龄"]
        with pytest.raises(KeyError):
            talent.person_facts(run, "P0")

    def test_steps_and_what_they_would_change(self, run: TalentRun) -> None:
        steps, changes = talent.cultivated(run, LI)
        assert steps == ["村级事务逾期123天"]
        assert changes[0]["unit_name"] == "上云村"
        assert changes[0]["label"] == "主任"
        assert talent.cultivated(run, ZHAO) == ([], [])

    def test_a_trial_is_told_under_the_name_given(self, run: TalentRun) -> None:
        told = talent.trial_sentence(run, LI, name="李*")
        assert told.startswith("李*线上评分折合95.0分、线下考核折合60.0分")
        assert told.endswith("请先查明原因再使用合成分。")
        assert talent.trial_sentence(run, ZHAO, name="赵**") == ""


class TestTables:
    def test_committees_that_miss_most_come_first(self, run: TalentRun) -> None:
        frame = talent.committees(run)
        columns = ["unit_code", "seats", "members", "empty", "targets", "missed", "broken"]
        assert frame[columns].values.tolist() == [
            [HOSTILE, 1, 0, 1, 2, 2, 1],
            [BRIDGE, 1, 0, 1, 2, 1, 1],
            [CLOUD, 2, 2, 0, 2, 1, 0],
        ]

    def test_a_committee_by_post(self, run: TalentRun) -> None:
        assert talent.members(run, CLOUD)[["label", "person_ref"]].values.tolist() == [
            ["主任", ZHANG],
            ["监委会成员", LI],
        ]

    def test_why_a_target_is_missed(self, run: TalentRun) -> None:
        assert [row["why"] for row in talent.checks(run, CLOUD)] == [
            "",
            "合适的人在别的班子或岗位更需要，尽量补足",
        ]
        assert talent.checks(run, HOSTILE)[0]["why"] == "候选人中人数不够，须放宽要求或补充人选"

    def test_what_committees_lack_is_told_in_counts(self, run: TalentRun) -> None:
        assert talent.structure_sentence(run) == (
            "全市3个班子，0个结构要求全部达到；“至少一名妇女成员”2个未达到；"
            "“至少一名35岁以下成员”2个未达到；4个职位空缺2个。"
        )
        proven = {"teams_least": {"women": 2, "young": 0, "seats": 1}}
        told = talent.structure_sentence(replace(run, manifest={"proven": proven}))
        assert "“至少一名妇女成员”2个未达到（怎样搭配都补不上）" in told
        assert "“至少一名35岁以下成员”2个未达到（单看这一条，换人可以达到）" in told
        assert told.endswith("4个职位空缺2个（至少1名怎样搭配都补不上）。")
        nobody = {**run.frames, "team_checks": run.table("team_checks").head(0)}
        assert talent.structure_sentence(replace(run, frames=nobody)) == ""

    def test_what_rules_cost_here_and_in_the_city(self, run: TalentRun) -> None:
        told = [
            (row["rule"], row["here"], row["city"], row["units"]) for row in talent.rule_costs(run, CLOUD)
        ]
        assert told == [("young", 2.0, 12.0, 2), ("women", 3.5, 3.5, 1)]
        assert [row["here"] for row in talent.rule_costs(run, BRIDGE)] == [0.0, 0.0]

    def test_races_by_group_and_who_diverges(self, run: TalentRun) -> None:
        frame = talent.races(run)
        assert frame["group_ref"].tolist() == ["G1", "G2"]
        assert frame[["people", "diverging", "parts"]].values.tolist() == [[2, 0, 1], [1, 1, 1]]
        assert talent.race(run, "G1")["person_ref"].tolist() == [OUYANG, ZHANG]

    def test_what_is_late_comes_first_and_what_is_done_last(self, run: TalentRun) -> None:
        frame = talent.plans(run)
        assert frame["state"].tolist() == ["overdue", "proposed", "done"]
        assert frame["unit_name"].iloc[0] == "上云村"
        assert pd.isna(frame["unit_name"].iloc[1])

    def test_units_that_lack_reserve_come_first(self, run: TalentRun) -> None:
        assert talent.quota(run)["unit_code"].tolist() == [BRIDGE, HOSTILE, CLOUD]

    def test_tasks_of_everybody_narrowing_most_first(self, run: TalentRun) -> None:
        assert talent.all_tasks(run)["gain"].tolist() == [40.0, 30.0, 12.0]


class TestProof:
    def test_one_failed_check_fails_the_whole(self, run: TalentRun) -> None:
        assert talent.proof(run)["status"] is GateStatus.PASS
        checks = run.table("certificate")
        open_one = checks.assign(status=["pass", "unknown", "pass", "pass"])
        assert talent.proof(replaced(run, certificate=open_one))["status"] is GateStatus.UNKNOWN
        failed = talent.proof(
            replaced(run, certificate=open_one.assign(status=["pass", "unknown", "fail", "pass"]))
        )
        assert (failed["status"], failed["failed"]) == (GateStatus.FAIL, 1)

    def test_a_certificate_without_a_check_proves_nothing(self, run: TalentRun) -> None:
        nothing = replaced(run, certificate=run.table("certificate").head(0))
        assert talent.proof(nothing)["status"] is GateStatus.UNKNOWN

    def test_columns_and_groups_are_called_by_their_names(self, run: TalentRun) -> None:
        found = talent.proof(run)
        (row,) = found["changed"]
        assert row["label"] == "性别"
        assert set(row["found"]) == {"flip", "permute", "delete"}
        assert [row["label"] for row in found["proxies"]] == ["性别：女", "少数民族"]
        assert "女的入选率只有最高一组的60.0%" in found["sentences"][0]

    def test_yes_and_no_lie_as_text_and_are_told_apart(self, run: TalentRun) -> None:
        minority = run.table("impact").assign(attribute="is_minority", value=["True", "False"])
        found = talent.proof(replaced(run, impact=minority))
        assert [row["label"] for row in found["impact"]] == ["少数民族", "非少数民族"]
        assert "非少数民族30人中入选6人" in found["sentences"][0]

    def test_groups_of_a_few_are_not_counted_and_nothing_gives_them_away(self, run: TalentRun) -> None:
        columns = list(run.table("impact").columns)
        rows = [
            ("is_minority", "False", 300, 220, 220 / 300, 1.0, None, None, False),
            ("is_minority", "True", 9, 6, 6 / 9, 0.909, 0.5, 1.6, False),
        ]
        impact = pd.DataFrame(rows, columns=columns).astype({"low": "float64", "high": "float64"})
        found = talent.proof(replaced(run, impact=impact))
        told = [(row["people"], row["taken"], row["share"], row["against"]) for row in found["impact"]]
        assert told == [("300", "＊", "—", "—"), ("9", "＊", "—", "—")]  # three of the nine were left out
        assert not {"total", "chosen", "rate", "ratio"} & set(found["impact"][0])
        (sentence,) = found["sentences"]
        assert "不足5人，不列数字" in sentence
        assert "入选率都不低于最高一组的五分之四" in sentence
        behind = talent.proof(replaced(run, impact=impact.assign(flagged=[False, True])))
        assert "少数民族的入选率不足最高一组的五分之四" in behind["sentences"][0]

    def test_ages_are_called_so(self, run: TalentRun) -> None:
        ages = run.table("impact").assign(attribute="age", value=["35岁及以下", "36至45岁"])
        found = talent.proof(replaced(run, impact=ages))
        assert [row["label"] for row in found["impact"]] == ["年龄：35岁及以下", "年龄：36至45岁"]
        assert found["sentences"][0].startswith("年龄：35岁及以下30人中入选10人")
