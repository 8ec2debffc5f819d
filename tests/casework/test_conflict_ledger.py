from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huanjie_lib.casework.conflict_ledger import (
    AGE_LADDER,
    LABELS,
    OLDEST,
    ConflictLedger,
    Held,
    Screened,
    conflict_ledger,
    unit_plan_state,
)
from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.gates import evaluate_gates
from huanjie_lib.risk.indicators import Moment, indicator_values
from huanjie_lib.risk.prepared import Prepared, prepare
from huanjie_lib.sample import City, make_city

PARAMETERS = load_parameters()
FRAMES = ("units", "coverage", "disputes", "talks", "leavers")


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(units=60)


@pytest.fixture(scope="module")
def prepared(city: City) -> Prepared:
    return prepare(city.tables)


@pytest.fixture(scope="module")
def ledger(city: City, prepared: Prepared) -> ConflictLedger:
    return conflict_ledger(prepared, PARAMETERS, city.as_of)


def test_counts_are_those_of_the_tables(city: City, ledger: ConflictLedger) -> None:
    day = pd.Timestamp(city.as_of)
    disputes = city.tables["disputes"]
    now = disputes[(disputes["opened_on"] <= day) & ~(disputes["resolved_on"] <= day)]
    units = ledger.units.set_index("unit_code")
    per_unit = now.groupby("unit_code").size().reindex(units.index, fill_value=0)
    assert (units["disputes_open"] == per_unit).all()
    oldest = (day - now.groupby("unit_code")["opened_on"].min()).dt.days.reindex(units.index)
    np.testing.assert_array_equal(units["oldest_days"].astype("Float64").to_numpy(np.float64, np.nan), oldest)
    planned = now["has_leader"] & now["stabilisation_plan_on"].le(day) & now["resolution_plan_on"].le(day)
    bare = now[~planned.astype(bool)].groupby("unit_code").size().reindex(units.index, fill_value=0)
    assert (units["without_plan"] == bare).all()
    talks = city.tables["talks"]
    last = talks[talks["as_of"] == talks.groupby("unit_code")["as_of"].transform("max")]
    due = last.groupby("unit_code")["due"].sum().reindex(units.index)
    assert units["talks_due"].equals(due.rename("talks_due").astype("Int64"))
    leavers = city.tables["leavers"]
    assert units["leavers"].sum() == len(leavers)
    assert units["unplaced"].sum() == leavers["arranged_on"].isna().sum()


def test_it_agrees_with_gate_and_index(city: City, prepared: Prepared, ledger: ConflictLedger) -> None:
    gates = evaluate_gates(prepared, PARAMETERS, city.as_of)
    passed = gates[gates["gate"] == "screening"].set_index("unit_code")["status"] == "pass"
    units = ledger.units.set_index("unit_code")
    assert ((units["screening"] == Screened.IN_TIME.value) == passed).all()
    values = indicator_values(prepared, PARAMETERS, city.as_of).value
    for column, indicator in (("disputes_open", "disputes_open"), ("screening_days", "screening_age_days")):
        mine = units[column].astype("Float64").to_numpy(np.float64, np.nan)
        np.testing.assert_array_equal(mine, values[indicator])
    np.testing.assert_array_equal(units["oldest_days"].fillna(0), values["disputes_oldest_days"])


def test_areas_add_up(ledger: ConflictLedger) -> None:
    coverage = ledger.coverage
    added = [c for c in coverage if c not in {"level", "code", "oldest_days"} and not c.endswith("_share")]
    city = coverage[coverage["level"] == "city"]
    assert len(city) == 1
    for level in ("county", "township"):
        pd.testing.assert_series_equal(
            coverage[coverage["level"] == level][added].sum(), city[added].iloc[0], check_names=False,
            check_dtype=False,
        )  # fmt: skip
    row = city.iloc[0]
    assert row["screened"] + row["screening_lapsed"] + row["never"] + row["screening_unknown"] == 60
    assert row["screened_share"] == row["screened"] / 60
    assert row["led_share"] == row["led"] / row["screened"]
    assert row["oldest_days"] == ledger.units["oldest_days"].max()


def test_plan_coverage_counts_red_units_alone(ledger: ConflictLedger) -> None:
    codes = ledger.units["unit_code"]
    complete = ledger.units["plan_complete"].astype(bool)
    red = pd.Series("red", index=codes[:20])
    cover = ledger.plan_coverage(pd.concat([red, pd.Series("green", index=codes[20:])]))
    city = cover.iloc[0]
    assert (city["red"], city["red_planned"], city["red_unknown"]) == (20, complete[:20].sum(), 0)
    assert city["red_share"] == complete[:20].mean()
    assert cover["code"].tolist() == ledger.coverage["code"].tolist()
    assert ledger.plan_coverage(pd.Series("green", index=codes))["red_share"].isna().all()


def test_plans_of_units(city: City, prepared: Prepared) -> None:
    state = unit_plan_state(Moment(prepared, PARAMETERS, city.as_of))
    state.index = pd.Index(prepared.units["unit_code"])
    plans = city.tables["unit_plans"].set_index("unit_code")
    dated = plans["leader"].notna() & plans["leader_on"].notna()
    assert (state.loc[dated.index, "leader_state"] == Held.THERE.value).equals(dated)
    absent = state.index.difference(plans.index)
    assert (state.loc[absent, "plan_lacking"] == "包干领导、稳控预案、化解方案").all()
    assert (state["plan_complete"] == (state["plan_lacking"] == "")).all()


def test_every_table_is_stable_labelled_and_typed(city: City, ledger: ConflictLedger) -> None:
    shuffled = {
        name: frame.sample(frac=1, random_state=1).reset_index(drop=True)
        for name, frame in city.tables.items()
    }
    again = conflict_ledger(prepare(shuffled), PARAMETERS, city.as_of)
    empty = conflict_ledger(prepare({"units": city.tables["units"]}), PARAMETERS, city.as_of)
    for name in FRAMES:
        frame = getattr(ledger, name)
        pd.testing.assert_frame_equal(frame, getattr(again, name))
        assert (frame.dtypes == getattr(empty, name).dtypes).all(), name
        assert set(frame.columns) <= set(LABELS)
    assert empty.disputes.empty
    told = empty.coverage.iloc[0]
    assert told[["screened", "disputes_open", "planned", "leavers"]].isna().all()
    assert (told["screening_unknown"], told["disputes_unknown"], told["talks_unknown"]) == (60, 60, 60)
    assert empty.plan_coverage(pd.Series("red", index=empty.units["unit_code"]))["red_share"].isna().all()


def test_the_past_does_not_know_the_future(city: City, prepared: Prepared) -> None:
    day = dt.date(2026, 4, 30)
    past = {}
    for name, frame in city.tables.items():
        dates = [c for c in frame.select_dtypes("datetime") if c not in {"valid_from", "valid_to"}]
        begun = {"disputes": "opened_on", "screenings": "screened_on", "talks": "as_of", "leavers": "left_on"}
        kept = frame[frame[begun[name]] <= pd.Timestamp(day)] if name in begun else frame
        past[name] = kept.assign(**{c: kept[c].where(kept[c] <= pd.Timestamp(day)) for c in dates})
    now = conflict_ledger(prepared, PARAMETERS, day)
    then = conflict_ledger(prepare(past), PARAMETERS, day)
    pd.testing.assert_frame_equal(now.disputes, then.disputes)
    pd.testing.assert_frame_equal(now.talks, then.talks)
    figures = [
        c for c in now.units if c not in {"leader_on", "leader_state", "plan_lacking", "plan_complete"}
    ]
    same = ["stabilisation_plan_on", "resolution_plan_on"]
    pd.testing.assert_frame_equal(
        now.units[figures].drop(columns=same), then.units[figures].drop(columns=same)
    )


def test_sentences_and_house_form(ledger: ConflictLedger) -> None:
    for code in ledger.units["unit_code"]:
        text = ledger.explain(code)
        assert text.startswith(f"截至2026年10月31日，{code}")
        assert not {"nan", "NaT", "NA"} & set(text.replace("，", " ").split())
        assert "nan" not in text
        assert "<NA>" not in text
    with pytest.raises(KeyError):
        ledger.explain("990101999999")
    assert repr(ledger).startswith("ConflictLedger(units=60, screened=")
    assert f"parameters={PARAMETERS.version!r}" in repr(ledger)
    frame = ledger.to_frame()
    frame["screening"] = "?"
    assert "?" not in set(ledger.units["screening"])


def test_a_pack_without_the_rule_cannot_tell(city: City, prepared: Prepared) -> None:
    bare = PARAMETERS.model_copy(update={"gates": None})
    assert conflict_ledger(prepared, bare, city.as_of).limit == 180
    bare = bare.model_copy(update={"rules": ()})
    found = conflict_ledger(prepared, bare, city.as_of)
    assert found.limit is None
    assert set(found.units["screening"]) == {Screened.UNKNOWN.value}
    assert "不能判断是否有效" in found.explain(found.units["unit_code"].iloc[0])


incidents = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(-40, 20), st.none() | st.integers(0, 60)),
    max_size=25,
)


@settings(max_examples=40)
@given(incidents)
def test_incidents_of_any_history(drawn: list[tuple[int, int, int, int | None]]) -> None:
    """Ages, rungs, doubles and earlier incidents, against a plain loop."""
    as_of, categories = dt.date(2026, 10, 31), ("land", "finance", None)
    rows = [
        {
            "dispute_id": f"D{n:02d}",
            "unit_code": f"99010110120{unit}",
            "category": categories[category],
            "opened_on": as_of + dt.timedelta(days=opened),
            "resolved_on": None if lasted is None else as_of + dt.timedelta(days=opened + lasted),
        }
        for n, (unit, category, opened, lasted) in enumerate(drawn)
    ]
    units = pd.DataFrame({"unit_code": [f"99010110120{u}" for u in range(4)], "unit_kind": "village"})
    frame = pd.DataFrame(rows, columns=["dispute_id", "unit_code", "category", "opened_on", "resolved_on"])
    frame = frame.astype({"opened_on": "datetime64[us]", "resolved_on": "datetime64[us]"})
    ledger = conflict_ledger(prepare({"units": units, "disputes": frame}), PARAMETERS, as_of)
    found = ledger.disputes.set_index("dispute_id")
    recorded = [r for r in rows if r["opened_on"] <= as_of]
    assert sorted(found.index) == [r["dispute_id"] for r in recorded]
    for row in recorded:
        mine = found.loc[row["dispute_id"]]
        ended = row["resolved_on"] if row["resolved_on"] and row["resolved_on"] <= as_of else None
        assert mine["open"] == (ended is None)
        assert mine["days"] == ((ended or as_of) - row["opened_on"]).days
        rung = next((label for label, last in AGE_LADDER.items() if mine["days"] <= last), OLDEST)
        assert mine["age_band"] == ("" if ended else rung)
        others = [
            r
            for r in recorded
            if r is not row and r["unit_code"] == row["unit_code"] and r["category"] == row["category"]
        ]
        named = row["category"] is not None
        assert mine["twice"] == (named and any(r["opened_on"] == row["opened_on"] for r in others))
        before = [r for r in others if r["resolved_on"] and r["resolved_on"] <= row["opened_on"]]
        assert mine["earlier"] == (len(before) if named else 0)
