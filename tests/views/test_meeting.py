"""The meeting's figures are those of the run and its ledgers, and what is not there is told."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.exports.backtest import export_backtest
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.meeting import Backtest, meeting_of
from huanjie_lib.vocabulary import CaseState, GateStatus, Level
from tests.meetings import LAST, bare_meeting, card, casework, last_run, result, whole_meeting


def test_counts_and_changes_are_since_the_last_meeting_as_it_saw_them() -> None:
    meeting, now, then = whole_meeting(), result().index, last_run().index
    for row in meeting.counts.to_dict("records"):
        assert row["count"] == (now["level"] == row["level"]).sum()
        assert row["before"] == (then["level"] == row["level"]).sum()
        assert row["change"] == row["count"] - row["before"]
    assert meeting.counts["share"].sum() == pytest.approx(1)
    assert (meeting.since, meeting.since_meeting, meeting.since_version) == (LAST, True, "")
    assert "与上次会议（2026年9月30日）相比" in meeting.overview.picture[1]
    change = now.set_index("unit_code")["index"] - then.set_index("unit_code")["index"]
    units = meeting.to_frame()
    assert units["change"].to_numpy() == pytest.approx(change.reindex(units.index).to_numpy())


def test_what_the_last_meeting_saw_stands_though_it_would_be_judged_otherwise_today() -> None:
    then = last_run()
    seen = dataclasses.replace(then, index=then.index.assign(level=Level.RED.value))
    meeting = meeting_of(whole_meeting().run, earlier=seen)
    red = meeting.counts.set_index("level")["before"]["red"]
    assert red == len(then.index)
    assert len(meeting.turned) == (result().index["level"] != "red").sum()
    assert meeting.trend.set_index("as_of").loc[pd.Timestamp(LAST), "red"] == red


def test_sentences_tables_and_red_units_agree() -> None:
    meeting = whole_meeting()
    into, out = map(int, re.findall(r"新转为红色(\d+)个、脱离红色(\d+)个", meeting.overview.picture[1])[0])
    assert into == (meeting.turned["level"] == "red").sum()
    assert into == sum(bool(unit.newly_red) for unit in meeting.reds)
    assert out == (meeting.turned["from_level"] == "red").sum()
    assert len(meeting.reds) == meeting.counts.set_index("level").loc["red", "count"] > 0
    assert meeting.league["red"].sum() == len(meeting.reds)
    assert [unit.index for unit in meeting.reds] == sorted(unit.index or 0 for unit in meeting.reds)


def test_a_red_unit_carries_reasons_gates_measures_and_who_answers() -> None:
    meeting, frames = whole_meeting(), result().ledgers.frames
    gates = result().gates
    open_gates = gates[gates["status"] != GateStatus.PASS.value].groupby("unit_code").size()
    plans = frames["conflict_units"].set_index("unit_code")
    audits = frames["audit_units"].set_index("unit_code")
    steps = meeting.run.remedy_steps.groupby("unit_code").size()
    cases, _ = casework()
    shown = cases[~cases["restricted"].astype("bool")].groupby("unit_code").size()
    past = result().history.sort_values("as_of").groupby("unit_code")
    for unit in meeting.reds:
        assert unit.gates is not None
        assert len(unit.gates) == open_gates.get(unit.unit_code, 0)
        assert len(unit.steps) == steps.get(unit.unit_code, 0)
        assert unit.leader == (plans["leader"].fillna("")[unit.unit_code])
        assert ("包干领导" in (unit.lacking or ())) == (unit.leader == "")
        assert unit.problems_open == audits.loc[unit.unit_code, "problems_open"]
        assert unit.disputes_open == plans.loc[unit.unit_code, "disputes_open"]
        assert unit.cases_open == shown.get(unit.unit_code, 0)
        assert unit.reasons
        levels = past.get_group(unit.unit_code)["level"].iloc[::-1].ne("red").tolist()
        assert unit.snapshots_red == [*levels, True].index(True)
    assert meeting.coverage is not None
    assert meeting.coverage.red_lacking == sum(bool(unit.lacking) for unit in meeting.reds)
    assert meeting.coverage.problems_open == audits["problems_open"].sum()
    assert meeting.coverage.audit["area"].iloc[0] == "全市"


def test_the_loop_counts_no_case_from_leads() -> None:
    meeting = whole_meeting()
    cases, events = casework()
    assert meeting.loop is not None
    total = meeting.loop.total
    assert total["cases"] == (~cases["restricted"].astype("bool")).sum() < len(cases)
    dispatched = cases[~cases["restricted"].astype("bool")]["state"] == CaseState.DISPATCHED.value
    assert total["dispatched"] == dispatched.sum() > 0
    assert meeting.loop.sequence == len(events)


def test_a_meeting_of_a_run_alone_tells_what_it_lacks() -> None:
    meeting = bare_meeting()
    assert meeting.since is None
    assert meeting.counts["change"].isna().all()
    assert meeting.turned.empty
    assert (meeting.coverage, meeting.loop, meeting.regained, meeting.backtest) == (None,) * 4
    unit = meeting.reds[0]
    assert unit.newly_red is None
    assert (unit.leader, unit.lacking, unit.problems_open, unit.cases_open) == (None,) * 4
    told = "".join(meeting.gaps)
    for lacking in ("没有指定上次会议的评估", "没有审计、矛盾台账", "没有案件台账", "没有用往届数据回测"):
        assert lacking in told
    assert whole_meeting().gaps == ()


def test_a_township_meeting_is_about_its_units_alone() -> None:
    code = str(whole_meeting().league["township_code"].iloc[0])
    meeting = whole_meeting(code)
    row = whole_meeting().league.set_index("township_code").loc[code]
    assert meeting.area == row["township_name"]
    assert meeting.title == f"{row['township_name']}村（社区）“两委”换届选情汇报"
    assert set(meeting.units["unit_code"].str[:9]) == {code}
    assert dict(meeting.counts[["level", "count"]].to_numpy()) == {
        level: row[level] for level in meeting.counts["level"]
    }
    assert [unit.unit_code for unit in meeting.reds] == [
        unit.unit_code for unit in whole_meeting().reds if unit.unit_code.startswith(code)
    ]
    assert meeting.coverage is not None
    assert meeting.coverage.audit["area"].tolist() == [row["township_name"]]
    assert meeting.overview.picture[4].startswith(f"{row['township_name']}指数最低的村（社区）是")
    assert set(meeting.loop.figures.cases["township_code"]) <= {code}
    with pytest.raises(DataError, match="管辖范围内没有村"):
        meeting_of(meeting.run, township="110101001")


def test_a_township_is_told_no_reason_from_reports_but_the_same_index() -> None:
    meeting = whole_meeting()
    leads = meeting.run.indicators["source_table"] == "leads"
    costly = meeting.run.indicators[leads & (meeting.run.indicators["points"] > 3.5)]
    code = str(costly["unit_code"].iloc[0])
    reasons = set(meeting.run.indicators.loc[leads, "reason"])

    def from_reports(row: dict[str, str]) -> list[str]:
        told = [row[f"reason_{n}"] for n in (1, 2, 3)]
        return [text for text in told if text.split("（扣")[0] in reasons]

    town = whole_meeting(code[:9])
    assert from_reports(meeting.to_frame().loc[code].to_dict())
    assert not [row for row in town.units.to_dict("records") if from_reports(row)]
    assert town.to_frame().loc[code, "index"] == meeting.to_frame().loc[code, "index"]
    assert any("不列由举报线索得出的扣分原因" in gap for gap in town.gaps)
    assert "线索" not in town.overview.picture[3]


def test_an_earlier_run_must_be_earlier() -> None:
    with pytest.raises(DataError, match="早于2026年10月31日的评估"):
        meeting_of(whole_meeting().run, earlier=whole_meeting().run)


def test_changed_rules_are_told() -> None:
    then = last_run()
    other = then.parameters.model_copy(update={"region": "elsewhere"})
    meeting = meeting_of(whole_meeting().run, earlier=dataclasses.replace(then, parameters=other))
    assert meeting.since_version == other.version
    assert any("口径调整" in gap for gap in meeting.gaps)


def test_a_written_backtest_reads_as_it_was(tmp_path: Path) -> None:
    export_backtest(card(), tmp_path / "b")
    read, made = Backtest.read(tmp_path / "b"), Backtest.of(card())
    assert read.facts == made.facts
    pd.testing.assert_frame_equal(read.misses, made.misses, check_dtype=False)
    assert repr(read) == repr(made)
    with pytest.raises(DataError, match="不是回测结果"):
        Backtest.read(tmp_path)


def test_misses_have_names_and_are_those_of_the_meetings_units() -> None:
    run = whole_meeting().run
    units = run.units.drop_duplicates("township_code").head(2)
    made = Backtest.of(card())
    misses = made.misses.head(3).assign(
        unit=[*units["unit_code"], "甲县东镇01村"], region=[*units["township_code"], "甲县"]
    )
    coded = dataclasses.replace(made, misses=misses)
    names = (units["township_name"] + units["unit_name"]).tolist()
    whole = meeting_of(run, backtest=coded).backtest
    part = meeting_of(run, backtest=coded, township=units["township_code"].iloc[1]).backtest
    assert whole is not None
    assert part is not None
    assert whole.misses["unit_name"].tolist() == [*names, "甲县东镇01村"]
    assert whole.misses["region_name"].tolist() == [*units["township_name"], "甲县"]
    assert part.misses["unit_name"].tolist() == names[1:]


def test_it_explains_itself(small_run: Run) -> None:
    meeting = meeting_of(small_run)
    assert repr(meeting).startswith("Meeting(area='全市', units=12, red=")
    for unit in meeting.reds:
        assert "红色" in meeting.explain(unit.unit_code)
    with pytest.raises(KeyError):
        meeting.explain("0")
    assert "=1+1村" in meeting.explain("990101101203")
    names = dict(meeting.digests)
    assert names["参数"] == small_run.parameters.digest
    assert not any(name.startswith("restricted/") for name in names)
