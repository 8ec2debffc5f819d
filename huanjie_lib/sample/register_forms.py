"""Register forms of one county as its township clerks fill them in, with people and faults.

Each township registers a few new people and brings a few records up to date. Some rows are spoiled on
purpose; what must become of them is returned with the files. Names and numbers are those of synthetic people:
they are opened with the keys of the sample, which protect nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from huanjie_lib.access.id_numbers import IdFlaw, read_id_number
from huanjie_lib.access.keys import KeyRing
from huanjie_lib.access.register_form import FORM_COLUMNS_OF_PEOPLE, REGISTER_FORM
from huanjie_lib.sample.people import draw_id_numbers, draw_names
from huanjie_lib.sample.returns import (
    FAULT_COLUMNS,
    HABITS,
    REASONS,
    FormSheet,
    ReturnFile,
    fill_in,
    plain_value,
)
from huanjie_lib.sample.workbook import workbook_bytes
from huanjie_lib.vocabulary import Education, PersonChannel, PersonSource, PersonStatus, Sex

__all__ = ["FORM_SHEET", "make_register_forms"]

FORM_SHEET: Final = "人才库"
"""Name of the sheet."""

_NEW: Final = (7, 12)
_RENEWED: Final = 4
_WOMEN: Final = 0.36
_COLUMNS: Final = ("number", *(column.name for column in REGISTER_FORM.columns), "remark")

Rows = list[dict[str, Any]]


def make_register_forms(
    tables: Mapping[str, pd.DataFrame],
    county: str,
    as_of: dt.date,
    keys: KeyRing,
    rng: np.random.Generator,
) -> tuple[list[ReturnFile], pd.DataFrame]:
    """Fill in one register form for every township of a county.

    Parameters
    ----------
    tables
        Contract tables of the whole city.
    county
        Six-digit code of the county.
    as_of
        Date of the returns.
    keys
        Keys under which the identities of the city were sealed.
    rng
        Random stream.

    Returns
    -------
    files, faults
        The files, and the list of spoiled cells with the columns
        :data:`~huanjie_lib.sample.returns.FAULT_COLUMNS`.
    """
    towns = tables["townships"]
    mine = towns[towns["county_code"] == county]
    names = list(zip(mine["township_code"], mine["township_name"], strict=True))
    known = set(tables["people"]["person_ref"])
    fresh = [_new_people(tables, str(code), county, as_of, known, keys, rng) for code, _ in names]
    files: list[ReturnFile] = []
    faults: list[tuple[str, str, int, str, str, str]] = []
    for number, (code, name) in enumerate(names):
        rows = [*fresh[number], *_renewed(tables, str(code), as_of, keys, rng)]
        contracts = [None, *REGISTER_FORM.columns, None]
        sheet = FormSheet(FORM_SHEET, list(_COLUMNS), contracts, [], ("id_number",), title="后备人才登记表")
        marks = _spoil(number, rows, fresh[number + 1] if number + 1 < len(fresh) else [])
        sheet.rows += [[n, *(row[c] for c in _COLUMNS[1:-1]), None] for n, row in enumerate(rows, start=1)]
        for row, column, kind, value in marks:
            if value is not None:
                sheet.verbatim[row, column] = value
            sheet.marks.append((row, column, kind))
        grid, at = fill_in(sheet, str(name), as_of, HABITS[number % len(HABITS)], rng)
        path = f"returns/{name}/{name}人才库登记表({as_of.year}年{as_of.month}月).xlsx"
        files.append(ReturnFile(path, workbook_bytes([grid], as_of)))
        faults += [
            (path, FORM_SHEET, at[row], column, kind, REASONS[kind]) for row, column, kind in sheet.marks
        ]
    return files, pd.DataFrame(faults, columns=list(FAULT_COLUMNS))


def _new_people(
    tables: Mapping[str, pd.DataFrame],
    township: str,
    county: str,
    as_of: dt.date,
    known: set[str],
    keys: KeyRing,
    rng: np.random.Generator,
) -> Rows:
    """Draw people who are not in the register yet."""
    units = tables["units"].loc[tables["units"]["township_code"] == township, "unit_code"].to_numpy()
    count = int(rng.integers(*_NEW))
    woman = rng.random(count) < _WOMEN
    year = as_of.year - rng.integers(23, 52, count)
    numbers = draw_id_numbers(np.full(count, county), year, woman, rng)
    rows = []
    for number, name, is_woman in zip(numbers, draw_names(count, rng), woman.tolist(), strict=True):
        ref = keys.pseudonym("person", str(number))
        if ref in known:
            continue
        known.add(ref)
        registered = as_of - dt.timedelta(days=int(rng.integers(5, 60)))
        rows.append(
            {
                "name": str(name),
                "id_number": str(number),
                "sex": Sex.FEMALE.value if is_woman else Sex.MALE.value,
                "is_minority": bool(rng.random() < 0.02),
                "unit_code": None if rng.random() < 0.1 else str(units[rng.integers(len(units))]),
                "channel": _one(PersonChannel, rng),
                "source": _one(PersonSource, rng),
                "education": str(rng.choice([Education.BACHELOR, Education.COLLEGE, Education.SENIOR_HIGH])),
                "affiliation": str(rng.choice(["01", "13", "13"])),
                "status": PersonStatus.SELECTED.value,
                "registered_on": registered,
                "updated_on": registered if rng.random() < 0.5 else None,
            }
        )
    return rows


def _one(words: type[PersonChannel | PersonSource], rng: np.random.Generator) -> str:
    return str(rng.choice([word.value for word in words]))


def _renewed(
    tables: Mapping[str, pd.DataFrame], township: str, as_of: dt.date, keys: KeyRing, rng: np.random.Generator
) -> Rows:
    """Return newer records of people who are in the register: one step further, or merely confirmed."""
    people = tables["people"]
    mine = people[people["unit_code"].str.startswith(township).fillna(False).to_numpy(dtype=np.bool_)]
    mine = mine.merge(tables["people_protected"], on="person_ref").merge(
        tables["identities"], on="person_ref"
    )
    chosen = mine.iloc[np.sort(rng.choice(len(mine), min(_RENEWED, len(mine)), replace=False))]
    rows = []
    for _, person in chosen.iterrows():
        ref = str(person["person_ref"])
        row: dict[str, Any] = {
            "name": keys.unseal(str(person["name_sealed"]), "name", ref),
            "id_number": keys.unseal(str(person["id_sealed"]), "id_number", ref),
            **{name: plain_value(person[name]) for name in ("sex", "is_minority", *FORM_COLUMNS_OF_PEOPLE)},
        }
        if row["status"] == PersonStatus.SELECTED.value and rng.random() < 0.5:
            row["status"] = PersonStatus.CULTIVATING.value
        row["updated_on"] = as_of - dt.timedelta(days=int(rng.integers(1, 15)))
        rows.append(row)
    return rows


def _spoil(number: int, rows: Rows, neighbour: Rows) -> list[tuple[int, str, str, Any]]:
    """Spoil the rows planned for a township.

    Returns row, column, kind and what stands in the cell; ``None`` where the row itself says it.
    """
    first = rows[0]
    match number % 10:
        case 0:
            rows.append({**first, "updated_on": first["registered_on"]})
            first["updated_on"] = first["registered_on"] + dt.timedelta(days=4)
            return [(len(rows) - 1, "id_number", "person_twice", None)]
        case 1:
            wrong = first["id_number"][:-1] + ("5" if first["id_number"][-1] != "5" else "6")
            return [(0, "id_number", "id_check", wrong)]
        case 2:
            return [(0, "id_number", "id_numeric", int(first["id_number"][:17] + "0"))]
        case 3:
            return [(1, "id_number", "required_missing", "")]
        case 4 if neighbour:
            rows.append({**neighbour[1], "updated_on": None})
            neighbour[1]["updated_on"] = neighbour[1]["registered_on"] + dt.timedelta(days=2)
            return [(len(rows) - 1, "id_number", "person_twice", None)]
        case 5:
            rows.append({**rows[2], "name": rows[2]["name"] + "清"})
            return [(2, "name", "person_conflict", None), (len(rows) - 1, "name", "person_conflict", None)]
        case 6:
            other = Sex.MALE if first["sex"] == Sex.FEMALE.value else Sex.FEMALE
            return [(0, "sex", "sex_mismatch", other.label)]
        case 7:
            return [(2, "id_number", "id_rounded", _rounded(first["id_number"]))]
        case 8:
            return [
                (1, "education", "word_unknown", "大学在读"),
                (3, "unit_code", "code_unknown", "990121999999"),
            ]
        case _:
            return [(2, "registered_on", "date_invalid", "2026-09-31")]


def _rounded(number: str) -> str:
    """Return a number as a spreadsheet leaves it that keeps fifteen digits."""
    candidates = (f"{number[:14]}{(int(number[14]) + n) % 10}000" for n in range(10))
    return next(text for text in candidates if read_id_number(text) is IdFlaw.ROUNDED)
