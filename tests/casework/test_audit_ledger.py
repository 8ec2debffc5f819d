"""The audit ledger of a small city: one truth with gates and index, and nothing missing made to look done.

Verdicts of single cases are in tests/scenarios/audit.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.casework.audit_ledger import (
    LABELS,
    AuditLedger,
    AuditStage,
    NoticeRule,
    audit_ledger,
    notice_rule,
)
from huanjie_lib.errors import ParameterError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.gates import AUDIT_CHECKS, evaluate_gates
from huanjie_lib.risk.indicators import indicator_values
from huanjie_lib.risk.prepared import Prepared, prepare
from huanjie_lib.sample import City, make_city

PARAMETERS = load_parameters()
TABLES = ("units", "coverage", "items", "members", "notices", "problems", "handover")


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(units=150, snapshots=3)


@pytest.fixture(scope="module")
def prepared(city: City) -> Prepared:
    return prepare(city.tables)


@pytest.fixture(scope="module")
def ledger(city: City, prepared: Prepared) -> AuditLedger:
    return audit_ledger(prepared, PARAMETERS, city.as_of)


def test_the_verdict_is_that_of_the_audit_gates(city: City, prepared: Prepared, ledger: AuditLedger) -> None:
    gates = evaluate_gates(prepared, PARAMETERS, city.as_of)
    assert PARAMETERS.gates is not None
    audit = {gate.id for gate in PARAMETERS.gates.gates if gate.check in AUDIT_CHECKS}
    assert len(audit) == 5
    mine = gates[gates["gate"].isin(audit)]
    seen = set()
    for row in ledger.units.to_dict("records"):
        own = mine[mine["unit_code"] == row["unit_code"]]
        statuses = set(own["status"])
        worst = next(status for status in ("fail", "unknown", "pass") if status in statuses)
        assert row["verdict"] == worst
        told = own if worst == "pass" else own[own["status"] != "pass"]
        assert set(row["reason"].split("；")) == set(told["reason"])
        assert set(told["rule"]) == {rule for rule in told["rule"] if rule in row["rule"]}
        assert (row["stage"] == AuditStage.CLEARED.value) == (worst == "pass")
        seen.add(worst)
    assert seen >= {"pass", "fail"}


def test_its_numbers_are_those_of_the_index(city: City, prepared: Prepared, ledger: AuditLedger) -> None:
    values = indicator_values(prepared, PARAMETERS, city.as_of).value
    units = ledger.units.set_index("unit_code")
    deficit = (units["notices_required"] - units["notices_valid"]).clip(lower=0).astype("float64")
    np.testing.assert_array_equal(deficit, values["audit_notice_deficit"])
    share = 1 - units["items_concluded"] / units["items_required"]
    np.testing.assert_allclose(share.astype("float64"), values["audit_items_incomplete"])
    unaudited = (1 - units["members_concluded"] / units["members_due"]).astype("float64")
    np.testing.assert_allclose(unaudited, values["audit_members_unaudited"])
    objections = units["objections_open"].astype("float64")
    np.testing.assert_array_equal(objections, values["audit_objections_open"])
    overdue = values["audit_problems_overdue"]
    known = overdue.notna()
    np.testing.assert_array_equal(units["problems_overdue"].astype("float64")[known], overdue[known])


def test_the_row_tables_add_up_to_the_units(ledger: AuditLedger) -> None:
    units = ledger.units.set_index("unit_code")

    def counted(rows: pd.DataFrame) -> pd.Series[int]:
        return rows.groupby("unit_code").size().reindex(units.index, fill_value=0)

    pairs = {
        "items_required": ledger.items,
        "items_concluded": ledger.items[ledger.items["concluded"]],
        "notices_valid": ledger.notices[ledger.notices["counts"]],
        "problems_open": ledger.problems[ledger.problems["is_open"]],
        "problems_overdue": ledger.problems[ledger.problems["is_overdue"]],
    }
    for column, rows in pairs.items():
        np.testing.assert_array_equal(units[column], counted(rows), err_msg=column)
    listed = units["members_due"].notna()
    audited = counted(ledger.members[ledger.members["audited"]])
    np.testing.assert_array_equal(units["members_concluded"][listed], audited[listed])
    handed = ledger.handover[ledger.handover["kind"] == "problem"]
    assert sorted(handed["key"]) == sorted(ledger.problems.loc[ledger.problems["is_open"], "problem_id"])


def test_coverage_adds_up_and_missing_counts_as_not_audited(city: City, ledger: AuditLedger) -> None:
    by_level = dict(iter(ledger.coverage.groupby("level")))
    counts = ["units", "units_audited", "persons", "persons_audited", "cleared", "failed", "unknown"]
    whole = by_level["city"][counts].iloc[0]
    for level in ("county", "township"):
        pd.testing.assert_series_equal(by_level[level][counts].sum(), whole, check_names=False)
    assert whole["units"] == len(ledger.units)
    assert whole[["cleared", "failed", "unknown"]].sum() == whole["units"]
    code = ledger.units.loc[ledger.units["members_due"].notna(), "unit_code"].iloc[0]
    size = int(ledger.unit(code)["members_concluded"])
    tables = {
        name: frame[frame["unit_code"] != code]
        if name in {"audit_projects", "audit_subjects", "audit_items", "audit_notices"}
        else frame
        for name, frame in city.tables.items()
    }
    fewer = audit_ledger(prepare(tables), PARAMETERS, city.as_of)
    after = fewer.coverage.iloc[0]
    assert after["units_audited"] == whole["units_audited"] - int(
        ledger.unit(code)["items_concluded"] == ledger.unit(code)["items_required"]
    )
    assert after["persons_audited"] == whole["persons_audited"] - size
    assert after["without_list"] == by_level["city"]["without_list"].iloc[0] + 1
    assert after["persons"] >= whole["persons"] - size + 1, "somebody is due there all the same"


def test_nothing_dated_later_is_used(city: City) -> None:
    day = dt.date(2026, 6, 15)
    cut = pd.Timestamp(day)
    tables = dict(city.tables)
    for name, column in {
        "audit_problems": "found_on",
        "audit_notices": "start_on",
        "leavers": "left_on",
        "facts": "as_of",
    }.items():
        tables[name] = tables[name][tables[name][column] <= cut]
    for name, column in {
        "audit_items": "concluded_on",
        "audit_subjects": "concluded_on",
        "audit_problems": "closed_on",
        "audit_notices": "end_on",
    }.items():
        later = tables[name][column] > cut
        tables[name] = tables[name].assign(**{column: tables[name][column].mask(later)})
    then, now = (audit_ledger(prepare(t), PARAMETERS, day) for t in (tables, city.tables))
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(then, name), getattr(now, name))


def test_the_order_of_rows_changes_nothing(city: City, ledger: AuditLedger) -> None:
    shuffled = {name: frame.iloc[::-1].reset_index(drop=True) for name, frame in city.tables.items()}
    again = audit_ledger(prepare(shuffled), PARAMETERS, city.as_of)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(ledger, name))


def test_every_column_has_its_heading_and_no_table_holds_a_name(ledger: AuditLedger) -> None:
    columns = {column for name in TABLES for column in getattr(ledger, name).columns}
    assert columns == set(LABELS)
    persons = [name for name in TABLES if "person_ref" in getattr(ledger, name)]
    assert persons == ["members"]
    assert ledger.members["person_ref"].str.fullmatch("[A-Za-z0-9_-]+").all()


def test_without_tables_everything_is_open_and_typed_alike(ledger: AuditLedger) -> None:
    units = pd.DataFrame(
        {"unit_code": ["990101101001", "990101101201"], "unit_kind": ["community", "village"]}
    )
    empty = audit_ledger(prepare({"units": units}), PARAMETERS, dt.date(2026, 10, 31))
    assert empty.units["verdict"].tolist() == ["unknown", "unknown"]
    assert empty.units["stage"].tolist() == ["not_started", "not_started"]
    assert empty.units[["members_due", "objections_open", "problems_open"]].isna().all(axis=None)
    assert len(empty.items) == 8
    assert not empty.items["concluded"].any()
    city = empty.coverage.iloc[0]
    assert city[["units_audited", "persons", "persons_audited"]].tolist() == [0, 8, 0]  # 5 and 3 at the least
    assert empty.coverage["persons_share"].tolist() == [0.0, 0.0, 0.0]
    for name in TABLES:
        pd.testing.assert_series_equal(getattr(empty, name).dtypes, getattr(ledger, name).dtypes)


def test_a_sentence_says_where_a_unit_stands(ledger: AuditLedger) -> None:
    row = ledger.units[(ledger.units["stage"] == "noticed") & (ledger.units["problems_overdue"] == 1)].iloc[0]
    text = ledger.explain(row["unit_code"], name="云溪村")
    assert text.startswith("截至2026年10月31日，云溪村已公示。")
    assert "不审计不换届：不通过——1项审计问题逾期未整改。" in text
    with pytest.raises(KeyError):
        ledger.explain("990101999999")
    assert repr(ledger).startswith("AuditLedger(units=150, pass=")
    assert f"as_of=2026-10-31, parameters={PARAMETERS.version!r}" in repr(ledger)
    frame = ledger.to_frame()
    frame.loc[:, "verdict"] = "pass"
    assert (ledger.units["verdict"] != "pass").any()


def test_bare_packs_leave_the_verdict_open_and_flag_nothing_they_do_not_ask(
    city: City, prepared: Prepared
) -> None:
    bare = PARAMETERS.model_copy(update={"gates": None, "casework": None})
    found = audit_ledger(prepared, bare, city.as_of)
    assert set(found.units["verdict"]) == {"unknown"}
    assert set(found.units["reason"]) == {"参数包没有审计准入条件，无法判断"}
    assert found.units[["offices_missing", "representatives_enough"]].isna().all(axis=None)
    assert not found.units["to_check"].str.contains("缺少").any()


def test_the_rule_on_notices_comes_from_the_gate_else_from_the_region() -> None:
    day = dt.date(2026, 10, 31)
    assert notice_rule(PARAMETERS, day) == NoticeRule(2, 5, 0)
    without = PARAMETERS.model_copy(update={"gates": None})
    assert notice_rule(without, day) == NoticeRule(2, 5, 0)
    assert PARAMETERS.gates is not None
    gate = next(gate for gate in PARAMETERS.gates.gates if gate.check == "audit_notices")
    stricter = gate.model_copy(update={"options": {"min_count": 3, "min_days": 7, "min_gap_days": 1}})
    gates = PARAMETERS.gates.model_copy(update={"gates": (stricter,)})
    assert notice_rule(PARAMETERS.model_copy(update={"gates": gates}), day) == NoticeRule(3, 7, 1)
    with pytest.raises(ParameterError):
        notice_rule(without.model_copy(update={"rules": ()}), day)
