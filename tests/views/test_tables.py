"""Tables: figures recomputed row by row in plain Python, ties, units without data, packs without gates."""

from __future__ import annotations

import dataclasses
import statistics

import pandas as pd
import pytest

from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import tables
from huanjie_lib.vocabulary import GateStatus, Level


def now(run: Run) -> dict[str, dict[str, object]]:
    return {row["unit_code"]: row for row in run.index.to_dict("records")}


def passes(run: Run) -> dict[str, str]:
    """Verdict of all gates together, by unit."""
    verdicts: dict[str, list[str]] = {code: [] for code in run.units["unit_code"]}
    for row in run.gates.to_dict("records"):
        verdicts[row["unit_code"]].append(row["status"])
    assert run.parameters.gates is not None
    due = len(run.parameters.gates.gates)
    return {
        code: "fail" if "fail" in found else "pass" if found == ["pass"] * due else "unknown"
        for code, found in verdicts.items()
    }


def without_gates(run: Run) -> Run:
    return dataclasses.replace(
        run, parameters=run.parameters.model_copy(update={"gates": None}), gates=run.gates.iloc[:0]
    )


def changed(run: Run, table: str, code: str, **values: object) -> Run:
    frame = getattr(run, table).copy()
    for column, value in values.items():
        frame.loc[frame["unit_code"] == code, column] = value
    return dataclasses.replace(run, **{table: frame})


def test_unit_table_follows_the_units_and_equals_the_index(small_run: Run) -> None:
    frame = tables.unit_table(small_run)
    assert frame["unit_code"].tolist() == small_run.units["unit_code"].tolist()
    for row in frame.to_dict("records"):
        expected = now(small_run)[row["unit_code"]]
        for column in ("level", "to_verify", "index", "index_low", "index_high"):
            assert row[column] == expected[column]
        assert row["mark"] == Level.lookup()[str(row["level"])].mark
        assert row["admission"] == passes(small_run)[row["unit_code"]]


def test_change_is_now_minus_the_snapshot_before(small_run: Run) -> None:
    history = small_run.history
    then = history[history["as_of"] == pd.Timestamp(2026, 9, 30)].set_index("unit_code")["index"]
    for row in tables.unit_table(small_run).to_dict("records"):
        assert row["change"] == pytest.approx(row["index"] - then[row["unit_code"]], abs=1e-12)


def test_row_order_of_the_run_does_not_matter(small_run: Run) -> None:
    shuffled = dataclasses.replace(
        small_run,
        **{
            name: getattr(small_run, name).iloc[::-1].reset_index(drop=True)
            for name in ("index", "gates", "indicators", "history", "points_lost")
        },
    )
    for make in (tables.working_list, tables.blocked_list, tables.township_league, tables.gate_progress):
        pd.testing.assert_frame_equal(make(small_run), make(shuffled))
    assert tables.hover_lines(small_run) == tables.hover_lines(shuffled)


def test_reasons_are_the_largest_losses(small_run: Run) -> None:
    rows = small_run.indicators.to_dict("records")
    for unit in tables.unit_table(small_run).to_dict("records"):
        lost = sorted(
            (r for r in rows if r["unit_code"] == unit["unit_code"] and r["points"] >= 0.05),
            key=lambda r: -round(r["points"], 9),
        )
        expected = [f"{r['reason']}（扣{r['points']:.1f}分）" for r in lost[:3]]
        assert [unit[f"reason_{n}"] for n in (1, 2, 3)] == [*expected, "", "", ""][:3]


def test_working_list_is_the_units_most_urgent_first(small_run: Run) -> None:
    frame = tables.working_list(small_run)
    assert sorted(frame["unit_code"]) == sorted(small_run.units["unit_code"])
    place = {"red": 0, "yellow": 1, "green": 2, "unknown": 3}
    keys = [(place[r["level"]], r["index"], r["unit_code"]) for r in frame.to_dict("records")]
    assert keys == sorted(keys)
    assert {"red", "yellow", "green"} <= set(frame["level"])


def test_admitted_and_blocked_share_out_the_units(small_run: Run) -> None:
    verdicts = passes(small_run)
    assert set(verdicts.values()) == {"pass", "fail", "unknown"}
    admitted = tables.admission_list(small_run)
    blocked = tables.blocked_list(small_run)
    assert set(admitted["unit_code"]) == {c for c, v in verdicts.items() if v == "pass"}
    assert dict(zip(blocked["unit_code"], blocked["admission"], strict=True)) == {
        c: v for c, v in verdicts.items() if v != "pass"
    }
    for row in blocked.to_dict("records"):
        mine = small_run.gates[
            (small_run.gates["unit_code"] == row["unit_code"]) & (small_run.gates["status"] != "pass")
        ]
        assert row["failed_gates"] == (mine["status"] == "fail").sum()
        assert row["unknown_gates"] == (mine["status"] == "unknown").sum()
        assert row["reasons"].count("：") == len(mine)
        assert row["remedies"].count("；") == len(mine) - 1


def test_a_verdict_that_is_not_there_is_unknown_and_bars_admission(small_run: Run) -> None:
    admitted = tables.admission_list(small_run)["unit_code"].iloc[0]
    gates = small_run.gates
    first = gates[gates["unit_code"] == admitted].index[0]
    run = dataclasses.replace(small_run, gates=gates.drop(index=first))
    assert admitted not in set(tables.admission_list(run)["unit_code"])
    row = tables.blocked_list(run).set_index("unit_code").loc[admitted]
    assert (row["admission"], row["failed_gates"], row["unknown_gates"]) == ("unknown", 0, 1)
    assert row["reasons"] == "审计事项全部完成：没有评估结果"
    before = tables.gate_progress(small_run).iloc[0]
    after = tables.gate_progress(run).iloc[0]
    assert after["passed"] == before["passed"] - 1
    assert after["unknown"] == before["unknown"] + 1


def test_gate_progress_counts_every_unit_at_every_gate(small_run: Run) -> None:
    frame = tables.gate_progress(small_run)
    assert small_run.parameters.gates is not None
    for gate, row in zip(small_run.parameters.gates.gates, frame.to_dict("records"), strict=True):
        statuses = small_run.gates.loc[small_run.gates["gate"] == gate.id, "status"].tolist()
        assert row["gate"] == gate.label
        assert (row["passed"], row["failed"], row["unknown"]) == tuple(
            statuses.count(s) for s in ("pass", "fail", "unknown")
        )
        assert row["share"] == row["passed"] / len(statuses)


def test_without_gates_nothing_is_admitted_and_nothing_refused(small_run: Run) -> None:
    run = without_gates(small_run)
    assert tables.unit_table(run)["admission"].isna().all()
    assert tables.admission_list(run).empty
    assert tables.blocked_list(run).empty
    assert tables.gate_progress(run).empty
    assert tables.township_league(run)["admitted_share"].isna().all()


def test_league_is_recomputed_from_the_units(small_run: Run) -> None:
    units = tables.unit_table(small_run).to_dict("records")
    league = tables.township_league(small_run)
    assert league["units"].sum() == len(units)
    for row in league.to_dict("records"):
        mine = [u for u in units if u["township_code"] == row["township_code"]]
        assert row["units"] == len(mine)
        for level in Level:
            assert row[level.value] == sum(u["level"] == level.value for u in mine)
        assert row["to_verify"] == sum(u["to_verify"] for u in mine)
        assert row["mean_index"] == pytest.approx(statistics.fmean(u["index"] for u in mine))
        assert row["change"] == pytest.approx(statistics.fmean(u["change"] for u in mine))
        assert row["admitted"] == sum(u["admission"] == "pass" for u in mine)
    assert league["rank"].tolist() == [1, 2, 3]
    assert league["mean_index"].is_monotonic_increasing


def test_equal_townships_share_a_rank_and_stand_in_order_of_code(small_run: Run) -> None:
    index = small_run.index.assign(index=70.0)
    low = index["unit_code"].str.startswith("990102001")
    index.loc[low, "index"] = 10.0
    run = dataclasses.replace(small_run, index=index)
    league = tables.township_league(run)
    assert league["rank"].tolist() == [1, 2, 2]
    assert league["township_code"].tolist() == ["990102001", "990101101", "990101102"]


def test_a_unit_without_data_enters_no_mean_and_no_change(small_run: Run) -> None:
    # An unknown unit's index is what the pack assumes; 0 makes it show wherever it is counted.
    code = "990101102201"
    run = changed(small_run, "index", code, level="unknown", index=0.0)
    units = tables.unit_table(run).set_index("unit_code")
    assert pd.isna(units.at[code, "change"])
    others = [u for u in now(small_run).values() if u["unit_code"] != code]
    assert tables.trend(run).iloc[-1]["mean_index"] == pytest.approx(
        statistics.fmean(float(str(u["index"])) for u in others)
    )
    league = tables.township_league(run).set_index("township_code")
    assert league.at["990101102", "unknown"] == 1
    assert league.at["990101102", "mean_index"] > 0.0


def test_a_township_without_data_stands_last_without_a_rank(small_run: Run) -> None:
    index = small_run.index.copy()
    index.loc[index["unit_code"].str.startswith("990101102"), "level"] = "unknown"
    league = tables.township_league(dataclasses.replace(small_run, index=index))
    assert league.iloc[-1]["township_code"] == "990101102"
    assert pd.isna(league.iloc[-1]["rank"])
    assert league["rank"].dropna().tolist() == [1, 2]


def test_townships_without_names_go_by_their_code(small_run: Run) -> None:
    units = small_run.units.assign(township_name=pd.NA, county_name=pd.NA)
    run = dataclasses.replace(small_run, units=units)
    assert tables.township_league(run)["township_name"].tolist()[0] == "990101102"
    assert tables.hover_lines(run)[0][0] == "云溪社区（990101101）"


def test_losses_are_every_indicator_that_cost_points(small_run: Run) -> None:
    frame = tables.losses_table(small_run)
    assert frame["points"].gt(0).all()
    lost = frame.groupby("unit_code")["points"].sum()
    for code, row in now(small_run).items():
        assert 100 - lost.get(code, 0.0) == pytest.approx(row["index"], abs=1e-9)
    missing = frame[frame["status"] == "缺失"]
    assert not missing.empty
    assert set(missing["value"]) == {"—"}
    assert set(missing["source"]) == {""}
    assert missing["reason"].str.endswith("缺少数据").all()
    filed = frame[frame["status"] == "已填报"]
    assert filed["source"].str.fullmatch(r"returns/\d{9}\.xlsx，工作表“基础数据”，第\d+行").all()


def test_trend_counts_every_snapshot(small_run: Run) -> None:
    frame = tables.trend(small_run)
    assert frame["as_of"].is_monotonic_increasing
    assert len(frame) == 3
    for row in frame.to_dict("records"):
        mine = small_run.history[small_run.history["as_of"] == row["as_of"]]
        assert row["units"] == len(mine)
        for level in Level:
            assert row[level.value] == (mine["level"] == level.value).sum()
        assert row["to_verify"] == mine["to_verify"].sum()


def test_trend_ends_with_the_run_and_ignores_what_lies_after_it(small_run: Run) -> None:
    later = small_run.history.assign(as_of=pd.Timestamp(2026, 11, 30))
    run = dataclasses.replace(small_run, history=pd.concat([small_run.history, later]))
    pd.testing.assert_frame_equal(tables.trend(run), tables.trend(small_run))


def test_a_first_run_has_no_change(small_run: Run) -> None:
    run = dataclasses.replace(small_run, history=small_run.history.iloc[:0])
    assert tables.unit_table(run)["change"].isna().all()
    assert len(tables.trend(run)) == 1


def test_hover_says_name_index_and_reasons(small_run: Run) -> None:
    lines = dict(zip(small_run.units["unit_code"], tables.hover_lines(small_run), strict=True))
    open_unit = lines["990101101201"]
    assert open_unit[0] == "上云村（云溪镇）"
    assert open_unit[1].startswith("选情指数 ")
    assert "待核实（" in open_unit[1]
    assert len(open_unit) == 5
    assert (
        lines["990101101202"][0] == "<img src=x onerror=alert(1)>（云溪镇）"
    )  # text, for the shower to escape
    assert lines["990102001001"] == ("河东社区（河东街道）", "选情指数 100.0　绿色")


def test_level_bytes_hold_colour_and_mark_in_the_order_of_the_units(small_run: Run) -> None:
    run = changed(small_run, "index", "990101101203", level="unknown")
    decoded = [(byte & 3, bool(byte & 4), bool(byte & 8), byte >> 4) for byte in tables.level_bytes(run)]
    codes = {level.value: level.code for level in Level}
    frame = tables.unit_table(run)
    marks = zip(frame["level"], frame["to_verify"], frame["contested"], strict=True)
    assert decoded == [(codes[level], verify, contested, 0) for level, verify, contested in marks]
    assert {code for code, *_ in decoded} == {0, 1, 2, 3}
    assert {verify for _, verify, *_ in decoded} == {True, False}
    assert {contested for *_, contested, _ in decoded} == {True, False}


def test_map_units_say_where_and_what(small_run: Run) -> None:
    frame = tables.map_units(small_run)
    assert frame["unit_code"].tolist() == small_run.units["unit_code"].tolist()
    assert frame["lines"].tolist() == list(tables.hover_lines(small_run))
    assert set(frame["group_name"]) == {"云溪镇", "石桥镇", "河东街道"}


def test_the_run_is_left_as_it_was(small_run: Run) -> None:
    names = ("index", "points_lost", "gates", "indicators", "history", "freshness", "units")
    before = {name: getattr(small_run, name).copy() for name in names}
    for make in (
        tables.working_list,
        tables.blocked_list,
        tables.township_league,
        tables.losses_table,
        tables.freshness_table,
        tables.trend,
        tables.map_units,
    ):
        make(small_run)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(getattr(small_run, name), frame)


def test_a_list_of_incidents_is_not_due_from_every_unit(small_run: Run) -> None:
    frame = small_run.freshness.copy()
    frame.loc[0, "source"] = "leads"
    fresh = tables.freshness_table(dataclasses.replace(small_run, freshness=frame))
    assert fresh["units_total"].isna().tolist() == [True, False]
    assert fresh["covered_share"].isna().tolist() == [True, False]
    assert fresh.loc[0, "units_covered"] == frame.loc[0, "units_covered"]


def test_statuses_stay_within_the_vocabulary(small_run: Run) -> None:
    assert set(tables.gate_table(small_run)["status"]) <= {s.value for s in GateStatus}


def test_flips_and_remedies_name_units_and_lead_with_the_most_urgent(small_run: Run) -> None:
    flips = tables.flip_table(small_run)
    assert set(flips["unit_code"]) == set(small_run.flips["unit_code"])
    assert flips["flip_reason"].str.contains("转为").all()
    remedies = tables.remedy_table(small_run)
    order = remedies["level"].map({"red": 0, "yellow": 1})
    assert order.is_monotonic_increasing
    steps = small_run.remedy_steps.groupby("unit_code")["points"].sum()
    for row in remedies.itertuples():
        assert row.regained == pytest.approx(steps.get(row.unit_code, 0.0), abs=1e-9)
        assert row.index_after == pytest.approx(row.index + row.regained, abs=1e-9)
        assert (row.steps == "") == (row.unit_code not in steps.index)
