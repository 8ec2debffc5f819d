"""The form can be filled in by hand, and what was filled in is read."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

import openpyxl

from huanjie_lib.access.id_numbers import check_character
from huanjie_lib.access.keys import KeyRing
from huanjie_lib.access.register_form import REGISTER_FORM
from huanjie_lib.exports.register_template import ROWS, register_template, write_register_template
from huanjie_lib.intake import read_folder
from huanjie_lib.parameters import load_parameters

TODAY = dt.date(2026, 10, 31)
KEYS = KeyRing(bytes(range(32)), bytes(range(64)))
NUMBER = "11010519900307001" + check_character("11010519900307001")


def test_equal_dates_give_equal_bytes() -> None:
    assert register_template(as_of=TODAY) == register_template(as_of=TODAY)


def test_words_dates_and_lengths_are_checked_while_filling_in() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(register_template(as_of=TODAY)))["人才库"]
    assert [c.value for c in sheet[3]] == [
        "序号",
        *(c.label + "*" * c.required for c in REGISTER_FORM.columns),
    ]
    rules = {
        str(rule.sqref).split(":")[0].rstrip("0123456789"): rule
        for rule in sheet.data_validations.dataValidation
    }
    by_name = {
        c.name: rules[sheet.cell(3, n).column_letter] for n, c in enumerate(REGISTER_FORM.columns, start=2)
    }
    for column in REGISTER_FORM.columns:
        if column.words is not None:
            assert by_name[column.name].formula1 == '"' + ",".join(column.words.labels().values()) + '"'
    assert by_name["id_number"].type == "textLength"
    assert by_name["id_number"].formula1 == "18"
    assert by_name["registered_on"].type == "date"
    assert all(str(rule.sqref).endswith(str(3 + ROWS)) for rule in rules.values())
    formats = {
        c.name: sheet.column_dimensions[sheet.cell(3, n).column_letter].number_format
        for n, c in enumerate(REGISTER_FORM.columns, start=2)
    }
    assert formats["id_number"] == formats["unit_code"] == "@"


def test_a_filled_in_form_is_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "returns").mkdir(parents=True)
    (data / "tables").mkdir()
    lines = ["unit_code,unit_name,unit_kind,township_code", "990101101201,上云村,village,990101101"]
    (data / "tables" / "units.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = data / "returns" / "人才库模板.xlsx"
    write_register_template(path, as_of=TODAY)
    book = openpyxl.load_workbook(path)
    cells = {
        "name": "赵云溪",
        "id_number": NUMBER,
        "unit_code": "990101101201",
        "channel": "组织发现",
        "source": "大学毕业生",
        "status": "已入库",
        "registered_on": dt.date(2026, 5, 1),
    }
    for place, column in enumerate(REGISTER_FORM.columns, start=2):
        book["人才库"].cell(4, place, cells.get(column.name))
    book["人才库"].cell(4, 1, 1)
    book.save(path)
    intake = read_folder(data, load_parameters(), keys=KEYS)
    told = intake.issues[intake.issues["file"] == "returns/人才库模板.xlsx"]
    assert set(told["severity"]) <= {"note"}
    assert intake.tables["people"]["person_ref"].tolist() == [KEYS.pseudonym("person", NUMBER)]
    assert intake.tables["people"]["birth_year"].tolist() == [1990]
