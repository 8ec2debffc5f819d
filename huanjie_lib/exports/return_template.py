"""The empty return workbooks (报送表) of townships, as intake reads them when they are filled in.

Every sheet of ``docs/returns_format.md`` with its headings and units, the units of the township filled in,
lists for words and codes, bounds for numbers and dates, text cells for codes, and how to fill it in. Headings
are protected against slips, without a password. Equal units, parameters and dates give equal bytes.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pandas as pd
from xlsxwriter.utility import xl_col_to_name, xl_range_abs

from huanjie_lib.contracts import RETURN_GROUPS, RETURN_SHEETS, Column, table
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.exports.book import A3, A4, LINE, Book, lines, new_book
from huanjie_lib.exports.forms import LONGEST_LIST, entry_format, entry_rule, heading
from huanjie_lib.outputs import require_new_files
from huanjie_lib.parameters import Metric
from huanjie_lib.views.words import date_text
from huanjie_lib.vocabulary import UnitKind

__all__ = ["ROWS", "return_template", "write_return_templates"]

ROWS: Final = 300
"""Rows of a ledger that are set up for filling in; more may be added below."""

_HOW_SHEET: Final = "填报说明"
_HOW: Final = (
    "只填空白的单元格。标题、序号和已填好的代码不要改动；表已加保护（没有密码），以防误改。",
    "带*的栏目必填。没有数据的单元格留空，不要填“无”“/”；确实是零的填 0。",
    "统计用区划代码从下拉列表中选，或从本页名录中复制；代码列是文本格式，不要改成数字，否则末几位会丢失。",
    "日期填成 2026-10-31 的样子；金额单位为元，不是万元。",
    "有下拉列表的栏目从列表中选，不要另写。",
    "不要增加合计行，系统自行汇总；不要合并单元格，不要增加或改名工作表。",
    "人员一律填人员代号（由县区换届办编发），不要填写姓名、身份证号、电话等个人信息：不需要，填了也不会载入。",
    "同一村（社区）的审计项目编号，在审计台账、审计对象、审计公示、审计问题四张表中要一致。",
    "填完后用原文件名存为 .xlsx，报县区换届办。",
)
_ABOUT: Final[Mapping[str, str]] = {
    "基本情况": "每个村（社区）一行，已列好；填表头所写日期的数字",
    "审计台账": "每个审计项目的每个审计事项一行：村填财务收支、资产处置、债权债务、工程项目、惠农惠民资金，"
    "社区填办公经费、服务群众专项经费、上级划拨专项资金；同一项目的前几栏每行照填",
    "审计对象": "每名应审计的班子成员一行",
    "审计公示": "每次公示一行；公示不少于两次、每次不少于五天",
    "审计问题": "审计发现的每个问题一行",
    "矛盾纠纷": "每件矛盾纠纷一行，只记事，不记人",
    "矛盾摸排": "每次摸排一行",
    "资格联审": "每名候选人的每个联审部门一行",
    "谈心谈话": "每个村（社区）的每类谈话对象一行，已列好；没有应谈对象的，应谈和已谈都填 0",
    "选民登记核对": "每个村（社区）的每个年龄段一行，已列好",
}
_FILLED_IN: Final = ("talks", "roll_checks")
_WIDTHS: Final = {"unit_code": 15, "unit_name": 16, "departments": 22, "department": 14, "document": 18}
_NUMBER: Final = Column("number", "integer", "序号")
_SPECIAL: Final = ("序号", "村(社区)名称", "备注")


@dataclass(frozen=True)
class _Town:
    """A township, its units, and where the lists to choose from stand."""

    name: str
    units: pd.DataFrame
    as_of: dt.date
    lists: dict[str, str]

    @property
    def rows(self) -> int:
        return len(self.units)


def return_template(
    township: str, units: pd.DataFrame, metrics: Mapping[str, Metric], *, as_of: dt.date
) -> bytes:
    """Return the workbook of one township as the bytes of an XLSX file.

    Parameters
    ----------
    township
        Name of the township.
    units
        Its rows of the ``units`` table.
    metrics
        Metrics of the framework, in the order of the columns of 基本情况.
    as_of
        Date that the return describes.

    Raises
    ------
    UsageError
        If the township has no unit.
    """
    if units.empty:
        remedy = "核对镇街名称和村(社区)名录"
        raise UsageError("没有村（社区），不能制表", [Fault(township, "没有村（社区）", "至少一个", remedy)])
    town = _Town(township, units.sort_values("unit_code", ignore_index=True), as_of, {})
    out = io.BytesIO()
    with new_book(out, title=f"{township}换届数据报送表", as_of=as_of, version="报送模板") as book:
        _instructions(book, town, metrics)
        _basic(book, town, metrics)
        for sheet, names in list(RETURN_SHEETS.items())[1:]:
            _ledger(book, town, sheet, names)
    return out.getvalue()


def write_return_templates(
    units: pd.DataFrame,
    townships: pd.DataFrame,
    metrics: Mapping[str, Metric],
    out: Path,
    *,
    as_of: dt.date,
    chosen: Sequence[str] = (),
) -> list[Path]:
    """Write the workbooks of townships, each in a folder of its own, as returns are filed.

    Parameters
    ----------
    units, townships
        The tables.
    metrics
        Metrics of the framework.
    out
        Folder; made where it does not exist.
    as_of
        Date that the returns describe.
    chosen
        Names or codes of townships; all that have units when empty.

    Raises
    ------
    UsageError
        If there is no such township, a name stands for several, or a file is there already.
    """
    named = dict(zip(townships["township_code"], townships["township_name"], strict=True))
    codes = _codes(chosen, named) if chosen else [c for c in named if (units["township_code"] == c).any()]
    twice = {named[c] for c in codes if sum(named[o] == named[c] for o in codes) > 1}
    folders = {c: f"{named[c]}_{c}" if named[c] in twice else named[c] for c in codes}
    month = f"({as_of.year}年{as_of.month}月)"
    paths = {c: out / folders[c] / f"{named[c]}换届数据报送表{month}.xlsx" for c in codes}
    require_new_files(paths.values(), refused="没有写出报送表")
    for code, path in paths.items():
        content = return_template(named[code], units[units["township_code"] == code], metrics, as_of=as_of)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return list(paths.values())


def _codes(chosen: Sequence[str], named: Mapping[str, str]) -> list[str]:
    codes, faults = [], []
    for text in chosen:
        found = [c for c, name in named.items() if text in (c, name)]
        if len(found) == 1:
            codes += found
        elif found:
            faults.append(Fault("--township", text, "镇街代码：" + "、".join(found), "同名镇街用代码指定"))
        else:
            shown = "、".join(list(named.values())[:30])
            faults.append(Fault("--township", text, f"镇街名称或代码：{shown}", "核对名称"))
    if faults:
        raise UsageError("没有这个镇街", faults)
    return list(dict.fromkeys(codes))


# ---------------------------------------------------------------- sheets


def _head(book: Book, town: _Town, name: str, last: int, title: str, *, paper: int = A4) -> Any:
    """Return a sheet with title and filing row, whose headings will be protected."""
    sheet = book.sheet(name, paper=paper)
    sheet.merge_range(
        0, 0, 0, last, f"{town.name}{title}", book.format(bold=True, font_size=16, align="center")
    )
    sheet.set_row(0, 28)
    sheet.write_string(1, 0, f"填报单位：{town.name}", book.format())
    date = f"填报日期：{date_text(town.as_of)}"
    sheet.write_string(1, max(last - 2, 2), date, book.format(locked=False))
    may = (
        "format_cells",
        "format_columns",
        "format_rows",
        "insert_rows",
        "delete_rows",
        "sort",
        "autofilter",
    )
    sheet.protect("", dict.fromkeys(may, True))
    return sheet


def _basic(book: Book, town: _Town, metrics: Mapping[str, Metric]) -> None:
    """One row a unit, one column a metric, groups of metrics above."""
    name = next(iter(RETURN_SHEETS))
    columns = [_metric_column(key, m) for key, m in metrics.items()]
    last = len(columns) + 3
    sheet = _head(book, town, name, last, "换届基础数据报送表", paper=A3)
    head, first = book.head(), 4
    code = table("facts").column("unit_code")
    for place, text in ((0, _SPECIAL[0]), (1, _SPECIAL[1]), (2, heading(code)), (last, _SPECIAL[2])):
        sheet.merge_range(2, place, 3, place, text, head)
    groups = [RETURN_GROUPS.get(m.family, m.family) for m in metrics.values()]
    start = 0
    for end in range(1, len(groups) + 1):
        if end == len(groups) or groups[end] != groups[start]:
            _span(sheet, 2, start + 3, end + 2, groups[start], head)
            start = end
    for place, column in enumerate(columns, start=3):
        sheet.write_string(3, place, heading(column), head)
        sheet.set_column(
            place, place, 11 if column.unit == "元" else 8.5, entry_format(book, column, border=0)
        )
        sheet.data_validation(first, place, first + town.rows - 1, place, entry_rule(column))
        for row in range(town.rows):
            sheet.write_blank(first + row, place, None, entry_format(book, column))
    remark_column = Column("remark", "string", _SPECIAL[2])
    remark = entry_format(book, remark_column)
    sheet.set_column(last, last, 16, entry_format(book, remark_column, border=0))
    _known_units(book, sheet, town, first, list(range(town.rows)), locked=True)
    for row in range(town.rows):
        sheet.set_row(first + row, 20)
        sheet.write_blank(first + row, last, None, remark)
    foot = first + town.rows
    for place, word in ((0, "填表人："), (max(last - 2, 2), "审核人：")):
        sheet.write_string(foot, place, word, book.format(locked=False))
    _finish(sheet, first, lines_of=[heading(c) for c in columns], width=8.5)


def _span(sheet: Any, row: int, left: int, right: int, text: str, look: Any) -> None:
    if left == right:
        sheet.write_string(row, left, text, look)
    else:
        sheet.merge_range(row, left, row, right, text, look)


def _metric_column(name: str, metric: Metric) -> Column:
    return Column(
        name,
        "integer" if metric.integer else "number",
        metric.label,
        metric.unit,
        minimum=metric.minimum,
        maximum=metric.maximum,
    )


def _known_units(
    book: Book, sheet: Any, town: _Town, first: int, units: Sequence[int], *, locked: bool = False
) -> None:
    """Write number, name and code of the unit of each row."""
    code = table("units").column("unit_code")
    names, codes = town.units["unit_name"].tolist(), town.units["unit_code"].tolist()
    look, number = (
        entry_format(book, code, locked=locked),
        entry_format(book, _NUMBER, locked=locked, align="center"),
    )
    for row, unit in enumerate(units, start=first):
        sheet.write_number(row, 0, row - first + 1, number)
        sheet.write_string(row, 1, names[unit], look)
        sheet.write_string(row, 2, codes[unit], look)
    sheet.set_column(0, 0, 5, entry_format(book, code, border=0))
    sheet.set_column(1, 1, _WIDTHS["unit_name"], entry_format(book, code, border=0))
    sheet.set_column(2, 2, _WIDTHS["unit_code"], entry_format(book, code, border=0))
    sheet.ignore_errors({"number_stored_as_text": f"C{first + 1}:C{first + len(units)}"})


def _ledger(book: Book, town: _Town, name: str, tables: Sequence[str]) -> None:
    """One row a project, person, notice and so on; what is there for every unit is filled in."""
    columns = _columns(tables)
    last = len(columns)
    sheet = _head(book, town, name, last, name if name.endswith("台账") else f"{name}台账")
    first, end = 3, 2 + ROWS
    sheet.write_string(2, 0, _SPECIAL[0], book.head())
    sheet.set_column(0, 0, 5, entry_format(book, _NUMBER, border=0))
    filled = _filled_in(town, tables[0]) if tables[0] in _FILLED_IN else []
    end = max(end, first + len(filled) + 20)
    codes = []
    for place, column in enumerate(columns, start=1):
        sheet.write_string(2, place, heading(column), book.head())
        wide = max(_WIDTHS.get(column.name, 0), 10.0 if column.kind != "string" else 13.0)
        sheet.set_column(place, place, wide, entry_format(book, column, border=0))
        listed = town.lists.get(column.name) or town.lists.get(_words_key(column))
        sheet.data_validation(first, place, end, place, entry_rule(column, listed=listed))
        if column.kind == "string":
            codes.append(f"{xl_col_to_name(place)}{first + 1}:{xl_col_to_name(place)}{end + 1}")
    for row, values in enumerate(filled, start=first):
        sheet.write_number(row, 0, row - first + 1, entry_format(book, _NUMBER))
        for place, column in enumerate(columns, start=1):
            _put(book, sheet, row, place, column, values.get(column.name))
    for row in range(first + len(filled), end + 1 if not filled else first + len(filled)):
        for place, column in enumerate([_NUMBER, *columns]):
            sheet.write_blank(row, place, None, entry_format(book, column))
    sheet.ignore_errors({"number_stored_as_text": " ".join(codes)})
    _finish(sheet, first, lines_of=[heading(c) for c in columns], width=10)


def _put(book: Book, sheet: Any, row: int, place: int, column: Column, value: Any) -> None:
    look = entry_format(book, column)
    if value is None:
        sheet.write_blank(row, place, None, look)
    elif isinstance(value, dt.date):
        sheet.write_datetime(row, place, dt.datetime.combine(value, dt.time()), look)
    else:
        sheet.write_string(row, place, value, look)


def _columns(tables: Sequence[str]) -> list[Column]:
    """Return the columns of a ledger: those of its tables, each once, the unit's name beside its code."""
    columns: list[Column] = []
    for name in tables:
        for column in table(name).columns:
            if any(c.name == column.name for c in columns):
                continue
            columns.append(column)
            if column.name == "unit_code":
                columns.append(replace(table("units").column("unit_name"), required=False))
    return columns


def _filled_in(town: _Town, name: str) -> list[dict[str, Any]]:
    """Return the keys of rows that every unit has: each word of the key at the date of the return."""
    contract = table(name)
    (word,) = (contract.column(c) for c in contract.key if contract.column(c).words is not None)
    assert word.words is not None
    return [
        {"unit_code": code, "unit_name": unit, "as_of": town.as_of, word.name: label}
        for code, unit in zip(town.units["unit_code"], town.units["unit_name"], strict=True)
        for label in word.words.labels().values()
    ]


def _finish(sheet: Any, first: int, *, lines_of: Sequence[str], width: float) -> None:
    sheet.set_row(first - 1, LINE * max(lines(text, width) for text in lines_of) + 6)
    sheet.freeze_panes(first, 3)
    sheet.repeat_rows(0, first - 1)


# ---------------------------------------------------------------- instructions and lists


def _words_key(column: Column) -> str:
    return "" if column.words is None else f"words:{column.words.__name__}"


def _instructions(book: Book, town: _Town, metrics: Mapping[str, Metric]) -> None:
    """Write how to fill the workbook in, what each column takes, and the lists to choose from."""
    sheet = book.sheet(_HOW_SHEET, landscape=False)
    sheet.set_column(0, 0, 16)
    sheet.set_column(1, 1, 20)
    sheet.set_column(2, 2, 60)
    look = book.format(bold=True, font_size=16)
    sheet.write_string(0, 0, f"{town.name}换届数据报送表　{_HOW_SHEET}", look)
    sheet.set_row(0, 28)
    row = 1
    for number, line in enumerate(_HOW, start=1):
        sheet.merge_range(row, 0, row, 2, f"{number}. {line}", book.format(text_wrap=True))
        sheet.set_row(row, LINE * lines(line, 96) + 4)
        row += 1
    heads = ("表", "栏目（*为必填）", "填什么")
    row = book.block(sheet, row + 1, ("表", "数据行", "怎样填"), [
        (name, "已列好" if table(tables[0]).name in ("facts", *_FILLED_IN) else "逐行填", _ABOUT[name])
        for name, tables in RETURN_SHEETS.items()
    ], (16, 20, 60))  # fmt: skip
    rows: list[tuple[str, str, str]] = []
    for name, tables in RETURN_SHEETS.items():
        columns = (
            [_metric_column(k, m) for k, m in metrics.items()] if tables == ("facts",) else _columns(tables)
        )
        rows += [(name, heading(c), c.allowed()) for c in columns if c.name != "unit_name"]
    end = book.block(sheet, row, heads, rows, (16, 20, 60))
    sheet.print_area(0, 0, end, 2)
    _lists(book, sheet, town)
    sheet.protect("", {"format_columns": True, "format_rows": True})


def _lists(book: Book, sheet: Any, town: _Town) -> None:
    """Write the units and long lists of words beside the instructions; rules of entry refer to them."""
    kinds = UnitKind.labels()
    codes, names = town.units["unit_code"].tolist(), town.units["unit_name"].tolist()
    lists: list[tuple[str, str, list[str]]] = [
        ("unit_code", "本镇街代码", codes),
        ("unit_name", "村(社区)名称", names),
        ("", "类别", [kinds.get(k, "") for k in town.units["unit_kind"]]),
    ]
    seen: set[str] = set()
    for name in (t for tables in RETURN_SHEETS.values() for t in tables):
        for column in table(name).columns:
            key = _words_key(column)
            words = [] if column.words is None else list(column.words.labels().values())
            if words and key not in seen and len(",".join(words)) > LONGEST_LIST:
                seen.add(key)
                lists.append((key, column.label, words))
    for place, (key, label, values) in enumerate(lists, start=4):
        sheet.write_string(0, place, label, book.head())
        sheet.set_column(place, place, 16)
        for row, value in enumerate(values, start=1):
            sheet.write_string(row, place, value, book.cell("text"))
        if key:
            town.lists[key] = f"='{_HOW_SHEET}'!{xl_range_abs(1, place, len(values), place)}"
    sheet.ignore_errors({"number_stored_as_text": f"E2:E{len(codes) + 1}"})
