"""Cells that may not say what they seem to: merged numbers, long rows, codes as numbers, no heading."""

from __future__ import annotations

from xlsxwriter.utility import xl_col_to_name

from huanjie_lib.intake.report import Issue, IssueLevel
from huanjie_lib.intake.sheets.lines import letters, sheet_line
from huanjie_lib.intake.sheets.rows import Rows
from huanjie_lib.intake.values import Note, is_void

__all__ = ["merged_numbers", "numeric_codes", "overlong", "unheaded"]


def merged_numbers(sheet: Rows) -> dict[tuple[int, int | None], Issue]:
    """Return cells of which several share one number: whether each has it or all together is not said.

    What belongs to a project is merged down over its items and is one number.
    """
    projects = sheet.target.tables[0].names if len(sheet.target.tables) == 2 else ()
    numeric = {c for c in sheet.numeric if sheet.header.found[c].name not in projects}
    data = set(sheet.data)
    ranges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for cell, first in sheet.grid.anchors.items():
        if cell[0] in data and cell[1] in numeric:
            ranges.setdefault(first, []).append(cell)
    doubts: dict[tuple[int, int | None], Issue] = {}
    for first, cells in ranges.items():
        if len(cells) < 2 or is_void(sheet.texts[first[0]][first[1]]):
            continue
        place = ":".join(f"{xl_col_to_name(c)}{r + 1}" for r, c in (min(cells), max(cells)))
        for row, column in cells:
            contract = sheet.target.columns[sheet.header.found[column].name]
            doubts[row, column] = sheet_line(
                sheet.grid,
                sheet.target,
                IssueLevel.ERROR,
                found=f"合并的单元格 {place} 里只有一个数",
                allowed="每个单元格各填一个数",
                remedy="取消合并，逐格填写；几个村（社区）合在一起的数，请拆开",
                column=contract,
            )
    return doubts


def overlong(sheet: Rows) -> dict[tuple[int, int | None], Issue]:
    """Return rows of a CSV file that have more fields than headings: a separator stands in some field."""
    if sheet.grid.sheet:
        return {}
    width = max(sheet.header.texts) + 1
    long = [r for r in sheet.data if any(t.strip() for t in sheet.texts[r][width:])]
    fields = {r: max(n for n, t in enumerate(sheet.texts[r], start=1) if t.strip()) for r in long}
    return {
        (row, None): Issue(
            IssueLevel.ERROR,
            found=f"这一行有 {count} 格，标题只有 {width} 格",
            allowed=f"每行不超过 {width} 格",
            remedy="数字不写千分位，内容中的逗号放在引号内，改正后重报",
            table=sheet.target.main.name,
            file=sheet.grid.file,
            label="整行",
        )
        for row, count in fields.items()
    }


def unheaded(sheet: Rows) -> list[Issue]:
    """Return the line for filled cells in columns that have no heading."""
    beyond = max(sheet.header.texts) if not sheet.grid.sheet else len(sheet.texts[sheet.header.top])
    free = [c for c in range(beyond) if c not in sheet.header.texts]
    filled = {c: n for c in free if (n := sum(bool(sheet.texts[r][c].strip()) for r in sheet.data))}
    if not filled:
        return []
    return [
        sheet_line(
            sheet.grid,
            sheet.target,
            IssueLevel.WARNING,
            found=f"{letters(tuple(filled))} 列没有标题，其中 {sum(filled.values())} 个单元格没有载入",
            allowed="每列都有标题",
            remedy="补上标题后重报；不需要的列可以删除",
        )
    ]


def numeric_codes(sheet: Rows) -> list[Issue]:
    """Return the lines for codes in number cells, where a spreadsheet drops leading zeros and late digits."""
    issues = []
    for column, heading in sheet.header.found.items():
        contract = sheet.target.columns[heading.name]
        if contract.kind != "string" or contract.pattern is None:
            continue
        count = sum(isinstance(sheet.grid.rows[r][column], int | float) for r in sheet.data)
        if count:
            issues.append(
                sheet_line(
                    sheet.grid,
                    sheet.target,
                    IssueLevel.NOTE,
                    found=f"{count} 个单元格：{Note.NUMERIC_CODE.label}",
                    allowed=f"文本格式的{contract.allowed()}",
                    remedy="无需处理；下次报送请将该列设为文本格式",
                    column=contract,
                )
            )
    return issues
