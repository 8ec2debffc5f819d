"""The briefing of a meeting (选情汇报) as blocks, and its files: DOCX and PDF set the same blocks.

A block is a heading, a paragraph, a table, a picture or a turn of the page; numbers of headings and every
figure stand in it as text. So both files say the same, and a test can compare them with the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias

import pandas as pd

from huanjie_lib.exports.docx import numeral
from huanjie_lib.views.meeting import MANIFEST_DIGEST, PARAMETERS_DIGEST, Meeting, RedUnit
from huanjie_lib.views.meeting_figures import colours_figure, map_figure
from huanjie_lib.views.print_map import render
from huanjie_lib.views.words import (
    CONTESTED,
    INTERNAL,
    count_text,
    date_text,
    level_notes,
    number_text,
    percent_text,
)
from huanjie_lib.vocabulary import GateStatus, Level

__all__ = [
    "Block",
    "Briefing",
    "Heading",
    "Page",
    "Picture",
    "Table",
    "Text",
    "briefing_of",
    "section",
]

PORTRAIT_MM: Final = 156.0
"""Width between the margins of an upright page (A4, 28 and 26 mm)."""
LANDSCAPE_MM: Final = 225.0
"""Width between the margins of a page on its side (37 and 35 mm)."""

_MAP_MM: Final = (PORTRAIT_MM, 172.0)
_TREND_MM: Final = (PORTRAIT_MM, 70.0)
_DPI: Final = 220
_FULL: Final = 12
"""Red units told in full in the text; where there are more, an annex lists all."""
_LEAGUE: Final = 20
_NAMED: Final = 10
_STEPS: Final = 6
_STEPS_LISTED: Final = 4
_MISSES: Final = 10
_DIGESTS: Final = (MANIFEST_DIGEST, PARAMETERS_DIGEST)
_TOGETHER: Final = 9
"""Rows that are kept on one page: more would leave a third of the page before them empty."""
_LABEL_MM: Final = 27.0
_CARD: Final = 10.5
_SMALL: Final = 8.5
_MIDDLE: Final = 10.5


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 (一、), 2 (（一）) or 3 (1.), its number in the text; 0 is an annex.

    Headings within an annex are a level lower than their numbers say.
    """

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; ``lead`` stands in bold before it, a ``note`` is set small and without indent."""

    text: str
    lead: str = ""
    note: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    r"""A table: headings repeat on every page and rows stay whole.

    Parameters
    ----------
    title
        Said above the table; may be empty.
    headings, rows
        One text a column; ``\n`` in a cell begins a line. Headings may be absent.
    widths
        Millimetres of each column.
    left
        Columns set to the left; others stand in the middle.
    size
        Size of the letters in points.
    together
        Whether all rows stand on one page. Otherwise the table breaks between rows; one without headings
        neither after its first row nor before its last.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    left: tuple[int, ...] = ()
    size: float = _MIDDLE
    together: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture (PNG) with its width and height in mm, a title below and words for those who can't see it."""

    title: str
    told: str
    data: bytes
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Page:
    """A new page, upright or on its side."""

    landscape: bool = False


Block: TypeAlias = Heading | Text | Table | Picture | Page


@dataclass(frozen=True)
class Briefing:
    """A briefing ready to be set.

    Parameters
    ----------
    title, subtitle, office
        On the title page: what it is, of which date, and whose (may be empty).
    head
        Lines at the head of every page: what the file is, and who hands it out.
    meeting
        What it is about.
    blocks
        The content.
    """

    title: str
    subtitle: str
    office: str
    head: tuple[str, str]
    meeting: Meeting
    blocks: tuple[Block, ...]

    def __repr__(self) -> str:
        """Return title, date, number of blocks and parameter version."""
        return (
            f"Briefing({self.title!r}, as_of={self.meeting.as_of}, blocks={len(self.blocks)}, "
            f"parameters={self.meeting.version!r})"
        )

    def outline(self) -> pd.DataFrame:
        """Return what stands under which heading.

        Returns
        -------
        DataFrame
            标题, with the numbers that the text has, set in by level; 段落, 表 and 图, how many of them stand
            under it before the next heading. What comes before the first heading is left out.
        """
        rows: list[dict[str, Any]] = []
        for block in self.blocks:
            if isinstance(block, Heading):
                indent = "\u3000" * max(block.level - 1, 0)
                rows.append({"标题": indent + block.text, "段落": 0, "表": 0, "图": 0})
            elif rows and (kind := _KINDS.get(type(block))) is not None:
                rows[-1][kind] += 1
        return pd.DataFrame(rows, columns=["标题", *_KINDS.values()])

    def table(self, title: str) -> pd.DataFrame:
        """Return the first table whose title contains ``title``, in the words it is set in.

        Raises
        ------
        KeyError
            If there is no such table, or it has no headings.
        """
        for block in self.blocks:
            if isinstance(block, Table) and block.headings and title in block.title:
                return pd.DataFrame(list(block.rows), columns=list(block.headings))
        raise KeyError(title)


_KINDS: Final[dict[type, str]] = {Text: "段落", Table: "表", Picture: "图"}


def briefing_of(meeting: Meeting, *, mark: str = INTERNAL, office: str = "") -> Briefing:
    """Return the briefing of a meeting; equal meetings give equal briefings.

    Parameters
    ----------
    meeting
        What lies on the table.
    mark
        Who hands it out, for what and when (:attr:`huanjie_lib.views.stamp.Stamp.text`); at the head of
        every page.
    office
        Whose briefing it is, on the title page.
    """
    draft = _Draft(meeting)
    for part in (_overall, _townships, _red, _progress, _loop, _wrong, _asked):
        part(draft)
    for annex in (_league_annex, _red_annex, _method, _sources):
        annex(draft)
    return Briefing(
        title=meeting.title,
        subtitle=f"（数据截至{date_text(meeting.as_of)}）",
        office=office,
        head=(f"数据截至{date_text(meeting.as_of)}　参数版本 {meeting.version}", mark),
        meeting=meeting,
        blocks=tuple(draft.blocks),
    )


def section(meeting: Meeting, part: str) -> tuple[Block, ...]:
    """Return what the briefing says in one of its sections, without its first heading.

    Parameters
    ----------
    meeting
        What lies on the table.
    part
        ``loop`` (整改闭环), ``wrong`` (模型哪里可能看错) or ``asked`` (提请会议研究的事项).

    Raises
    ------
    KeyError
        If there is no such section.
    """
    draft = _Draft(meeting)
    {"loop": _loop, "wrong": _wrong, "asked": _asked}[part](draft)
    return tuple(draft.blocks[1:])


class _Draft:
    """A briefing under construction: it numbers headings, tables and pictures."""

    def __init__(self, meeting: Meeting) -> None:
        self.meeting = meeting
        self.blocks: list[Block] = []
        self._numbers = [0, 0, 0]
        self._annexes = self._tables = self._pictures = 0

    def heading(self, text: str, level: int = 1) -> None:
        """Add a heading with its number (一、, （一） or 1．)."""
        self._numbers[level - 1] += 1
        self._numbers[level:] = [0] * (3 - level)
        number = self._numbers[level - 1]
        lead = {1: f"{numeral(number)}、", 2: f"（{numeral(number)}）", 3: f"{number}．"}[level]
        self.blocks.append(Heading(min(level + (self._annexes > 0), 3), lead + text))

    def annex(self, text: str, *, landscape: bool = False) -> None:
        """Begin an annex on a page of its own; headings below it count anew."""
        self._annexes += 1
        self._numbers = [0, 0, 0]
        self.blocks += [Page(landscape), Heading(0, f"附件{self._annexes}　{text}")]

    def text(self, text: str, lead: str = "") -> None:
        self.blocks.append(Text(text, lead))

    def items(self, texts: Iterable[str]) -> None:
        """Add paragraphs numbered 1．, 2． and so on."""
        for number, text in enumerate(texts, start=1):
            self.text(f"{number}．{text}")

    def note(self, text: str) -> None:
        self.blocks.append(Text(text, note=True))

    def table(
        self,
        title: str,
        columns: Sequence[tuple[str, float]],
        rows: Iterable[Sequence[str]],
        *,
        left: tuple[int, ...] = (),
        size: float = _MIDDLE,
    ) -> None:
        self._tables += 1
        found = tuple(tuple(row) for row in rows)
        self.blocks.append(
            Table(
                title=f"表{self._tables}　{title}",
                headings=tuple(name for name, _ in columns),
                rows=found,
                widths=tuple(width for _, width in columns),
                left=left,
                size=size,
                together=len(found) <= _TOGETHER,
            )
        )

    def card(self, rows: Iterable[tuple[str, str]]) -> None:
        """Add labels and what is said to each, without headings."""
        widths = (_LABEL_MM, PORTRAIT_MM - _LABEL_MM)
        self.blocks.append(Table("", (), tuple(rows), widths, left=(1,), size=_CARD))

    def picture(self, title: str, told: str, data: bytes, size: tuple[float, float]) -> None:
        self._pictures += 1
        self.blocks.append(Picture(f"图{self._pictures}　{title}", told, data, *size))


# --- words ------------------------------------------------------------------------------------------------


def _known(count: Any, unit: str = "") -> str:
    """Return a count, or a dash where it is not known."""
    return "—" if count is None or pd.isna(count) else f"{count_text(int(count))}{unit}"


def _signed(count: Any) -> str:
    if count is None or pd.isna(count):
        return "—"
    return number_text(float(count), signed=True, decimals=0)


def _share(share: Any) -> str:
    return "—" if share is None or pd.isna(share) else f"{100 * share:.1f}%"


def _ratio(value: float | None) -> str:
    return "—" if value is None or pd.isna(value) else f"{value:.3f}"


def _days(value: Any) -> str:
    return "—" if value is None or pd.isna(value) else f"{number_text(float(value))}个工作日"


def _level(value: Any) -> str:
    return Level.labels().get(str(value), "—")


def _list(names: Sequence[str], most: int) -> str:
    """Return names joined, the first few where there are many, and how many there are."""
    text = "、".join(names[:most])
    return text if len(names) <= most else f"{text}等{count_text(len(names))}个"


def _flags(to_verify: bool, contested: bool) -> str:
    return "、".join(word for word, said in (("待核实", to_verify), (CONTESTED, contested)) if said)


# --- the text ---------------------------------------------------------------------------------------------


def _overall(draft: _Draft) -> None:
    meeting = draft.meeting
    draft.heading("总体情况")
    draft.heading("五句话看全局", 2)
    draft.items(meeting.overview.picture)
    _map(draft)
    draft.heading("三色数量和变化", 2)
    view = meeting.overview
    rows = [
        [
            f"{Level.lookup()[row['level']].mark}　{row['label']}",
            count_text(row["count"]),
            _share(row["share"]),
            _known(row["before"]),
            _signed(row["change"]),
        ]
        for row in meeting.counts.to_dict("records")
    ]
    before = meeting.counts["before"]
    whole = int(before.sum()) if before.notna().all() else None
    rows.append(
        [
            "合计",
            count_text(view.units),
            "100.0%",
            _known(whole),
            _signed(None if whole is None else view.units - whole),
        ]
    )
    then = None if view.to_verify_change is None else view.to_verify - view.to_verify_change
    rows.append(
        [
            "其中：待核实",
            count_text(view.to_verify),
            percent_text(view.to_verify, view.units),
            _known(then),
            _signed(view.to_verify_change),
        ]
    )
    rows.append(
        [
            f"其中：{CONTESTED}",
            count_text(view.contested),
            percent_text(view.contested, view.units),
            "—",
            "—",
        ]
    )
    last = "上次会议" if meeting.since_meeting else "上期"
    draft.table(
        "各等级村（社区）数量",
        (("等级", 46), ("本次（个）", 28), ("占比", 26), (f"{last}（个）", 28), ("变化（个）", 28)),
        rows,
        size=12.0,
    )
    if meeting.since_meeting:
        draft.note(f"注：变化是与{meeting.since_text}相比。")
    for gap in meeting.gaps:
        draft.note(f"注：{gap}")
    if len(meeting.trend) > 1:
        first, final = meeting.trend.iloc[0], meeting.trend.iloc[-1]
        draft.heading("走势", 2)
        draft.picture(
            "历次评估各等级村（社区）数量",
            f"{date_text(first['as_of'].date())}红色{first['red']}个，"
            f"{date_text(final['as_of'].date())}红色{final['red']}个",
            render(colours_figure(meeting.trend, size_mm=_TREND_MM), "png", dpi=_DPI),
            _TREND_MM,
        )
    _turned(draft)


def _turned(draft: _Draft) -> None:
    meeting = draft.meeting
    draft.heading("变色情况", 2)
    if meeting.since is None:
        draft.text("没有更早一期的评估，变色情况不明。")
        return
    turned = meeting.turned
    if turned.empty:
        draft.text(f"与{meeting.since_text}相比，没有村（社区）变色。")
        return
    into, out = turned[turned["level"] == Level.RED.value], turned[turned["from_level"] == Level.RED.value]
    draft.text(
        f"与{meeting.since_text}相比，共{count_text(len(turned))}个村（社区）变色，"
        f"其中新转为红色{count_text(len(into))}个，脱离红色{count_text(len(out))}个。"
    )
    if len(into):
        draft.table(
            "新转为红色的村（社区）",
            (
                ("村（社区）", 30),
                ("镇街", 24),
                ("原等级", 16),
                ("原指数", 17),
                ("现指数", 17),
                ("最大扣分原因", 52),
            ),
            [
                [
                    row["unit_name"],
                    row["township_name"],
                    _level(row["from_level"]),
                    number_text(row["index_before"]),
                    number_text(row["index"]),
                    row["reason_1"] or "—",
                ]
                for row in into.to_dict("records")
            ],
            left=(5,),
        )
    if len(out):
        names = [
            f"{row['township_name']}{row['unit_name']}"
            f"（{number_text(row['index_before'])}→{number_text(row['index'])}，{_level(row['level'])}）"
            for row in out.to_dict("records")
        ]
        draft.text(f"{_list(names, _NAMED)}。", "脱离红色的：")


def _map(draft: _Draft) -> None:
    draft.heading("三色分布图", 2)
    figure = map_figure(draft.meeting.run, size_mm=_MAP_MM)
    if figure is None:
        draft.text("村（社区）没有边界和坐标，不能制图；导入边界或填写经度、纬度后可得。")
        return
    counts = "、".join(
        f"{row['label']}{count_text(row['count'])}个" for row in draft.meeting.counts.to_dict("records")
    )
    told = f"{draft.meeting.area}村（社区）三色图：{counts}"
    title = "村（社区）换届选情三色图（示意图，不作划界依据）"
    draft.picture(title, told, render(figure, "png", dpi=_DPI), _MAP_MM)


_LEAGUE_COLUMNS: Final = (
    ("位次", 12.0),
    ("镇街", 24.0),
    ("县区", 20.0),
    ("单位数", 15.0),
    ("红", 11.0),
    ("黄", 11.0),
    ("绿", 11.0),
    ("平均指数", 19.0),
    ("变化", 16.0),
    ("准入率", 17.0),
)


def _league_rows(league: pd.DataFrame) -> list[list[str]]:
    return [
        [
            _known(row["rank"]),
            row["township_name"],
            row["county_name"],
            count_text(row["units"]),
            count_text(row["red"]),
            count_text(row["yellow"]),
            count_text(row["green"]),
            number_text(row["mean_index"]),
            number_text(row["change"], signed=True),
            _share(row["admitted_share"]),
        ]
        for row in league.to_dict("records")
    ]


def _townships(draft: _Draft) -> None:
    meeting = draft.meeting
    if len(meeting.league) == 1:
        _units(draft)
        return
    draft.heading("镇街情况")
    draft.text(meeting.overview.picture[4])
    clear = meeting.league[meeting.league["red"] == 0]
    most = meeting.league.sort_values(["red", "rank"], ascending=[False, True], kind="stable").head(3)
    held = "、".join(
        f"{r['township_name']}{count_text(r['red'])}个" for r in most.to_dict("records") if r["red"]
    )
    if held:
        draft.text(f"红色村（社区）最多的是{held}；没有红色的镇街{count_text(len(clear))}个。")
    whole = len(meeting.league) <= _LEAGUE
    title = "镇街排名" if whole else f"平均指数最低的{_LEAGUE}个镇街"
    draft.table(title, _LEAGUE_COLUMNS, _league_rows(meeting.league.head(_LEAGUE)))
    draft.note(
        f"注：位次1为平均指数最低、最需要关注；变化是与{meeting.since_text}相比的平均变化"
        + ("。" if whole else "；全部镇街见附件。")
    )


def _units(draft: _Draft) -> None:
    """Tell every unit of a meeting that is about one township."""
    draft.heading("村（社区）情况")
    draft.table(
        "全部村（社区）",
        (
            ("序号", 11),
            ("村（社区）", 26),
            ("等级", 21),
            ("指数", 14),
            ("变化", 15),
            ("准入条件", 18),
            ("最大扣分原因", 51),
        ),
        [
            [
                str(number),
                row["unit_name"],
                _level(row["level"])
                + (f"\n{flags}" if (flags := _flags(row["to_verify"], row["contested"])) else ""),
                number_text(row["index"]),
                number_text(row["change"], signed=True),
                GateStatus.labels().get(row["admission"], "—"),
                row["reason_1"] or "—",
            ]
            for number, row in enumerate(draft.meeting.units.to_dict("records"), start=1)
        ],
        left=(6,),
    )


def _red(draft: _Draft) -> None:
    meeting = draft.meeting
    draft.heading("红色村（社区）情况")
    if not meeting.reds:
        draft.text("没有红色村（社区）。")
        return
    text = f"共{count_text(len(meeting.reds))}个红色村（社区）"
    fresh = sum(bool(unit.newly_red) for unit in meeting.reds)
    if meeting.since is not None:
        text += f"，其中新转为红色{count_text(fresh)}个"
    lasting = sum(unit.snapshots_red >= 12 for unit in meeting.reds)
    text += f"，连续12期及以上为红色的{count_text(lasting)}个" if lasting else ""
    if meeting.coverage is not None:
        text += f"；{count_text(meeting.coverage.red_lacking)}个缺包干领导、稳控预案或化解方案"
    reach = sum(bool(unit.reachable) for unit in meeting.reds)
    text += f"；按措施库测算，{count_text(reach)}个可以转为黄色" if meeting.run.parameters.measures else ""
    shown = meeting.reds[:_FULL]
    if len(meeting.reds) > len(shown):
        text += f"。以下逐一说明指数最低的{len(shown)}个，全部{count_text(len(meeting.reds))}个见附件"
    draft.text(f"{text}。")
    for unit in shown:
        _red_unit(draft, unit)


def _red_unit(draft: _Draft, unit: RedUnit) -> None:
    index = "无数据" if unit.index is None else f"选情指数{number_text(unit.index)}"
    draft.heading(f"{unit.township_name}{unit.unit_name}（{index}）", 2)
    kind = f"类型为{unit.unit_kind.label}"
    standing = [f"属{unit.county_name}，{kind}" if unit.county_name else kind]
    if unit.change is not None:
        standing.append(f"指数较{draft.meeting.since_text}{number_text(unit.change, signed=True)}分")
    if unit.newly_red:
        standing.append("新转为红色")
    elif unit.snapshots_red >= len(draft.meeting.trend) > 1:
        standing.append(f"有记录的{unit.snapshots_red}期一直为红色")
    elif unit.snapshots_red > 1:
        standing.append(f"连续{unit.snapshots_red}期为红色")
    standing.append(_flags(unit.to_verify, unit.contested))
    rows = [
        ("基本情况", "，".join(part for part in standing if part) + "。"),
        ("扣分原因", "；".join(unit.reasons or ("没有填报",)) + "。"),
    ]
    if unit.gates is not None:
        said = [f"{gate.label}（{gate.status.label}：{gate.reason}）" for gate in unit.gates]
        rows.append(("未过准入条件", "；".join(said or ["全部通过"]) + "。"))
    draft.card([*rows, ("转色措施", _way(unit)), ("责任落实", _duty(unit))])


def _way(unit: RedUnit) -> str:
    if not unit.steps:
        return "没有测算出能恢复分数的措施，由镇街会同有关部门研究。"
    steps = "；".join(f"（{n}）{step}" for n, step in enumerate(unit.steps[:_STEPS], start=1))
    more = f"；另有{len(unit.steps) - _STEPS}项，见一村一策" if len(unit.steps) > _STEPS else ""
    target = "" if unit.target is None else unit.target.label
    end = f"可转为{target}" if unit.reachable else f"仍不能转为{target}，其余扣分属既成事实或缺少数据"
    return (
        f"{steps}{more}。全部做完预计升到{number_text(unit.index_after)}分，{end}；"
        f"约需{_known(unit.days)}个工作日、{number_text(unit.cost)}个工作组日。"
    )


def _duty(unit: RedUnit) -> str:
    parts = []
    if unit.lacking is None:
        parts.append("没有一村一策台账，包干和预案情况不明")
    else:
        parts.append(f"包干领导为{unit.leader}" if unit.leader else "没有包干领导")
        plans = [one for one in unit.lacking if one != "包干领导"]
        parts.append(f"缺{'、'.join(plans)}" if plans else "预案、方案齐全")
    parts.append(
        "审计问题情况不明"
        if unit.problems_open is None
        else f"未整改审计问题{unit.problems_open}项（逾期{_known(unit.problems_overdue)}项）"
    )
    parts.append(
        "矛盾情况不明"
        if unit.disputes_open is None
        else f"未化解矛盾{unit.disputes_open}件（群体性{_known(unit.groups_open)}件）"
    )
    if unit.cases_open is not None:
        parts.append(f"未办结案件{unit.cases_open}件")
    return "；".join(parts) + "。"


def _progress(draft: _Draft) -> None:
    meeting = draft.meeting
    draft.heading("准入和审计进度")
    draft.heading("准入条件", 2)
    if meeting.gates.empty:
        draft.text("所用参数包没有设置准入条件，不产生准入清单。")
    else:
        draft.text(meeting.overview.picture[2])
        draft.table(
            "各项准入条件通过情况",
            (
                ("准入条件", 50),
                ("通过（个）", 25),
                ("不通过（个）", 31),
                ("待核实（个）", 31),
                ("通过率", 19),
            ),
            [
                [
                    row["gate"],
                    count_text(row["passed"]),
                    count_text(row["failed"]),
                    count_text(row["unknown"]),
                    _share(row["share"]),
                ]
                for row in meeting.gates.to_dict("records")
            ],
            left=(0,),
            size=12.0,
        )
    draft.heading("审计和摸排", 2)
    coverage = meeting.coverage
    if coverage is None:
        draft.text("没有审计、矛盾台账，审计覆盖、摸排覆盖情况不明，须核实。")
        return
    text = (
        f"未整改审计问题{count_text(coverage.problems_open)}项，"
        f"其中逾期{count_text(coverage.problems_overdue)}项"
    )
    if coverage.problems_unproven:
        text += f"；报完成但没有证据的{count_text(coverage.problems_unproven)}项，仍按未整改计"
    draft.text(f"{text}。")
    draft.table(
        "审计覆盖",
        (
            ("地区", 28),
            ("应审单位", 21),
            ("已审单位", 21),
            ("单位覆盖率", 22),
            ("应审人员", 21),
            ("已审人员", 21),
            ("人员覆盖率", 22),
        ),
        [
            [
                row["area"],
                _known(row["units"]),
                _known(row["units_audited"]),
                _share(row["units_share"]),
                _known(row["persons"]),
                _known(row["persons_audited"]),
                _share(row["persons_share"]),
            ]
            for row in coverage.audit.to_dict("records")
        ],
    )
    draft.table(
        "矛盾摸排和化解",
        (
            ("地区", 28),
            ("应摸排", 18),
            ("已摸排", 18),
            ("覆盖率", 20),
            ("书记带队率", 24),
            ("未化解矛盾", 24),
            ("其中群体性", 24),
        ),
        [
            [
                row["area"],
                _known(row["units"]),
                _known(row["screened"]),
                _share(row["screened_share"]),
                _share(row["led_share"]),
                _known(row["disputes_open"]),
                _known(row["groups_open"]),
            ]
            for row in coverage.conflict.to_dict("records")
        ],
    )


def _loop(draft: _Draft) -> None:
    meeting = draft.meeting
    draft.heading("整改闭环")
    if meeting.loop is None:
        draft.text("没有案件台账，预警、派单、整改、复核、销号情况不明。")
        return
    figures, total = meeting.loop.figures, meeting.loop.total
    text = (
        f"截至{date_text(figures.as_of)}，不计限制知悉的案件，共立案{count_text(total['cases'])}件，"
        f"未办结{count_text(total['open'])}件，其中逾期{count_text(total['overdue'])}件、"
        f"将到期{count_text(total['soon'])}件"
    )
    if total["closed"]:
        text += (
            f"；已销号{count_text(total['closed'])}件，从预警到销号的中位数为{_days(total['cycle_median'])}，"
            f"按期率{_share(total['on_time_share'])}，重开率{_share(total['reopen_rate'])}，"
            f"退回率{_share(total['return_rate'])}"
        )
        text += "（销号的案件少，仅供参考）" if total["few"] else ""
    else:
        text += "；还没有销号的案件"
    draft.text(f"{text}。")
    kinds = figures.table[(figures.table["scope"] == "kind") & (figures.table["cases"] > 0)]
    if len(kinds):
        draft.table(
            "各类案件办理情况",
            (
                ("类别", 36),
                ("立案", 18),
                ("未办结", 18),
                ("逾期", 18),
                ("将到期", 18),
                ("已销号", 18),
                ("按期率", 30),
            ),
            [
                [
                    row["label"],
                    *(count_text(row[name]) for name in ("cases", "open", "overdue", "soon", "closed")),
                    _share(row["on_time_share"]),
                ]
                for row in kinds.to_dict("records")
            ],
        )
    back = meeting.regained
    if back is None:
        draft.text("还没有销号案件更正过数据，整改成效尚未反映到指数。")
    else:
        draft.text(
            f"销号案件更正数据后，{count_text(back.units)}个村（社区）的选情指数"
            f"共变动{number_text(back.points, signed=True)}分，"
            f"其中颜色转好{count_text(back.better)}个、转差{count_text(back.worse)}个。"
        )


def _wrong(draft: _Draft) -> None:
    meeting = draft.meeting
    view = meeting.overview
    draft.heading("模型哪里可能看错")
    draft.text("选情指数是线索和参考，不是结论，更不是对任何人的评价。下列情况在使用时要特别注意。")
    draft.heading("本次把握不大的", 2)
    draft.text(
        f"{count_text(view.contested)}个{CONTESTED}，权重、标准在合理范围内变动就可能变色；"
        f"{count_text(view.to_verify)}个待核实，补齐数据后等级可能改变。均不能只看颜色定事。"
    )
    draft.heading("上次没有看出来的", 2)
    if meeting.since is None:
        draft.text("没有更早一期的评估，不能检查。")
    else:
        green = Level.GREEN.value
        missed = meeting.turned.query(f"from_level == '{green}' and level == '{Level.RED.value}'")
        names = [f"{row['township_name']}{row['unit_name']}" for row in missed.to_dict("records")]
        told = f"{_list(names, _NAMED)}。" if names else "没有。"
        draft.text(told, f"{meeting.since_text}为绿色、本次为红色的：")
    draft.heading("用往届选举检验", 2)
    backtest = meeting.backtest
    if backtest is None:
        draft.text("没有用往届数据回测，模型在哪里判断错误不明，不能说明预警的准确程度。")
        return
    facts = backtest.facts
    best = facts["models"][facts["recommended"]]
    draft.text(
        f"用{'全市' if meeting.scope else ''}{facts['feature_term']}届及以前的数据预测"
        f"{facts['test_term']}届，{count_text(facts['units'])}个单位中"
        f"实际出险{count_text(facts['events'])}个。成绩最好的是{best['label']}："
        f"平均查准率{_ratio(best['pr_auc'])}（95%区间{_ratio(best['pr_auc_low'])}至{_ratio(best['pr_auc_high'])}），"
        f"随机抽查为{_ratio(facts['base_rate'])}。"
    )
    draft.text(
        {
            True: "黄色单位的出险率介于红色和绿色之间，三色次序成立。",
            False: "黄色单位的出险率没有介于红色和绿色之间，三色次序不成立，分级标准须复核。",
            None: "没有三色都有单位的往届选情指数，不能检验三色次序。",
        }[facts["yellow_between"]]
    )
    draft.text(f"{'；'.join(facts['does_not_prove'])}。", "没有说明什么：")
    misses = backtest.misses.head(_MISSES)
    if len(misses):
        draft.table(
            f"看得最安全却出险的{len(misses)}个单位",
            (("单位", 62), ("片区", 40), ("预测可能性", 27), ("风险名次", 27)),
            [
                [
                    row["unit_name"],
                    row["region_name"],
                    _share(row["probability"]),
                    number_text(row["rank"], decimals=0),
                ]
                for row in misses.to_dict("records")
            ],
        )


def _asked(draft: _Draft) -> None:
    """Ask the meeting to settle what follows from the figures."""
    meeting = draft.meeting
    view, coverage, loop = meeting.overview, meeting.coverage, meeting.loop
    asked = []
    if view.contested:
        asked.append(f"会商{count_text(view.contested)}个{CONTESTED}的村（社区），逐一定色。")
    if coverage is not None and coverage.red_lacking:
        names = [f"{unit.township_name}{unit.unit_name}" for unit in meeting.reds if unit.lacking]
        asked.append(f"落实{_list(names, 5)}红色村（社区）所缺的包干领导、稳控预案、化解方案。")
    if len(meeting.gates) and meeting.gates["share"].min() < 1:
        worst = meeting.gates.iloc[int(meeting.gates["share"].argmin())]
        open_units = count_text(worst["failed"] + worst["unknown"])
        asked.append(f"督办“{worst['gate']}”，{open_units}个村（社区）未通过，是卡得最多的准入条件。")
    late = 0 if loop is None else int(loop.total["overdue"])
    if late:
        asked.append(f"督办{count_text(late)}件逾期案件。")
    if coverage is not None and coverage.problems_overdue:
        asked.append(f"限期整改{count_text(coverage.problems_overdue)}项逾期审计问题。")
    if view.to_verify:
        asked.append(f"催报{count_text(view.to_verify)}个待核实村（社区）所缺的数据。")
    draft.heading("提请会议研究的事项")
    if asked:
        draft.items(asked)
    else:
        draft.text("没有由数据提出的事项。")


# --- annexes ----------------------------------------------------------------------------------------------


def _league_annex(draft: _Draft) -> None:
    if len(draft.meeting.league) > _LEAGUE:
        draft.annex("镇街排名")
        draft.table("全部镇街，平均指数最低的在前", _LEAGUE_COLUMNS, _league_rows(draft.meeting.league))


def _red_annex(draft: _Draft) -> None:
    meeting = draft.meeting
    if len(meeting.reds) <= _FULL:
        return
    draft.annex("红色村（社区）逐一情况", landscape=True)
    draft.table(
        f"全部红色村（社区）{count_text(len(meeting.reds))}个，指数最低的在前",
        (
            ("序号", 10),
            ("村（社区）", 26),
            ("指数\n变化", 15),
            ("扣分原因", 50),
            ("未过准入条件", 38),
            ("转色措施", 52),
            ("责任落实", 34),
        ),
        [_red_row(unit) for unit in meeting.reds],
        left=(1, 3, 4, 5, 6),
        size=_SMALL,
    )


def _red_row(unit: RedUnit) -> list[str]:
    flags = _flags(unit.to_verify, unit.contested)
    gates = (
        "—"
        if unit.gates is None
        else "；".join(
            gate.label + ("（待核实）" if gate.status is GateStatus.UNKNOWN else "") for gate in unit.gates
        )
        or "全部通过"
    )
    steps = "；".join(unit.steps[:_STEPS_LISTED]) + (
        f"；等{len(unit.steps)}项" if len(unit.steps) > _STEPS_LISTED else ""
    )
    end = ""
    if unit.steps and unit.target is not None:
        able = "可" if unit.reachable else "仍不能"
        end = f"\n→{number_text(unit.index_after)}分，{able}转{unit.target.mark}"
    held = "情况不明" if unit.lacking is None else (unit.leader or "无包干领导")
    plans = [one for one in unit.lacking or () if one != "包干领导"]
    return [
        str(unit.order),
        f"{unit.unit_name}\n{unit.township_name}" + (f"\n{flags}" if flags else ""),
        f"{number_text(unit.index)}\n{number_text(unit.change, signed=True)}",
        "；".join(unit.reasons) or "—",
        gates,
        (steps or "—") + end,
        held + (f"\n缺{'、'.join(plans)}" if plans else ""),
    ]


def _method(draft: _Draft) -> None:
    parameters = draft.meeting.run.parameters
    framework = parameters.framework
    draft.annex("方法和参数")
    draft.heading("等级怎么定")
    draft.items(level_notes(parameters))
    draft.text("指数等于100减去各项扣分之和；每项扣分等于100乘维度权重、指标权重和严重程度（0至1）。")
    draft.heading("维度和指标")
    draft.table(
        "指标、权重和出处",
        (("维度（权重）", 32), ("指标", 36), ("权重", 14), ("最多扣分", 18), ("出处", 56)),
        [
            [
                f"{dimension.label}（{dimension.weight:.0%}）",
                indicator.label,
                f"{indicator.weight:.0%}",
                number_text(100 * dimension.weight * indicator.weight),
                indicator.source,
            ]
            for dimension in framework.dimensions
            for indicator in dimension.indicators
        ],
        left=(4,),
        size=9.5,
    )
    if parameters.gates is not None:
        draft.heading("准入条件")
        draft.table(
            "准入条件和依据",
            (("准入条件", 46), ("依据", 110)),
            [[gate.label, gate.rule] for gate in parameters.gates.gates],
            left=(1,),
        )
    draft.heading("把握有多大")
    doubt = parameters.assumptions
    centre = doubt.weight_concentration
    weights = "权重视为确定" if centre is None else f"权重围绕所用权重随机变动（集中度{centre:g}）"
    draft.text(
        f"每个村（社区）测算{count_text(doubt.draws)}次：{weights}，评分标准上下变动的标准差为量程的{doubt.reference_shift:.0%}，"
        f"填报数的相对误差为{doubt.data_error:.0%}。没有一种颜色的把握达到{doubt.contested_below:.0%}的，记为{CONTESTED}。"
    )
    draft.heading("参数包")
    packs = (
        framework,
        parameters.classification,
        parameters.gates,
        parameters.uncertainty,
        parameters.measures,
        parameters.signals,
        parameters.casework,
    )
    draft.table(
        "所用参数包",
        (("参数包", 60), ("版本", 22), ("生效日期", 30), ("编制", 44)),
        [
            [pack.title, pack.version, pack.effective_from.isoformat(), pack.author]
            for pack in packs
            if pack is not None
        ],
        left=(0,),
    )


def _sources(draft: _Draft) -> None:
    meeting = draft.meeting
    draft.annex("数据情况和校验")
    draft.heading("数据新旧和齐全程度" + ("（全市）" if meeting.scope else ""))
    draft.table(
        "各来源最近数据",
        (("数据来源", 46), ("最近数据日期", 36), ("距今天数", 24), ("已报/应报", 28), ("覆盖率", 22)),
        [
            [
                one.label,
                "—" if one.latest_on is None else one.latest_on.isoformat(),
                _known(one.age_days),
                f"{count_text(one.units_covered)}/{count_text(one.units_total)}",
                percent_text(one.units_covered, one.units_total),
            ]
            for one in meeting.overview.freshness
        ],
        left=(0,),
    )
    draft.heading("缺少的内容")
    if meeting.gaps:
        draft.items(meeting.gaps)
    else:
        draft.text("没有缺少的内容。")
    draft.heading("校验码（SHA-256）")
    draft.text("本汇报的数字全部出自下列文件，校验码相同即为同一份数据；评估清单记有各表的校验码。")
    rows = [row for row in meeting.digests if row[0] in _DIGESTS] or list(meeting.digests)
    if meeting.loop is not None and meeting.loop.head is not None:
        rows.append((f"案件账本（至第{_known(meeting.loop.sequence)}条）", meeting.loop.head))
    columns = (("文件", 46.0), ("校验码", 110.0))
    draft.table("校验码", columns, rows, left=(0, 1), size=8.0)


@cache
def picture_digest(data: bytes) -> str:
    """Return the name of a picture: equal pictures share it."""
    return hashlib.sha256(data).hexdigest()[:16]
