"""Tables and figures for analysts agree with the run, and name nobody whole."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views import talent_tables as tables
from tests.talent_runs import CLOUD, LI, NAMES, ZHANG, talent_run


@pytest.fixture
def run() -> TalentRun:
    return talent_run()


def test_no_table_holds_a_whole_pseudonym(run: TalentRun) -> None:
    found = [
        tables.needs_table(run),
        tables.refusal_table(run),
        tables.shortlist_table(run, CLOUD, "director"),
        tables.comparison_table(run, ZHANG, LI, CLOUD, "director"),
        tables.crowding_table(run),
        tables.structure_table(run),
        tables.race_table(run, "G1"),
        tables.proof_table(run),
    ]
    told = "\n".join(frame.to_csv() for frame in found)
    assert not [ref for ref in NAMES if ref in told]


def test_refusals_by_rule_worst_first(run: TalentRun) -> None:
    frame = tables.refusal_table(run)
    assert frame["条件"].tolist()[:2] == ["受过刑事处罚", "须为正式党员的岗位"]
    assert frame[["不通过", "待核实"]].sum().tolist() == [2, 2]


def test_a_shortlist_and_a_comparison_in_words(run: TalentRun) -> None:
    frame = tables.shortlist_table(run, CLOUD, "director")
    assert frame.loc[0, ["代号", "适配分", "统筹列入"]].tolist() == [ZHANG[-4:], 64.0, "是"]
    frame = tables.comparison_table(run, ZHANG, LI, CLOUD, "director")
    assert frame["适配分差"].sum() == pytest.approx(5.5)
    assert frame["要素"].tolist() == ["财务管理", "产业发展", "群众口碑"]


def test_tasks_in_the_order_of_what_they_narrow(run: TalentRun) -> None:
    frame = tables.tasks_table(run, ZHANG, CLOUD, "supervision")
    assert frame["要做的事"].tolist() == ["补充2025年财务管理的年度考核", "补充2026年法治思维的培训考核"]
    assert frame["适配分区间可收窄"].tolist() == [18.0, 16.0]


def test_own_lists_crowd_and_shared_ones_do_not(run: TalentRun) -> None:
    frame = tables.crowding_table(run)
    assert frame["要列的人次"].tolist() == [8, 8]
    assert frame["列入的人次"].tolist() == [6, 5]
    assert frame["一人最多列"].tolist() == [3, 3]
    assert frame["超出每人上限的人次"].tolist() == [0, 0]


def test_rules_of_structure_over_the_city(run: TalentRun) -> None:
    frame = tables.structure_table(run).set_index("要求")
    young = frame.loc["至少一名35岁以下成员"]
    assert young.drop("怎样搭配都补不上（名）").tolist() == [3, 1, 2, 2, 12.0]
    assert pd.isna(young["怎样搭配都补不上（名）"])  # this run does not tell
    assert frame.loc["职位配齐", ["达标", "还缺（名）"]].tolist() == [1, 2]
    told = replace(run, manifest={"proven": {"teams_least": {"young": 0, "seats": 1}}})
    least = tables.structure_table(told).set_index("要求")["怎样搭配都补不上（名）"]
    assert least.dropna().to_dict() == {"至少一名35岁以下成员": 0, "职位配齐": 1}


def test_races_and_proof_in_words(run: TalentRun) -> None:
    assert tables.race_table(run, "G2")["线上线下不一致"].tolist() == ["是，先查明"]
    assert tables.proof_table(run).loc["性别"].tolist() == ["结果不变"] * 3


def test_figures_show_what_the_tables_say(run: TalentRun) -> None:
    (axes,) = tables.shortlist_figure(run, CLOUD, "director").axes
    (dots,) = axes.lines
    assert sorted(dots.get_xdata()) == pytest.approx([43.5, 58.5, 60.0, 64.0])
    (axes,) = tables.known_figure(run).axes
    widths = {
        label.get_text(): bar.get_width()
        for label, bar in zip(axes.get_yticklabels(), axes.patches, strict=True)
    }
    assert widths["财务管理"] == pytest.approx(100 * 4 * 0.9 / 6)
    assert widths["群众口碑"] == 0.0
