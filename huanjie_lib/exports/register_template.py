"""The empty register form (人才库模板.xlsx): text cells for numbers, lists for words, and how to fill it in.

Intake reads the form as it is filled in (:mod:`huanjie_lib.intake.register`). Equal dates give equal bytes.
"""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Final

from huanjie_lib.access.register_form import FORM_WORDS, REGISTER_FORM
from huanjie_lib.exports.book import LINE, Book, new_book
from huanjie_lib.exports.forms import entry_format, entry_rule, heading

__all__ = ["register_template", "write_register_template"]

ROWS: Final = 500
"""Rows that are set up for filling in; more may be added below."""

_HEAD_ROW: Final = 2
_WIDTHS: Final = {"name": 12, "id_number": 22, "unit_code": 16, "affiliation": 14, "source": 16}
_TITLE: Final = "后备人才登记表"
_HOW: Final = (
    "一人一行；同一人再次登记时填写新的更新日期，系统按身份证号合并，以最新一行为准。",
    "身份证号只填18位，单元格保持文本格式；填成数字会丢失末几位，整行不予载入。",
    "性别可不填，按身份证号确定；与身份证号不一致时会提示核对。",
    "不在本市村（社区）居住的人员，区划代码留空。",
    "不要增加联系电话、住址、民族、宗教、健康、婚育等栏目：不需要，也不会载入。",
    "本表含个人信息，由组织部门收取和载入；载入后只保存代号和加密的姓名、号码，原表按保密规定存放或销毁。",
)


def register_template(*, as_of: dt.date) -> bytes:
    """Return the form as the bytes of an XLSX file.

    Parameters
    ----------
    as_of
        Date of the form; the only date in the file.
    """
    out = io.BytesIO()
    with new_book(out, title=_TITLE, as_of=as_of, version="模板") as book:
        _form(book)
        _instructions(book)
    return out.getvalue()


def write_register_template(path: Path, *, as_of: dt.date) -> None:
    """Write the form to a file."""
    path.write_bytes(register_template(as_of=as_of))


def _form(book: Book) -> None:
    columns = REGISTER_FORM.columns
    sheet = book.sheet(FORM_WORDS[0])
    last = len(columns)
    title = book.format(bold=True, font_size=16, align="center")
    sheet.merge_range(0, 0, 0, last, _TITLE, title)
    sheet.write_string(1, 0, "填报单位：", book.format())
    sheet.write_string(1, max(last - 3, 1), "填报日期：", book.format())
    sheet.write_string(_HEAD_ROW, 0, "序号", book.head())
    sheet.set_column(0, 0, 6)
    first, end = _HEAD_ROW + 1, _HEAD_ROW + ROWS
    for place, column in enumerate(columns, start=1):
        sheet.write_string(_HEAD_ROW, place, heading(column), book.head())
        sheet.set_column(place, place, _WIDTHS.get(column.name, 12), entry_format(book, column))
        length = {"id_number": 18, "unit_code": 12}.get(column.name)
        sheet.data_validation(first, place, end, place, entry_rule(column, length=length))
    sheet.set_row(_HEAD_ROW, 2 * LINE)
    sheet.freeze_panes(first, 3)
    sheet.repeat_rows(_HEAD_ROW)


def _instructions(book: Book) -> None:
    sheet = book.sheet("填表说明")
    text = book.cell("wrap")
    sheet.set_column(0, 0, 16)
    sheet.set_column(1, 1, 90)
    for row, line in enumerate(_HOW):
        sheet.write_string(row, 0, f"{row + 1}", book.cell("flag"))
        sheet.write_string(row, 1, line, text)
    start = len(_HOW) + 1
    sheet.write_string(start, 0, "栏目", book.head())
    sheet.write_string(start, 1, "填写内容（*为必填）", book.head())
    for row, column in enumerate(REGISTER_FORM.columns, start=start + 1):
        allowed = {"name": "户口簿或身份证上的姓名", "id_number": "18位身份证号，文本格式"}
        sheet.write_string(row, 0, heading(column), book.cell("text"))
        sheet.write_string(row, 1, allowed.get(column.name, column.allowed()), text)
        sheet.set_row(row, 2 * LINE)
