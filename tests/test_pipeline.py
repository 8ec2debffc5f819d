import datetime as dt

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import load_parameters
from huanjie_lib.pipeline import EVENT_DATES, NoUnitsError, RiskResult, run_risk, snapshot_dates

PARAMETERS = load_parameters()
AS_OF = dt.date(2026, 10, 31)
CODES = ["990101101201", "990101101202", "990101101001"]


def tables() -> dict[str, pd.DataFrame]:
    units = pd.DataFrame(
        {
            "unit_code": CODES,
            "unit_name": ["甲村", "乙村", "丙社区"],
            "unit_kind": ["village", "village", "community"],
            "township_code": "990101101",
        }
    )
    townships = pd.DataFrame(
        {
            "township_code": ["990101101"],
            "township_name": ["云溪镇"],
            "county_code": ["990101"],
            "county_name": ["东县"],
        }
    )
    months = pd.date_range("2026-06-30", "2026-10-31", freq="ME")
    facts = pd.DataFrame(
        [(c, m, "reserve_people", float(n)) for c, n in zip(CODES, (0, 1, 2), strict=True) for m in months],
        columns=["unit_code", "as_of", "metric", "value"],
    )
    facts["source_file"], facts["source_sheet"] = "tables/facts.parquet", ""
    facts["source_row"] = pd.array(range(1, len(facts) + 1), dtype="Int64")
    screenings = pd.DataFrame(
        {
            "unit_code": CODES[:1],
            "screened_on": pd.to_datetime(["2026-09-15"]),
            "source_file": "returns/x.xlsx",
            "source_sheet": "矛盾摸排",
            "source_row": pd.array([7], dtype="Int64"),
        }
    )
    disputes = pd.DataFrame(
        {
            "unit_code": CODES[1:2],
            "opened_on": pd.to_datetime(["2026-07-01"]),
            "resolved_on": pd.to_datetime([None]),
            "is_group": pd.array([False], dtype="boolean"),
            "has_leader": pd.array([None], dtype="boolean"),
            "stabilisation_plan_on": pd.to_datetime([None]),
            "resolution_plan_on": pd.to_datetime([None]),
        }
    )
    return {
        "units": units,
        "townships": townships,
        "facts": facts,
        "screenings": screenings,
        "disputes": disputes,
    }


@pytest.fixture(scope="module")
def result() -> RiskResult:
    return run_risk(tables(), PARAMETERS, as_of=AS_OF)


@pytest.mark.parametrize(
    ("units", "found"),
    [
        (tables()["units"].iloc[:0], "没有一行"),
        (
            tables()["units"].assign(valid_from=pd.Timestamp("2026-11-01")),
            "3 个村（社区）",
        ),
    ],
)
def test_no_unit_to_assess_is_refused_with_the_remedy(units: pd.DataFrame, found: str) -> None:
    with pytest.raises(NoUnitsError, match="没有村（社区），不能评估") as caught:
        run_risk(tables() | {"units": units}, PARAMETERS, as_of=AS_OF)
    (fault,) = caught.value.faults
    assert fault.where == "units 表（村（社区）名录）"
    assert fault.found.startswith(found)
    assert "名录" in fault.remedy or "valid_from" in fault.remedy


def test_points_add_up_for_every_unit(result: RiskResult) -> None:
    lost = result.points_lost.groupby("unit_code")["points"].sum()
    np.testing.assert_allclose(lost + result.index.set_index("unit_code")["index"], 100, atol=1e-9)


def test_the_indicator_table_agrees_with_points_and_names_the_cell(result: RiskResult) -> None:
    wide = result.indicators.set_index(["unit_code", "indicator"])
    long = result.points_lost.set_index(["unit_code", "indicator"])["points"]
    np.testing.assert_array_equal(wide.loc[long.index, "points"], long)
    cell = wide.loc[("990101101201", "screening_age_days")]
    assert (cell["value"], cell["reason"]) == (46.0, "摸排间隔天数46天，不扣分")
    assert (cell["source_file"], cell["source_sheet"], cell["source_row"]) == (
        "returns/x.xlsx",
        "矛盾摸排",
        7,
    )
    assert cell["data_date"] == pd.Timestamp("2026-09-15")
    assert wide.loc[("990101101001", "reserve_people"), "reason"] == "后备人选数2人，不扣分"
    fact = wide.loc[("990101101202", "reserve_people")]
    assert (fact["value"], fact["source_row"]) == (1.0, 10)
    unknown = wide.loc[("990101101001", "roll_gap")]
    assert unknown["status"] == "missing"
    assert unknown["reason"] == "选民登记缺口率缺少数据"
    assert (unknown["severity_low"], unknown["severity_high"]) == (0.0, 1.0)
    assert unknown[["value", "data_date", "source_file", "source_row"]].isna().all()


def test_history_ends_with_the_index_and_holds_each_snapshot(result: RiskResult) -> None:
    assert result.history["as_of"].nunique() == 5
    assert len(result.history) == 15
    last = result.history[result.history["as_of"] == pd.Timestamp(AS_OF)].reset_index(drop=True)
    pd.testing.assert_frame_equal(last[list(result.index.columns)], result.index)
    dimensions = [d.id for d in PARAMETERS.framework.dimensions]
    np.testing.assert_allclose(
        result.history[dimensions].sum(axis=1), 100 - result.history["index"], atol=1e-9
    )


def test_a_past_snapshot_equals_a_run_made_at_the_time(result: RiskResult) -> None:
    day = dt.date(2026, 8, 31)
    then = run_risk(tables(), PARAMETERS, as_of=day)
    kept = result.history[result.history["as_of"] == pd.Timestamp(day)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept[list(then.index.columns)], then.index)


def test_order_of_rows_does_not_matter(result: RiskResult) -> None:
    shuffled = {n: f.sample(frac=1, random_state=3).reset_index(drop=True) for n, f in tables().items()}
    again = run_risk(shuffled, PARAMETERS, as_of=AS_OF)
    for name in ("index", "points_lost", "gates", "history", "freshness", "units"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(result, name))


def test_units_carry_their_township(result: RiskResult) -> None:
    assert result.units["unit_code"].tolist() == sorted(CODES)
    assert result.units["county_name"].unique().tolist() == ["东县"]


def test_freshness_counts_units_with_a_usable_entry(result: RiskResult) -> None:
    fresh = result.freshness.set_index("source")
    assert fresh["units_total"].unique().tolist() == [3]
    assert fresh.loc["screenings", ["units_covered", "age_days"]].tolist() == [1, 46]
    assert fresh.loc["disputes", "units_covered"] == 1
    assert fresh.loc["leads", "units_covered"] == 0
    assert pd.isna(fresh.loc["leads", "latest_on"])
    # one metric of the family is reported, the other never was: nobody is covered
    assert fresh.loc["facts:人选储备", "units_covered"] == 0
    assert fresh.loc["facts:人选储备", "age_days"] == 0
    assert set(EVENT_DATES) <= set(fresh.index)


def test_progress_is_told_to_the_end() -> None:
    steps: list[tuple[str, int, int]] = []
    run_risk(tables(), PARAMETERS, as_of=AS_OF, progress=lambda *step: steps.append(step))
    assert steps[-1] == ("计算历史快照", 5, 5)
    assert [s for _, s, _ in steps] == sorted(s for _, s, _ in steps)


def test_snapshots_are_month_ends_since_the_first_facts_and_the_date_itself() -> None:
    assert snapshot_dates({}, AS_OF) == [AS_OF]
    facts = pd.DataFrame({"as_of": pd.date_range("2020-01-31", "2027-01-31", freq="ME")})
    dates = snapshot_dates({"facts": facts}, AS_OF)
    assert len(dates) == 24
    assert (dates[0], dates[-1]) == (dt.date(2024, 11, 30), AS_OF)
    quarterly = pd.DataFrame({"as_of": pd.to_datetime(["2026-03-25", "2026-06-25"])})
    assert [d.month for d in snapshot_dates({"facts": quarterly}, dt.date(2026, 7, 31))] == [3, 4, 5, 6, 7]
    assert snapshot_dates({"facts": quarterly}, dt.date(2026, 1, 31)) == [dt.date(2026, 1, 31)]
    assert snapshot_dates({"facts": quarterly.assign(as_of=pd.NaT)}, AS_OF) == [AS_OF]


def test_the_input_is_left_as_it_was() -> None:
    given, kept = tables(), tables()
    run_risk(given, PARAMETERS, as_of=AS_OF)
    for name, frame in kept.items():
        pd.testing.assert_frame_equal(given[name], frame)


def test_repr_tells_size_date_and_parameters(result: RiskResult) -> None:
    assert repr(result) == f"RiskResult(units=3, as_of=2026-10-31, parameters='{PARAMETERS.version}')"


def test_names_come_from_the_townships_table_and_are_missing_text_without_it() -> None:
    given = tables()
    given["units"] = given["units"].assign(township_name="old")
    named = run_risk(given, PARAMETERS, as_of=AS_OF).units["township_name"]
    assert named.unique().tolist() == ["云溪镇"]
    bare = run_risk({"units": tables()["units"]}, PARAMETERS, as_of=AS_OF).units
    assert bare["township_name"].isna().all()
    assert bare["township_name"].dtype == "str"


def test_a_stale_value_is_not_called_unreported() -> None:
    late = run_risk(tables(), PARAMETERS, as_of=dt.date(2027, 10, 31)).indicators
    reasons = late.set_index(["unit_code", "indicator"])["reason"]
    assert reasons[CODES[0], "reserve_people"] == "后备人选数的数据已过期"
    assert reasons[CODES[0], "roll_gap"] == "选民登记缺口率缺少数据"


def test_a_run_explains_each_unit() -> None:
    result = run_risk(tables(), PARAMETERS, as_of=AS_OF)
    assert PARAMETERS.version in repr(result)
    frame = result.to_frame()
    for code, name in zip(CODES, ("甲村", "乙村", "丙社区"), strict=True):
        text = result.explain(code)
        assert text.startswith(f"截至2026年10月31日，{name}选情指数{frame.loc[code, 'index']:.1f}分")
        assert "还不能启动换届：" in text
        worst = result.indicators[result.indicators["unit_code"] == code].nlargest(1, "points").iloc[0]
        assert f"{worst['reason']}（扣{worst['points']:.1f}分）" in text
    with pytest.raises(KeyError):
        result.explain("0")


def test_a_unit_without_data_is_not_given_a_colour() -> None:
    units = tables()["units"].iloc[:1]
    assert "没有填报任何数据" in run_risk({"units": units}, PARAMETERS, as_of=AS_OF).explain(CODES[0])


def test_a_run_holds_the_chances_of_each_colour() -> None:
    result = run_risk(tables(), PARAMETERS, as_of=AS_OF)
    chances = result.findings.uncertainty.to_frame()
    assert chances.index.tolist() == result.index["unit_code"].tolist()
    assert (chances[["p_red", "p_yellow", "p_green"]].sum(axis=1) - 1).abs().max() < 1e-12
    again = run_risk(tables(), PARAMETERS, as_of=AS_OF).findings.uncertainty.to_frame()
    pd.testing.assert_frame_equal(chances, again, check_exact=True)
