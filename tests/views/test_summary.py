"""The overview's figures, its five sentences, and the profile of one unit."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re

import pandas as pd
import pytest

from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.summary import Admission, LevelCount, overview, unit_profile
from huanjie_lib.views.tables import gate_progress, township_league
from huanjie_lib.vocabulary import GateStatus, Level, Topic, UnitKind, ValueStatus


def counts(run: Run, date: dt.date) -> dict[str, int]:
    frame = run.history[run.history["as_of"] == pd.Timestamp(date)]
    return {level.value: int((frame["level"] == level.value).sum()) for level in Level}


def first_run(run: Run) -> Run:
    return dataclasses.replace(run, history=run.history.iloc[:0])


def test_counts_and_changes(small_run: Run) -> None:
    view = overview(small_run)
    before = counts(small_run, dt.date(2026, 9, 30))
    after = counts(small_run, dt.date(2026, 10, 31))
    assert view.levels == tuple(
        LevelCount(level, after[level.value], after[level.value] - before[level.value])
        for level in (Level.RED, Level.YELLOW, Level.GREEN)
    )
    assert view.units == 12
    assert view.to_verify == int(small_run.index["to_verify"].sum())
    assert (view.as_of, view.previous_as_of) == (dt.date(2026, 10, 31), dt.date(2026, 9, 30))
    assert view.mean_index == pytest.approx(small_run.index["index"].mean())
    assert view.parameter_version == small_run.parameters.version


def test_units_without_data_are_counted_only_where_there_are_any(small_run: Run) -> None:
    index = small_run.index.copy()
    index.loc[0, "level"] = "unknown"
    view = overview(dataclasses.replace(small_run, index=index))
    assert view.levels[-1] == LevelCount(Level.UNKNOWN, 1, 1)
    assert "无数据1个" in view.picture[0]


def test_admission_counts_share_out_the_units(small_run: Run) -> None:
    view = overview(small_run)
    assert view.admission == Admission(passed=5, failed=4, unknown=3)


def test_contested_colours_are_counted_and_said(small_run: Run) -> None:
    contested = int(small_run.uncertainty["contested"].sum())
    view = overview(small_run)
    assert view.contested == contested > 0
    assert f"{contested}个颜色有争议，定色前应会商" in view.picture[0]
    code = small_run.uncertainty.loc[small_run.uncertainty["contested"], "unit_code"].iloc[0]
    profile = unit_profile(small_run, code)
    assert profile.contested
    sure = profile.readings[0]
    assert sure.topic is Topic.CERTAINTY
    assert "颜色有争议" in sure.text
    assert profile.unit_name in sure.text


def test_readings_are_told_in_order_and_name_units(small_run: Run) -> None:
    order = list(Topic)
    told = set()
    for code in small_run.units["unit_code"]:
        profile = unit_profile(small_run, code)
        topics = [reading.topic for reading in profile.readings]
        assert topics == sorted(topics, key=order.index)
        told |= set(topics)
        assert not any(re.search(r"\d{12}", reading.text) for reading in profile.readings)
    assert told >= {Topic.CERTAINTY, Topic.REMEDY, Topic.TREND}


def test_picture_is_five_sentences_whose_figures_agree(small_run: Run) -> None:
    view = overview(small_run)
    state, movement, admission, causes, townships = view.picture
    assert all(sentence.endswith("。") and sentence.count("。") == 1 for sentence in view.picture)
    for count in view.levels:
        assert f"{count.level.label}{count.count}个（{100 * count.count / 12:.1f}%）" in state
    assert f"{view.to_verify}个等级待核实" in state
    assert "2026年9月30日" in movement
    assert "准入清单：5个（41.7%）" in admission
    worst = gate_progress(small_run).sort_values("share", kind="stable").iloc[0]
    assert f"“{worst['gate']}”，{worst['failed'] + worst['unknown']}个未通过" in admission
    lost = small_run.points_lost.groupby("indicator")["points"].sum().sort_values(ascending=False) / 12
    first = small_run.parameters.framework.indicator(str(lost.index[0]))
    assert f"{first.label}（{lost.iloc[0]:.1f}分）" in causes
    last = township_league(small_run).iloc[0]
    assert f"{last['township_name']}（平均{last['mean_index']:.1f}，红色{last['red']}个）" in townships


def test_movement_counts_who_turned_red_and_who_left(small_run: Run) -> None:
    history = small_run.history.copy()
    september = history["as_of"] == pd.Timestamp(2026, 9, 30)
    red = set(small_run.index.loc[small_run.index["level"] == "red", "unit_code"])
    history.loc[september, "level"] = "yellow"
    turned = overview(dataclasses.replace(small_run, history=history)).picture[1]
    assert f"新转为红色{len(red)}个、脱离红色0个" in turned
    history.loc[september, "level"] = "red"
    left = overview(dataclasses.replace(small_run, history=history)).picture[1]
    assert f"新转为红色0个、脱离红色{12 - len(red)}个" in left


def test_first_run_says_that_nothing_can_be_compared(small_run: Run) -> None:
    view = overview(first_run(small_run))
    assert view.previous_as_of is None
    assert {count.change for count in view.levels} == {None}
    assert view.to_verify_change is None
    assert "不能比较" in view.picture[1]


def test_without_gates_the_picture_says_so(small_run: Run) -> None:
    parameters = small_run.parameters.model_copy(update={"gates": None})
    view = overview(dataclasses.replace(small_run, parameters=parameters, gates=small_run.gates.iloc[:0]))
    assert view.admission is None
    assert "没有设置准入条件" in view.picture[2]


def test_thousands_are_kept_apart(small_run: Run) -> None:
    copies = 100
    grown = {}
    for name in ("index", "units"):
        frame = getattr(small_run, name)
        parts = [frame.assign(unit_code=frame["unit_code"] + f"-{n}") for n in range(copies)]
        grown[name] = pd.concat(parts, ignore_index=True)
    view = overview(first_run(dataclasses.replace(small_run, **grown)))
    assert "共评估村（社区）1,200个" in view.picture[0]


def test_freshness_keeps_sources_that_never_reported(small_run: Run) -> None:
    frame = small_run.freshness.copy()
    frame["age_days"] = frame["age_days"].astype("Int64")
    frame.loc[1, ["latest_on", "age_days"]] = [pd.NaT, pd.NA]
    fresh, never = overview(dataclasses.replace(small_run, freshness=frame)).freshness
    assert (fresh.latest_on, fresh.age_days) == (dt.date(2026, 10, 20), 11)
    assert (never.latest_on, never.age_days, never.units_covered) == (None, None, 7)


def test_profile_is_the_unit_and_only_the_unit(small_run: Run) -> None:
    for row in small_run.index.to_dict("records"):
        profile = unit_profile(small_run, row["unit_code"])
        assert (profile.index, profile.level.value, profile.to_verify) == (
            row["index"],
            row["level"],
            row["to_verify"],
        )
        assert sum(loss.points for loss in profile.losses) == pytest.approx(100 - row["index"], abs=1e-9)
        assert sum(d.points_lost for d in profile.dimensions) == pytest.approx(100 - row["index"], abs=1e-9)
        mine = small_run.gates[small_run.gates["unit_code"] == row["unit_code"]]
        assert {g.gate: g.status.value for g in profile.gates} == dict(
            zip(mine["gate"], mine["status"], strict=True)
        )


def test_profile_tells_the_whole_story(small_run: Run) -> None:
    profile = unit_profile(small_run, "990101102201")
    assert (profile.unit_name, profile.township_name, profile.county_name) == ("石桥村", "石桥镇", "东岭县")
    assert profile.unit_kind is UnitKind.VILLAGE
    assert profile.admission is GateStatus.FAIL
    assert [d.label for d in profile.dimensions] == [
        d.label for d in small_run.parameters.framework.dimensions
    ]
    assert sum(d.points_most for d in profile.dimensions) == pytest.approx(100)
    assert all(0 <= d.share_kept <= 1 for d in profile.dimensions)
    points = [loss.points for loss in profile.losses]
    assert points == sorted(points, reverse=True)
    filed = next(loss for loss in profile.losses if loss.status is ValueStatus.OBSERVED)
    assert filed.data_date == dt.date(2026, 10, 20)
    assert re.fullmatch(r"returns/990101102\.xlsx，工作表“基础数据”，第\d+行", filed.source)
    failed = [gate for gate in profile.gates if gate.status is GateStatus.FAIL]
    assert failed
    assert all(gate.reason and gate.rule and gate.remedy for gate in failed)
    assert [s.as_of for s in profile.history] == [
        dt.date(2026, 8, 31),
        dt.date(2026, 9, 30),
        dt.date(2026, 10, 31),
    ]
    assert profile.history[-1].index == profile.index
    assert profile.change == pytest.approx(profile.history[-1].index - profile.history[-2].index)  # type: ignore[operator]


def test_profile_says_nothing_against_what_cost_nothing(small_run: Run) -> None:
    profile = unit_profile(small_run, "990102001001")
    assert profile.index == 100
    assert {loss.reason for loss in profile.losses} == {""}


def test_indicators_that_do_not_apply_are_left_out(small_run: Run) -> None:
    indicators = small_run.indicators.copy()
    mine = (indicators["unit_code"] == "990101102201") & (indicators["indicator"] == "debt_ratio")
    indicators.loc[mine, "status"] = "not_applicable"
    profile = unit_profile(dataclasses.replace(small_run, indicators=indicators), "990101102201")
    assert "debt_ratio" not in {loss.indicator for loss in profile.losses}
    assert len(profile.losses) == len(small_run.parameters.framework.indicators) - 1


def test_an_unknown_unit_is_refused(small_run: Run) -> None:
    with pytest.raises(KeyError, match="000000000000"):
        unit_profile(small_run, "000000000000")
