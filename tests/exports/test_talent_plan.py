"""The plan as a workbook: equal bytes, text as text, and nobody whom the account may not see."""

from __future__ import annotations

import io
from collections.abc import Iterable

import openpyxl
import pytest

from huanjie_lib.exports import talent_plan
from huanjie_lib.exports.talent_plan import plan_workbook
from tests.talent_runs import HOSTILE, LI, NAMES, OUYANG, ZHANG_TOO, talent_run


def called(refs: Iterable[str]) -> dict[str, str]:
    return {ref: "=1+1" if ref == LI else "某*" for ref in refs}


def test_equal_runs_give_equal_bytes_with_names_as_text() -> None:
    content = plan_workbook(talent_run(), called, covers=lambda _: True)
    assert content == plan_workbook(talent_run(), called, covers=lambda _: True)
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == ["培养计划", "须先核实", "后备不足"]
    steps = book["培养计划"]
    assert "仅供决策参考，由组织决定" in steps["A1"].value
    assert (steps["A3"].value, steps["A3"].data_type, steps["B3"].value) == ("=1+1", "s", LI[-4:])
    assert [cell.value for cell in steps["E"][2:]] == ["逾期", "建议", "已完成"]
    assert [cell.value for cell in book["后备不足"]["B"][2:]] == ["石桥村"]
    assert "每人列前2项" in book["须先核实"]["A1"].value
    whole = [cell.value for sheet in book for row in sheet.rows for cell in row]
    assert not {*NAMES, *NAMES.values()} & {str(value) for value in whole}


def test_whoever_has_no_name_stands_under_the_end_of_the_pseudonym_alone() -> None:
    for nobody, heading in ((set(NAMES), "代号末4位"), ({LI}, "姓名（掩码）")):

        def some(refs: Iterable[str], nobody: set[str] = nobody) -> dict[str, str]:
            return {ref: ref if ref in nobody else "某*" for ref in refs}

        book = openpyxl.load_workbook(io.BytesIO(plan_workbook(talent_run(), some, covers=lambda _: True)))
        assert book["培养计划"]["A2"].value == heading
        whole = {str(cell.value) for sheet in book for row in sheet.rows for cell in row}
        assert not whole & set(NAMES)
        assert LI[-4:] in whole


def test_only_people_at_home_in_the_scope_are_in_it() -> None:
    asked: set[str] = set()

    def note(refs: Iterable[str]) -> dict[str, str]:
        asked.update(refs)
        return called(asked)

    content = plan_workbook(talent_run(), note, covers=lambda code: code == HOSTILE)
    assert not asked & {LI, ZHANG_TOO}
    assert asked <= {OUYANG}
    assert openpyxl.load_workbook(io.BytesIO(content))["培养计划"]["A3"].value == "没有数据"


def test_of_each_person_the_first_things_to_verify_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talent_plan, "TASKS_EACH", 1)
    content = plan_workbook(talent_run(), called, covers=lambda _: True)
    sheet = openpyxl.load_workbook(io.BytesIO(content))["须先核实"]
    assert [cell.value for cell in sheet["H"][2:]] == [40.0, 12.0]
