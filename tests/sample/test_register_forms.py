"""Register forms of the sample are written as clerks write, and spoiled only where it is said."""

from __future__ import annotations

import io

import openpyxl
import pandas as pd
import pytest

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.access.register_form import REGISTER_FORM
from huanjie_lib.sample import City
from huanjie_lib.sample.names import RETURNS_COUNTY
from huanjie_lib.sample.register_forms import FORM_SHEET, make_register_forms
from huanjie_lib.sample.returns import FAULT_COLUMNS, ReturnFile
from huanjie_lib.sample.streams import Streams

Filed = tuple[list[ReturnFile], pd.DataFrame]


def make(city: City) -> Filed:
    """Let ten townships file, one for each habit and each fault."""
    towns = city.tables["townships"].assign(county_code="990199")
    towns.loc[:9, "county_code"] = RETURNS_COUNTY
    keys, rng = KeyRing.from_seed(city.seed), Streams(city.seed)["register"]
    return make_register_forms({**city.tables, "townships": towns}, RETURNS_COUNTY, city.as_of, keys, rng)


@pytest.fixture(scope="module")
def filed(city: City) -> Filed:
    return make(city)


@pytest.fixture(scope="module")
def rows(filed: Filed) -> dict[str, list[list[object]]]:
    """Return the cells of every form, read by a library that did not write them."""
    books = {file.path: openpyxl.load_workbook(io.BytesIO(file.content)) for file in filed[0]}
    return {
        path: [[c.value for c in row] for row in book[FORM_SHEET].iter_rows()] for path, book in books.items()
    }


def test_equal_cities_give_equal_bytes(city: City, filed: Filed) -> None:
    assert make(city)[0] == filed[0]


def test_every_township_sends_one_form_of_new_and_renewed_people(
    city: City, rows: dict[str, list[list[object]]]
) -> None:
    assert len(rows) == 10
    keys, known = KeyRing.from_seed(city.seed), set(city.tables["people"]["person_ref"])
    for path, cells in rows.items():
        assert str(cells[0][0]).endswith("后备人才登记表"), path
        numbers = [row[2] for row in cells[3:] if isinstance(row[2], str) and len(row[2]) == 18]
        assert all(number.startswith("99") for number in numbers)
        held = sum(keys.pseudonym("person", number) in known for number in numbers)
        assert 3 <= held < len(numbers)


def test_headings_are_those_of_the_form(rows: dict[str, list[list[object]]]) -> None:
    allowed = {"序号", "备注"}.union(*({c.label, *c.aliases} for c in REGISTER_FORM.columns))
    for cells in rows.values():
        assert {str(h).replace("\n", "") for h in cells[2]} <= allowed


def test_spoiled_cells_stand_where_the_list_says(filed: Filed, rows: dict[str, list[list[object]]]) -> None:
    faults = filed[1]
    assert tuple(faults.columns) == FAULT_COLUMNS
    expected = {
        *("person_twice", "id_check", "id_numeric", "required_missing", "person_conflict", "sex_mismatch"),
        *("id_rounded", "word_unknown", "code_unknown", "date_invalid"),
    }
    assert set(faults["kind"]) == expected
    looks = {
        "id_numeric": lambda row: isinstance(row[2], int | float),
        "id_rounded": lambda row: str(row[2]).endswith("000"),
        "required_missing": lambda row: not row[2],
        "word_unknown": lambda row: "大学在读" in row,
        "code_unknown": lambda row: "990121999999" in row,
        "date_invalid": lambda row: "2026-09-31" in row,
    }
    for fault in faults.itertuples(index=False):
        row = rows[fault.file][fault.row - 1]
        assert isinstance(row[0], int), fault
        assert looks.get(fault.kind, lambda cells: bool(cells[1]))(row), fault
    numbers = [str(row[2]) for cells in rows.values() for row in cells[3:] if row[2]]
    repeated = {number for number in numbers if numbers.count(number) > 1}
    assert len(repeated) == 3  # twice in one form, in two forms, and under two names


def test_the_list_of_faults_repeats_no_name_or_number(
    filed: Filed, rows: dict[str, list[list[object]]]
) -> None:
    text = filed[1].to_csv()
    secrets = [str(cell) for cells in rows.values() for row in cells[3:] for cell in row[1:3] if cell]
    assert not [secret for secret in secrets if secret in text]
