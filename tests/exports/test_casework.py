"""The files of casework: one workbook, one plan a red unit, sheets for the board."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from huanjie_lib.casework.alerts import opening_actions
from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.errors import UsageError
from huanjie_lib.exports.casework import SHEETS, export_casework
from huanjie_lib.parameters import load_parameters
from huanjie_lib.pipeline import RiskResult, run_risk
from huanjie_lib.sample import make_city
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.vocabulary import CaseEvent, Role
from huanjie_lib.workbench import as_run


@pytest.fixture(scope="module")
def result() -> RiskResult:
    city = make_city(units=60, snapshots=2)
    return run_risk(city.tables, load_parameters(), as_of=city.as_of)


@pytest.fixture(scope="module")
def frames(result: RiskResult) -> Mapping[str, pd.DataFrame]:
    return result.ledgers.frames


def test_without_a_ledger_the_audits_and_conflicts_are_there(
    result: RiskResult, frames: Mapping[str, pd.DataFrame], tmp_path: Path
) -> None:
    audited = frames["audit_units"]["unit_code"][frames["audit_units"]["project_id"].notna()].iloc[0]
    written = export_casework(as_run(result), frames, tmp_path, sheets=[audited])
    red = int((result.index["level"] == "red").sum())
    assert red > 0
    assert len(list((tmp_path / "一村一策").glob("*.docx"))) == red
    assert [path.name[:12] for path in (tmp_path / SHEETS).iterdir()] == [audited]
    assert sorted(written) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    book = openpyxl.load_workbook(written[0])
    assert "谈话台账" not in book.sheetnames
    assert book["审计台账"].max_row > 60


def test_cases_of_a_ledger_fill_their_sheets_and_leads_stay_out_unless_asked_for(
    result: RiskResult, frames: Mapping[str, pd.DataFrame], tmp_path: Path
) -> None:
    ledger = open_ledger(tmp_path / "store", create=True)
    alerts = result.ledgers.alerts.frame
    system = Actor("pipeline", "系统", Role.SYSTEM)
    for action in opening_actions(
        alerts, ledger.cases(), [], run_id="0" * 64, as_of=result.as_of, actor=system
    ):
        ledger.append(action)
    counts = {}
    for restricted in (False, True):
        out = tmp_path / str(restricted)
        book = openpyxl.load_workbook(
            export_casework(as_run(result), frames, out, ledger=ledger, restricted=restricted, plans=False)[0]
        )
        rows = book["案件台账"].iter_rows(values_only=True)
        counts[restricted] = sum(any(str(cell).startswith("C") for cell in row[:2] if cell) for row in rows)
        assert not (out / "一村一策").exists()
    assert counts == {False: int((~alerts["restricted"]).sum()), True: len(alerts)}
    ledger.close()


def test_deadlines_are_reckoned_from_the_day_of_the_file_as_the_screen_does(
    result: RiskResult, frames: Mapping[str, pd.DataFrame], tmp_path: Path
) -> None:
    city = Actor("chen", "市换届办", Role.CITY)
    due = {"owner": "云溪镇", "due_on": "2026-11-10", "note": ""}
    rows = {}
    with open_ledger(tmp_path / "store", create=True) as ledger:
        alerts = result.ledgers.alerts.frame.head(1)
        (opening,) = opening_actions(
            alerts, ledger.cases(), [], run_id="0" * 64, as_of=result.as_of, actor=city
        )
        ledger.append(opening)
        ledger.append(Action("e2", opening.case_id, CaseEvent.DISPATCH, city, dt.date(2026, 11, 2), 1, due))
        for day in (None, dt.date(2026, 11, 11), dt.date(2020, 1, 1)):
            (path,) = export_casework(
                as_run(result), frames, tmp_path / str(day), ledger=ledger, plans=False, today=day
            )
            sheet = openpyxl.load_workbook(path)["逾期与将到期"]
            rows[day] = [row for row in sheet.iter_rows(values_only=True) if opening.case_id in row]
    assert rows[None] == rows[dt.date(2020, 1, 1)] == [], "not due on the day of the run"
    (late,) = rows[dt.date(2026, 11, 11)]
    assert "逾期" in late


def test_a_unit_that_is_not_in_the_run_is_refused(
    result: RiskResult, frames: Mapping[str, pd.DataFrame], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="999999999999"):
        export_casework(as_run(result), frames, tmp_path, sheets=["999999999999"])
    assert not any(tmp_path.iterdir())


def test_an_account_gets_the_rows_of_its_area_under_its_name(
    result: RiskResult, frames: Mapping[str, pd.DataFrame], tmp_path: Path
) -> None:
    codes = frames["audit_units"]["unit_code"]
    town = Actor("li", "云溪镇", Role.TOWNSHIP, (str(codes.iloc[0])[:9],))
    stamp = Stamp("li", "云溪镇", Role.TOWNSHIP, "整改督办", dt.date(2026, 11, 2))
    noted: dict[str, bytes] = {}
    units = frames["audit_units"]
    audited = units["unit_code"][units["project_id"].notna() & codes.str.startswith(town.scope)].iloc[0]
    written = export_casework(
        as_run(result), frames, tmp_path, actor=town, stamp=stamp, sheets=[audited], noted=noted.update
    )
    files = [path for path in written if path.name != "manifest.json"]
    assert {tmp_path / name: content for name, content in noted.items()} == {
        path: path.read_bytes() for path in files
    }
    assert {path.parent.name for path in files} == {tmp_path.name, "一村一策", SHEETS}
    book = openpyxl.load_workbook(written[0])
    told = "\n".join(str(c.value) for sheet in book for row in sheet.rows for c in row)
    assert stamp.text in told
    outside = result.units["unit_name"][~result.units["unit_code"].str.startswith(town.scope)]
    inside = result.units["unit_name"][result.units["unit_code"].str.startswith(town.scope)]
    only = set(outside) - set(inside)
    assert not [name for name in only if f"\n{name}\n" in told]
    assert all(path.name.startswith(town.scope) for path in files[1:])
    with pytest.raises(UsageError, match="本次评估中的单位"):
        export_casework(as_run(result), frames, tmp_path, actor=town, sheets=[str(codes.iloc[-1])])


def test_ledgers_by_person_are_for_roles_that_may_read_them(
    result: RiskResult, frames: Mapping[str, pd.DataFrame], tmp_path: Path
) -> None:
    def sheets(role: Role, name: str) -> dict[str, int]:
        (path,) = export_casework(
            as_run(result), frames, tmp_path / name, actor=Actor("a", "o", role), restricted=True, plans=False
        )
        return {sheet.title: sheet.max_row for sheet in openpyxl.load_workbook(path)}

    audit, county = sheets(Role.AUDIT, "audit"), sheets(Role.COUNTY, "county")
    assert audit["审计对象"] == county["审计对象"] > 3
    assert (audit["谈话台账"], audit["离任安置"]) == (3, 3)  # headings, and that there is nothing
    for role in (Role.READER, Role.TALENT, Role.TOWNSHIP):
        with pytest.raises(UsageError, match="没有查阅的权限"):
            sheets(role, "none")
