"""Each filled cell of the wide sheet is a fact, and a ledger is projects and their items."""

from __future__ import annotations

import datetime as dt

from huanjie_lib.intake.report import IssueLevel
from tests.intake.sheets.made import READER, A, B, facts, grid, load, texts, wide


def test_each_filled_cell_of_the_wide_sheet_is_a_fact() -> None:
    reading = READER.read(
        wide([1, "上云村", A, 1000, "300", "１２,３４５"], [2, "柳湾村", B, 900, "—", ""]), name="基本情况"
    )
    day = dt.date(2026, 10, 31)
    assert facts(reading) == [
        (A, day, "hukou_population", 1000.0, 4),
        (A, day, "households", 300.0, 4),
        (A, day, "collective_income", 12345.0, 4),
        (B, day, "hukou_population", 900.0, 5),
    ]
    (batch,) = reading.batches
    assert batch.unit == "单元格"
    assert batch.dropped == {"空白单元格": 2}
    assert texts(reading.issues, IssueLevel.ERROR) == texts(reading.issues, IssueLevel.WARNING) == []
    assert "截至日期取自表头上方的填报日期：2026-10-31" in texts(reading.issues, IssueLevel.NOTE)


def test_projects_and_their_items() -> None:
    heads = [
        "序号",
        "项目编号",
        "统计用区划代码",
        "村(社区)名称",
        "审计类型",
        "审计事项",
        "审计结论",
        "涉及金额(元)",
    ]
    data = [
        [1, "P1", A, "上云村", "任中审计", "财务收支", "清楚", 10],
        ["", "", "", "", "", "资产处置", "清楚", 20],
        [2, "P2", B, "柳湾村", "离任", "财务收支", "不清楚", ""],
        ["", "", "", "", "", "债权债务", "未完成", ""],
    ]
    merged = grid([["石桥镇审计台账"], heads, *data], [(r, c, r + 1, c) for r in (2, 4) for c in range(5)])
    repeated = grid(
        [
            heads,
            *(
                [*(a if a[1] else b)[:5], *a[5:]]
                for a, b in zip(data, [data[0], data[0], data[2], data[2]], strict=True)
            ),
        ]
    )
    for sheet in (merged, grid([["石桥镇审计台账"], heads, *data]), repeated):
        reading = READER.read(sheet, name="审计台账")
        loaded = load(reading)
        assert loaded["audit_projects"].rows.select("project_id", "unit_code", "audit_type").rows() == [
            ("P1", A, "term"),
            ("P2", B, "leaving"),
        ]
        assert loaded["audit_items"].rows.select("project_id", "unit_code", "item").rows() == [
            ("P1", A, "finances"),
            ("P1", A, "assets"),
            ("P2", B, "finances"),
            ("P2", B, "debts"),
        ]
        assert reading.batches[0].dropped == {"同一项目的续行": 2}
