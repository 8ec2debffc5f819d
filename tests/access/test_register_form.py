"""The form is recognised by its name and by its headings, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from huanjie_lib.access.register_form import FORM_COLUMNS_OF_PEOPLE, FORM_WORDS, REGISTER_FORM
from huanjie_lib.contracts import TABLES, table
from huanjie_lib.intake.report import REGISTER
from huanjie_lib.intake.sheets import SheetReader
from huanjie_lib.intake.workbook import Grid
from huanjie_lib.parameters import load_parameters

READER = SheetReader(load_parameters().framework)
HEADINGS = [column.label for column in REGISTER_FORM.columns]


def tables_read(headings: list[str], name: str) -> list[str]:
    grid = Grid("a.xlsx", name, [[*headings], ["x"] * len(headings)])
    return [batch.table.name for batch in READER.read(grid, name=name).batches]


def test_the_form_is_no_table_of_its_own() -> None:
    assert REGISTER_FORM.name == REGISTER
    assert REGISTER not in TABLES
    assert all(REGISTER_FORM.column(name) == table("people").column(name) for name in FORM_COLUMNS_OF_PEOPLE)
    derived = {"person_ref", "birth_year"}
    assert {c.name for c in table("people").columns} == {*FORM_COLUMNS_OF_PEOPLE, *derived}


@pytest.mark.parametrize("name", [*FORM_WORDS, "石桥镇人才库登记表", "Sheet1"])
def test_a_form_is_known_by_its_name_or_its_headings(name: str) -> None:
    assert tables_read(HEADINGS, name) == [REGISTER]


def test_other_spellings_and_empty_optional_columns_will_do() -> None:
    spelt = ["人员姓名", "公民身份号码", "入库渠道", "来源类别", "培养状态", "入库日期"]
    assert tables_read(spelt, "Sheet1") == [REGISTER]


def test_a_ledger_with_a_name_too_many_stays_a_ledger() -> None:
    reviews = [c.label for c in table("reviews").columns]
    assert tables_read(["姓名", "身份证号", *reviews], "资格联审") == ["reviews"]
    assert tables_read(["姓名", "身份证号", *reviews], "Sheet1") == ["reviews"]


def test_pseudonymous_people_are_no_form() -> None:
    assert tables_read([c.label for c in table("people").columns], "后备人才") == ["people"]
