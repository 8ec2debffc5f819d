"""The deck of a meeting (PPTX): every table and chart is native and can be edited, only the map is a picture.

One master with two layouts, title and content; fonts stand in the theme, and the East Asian one is named on
every run. Nothing on a slide is smaller than 18 points but the numbers inside charts, the mark and the page
number. Where a table has more rows than a slide holds, it goes on; where it would go on too long, the slide
says how many there are and where the rest is. Figures and sentences are those of the meeting and of its
briefing.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import pandas as pd
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION, XL_LEGEND_POSITION
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.opc.constants import RELATIONSHIP_TYPE
from pptx.oxml.ns import qn
from pptx.oxml.shapes.autoshape import CT_Shape
from pptx.oxml.xmlchemy import OxmlElement
from pptx.shapes.autoshape import Shape
from pptx.util import Emu, Inches, Pt

from huanjie_lib.exports.briefing import Table, Text, section
from huanjie_lib.exports.docx import printable
from huanjie_lib.exports.zipped import repacked
from huanjie_lib.views.meeting import Meeting, RedUnit
from huanjie_lib.views.meeting_figures import map_figure
from huanjie_lib.views.print_map import render
from huanjie_lib.views.words import (
    CONTESTED,
    INTERNAL,
    LEVELS,
    count_text,
    date_text,
    ems,
    level_notes,
    number_text,
    present,
)
from huanjie_lib.vocabulary import Level

__all__ = ["deck", "dimension_table"]

FONT: Final = "微软雅黑"
_KEPT: Final = (
    PP_PLACEHOLDER.TITLE,
    PP_PLACEHOLDER.CENTER_TITLE,
    PP_PLACEHOLDER.SUBTITLE,
    PP_PLACEHOLDER.BODY,
)
_WIDE, _HIGH = 13.333, 7.5
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.6, 12.733, 1.3, 6.85
"""Edges of what a slide holds, in inches."""
_TEXT: Final = 18.0
_CHART_TEXT: Final = 14.0
_LINE: Final = 1.42
"""Height of a line over its size: that of the tallest of the fonts that may stand in."""
_FIGURE: Final = re.compile(r"[+−]?[\d,.]+%?|—|")
_CELL_GAPS: Final = (14.0, 9.0)
"""Points that a cell keeps free beside and above its text, both sides together."""
_INK, _SOFT, _BLUE, _PALE, _RULE = "1B2430", "55627A", "1D4F91", "EDF2F8", "C5CEDB"
_MAP_MM: Final = (176.0, 141.0)
_SNAPSHOTS: Final = 8
_LEAGUE: Final = 20
_REDS: Final = 12
_GATES: Final = 2
_NARROW: Final = 0.025
"""Share of a stack below which its number is left out."""
_PASSED, _FAILED, _OPEN = "8FB8DE", "B2182B", "E6E6E6"
"""Apart in greyscale too."""


@dataclass(frozen=True, slots=True)
class _Box:
    """A place on a slide in inches."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def place(self) -> tuple[Any, Any, Any, Any]:
        return (
            Inches(self.left),
            Inches(self.top),
            Inches(self.right - self.left),
            Inches(self.bottom - self.top),
        )


_TEXT_WIDTH: Final = 72 * (_RIGHT - _LEFT) - 18
"""Points that a line of text takes across a slide."""
_WHOLE: Final = _Box(_LEFT, _TOP, _RIGHT, _BOTTOM)


def deck(meeting: Meeting, *, mark: str = INTERNAL) -> bytes:
    """Return the deck of a meeting as a PPTX.

    Parameters
    ----------
    meeting
        What lies on the table.
    mark
        Who hands it out, for what and when; at the foot of every slide.

    Returns
    -------
    bytes
        Equal arguments give equal bytes.
    """
    slides = _Slides(meeting, mark)
    for part in (
        _picture,
        _map,
        _counts,
        _league,
        _dimensions,
        _reds,
        _gates,
        _coverage,
        _loop,
        _wrong,
        _asked,
        _method,
    ):
        part(slides, meeting)
    return slides.to_bytes()


def dimension_table(meeting: Meeting) -> pd.DataFrame:
    """Return the points lost on each dimension, in the order of the pack.

    Returns
    -------
    pandas.DataFrame
        dimension, label, most (points that can be lost), all and red (mean points lost of all units and of
        the red ones; ``red`` is missing where there is none).
    """
    run = meeting.run
    lost = run.points_lost.groupby(["unit_code", "dimension"])["points"].sum().unstack(fill_value=0)
    lost = lost.reindex(columns=[d.id for d in run.parameters.framework.dimensions], fill_value=0.0)
    reds = lost.reindex([unit.unit_code for unit in meeting.reds])
    return pd.DataFrame(
        {
            "dimension": lost.columns,
            "label": [d.label for d in run.parameters.framework.dimensions],
            "most": [100.0 * d.weight for d in run.parameters.framework.dimensions],
            "all": lost.mean().to_numpy(),
            "red": reds.mean().to_numpy(),
        }
    )


# --- slides -----------------------------------------------------------------------------------------------


def _picture(slides: _Slides, meeting: Meeting) -> None:
    slides.page("总体情况")
    slides.texts(meeting.overview.picture)


def _map(slides: _Slides, meeting: Meeting) -> None:
    slides.page("三色分布")
    figure = map_figure(meeting.run, size_mm=_MAP_MM)
    if figure is None:
        slides.texts(["村（社区）没有边界和坐标，不能制图；导入边界或填写经度、纬度后可得。"])
        return
    counts = "、".join(f"{item.level.label}{count_text(item.count)}个" for item in meeting.overview.levels)
    slides.picture(render(figure, "png", dpi=180), f"{meeting.area}村（社区）三色图：{counts}", _MAP_MM)
    left = _LEFT + (_BOTTOM - _TOP) * _MAP_MM[0] / _MAP_MM[1] + 0.3
    view = meeting.overview
    rows = [(item.level.label, count_text(item.count), _signed(item.change)) for item in view.levels]
    rows.append(("待核实", count_text(view.to_verify), _signed(view.to_verify_change)))
    rows.append((CONTESTED, count_text(view.contested), "—"))
    if view.admission is not None:
        rows.append(("可启动", count_text(view.admission.passed), "—"))
    width = _RIGHT - left
    slides.table(
        ("", "个数", "变化"),
        rows,
        (0.46 * width, 0.27 * width, 0.27 * width),
        box=_Box(left, _TOP, _RIGHT, _BOTTOM),
        fills={place: item.level for place, item in enumerate(view.levels)},
    )


def _counts(slides: _Slides, meeting: Meeting) -> None:
    slides.page("各等级数量和变化")
    last = "上次会议" if meeting.since_meeting else "上期"
    rows = [
        (
            row["label"],
            count_text(row["count"]),
            _share(row["share"]),
            "—" if pd.isna(row["before"]) else count_text(int(row["before"])),
            _signed(row["change"]),
        )
        for row in meeting.counts.to_dict("records")
    ]
    middle = 6.4
    bottom = slides.table(
        ("等级", "本次", "占比", last, "变化"),
        rows,
        (1.2, 1.0, 1.15, 1.35, 1.1),
        box=_Box(_LEFT, _TOP, middle, 4.6),
        fills={place: Level.lookup()[value] for place, value in enumerate(meeting.counts["level"])},
    )
    into, out = (int((meeting.turned[side] == Level.RED.value).sum()) for side in ("level", "from_level"))
    said = ["没有更早一期的评估，变化不明。"]
    if meeting.since is not None:
        said = [
            f"变化是与{meeting.since_text}相比；共{count_text(len(meeting.turned))}个变色，"
            f"新转为红色{count_text(into)}个，脱离红色{count_text(out)}个。"
        ]
    slides.texts(said, box=_Box(_LEFT, bottom + 0.3, middle, _BOTTOM))
    trend = meeting.trend.tail(_SNAPSHOTS)
    shown = [level for level in LEVELS if trend[level.value].any()]
    slides.chart(
        XL_CHART_TYPE.COLUMN_STACKED,
        _months(trend["as_of"]),
        [(level.label, trend[level.value].tolist()) for level in shown],
        colours=[level.colour[1:] for level in shown],
        box=_Box(middle + 0.2, _TOP, _RIGHT, _BOTTOM),
        labels="#,##0;;",
    )


def _months(days: pd.Series[Any]) -> list[str]:
    r"""Return the months of dates, with the year below the first and below each January.

    Examples
    --------
    >>> _months(pd.Series(pd.to_datetime(["2025-11-30", "2025-12-31", "2026-01-31"])))
    ['11月\n2025', '12月', '1月\n2026']
    """
    return [
        f"{day.month}月" + (f"\n{day.year}" if place == 0 or day.month == 1 else "")
        for place, day in enumerate(days)
    ]


def _league(slides: _Slides, meeting: Meeting) -> None:
    if len(meeting.league) == 1:
        return
    whole = len(meeting.league) <= _LEAGUE
    title = "镇街排名" if whole else f"平均指数最低的{_LEAGUE}个镇街（共{count_text(len(meeting.league))}个）"
    rows = [
        (
            count_text(row["rank"]) if present(row["rank"]) else "—",
            str(row["township_name"]),
            str(row["county_name"]),
            count_text(row["units"]),
            *(count_text(row[level]) for level in ("red", "yellow", "green")),
            number_text(row["mean_index"]),
            number_text(row["change"], signed=True),
            _share(row["admitted_share"]),
        )
        for row in meeting.league.head(_LEAGUE).to_dict("records")
    ]
    slides.paged(
        title,
        ("位次", "镇街", "县区", "单位数", "红", "黄", "绿", "平均指数", "变化", "准入率"),
        rows,
        (0.9, 1.9, 1.7, 1.1, 0.9, 0.9, 0.9, 1.4, 1.1, 1.333),
    )


def _dimensions(slides: _Slides, meeting: Meeting) -> None:
    slides.page("扣分在哪些方面")
    table = dimension_table(meeting)
    series = [("全部村（社区）", table["all"].tolist())]
    if meeting.reds:
        series.append(("红色村（社区）", table["red"].tolist()))
    slides.texts([meeting.overview.picture[3]], box=_Box(_LEFT, _TOP, _RIGHT, _TOP + 1.0))
    slides.chart(
        XL_CHART_TYPE.COLUMN_CLUSTERED,
        [
            f"{label}\n（满{number_text(most)}）"
            for label, most in zip(table["label"], table["most"], strict=True)
        ],
        series,
        colours=[_BLUE, "E0A23B"],
        box=_Box(_LEFT, _TOP + 1.05, _RIGHT, _BOTTOM),
        labels="0.0",
        title="平均每个村（社区）扣分",
    )


def _reds(slides: _Slides, meeting: Meeting) -> None:
    count = len(meeting.reds)
    if not count:
        slides.page("红色村（社区）")
        slides.texts(["没有红色村（社区）。"])
        return
    title = f"红色村（社区）{count_text(count)}个"
    title += f"：指数最低的{_REDS}个" if count > _REDS else ""
    slides.paged(
        title,
        ("村（社区）", "指数", "变化", "最大扣分原因", "未过准入条件", "先办的措施"),
        [_red_row(unit) for unit in meeting.reds[:_REDS]],
        (2.2, 0.85, 0.85, 2.9, 2.6, 2.733),
    )


def _red_row(unit: RedUnit) -> tuple[str, ...]:
    reason = unit.reasons[0] if unit.reasons else "—"
    gates = "—" if unit.gates is None else _listed([gate.label for gate in unit.gates], _GATES) or "全部通过"
    return (
        f"{unit.unit_name}\n{unit.township_name}",
        number_text(unit.index),
        number_text(unit.change, signed=True),
        reason,
        gates,
        unit.steps[0] if unit.steps else "由镇街研究",
    )


def _gates(slides: _Slides, meeting: Meeting) -> None:
    slides.page("准入条件进度")
    if meeting.gates.empty:
        slides.texts(["所用参数包没有设置准入条件，不产生准入清单。"])
        return
    slides.texts([meeting.overview.picture[2]], box=_Box(_LEFT, _TOP, _RIGHT, _TOP + 1.0))
    table = meeting.gates.iloc[::-1]  # a bar chart begins at the bottom
    slides.chart(
        XL_CHART_TYPE.BAR_STACKED_100,
        [f"{gate}（{_share(share)}）" for gate, share in zip(table["gate"], table["share"], strict=True)],
        [
            (label, table[name].tolist())
            for label, name in (("通过", "passed"), ("不通过", "failed"), ("待核实", "unknown"))
        ],
        colours=[_PASSED, _FAILED, _OPEN],
        box=_Box(_LEFT, _TOP + 1.05, _RIGHT, _BOTTOM),
        labels="#,##0;;",
    )


def _coverage(slides: _Slides, meeting: Meeting) -> None:
    coverage = meeting.coverage
    if coverage is None:  # the last slide says what is not there
        return
    screened = coverage.conflict.set_index("code")
    rows = []
    for row in coverage.audit.to_dict("records"):
        other = screened.loc[row["code"]] if row["code"] in screened.index else {}
        shares = [
            row["units_share"],
            row["persons_share"],
            other.get("screened_share"),
            other.get("led_share"),
        ]
        disputes = other.get("disputes_open")
        open_now = "—" if disputes is None or pd.isna(disputes) else count_text(int(disputes))
        rows.append((row["area"], *(_share(share) for share in shares), open_now))
    slides.paged(
        "审计和摸排进度",
        ("地区", "审计单位", "审计人员", "矛盾摸排", "书记带队", "未化解矛盾"),
        rows,
        (2.6, 1.9, 1.9, 1.9, 1.9, 1.933),
        said=(
            f"未整改审计问题{count_text(coverage.problems_open)}项，其中逾期{count_text(coverage.problems_overdue)}项，"
            f"报完成但没有证据{count_text(coverage.problems_unproven)}项；缺包干领导、稳控预案或化解方案的红色村（社区）"
            f"{count_text(coverage.red_lacking)}个。"
        ),
    )


def _loop(slides: _Slides, meeting: Meeting) -> None:
    if meeting.loop is not None:
        slides.briefing("整改闭环", "loop")


def _wrong(slides: _Slides, _: Meeting) -> None:
    slides.briefing("模型哪里可能看错", "wrong")


def _asked(slides: _Slides, _: Meeting) -> None:
    slides.briefing("下一步：提请会议研究的事项", "asked")


def _method(slides: _Slides, meeting: Meeting) -> None:
    slides.page("说明")
    slides.texts(
        [
            *level_notes(meeting.run.parameters),
            "准入条件与指数分开，任何一项不通过都不能启动换届。选情指数是线索和参考，不是对任何人的评价。",
            f"参数版本 {meeting.version}；变化与{meeting.since_text}相比。",
            *meeting.gaps,
        ]
    )


# --- words ------------------------------------------------------------------------------------------------


def _signed(value: Any) -> str:
    return number_text(float(value), signed=True, decimals=0) if present(value) else "—"


def _share(value: Any) -> str:
    return f"{100 * value:.1f}%" if present(value) else "—"


def _listed(names: Sequence[str], most: int) -> str:
    return "、".join(names[:most]) + (f"等{len(names)}项" if len(names) > most else "")


# --- the file ---------------------------------------------------------------------------------------------


class _Slides:
    """A deck under construction."""

    def __init__(self, meeting: Meeting, mark: str) -> None:
        self._meeting = meeting
        self._file = Presentation()
        self._file.slide_width, self._file.slide_height = Inches(_WIDE), Inches(_HIGH)
        about = self._file.core_properties
        about.title, about.language = printable(meeting.title), "zh-CN"
        about.author = about.last_modified_by = about.comments = about.keywords = ""
        _set_theme(self._file.slide_master)
        opening, content = _layouts(self._file, f"{printable(mark)}　数据截至{date_text(meeting.as_of)}")
        self._content = content
        slide = self._file.slides.add_slide(opening)
        _write(slide.shapes.title.text_frame, [meeting.title], 40, bold=True, colour=_BLUE)
        _write(
            slide.placeholders[1].text_frame,
            [
                f"数据截至{date_text(meeting.as_of)}",
                f"比较：{meeting.since_text}",
                f"参数版本 {meeting.version}",
            ],
            22,
            colour=_SOFT,
        )

    def page(self, title: str) -> None:
        """Begin a slide."""
        self._slide = self._file.slides.add_slide(self._content)
        _write(self._slide.shapes.title.text_frame, [title], 30, bold=True, colour=_BLUE)

    def texts(self, texts: Sequence[str], *, box: _Box = _WHOLE, size: float = 24.0) -> None:
        """Add paragraphs as large as they fit, down to 18 points; what still does not fit goes on."""
        width = 72 * (box.right - box.left) - 18
        while size > _TEXT and _height(texts, size, width) > 72 * (box.bottom - box.top):
            size -= 1
        rest = list(texts)
        while rest:
            fit = len(rest)
            while fit > 1 and _height(rest[:fit], size, width) > 72 * (box.bottom - box.top):
                fit -= 1
            shape = self._slide.shapes.add_textbox(*box.place)
            _write(shape.text_frame, rest[:fit], size, gap=size / 2)
            rest = rest[fit:]
            if rest:
                self.page(f"{self._slide.shapes.title.text_frame.text}（续）")

    def picture(self, data: bytes, told: str, size_mm: tuple[float, float]) -> None:
        """Add a picture at the left, as high as the slide allows, with words for those who can't see it."""
        height = _BOTTOM - _TOP
        width = height * size_mm[0] / size_mm[1]
        shape = self._slide.shapes.add_picture(
            io.BytesIO(data), Inches(_LEFT), Inches(_TOP), Inches(width), Inches(height)
        )
        shape._element.nvPicPr.cNvPr.set("descr", told)

    def table(
        self,
        headings: Sequence[str],
        rows: Sequence[Sequence[str]],
        widths: Sequence[float],
        *,
        box: _Box = _WHOLE,
        fills: Mapping[int, Level] = MappingProxyType({}),
    ) -> float:
        """Add a table and return where it ends, in inches from the top of the slide.

        Widths are in inches; ``fills`` paints the first cell of a row in the colour of a level.
        """
        shape = self._slide.shapes.add_table(len(rows) + 1, len(headings), *box.place)
        table = shape.table
        table.horz_banding = False
        for column, width in zip(table.columns, widths, strict=True):
            column.width = Inches(width)
        figures = [all(_FIGURE.fullmatch(row[place]) for row in rows) for place in range(len(headings))]
        for number, texts in enumerate([headings, *rows]):
            table.rows[number].height = Pt(_row_height(texts, widths))
            level = fills.get(number - 1)
            for place, text in enumerate(texts):
                cell = table.cell(number, place)
                fill, ink = (_BLUE, "FFFFFF") if number == 0 else ("FFFFFF", _INK)
                if level is not None and place == 0:
                    fill, ink = level.colour[1:], "FFFFFF" if level is Level.RED else _INK
                _set_cell(cell, text, fill=fill, ink=ink, bold=number == 0, right=figures[place])
        shape.height = sum(row.height for row in table.rows)
        return box.top + Emu(shape.height).inches

    def paged(
        self,
        title: str,
        headings: Sequence[str],
        rows: Sequence[Sequence[str]],
        widths: Sequence[float],
        *,
        said: str = "",
    ) -> None:
        """Add slides with a table on each, a sentence above the first, no row cut."""
        top = _TOP
        if said:
            top += (_height([said], _TEXT, _TEXT_WIDTH) + 8) / 72
        parts = list(_pages(headings, rows, widths, 72 * (_BOTTOM - top)))
        for number, part in enumerate(parts, start=1):
            self.page(title if len(parts) == 1 else f"{title}（{number}/{len(parts)}）")
            if said:
                self.texts([said], box=_Box(_LEFT, _TOP, _RIGHT, top), size=_TEXT)
            self.table(headings, part, widths, box=_Box(_LEFT, top, _RIGHT, _BOTTOM))

    def chart(
        self,
        kind: XL_CHART_TYPE,
        categories: Sequence[str],
        series: Sequence[tuple[str, Sequence[float]]],
        *,
        colours: Sequence[str],
        box: _Box,
        labels: str,
        title: str = "",
    ) -> None:
        """Add a chart with its numbers on it; ``labels`` is their format."""
        data = CategoryChartData(number_format="General")
        data.categories = [printable(category) for category in categories]
        for name, values in series:
            data.add_series(name, [None if pd.isna(value) else value for value in values])
        chart = self._slide.shapes.add_chart(kind, *box.place, data).chart
        chart.font.size = Pt(_CHART_TEXT)
        _set_fonts(chart.font._rPr)
        chart.has_title = bool(title)
        if title:
            _write(chart.chart_title.text_frame, [title], _CHART_TEXT + 2)
        chart.has_legend = True
        chart.legend.position, chart.legend.include_in_layout = XL_LEGEND_POSITION.BOTTOM, False
        chart.value_axis.visible = False
        chart.value_axis.has_major_gridlines = False
        chart.category_axis.format.line.color.rgb = RGBColor.from_string(_RULE)
        plot = chart.plots[0]
        clustered = kind is XL_CHART_TYPE.COLUMN_CLUSTERED
        plot.gap_width = 60 if clustered else 35
        sums = [sum(values) for values in zip(*(values for _, values in series), strict=True)]
        for one, colour in zip(plot.series, colours, strict=False):
            one.format.fill.solid()
            one.format.fill.fore_color.rgb = RGBColor.from_string(colour)
            one.format.line.color.rgb = RGBColor.from_string("FFFFFF")
            told = one.data_labels
            told.show_value, told.number_format, told.number_format_is_linked = True, labels, False
            told.position = XL_LABEL_POSITION.OUTSIDE_END if clustered else XL_LABEL_POSITION.CENTER
            told.font.size = Pt(_CHART_TEXT)
            told.font.color.rgb = RGBColor.from_string(_INK if clustered else _readable(colour))
            _set_fonts(told.font._rPr)
            if not clustered:
                _hide_labels(told._element, one.values, sums)
        for end in chart._chartSpace.iter(qn("c:axId"), qn("c:crossAx")):
            end.set("val", str(abs(int(end.get("val")))))  # the library's are negative, the schema's are not
        book = chart.part.chart_workbook.xlsx_part
        book._blob = repacked(book.blob, as_of=self._meeting.as_of)

    def briefing(self, title: str, part: str) -> None:
        """Add the texts and tables of a section of the briefing; a table stands below if it fits."""
        blocks = section(self._meeting, part)
        texts = [block.lead + block.text for block in blocks if isinstance(block, Text)]
        tables = [block for block in blocks if isinstance(block, Table)]
        self.page(title)
        below = _TOP + (_height(texts, _TEXT, _TEXT_WIDTH) + 8) / 72
        for block in tables:
            whole = sum(block.widths)
            widths = [(_RIGHT - _LEFT) * width / whole for width in block.widths]
            high = sum(_row_height(row, widths) for row in (block.headings, *block.rows)) / 72
            if block is tables[0] and below + high <= _BOTTOM:
                self.texts(texts, box=_Box(_LEFT, _TOP, _RIGHT, below), size=_TEXT)
                self.table(block.headings, block.rows, widths, box=_Box(_LEFT, below, _RIGHT, _BOTTOM))
                continue
            if block is tables[0]:
                self.texts(texts)
            self.paged(block.title.partition("　")[2], block.headings, block.rows, widths)
        if not tables:
            self.texts(texts)

    def to_bytes(self) -> bytes:
        """Return the file."""
        out = io.BytesIO()
        self._file.save(out)
        return repacked(out.getvalue(), as_of=self._meeting.as_of)


def _hide_labels(labels: Any, values: Sequence[float], sums: Sequence[float]) -> None:
    """Leave out the numbers of parts of a stack that are too narrow to hold them."""
    narrow = [
        place
        for place, (value, whole) in enumerate(zip(values, sums, strict=True))
        if value < _NARROW * whole
    ]
    for place in reversed(narrow):
        label, index, delete = (OxmlElement(f"c:{name}") for name in ("dLbl", "idx", "delete"))
        index.set("val", str(place))
        delete.set("val", "1")
        label.append(index)
        label.append(delete)
        labels.insert(0, label)


def _readable(colour: str) -> str:
    """Return white or ink, whichever stands out on a colour."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (0, 2, 4))
    return _INK if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else "FFFFFF"


def _lines(text: str, size: float, width: float) -> int:
    """Return the lines that a text takes at a size in points within a width in points."""
    return sum(max(1, math.ceil(ems(line) * size * 1.03 / width)) for line in text.split("\n"))


def _height(texts: Sequence[str], size: float, width: float) -> float:
    """Return the height of paragraphs in points, with half a line between them."""
    return sum(_lines(text, size, width) * size * _LINE + size / 2 for text in texts) + 8


def _row_height(texts: Sequence[str], widths: Sequence[float]) -> float:
    lines = max(
        _lines(text, _TEXT, 72 * width - _CELL_GAPS[0]) for text, width in zip(texts, widths, strict=True)
    )
    return lines * _TEXT * _LINE + _CELL_GAPS[1]


def _pages(
    headings: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float], height: float
) -> Iterator[Sequence[Sequence[str]]]:
    """Yield the rows that each slide holds, at least one."""
    heights = [_row_height(row, widths) for row in rows]
    room = height - _row_height(headings, widths)
    parts = _filled(heights, room)
    tallest = max(heights)
    while room > tallest and len(evener := _filled(heights, room - 1)) == len(parts):
        parts, room = evener, room - 1  # as even as can be
    for start, end in parts:
        yield rows[start:end]


def _filled(heights: Sequence[float], room: float) -> list[tuple[int, int]]:
    """Return from where to where each slide goes when every one is filled before the next is begun.

    Examples
    --------
    >>> _filled([10, 10, 10, 40, 5], 25)
    [(0, 2), (2, 3), (3, 4), (4, 5)]
    """
    parts, start, used = [], 0, 0.0
    for place, need in enumerate(heights):
        if used and used + need > room:
            parts.append((start, place))
            start, used = place, 0.0
        used += need
    return [*parts, (start, len(heights))]


def _write(
    frame: Any, texts: Sequence[str], size: float, *, bold: bool = False, colour: str = _INK, gap: float = 0.0
) -> None:
    """Fill a text frame with paragraphs, set to the left."""
    frame.clear()
    frame.word_wrap = True
    for number, text in enumerate(texts):
        paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
        paragraph.alignment = PP_ALIGN.LEFT
        paragraph.space_after, paragraph.line_spacing = Pt(gap), 1.08
        run = paragraph.add_run()
        run.text = printable(text)
        run.font.size, run.font.bold = Pt(size), bold
        run.font.color.rgb = RGBColor.from_string(colour)
        _set_fonts(run._r.get_or_add_rPr())


def _set_fonts(properties: Any) -> None:
    """Name the font for Latin and East Asian letters, and mark the text as Chinese."""
    properties.set("lang", "zh-CN")
    for name in ("a:latin", "a:ea"):
        for old in properties.findall(qn(name)):
            properties.remove(old)
        font = OxmlElement(name)
        font.set("typeface", FONT)
        properties.append(font)


def _set_cell(cell: Any, text: str, *, fill: str, ink: str, bold: bool, right: bool) -> None:
    cell.fill.solid()
    cell.fill.fore_color.rgb = RGBColor.from_string(fill)
    cell.vertical_anchor = MSO_ANCHOR.MIDDLE
    cell.margin_left = cell.margin_right = Pt(_CELL_GAPS[0] / 2)
    cell.margin_top = cell.margin_bottom = Pt(_CELL_GAPS[1] / 2 - 1)
    _write(cell.text_frame, text.split("\n"), _TEXT, bold=bold, colour=ink)
    for paragraph in cell.text_frame.paragraphs:
        paragraph.alignment = PP_ALIGN.RIGHT if right else PP_ALIGN.LEFT
        paragraph.line_spacing = 1.0
    properties = cell._tc.get_or_add_tcPr()
    for side in ("a:lnB", "a:lnT"):  # in this order the schema's own comes out, each goes in at the front
        edge = OxmlElement(side)
        edge.set("w", "9525")
        paint, shade = OxmlElement("a:solidFill"), OxmlElement("a:srgbClr")
        shade.set("val", _RULE)
        paint.append(shade)
        edge.append(paint)
        properties.insert(0, edge)


def _set_theme(master: Any) -> None:
    """Put the font into the theme, so that what a user adds looks alike."""
    theme = master.part.part_related_by(RELATIONSHIP_TYPE.THEME)
    text = theme.blob.decode("utf-8")
    for kind in ("major", "minor"):
        head, start, rest = text.partition(f"<a:{kind}Font>")
        _, end, tail = rest.partition(f"</a:{kind}Font>")
        names = "".join(f'<a:{part} typeface="{FONT}"/>' for part in ("latin", "ea"))
        text = f'{head}{start}{names}<a:cs typeface=""/>{end}{tail}'
    theme._blob = text.encode("utf-8")


def _layouts(file: Any, foot: str) -> tuple[Any, Any]:
    """Cut the master down to its title and content layouts, set for a wide screen, and return both."""
    master = file.slide_master
    opening, content = file.slide_layouts[0], file.slide_layouts[5]
    for layout in list(file.slide_layouts):
        if layout not in (opening, content):
            file.slide_layouts.remove(layout)
    for layout, name in ((opening, "封面"), (content, "标题和内容")):
        layout._element.cSld.set("name", name)
    for part in (master, opening, content):
        for shape in list(part.placeholders):
            if shape.placeholder_format.type not in _KEPT:
                shape._element.getparent().remove(shape._element)
    for part in (master, content):
        _put(part.placeholders[0], _Box(_LEFT, 0.35, _RIGHT, 1.1))
        part.placeholders[0].text_frame.vertical_anchor = MSO_ANCHOR.MIDDLE
    _put(master.placeholders[1], _WHOLE)
    for style in master._element.iter(qn("p:titleStyle")):
        style.find(qn("a:lvl1pPr")).set("algn", "l")
    for shape, box in zip(
        opening.placeholders, (_Box(_LEFT, 1.9, _RIGHT, 3.7), _Box(_LEFT, 3.9, _RIGHT, 5.8)), strict=True
    ):
        _put(shape, box)
    _add_box(opening, "色带", _Box(0, 0, _WIDE, 0.25), fill=_BLUE)
    _add_box(content, "标题线", _Box(_LEFT, 1.13, _RIGHT, 1.16), fill=_BLUE)
    for layout in (opening, content):
        _write(_add_box(layout, "标记", _Box(_LEFT, 7.02, 11.6, 7.4)).text_frame, [foot], 11, colour=_SOFT)
    number = _add_box(content, "页码", _Box(11.7, 7.02, _RIGHT, 7.4)).text_frame.paragraphs[0]
    number.alignment = PP_ALIGN.RIGHT
    number._p.append(_slide_number())
    return opening, content


def _put(shape: Any, box: _Box) -> None:
    shape.left, shape.top, shape.width, shape.height = box.place


def _add_box(layout: Any, name: str, box: _Box, *, fill: str = "") -> Any:
    """Add a shape to a layout, so that it stands on all its slides."""
    tree = layout.shapes._spTree
    element = CT_Shape.new_textbox_sp(len(tree) + 100, name, *box.place)
    tree.append(element)
    shape = Shape(element, layout.shapes)
    if fill:
        shape.fill.solid()
        shape.fill.fore_color.rgb = RGBColor.from_string(fill)
    return shape


def _slide_number() -> Any:
    field = OxmlElement("a:fld")
    field.set("id", "{B6F15528-21DE-4FAA-801E-634DDDAF4B2B}")
    field.set("type", "slidenum")
    properties = OxmlElement("a:rPr")
    properties.set("sz", "1200")
    text = OxmlElement("a:t")
    text.text = "‹#›"
    field.append(properties)
    field.append(text)
    return field
