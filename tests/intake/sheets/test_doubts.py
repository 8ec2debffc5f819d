"""Codes in number cells are counted, and those that lost digits refused."""

from __future__ import annotations

import polars as pl

from huanjie_lib.intake.report import IssueLevel
from tests.intake.sheets.made import READER, A, load, row, screenings, texts


def test_codes_in_number_cells_are_counted_and_damaged_ones_refused() -> None:
    reading = READER.read(
        screenings(row(1, 990101101201.0), row(2, 1.23e11), row(3, "1.23E+11"), row(4, 9.9e17)),
        name="矛盾摸排",
    )
    checked = load(reading)["screenings"]
    assert checked.rows["unit_code"].to_list() == [A]
    assert "3 个单元格：数字格式的代码按文本读取" in texts(reading.issues, IssueLevel.NOTE)
    # 1.23e11 is a whole number of twelve digits: no such unit; the others no longer are codes
    assert checked.quarantine["source_row"].to_list() == [5, 6, 7]
    remedies = pl.concat(checked.issues).filter(pl.col("severity") == "error")["remedy"].to_list()
    assert sum("科学计数法" in r for r in remedies) == 2
