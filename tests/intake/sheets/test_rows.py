"""Rows that are no data are told apart and counted."""

from __future__ import annotations

from tests.intake.sheets.made import READER, SCREENING, load, row, screenings


def test_rows_that_are_no_data() -> None:
    data = [
        row(1),
        [],
        SCREENING,
        row(2),
        [3, "柳湾村"],
        ["", "合计", "", "", "", "", 6],
        ["注：以上数据由各村填报"],
        ["填表人：", "", "审核人："],
        [],
    ]
    reading = READER.read(screenings(*data), name="矛盾摸排")
    assert reading.batches[0].rows.to_list() == [4, 7]
    assert reading.batches[0].dropped == {
        "空白行": 1,
        "重复的表头": 1,
        "只有序号或名称的行": 1,
        "合计行": 1,
        "签字或说明行": 2,
    }
    assert load(reading)["screenings"].rows["households_visited"].to_list() == [3, 3]
