"""Tables of the case screen: what stands in a cell, what comes first, and what an account does not see."""

from __future__ import annotations

import pandas as pd

from huanjie_lib.casework.events import Actor
from huanjie_lib.screens.board import Choice
from huanjie_lib.screens.sheets import (
    MOST_ROWS,
    Form,
    audit_sheets,
    conflict_sheets,
    scoped,
    sheet_of,
)
from huanjie_lib.store.run_folder import Run
from huanjie_lib.vocabulary import Role
from tests.screens.conftest import CITY, RED, TOWN


def test_cells_are_words_and_a_missing_value_is_a_dash() -> None:
    frame = pd.DataFrame(
        {
            "name": ["上云村", None],
            "on": pd.to_datetime(["2026-11-09", None]),
            "yes": pd.array([True, None], dtype="boolean"),
            "many": pd.array([3215, None], dtype="Int64"),
            "days": [2.5, float("nan")],
            "kept_share": [0.125, float("nan")],
            "state": ["closed", "other"],
        }
    )
    form = Form(
        {name: name for name in frame},
        words={"state": {"closed": "已销号"}},
        tones={"state": {"已销号": "bad"}},
    )
    sheet = sheet_of("s", "表", frame, form, nothing="没有")
    first, second = ([cell.text for cell in row] for row in sheet.rows)
    assert first == ["上云村", "2026年11月9日", "是", "3,215", "2.5", "12.5%", "已销号"]
    assert second == ["—", "—", "—", "—", "—", "—", "other"]
    assert [column.numeric for column in sheet.columns] == [False, False, False, True, True, True, False]
    assert [row[-1].tone for row in sheet.rows] == ["bad", "name"]


def test_a_long_table_says_what_it_leaves_out() -> None:
    frame = pd.DataFrame({"n": range(MOST_ROWS + 5)})
    sheet = sheet_of("s", "表", frame, Form({"n": "数"}), nothing="没有")
    assert len(sheet.rows) == MOST_ROWS
    assert sheet.note == f"共 {MOST_ROWS + 5} 行，先列需要办理的 {MOST_ROWS} 行，全部见导出的台账"
    assert sheet_of("s", "表", frame.head(0), Form({"n": "数"}), nothing="没有").note == ""


class TestScope:
    def test_units_and_areas_outside_the_scope_are_gone(
        self, small_run: Run, ledgers: dict[str, pd.DataFrame]
    ) -> None:
        coverage = pd.DataFrame(
            {"level": ["city", "county", "township"], "code": ["city", "990101", "990101102"]}
        )
        found = scoped({**ledgers, "coverage": coverage}, small_run.units, TOWN)
        assert set(found["audit_units"]["township_name"]) == {"石桥镇"}
        assert found["coverage"]["code"].tolist() == ["990101102"]
        assert len(found["disputes"].columns) > len(ledgers["disputes"].columns) - 1
        whole = scoped(ledgers, small_run.units, CITY)
        assert len(whole["audit_units"]) == len(small_run.units)

    def test_a_scope_is_a_beginning_and_no_pattern(
        self, small_run: Run, ledgers: dict[str, pd.DataFrame]
    ) -> None:
        odd = Actor("a", "甲", Role.TOWNSHIP, ("99010.102",))
        assert scoped(ledgers, small_run.units, odd)["audit_units"].empty


class TestLedgers:
    def test_refused_units_come_first(self, small_run: Run, ledgers: dict[str, pd.DataFrame]) -> None:
        units = ledgers["audit_units"].assign(verdict="pass")
        units.loc[units["unit_code"] == RED, "verdict"] = "fail"
        frames = scoped({**ledgers, "audit_units": units}, small_run.units, CITY)
        sheet = audit_sheets(frames, Choice())[0]
        assert sheet.rows[0][0].text == "石桥村"
        assert "不通过" in [cell.text for cell in sheet.rows[0]]
        assert "审计清楚 11 个（91.7%）" in sheet.note

    def test_red_units_without_plans_come_first_and_have_their_document(
        self, small_run: Run, ledgers: dict[str, pd.DataFrame]
    ) -> None:
        level = small_run.index.set_index("unit_code")["level"]
        frames = scoped(ledgers, small_run.units, CITY)
        rows = conflict_sheets(frames, Choice(), level)[0].rows
        red = int((level == "red").sum())
        assert [row[0].action == "plan" for row in rows] == [True] * red + [False] * (len(rows) - red)

    def test_the_filters_work_on_ledgers(self, small_run: Run, ledgers: dict[str, pd.DataFrame]) -> None:
        frames = scoped(ledgers, small_run.units, CITY)
        sheet = audit_sheets(frames, Choice(township="990101102", query="桥村"))[0]
        assert {row[0].text for row in sheet.rows} == {"石桥村", "下桥村"}
