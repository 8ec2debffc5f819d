"""From the sheets that clerks fill in to rows of contract tables.

A sheet is recognised by its name and its headings; title and filing rows above, totals and signing rows below
are told apart from data and accounted for. A wide sheet, with one column a metric, becomes one record a cell;
a ledger with merged project cells becomes a table of projects and a table of their items.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import polars as pl
from xlsxwriter.utility import xl_col_to_name

from huanjie_lib.access.register_form import FORM_WORDS, REGISTER_FORM
from huanjie_lib.contracts import TABLES, Column, Table, table
from huanjie_lib.intake.blocks import parts_of
from huanjie_lib.intake.checks import Batch
from huanjie_lib.intake.guard import personal_heading
from huanjie_lib.intake.headings import (
    IGNORED,
    Heading,
    Names,
    bracketed,
    known_units,
    normalise,
    table_names,
    under_units,
)
from huanjie_lib.intake.mapping import Mapped, Mappings, SheetMapping, Survey, candidates
from huanjie_lib.intake.report import ColumnPlace, Issue, IssueLevel
from huanjie_lib.intake.values import Note, is_void, parse, spelt_out
from huanjie_lib.intake.workbook import Cell, Grid, cell_text
from huanjie_lib.parameters import Framework

__all__ = ["Reading", "SheetReader"]

_HEADER_ROWS: Final = 15
_TELLING: Final = 3
_LONGEST: Final = 200  # characters of a heading
_MOST_SHOWN: Final = 10
_REMEMBERED: Final = 100_000
_METRIC: Final = "metric:"
_NOT_RETURNED: Final = frozenset({"identities", "cases", "case_events", "runs", "access_log"})
_NO_DATA: Final = frozenset({"填表说明", "填报说明"})
_TOTALS = re.compile(
    r"(?:[全本][村社镇乡街区县市页]?|[镇乡街道县区市]{1,2})?(?P<word>合计|总计|小计|共计|总和|累计)数?(?:\(.{0,12}\))?:?"
)
_NAMED_TOTALS = re.compile(r"[^合总小共]{1,12}?(?P<word>合计|总计|小计|共计)(?:\(.{0,12}\))?:?")
_OF_PARTS: Final = "小计"
_NOT_SUMMED: Final = frozenset({"%", "‰", "比例", "分", "岁"})
_SIGNING = (
    *("填表人", "填报人", "制表人", "审核人", "复核人", "经办人", "统计人", "录入人", "报送人", "联系人"),
    *("负责人", "单位负责人", "主要负责人", "分管负责人", "分管领导", "主管领导", "党委书记", "镇长"),
    *("联系电话", "电话", "签字", "签名", "单位盖章", "单位(盖章)", "(盖章)", "盖章", "填报时间", "制表时间"),
)
_REMARK = re.compile(
    r"[*※★☆●■]|\(?[0-9]{1,2}[.、)](?![0-9])|以上|本表|注[0-9]?[.:]|[0-9〇零○一二三四五六七八九]{4}年.{1,3}月.{1,3}日$"
)
"""How a row that holds one text and nothing else begins where it is no data: under the table, as a rule."""
_PAGE = re.compile(r"第?[0-9]+页?[,，/]?共[0-9]+页|第[0-9]+页|-[0-9]+-|[0-9]+/[0-9]+页?")
_SECTION = re.compile(r"\(?[一二三四五六七八九十]{1,3}[)、.]|第[一二三四五六七八九十]{1,3}[片组区类部]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_STEMS: Final = "甲乙丙丁戊己庚辛壬癸"
_REMARKS = ("注:", "备注:", "说明:", "填表说明", "填报说明")
_FILING = re.compile(r"(?:填报|填表|截至|截止|统计|数据|报送)(?:日期|时间):?(?P<date>.*)")
_UNIT_ALONE: Final = frozenset({"单位", "计量单位", "金额单位"})
_LEADING_DATE = re.compile(r"[0-9]{4}[年./-][0-9]{1,2}[月./-][0-9]{1,2}日?|[0-9]{8}(?![0-9])")

BLANK_ROW: Final = "空白行"
TOTALS_ROW: Final = "合计行"
SIGNING_ROW: Final = "签字或说明行"
REPEATED_HEADING: Final = "重复的表头"
SECTION_ROW: Final = "分组标题行"
NUMBERING_ROW: Final = "栏次行"
PAGE_ROW: Final = "页码行"
UNFILLED_ROW: Final = "只有序号或名称的行"
CONTINUED_PROJECT: Final = "同一项目的续行"
BLANK_CELL: Final = "空白单元格"
UNKNOWN_TABLE: Final = "认不出的表"
INSTRUCTIONS: Final = "填表说明"


@dataclass(frozen=True)
class Reading:
    """What one sheet gave: rows of tables, what was found on the way, and rows of no table by reason.

    ``places`` tell where the columns of the tables stand.
    """

    batches: tuple[Batch, ...] = ()
    issues: tuple[Issue, ...] = ()
    passed_by: Mapping[str, int] = field(default_factory=dict)
    places: tuple[ColumnPlace, ...] = ()


@dataclass(frozen=True)
class _Target:
    """Something a sheet can be: one table, projects with their items, or the wide sheet of metrics."""

    tables: tuple[Table, ...]
    words: tuple[str, ...]
    names: Names
    columns: Mapping[str, Column]
    wide: bool = False

    @property
    def main(self) -> Table:
        """Table that lines of the report about the whole sheet belong to."""
        return self.tables[-1]

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(n for n, c in self.columns.items() if c.required)

    def is_named(self, sheet: str) -> int:
        """Return how many characters of a sheet's name say that it is this one, 0 when none do."""
        words = [normalise(w) for w in self.words]
        if sheet in words:
            return len(sheet)
        if self.main.purpose == "reference":
            return 0  # 镇街 or 村(社区) in a name says little
        return max((len(w) for w in words if len(w) >= _TELLING and w in sheet), default=0)


@dataclass(frozen=True)
class _Header:
    """Heading rows that were found: column number → heading, and what else stands there.

    ``filed`` is the date behind 填报日期 above the headings, empty where it can't be read and ``None`` where
    nothing of the kind is written. ``mapped`` are the headings that a confirmed mapping speaks of.
    """

    target: _Target
    top: int
    bottom: int
    found: Mapping[int, Heading]
    texts: Mapping[int, str]
    name_column: int | None
    filed: str | None
    mapped: Mapping[int, Mapped]

    @property
    def names(self) -> set[str]:
        return {h.name for h in self.found.values()}

    def title(self, column: int) -> str:
        """Return what the report calls a column; of a register form no text of the sheet is repeated."""
        if not _is_form(self.target.main):
            return self.texts[column]
        known = self.found.get(column)
        return f"第 {column + 1} 列" if known is None else self.target.columns[known.name].label

    def column_of(self, name: str) -> int | None:
        return next((c for c, h in self.found.items() if h.name == name), None)


class SheetReader:
    """Reads the sheets of returns.

    Parameters
    ----------
    framework
        Declares the metrics that may head the columns of the wide sheet.
    as_of
        Date of returns that don't state one; ``None`` when every return must.
    mappings
        What persons have said headings mean that mean nothing by themselves.
    """

    def __init__(
        self, framework: Framework, *, as_of: dt.date | None = None, mappings: Mappings | None = None
    ) -> None:
        self._as_of = as_of
        self._mappings = mappings or Mappings()
        self._units = known_units(framework.metrics)
        self._unit_names = table_names(TABLES["units"], self._units)
        self._targets = self._make_targets(framework)
        self._known: dict[str, bool] = {}
        self._read_above: tuple[Grid | None, dict[int, tuple[str | None, list[str]]]] = None, {}

    def _make_targets(self, framework: Framework) -> tuple[_Target, ...]:
        facts, projects, items = table("facts"), table("audit_projects"), table("audit_items")
        metrics = {
            f"{_METRIC}{name}": Column(name, "number", m.label, m.unit, aliases=(name, *m.aliases))
            for name, m in framework.metrics.items()
        }
        identity = {n: facts.column(n) for n in ("unit_code", "as_of")}
        both = {c.name: c for t in (projects, items) for c in t.columns}
        special = (
            _target((facts,), ("基本情况", "基础数据"), {**identity, **metrics}, self._units, wide=True),
            _target((projects, items), ("审计台账",), both, self._units),
            _target((REGISTER_FORM,), FORM_WORDS, {c.name: c for c in REGISTER_FORM.columns}, self._units),
        )
        single = tuple(
            _target((t,), (t.label,), {c.name: c for c in t.columns if c.kind != "geometry"}, self._units)
            for t in TABLES.values()
            if t.name not in _NOT_RETURNED
        )
        return (*special, *single)

    @property
    def targets(self) -> tuple[_Target, ...]:
        """What a sheet may be by a mapping: anything but a register form, whose headings are fixed."""
        return tuple(t for t in self._targets if not _is_form(t.main))

    def survey(self, grid: Grid, *, name: str) -> Survey | None:
        """Return the headings of a sheet that mean nothing by themselves or by a mapping, with their cells.

        A sheet that is not recognised is taken for what most of its headings are spelt like. ``None`` where
        no heading is unknown, and for register forms and sheets that are like nothing.
        """
        named, mapping = self._said(grid, name)
        if normalise(name) in _NO_DATA or not any(cell_text(c).strip() for row in grid.rows for c in row):
            return None
        header = self._header(grid, named, mapping) or self._likeliest(grid, named or self.targets)
        if header is None or _is_form(header.target.main):
            return None
        unknown_to_all = (c for c in header.texts if self._is_unknown(header, c))
        columns = [c for c in unknown_to_all if personal_heading(normalise(header.texts[c])) is None]
        every = replace(header, found={**header.found, **dict.fromkeys(columns, Heading(""))})
        sheet = _Sheet(grid, every)
        unknown = tuple((header.texts[c], tuple(sheet.text(r, c) for r in sheet.data)) for c in columns)
        if not unknown:
            return None
        return Survey(grid.file, name, header.target, frozenset(header.names), unknown)

    def _likeliest(self, grid: Grid, among: Sequence[_Target]) -> _Header | None:
        """Return the row of most words among the first, as headings of the target that they are most like."""
        rows = [[cell_text(c).strip() for c in row] for row in grid.rows[:_HEADER_ROWS]]
        words = [sum(bool(t) and not t[0].isdigit() for t in set(row)) for row in rows]
        top = words.index(max(words))
        texts = {c: t for c, t in enumerate(rows[top]) if t}
        like = [sum(bool(candidates(t, (), target)) for t in texts.values()) for target in among]
        if 2 * max(like) < len(texts):
            return None
        target = among[like.index(max(like))]
        known = self._match(grid, target, top, 1, None)
        return known or _Header(target, top, top, {}, texts, None, _filing_text(grid.rows[:top]), {})

    def read(self, grid: Grid, *, name: str) -> Reading:
        """Read one sheet.

        Parameters
        ----------
        grid
            The sheet.
        name
            Sheet name, or the file name of a CSV file, by which the sheet may be recognised.
        """
        if normalise(name) in _NO_DATA:
            return Reading(passed_by=_filled(grid, INSTRUCTIONS))
        parts = parts_of(grid, self._is_heading, self._is_key)
        readings = [self._read(part, name, number) for number, part in enumerate(parts)]
        if len(parts) == 1:
            return readings[0]
        issues = [i for reading in readings for i in reading.issues]
        issues.append(_several(grid, len(parts)))
        passed_by: Counter[str] = Counter()
        for reading in readings:
            passed_by.update(reading.passed_by)
        batches = tuple(b for r in readings for b in r.batches)
        return Reading(batches, tuple(issues), passed_by, tuple(p for r in readings for p in r.places))

    def _read(self, grid: Grid, name: str, number: int) -> Reading:
        """Read one table; ``number`` counts those of the sheet from 0."""
        title = next((t for row in grid.rows[grid.top :] for c in row if (t := cell_text(c).strip())), "")
        named, mapping = self._said(grid, name) if number == 0 else ((), None)
        if number:
            named = self._named(title)
        if not title:
            return self._empty(grid, named)
        header = self._header(grid, named, mapping)
        if header is None:
            return self._unrecognised(grid, named)
        target = header.target
        issues = self._hidden(grid, target)
        issues += self._other_columns(grid, header) + self._mapped_columns(grid, header)
        issues += self._units_of_measure(grid, header)
        refused = self._missing_columns(grid, header) + self._repeated_columns(grid, header)
        as_of = None
        if "as_of" in target.columns and "as_of" not in header.names:
            as_of = self._date(header)
            if as_of is not None:
                issues.append(self._dated(grid, header, as_of))
            elif header.filed is not None:
                refused.append(self._undated(grid, header))
        sheet = _Sheet(grid, header)
        if not sheet.data:
            issues.append(self._no_rows(grid, header))
        issues += sheet.totals_issues()
        issues += sheet.numeric_codes()
        issues += sheet.unheaded()
        batches = tuple(sheet.batches(as_of, tuple(refused)))
        return Reading(batches, tuple(issues), places=tuple(_places(grid, header)))

    # ------------------------------------------------------------ recognising

    def _is_heading(self, text: str) -> bool:
        """Whether a text is a heading of some table."""
        known = self._known.get(text)
        if known is None:
            if len(self._known) > _REMEMBERED:
                self._known.clear()
            known = normalise(text) in IGNORED or self._is_unit_name(text)
            known = known or any(t.names.match(text) is not None for t in self._targets)
            self._known[text] = known
        return known

    def _is_key(self, text: str) -> bool:
        heading = self._unit_names.match(text)
        return heading is not None and heading.name == "unit_code"

    def _said(self, grid: Grid, name: str) -> tuple[tuple[_Target, ...], SheetMapping | None]:
        """Return what a sheet is by its mapping, else by its name, and the mapping."""
        mapping = self._mappings.of(grid.file, name)
        if mapping is None:
            return self._named(name), None
        return tuple(t for t in self._targets if t.words[0] == mapping.table), mapping

    def _named(self, name: str) -> tuple[_Target, ...]:
        """Return what a sheet is by its name: the targets with the longest matching word."""
        lengths = {n: t.is_named(normalise(name)) for n, t in enumerate(self._targets)}
        longest = max(lengths.values())
        return tuple(self._targets[n] for n, length in lengths.items() if 0 < length == longest)

    def _header(self, grid: Grid, named: tuple[_Target, ...], mapping: SheetMapping | None) -> _Header | None:
        """Return the heading rows in which most headings are understood.

        A sheet known by its name may lack required columns; any other must have them all, or be so much like
        a table that naming the missing columns helps more than not knowing it.
        """
        found = [
            header
            for target in named or self._targets
            for top in range(grid.top, min(grid.top + _HEADER_ROWS, len(grid.rows)))
            for depth in (1, 2, 3)
            if top + depth <= len(grid.rows)
            and (header := self._match(grid, target, top, depth, mapping)) is not None
        ]
        found.sort(key=lambda h: (-len(h.found), h.bottom - h.top, h.top))
        if named:
            return next(iter(found), None)
        whole = [h for h in found if len(h.found) >= _TELLING - 1 and not self._missing(h)]
        return next(iter([*whole, *(h for h in found if len(h.found) >= _TELLING)]), None)

    def _missing(self, header: _Header) -> list[str]:
        """Return the required columns that a sheet lacks; a filing date stands in for ``as_of``."""
        dated = header.filed is not None or self._as_of is not None
        columns = header.target.columns
        required = [n for n, c in columns.items() if c.required and not (dated and n == "as_of")]
        missing = [n for n in required if n not in header.names]
        if header.target.wide and not any(n.startswith(_METRIC) for n in header.names):
            missing.append("metric")
        return missing

    def _match(
        self, grid: Grid, target: _Target, top: int, depth: int, mapping: SheetMapping | None
    ) -> _Header | None:
        found: dict[int, Heading] = {}
        mapped: dict[int, Mapped] = {}
        texts: dict[int, str] = {}
        name_column = None
        levels = range(top, top + depth)
        groups = [""] * depth
        for column in range(len(grid.rows[top])):
            own = [cell_text(grid.rows[row][column]).strip()[:_LONGEST] for row in levels]
            leaf = max((n for n, text in enumerate(own) if text), default=-1)
            for n in range(leaf):  # an empty cell beside a group belongs to it
                group = cell_text(grid.at(top + n, column)).strip()[:_LONGEST]
                if group and group != groups[n]:
                    groups[n:] = [group, *[""] * (depth - n - 1)]
            parts = [*groups[:leaf], own[leaf]] if leaf > 0 else own[:1]
            parts = [p for p in parts if p]
            if not parts:
                continue
            texts[column] = "/".join(parts)
            heading = _heading(target, parts)
            if heading is not None:
                found[column] = heading
            elif self._is_unit_name(parts[-1]):
                name_column = column if name_column is None else name_column
            elif mapping is not None and personal_heading(normalise(texts[column])) is None:
                said = mapping.find(texts[column])
                if said is not None:
                    mapped[column] = said
                if said is not None and said.meaning is not None:
                    found[column] = said.meaning
        if not found:
            return None
        filed, units = self._above(grid, top)
        found = {c: target.names.under(heading, units) for c, heading in found.items()}
        return _Header(target, top, top + depth - 1, found, texts, name_column, filed, mapped)

    def _above(self, grid: Grid, top: int) -> tuple[str | None, list[str]]:
        """Return what is said over a row for the whole table: date of filing and units of measure.

        Each sheet is searched once for each row.
        """
        if self._read_above[0] is not grid:
            self._read_above = grid, {}
        known = self._read_above[1]
        if top not in known:
            rows = grid.rows[grid.top : top]
            known[top] = _filing_text(rows), _said_units(rows)
        return known[top]

    def _is_unit_name(self, text: str) -> bool:
        heading = self._unit_names.match(text)
        return heading is not None and heading.name == "unit_name"

    def _date(self, header: _Header) -> dt.date | None:
        """Return the filing date stated above the headings, else the date that the folder declares."""
        if header.filed is None:
            return self._as_of
        contract = header.target.columns["as_of"]
        stamp = parse(pl.Series([header.filed], dtype=pl.String), contract).values.item()
        return stamp.date() if stamp is not None else None

    # ------------------------------------------------------------ reporting

    def _empty(self, grid: Grid, named: tuple[_Target, ...]) -> Reading:
        found = "空工作表" if grid.sheet else "空文件"
        if named:
            line = _line(
                grid,
                named[0],
                IssueLevel.ERROR,
                found=found,
                allowed=f"“{named[0].words[0]}”的标题行和数据行",
                remedy="补报数据；确无数据的，保留标题行后重报",
            )
        else:
            line = Issue(
                IssueLevel.NOTE if grid.sheet else IssueLevel.ERROR,
                found=found,
                allowed="标题行和数据行",
                remedy="不需要的工作表或文件可以删除",
                file=grid.file,
                sheet=grid.sheet,
            )
        return Reading(issues=(line,))

    def _unrecognised(self, grid: Grid, named: tuple[_Target, ...]) -> Reading:
        if named:
            line = _line(
                grid,
                named[0],
                IssueLevel.ERROR,
                found="前几行里没有认得的列标题",
                allowed="、".join(named[0].columns[n].label for n in named[0].required),
                remedy="按报送模板补上列标题行后重报",
            )
            return Reading(batches=(_whole_sheet(grid, named[0].main, line),))
        words = "、".join(dict.fromkeys(t.words[0] for t in self._targets))
        line = Issue(
            IssueLevel.WARNING,
            found=f"认不出的表（{len(grid.rows)} 行）",
            allowed=f"名称含以下之一的工作表或文件：{words}",
            remedy="改正工作表名称和列标题；不需要报送的可以删除",
            file=grid.file,
            sheet=grid.sheet,
        )
        return Reading(issues=(line,), passed_by=_filled(grid, UNKNOWN_TABLE))

    def _hidden(self, grid: Grid, target: _Target) -> list[Issue]:
        found = ["工作表被隐藏，仍已读取"] if grid.hidden else []
        found += [f"有 {grid.hidden_rows} 行被隐藏，仍已读取"] if grid.hidden_rows else []
        if grid.hidden_columns:
            found.append(f"{_letters(grid.hidden_columns)} 列被隐藏，仍已读取")
        formulas = [
            _line(
                grid,
                target,
                IssueLevel.NOTE,
                found=f"{grid.formulas} 个单元格是公式：读取的是上次保存时的结果",
                allowed="数值",
                remedy="无需处理；公式引用了别的文件的，核对结果是否最新",
            )
        ]
        struck = [
            _line(
                grid,
                target,
                IssueLevel.WARNING,
                found=f"{grid.struck} 个单元格画了删除线，仍已读取",
                allowed="没有删除线的数据",
                remedy="不要的数据请删除整行，要的请去掉删除线，再重报",
            )
        ]
        return (
            formulas[: grid.formulas]
            + struck[: grid.struck]
            + [
                _line(
                    grid,
                    target,
                    IssueLevel.WARNING,
                    found=text,
                    allowed="不隐藏的数据",
                    remedy="取消隐藏，核对这些数据是否应当报送",
                )
                for text in found
            ]
        )

    def _missing_columns(self, grid: Grid, header: _Header) -> list[Issue]:
        shown = "、".join(header.title(c) for c in sorted(header.texts))[:160]
        issues = []
        for name in self._missing(header):
            column = header.target.columns.get(name, table("facts").column("metric"))
            spellings = "或".join(f"“{t}”" for t in (column.label, *column.aliases))
            advice = "补上这一列的标题和数据"
            if name == "as_of":
                advice += "，或在表头上方写明“填报日期：2026年10月31日”"
            issues.append(
                _line(
                    grid,
                    header.target,
                    IssueLevel.ERROR,
                    found=f"缺少列“{column.label}”；现有标题：{shown}",
                    allowed="参数包中登记的指标项名称" if name == "metric" else f"列标题{spellings}",
                    remedy=advice,
                    row=header.bottom + 1,
                    column=column,
                )
            )
        return issues

    def _repeated_columns(self, grid: Grid, header: _Header) -> list[Issue]:
        times = Counter(h.name for h in header.found.values())
        return [
            _line(
                grid,
                header.target,
                IssueLevel.ERROR,
                found="列标题重复："
                + "、".join(
                    f"{header.title(c)}（{xl_col_to_name(c)} 列）"
                    for c, h in header.found.items()
                    if h.name == name
                ),
                allowed="每项内容只有一列",
                remedy="删去重复的列后重报",
                row=header.bottom + 1,
                column=header.target.columns[name],
            )
            for name, count in times.items()
            if count > 1
        ]

    def _other_columns(self, grid: Grid, header: _Header) -> list[Issue]:
        issues, unknown = [], []
        for column, text in header.texts.items():
            if not self._is_unknown(header, column):
                continue
            kind = personal_heading(normalise(text))
            if kind is not None:
                issues.append(personal_column(kind, grid.file, grid.sheet, header.target.main))
            else:
                unknown.append(header.title(column))
        if unknown:
            issues.append(unknown_columns(unknown, grid.file, grid.sheet, header.target.main))
        return issues

    def _is_unknown(self, header: _Header, column: int) -> bool:
        leaf = header.texts[column].rpartition("/")[2]
        told = column in header.found or column in header.mapped
        return not told and normalise(leaf) not in IGNORED and not self._is_unit_name(leaf)

    def _mapped_columns(self, grid: Grid, header: _Header) -> list[Issue]:
        """Tell which headings were read by a mapping, and who confirmed it."""
        issues = []
        for column, said in header.mapped.items():
            contract = None if said.meaning is None else header.target.columns[said.meaning.name]
            text = header.texts[column]
            issues.append(
                _line(
                    grid,
                    header.target,
                    IssueLevel.NOTE,
                    found=f"按栏目对照，“{text}”没有载入"
                    if contract is None
                    else f"按栏目对照，把“{text}”读作“{contract.label}”",
                    allowed="报送表规定的列标题",
                    remedy=f"无需处理；对照由 {said.said}，有误时改正该文件",
                    column=contract,
                )
            )
        return issues

    def _units_of_measure(self, grid: Grid, header: _Header) -> list[Issue]:
        issues = []
        for column, heading in header.found.items():
            contract = header.target.columns[heading.name]
            if heading.clash:
                issues.append(_clash(grid, header, column))
            elif heading.scale != 1.0:
                issues.append(
                    _line(
                        grid,
                        header.target,
                        IssueLevel.NOTE,
                        found=f"单位为{heading.unit}，数值乘以 {heading.scale:g} 换算为{contract.unit}",
                        allowed=f"单位为{contract.unit}的数",
                        remedy="无需处理；如标题中的单位写错，请更正原表",
                        column=contract,
                    )
                )
        return issues

    def _dated(self, grid: Grid, header: _Header, as_of: dt.date) -> Issue:
        origin = "数据文件夹 sources.yaml 声明的日期" if header.filed is None else "表头上方的填报日期"
        return _line(
            grid,
            header.target,
            IssueLevel.NOTE,
            found=f"截至日期取自{origin}：{as_of}",
            allowed="日期，如 2026-10-31",
            remedy="无需处理；如日期有误，请更正原表",
            column=header.target.columns["as_of"],
        )

    def _undated(self, grid: Grid, header: _Header) -> Issue:
        return _line(
            grid,
            header.target,
            IssueLevel.ERROR,
            found="“填报日期”后没有认得的日期",
            allowed="日期，如 2026年10月31日",
            remedy="在“填报日期”后写明年月日",
            column=header.target.columns["as_of"],
        )

    def _no_rows(self, grid: Grid, header: _Header) -> Issue:
        wide = header.target.wide
        return _line(
            grid,
            header.target,
            IssueLevel.ERROR if wide else IssueLevel.WARNING,
            found="只有标题，没有数据行",
            allowed="数据行",
            remedy="补报数据" if wide else "确无数据的无需处理，漏报的请补报",
        )


class _Sheet:
    """The rows of a sheet below its headings, told apart by kind."""

    def __init__(self, grid: Grid, header: _Header) -> None:
        self.grid, self.header, self.target = grid, header, header.target
        self.data: list[int] = []
        self.totals: list[tuple[int, str, bool]] = []  # row, its word, whether it is the total of a part
        self.dropped: Counter[str] = Counter()
        top, width = grid.top, len(grid.rows[header.top])
        self._texts = [[""] * width] * top + [[cell_text(c) for c in row] for row in grid.rows[top:]]
        self._code = header.column_of("unit_code")
        self._heads = {c: normalise(t.rpartition("/")[2]) for c, t in header.texts.items()}
        self._under_remarks = False
        self._sort_rows()
        kinds = {c: self.target.columns[h.name].kind for c, h in header.found.items() if h.name}
        self._numeric = [c for c, kind in kinds.items() if kind in {"integer", "number"}]
        self._doubts = {**self._merged_numbers(), **self._overlong()}

    def _sort_rows(self) -> None:
        filled = [n for n, row in enumerate(self._texts) if any(t.strip() for t in row)]
        for row in range(self.header.bottom + 1, filled[-1] + 1):
            reason = self._reason(row)
            if reason is None:
                self.data.append(row)
                continue
            self.dropped[reason] += 1
            self._under_remarks |= reason == SIGNING_ROW
            if reason == TOTALS_ROW:
                match = next(m for t in self._texts[row] if (m := _total(normalise(t))) is not None)
                is_part = match.re is _NAMED_TOTALS or match["word"] == _OF_PARTS
                self.totals.append((row, match["word"], is_part))

    def text(self, row: int, column: int) -> str:
        """Return a data cell; a cell merged downwards has the text of its first cell."""
        first_row, first_column = self.grid.anchors.get((row, column), (row, column))
        if first_column != column or first_row <= self.header.bottom:
            return self._texts[row][column]
        return self._texts[first_row][column]

    def _reason(self, row: int) -> str | None:
        """Return why a row is no data, or ``None`` when it is."""
        cells = [(c, t) for c, t in enumerate(self._texts[row]) if t.strip()]
        if not cells:
            return BLANK_ROW
        leading = [normalise(t) for _, t in cells[:3]]
        code = "" if self._code is None else self._texts[row][self._code]
        if not any(c.isdigit() for c in code):
            if any(_total(t) is not None for t in leading):
                return TOTALS_ROW
            if leading[0].startswith((*_SIGNING, *_REMARKS)):
                return SIGNING_ROW
            if len(cells) == 1 and (reason := self._lone_text(leading[0])) is not None:
                return reason
        if row == self.header.bottom + 1 and self._is_numbering(cells):
            return NUMBERING_ROW
        if len(cells) > 1 and all(self._heads.get(c) == normalise(t) for c, t in cells):
            return REPEATED_HEADING
        if not any(self.text(row, c).strip() for c in self.header.found):
            return UNFILLED_ROW
        return None

    def _lone_text(self, text: str) -> str | None:
        """Return why a row that holds one text, and no code, is no data."""
        if _PAGE.fullmatch(text):
            return PAGE_ROW
        if _SECTION.match(text):
            return SECTION_ROW
        if _REMARK.match(text) or (self._under_remarks and _HAN.search(text)):
            return SIGNING_ROW
        return None

    def _is_numbering(self, cells: Sequence[tuple[int, str]]) -> bool:
        """Whether a row numbers the columns, as statistical tables do: 甲 乙 1 2, or (1) (2) (3)."""
        texts = [normalise(t).strip("()（）栏") for _, t in cells]
        stems = [t for t in texts if t in _STEMS]
        numbers = texts[len(stems) :]
        if stems != list(_STEMS[: len(stems)]) or len(texts) < min(_TELLING, len(self.header.texts)):
            return False
        whole = len(stems) > 0 or len(texts) == len(self.header.texts)
        return whole and numbers == [str(n) for n in range(1, len(numbers) + 1)]

    # ------------------------------------------------------------ doubts

    def _merged_numbers(self) -> dict[tuple[int, int | None], Issue]:
        """Return cells of which several share one number: whether each has it or all together is not said.

        What belongs to a project is merged down over its items and is one number.
        """
        projects = self.target.tables[0].names if len(self.target.tables) == 2 else ()
        numeric = {c for c in self._numeric if self.header.found[c].name not in projects}
        data = set(self.data)
        ranges: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for cell, first in self.grid.anchors.items():
            if cell[0] in data and cell[1] in numeric:
                ranges.setdefault(first, []).append(cell)
        doubts: dict[tuple[int, int | None], Issue] = {}
        for first, cells in ranges.items():
            if len(cells) < 2 or is_void(self._texts[first[0]][first[1]]):
                continue
            place = ":".join(f"{xl_col_to_name(c)}{r + 1}" for r, c in (min(cells), max(cells)))
            for row, column in cells:
                contract = self.target.columns[self.header.found[column].name]
                doubts[row, column] = _line(
                    self.grid,
                    self.target,
                    IssueLevel.ERROR,
                    found=f"合并的单元格 {place} 里只有一个数",
                    allowed="每个单元格各填一个数",
                    remedy="取消合并，逐格填写；几个村（社区）合在一起的数，请拆开",
                    column=contract,
                )
        return doubts

    def _overlong(self) -> dict[tuple[int, int | None], Issue]:
        """Return rows of a CSV file that have more fields than headings: a separator stands in some field."""
        if self.grid.sheet:
            return {}
        width = max(self.header.texts) + 1
        long = [r for r in self.data if any(t.strip() for t in self._texts[r][width:])]
        fields = {r: max(n for n, t in enumerate(self._texts[r], start=1) if t.strip()) for r in long}
        return {
            (row, None): Issue(
                IssueLevel.ERROR,
                found=f"这一行有 {count} 格，标题只有 {width} 格",
                allowed=f"每行不超过 {width} 格",
                remedy="数字不写千分位，内容中的逗号放在引号内，改正后重报",
                table=self.target.main.name,
                file=self.grid.file,
                label="整行",
            )
            for row, count in fields.items()
        }

    def _faults(self, rows: Sequence[int], contract: Table) -> dict[int, Issue]:
        """Return what is doubtful in rows of a table, by their place."""
        if not self._doubts:
            return {}
        of_row: dict[int, Issue] = {}
        for (row, column), issue in self._doubts.items():
            if column is None or self.header.found[column].name in contract.names:
                of_row.setdefault(row, issue)
        return {place: of_row[row] for place, row in enumerate(rows) if row in of_row}

    def unheaded(self) -> list[Issue]:
        """Tell of filled cells in columns that have no heading."""
        beyond = max(self.header.texts) if not self.grid.sheet else len(self._texts[self.header.top])
        free = [c for c in range(beyond) if c not in self.header.texts]
        filled = {c: n for c in free if (n := sum(bool(self._texts[r][c].strip()) for r in self.data))}
        if not filled:
            return []
        return [
            _line(
                self.grid,
                self.target,
                IssueLevel.WARNING,
                found=f"{_letters(tuple(filled))} 列没有标题，其中 {sum(filled.values())} 个单元格没有载入",
                allowed="每列都有标题",
                remedy="补上标题后重报；不需要的列可以删除",
            )
        ]

    # ------------------------------------------------------------ totals

    def totals_issues(self) -> list[Issue]:
        """Compare each totals row with the sums of the rows it covers."""
        numeric = [
            c for c in self._numeric if self.target.columns[self.header.found[c].name].unit not in _NOT_SUMMED
        ]
        if not self.totals or not numeric:
            return []
        rows = [*self.data, *(row for row, _, _ in self.totals)]
        cells = pl.Series([self._alone(r, c) for c in numeric for r in rows], dtype=pl.String)
        read = parse(cells, Column("value", "number", "数值"))
        values = read.values.to_numpy().reshape(len(numeric), len(rows))
        flawed = (read.flaws > 0).to_numpy().reshape(len(numeric), len(rows))
        issues = []
        for number, (row, word, spans) in enumerate(self._covered()):
            for position, column in enumerate(numeric):
                stated = float(values[position, len(self.data) + number])
                if np.isnan(stated) or any(flawed[position, span].any() for span in spans):
                    continue  # nothing stated, or cells that are reported already
                sums = [float(np.nansum(values[position, span])) for span in spans]
                total = min(sums, key=lambda s: abs(stated - s))
                if abs(stated - total) <= _tolerance(self._texts[row][column], total):
                    continue
                issues.append(
                    _line(
                        self.grid,
                        self.target,
                        IssueLevel.WARNING,
                        found=f"{word} {cell_text(round(stated, 6))}",
                        allowed=f"与各行之和相等（{cell_text(round(sums[0], 6))}）",
                        remedy="核对各行和合计，改正后重报；合计行不作为数据",
                        row=row + 1,
                        column=self.target.columns[self.header.found[column].name],
                    )
                )
        return issues

    def _covered(self) -> Iterator[tuple[int, str, list[slice]]]:
        """Yield each totals row, its word, and which data rows it may be the sum of.

        The total of a part covers the rows since the last totals row or, where the first of them stands over
        its rows, those down to the next. That of a part with a name (石桥镇合计) may be the total of all.
        """
        at = [sum(r < row for r in self.data) for row, _, _ in self.totals]
        parts = [number for number, (_, _, is_part) in enumerate(self.totals) if is_part]
        above = bool(parts) and at[parts[0]] == 0 and bool(self.data)
        for number, (row, word, is_part) in enumerate(self.totals):
            whole = slice(0, at[number] or len(self.data))  # a total over the rows covers them all
            if not is_part:
                yield row, word, [whole]
                continue
            start, stop = (at[number - 1] if number else 0), at[number]
            if above:
                start, stop = at[number], (at[number + 1] if number + 1 < len(at) else len(self.data))
            yield row, word, [slice(start, stop), *([whole] if word != _OF_PARTS else [])]

    def _alone(self, row: int, column: int) -> str:
        """Return a cell, empty where it is covered by a merged range, so that a number counts once."""
        return (
            ""
            if self.grid.anchors.get((row, column), (row, column)) != (row, column)
            else self._texts[row][column]
        )

    def numeric_codes(self) -> list[Issue]:
        """Count codes that stand in number cells, where a spreadsheet drops leading zeros and late digits."""
        issues = []
        for column, heading in self.header.found.items():
            contract = self.target.columns[heading.name]
            if contract.kind != "string" or contract.pattern is None:
                continue
            count = sum(isinstance(self.grid.rows[r][column], int | float) for r in self.data)
            if count:
                issues.append(
                    _line(
                        self.grid,
                        self.target,
                        IssueLevel.NOTE,
                        found=f"{count} 个单元格：{Note.NUMERIC_CODE.label}",
                        allowed=f"文本格式的{contract.allowed()}",
                        remedy="无需处理；下次报送请将该列设为文本格式",
                        column=contract,
                    )
                )
        return issues

    # ------------------------------------------------------------ rows

    def batches(self, as_of: dt.date | None, refused: tuple[Issue, ...]) -> list[Batch]:
        """Return the rows of the sheet for each of its tables."""
        if self.target.wide:
            return self._wide(as_of, refused)
        columns = self._columns(as_of)
        if len(self.target.tables) == 1:
            return [self._batch(self.target.tables[0], columns, self.data, dict(self.dropped), refused)]
        return self._projects(columns, refused)

    def _columns(self, as_of: dt.date | None) -> dict[str, list[str]]:
        """Return the texts of the data rows by contract column, project cells filled down."""
        columns = {
            h.name: [self.text(r, c) for r in self.data] for c, h in self.header.found.items() if not h.clash
        }
        if len(self.target.tables) == 2 and "project_id" in columns:
            own = [n for n in columns if n in {c.name for c in self.target.tables[0].columns}]
            for position in range(1, len(self.data)):
                if not columns["project_id"][position].strip():
                    for name in own:
                        columns[name][position] = columns[name][position - 1]
        if "as_of" in self.target.columns and "as_of" not in columns and as_of is not None:
            columns["as_of"] = [as_of.isoformat()] * len(self.data)
        return columns

    def _names(self, rows: Sequence[int]) -> pl.Series | None:
        column = self.header.name_column
        if column is None:
            return None
        return pl.Series([self.text(r, column).strip() for r in rows], dtype=pl.String)

    def _batch(
        self,
        contract: Table,
        columns: Mapping[str, Sequence[str]],
        rows: Sequence[int],
        dropped: Mapping[str, int],
        refused: tuple[Issue, ...],
    ) -> Batch:
        names = [c.name for c in contract.all_columns if c.name in columns]
        raw = pl.DataFrame({n: columns[n] for n in names}, schema=dict.fromkeys(names, pl.String))
        if not names:
            raw = pl.DataFrame({"_": [""] * len(rows)}, schema={"_": pl.String})
        scales = {h.name: h.scale for h in self.header.found.values() if h.scale != 1.0}
        return Batch(
            contract,
            self.grid.file,
            self.grid.sheet,
            raw,
            pl.Series([r + 1 for r in rows], dtype=pl.Int64),
            scales=scales,
            dropped=dropped,
            names=self._names(rows),
            refused=refused,
            faults=self._faults(rows, contract),
        )

    def _projects(self, columns: dict[str, list[str]], refused: tuple[Issue, ...]) -> list[Batch]:
        """Split a ledger into projects and their items; the rows of one project repeat its cells."""
        projects, items = self.target.tables
        own = [n for n in columns if n in {c.name for c in projects.columns}]
        cells = list(zip(*(columns[n] for n in own), strict=True)) if own else [()] * len(self.data)
        fresh = [n for n in range(len(self.data)) if n == 0 or cells[n] != cells[n - 1]]
        dropped = dict(self.dropped)
        if len(self.data) > len(fresh):
            dropped[CONTINUED_PROJECT] = len(self.data) - len(fresh)
        first = {n: [texts[i] for i in fresh] for n, texts in columns.items()}
        return [
            self._batch(projects, first, [self.data[i] for i in fresh], dropped, refused),
            self._batch(items, columns, self.data, dict(self.dropped), refused),
        ]

    def _wide(self, as_of: dt.date | None, refused: tuple[Issue, ...]) -> list[Batch]:
        """Turn the wide sheet into one record a filled-in cell."""
        columns = self._columns(as_of)
        metrics = {c: h for c, h in self.header.found.items() if h.name.startswith(_METRIC)}
        facts = self.target.main
        if not metrics:
            return [self._batch(facts, columns, self.data, dict(self.dropped), refused)]
        texts = {c: [self.text(r, c) for r in self.data] for c in metrics}
        void = {c: [is_void(t) for t in cells] for c, cells in texts.items()}
        dropped = {reason: n * len(metrics) for reason, n in self.dropped.items()}
        blank = sum(sum(cells) for cells in void.values())
        if blank:
            dropped[BLANK_CELL] = blank
        batches = []
        good = [c for c, h in metrics.items() if not h.clash]
        for chosen in (good, *([c] for c, h in metrics.items() if h.clash)):
            cells = [(p, c) for p in range(len(self.data)) for c in chosen if not void[c][p]]
            lists: dict[str, list[str]] = {
                name: [columns[name][p] for p, _ in cells]
                for name in ("unit_code", "as_of")
                if name in columns
            }
            lists["metric"] = [metrics[c].name.removeprefix(_METRIC) for _, c in cells]
            lists["value"] = [texts[c][p] for p, c in cells]
            rows = [self.data[p] for p, _ in cells]
            clash = () if chosen is good else (_clash(self.grid, self.header, chosen[0]),)
            batches.append(
                Batch(
                    facts,
                    self.grid.file,
                    self.grid.sheet,
                    pl.DataFrame(lists, schema=dict.fromkeys(lists, pl.String)),
                    pl.Series([r + 1 for r in rows], dtype=pl.Int64),
                    scales={"value": pl.Series([metrics[c].scale for _, c in cells], dtype=pl.Float64)},
                    dropped=dropped if chosen is good else {},
                    unit="单元格",
                    names=self._names(rows),
                    refused=(*refused, *clash),
                    faults=self._faults_of_cells(cells),
                )
            )
        return batches

    def _faults_of_cells(self, cells: Sequence[tuple[int, int]]) -> dict[int, Issue]:
        """Return what is doubtful in cells, given by place of their row and column, by their place."""
        if not self._doubts:
            return {}
        found = {}
        for place, (position, column) in enumerate(cells):
            row = self.data[position]
            issue = self._doubts.get((row, column)) or self._doubts.get((row, None))
            if issue is not None:
                found[place] = issue
        return found


def _is_form(contract: Table) -> bool:
    """Whether a table is the register form; a copy of it, from another process, is it too."""
    return contract.name == REGISTER_FORM.name


def _places(grid: Grid, header: _Header) -> Iterator[ColumnPlace]:
    """Yield where the columns of the tables stand in a sheet."""
    for column, heading in header.found.items():
        name = heading.name.removeprefix(_METRIC)
        for contract in header.target.tables:
            if name != heading.name or name in contract.names:
                letter, title = xl_col_to_name(column), header.title(column)
                yield ColumnPlace(
                    contract.name, name, grid.file, grid.sheet, header.bottom + 1, letter, title
                )


def _target(
    tables: tuple[Table, ...],
    words: tuple[str, ...],
    columns: Mapping[str, Column],
    units: frozenset[str],
    *,
    wide: bool = False,
) -> _Target:
    spellings = {n: (c.unit, (c.name, c.label, *c.aliases)) for n, c in columns.items()}
    return _Target(tables, words, Names(spellings, units), columns, wide)


def _heading(target: _Target, parts: Sequence[str]) -> Heading | None:
    """Return what a heading means, given with the group above it where there is one."""
    leaf = parts[-1]
    if len(parts) == 1:
        return target.names.match(leaf)
    groups = parts[:-1]
    unit = next((u for group in reversed(groups) if (u := bracketed(group))), "")
    whole = next((h for group in groups if (h := target.names.match(group + leaf)) is not None), None)
    if whole is None and unit and not bracketed(leaf):
        scaled = target.names.match(f"{leaf}({unit})")
        if scaled is not None and not scaled.clash:
            return scaled
    return whole or target.names.match(leaf)


def _line(
    grid: Grid,
    target: _Target,
    level: IssueLevel,
    *,
    found: str,
    allowed: str,
    remedy: str,
    row: int | None = None,
    column: Column | None = None,
) -> Issue:
    """Return a line of the report about a sheet."""
    return Issue(
        level,
        found,
        allowed,
        remedy,
        table=target.main.name,
        file=grid.file,
        sheet=grid.sheet,
        row=row,
        column=column.name if column is not None else "",
        label=column.label if column is not None else "",
    )


def _clash(grid: Grid, header: _Header, column: int) -> Issue:
    heading = header.found[column]
    contract = header.target.columns[heading.name]
    return _line(
        grid,
        header.target,
        IssueLevel.ERROR,
        found=f"{header.title(column)}（单位：{heading.unit}）",
        allowed=f"单位为{contract.unit}的列" if contract.unit else "不带计量单位的列",
        remedy="核对计量单位，改正标题或数据；这一列未载入",
        row=header.bottom + 1,
        column=contract,
    )


def _filing_text(rows: Sequence[Sequence[Cell]]) -> str | None:
    """Return the date behind 填报日期 above the headings: empty when unreadable, ``None`` when not there."""
    for row in rows:
        texts = [t for c in row if (t := cell_text(c).strip())]
        for position, text in enumerate(texts):
            match = _FILING.search(normalise(text))
            if match is not None:
                after = match["date"] or normalise("".join(texts[position + 1 : position + 2]))
                date = _LEADING_DATE.match(spelt_out(after))
                return date[0] if date is not None else ""
    return None


def _said_units(rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Return the units of measure that are stated over the headings for the whole table."""
    found: list[str] = []
    for row in rows:
        texts = [t for c in row if (t := cell_text(c).strip())]
        for place, text in enumerate(texts):
            if normalise(text) in _UNIT_ALONE:  # and the unit stands in the next cell
                text = f"单位：{''.join(texts[place + 1 : place + 2])}"
            found += under_units(text)
    return found


def _total(text: str) -> re.Match[str] | None:
    """Return what makes a text the name of a totals row."""
    return _TOTALS.fullmatch(text) or _NAMED_TOTALS.fullmatch(text)


def _letters(columns: Sequence[int]) -> str:
    """Return columns by their letters; of many the first ones."""
    shown = "、".join(xl_col_to_name(c) for c in columns[:_MOST_SHOWN])
    return shown + ("等" if len(columns) > _MOST_SHOWN else "")


def _tolerance(written: str, total: float) -> float:
    """Return how far a total may lie from the sum: half of its last decimal place."""
    decimals = len(written.strip().rpartition(".")[2]) if "." in written else 0
    return (0.5 * 10.0**-decimals if decimals else 1e-6) + 1e-9 * abs(total)


def _filled(grid: Grid, reason: str) -> dict[str, int]:
    """Return how many rows of a sheet hold anything."""
    count = sum(any(cell_text(c).strip() for c in row) for row in grid.rows)
    return {reason: count} if count else {}


def _several(grid: Grid, count: int) -> Issue:
    return Issue(
        IssueLevel.NOTE,
        found=f"一个工作表里有 {count} 个表，已分别读取",
        allowed="每个工作表一个表",
        remedy="无需处理；下次报送请每个表放一个工作表",
        file=grid.file,
        sheet=grid.sheet,
    )


def _whole_sheet(grid: Grid, contract: Table, issue: Issue) -> Batch:
    """Account for the rows of a sheet none of whose headings was understood."""
    rows = [n + 1 for n, row in enumerate(grid.rows) if any(cell_text(c).strip() for c in row)]
    raw = pl.DataFrame({"_": [""] * len(rows)}, schema={"_": pl.String})
    return Batch(contract, grid.file, grid.sheet, raw, pl.Series(rows, dtype=pl.Int64), refused=(issue,))


def personal_column(kind: str, file: str, sheet: str, contract: Table) -> Issue:
    """Return the line for a column of personal data; it tells the kind and repeats no value."""
    allowed = "不含姓名、证件号、电话、宗教、民族等个人信息的表"
    if _is_form(contract):
        allowed = f"只含以下各列的表：{'、'.join(c.label for c in contract.columns)}"
    return Issue(
        IssueLevel.ERROR,
        found=f"含个人信息的列（{kind}类）",
        allowed=allowed,
        remedy="删除这一列后重报；该列内容没有载入，也没有写入任何文件",
        table=contract.name,
        file=file,
        sheet=sheet,
    )


def unknown_columns(headings: Sequence[str], file: str, sheet: str, contract: Table) -> Issue:
    """Return the line for columns that belong to no contract column."""
    labels = "、".join(c.label for c in contract.columns if c.kind != "geometry")
    return Issue(
        IssueLevel.WARNING,
        found=f"不认得的列，未载入：{'、'.join(headings)[:160]}",
        allowed=labels if len(labels) <= 200 else f"{labels[:200]}…",
        remedy="改正列标题；不需要的列可以删除",
        table=contract.name,
        file=file,
        sheet=sheet,
    )
