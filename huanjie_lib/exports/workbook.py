"""The working lists as a workbook: overview, working list, admission, points lost, league, data check-up.

Equal meetings give equal bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from huanjie_lib.exports.book import A3, FONT, GRID, LINE, Book, Column, Form, cell_values, lines, new_book
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import tables
from huanjie_lib.views.meeting import Meeting
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.views.summary import Overview
from huanjie_lib.views.words import (
    ADMISSION,
    INTERNAL,
    LABELS,
    LEVELS,
    count_text,
    date_text,
    level_notes,
)
from huanjie_lib.vocabulary import Topic, UnitKind, ValueStatus

__all__ = ["SHEETS", "workbook"]

SHEETS: Final = (
    "总览",
    "工作清单",
    "准入清单",
    "未准入清单",
    "转色路径",
    "变色说明",
    "扣分明细",
    "镇街排名",
    "准入条件",
    "数据体检",
    "说明",
)
"""Sheets in order."""

_ALL_LOSSES: Final = "扣分明细"
_WIDE: Final = 13  # last column of the overview
_ABOUT: Final = (26, 70, 12, 60, 46)  # widths of the last sheet's columns
_WORDS: Final[Mapping[str, Mapping[Any, str]]] = {
    "unit_kind": UnitKind.labels(),
    "admission": ADMISSION,
    "reachable": {True: "能", False: "不能"},
    "to_verify": {True: "待核实"},
    "contested": {True: "有争议"},
}


def _column(name: str, width: float, form: Form, label: str = "") -> Column:
    words = _WORDS.get(name) if form in ("text", "flag") else None
    return Column(name, width, form, label or LABELS[name], words)


_UNIT: Final = (
    _column("unit_code", 15, "text"),
    _column("unit_name", 16, "text"),
    _column("unit_kind", 7, "text"),
    _column("township_name", 12, "text"),
    _column("county_name", 11, "text"),
)
_LEVEL: Final = (
    _column("level", 8, "level"),
    _column("to_verify", 8, "flag"),
    _column("contested", 8, "flag"),
    _column("index", 10, "index"),
)
_WORKING: Final = (
    *_UNIT,
    *_LEVEL,
    _column("index_low", 10, "index"),
    _column("index_high", 10, "index"),
    _column("change", 10, "change"),
    _column("admission", 15, "text"),
    *(_column(f"reason_{n}", 28, "wrap") for n in range(1, tables.REASONS + 1)),
)
_ADMITTED: Final = (*_UNIT, *_LEVEL, _column("change", 10, "change"))
_BLOCKED: Final = (
    *_UNIT,
    *_LEVEL,
    _column("admission", 15, "text"),
    _column("failed_gates", 8, "count"),
    _column("unknown_gates", 8, "count"),
    _column("reasons", 48, "wrap"),
    _column("remedies", 48, "wrap"),
)
_PLACE: Final = (
    _column("unit_code", 15, "text"),
    _column("unit_name", 16, "text"),
    _column("township_name", 12, "text"),
    _column("county_name", 11, "text"),
)
_REMEDIES: Final = (
    *_PLACE,
    _column("level", 8, "level"),
    _column("index", 10, "index"),
    _column("target", 9, "level"),
    _column("reachable", 9, "text"),
    _column("index_after", 10, "index"),
    _column("regained", 9, "index"),
    _column("steps", 60, "wrap"),
    _column("cost", 10, "index"),
    _column("days", 8, "count"),
    _column("open_gates", 10, "count"),
)
_FLIPS: Final = (
    *_PLACE,
    _column("from_level", 8, "level"),
    _column("level", 8, "level"),
    _column("index_before", 10, "index"),
    _column("index", 10, "index"),
    _column("change", 10, "change"),
)
_CAUSE: Final = _column("flip_reason", 70, "wrap")
_LARGEST: Final = _column("reason_1", 70, "wrap")
_LOSSES: Final = (
    *_PLACE,
    _column("dimension", 11, "text"),
    _column("indicator", 19, "text"),
    _column("points", 8, "points"),
    _column("value", 12, "text"),
    _column("reason", 40, "wrap"),
    _column("data_date", 13, "date"),
    _column("source", 46, "wrap"),
)
_LEAGUE: Final = (
    _column("rank", 10, "count"),
    _column("township_name", 15, "text"),
    _column("county_name", 12, "text"),
    _column("units", 9, "count"),
    *(_column(level, 8, "count") for level in ("red", "yellow", "green", "unknown")),
    _column("to_verify", 9, "count"),
    _column("mean_index", 11, "index"),
    _column("change", 10, "change"),
    _column("admitted", 9, "count"),
    _column("admitted_share", 9, "share"),
)
_GATES: Final = (
    _column("gate", 22, "text"),
    _column("passed", 9, "count"),
    _column("failed", 9, "count"),
    _column("unknown", 9, "count", "待核实"),
    _column("share", 9, "share"),
    _column("rule", 52, "wrap"),
    _column("remedy", 46, "wrap"),
)
_FRESHNESS: Final = (
    _column("label", 20, "text"),
    _column("latest_on", 16, "date"),
    _column("age_days", 11, "count"),
    _column("units_covered", 13, "count"),
    _column("units_total", 13, "count"),
    _column("covered_share", 10, "share"),
)
_TREND: Final = (
    _column("as_of", 0, "date"),
    *(_column(level.value, 0, "count") for level in LEVELS),
    _column("to_verify", 0, "count"),
    _column("mean_index", 0, "index"),
)
_READING: Final = (
    ("总览", "数量、变化、总体态势和历次走势。"),
    ("工作清单", "全部村（社区），红色在前，同色按指数从低到高；可按镇街、等级筛选。"),
    ("准入清单", "各项准入条件全部通过、可以启动换届的村（社区）。"),
    ("未准入清单", "有条件不通过或待核实的村（社区），逐项列出原因和办理要求；指数再高也不能抵消。"),
    ("转色路径", "红色、黄色村（社区）最省力的转色办法和恢复的分数；颜色好转不能代替准入条件。"),
    ("变色说明", "与上期或上次会议相比颜色有变化的村（社区），以及原因。"),
    (_ALL_LOSSES, "每一项扣分及其原因和出处；同一村（社区）的扣分合计等于100减选情指数。"),
    ("镇街排名", "按平均选情指数从低到高，位次1风险最大，相同者并列；无数据的村（社区）不计入平均。"),
    ("准入条件", "每项条件通过、不通过、待核实的数量，以及依据和办理要求。"),
    ("数据体检", "每类数据最近的日期和报送覆盖面。"),
)


def workbook(meeting: Meeting, *, stamp: Stamp | None = None) -> bytes:
    """Return the workbook of a meeting as the bytes of an XLSX file.

    A township's has no sheet of all points lost: their sum would give away what reports cost a unit.

    Parameters
    ----------
    meeting
        What lies on the table.
    stamp
        Who exports: stands on every sheet and page.

    Returns
    -------
    bytes
        Equal meetings and stamps give equal bytes.

    Raises
    ------
    UsageError
        If a sheet would be longer than a spreadsheet can hold.
    """
    run, view = meeting.run, meeting.overview
    out = io.BytesIO()
    with new_book(out, title=view.title, as_of=run.as_of, version=meeting.version, stamp=stamp) as book:
        _overview(book, meeting)
        units = len(meeting.units)
        book.table("工作清单", meeting.units, _WORKING, f"共{count_text(units)}个", paper=A3)
        admitted = tables.admission_list(run)
        none = "没有村（社区）通过全部准入条件" if view.admission else "所用参数包没有设置准入条件"
        book.table("准入清单", admitted, _ADMITTED, f"共{count_text(len(admitted))}个", empty=none)
        blocked = tables.blocked_list(run)
        none = "没有未准入的村（社区）" if view.admission else none
        book.table("未准入清单", blocked, _BLOCKED, f"共{count_text(len(blocked))}个", empty=none, paper=A3)
        remedies = tables.remedy_table(run)
        idle = "没有需要转色的村（社区）" if run.parameters.measures else "所用参数包没有设置措施库"
        if run.readings["topic"].eq(Topic.REMEDY.value).any():
            idle = "没有测算，原因见界面上各村（社区）的研判"
        book.table("转色路径", remedies, _REMEDIES, f"共{count_text(len(remedies))}个", empty=idle, paper=A3)
        _turned(book, meeting)
        if not meeting.scope:
            _losses(book, run)
        note = f"共{count_text(len(meeting.league))}个镇街，位次1风险最大"
        book.table("镇街排名", meeting.league, _LEAGUE, note)
        book.table("准入条件", _gates(meeting), _GATES, "任何一项不通过，不得启动换届", empty=none)
        book.table("数据体检", tables.freshness_table(run), _FRESHNESS, "距今天数以截至日期计")
        _about(book, meeting)
    return out.getvalue()


def _turned(book: Book, meeting: Meeting) -> None:
    """Write whose colour is not what it was; what moved it is known only since the snapshot before."""
    caused = not meeting.since_meeting and not meeting.scope
    turned = tables.flip_table(meeting.run) if caused else meeting.turned
    count = f"共{count_text(len(turned))}个，与{meeting.since_text}相比"
    none = "没有村（社区）变色" if meeting.since is not None else "没有更早一期的评估，变色情况不明"
    book.table("变色说明", turned, (*_FLIPS, _CAUSE if caused else _LARGEST), count, empty=none, paper=A3)


def _losses(book: Book, run: Run) -> None:
    losses = tables.losses_table(run)
    filed = losses["status"] == ValueStatus.OBSERVED.label
    losses["value"] = losses["value"].where(filed, losses["status"])  # 缺失 or 已过期 says more than a dash
    book.table(_ALL_LOSSES, losses, _LOSSES, f"共{count_text(len(losses))}项", empty="没有扣分", paper=A3)


def _gates(meeting: Meeting) -> pd.DataFrame:
    gates = tables.gates_of(meeting.run)
    return meeting.gates.assign(rule=[g.rule for g in gates], remedy=[g.remedy for g in gates])


def _overview(book: Book, meeting: Meeting) -> None:
    """Write counts, admission, the picture in words, and the trend as a table and a chart."""
    sheet, view, trend = book.sheet("总览"), meeting.overview, meeting.trend
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, _WIDE, 11)
    sheet.set_row(0, 36)
    sheet.write_string(0, 0, view.title, book.format(bold=True, font_size=20))
    line = f"数据截至{date_text(view.as_of)}　参数版本 {view.parameter_version}　{INTERNAL}"
    sheet.write_string(1, 0, line, book.format())
    end = _counts(book, sheet, 3, meeting)
    first = _words(book, sheet, end + 1, view)
    sheet.write_string(first, 0, "历次走势", book.format(bold=True, font_size=12))
    for number, column in enumerate(_TREND):
        sheet.write_string(first + 1, number, column.heading, book.head())
        book.column(sheet, first + 2, number, cell_values(trend[column.name], column), column.form)
    sheet.insert_chart(3, 5, _chart(book, first + 2, len(trend)), {"object_position": 2})


def _counts(book: Book, sheet: Any, row: int, meeting: Meeting) -> int:
    """Write the counts by level and of admission; return the row after them."""
    view = meeting.overview
    since = "较上次会议" if meeting.since_meeting else "较上期"
    for number, heading in enumerate(("等级", "数量", "占比", since)):
        sheet.write_string(row, number, heading, book.head())
    sheet.set_row(row, 24)
    plain = book.cell("flag")
    lines: list[tuple[str, Any, int, int | None]] = [
        (count.level.label, book.level(count.level), count.count, count.change) for count in view.levels
    ]
    lines.append(("待核实", plain, view.to_verify, view.to_verify_change))
    lines.append(("合计", book.cell("flag", bold=True), view.units, None))
    if view.admission is not None:
        counts = (view.admission.passed, view.admission.failed, view.admission.unknown)
        lines += [(word, plain, count, None) for word, count in zip(ADMISSION.values(), counts, strict=True)]
    for label, look, count, change in lines:
        row += 1
        sheet.set_row(row, 24)
        sheet.write_string(row, 0, label, look)
        book.write(sheet, row, 1, count, "count")
        book.write(sheet, row, 2, count / view.units if view.units else 0.0, "share")
        book.write(sheet, row, 3, change, "move")
    return row + 1


def _words(book: Book, sheet: Any, row: int, view: Overview) -> int:
    """Write the picture in words; return the row after it and an empty one."""
    sheet.write_string(row, 0, "总体态势", book.format(bold=True, font_size=12))
    for sentence in view.picture:
        row += 1
        sheet.set_row(row, LINE * lines(sentence, _WIDE * 11 + 22) + 4)
        sheet.merge_range(row, 0, row, _WIDE, "", book.format(text_wrap=True))
        sheet.write_string(row, 0, sentence, book.format(text_wrap=True))
    return row + 2


def _chart(book: Book, first: int, snapshots: int) -> Any:
    """Return a stacked column chart of the trend table, which begins at row ``first``."""
    chart = book.stacked_chart()
    last = first + snapshots - 1
    font = {"name": FONT, "size": 9}
    for number, level in enumerate(LEVELS, start=1):
        chart.add_series(
            {
                "name": level.label,
                "categories": ["总览", first, 0, last, 0],
                "values": ["总览", first, number, last, number],
                "fill": {"color": level.colour},
                "border": {"color": "#ffffff", "width": 0.5},
                "gap": 25,
            }
        )
    chart.set_title({"name": "各等级数量走势", "name_font": {"name": FONT, "size": 12}, "overlay": False})
    chart.set_legend({"position": "bottom", "font": font})
    chart.set_x_axis({"num_format": "yyyy-mm", "num_font": font, "text_axis": True})
    chart.set_y_axis(
        {
            "num_font": font,
            "num_format": "#,##0",
            "major_gridlines": {"visible": True, "line": {"color": GRID}},
        }
    )
    chart.set_size({"width": 640, "height": 310})
    return chart


def _about(book: Book, meeting: Meeting) -> None:
    """Write how to read the file and what it rests on: colours, framework, versions, input digests."""
    sheet = book.sheet("说明")
    book.title(sheet, "说明", "各表的内容和口径")
    for number, width in enumerate(_ABOUT):
        sheet.set_column(number, number, width)
    run, manifest = meeting.run, meeting.run.manifest
    sheets = [(name, says) for name, says in _READING if name != _ALL_LOSSES or not meeting.scope]
    row = book.block(sheet, 2, ("工作表", "内容"), sheets, _ABOUT)
    notes = [("三色等级", note) for note in level_notes(run.parameters)]
    row = book.block(sheet, row, ("等级", "说明"), notes, _ABOUT)
    facts = [
        ("截至日期", run.as_of.isoformat()),
        ("参数版本", run.parameters.version),
        ("参数摘要", run.parameters.digest),
        ("程序版本", str(manifest.get("code_version", ""))),
        ("指标框架", f"{run.parameters.framework.title}（{run.parameters.framework.source}）"),
    ]
    row = book.block(sheet, row, ("项目", "取值"), facts, _ABOUT)
    if meeting.gaps:
        gaps = [("没有的内容", gap) for gap in meeting.gaps]
        row = book.block(sheet, row, ("项目", "说明"), gaps, _ABOUT)
    indicators = [
        (
            dimension.label,
            indicator.label,
            f"{100 * dimension.weight * indicator.weight:.2f}",
            indicator.definition,
            indicator.source,
        )
        for dimension in run.parameters.framework.dimensions
        for indicator in dimension.indicators
    ]
    row = book.block(sheet, row, ("维度", "指标", "最多可扣分", "定义", "来源"), indicators, _ABOUT)
    inputs = [
        (str(i["path"]), str(i["sha256"]), count_text(int(i["bytes"]))) for i in manifest.get("inputs", ())
    ]
    book.block(sheet, row, ("输入文件", "SHA-256 摘要", "字节数"), inputs, _ABOUT)
