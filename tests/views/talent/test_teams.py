"""Committees come with the targets they miss, and why."""

from __future__ import annotations

from dataclasses import replace

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views import talent
from tests.talent_runs import BRIDGE, CLOUD, HOSTILE, LI, ZHANG


def test_committees_that_miss_most_come_first(run: TalentRun) -> None:
    frame = talent.committees(run)
    columns = ["unit_code", "seats", "members", "empty", "targets", "missed", "broken"]
    assert frame[columns].values.tolist() == [
        [HOSTILE, 1, 0, 1, 2, 2, 1],
        [BRIDGE, 1, 0, 1, 2, 1, 1],
        [CLOUD, 2, 2, 0, 2, 1, 0],
    ]


def test_a_committee_by_post(run: TalentRun) -> None:
    assert talent.members(run, CLOUD)[["label", "person_ref"]].values.tolist() == [
        ["主任", ZHANG],
        ["监委会成员", LI],
    ]


def test_why_a_target_is_missed(run: TalentRun) -> None:
    assert [row["why"] for row in talent.checks(run, CLOUD)] == [
        "",
        "合适的人在别的班子或岗位更需要，尽量补足",
    ]
    assert talent.checks(run, HOSTILE)[0]["why"] == "候选人中人数不够，须放宽要求或补充人选"


def test_what_committees_lack_is_told_in_counts(run: TalentRun) -> None:
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


def test_what_rules_cost_here_and_in_the_city(run: TalentRun) -> None:
    told = [(row["rule"], row["here"], row["city"], row["units"]) for row in talent.rule_costs(run, CLOUD)]
    assert told == [("young", 2.0, 12.0, 2), ("women", 3.5, 3.5, 1)]
    assert [row["here"] for row in talent.rule_costs(run, BRIDGE)] == [0.0, 0.0]
