"""Totals are compared with what they cover, and left out."""

from __future__ import annotations

from huanjie_lib.intake.report import IssueLevel
from tests.intake.sheets.made import READER, A, B, facts, texts, wide


def test_totals_are_compared_and_left_out() -> None:
    data = [
        [1, "上云村", A, 1000, 300, "1.5"],
        [2, "柳湾村", B, 900, 280, "2.25"],
        ["", "合 计", "", "1,900", 581, "3.8"],
        ["填表人：", "", "", "审核人：", "", ""],
    ]
    reading = READER.read(wide(*data), name="基本情况")
    assert len(facts(reading)) == 6
    (warning,) = [i for i in reading.issues if i.severity is IssueLevel.WARNING]
    assert (warning.row, warning.column, warning.label) == (6, "households", "总户数")
    assert (warning.found, warning.allowed) == ("合计 581", "与各行之和相等（580）")
    assert reading.batches[0].dropped == {"合计行": 3, "签字或说明行": 3}


def test_subtotals_cover_the_rows_since_the_last() -> None:
    data = [
        [1, "上云村", A, 10, 1, 1],
        ["", "小计", "", 10, 1, 1],
        [2, "柳湾村", B, 20, 2, 2],
        ["", "小计", "", 21, 2, 2],
        ["", "总计", "", 30, 3, 3],
    ]
    reading = READER.read(wide(*data), name="基本情况")
    assert texts(reading.issues, IssueLevel.WARNING) == ["小计 21"]


def test_a_total_over_unreadable_cells_is_not_compared() -> None:
    data = [[1, "上云村", A, "约一千", 1, 1], ["", "合计", "", 1000, 1, 1]]
    assert texts(READER.read(wide(*data), name="基本情况").issues, IssueLevel.WARNING) == []
