"""The working list as a workbook: overview, working list, admission, points lost, league, data check-up.

Every text goes in as text, whatever it begins with: no name can become a formula or a link. Equal runs give
equal bytes: the only date in the file is the as-of date.
"""

from __future__ import annotations

import datetime as dt
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pandas as pd
import xlsxwriter

from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import tables
from huanjie_lib.views.summary import Overview, overview
from huanjie_lib.views.words import (
    ADMISSION,
    INTERNAL,
    LABELS,
    LEVELS,
    count_text,
    date_text,
    ems,
    level_notes,
)
from huanjie_lib.vocabulary import Level, Topic, UnitKind, ValueStatus

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

Form = Literal["text", "wrap", "level", "flag", "index", "points", "change", "move", "share", "count", "date"]

_ROWS: Final = 1_048_576
_CELL: Final = 32_767
_A4: Final = 9
_A3: Final = 8
_WIDE: Final = 13  # last column of the overview
_ABOUT: Final = (26, 70, 12, 60, 46)  # widths of the last sheet's columns
_LINE: Final = 15.0  # points a line of text takes
_EM: Final = 1.95  # characters of column width a Chinese character takes
_FONT: Final = "微软雅黑"
_INK: Final = "#1b2430"
_GRID: Final = "#c3cad5"
_HEAD: Final = "#dfe6f0"
_NUMBERS: Final[dict[Form, str]] = {
    "index": "0.0",
    "points": "0.00",
    "change": "[>=0.05]+0.0;[<=-0.05]-0.0;0.0",
    "move": "+#,##0;-#,##0;0",
    "share": "0.0%",
    "count": "#,##0",
    "date": "yyyy-mm-dd",
}


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of a sheet: which values, how wide in characters, how they are shown."""

    name: str
    width: float
    form: Form
    label: str = ""

    @property
    def heading(self) -> str:
        return self.label or LABELS[self.name]


_UNIT: Final = (
    _Column("unit_code", 15, "text"),
    _Column("unit_name", 16, "text"),
    _Column("unit_kind", 7, "text"),
    _Column("township_name", 12, "text"),
    _Column("county_name", 11, "text"),
)
_LEVEL: Final = (
    _Column("level", 8, "level"),
    _Column("to_verify", 8, "flag"),
    _Column("contested", 8, "flag"),
    _Column("index", 10, "index"),
)
_WORKING: Final = (
    *_UNIT,
    *_LEVEL,
    _Column("index_low", 10, "index"),
    _Column("index_high", 10, "index"),
    _Column("change", 10, "change"),
    _Column("admission", 15, "text"),
    *(_Column(f"reason_{n}", 28, "wrap") for n in range(1, tables.REASONS + 1)),
)
_ADMITTED: Final = (*_UNIT, *_LEVEL, _Column("change", 10, "change"))
_BLOCKED: Final = (
    *_UNIT,
    *_LEVEL,
    _Column("admission", 15, "text"),
    _Column("failed_gates", 8, "count"),
    _Column("unknown_gates", 8, "count"),
    _Column("reasons", 48, "wrap"),
    _Column("remedies", 48, "wrap"),
)
_PLACE: Final = (
    _Column("unit_code", 15, "text"),
    _Column("unit_name", 16, "text"),
    _Column("township_name", 12, "text"),
    _Column("county_name", 11, "text"),
)
_REMEDIES: Final = (
    *_PLACE,
    _Column("level", 8, "level"),
    _Column("index", 10, "index"),
    _Column("target", 9, "level"),
    _Column("reachable", 9, "text"),
    _Column("index_after", 10, "index"),
    _Column("regained", 9, "index"),
    _Column("steps", 60, "wrap"),
    _Column("cost", 10, "index"),
    _Column("days", 8, "count"),
    _Column("open_gates", 10, "count"),
)
_FLIPS: Final = (
    *_PLACE,
    _Column("from_level", 8, "level"),
    _Column("level", 8, "level"),
    _Column("index_before", 10, "index"),
    _Column("index", 10, "index"),
    _Column("change", 10, "change"),
    _Column("flip_reason", 70, "wrap"),
)
_LOSSES: Final = (
    *_PLACE,
    _Column("dimension", 11, "text"),
    _Column("indicator", 19, "text"),
    _Column("points", 8, "points"),
    _Column("value", 12, "text"),
    _Column("reason", 40, "wrap"),
    _Column("data_date", 13, "date"),
    _Column("source", 46, "wrap"),
)
_LEAGUE: Final = (
    _Column("rank", 10, "count"),
    _Column("township_name", 15, "text"),
    _Column("county_name", 12, "text"),
    _Column("units", 9, "count"),
    *(_Column(level, 8, "count") for level in ("red", "yellow", "green", "unknown")),
    _Column("to_verify", 9, "count"),
    _Column("mean_index", 11, "index"),
    _Column("change", 10, "change"),
    _Column("admitted", 9, "count"),
    _Column("admitted_share", 9, "share"),
)
_GATES: Final = (
    _Column("gate", 22, "text"),
    _Column("passed", 9, "count"),
    _Column("failed", 9, "count"),
    _Column("unknown", 9, "count", "待核实"),
    _Column("share", 9, "share"),
    _Column("rule", 52, "wrap"),
    _Column("remedy", 46, "wrap"),
)
_FRESHNESS: Final = (
    _Column("label", 20, "text"),
    _Column("latest_on", 16, "date"),
    _Column("age_days", 11, "count"),
    _Column("units_covered", 13, "count"),
    _Column("units_total", 13, "count"),
    _Column("covered_share", 10, "share"),
)
_TREND: Final = (
    _Column("as_of", 0, "date"),
    *(_Column(level.value, 0, "count") for level in LEVELS),
    _Column("to_verify", 0, "count"),
    _Column("mean_index", 0, "index"),
)
_FLAGS: Final = {"to_verify": "待核实", "contested": "有争议"}
_READING: Final = (
    ("总览", "数量、变化、总体态势和历次走势。"),
    ("工作清单", "全部村（社区），红色在前，同色按指数从低到高；可按镇街、等级筛选。"),
    ("准入清单", "各项准入条件全部通过、可以启动换届的村（社区）。"),
    ("未准入清单", "有条件不通过或待核实的村（社区），逐项列出原因和办理要求；指数再高也不能抵消。"),
    ("转色路径", "红色、黄色村（社区）最省力的转色办法和恢复的分数；颜色好转不能代替准入条件。"),
    ("变色说明", "与上期相比颜色有变化的村（社区），由哪些扣分变动引起。"),
    ("扣分明细", "每一项扣分及其原因和出处；同一村（社区）的扣分合计等于100减选情指数。"),
    ("镇街排名", "按平均选情指数从低到高，位次1风险最大，相同者并列；无数据的村（社区）不计入平均。"),
    ("准入条件", "每项条件通过、不通过、待核实的数量，以及依据和办理要求。"),
    ("数据体检", "每类数据最近的日期和报送覆盖面。"),
)


def workbook(run: Run) -> bytes:
    """Return the workbook of a run as the bytes of an XLSX file; equal runs give equal bytes.

    Raises
    ------
    UsageError
        If a sheet would be longer than a spreadsheet can hold.
    """
    view = overview(run)
    out = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, {**options, "in_memory": True}) as file:
        stamp = dt.datetime.combine(run.as_of, dt.time())
        file.set_properties({"title": view.title, "comments": view.parameter_version, "created": stamp})
        book = _Book(file, view)
        _overview(book, run)
        units = len(run.units)
        book.table("工作清单", tables.working_list(run), _WORKING, f"共{count_text(units)}个", paper=_A3)
        admitted = tables.admission_list(run)
        none = "没有村（社区）通过全部准入条件" if view.admission else "所用参数包没有设置准入条件"
        book.table("准入清单", admitted, _ADMITTED, f"共{count_text(len(admitted))}个", empty=none)
        blocked = tables.blocked_list(run)
        none = "没有未准入的村（社区）" if view.admission else none
        book.table("未准入清单", blocked, _BLOCKED, f"共{count_text(len(blocked))}个", empty=none, paper=_A3)
        remedies = tables.remedy_table(run)
        idle = "没有需要转色的村（社区）" if run.parameters.measures else "所用参数包没有设置措施库"
        if run.readings["topic"].eq(Topic.REMEDY.value).any():
            idle = "没有测算，原因见界面上各村（社区）的研判"
        book.table("转色路径", remedies, _REMEDIES, f"共{count_text(len(remedies))}个", empty=idle, paper=_A3)
        flips = tables.flip_table(run)
        count = f"共{count_text(len(flips))}个"
        book.table("变色说明", flips, _FLIPS, count, empty="没有村（社区）变色", paper=_A3)
        losses = tables.losses_table(run)
        filed = losses["status"] == ValueStatus.OBSERVED.label
        losses["value"] = losses["value"].where(
            filed, losses["status"]
        )  # 缺失 or 已过期 says more than a dash
        book.table("扣分明细", losses, _LOSSES, f"共{count_text(len(losses))}项", empty="没有扣分", paper=_A3)
        league = tables.township_league(run)
        book.table("镇街排名", league, _LEAGUE, f"共{count_text(len(league))}个镇街，位次1风险最大")
        book.table("准入条件", _gates(run), _GATES, "任何一项不通过，不得启动换届", empty=none)
        book.table("数据体检", tables.freshness_table(run), _FRESHNESS, "距今天数以截至日期计")
        _about(book, run)
    return out.getvalue()


class _Book:
    """A workbook being written: its formats, and sheets that look alike."""

    def __init__(self, file: xlsxwriter.Workbook, view: Overview) -> None:
        self.view = view
        self._file = file
        self._formats: dict[tuple[tuple[str, Any], ...], Any] = {}

    def format(self, **style: Any) -> Any:
        """Return the format of a style, made once."""
        key = tuple(sorted(style.items()))
        if key not in self._formats:
            base = {"font_name": _FONT, "font_size": 10, "font_color": _INK, "valign": "vcenter"}
            self._formats[key] = self._file.add_format(base | style)
        return self._formats[key]

    def cell(self, form: Form, **style: Any) -> Any:
        """Return the format of a value in a table."""
        look: dict[str, Any] = {"border": 1, "border_color": _GRID}
        if form in _NUMBERS:
            side = {"align": "center"} if form == "date" else {"align": "right", "indent": 1}
            look |= {"num_format": _NUMBERS[form], **side}
        elif form in ("level", "flag"):
            look["align"] = "center"
        else:
            look |= {"align": "left", "indent": 1, "text_wrap": form == "wrap"}
        return self.format(**look | style)

    def level(self, level: Level) -> Any:
        """Return the format of a level: its colour; the cell says the level's name."""
        ink = "#ffffff" if level is Level.RED else _INK
        return self.cell("level", bg_color=level.colour, font_color=ink, bold=True)

    def head(self) -> Any:
        """Return the format of a heading."""
        return self.format(
            bold=True, align="center", text_wrap=True, bg_color=_HEAD, border=1, border_color=_GRID
        )

    def sheet(self, name: str, *, paper: int = _A4, landscape: bool = True) -> Any:
        """Return a new sheet, set up for print."""
        sheet = self._file.add_worksheet(name)
        sheet.set_paper(paper)
        if landscape:
            sheet.set_landscape()
        sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
        sheet.fit_to_pages(1, 0)
        sheet.hide_gridlines(2)
        version = self.view.parameter_version.replace("&", "&&")
        sheet.set_footer(f'&L&"{_FONT}"&8{INTERNAL}&C&8{version}&R&"{_FONT}"&8第 &P 页，共 &N 页')
        return sheet

    def title(self, sheet: Any, name: str, note: str) -> None:
        """Write the first line of a sheet."""
        sheet.set_row(0, 26)
        sheet.write_string(
            0,
            0,
            f"{name}（截至{date_text(self.view.as_of)}，{note}）",
            self.format(bold=True, font_size=14),
        )

    def table(
        self,
        name: str,
        frame: pd.DataFrame,
        columns: Sequence[_Column],
        note: str,
        *,
        empty: str = "没有数据",
        paper: int = _A4,
    ) -> None:
        """Write a sheet of one table: title, headings that stay in view and repeat in print, filters."""
        if len(frame) + 2 > _ROWS:
            raise UsageError(
                f"“{name}”超出了工作簿的行数",
                [
                    Fault(
                        name,
                        f"{count_text(len(frame))} 行",
                        f"不超过 {count_text(_ROWS - 2)} 行",
                        "按县区分别评估和导出",
                    )
                ],
            )
        sheet = self.sheet(name, paper=paper)
        self.title(sheet, name, note)
        sheet.set_row(1, 32)
        for number, column in enumerate(columns):
            sheet.set_column(number, number, column.width)
            sheet.write_string(1, number, column.heading, self.head())
        sheet.freeze_panes(2, 2)
        sheet.repeat_rows(0, 1)
        if frame.empty:
            sheet.write_string(2, 0, empty, self.format())
            return
        heights = [1] * len(frame)
        for number, column in enumerate(columns):
            values = _values(frame[column.name], column)
            self.column(sheet, 2, number, values, column.form)
            if column.form == "wrap":
                heights = [max(h, _lines(v, column.width)) for h, v in zip(heights, values, strict=True)]
        for row, height in enumerate(heights, start=2):
            sheet.set_row(row, _LINE * height + 4)
        sheet.autofilter(1, 0, len(frame) + 1, len(columns) - 1)
        sheet.ignore_errors({"number_stored_as_text": f"A3:A{len(frame) + 2}"})

    def column(self, sheet: Any, first: int, number: int, values: Sequence[Any], form: Form) -> None:
        """Write values down a column; nothing leaves a cell empty, and a text is never anything but text."""
        look = self.cell(form)
        levels = {level.value: (level.label, self.level(level)) for level in Level}
        put = sheet.write_string
        if form in _NUMBERS:
            put = sheet.write_datetime if form == "date" else sheet.write_number
        for row, value in enumerate(values, start=first):
            if value is None:
                sheet.write_blank(row, number, None, look)
            elif form == "level":
                sheet.write_string(row, number, *levels[value])
            else:
                put(row, number, value, look)

    def write(self, sheet: Any, row: int, number: int, value: Any, form: Form) -> None:
        """Write one value."""
        self.column(sheet, row, number, [value], form)

    def stacked_chart(self) -> Any:
        """Return an empty stacked column chart."""
        return self._file.add_chart({"type": "column", "subtype": "stacked"})


def _values(series: pd.Series[Any], column: _Column) -> list[Any]:
    """Return the values of a column as plain Python values, ``None`` where missing."""
    if column.form == "flag":
        return [_FLAGS[column.name] if flag else None for flag in series]
    if column.form == "date":
        return [None if pd.isna(day) else pd.Timestamp(day).to_pydatetime() for day in series]
    if column.name == "unit_kind":
        series = series.map(UnitKind.labels())
    elif column.name == "admission":
        series = series.map(ADMISSION)
    elif column.name == "reachable":
        series = series.map({True: "能", False: "不能"})
    values = series.astype(object).where(series.notna(), None).tolist()
    if column.form in _NUMBERS:
        return [None if value is None else float(value) for value in values]
    return [str(value)[:_CELL] if value not in (None, "") else None for value in values]


def _lines(text: str | None, width: float) -> int:
    """Return the lines a text takes in a column; spreadsheets that don't fit rows to text need to be told."""
    return max(1, math.ceil(ems(text or "") / (width / _EM - 1)))


def _gates(run: Run) -> pd.DataFrame:
    gates = tables.gates_of(run)
    return tables.gate_progress(run).assign(rule=[g.rule for g in gates], remedy=[g.remedy for g in gates])


def _overview(book: _Book, run: Run) -> None:
    """Write counts, admission, the picture in words, and the trend as a table and a chart."""
    view = book.view
    sheet = book.sheet("总览")
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, _WIDE, 11)
    sheet.set_row(0, 36)
    sheet.write_string(0, 0, view.title, book.format(bold=True, font_size=20))
    line = f"数据截至{date_text(view.as_of)}　参数版本 {view.parameter_version}　{INTERNAL}"
    sheet.write_string(1, 0, line, book.format())
    trend = tables.trend(run)
    end = _counts(book, sheet, 3)
    first = _words(book, sheet, end + 1)
    sheet.write_string(first, 0, "历次走势", book.format(bold=True, font_size=12))
    for number, column in enumerate(_TREND):
        sheet.write_string(first + 1, number, column.heading, book.head())
        book.column(sheet, first + 2, number, _values(trend[column.name], column), column.form)
    sheet.insert_chart(3, 5, _chart(book, first + 2, len(trend)), {"object_position": 2})


def _counts(book: _Book, sheet: Any, row: int) -> int:
    """Write the counts by level and of admission; return the row after them."""
    view = book.view
    for number, heading in enumerate(("等级", "数量", "占比", "较上期")):
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


def _words(book: _Book, sheet: Any, row: int) -> int:
    """Write the picture in words; return the row after it and an empty one."""
    sheet.write_string(row, 0, "总体态势", book.format(bold=True, font_size=12))
    for sentence in book.view.picture:
        row += 1
        sheet.set_row(row, _LINE * _lines(sentence, _WIDE * 11 + 22) + 4)
        sheet.merge_range(row, 0, row, _WIDE, "", book.format(text_wrap=True))
        sheet.write_string(row, 0, sentence, book.format(text_wrap=True))
    return row + 2


def _chart(book: _Book, first: int, snapshots: int) -> Any:
    """Return a stacked column chart of the trend table, which begins at row ``first``."""
    chart = book.stacked_chart()
    last = first + snapshots - 1
    font = {"name": _FONT, "size": 9}
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
    chart.set_title({"name": "各等级数量走势", "name_font": {"name": _FONT, "size": 12}, "overlay": False})
    chart.set_legend({"position": "bottom", "font": font})
    chart.set_x_axis({"num_format": "yyyy-mm", "num_font": font, "text_axis": True})
    chart.set_y_axis(
        {
            "num_font": font,
            "num_format": "#,##0",
            "major_gridlines": {"visible": True, "line": {"color": _GRID}},
        }
    )
    chart.set_size({"width": 640, "height": 310})
    return chart


def _about(book: _Book, run: Run) -> None:
    """Write how to read the file and what it rests on: colours, framework, versions, input digests."""
    sheet = book.sheet("说明")
    book.title(sheet, "说明", INTERNAL)
    for number, width in enumerate(_ABOUT):
        sheet.set_column(number, number, width)
    manifest = run.manifest
    row = 2
    row = _block(book, sheet, row, ("工作表", "内容"), _READING)
    row = _block(
        book,
        sheet,
        row,
        ("等级", "说明"),
        [("三色等级", n) for n in level_notes(run.parameters)],
    )
    facts = [
        ("截至日期", run.as_of.isoformat()),
        ("参数版本", run.parameters.version),
        ("参数摘要", run.parameters.digest),
        ("程序版本", str(manifest.get("code_version", ""))),
        ("指标框架", f"{run.parameters.framework.title}（{run.parameters.framework.source}）"),
    ]
    row = _block(book, sheet, row, ("项目", "取值"), facts)
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
    row = _block(book, sheet, row, ("维度", "指标", "最多可扣分", "定义", "来源"), indicators)
    inputs = [
        (str(i["path"]), str(i["sha256"]), count_text(int(i["bytes"]))) for i in manifest.get("inputs", ())
    ]
    _block(book, sheet, row, ("输入文件", "SHA-256 摘要", "字节数"), inputs)


def _block(book: _Book, sheet: Any, row: int, heads: Sequence[str], lines: Sequence[Sequence[str]]) -> int:
    """Write a small table of texts; return the row after it and an empty one."""
    for number, head in enumerate(heads):
        sheet.write_string(row, number, head, book.head())
    for line in lines:
        row += 1
        sheet.set_row(row, _LINE * max(_lines(t, w) for t, w in zip(line, _ABOUT, strict=False)) + 4)
        for number, text in enumerate(line):
            book.write(sheet, row, number, text, "wrap")
    return row + 2
