"""Sheets as clerks fill them in, read by the reader of the default pack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from huanjie_lib.intake.checks import Checked, Context, check
from huanjie_lib.intake.report import Issue, IssueLevel
from huanjie_lib.intake.sheets import Reading, SheetReader
from huanjie_lib.intake.workbook import Grid
from huanjie_lib.parameters import load_parameters

A, B = "990101101201", "990101101202"
READER = SheetReader(load_parameters().framework)
TITLE = ["石桥镇换届基础数据报送表", "", "", ""]
FILING = ["填报单位：石桥镇人民政府", "", "填报日期：2026年10月31日", ""]
SCREENING = ["序号", "村(社区)名称", "统计用区划代码", "摸排编号", "摸排日期", "摸排方式", "走访户数", "备注"]


def grid(
    rows: Sequence[Sequence[Any]], merges: Sequence[tuple[int, int, int, int]] = (), **options: Any
) -> Grid:
    """Return a sheet; ``merges`` are top, left, bottom, right."""
    width = max(map(len, rows))
    anchors = {
        (r, c): (top, left)
        for top, left, bottom, right in merges
        for r in range(top, bottom + 1)
        for c in range(left, right + 1)
    }
    filled = [[*row, *[""] * (width - len(row))] for row in rows]
    return Grid("returns/a.xlsx", options.pop("sheet", "表"), filled, anchors, **options)


def wide(*data: Sequence[Any], heads: Sequence[str] = ("户籍人口(人)", "总户数", "集体经济年收入")) -> Grid:
    """Return the wide sheet with rows of metrics."""
    rows = [TITLE, FILING, ["序号", "村(社区)名称", "统计用区划代码", *heads], *data]
    return grid(rows)


def screenings(*data: Sequence[Any]) -> Grid:
    """Return a sheet of screenings."""
    return grid([["石桥镇矛盾摸排台账"], FILING, SCREENING, *data])


def row(
    number: int, code: str = A, *, date: str = "2026-10-01", method: str = "走访", houses: Any = 3
) -> list[Any]:
    """Return a row of such a sheet."""
    return [number, "上云村", code, f"S{number}", date, method, houses, ""]


def texts(found: Sequence[Issue], level: IssueLevel) -> list[str]:
    """Return what lines of a level found."""
    return [i.found for i in found if i.severity == level]


def load(reading: Reading) -> dict[str, Checked]:
    """Check what was read, tables in order, and see that every row is accounted for."""
    metrics = load_parameters().framework.metrics
    known = {("units", "unit_code"): pl.Series([A, B])}
    loaded = {}
    for batch in reading.batches:
        mine = [b for b in reading.batches if b.table.name == batch.table.name]
        checked = check(batch.table, mine, Context(metrics, known=known))
        for count in checked.counts:
            assert count["read"] == count["loaded"] + count["quarantined"] + count["dropped"]
        loaded[batch.table.name] = checked
        if batch.table.name == "audit_projects":
            known[("audit_projects", "project_id")] = checked.rows["project_id"]
    return loaded


def facts(reading: Reading) -> list[tuple[Any, ...]]:
    """Return the facts of a reading."""
    rows = load(reading)["facts"].rows
    return rows.select("unit_code", pl.col("as_of").dt.date(), "metric", "value", "source_row").rows()
