"""Lines of the report about a sheet: what is wrong with its headings, and what was read all the same."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Final

from xlsxwriter.utility import xl_col_to_name

from huanjie_lib.contracts import Column, Table, table
from huanjie_lib.intake.report import Issue, IssueLevel
from huanjie_lib.intake.sheets.targets import Header, Target, is_form
from huanjie_lib.intake.workbook import Grid

__all__ = [
    "clashing_unit",
    "converted_units",
    "date_of_rows",
    "empty_sheet",
    "hidden_parts",
    "letters",
    "mapped_columns",
    "missing_columns",
    "no_rows",
    "personal_column",
    "repeated_columns",
    "several_tables",
    "sheet_line",
    "unknown_columns",
    "unreadable_date",
]

_MOST_SHOWN: Final = 10


def sheet_line(
    grid: Grid,
    target: Target,
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


def clashing_unit(grid: Grid, header: Header, column: int) -> Issue:
    """Return the line for a heading with a unit that cannot be converted."""
    heading = header.found[column]
    contract = header.target.columns[heading.name]
    return sheet_line(
        grid,
        header.target,
        IssueLevel.ERROR,
        found=f"{header.title(column)}（单位：{heading.unit}）",
        allowed=f"单位为{contract.unit}的列" if contract.unit else "不带计量单位的列",
        remedy="核对计量单位，改正标题或数据；这一列未载入",
        row=header.bottom + 1,
        column=contract,
    )


def several_tables(grid: Grid, count: int) -> Issue:
    """Return the line for a sheet that holds several tables."""
    return Issue(
        IssueLevel.NOTE,
        found=f"一个工作表里有 {count} 个表，已分别读取",
        allowed="每个工作表一个表",
        remedy="无需处理；下次报送请每个表放一个工作表",
        file=grid.file,
        sheet=grid.sheet,
    )


def letters(columns: Sequence[int]) -> str:
    """Return columns by their letters; of many the first ones."""
    shown = "、".join(xl_col_to_name(c) for c in columns[:_MOST_SHOWN])
    return shown + ("等" if len(columns) > _MOST_SHOWN else "")


def personal_column(kind: str, file: str, sheet: str, contract: Table) -> Issue:
    """Return the line for a column of personal data; it tells the kind and repeats no value."""
    allowed = "不含姓名、证件号、电话、宗教、民族等个人信息的表"
    if is_form(contract):
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


def empty_sheet(grid: Grid, named: Sequence[Target]) -> Issue:
    """Return the line for a sheet that holds nothing."""
    found = "空工作表" if grid.sheet else "空文件"
    if named:
        line = sheet_line(
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
    return line


def hidden_parts(grid: Grid, target: Target) -> list[Issue]:
    """Return the lines for what a sheet hides or strikes out, and for its formulas."""
    found = ["工作表被隐藏，仍已读取"] if grid.hidden else []
    found += [f"有 {grid.hidden_rows} 行被隐藏，仍已读取"] if grid.hidden_rows else []
    if grid.hidden_columns:
        found.append(f"{letters(grid.hidden_columns)} 列被隐藏，仍已读取")
    formulas = [
        sheet_line(
            grid,
            target,
            IssueLevel.NOTE,
            found=f"{grid.formulas} 个单元格是公式：读取的是上次保存时的结果",
            allowed="数值",
            remedy="无需处理；公式引用了别的文件的，核对结果是否最新",
        )
    ]
    struck = [
        sheet_line(
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
            sheet_line(
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


def repeated_columns(grid: Grid, header: Header) -> list[Issue]:
    """Return the lines for headings that mean the same."""
    times = Counter(h.name for h in header.found.values())
    return [
        sheet_line(
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


def mapped_columns(grid: Grid, header: Header) -> list[Issue]:
    """Return the lines that tell which headings were read by a mapping, and who confirmed it."""
    issues = []
    for column, said in header.mapped.items():
        contract = None if said.meaning is None else header.target.columns[said.meaning.name]
        text = header.texts[column]
        issues.append(
            sheet_line(
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


def converted_units(grid: Grid, header: Header) -> list[Issue]:
    """Return the lines for headings with a unit that the contract does not have."""
    issues = []
    for column, heading in header.found.items():
        contract = header.target.columns[heading.name]
        if heading.clash:
            issues.append(clashing_unit(grid, header, column))
        elif heading.scale != 1.0:
            issues.append(
                sheet_line(
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


def missing_columns(grid: Grid, header: Header, missing: Sequence[str]) -> list[Issue]:
    """Return the lines for required columns that a sheet lacks."""
    shown = "、".join(header.title(c) for c in sorted(header.texts))[:160]
    issues = []
    for name in missing:
        column = header.target.columns.get(name, table("facts").column("metric"))
        spellings = "或".join(f"“{t}”" for t in (column.label, *column.aliases))
        advice = "补上这一列的标题和数据"
        if name == "as_of":
            advice += "，或在表头上方写明“填报日期：2026年10月31日”"
        issues.append(
            sheet_line(
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


def date_of_rows(grid: Grid, header: Header, as_of: dt.date) -> Issue:
    """Return the line that tells where the date of all rows comes from."""
    origin = "数据文件夹 sources.yaml 声明的日期" if header.filed is None else "表头上方的填报日期"
    return sheet_line(
        grid,
        header.target,
        IssueLevel.NOTE,
        found=f"截至日期取自{origin}：{as_of}",
        allowed="日期，如 2026-10-31",
        remedy="无需处理；如日期有误，请更正原表",
        column=header.target.columns["as_of"],
    )


def unreadable_date(grid: Grid, header: Header) -> Issue:
    """Return the line for a filing date that cannot be read."""
    return sheet_line(
        grid,
        header.target,
        IssueLevel.ERROR,
        found="“填报日期”后没有认得的日期",
        allowed="日期，如 2026年10月31日",
        remedy="在“填报日期”后写明年月日",
        column=header.target.columns["as_of"],
    )


def no_rows(grid: Grid, header: Header) -> Issue:
    """Return the line for headings without rows."""
    wide = header.target.wide
    return sheet_line(
        grid,
        header.target,
        IssueLevel.ERROR if wide else IssueLevel.WARNING,
        found="只有标题，没有数据行",
        allowed="数据行",
        remedy="补报数据" if wide else "确无数据的无需处理，漏报的请补报",
    )
