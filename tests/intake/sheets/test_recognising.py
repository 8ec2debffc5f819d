"""A sheet is known by its name or its headings, and dated by what stands over them."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest

from huanjie_lib.intake.report import IssueLevel
from huanjie_lib.intake.sheets import SheetReader
from huanjie_lib.parameters import load_parameters
from tests.intake.sheets.made import (
    FILING,
    READER,
    SCREENING,
    TITLE,
    A,
    facts,
    grid,
    load,
    row,
    screenings,
    texts,
)


@pytest.mark.parametrize("name", ["矛盾摸排", "附件3 矛盾摸排台账", "石桥镇矛盾摸排", "Sheet1"])
def test_a_sheet_is_known_by_name_or_headings(name: str) -> None:
    reading = READER.read(screenings(row(1)), name=name)
    assert [b.table.name for b in reading.batches] == ["screenings"]


def test_two_heading_rows_with_merged_groups() -> None:
    rows = [
        TITLE,
        FILING,
        ["序号", "村(社区)\n名称", "统计用区划代码", "人口情况", "", "经济情况（万元）", ""],
        ["", "", "", "户籍 人口（人）", "总户数", "集体经济年收入", "集体债务余额（元）"],
        [1, "上云村", A, 1000, 300, 1.25, 7],
    ]
    merges = [(2, 0, 3, 0), (2, 1, 3, 1), (2, 2, 3, 2), (2, 3, 2, 4), (2, 5, 2, 6)]
    found = facts(READER.read(grid(rows, merges), name="基本情况"))
    assert [(f[2], f[3]) for f in found] == [
        ("hukou_population", 1000.0),
        ("households", 300.0),
        ("collective_income", 12500.0),
        ("collective_debt", 7.0),
    ]
    assert facts(READER.read(grid(rows), name="基本情况")) == found  # as CSV: no merges


@pytest.mark.parametrize(
    "filing",
    [
        ["填报单位：石桥镇", "填报日期：2026年10月31日"],
        ["填报日期", "2026-10-31"],
        ["填报日期：", dt.date(2026, 10, 31)],
        ["填报时间：2026.10.31 填报人：某某某"],
        ["截至日期: ２０２６年１０月３１日"],
    ],
)
def test_where_the_filing_date_may_stand(filing: list[Any]) -> None:
    sheet = grid([TITLE, filing, ["统计用区划代码", "总户数"], [A, 300]])
    assert facts(READER.read(sheet, name="基本情况"))[0][1] == dt.date(2026, 10, 31)


def test_a_date_column_beats_the_filing_date() -> None:
    sheet = grid([FILING, ["统计用区划代码", "统计日期", "总户数"], [A, "2026-09-30", 300]])
    assert facts(READER.read(sheet, name="基本情况"))[0][1] == dt.date(2026, 9, 30)


def test_no_filing_date_and_none_declared() -> None:
    sheet = grid([TITLE, ["统计用区划代码", "总户数"], [A, 300]])
    reading = READER.read(sheet, name="基本情况")
    (why,) = reading.batches[0].refused
    assert "缺少列“截至日期”" in why.found
    assert "填报日期：2026年10月31日" in why.remedy
    assert load(reading)["facts"].quarantine["value"].to_list() == ["300"]
    declared = SheetReader(load_parameters().framework, as_of=dt.date(2026, 10, 31)).read(
        sheet, name="基本情况"
    )
    assert facts(declared)[0][1] == dt.date(2026, 10, 31)
    assert any("sources.yaml" in t for t in texts(declared.issues, IssueLevel.NOTE))


def test_an_unreadable_filing_date_names_no_one() -> None:
    sheet = grid([["填报日期：月底前 填报人：某某某"], ["统计用区划代码", "总户数"], [A, 300]])
    (why,) = READER.read(sheet, name="基本情况").batches[0].refused
    assert why.found == "“填报日期”后没有认得的日期"
    ledger = grid([["填报日期：月底前"], SCREENING, row(1)])
    assert READER.read(ledger, name="矛盾摸排").batches[0].refused == ()  # a ledger carries its own dates


def test_a_wide_sheet_of_long_texts_is_no_burden() -> None:
    """Found by fuzzing: each text was looked at for each table, and for a filing date above each row."""
    whole = grid([["人" * 30_000 + f"{r}-{c}" for c in range(200)] for r in range(20)])
    began = time.process_time()
    reading = READER.read(whole, name="草稿")
    assert time.process_time() - began < 20  # one second; it took minutes
    assert reading.passed_by == {"认不出的表": 20}
