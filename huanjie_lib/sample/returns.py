"""The returns of one county as its township clerks would send them: workbooks and CSV files.

Every township has its habits: how it writes dates, numbers, blanks and headings, and where it leaves an
empty row. The layout is described in ``docs/returns_format.md``. A few cells are spoiled on purpose; what
must become of them is returned with the files.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from huanjie_lib.contracts import RETURN_GROUPS, RETURN_SHEETS, Column, Table, table
from huanjie_lib.parameters import Metric, load_parameters
from huanjie_lib.sample.workbook import Cell, Grid, csv_bytes, workbook_bytes
from huanjie_lib.vocabulary import CrosswalkKind, ReviewOpinion

__all__ = [
    "FAULT_COLUMNS",
    "HABITS",
    "PAPER_TABLES",
    "REASONS",
    "FormSheet",
    "Habits",
    "ReturnFile",
    "fill_in",
    "make_returns",
    "plain_value",
]

FAULT_COLUMNS = ("file", "sheet", "row", "column", "kind", "reason")
"""Columns of the list of spoiled cells; ``row`` counts from 1, ``file`` is relative to the data folder."""

PAPER_TABLES = (
    "audit_projects",
    "audit_items",
    "audit_subjects",
    "audit_notices",
    "audit_problems",
    "disputes",
    "screenings",
    "reviews",
    "talks",
    "roll_checks",
)
"""Ledgers that the county keeps on paper only."""

_BASIC = "基本情况"
_AUDIT = "审计台账"
_LEDGERS: Mapping[str, str] = {sheet: names[0] for sheet, names in list(RETURN_SHEETS.items())[2:]}
_WITH_TOTALS = (_BASIC, "选民登记核对")
_MONEY = ("collective_income", "collective_debt")
_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
REASONS: Mapping[str, str] = {
    "code_length": "代码不足12位",
    "code_scientific": "代码被Excel改成科学计数法",
    "code_unknown": "没有这个代码的村(社区)",
    "code_renumbered": "旧代码，按已确认的区划代码对照换为新代码，该行保留",
    "duplicate_row": "与前面的行完全相同，只保留一行",
    "duplicate_conflict": "与前面的行编号相同而内容不同",
    "date_invalid": "日期不存在",
    "not_a_number": "数字列中填了文字",
    "negative": "不得小于0",
    "fraction": "应为整数",
    "word_unknown": "词语不在允许范围",
    "order": "前后矛盾",
    "required_missing": "必填项为空",
    "reference_unknown": "没有这个审计项目",
    "total_mismatch": "合计与各行之和不符",
    "id_check": "身份证号校验位不符",
    "id_numeric": "身份证号填成数字，末几位丢失",
    "id_rounded": "身份证号末三位被Excel改成000",
    "person_twice": "同一人另有更新的登记，合并为一人",
    "person_conflict": "同一身份证号姓名不同，都不采用",
    "sex_mismatch": "性别与身份证号不一致，按填报的性别载入",
}
"""What must become of each kind of spoiled cell."""


@dataclass(frozen=True)
class ReturnFile:
    """One file of the returns: path below the data folder and content."""

    path: str
    content: bytes


@dataclass(frozen=True)
class Habits:
    """How one township fills in its forms.

    ``dates`` is a pattern for year, month and day, ``None`` for real date cells; ``void`` stands for no value
    in date and text columns; ``csv`` names the sheets sent as CSV, ``bare`` those CSV without title.
    """

    dates: str | None = None
    separators: bool = False
    full_width: bool = False
    ten_thousands: bool = False
    void: str | None = None
    ticks: bool = False
    aliases: bool = False
    full_brackets: bool = False
    empty_row: bool = False
    csv: tuple[str, ...] = ()
    bare: bool = False


HABITS: tuple[Habits, ...] = (
    Habits(),
    Habits(
        dates="{0}年{1}月{2}日", separators=True, ticks=True, aliases=True, full_brackets=True, empty_row=True
    ),
    Habits(dates="{0}-{1:02d}-{2:02d}", csv=("矛盾纠纷", "资格联审")),
    Habits(dates="{0}.{1}.{2}", ten_thousands=True, void="/", ticks=True, full_brackets=True),
    Habits(dates="{0}/{1:02d}/{2:02d}", full_width=True, void="无", aliases=True, empty_row=True),
    Habits(dates="{0}-{1:02d}-{2:02d}", csv=(_AUDIT, "审计问题", "选民登记核对"), bare=True),
    Habits(dates="{0}{1:02d}{2:02d}", separators=True, void="—", ticks=True, aliases=True),
    Habits(ticks=True, full_brackets=True, empty_row=True),
    Habits(dates="{0}年{1:02d}月{2:02d}日", separators=True, full_width=True, void="/", aliases=True),
    Habits(separators=True, void="无"),
)


@dataclass
class FormSheet:
    """A form before habits are applied: named columns, rows of plain values.

    ``title`` stands above the form, the sheet's name where it is empty. ``marks`` are the spoiled cells: data
    row (``None`` for the totals row), column and kind; ``verbatim`` holds what is to stand in a cell whatever
    the habits say.
    """

    name: str
    columns: list[str]
    contracts: Sequence[Column | Metric | None]
    rows: list[list[Any]]
    key: tuple[str, ...]
    group_of: list[str] | None = None
    title: str = ""
    merged: int = 0
    marks: list[tuple[int | None, str, str]] = field(default_factory=list)
    verbatim: dict[tuple[int | None, str], Cell] = field(default_factory=dict)

    def put(self, row: int | None, column: str, kind: str, value: Cell) -> None:
        """Spoil one cell."""
        self.verbatim[row, column] = value
        self.marks.append((row, column, kind))

    def value(self, row: int, column: str) -> Any:
        """Return a plain value."""
        return self.rows[row][self.columns.index(column)]


def make_returns(
    tables: Mapping[str, pd.DataFrame], county: str, as_of: dt.date, rng: np.random.Generator
) -> tuple[list[ReturnFile], pd.DataFrame]:
    """Fill in the forms of every township of a county.

    Parameters
    ----------
    tables
        Contract tables of the whole city.
    county
        Six-digit code of the county.
    as_of
        Date of the returns; figures of this day go into 基本情况.
    rng
        Random stream.

    Returns
    -------
    files, faults
        The files, and the list of spoiled cells with the columns :data:`FAULT_COLUMNS`.
    """
    townships = tables["townships"]
    mine = townships[townships["county_code"] == county]
    facts = tables["facts"]
    inside = facts["unit_code"].str.slice(0, 9).isin(mine["township_code"])
    here = inside & (facts["as_of"] == pd.Timestamp(as_of))
    basic = facts[here].pivot(index="unit_code", columns="metric", values="value")
    metrics = load_parameters().framework.metrics
    files: list[ReturnFile] = []
    faults: list[tuple[str, str, int, str, str, str]] = []
    for number, (code, name) in enumerate(zip(mine["township_code"], mine["township_name"], strict=True)):
        sheets = _sheets(tables, str(code), basic, metrics)
        _spoil(number, {s.name: s for s in sheets})
        _file_under_old_code(sheets, tables["crosswalk"])
        habits = HABITS[number % len(HABITS)]
        folder = f"returns/{name}"
        book: list[Grid] = []
        book_path = f"{folder}/{name}换届数据报送表({as_of.year}年{as_of.month}月).xlsx"
        for sheet in sheets:
            alone = sheet.name in habits.csv
            grid, at = fill_in(sheet, str(name), as_of, habits, rng)
            path = f"{folder}/{name}_{sheet.name}.csv" if alone else book_path
            shown = "" if alone else sheet.name
            faults += [
                (path, shown, at[row], column, kind, REASONS[kind]) for row, column, kind in sheet.marks
            ]
            if alone:
                files.append(ReturnFile(path, csv_bytes(grid)))
            else:
                book.append(grid)
        files.append(ReturnFile(book_path, workbook_bytes(book, as_of)))
    frame = pd.DataFrame(faults, columns=list(FAULT_COLUMNS))
    return (
        sorted(files, key=lambda f: f.path),
        frame.sort_values(["file", "sheet", "row", "column"], kind="stable", ignore_index=True),
    )


# --- forms -----------------------------------------------------------------------------------------------


def _sheets(
    tables: Mapping[str, pd.DataFrame], township: str, basic: pd.DataFrame, metrics: Mapping[str, Metric]
) -> list[FormSheet]:
    units = tables["units"]
    units = units.loc[units["township_code"] == township, ["unit_code", "unit_name"]]
    names = dict(zip(units["unit_code"], units["unit_name"], strict=True))
    sheets = [_basic(basic, names, metrics), _audit(tables, names)]
    for sheet, name in _LEDGERS.items():
        frame = tables[name]
        frame = frame[frame["unit_code"].isin(names)]
        if len(frame):
            sheets.append(_ledger(sheet, table(name), frame, names))
    return sheets


def plain_value(value: Any) -> Any:
    """Return a table value as plain Python; missing is ``None``, a midnight timestamp a date."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.date()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.item() if isinstance(value, np.generic) else value


def _basic(basic: pd.DataFrame, names: Mapping[str, str], metrics: Mapping[str, Metric]) -> FormSheet:
    wide = basic.reindex(index=sorted(names), columns=list(metrics))
    rows = [
        [number, names[code], code, *(plain_value(float(v)) for v in values), None]
        for number, (code, values) in enumerate(zip(wide.index, wide.to_numpy(), strict=True), start=1)
    ]
    unit_code, unit_name = table("units").column("unit_code"), table("units").column("unit_name")
    return FormSheet(
        _BASIC,
        ["number", "unit_name", "unit_code", *metrics, "remark"],
        [None, unit_name, unit_code, *metrics.values(), None],
        rows,
        key=("unit_code",),
        group_of=["", "", "", *(RETURN_GROUPS[m.family] for m in metrics.values()), ""],
        title="换届基础数据报送表",
    )


def _ledger(sheet: str, contract: Table, frame: pd.DataFrame, names: Mapping[str, str]) -> FormSheet:
    columns, contracts = ["number"], [None]
    made: list[Column | Metric | None] = [*contracts]
    for column in contract.columns:
        columns.append(column.name)
        made.append(column)
        if column.name == "unit_code":
            columns.append("unit_name")
            made.append(table("units").column("unit_name"))
    plain = {c.name: [plain_value(v) for v in frame[c.name].tolist()] for c in contract.columns}
    plain["unit_name"] = [names[code] for code in plain["unit_code"]]
    plain["number"] = list(range(1, len(frame) + 1))
    rows = [list(row) for row in zip(*(plain[name] for name in columns), strict=True)]
    return FormSheet(sheet, columns, made, rows, key=contract.key)


def _audit(tables: Mapping[str, pd.DataFrame], names: Mapping[str, str]) -> FormSheet:
    projects, items = tables["audit_projects"], tables["audit_items"]
    projects = projects[projects["unit_code"].isin(names)]
    left = _ledger(_AUDIT, table("audit_projects"), projects, names)
    right = table("audit_items")
    own = [c for c in right.columns if c.name not in ("project_id", "unit_code")]
    by_project = items[items["unit_code"].isin(names)].groupby("project_id", sort=True)
    rows = []
    for row in left.rows:
        mine = by_project.get_group(row[left.columns.index("project_id")])
        for values in mine[[c.name for c in own]].itertuples(index=False):
            rows.append([*row, *(plain_value(v) for v in values)])
    return FormSheet(
        _AUDIT,
        [*left.columns, *(c.name for c in own)],
        [*left.contracts, *own],
        rows,
        key=right.key,
        merged=len(left.columns),
    )


# --- spoiled cells ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fault:
    """A cell to spoil: which township and sheet, which column and row (from 0), how."""

    township: int
    sheet: str
    column: str
    kind: str
    row: int
    value: Cell = None


_FAULTS: tuple[_Fault, ...] = (
    _Fault(0, _BASIC, "unit_code", "duplicate_row", 3),
    _Fault(0, _BASIC, "households", "negative", 5, -412),
    _Fault(0, _BASIC, "resident_population", "total_mismatch", 0),
    _Fault(1, "审计公示", "start_on", "date_invalid", 4, "2026-13-40"),
    _Fault(1, "谈心谈话", "due", "order", 6),
    _Fault(2, "矛盾纠纷", "unit_code", "code_length", 7),
    _Fault(2, "资格联审", "opinion", "word_unknown", 11, "基本同意"),
    _Fault(3, _BASIC, "collective_income", "not_a_number", 4, "约三十万"),
    _Fault(3, "矛盾摸排", "screened_on", "date_invalid", 9, "2026.2.30"),
    _Fault(4, _BASIC, "unit_code", "code_scientific", 6, "1.23E+11"),
    _Fault(4, "审计公示", "unit_code", "code_unknown", 3, "990121999999"),
    _Fault(5, "选民登记核对", "registered", "negative", 13, "-25"),
    _Fault(5, "审计问题", "project_id", "reference_unknown", 2, "990121999201-A2026"),
    _Fault(6, "矛盾摸排", "screened_on", "required_missing", 5, ""),
    _Fault(6, "谈心谈话", "due", "fraction", 8, "12.5"),
    _Fault(6, _AUDIT, "outcome", "word_unknown", 7, "基本清楚"),
    _Fault(7, "审计对象", "post", "word_unknown", 3, "临时负责人"),
    _Fault(7, "审计问题", "due_on", "order", 4),
    _Fault(8, "选民登记核对", "hukou_adults", "not_a_number", 10, "一百多"),
    _Fault(9, "资格联审", "opinion", "duplicate_conflict", 12, ReviewOpinion.ADVERSE.label),
)


def _spoil(township: int, sheets: Mapping[str, FormSheet]) -> None:
    """Spoil the cells planned for a township; sheets too short for a plan are left as they are."""
    for fault in _FAULTS:
        sheet = sheets.get(fault.sheet)
        if fault.township != township or sheet is None or fault.row >= len(sheet.rows):
            continue
        row, column = fault.row, fault.column
        if fault.kind.startswith("duplicate"):
            sheet.rows.append([len(sheet.rows) + 1, *sheet.rows[row][1:]])
            sheet.marks.append((len(sheet.rows) - 1, column, fault.kind))
            if fault.value is not None:
                sheet.verbatim[len(sheet.rows) - 1, column] = fault.value
        elif fault.kind == "total_mismatch":
            total = sum(r[sheet.columns.index(column)] or 0 for r in sheet.rows)
            sheet.put(None, column, fault.kind, total + 100)
        elif fault.kind == "code_length":
            sheet.put(row, column, fault.kind, sheet.value(row, column)[:11])
        elif fault.kind == "order" and column == "due":
            sheet.verbatim[row, "done"] = sheet.value(row, "due") + 3
            sheet.marks.append((row, column, fault.kind))
        elif fault.kind == "order":
            sheet.rows[row][sheet.columns.index(column)] = sheet.value(row, "found_on") - dt.timedelta(days=5)
            sheet.marks.append((row, column, fault.kind))
        else:
            sheet.put(row, column, fault.kind, fault.value)


def _file_under_old_code(sheets: list[FormSheet], crosswalk: pd.DataFrame) -> None:
    """File the first screening of every renumbered unit under its old code."""
    renumbered = crosswalk[crosswalk["kind"] == CrosswalkKind.RENUMBER.value]
    old = dict(zip(renumbered["new_code"], renumbered["old_code"], strict=True))
    for sheet in sheets:
        if sheet.name != "矛盾摸排":
            continue
        seen: list[str] = []
        for row in range(len(sheet.rows)):
            code = sheet.value(row, "unit_code")
            if code in old and code not in seen and (row, "unit_code") not in sheet.verbatim:
                sheet.put(row, "unit_code", "code_renumbered", old[code])
                seen.append(code)


# --- filling in ------------------------------------------------------------------------------------------


def fill_in(
    sheet: FormSheet, township: str, as_of: dt.date, habits: Habits, rng: np.random.Generator
) -> tuple[Grid, dict[int | None, int]]:
    """Apply a township's habits.

    Returns the form, and the row number (from 1) of every data row; the totals row is under ``None``.
    """
    alone = sheet.name in habits.csv
    width = len(sheet.columns)
    cells: list[list[Cell]] = []
    merges: list[tuple[int, int, int, int]] = []
    if not (alone and habits.bare):
        office = "街道办事处" if township.endswith("街道") else f"{township}人民政府"
        office = f"{township}办事处" if township.endswith("街道") else office
        title = sheet.title or f"{sheet.name.removesuffix('台账')}台账"
        cells.append([f"{township}{title}", *[None] * (width - 1)])
        filed: list[Cell] = [f"填报单位：{office}", *[None] * (width - 1)]
        filed[width - 3] = f"填报日期：{as_of.year}年{as_of.month}月{as_of.day}日"
        cells.append(filed)
        merges += [(0, 0, 0, width - 1), (1, 0, 1, 2)]
    top = len(cells)
    heads = [_heading(sheet, n, habits, alone=alone) for n in range(width)]
    if sheet.group_of is None:
        cells.append([*heads])
    else:
        cells += [_group_row(sheet.group_of, heads, top, merges), _leaf_row(sheet.group_of, heads)]
    headings = len(cells) - top
    at: dict[int | None, int] = {}
    gap = len(sheet.rows) // 2 if habits.empty_row and sheet.merged == 0 and len(sheet.rows) > 6 else -1
    for number, row in enumerate(sheet.rows):
        if number == gap:
            cells.append([None] * width)
        at[number] = len(cells) + 1
        cells.append([_cell(sheet, number, n, value, habits, rng) for n, value in enumerate(row)])
    if sheet.merged:
        merges += _runs(sheet, at)
    body = len(cells)
    if sheet.name in _WITH_TOTALS and not alone:
        at[None] = len(cells) + 1
        cells.append(_totals(sheet, habits))
        signed: list[Cell] = ["填表人：", *[None] * (width - 1)]
        signed[min(6, width - 1)] = "审核人："
        cells.append(signed)
    return Grid(sheet.name, cells, top, headings, len(cells) - body, merges), at


def _heading(sheet: FormSheet, position: int, habits: Habits, *, alone: bool) -> str:
    contract = sheet.contracts[position]
    if contract is None:
        return {"number": "序号", "remark": "备注"}[sheet.columns[position]]
    label = contract.label
    if habits.aliases and contract.aliases and position % 2 == 0:
        label = contract.aliases[0]
    unit = contract.unit
    if habits.ten_thousands and sheet.columns[position] in _MONEY:
        unit = "万元"
    elif not unit or (habits.aliases and position % 3 == 0):
        return label
    left, right = "（）" if habits.full_brackets else "()"
    fold = "\n" if len(label) > 5 and not alone else ""
    return f"{label}{fold}{left}{unit}{right}"


def _group_row(
    groups: list[str], heads: list[str], top: int, merges: list[tuple[int, int, int, int]]
) -> list[Cell]:
    """Return the upper heading row and note its merged areas."""
    upper: list[Cell] = []
    for position, group in enumerate(groups):
        first = position == 0 or groups[position - 1] != group or not group
        upper.append((group or heads[position]) if first else None)
        if not group:
            merges.append((top, position, top + 1, position))
        elif first:
            last = max(n for n, other in enumerate(groups) if other == group)
            merges.append((top, position, top, last))
    return upper


def _leaf_row(groups: list[str], heads: list[str]) -> list[Cell]:
    return [head if group else None for group, head in zip(groups, heads, strict=True)]


def _runs(sheet: FormSheet, at: Mapping[int | None, int]) -> list[tuple[int, int, int, int]]:
    """Return the areas in which project cells are merged down over the project's items."""
    project = sheet.columns.index("project_id")
    areas = []
    first = 0
    for row in range(1, len(sheet.rows) + 1):
        if row == len(sheet.rows) or sheet.rows[row][project] != sheet.rows[first][project]:
            if row - first > 1:
                areas += [(at[first] - 1, n, at[row - 1] - 1, n) for n in range(sheet.merged)]
            first = row
    return areas


def _totals(sheet: FormSheet, habits: Habits) -> list[Cell]:
    totals: list[Cell] = []
    for position, (name, contract) in enumerate(zip(sheet.columns, sheet.contracts, strict=True)):
        if (None, name) in sheet.verbatim:
            totals.append(sheet.verbatim[None, name])
        elif isinstance(contract, Metric) or (isinstance(contract, Column) and contract.kind == "integer"):
            shown = [sheet.verbatim.get((n, name), row[position]) for n, row in enumerate(sheet.rows)]
            total = sum(cell for cell in shown if isinstance(cell, int | float))
            wide = habits.ten_thousands and name in _MONEY
            totals.append(round(total / 10_000, 2) if wide else total)
        else:
            totals.append("合计" if name == "number" else None)
    return totals


def _cell(
    sheet: FormSheet, row: int, position: int, value: Any, habits: Habits, rng: np.random.Generator
) -> Cell:
    """Return one value as the township writes it."""
    name, contract = sheet.columns[position], sheet.contracts[position]
    if (row, name) in sheet.verbatim:
        return sheet.verbatim[row, name]
    if contract is None:
        return None if value is None else int(value)
    kind = contract.kind if isinstance(contract, Column) else "number"
    if value is None:
        return habits.void if kind in ("date", "string") else None
    if kind == "date":
        if habits.dates is None:
            return dt.date(value.year, value.month, value.day)
        return habits.dates.format(value.year, value.month, value.day)
    if kind == "boolean":
        return ("√" if value else "×") if habits.ticks else ("是" if value else "否")
    if isinstance(contract, Column) and contract.words is not None:
        word = contract.words.lookup()[value]
        return word.aliases[0] if habits.aliases and word.aliases and row % 3 == 0 else word.label
    if kind == "string":
        return str(value)
    return _number(value, name, habits, rng)


def _number(value: float, name: str, habits: Habits, rng: np.random.Generator) -> Cell:
    if habits.ten_thousands and name in _MONEY:
        return round(value / 10_000, 2)
    if habits.full_width and rng.random() < 0.3:
        return str(value).translate(_FULL_WIDTH)
    if habits.separators and value >= 1000 and rng.random() < 0.5:
        return f"{value:,}"
    return int(value) if float(value).is_integer() else float(value)
