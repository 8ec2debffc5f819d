"""The plain-language sheet of a unit's audit (审计明白账) for the notice board: one A4 page, no names.

It says what was audited, by whom, what was found, how far it has been put right, when it was posted, and
whom to ask. Type is as large as one page allows. What the ledger does not know is a blank to be filled in,
and whom to ask always is.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.shared import Mm, Pt

from huanjie_lib.casework.audit_ledger import AuditLedger, AuditStage
from huanjie_lib.casework.audit_rows import ProblemStanding
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.exports.docx import HEADING_FONT, TEXT_FONT, OfficialDocument, numeral
from huanjie_lib.exports.pack import put_files
from huanjie_lib.views.words import ems
from huanjie_lib.vocabulary import AuditOutcome, UnitKind, date_text

__all__ = ["audit_sheet", "money_text", "write_audit_sheet"]

_WIDTH, _HEIGHT = 166.0, 263.0
"""Millimetres between the margins."""
_SIZES: Final = (20.0, 19.0, 18.0, 17.0, 16.0, 15.0, 14.0, 13.0, 12.0)
_LINE, _HEADING, _ROW = 1.5, 1.85, 1.6
_TITLE: Final = 1.7
_COLUMNS: Final = (0.46, 0.25, 0.29)
_SPARE: Final = 0.95
_BLANK: Final = "＿＿＿＿＿＿"
_DAYS_BLANK: Final = "＿＿月＿＿日至＿＿月＿＿日"
_SIGNATURE: Final = ("（单位盖章）", "＿＿＿＿年＿＿月＿＿日")
_OUTCOMES: Final = {
    AuditOutcome.CLEAR.label: "清楚",
    AuditOutcome.UNCLEAR.label: "没有审清",
    AuditOutcome.PENDING.label: "还在审",
}


def money_text(yuan: float) -> str:
    """Return an amount as it is said: in 万元 from ten thousand yuan, else in 元.

    Examples
    --------
    >>> [money_text(x) for x in (1_860_000, 305_000, 118_260, 9_999.5, 0, 123_456_789)]
    ['186万元', '30.5万元', '11.83万元', '9999.5元', '0元', '12345.68万元']
    """
    amount, word = (yuan / 10_000, "万元") if abs(yuan) >= 10_000 else (yuan, "元")
    return f"{amount:.2f}".rstrip("0").rstrip(".") + word


def write_audit_sheet(
    path: Path, ledger: AuditLedger, unit_code: str, unit_name: str, *, township_name: str = ""
) -> Path:
    """Write a unit's sheet; equal ledgers give equal bytes.

    Parameters
    ----------
    path
        File to write; an earlier one is replaced, and left whole where writing fails.
    ledger
        The audit ledger.
    unit_code, unit_name
        The unit.
    township_name
        The township that led the audit, where it is to be named.

    Raises
    ------
    KeyError
        If no such unit is in force.
    DataError
        If the unit has no audit: there is nothing to post.
    UsageError
        If the file is open in another program or may not be written.
    """
    data = audit_sheet(ledger, unit_code, unit_name, township_name=township_name)
    put_files(path.parent, {path.name: data}, [])
    return path


def audit_sheet(ledger: AuditLedger, unit_code: str, unit_name: str, *, township_name: str = "") -> bytes:
    """Return a unit's sheet as DOCX; see :func:`write_audit_sheet`."""
    row = ledger.unit(unit_code)
    if pd.isna(row["project_id"]):
        raise DataError(
            "没有可以公示的审计结果",
            [
                Fault(
                    f"审计项目：{unit_code}",
                    AuditStage.lookup()[row["stage"]].label,
                    "已经开展审计",
                    "先开展审计并登记审计项目",
                )
            ],
        )
    sheet = _Sheet(f"{unit_name}审计明白账", _headline(row), _warning(row))
    _what(sheet, ledger, row)
    _who(sheet, row, township_name or "镇街")
    _found(sheet, ledger, row)
    _posted(sheet, ledger, row)
    _ask(sheet, row)
    return sheet.to_bytes(ledger.as_of)


# --- content ------------------------------------------------------------------------------------------------


def _headline(row: dict[str, Any]) -> str:
    unclear = int(row["items_unclear"]) + (
        0 if pd.isna(row["members_unclear"]) else int(row["members_unclear"])
    )
    stage = AuditStage.lookup()[row["stage"]]
    if stage in {AuditStage.PLANNED, AuditStage.FIELDWORK}:
        return "还没有审完"
    if unclear:
        return f"还有{unclear}处没有审清楚"
    going_on = ["公示"] if row["notices_valid"] < row["notices_required"] else []
    going_on += ["整改"] if pd.notna(row["problems_open"]) and row["problems_open"] else []
    return "审完了，账目清楚" + (f"，{'和'.join(going_on)}还在进行" if going_on else "")


def _warning(row: dict[str, Any]) -> str:
    unfinished = row["stage"] in {AuditStage.PLANNED.value, AuditStage.FIELDWORK.value}
    return "核对稿：审计还没有全部作出结论，现在张贴不算公示" if unfinished else ""


def _what(sheet: _Sheet, ledger: AuditLedger, row: dict[str, Any]) -> None:
    sheet.heading("审了什么")
    items = ledger.items[ledger.items["unit_code"] == row["unit_code"]]
    sheet.table(
        ("审的事项", "金额", "审的结果"),
        [
            (
                str(item["item"]),
                money_text(item["amount"]) if pd.notna(item["amount"]) else "—",
                _OUTCOMES.get(item["outcome"], "还没有审"),
            )
            for item in items.to_dict("records")
        ],
    )
    if pd.isna(row["members_due"]):
        sheet.text(f"班子成员应审{_BLANK}人，审了{_BLANK}人。")
    else:
        left = f"（其中{row['members_left']}人已经离任）" if row["members_left"] else ""
        sheet.text(f"班子成员应审{row['members_due']}人{left}，审了{row['members_concluded']}人。")


def _who(sheet: _Sheet, row: dict[str, Any], township: str) -> None:
    sheet.heading("谁来审")
    offices = row["offices_present"]
    present = _BLANK if pd.isna(offices) or not offices else offices
    lacking = row["offices_missing"]
    absent = f"，应当参加的{lacking}没有参加" if pd.notna(lacking) and lacking else ""
    sheet.text(
        f"{township}牵头，{present}参加{absent}。审计时间：{_span(row['started_on'], row['ended_on'])}。"
    )
    board = "村务监督委员会" if row["unit_kind"] == UnitKind.VILLAGE.label else "居务监督委员会"
    took_part = row["supervision_present"]
    told = "参加了" if pd.notna(took_part) and took_part else "没有参加"
    people = _BLANK if pd.isna(row["representatives"]) else str(row["representatives"])
    sheet.text(f"{board}{f'参加情况{_BLANK}' if pd.isna(took_part) else told}，群众代表{people}人参加。")


def _found(sheet: _Sheet, ledger: AuditLedger, row: dict[str, Any]) -> None:
    every = ledger.problems[ledger.problems["unit_code"] == row["unit_code"]]
    mine = every["project_id"] == row["project_id"]
    found, earlier = every[mine], every[~mine & every["is_open"]]
    unknown = pd.isna(row["problems_open"])
    sheet.heading("审出什么问题")
    if unknown:
        sheet.text(_BLANK * 4)
    elif found.empty:
        sheet.text("到现在没有审出问题，还没有审完。" if _warning(row) else "没有审出问题。")
    else:
        counts = found.groupby("item", sort=False).size()
        major = int((found["severity"] == "重大").sum())
        parts = "，".join(f"{item}{count}个" for item, count in counts.items())
        sheet.text(f"一共{len(found)}个：{parts}。" + (f"其中重大问题{major}个。" if major else ""))
    sheet.heading("整改到哪一步")
    if unknown:
        sheet.text(_BLANK * 4)
        return
    if found.empty:
        sheet.text("没有需要整改的问题。")
    else:
        sheet.text("，".join(_progress(found)) + "。")
    if len(earlier):
        sheet.text(f"以前审计留下的问题，还有{len(earlier)}个没有改好。")


def _progress(found: pd.DataFrame) -> list[str]:
    standing = found["standing"]
    closed = int((standing == ProblemStanding.CLOSED.value).sum())
    late = int(found["is_overdue"].sum())
    doing = found[found["is_open"] & ~found["is_overdue"]]
    told = [f"已经改好{closed}个"] if closed else []
    if len(doing):
        last = doing["due_on"].max()
        by = f"（最迟{date_text(last.date())}改完）" if doing["due_on"].notna().all() else ""
        told.append(f"正在改{len(doing)}个{by}")
    if late:
        told.append(f"过了期限还没有改好{late}个")
    return told


def _posted(sheet: _Sheet, ledger: AuditLedger, row: dict[str, Any]) -> None:
    sheet.heading("公示时间")
    mine = ledger.notices[(ledger.notices["unit_code"] == row["unit_code"]) & ledger.notices["counts"]]
    wanted = max(int(row["notices_required"]), len(mine))
    for number in range(wanted):
        if number < len(mine):
            notice = mine.iloc[number]
            place = f"，{notice['place']}" if pd.notna(notice["place"]) else ""
            sheet.text(f"第{numeral(number + 1)}次：{_span(notice['start_on'], notice['end_on'])}{place}。")
        else:
            sheet.text(f"第{numeral(number + 1)}次：{_DAYS_BLANK}，地点{_BLANK}。")


def _ask(sheet: _Sheet, row: dict[str, Any]) -> None:
    sheet.heading("有不同意见找谁")
    sheet.text(f"单位：{_BLANK}＿＿＿　电话：{_BLANK}＿＿")
    if pd.notna(row["objections"]) and pd.notna(row["answered"]):
        received, answered = int(row["objections"]), int(row["answered"])
        sheet.text(
            f"到现在收到意见{received}件，答复了{answered}件。" if received else "到现在没有收到意见。"
        )


def _span(first: Any, last: Any) -> str:
    """Return two days in words; a missing one is a blank or "now"."""
    if pd.isna(first):
        return f"{_BLANK}至{_BLANK}"
    begin = date_text(first.date())
    if pd.isna(last):
        return f"{begin}起"
    end = date_text(last.date())
    return f"{begin}至{end.partition('年')[2] if first.year == last.year else end}"


# --- page ---------------------------------------------------------------------------------------------------


@dataclass
class _Sheet:
    """What goes on the page, before the size of its type is known."""

    title: str
    headline: str
    warning: str
    parts: list[tuple[str, Any]] = field(default_factory=list)

    def heading(self, text: str) -> None:
        number = numeral(sum(kind == "heading" for kind, _ in self.parts) + 1)
        self.parts.append(("heading", f"{number}、{text}"))

    def text(self, text: str) -> None:
        self.parts.append(("text", text))

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.parts.append(("table", [tuple(headings), *(tuple(row) for row in rows)]))

    def size(self) -> float:
        """Return the largest size of type, in points, at which all fits one page; the least if none does."""
        fitting = (size for size in _SIZES if self.height(size) <= _SPARE * _points(_HEIGHT))
        return next(fitting, _SIZES[-1])

    def height(self, size: float) -> float:
        """Return the height of the page's content in points, at a size of type."""
        total = _lines(self.title, _TITLE * size) * _TITLE * size * _LINE
        total += _lines(self.headline, 1.2 * size) * 1.2 * size * _HEADING
        total += _lines(self.warning, size) * size * _LINE if self.warning else 0.0
        for kind, content in self.parts:
            if kind == "heading":
                total += size * _HEADING
            elif kind == "text":
                total += _lines("　　" + content, size) * size * _LINE
            else:
                total += sum(
                    max(_lines(cell, size, share) for cell, share in zip(row, _COLUMNS, strict=True))
                    for row in content
                ) * (size * _ROW + 2)
        return total + len(_SIGNATURE) * size * _LINE

    def to_bytes(self, as_of: dt.date) -> bytes:
        board = _Board(self.title, header=f"数据截至{date_text(as_of)}", as_of=as_of)
        board.fill(self, self.size())
        return board.to_bytes()


def _points(millimetres: float) -> float:
    return millimetres * 72 / 25.4


def _lines(text: str, size: float, share: float = 1.0) -> int:
    """Return the number of lines that a text takes at a size, in a share of the width."""
    room = share * _points(_WIDTH) - (8 if share < 1 else 0)
    return max(1, math.ceil(ems(text) * size / room))


class _Board(OfficialDocument):
    """A notice: one page with narrow margins and type of one chosen size."""

    def fill(self, sheet: _Sheet, size: float) -> None:
        """Add everything."""
        title = self._document.paragraphs[0]
        title.runs[0].font.size = Pt(_TITLE * size)
        title.paragraph_format.line_spacing = Pt(_TITLE * size * _LINE)
        title.paragraph_format.space_after = Pt(0)
        self._centred(sheet.headline, 1.2 * size, _HEADING)
        if sheet.warning:
            self._centred(sheet.warning, size, _LINE)
        for kind, content in sheet.parts:
            if kind == "heading":
                heading = self._paragraph(content, font=HEADING_FONT, size=size, line=size * _HEADING)
                heading.runs[0].bold = True
            elif kind == "text":
                self._paragraph(content, size=size, indent=True, line=size * _LINE)
            else:
                self._grid(content, size)
        for text in _SIGNATURE:
            line = self._paragraph(text, size=size, line=size * _LINE)
            line.alignment = WD_ALIGN_PARAGRAPH.RIGHT

    def _centred(self, text: str, size: float, leading: float) -> None:
        line = self._paragraph(text, font=HEADING_FONT, size=size, line=size * leading)
        line.alignment = WD_ALIGN_PARAGRAPH.CENTER
        line.runs[0].bold = True

    def _grid(self, rows: Sequence[Sequence[str]], size: float) -> None:
        table = self._document.add_table(len(rows), len(_COLUMNS), style="Table Grid")
        table.alignment, table.autofit = WD_TABLE_ALIGNMENT.CENTER, False
        for number, texts in enumerate(rows):
            for column, (text, share) in enumerate(zip(texts, _COLUMNS, strict=True)):
                cell = table.cell(number, column)
                cell.width = Mm(_WIDTH * share)
                line = cell.paragraphs[0]
                line.alignment = WD_ALIGN_PARAGRAPH.LEFT if column == 0 else WD_ALIGN_PARAGRAPH.CENTER
                layout = line.paragraph_format
                layout.line_spacing, layout.space_before, layout.space_after = Pt(size * _ROW), Pt(0), Pt(0)
                self._run(line, text, TEXT_FONT if number else HEADING_FONT, size)

    def _page(self, header: str) -> None:
        section = self._document.sections[0]
        section.page_width, section.page_height = Mm(210), Mm(297)
        section.top_margin, section.bottom_margin = Mm(18), Mm(16)
        section.left_margin, section.right_margin = Mm(22), Mm(22)
        section.header_distance, section.footer_distance = Mm(8), Mm(8)
        line = section.header.paragraphs[0]
        line.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        self._run(line, header, TEXT_FONT, 10.5)
